//! Match conditions: what a route asks of a request, and what can be known of them without one.

use super::pattern::{Pattern, all_exclude, any_covers};
use crate::request::Headers;

/// A condition on a request. A list of patterns holds if any of them fits.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The `model` of the body.
    Model(Vec<Pattern>),
    /// The path without its query.
    Path(Vec<Pattern>),
    /// The method.
    Method(Vec<Pattern>),
    /// Any of a header's values.
    Header {
        /// In lower case.
        name: String,
        /// What one of the values must fit.
        values: Vec<Pattern>,
    },
    /// Whether a streamed answer is asked for.
    Stream(bool),
    /// At least one holds.
    Any(Vec<Condition>),
    /// Every one holds.
    All(Vec<Condition>),
    /// The one does not hold.
    Not(Box<Condition>),
}

/// What is known of a request: all of it when one is routed, only a part when a document is examined.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// The `model` of the body.
    pub model: Option<&'a str>,
    /// The path without its query.
    pub path: Option<&'a str>,
    /// The method.
    pub method: Option<&'a str>,
    /// The headers.
    pub headers: Option<&'a Headers>,
    /// Whether a streamed answer is asked for.
    pub stream: Option<bool>,
}

impl Condition {
    /// Whether the condition holds, `None` if that takes more than is known. Given a whole [`Subject`] the
    /// answer is never `None`.
    pub fn evaluate(&self, subject: &Subject<'_>) -> Option<bool> {
        let fits = |patterns: &[Pattern], value: Option<&str>| {
            value.map(|value| {
                patterns
                    .iter()
                    .any(|pattern| pattern.matches(value.as_bytes()))
            })
        };
        match self {
            Condition::Model(patterns) => fits(patterns, subject.model),
            Condition::Path(patterns) => fits(patterns, subject.path),
            Condition::Method(patterns) => fits(patterns, subject.method),
            Condition::Header { name, values } => subject.headers.map(|headers| {
                headers
                    .values(name)
                    .any(|value| values.iter().any(|pattern| pattern.matches(value)))
            }),
            Condition::Stream(wanted) => subject.stream.map(|stream| stream == *wanted),
            Condition::Any(conditions) => {
                first_or_unknown(conditions.iter().map(|one| one.evaluate(subject)), true)
            }
            Condition::All(conditions) => {
                first_or_unknown(conditions.iter().map(|one| one.evaluate(subject)), false)
            }
            Condition::Not(condition) => condition.evaluate(subject).map(|holds| !holds),
        }
    }

    /// Whether every request for which `other` holds is one for which this holds. `false` where that is not seen.
    pub fn covers(&self, other: &Condition) -> bool {
        use Condition::{All, Any, Header, Method, Model, Not, Path, Stream};
        match (self, other) {
            (All(these), _) => these.iter().all(|this| this.covers(other)),
            (_, Any(others)) => others.iter().all(|other| self.covers(other)),
            (Any(these), _) if these.iter().any(|this| this.covers(other)) => true,
            (_, All(others)) if others.iter().any(|other| self.covers(other)) => true,
            (Not(this), Not(other)) if other.covers(this) => true,
            (Not(this), _) => this.excludes(other),
            // Every request has a model, a path and a method.
            (Model(these) | Path(these) | Method(these), _) if these.contains(&Pattern::Any) => {
                true
            }
            (Model(these), Model(others))
            | (Path(these), Path(others))
            | (Method(these), Method(others)) => any_covers(these, others),
            (
                Header { name, values },
                Header {
                    name: other_name,
                    values: others,
                },
            ) => name == other_name && any_covers(values, others),
            (Stream(this), Stream(other)) => this == other,
            _ => false,
        }
    }

    /// Whether no request can meet both. `false` where that is not seen.
    pub fn excludes(&self, other: &Condition) -> bool {
        use Condition::{All, Any, Method, Model, Not, Path, Stream};
        match (self, other) {
            (Any(these), _) => these.iter().all(|this| this.excludes(other)),
            (_, Any(others)) => others.iter().all(|other| self.excludes(other)),
            (All(these), _) if these.iter().any(|this| this.excludes(other)) => true,
            (_, All(others)) => others.iter().any(|other| self.excludes(other)),
            (Not(this), _) if this.covers(other) => true,
            (_, Not(other)) => other.covers(self),
            // Not so for headers: of two values, one may fit here and the other there.
            (Model(these), Model(others))
            | (Path(these), Path(others))
            | (Method(these), Method(others)) => all_exclude(these, others),
            (Stream(this), Stream(other)) => this != other,
            _ => false,
        }
    }

    /// Whether no request can ever meet it, as far as that is seen.
    pub fn is_impossible(&self) -> bool {
        match self {
            Condition::Any(conditions) => conditions.iter().all(Condition::is_impossible),
            Condition::All(conditions) => {
                conditions.iter().any(Condition::is_impossible)
                    || conditions.iter().enumerate().any(|(seen, one)| {
                        conditions.iter().take(seen).any(|two| one.excludes(two))
                    })
            }
            Condition::Not(condition) => condition.covers(&Condition::Model(vec![Pattern::Any])),
            _ => false,
        }
    }

