//! An index of routes by model name, so that a request need not be compared with every route.

use hashbrown::HashMap;

use super::condition::Condition;

/// The routes for model calls, indexed by the model names that they match.
///
/// A route that matches only certain exact names is found by the request's model; all other routes are always
/// evaluated. So the cost of a request does not grow with the number of routes for other names.
#[derive(Clone, Debug, Default)]
pub struct RouteIndex {
    /// The indexes of the routes that can only take this name, in order.
    by_name: HashMap<String, Vec<usize>>,
    /// The indexes of all other routes, in order.
    others: Vec<usize>,
}

impl RouteIndex {
    /// Builds the index from the routes' conditions and indexes, in order.
    pub(crate) fn new<'a>(conditions: impl Iterator<Item = (usize, &'a Condition)>) -> RouteIndex {
        let mut index = RouteIndex::default();
        for (place, condition) in conditions {
            match condition.only_models() {
                None => index.others.push(place),
                Some(names) => {
                    for name in names {
                        let places = index.by_name.entry(name.to_owned()).or_default();
                        if places.last() != Some(&place) {
                            places.push(place);
                        }
                    }
                }
            }
        }
        index
    }

    /// Returns the indexes of all routes that may take this model, in order.
    pub(super) fn candidates(&self, model: &str) -> impl Iterator<Item = usize> {
        let named = self.by_name.get(model).map(Vec::as_slice);
        let mut named = named.unwrap_or_default().iter().copied().peekable();
        let mut others = self.others.iter().copied().peekable();
        std::iter::from_fn(move || match (named.peek(), others.peek()) {
            (Some(one), Some(other)) if other < one => others.next(),
            (Some(_), _) => named.next(),
            (None, _) => others.next(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::Pattern;

    fn model(patterns: &[&str]) -> Condition {
        let patterns = patterns.iter().map(|text| Pattern::parse(text).unwrap());
        Condition::Model(patterns.collect())
    }

    #[test]
    fn only_those_that_may_take_it_and_in_order() {
        let not = |one| Condition::Not(Box::new(one));
        let conditions = [
            model(&["a"]),
            model(&["b", "a", "b"]),
            model(&["a*"]),
            Condition::All(vec![Condition::Stream(true), model(&["b"])]),
            Condition::Any(vec![model(&["a"]), model(&["c"])]),
            Condition::Any(vec![model(&["a"]), Condition::Stream(true)]),
            not(model(&["a"])),
            model(&["c", "*x"]),
            Condition::All(vec![model(&["a", "c"]), model(&["c"])]),
        ];
        let index = RouteIndex::new(conditions.iter().enumerate());
        for (name, expected) in [
            ("a", vec![0, 1, 2, 4, 5, 6, 7]),
            ("b", vec![1, 2, 3, 5, 6, 7]),
            ("c", vec![2, 4, 5, 6, 7, 8]),
            ("d", vec![2, 5, 6, 7]),
        ] {
            assert_eq!(
                index.candidates(name).collect::<Vec<_>>(),
                expected,
                "{name}"
            );
        }
    }
}
