//! Checks the relations between conditions against their results for requests.

use proptest::prelude::*;

use super::*;
use crate::prompt::{PatternSource, Script, TextPattern};
use crate::request::{BodyKind, Content, Headers, PromptPart};
use crate::schema::Api;

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

fn contents() -> impl Strategy<Value = ContentCondition> {
    let bounds = (0_u8..4, 0_u8..4).prop_map(|(min, more)| Bounds {
        min: min.into(),
        max: f64::from(min) + f64::from(more),
    });
    let scalars = prop::sample::select(vec![
        FieldValue::Text(Pattern::parse("a*").unwrap()),
        FieldValue::Text(Pattern::parse("ab").unwrap()),
        FieldValue::Number(1.0),
        FieldValue::Number(2.0),
        FieldValue::Bool(true),
    ]);
    let test = prop_oneof![
        prop::collection::vec(scalars, 1..3).prop_map(FieldTest::OneOf),
        bounds.clone().prop_map(FieldTest::Within),
        any::<bool>().prop_map(FieldTest::Exists),
    ];
    let words = prop::sample::select(vec!["a", "b"]).prop_map(|word| {
        let words = &[word];
        TextPattern::new(&PatternSource {
            words,
            ..PatternSource::default()
        })
        .unwrap()
    });
    let scripts = prop::sample::subsequence(vec![Script::Latin, Script::Greek], 1..3);
    prop_oneof![
        (
            prop::sample::select(&ContentFeature::ALL[..]),
            any::<bool>()
        )
            .prop_map(|(fact, wanted)| ContentCondition::Has(fact, wanted)),
        (prop::sample::select(&ContentMeasure::ALL[..]), bounds)
            .prop_map(|(amount, bounds)| ContentCondition::Counts(amount, bounds)),
        (prop::sample::select(vec!["f", "g.h"]), test).prop_map(|(path, test)| {
            ContentCondition::Field {
                path: path.to_owned(),
                test,
            }
        }),
        (
            prop::sample::select(vec![PromptPart::System, PromptPart::LastUser]),
            words
        )
            .prop_map(|(part, pattern)| ContentCondition::Text(part, pattern)),
        scripts.prop_map(ContentCondition::Script),
    ]
}

/// Generates bodies that meet some of the conditions.
fn bodies() -> impl Strategy<Value = String> {
    let value = || {
        prop::sample::select(vec![
            "1",
            "2.0",
            "\"ab\"",
            "null",
            "true",
            "[1, \"ac\"]",
            "[]",
        ])
    };
    let text = || prop::sample::select(vec!["", "a", "b", "a b", "α"]);
    let tools = prop::sample::select(vec!["[]", "[1]"]);
    let turns = prop::collection::vec(text(), 0..3);
    (value(), value(), text(), turns, tools).prop_map(|(f, h, system, turns, tools)| {
        let turns: Vec<String> =
            turns.iter().map(|text| format!(r#"{{"role": "user", "content": "{text}"}}"#)).collect();
        format!(
            r#"{{"f": {f}, "g": [{{"h": {h}}}], "system": "{system}", "tools": {tools}, "messages": [{}]}}"#,
            turns.join(",")
        )
    })
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
        contents().prop_map(Condition::Content),
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
        body in bodies(),
    ) {
        let headers = Headers::new(
            values.into_iter().map(|value| ("x".to_owned(), value.into_bytes())).collect(),
        );
        let content = Content::new(Api::Messages, &BodyKind::Json, body.as_bytes());
        let subject = Subject {
            content: Some(&content),
            model: Some(&model),
            path: Some("/"),
            method: Some(&method),
            headers: Some(&headers),
            stream: Some(stream),
            ..Subject::default()
        };
        let (in_a, in_b) = (a.evaluate(&subject).unwrap(), b.evaluate(&subject).unwrap());
        prop_assert!(!(a.covers(&b) && in_b && !in_a));
        prop_assert!(!(a.excludes(&b) && in_a && in_b));
        prop_assert!(!(a.is_impossible() && in_a));
        let is_named = |names: Vec<&str>| names.contains(&model.as_str());
        prop_assert!(!in_a || a.only_models().is_none_or(is_named));
        // A subject with less known gives the same answer or none.
        let partial = Subject { headers: None, stream: None, content: None, ..subject };
        prop_assert!(a.evaluate(&partial).is_none_or(|holds| holds == in_a));
    }
}