    /// Whether it asks for what only a call of a model has: a model, a streamed answer.
    pub fn is_of_model_calls(&self) -> bool {
        match self {
            Condition::Model(_) | Condition::Stream(_) => true,
            Condition::Path(_) | Condition::Method(_) | Condition::Header { .. } => false,
            Condition::Any(conditions) | Condition::All(conditions) => {
                conditions.iter().any(Condition::is_of_model_calls)
            }
            Condition::Not(condition) => condition.is_of_model_calls(),
        }
    }

    /// Whether what meets it has this header, as far as that is seen.
    pub fn asks_for_header(&self, header: &str) -> bool {
        match self {
            Condition::Header { name, .. } => name == header,
            Condition::Any(conditions) => conditions.iter().all(|one| one.asks_for_header(header)),
            Condition::All(conditions) => conditions.iter().any(|one| one.asks_for_header(header)),
            _ => false,
        }
    }

    /// The model names that are asked for by exactly this name, in the order of the document.
    pub fn exact_models<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Condition::Model(patterns) => {
                names.extend(patterns.iter().filter_map(Pattern::as_exact))
            }
            Condition::Any(conditions) | Condition::All(conditions) => {
                for condition in conditions {
                    condition.exact_models(names);
                }
            }
            _ => {}
        }
    }
}

/// `decisive` if any of the results is that; else unknown if any is; else the opposite.
fn first_or_unknown(results: impl Iterator<Item = Option<bool>>, decisive: bool) -> Option<bool> {
    let mut unknown = false;
    for result in results {
        match result {
            Some(result) if result == decisive => return Some(decisive),
            Some(_) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(!decisive)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn model(patterns: &[&str]) -> Condition {
        Condition::Model(
            patterns
                .iter()
                .map(|text| Pattern::parse(text).unwrap())
                .collect(),
        )
    }

    fn header(name: &str, pattern: &str) -> Condition {
        Condition::Header {
            name: name.into(),
            values: vec![Pattern::parse(pattern).unwrap()],
        }
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        let condition = Condition::All(vec![model(&["a*"]), header("x", "1")]);
        let known = |model| Subject {
            model: Some(model),
            ..Subject::default()
        };
        assert_eq!(condition.evaluate(&known("b")), Some(false));
        assert_eq!(condition.evaluate(&known("a")), None);
        assert_eq!(
            Condition::Any(vec![model(&["a"]), header("x", "1")]).evaluate(&known("a")),
            Some(true)
        );
    }

    #[test]
    fn relations_that_users_meet() {
        let any = model(&["*"]);
        let gpt = model(&["gpt-*"]);
        let gpt_stream = Condition::All(vec![gpt.clone(), Condition::Stream(true)]);
        assert!(any.covers(&gpt_stream));
        assert!(gpt.covers(&gpt_stream) && !gpt_stream.covers(&gpt));
        assert!(any.covers(&header("x", "1")) && !header("x", "1").covers(&any));
        assert!(header("x", "*").covers(&header("x", "1")));
        assert!(!header("y", "*").covers(&header("x", "1")));
        assert!(Condition::Not(Box::new(model(&["claude-*"]))).covers(&gpt));
        assert!(Condition::All(vec![gpt.clone(), model(&["claude"])]).is_impossible());
        assert!(Condition::Not(Box::new(any)).is_impossible());
        assert!(!Condition::All(vec![header("x", "1"), header("x", "2")]).is_impossible());
    }

    fn conditions() -> impl Strategy<Value = Condition> {
        let patterns = prop::collection::vec(
            prop::sample::select(vec!["a", "b", "ab", "a*", "*b", "*"]),
            1..3,
        )
        .prop_map(|texts| {
            texts
                .iter()
                .map(|text| Pattern::parse(text).unwrap())
                .collect()
        });
        let leaf = prop_oneof![
            patterns.clone().prop_map(Condition::Model),
            patterns.clone().prop_map(Condition::Method),
            patterns.prop_map(|values| Condition::Header {
                name: "x".into(),
                values
            }),
            any::<bool>().prop_map(Condition::Stream),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..3).prop_map(Condition::Any),
                prop::collection::vec(inner.clone(), 1..3).prop_map(Condition::All),
                inner.prop_map(|one| Condition::Not(Box::new(one))),
            ]
        })
    }

    proptest! {
        #[test]
        fn relations_agree_with_evaluation(
            a in conditions(),
            b in conditions(),
            model in "[ab]{0,2}",
            method in "[ab]{0,2}",
            values in prop::collection::vec("[ab]{0,2}", 0..3),
            stream: bool,
        ) {
            let headers = Headers::new(
                values.into_iter().map(|value| ("x".to_owned(), value.into_bytes())).collect(),
            );
            let subject = Subject {
                model: Some(&model),
                path: Some("/"),
                method: Some(&method),
                headers: Some(&headers),
                stream: Some(stream),
            };
            let (in_a, in_b) = (a.evaluate(&subject).unwrap(), b.evaluate(&subject).unwrap());
            prop_assert!(!(a.covers(&b) && in_b && !in_a));
            prop_assert!(!(a.excludes(&b) && in_a && in_b));
            prop_assert!(!(a.is_impossible() && in_a));
            // With less known, the answer is the same or none.
            let partial = Subject { headers: None, stream: None, ..subject };
            prop_assert!(a.evaluate(&partial).is_none_or(|holds| holds == in_a));
        }
    }
}
