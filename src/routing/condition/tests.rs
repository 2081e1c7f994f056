//! What conditions know of each other, against what they say of requests.

use proptest::prelude::*;

use super::*;
use crate::request::Headers;

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
            ..Subject::default()
        };
        let (in_a, in_b) = (a.evaluate(&subject).unwrap(), b.evaluate(&subject).unwrap());
        prop_assert!(!(a.covers(&b) && in_b && !in_a));
        prop_assert!(!(a.excludes(&b) && in_a && in_b));
        prop_assert!(!(a.is_impossible() && in_a));
        let is_named = |names: Vec<&str>| names.contains(&model.as_str());
        prop_assert!(!in_a || a.only_models().is_none_or(is_named));
        // With less known, the answer is the same or none.
        let partial = Subject { headers: None, stream: None, ..subject };
        prop_assert!(a.evaluate(&partial).is_none_or(|holds| holds == in_a));
    }
}
