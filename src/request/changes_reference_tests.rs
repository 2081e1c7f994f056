//! Compares edits of the body with the same changes on a JSON tree, and the parsing of numbers with the standard
//! library's.

use proptest::prelude::*;
use serde_json::Map;

use super::*;
use crate::request::clamp::number;

/// A change of one of a few names, for the reference implementation.
#[derive(Clone, Debug)]
enum Asked {
    Rename(&'static str, &'static str),
    Remove(&'static str),
    Set(&'static str, Value),
    Default(&'static str, Value),
    Clamp(&'static str, f64, f64),
}

impl Asked {
    fn put_into(&self, changes: &mut ParameterChanges) -> bool {
        let written = |value: &Value| serde_json::to_vec(value).unwrap();
        match self {
            Asked::Rename(old, new) => {
                changes.rename(old, new.rsplit('.').next().unwrap_or_default())
            }
            Asked::Remove(path) => changes.remove(path),
            Asked::Set(path, value) => changes.set(path, written(value)),
            Asked::Default(path, value) => changes.default_to(path, written(value)),
            Asked::Clamp(path, min, max) => changes.clamp(
                path,
                Clamp {
                    min: bound(*min),
                    max: bound(*max),
                },
            ),
        }
    }

    /// Applies the change to a tree.
    fn apply(&self, root: &mut Value) {
        match self {
            Asked::Rename(old, new) => {
                let Some((parent, old)) = parent(root, old, Missing::Stays) else {
                    return;
                };
                let new = new.rsplit('.').next().unwrap();
                if let Some(value) = parent.remove(old)
                    && parent.get(new).is_none_or(Value::is_null)
                {
                    parent.insert(new.to_owned(), value);
                }
            }
            Asked::Remove(path) => {
                if let Some((parent, name)) = parent(root, path, Missing::Stays) {
                    parent.remove(name);
                }
            }
            Asked::Set(path, value) => {
                let (parent, name) = parent(root, path, Missing::Made).unwrap();
                parent.insert(name.to_owned(), value.clone());
            }
            Asked::Default(path, value) => {
                if let Some((parent, name)) = parent(root, path, Missing::MadeOfNull)
                    && parent.get(name).is_none_or(Value::is_null)
                {
                    parent.insert(name.to_owned(), value.clone());
                }
            }
            Asked::Clamp(path, min, max) => {
                let Some((parent, name)) = parent(root, path, Missing::Stays) else {
                    return;
                };
                if let Some(value) = parent.get_mut(name)
                    && let Some(number) = value.as_f64()
                    && (number < *min || number > *max)
                {
                    *value = whole(number.clamp(*min, *max));
                }
            }
        }
    }
}

/// What happens if a value on the path is not an object.
#[derive(Clone, Copy, PartialEq)]
enum Missing {
    Stays,
    MadeOfNull,
    Made,
}

fn parent<'a, 'p>(
    root: &'a mut Value,
    path: &'p str,
    missing: Missing,
) -> Option<(&'a mut Map<String, Value>, &'p str)> {
    let Some((way, name)) = path.rsplit_once('.') else {
        return Some((root.as_object_mut()?, path));
    };
    let mut at = root;
    for part in way.split('.') {
        let object = at.as_object_mut()?;
        let is_made = match object.get(part) {
            Some(Value::Object(_)) => false,
            None | Some(Value::Null) => missing != Missing::Stays,
            Some(_) => missing == Missing::Made,
        };
        if is_made {
            object.insert(part.to_owned(), json!({}));
        }
        at = object.get_mut(part)?;
    }
    Some((at.as_object_mut()?, name))
}

const NAMES: [&str; 8] = ["a", "b", "c", "d", "o.a", "o.b", "o.p.a", "q.a"];

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        (-20_i64..20).prop_map(|number| json!(number)),
        Just(json!(2.5)),
        Just(json!("tëxt \" \\ ")),
        Just(json!([1, {"a": 2}])),
        Just(json!({"a": 1, "b": 7})),
        Just(json!({"p": {"a": 9, "z": 0}, "z": 1})),
    ]
}

fn asked() -> impl Strategy<Value = Vec<Asked>> {
    let name = || prop::sample::select(&NAMES[..]);
    let renames = vec![("a", "b"), ("c", "d"), ("o.a", "o.b"), ("new", "a")];
    let one = prop_oneof![
        prop::sample::select(renames).prop_map(|(old, new)| Asked::Rename(old, new)),
        name().prop_map(Asked::Remove),
        (name(), value()).prop_map(|(name, value)| Asked::Set(name, value)),
        (name(), value()).prop_map(|(name, value)| Asked::Default(name, value)),
        (name(), -9_i32..9, -9_i32..9).prop_map(|(name, a, b)| Asked::Clamp(
            name,
            a.min(b).into(),
            a.max(b).into()
        )),
    ];
    prop::collection::vec(one, 0..7)
}

/// Generates an object with fields in some order, each once, with odd spacing.
fn object() -> impl Strategy<Value = String> {
    let names = vec!["a", "b", "c", "d", "o", "q", "new", "other", "model"];
    let names = prop::sample::subsequence(names, 0..9).prop_shuffle();
    let values = prop::collection::vec(value(), 9);
    let space = || prop::sample::select(&["", " ", "\n\t"][..]);
    let spaces = (space(), space(), space(), space());
    (names, values, spaces).prop_map(|(names, values, spaces)| {
        let (s, t, u, v) = spaces;
        let fields: Vec<String> = names
            .iter()
            .zip(&values)
            .map(|(name, value)| {
                let value = if *name == "model" {
                    &Value::Null
                } else {
                    value
                };
                let value = match value {
                    Value::Null if *name == "model" => "\"m\"".to_owned(),
                    value => value.to_string().replace(':', &format!("{t}:{u}")),
                };
                format!("{s}\"{name}\"{t}:{u}{value}{v}")
            })
            .collect();
        format!("{s}{{{}{t}}}{v}", fields.join(","))
    })
}

/// Returns the top-level fields as they are written.
fn written(body: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    crate::json::JsonCursor::whole(body.as_bytes(), |json| {
        json.fields(|json, key| {
            let value = json.skip()?;
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            all.push((text(key), text(value)));
            Ok(())
        })
    })
    .unwrap();
    all
}

proptest! {
    #[test]
    fn edits_do_what_a_tree_would_and_nothing_else(
        body in object(),
        asked in asked(),
        model in prop::option::of("[a-z]{1,3}"),
    ) {
        let mut changes = ParameterChanges::default();
        let mut taken: Vec<Asked> = Vec::new();
        for one in asked {
            // The document refuses to rename a field that it changes otherwise, or to rename it twice.
            let old = |asked: &Asked| match asked {
                Asked::Rename(old, _) => Some(*old),
                _ => None,
            };
            let path = |asked: &Asked| match asked {
                Asked::Rename(_, path) | Asked::Remove(path) | Asked::Set(path, _)
                | Asked::Default(path, _) | Asked::Clamp(path, ..) => *path,
            };
            let clashes = taken.iter().any(|other| {
                old(&one) == Some(path(other)) || old(other) == Some(path(&one))
                    || old(&one).is_some() && path(other) == path(&one)
            });
            if !clashes && one.put_into(&mut changes) {
                taken.push(one);
            }
        }
        let edited = rewrite(&changes, model.as_deref(), &body).unwrap();
        let steps: [fn(&Asked) -> bool; 5] = [
            |one| matches!(one, Asked::Rename(..)),
            |one| matches!(one, Asked::Remove(..)),
            |one| matches!(one, Asked::Set(..)),
            |one| matches!(one, Asked::Default(..)),
            |one| matches!(one, Asked::Clamp(..)),
        ];
        let mut expected: Value = serde_json::from_str(&body).unwrap();
        for step in steps {
            taken.iter().filter(|one| step(one)).for_each(|one| one.apply(&mut expected));
        }
        if let Some(model) = &model {
            expected["model"] = json!(model);
        }
        let found: Value = serde_json::from_str(&edited).unwrap();
        prop_assert_eq!(found, expected, "{:?}\n{}\n{}", taken, body, edited);

        // Other fields keep their bytes and their order.
        let is_other = |(key, _): &(String, String)| key == "other" || key == "model" && model.is_none();
        let others = |body: &str| written(body).into_iter().filter(is_other).collect::<Vec<_>>();
        prop_assert_eq!(others(&edited), others(&body));
        if taken.is_empty() && model.is_none() {
            prop_assert_eq!(edited, body);
        }
    }

    #[test]
    fn any_number_stays_or_becomes_a_bound(text in "\\PC{0,12}", inside in "[-+0-9._eE infatyINF]{0,9}") {
        let mut changes = ParameterChanges::default();
        let clamp = Clamp { min: bound(0.0), max: bound(7.0) };
        prop_assert!(changes.clamp("n", clamp));
        for text in [text, inside] {
            let body = json!({"n": text}).to_string();
            let edited = rewrite(&changes, None, &body).unwrap();
            // Python accepts underscores between digits, and nowhere else.
            let parts: Vec<&str> = text.trim().split('_').collect();
            let is_digit = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_digit());
            let is_python = parts.windows(2).all(|pair| {
                is_digit(pair[0].chars().next_back()) && is_digit(pair[1].chars().next())
            });
            if let Some(number) = parts.concat().parse::<f64>().ok().filter(|_| is_python) {
                let is_within = (0.0..=7.0).contains(&number);
                let is_kept = edited == body;
                // A value out of bounds is always replaced. Other text that is not a JSON number may be replaced too,
                // because nobody relies on it.
                prop_assert!(is_within || number.is_nan() || !is_kept, "{body} {edited}");
            }
            let is_bound = edited == r#"{"n":0}"# || edited == r#"{"n":7}"#;
            prop_assert!(edited == body || is_bound);
        }
    }

    #[test]
    fn numbers_are_what_they_are(
        text in "-?(0|[1-9][0-9]{0,14})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        long in "-?(0|[1-9][0-9]{0,400})(\\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?",
    ) {
        for text in [text, long] {
            let exact: f64 = text.parse().unwrap();
            let found = number(text.as_bytes()).unwrap();
            let is_near = (found - exact).abs() <= exact.abs() * 1e-14;
            // Close to zero, doubles lose their precision.
            let is_tiny = exact.abs() < 1e-290 && found.abs() < 1e-290;
            prop_assert!(found == exact || is_near || is_tiny, "{} {} {}", text, exact, found);
        }
    }

    #[test]
    fn what_people_write_is_exact(digits in 0_u64..1_000_000_000_000_000, point in 0_i32..22) {
        let text = format!("{digits}e-{point}");
        prop_assert_eq!(number(text.as_bytes()), text.parse().ok());
    }
}
