//! How a document's routes choose among their targets: by a key, drawn, in groups.

use serde_json::Value;

use super::*;
use crate::attempt::Moment;
use crate::config::Document;
use crate::health::{Blow, CooldownPolicy, Ended, Health, HealthStore, NoMemory, TargetKey};
use crate::request::{Caller, Headers};
use std::cell::RefCell;

const ROUTES: &str = "
backends:
- {name: a, schema: openai, models: [{name: m}]}
- {name: b, schema: openai, models: [{name: m}]}
- {name: c, schema: openai, models: [{name: m}]}
- {name: d, schema: openai, models: [{name: m}]}
defaults: {sticky: [{header: X-Session}, user, conversation], allow_request_headers: [dry_run]}
routes:
- name: files
  pass_through: true
  match: {path: '/v1/files*', percent: 30}
  targets: [{backend: a}]
- name: other-files
  pass_through: true
  match: {path: '/v1/files*'}
  targets: [{backend: b}]
- name: weighted
  match: {model: weighted}
  strategy: weighted
  targets: [{backend: a, model: m}, {backend: b, model: m}, {backend: c, model: m}, {backend: d, model: m, weight: 0}]
- name: drawn
  match: {model: drawn}
  sticky: []
  strategy: weighted
  targets: [{backend: a, model: m}, {backend: b, model: m}, {backend: c, model: m}]
- name: by-field
  match: {model: by-field}
  sticky: [{body: metadata.session}]
  strategy: weighted
  targets: [{backend: a, model: m}, {backend: b, model: m}]
- name: groups
  match: {model: groups}
  targets:
  - {strategy: weighted, targets: [{backend: a, model: m, weight: 3}, {backend: b, model: m}]}
  - {backend: d, model: m}
  - {strategy: weighted, targets: [{backend: c, model: m}, {backend: b, model: m}]}
- name: canary
  match: {model: split, percent: 20}
  targets: [{backend: b, model: m}]
- name: rest
  match: {model: split}
  targets: [{backend: a, model: m}]
- name: ordered
  match: {model: ordered}
  targets: [{backend: a, model: m}, {backend: b, model: m}]
";

fn document() -> Document {
    Document::compile(&serde_saphyr::from_str(ROUTES).unwrap()).unwrap()
}

struct Store(RefCell<Health>);

impl HealthStore for Store {
    fn change(&self, change: &mut dyn FnMut(&mut Health) -> bool) {
        change(&mut self.0.borrow_mut());
    }
}

fn headers(path: &str, session: Option<&str>) -> Headers {
    let mut all = vec![(":path", path), (":method", "POST")];
    all.extend([("x-llm-router-dry-run", "true")]);
    all.extend(session.map(|session| ("x-session", session)));
    let all = all.into_iter();
    Headers::new(
        all.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
            .collect(),
    )
}

/// The decision about a request, as a dry run tells it.
fn decision(body: &str, session: Option<&str>, random: u64, health: &dyn HealthStore) -> Value {
    let document = document();
    let moment = Moment {
        now: 1_000,
        random,
        health,
    };
    let headers = headers("/v1/chat/completions", session);
    let Arrival::AwaitBody(pending) = arrive(&document, headers, Caller::default(), || moment)
    else {
        panic!("it is a chat completion");
    };
    let answer = pending.route(&document, body.as_bytes(), moment);
    serde_json::from_slice(&answer.unwrap_err().body).unwrap()
}

fn plan_of(decision: &Value) -> String {
    let plan = decision["plan"].as_array().unwrap().iter();
    plan.map(|target| target["backend"].as_str().unwrap())
        .collect()
}

fn decide(model: &str, session: Option<&str>, random: u64) -> (String, Value) {
    let body = format!(r#"{{"model":"{model}"}}"#);
    let decision = decision(&body, session, random, &NoMemory);
    (plan_of(&decision), decision)
}

#[test]
fn a_key_has_one_order_whatever_is_drawn() {
    let mut seen = Vec::new();
    for session in 0..40 {
        let session = format!("session {session}");
        let (order, decision) = decide("weighted", Some(&session), 0);
        assert_eq!(decision["choice"], "sticky");
        assert_eq!(decision["sticky"], "header x-session");
        // Never the key itself.
        assert!(!decision.to_string().contains("session "));
        for random in 1..5 {
            assert_eq!(decide("weighted", Some(&session), random).0, order);
        }
        assert!(order.ends_with('d'));
        seen.push(order);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 6);
}

#[test]
fn without_a_key_or_with_an_empty_one_it_is_drawn() {
    for (model, session) in [
        ("weighted", None),
        ("weighted", Some("")),
        ("drawn", Some("x")),
    ] {
        let mut seen: Vec<String> = (0..40)
            .map(|random| {
                let (order, decision) = decide(model, session, random);
                assert_eq!(decision["choice"], "drawn");
                assert_eq!(decision["sticky"], Value::Null);
                order
            })
            .collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 6);
    }
    let (order, decision) = decide("ordered", Some("x"), 3);
    assert_eq!(
        (order.as_str(), &decision["choice"]),
        ("ab", &"ordered".into())
    );
}

#[test]
fn a_target_that_is_left_alone_is_passed_over_in_the_keys_own_order() {
    for session in 0..20 {
        let session = format!("session {session}");
        let (order, _) = decide("weighted", Some(&session), 0);
        let first = order.get(..1).unwrap();
        let store = Store(RefCell::default());
        let ended = Ended {
            target: TargetKey::new(first, "m"),
            sent_ms: 500,
            now_ms: 500,
        };
        let policy = CooldownPolicy::default();
        store.change(&mut |health| health.fail(ended, Blow::Until(60_000), &policy, 0));
        let decision = decision(r#"{"model":"weighted"}"#, Some(&session), 0, &store);
        let expected: String = [order.get(1..2).unwrap(), first, order.get(2..).unwrap()].concat();
        assert_eq!(plan_of(&decision), expected);
        assert_eq!(decision["choice"], "sticky");
    }
}

#[test]
fn groups_one_after_the_other() {
    let mut firsts = 0;
    let mut thirds = 0;
    for session in 0..400 {
        let session = format!("session {session}");
        let (order, _) = decide("groups", Some(&session), 0);
        let (drawn, decision) = decide("groups", None, session.len() as u64);
        assert_eq!(decision["choice"], "drawn");
        for order in [&order, &drawn] {
            let first: &str = order.get(..2).unwrap();
            let last: &str = order.get(3..).unwrap();
            assert!(["ab", "ba"].contains(&first) && ["cb", "bc"].contains(&last));
            assert_eq!(order.get(2..3), Some("d"));
        }
        firsts += u32::from(order.starts_with('a'));
        // The same backend in another group is chosen by itself.
        thirds += u32::from(order.starts_with('b') && order.ends_with('b'));
    }
    statistics::is_share(firsts, 400, 0.75);
    statistics::is_share(thirds, 400 - firsts, 0.5);
}

#[test]
fn a_percentage_of_the_models_traffic() {
    let mut taken = 0;
    for session in 0..1_000 {
        let session = format!("session {session}");
        let (order, decision) = decide("split", Some(&session), 0);
        let is_canary = decision["route"] == "canary";
        assert_eq!(order, if is_canary { "b" } else { "a" });
        taken += u32::from(is_canary);
    }
    statistics::is_share(taken, 1_000, 0.2);
    let drawn = (0..1_000).filter(|random| decide("split", None, *random).0 == "b");
    statistics::is_share(u32::try_from(drawn.count()).unwrap(), 1_000, 0.2);
}

/// What passes unread is split by headers alone, and drawn where there is no key.
#[test]
fn a_percentage_of_what_passes() {
    let document = document();
    let route = |session: Option<&str>, random: u64| {
        let moment = Moment {
            now: 0,
            random,
            health: &NoMemory,
        };
        let headers = headers("/v1/files/x", session);
        let Arrival::Answer(answer) = arrive(&document, headers, Caller::default(), || moment)
        else {
            panic!("it is a dry run");
        };
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        answer["route"].as_str().unwrap().to_owned()
    };
    let mut taken = 0;
    for session in 0..1_000 {
        let session = format!("session {session}");
        let name = route(Some(&session), 0);
        assert_eq!(route(Some(&session), 99), name);
        taken += u32::from(name == "files");
    }
    statistics::is_share(taken, 1_000, 0.3);
    let drawn = (0..1_000).filter(|random| route(None, *random) == "files");
    statistics::is_share(u32::try_from(drawn.count()).unwrap(), 1_000, 0.3);
}
