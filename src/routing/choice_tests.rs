//! Tests of how a route chooses among its targets: by a key, at random, and in groups.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

use super::*;
use crate::attempt::Moment;
use crate::config::Document;
use crate::health::{
    CooldownPolicy, EndedAttempt, FailureSeverity, Health, HealthStore, NoHealthStore, TargetKey,
};
use crate::request::{Caller, Claims, Headers, MeshIdentity};

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

static DOCUMENT: LazyLock<Document> = LazyLock::new(|| compile(ROUTES));

fn compile(document: &str) -> Document {
    Document::compile(&serde_saphyr::from_str(document).unwrap()).unwrap()
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

/// Returns the decision about a request, as a dry run reports it.
fn decision(body: &str, session: Option<&str>, random: u64, health: &dyn HealthStore) -> Value {
    let document = &*DOCUMENT;
    let moment = Moment {
        now: 1_000,
        random,
        health,
    };
    let headers = headers("/v1/chat/completions", session);
    let AfterHeaders::AwaitBody(pending) =
        receive_headers(document, headers, Caller::default(), || moment)
    else {
        panic!("it is a chat completion");
    };
    let answer = pending.route(document, body.as_bytes(), moment);
    serde_json::from_slice(&answer.unwrap_err().body).unwrap()
}

fn plan_of(decision: &Value) -> String {
    let plan = decision["plan"].as_array().unwrap().iter();
    plan.map(|target| target["backend"].as_str().unwrap())
        .collect()
}

fn decide(model: &str, session: Option<&str>, random: u64) -> (String, Value) {
    let body = format!(r#"{{"model":"{model}"}}"#);
    let decision = decision(&body, session, random, &NoHealthStore);
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
        // The key itself is never shown.
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
        let ended = EndedAttempt {
            target: TargetKey::new(first, "m"),
            sent_ms: 500,
            now_ms: 500,
        };
        let policy = CooldownPolicy::default();
        store.change(&mut |health| health.fail(ended, FailureSeverity::Until(60_000), &policy, 0));
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
        // The same backend in another group is a target of its own.
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

/// Requests that pass through are split by their headers alone, and at random if they have no key.
#[test]
fn a_percentage_of_what_passes() {
    let document = &*DOCUMENT;
    let route = |session: Option<&str>, random: u64| {
        let moment = Moment {
            now: 0,
            random,
            health: &NoHealthStore,
        };
        let headers = headers("/v1/files/x", session);
        let AfterHeaders::Answer(answer) =
            receive_headers(document, headers, Caller::default(), || moment)
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

/// Returns a document whose sticky choices use these sources.
fn sticking(sources: &str) -> Document {
    let targets = "[{backend: a, model: m}, {backend: b, model: m}, {backend: c, model: m}, {backend: d, model: m}]";
    let (backends, _) = ROUTES.split_once("defaults:").unwrap();
    compile(&format!(
        "{backends}defaults: {{allow_request_headers: [dry_run]}}
routes: [{{name: r, match: {{model: '*'}}, sticky: {sources}, strategy: weighted, targets: {targets}}}]"
    ))
}

/// Returns the order of the targets for a request with this body, and the source of its key.
fn by(document: &Document, path: &str, caller: &Caller, body: &str) -> (String, Option<String>) {
    let moment = Moment {
        now: 0,
        random: 5,
        health: &NoHealthStore,
    };
    let headers = headers(path, None);
    let AfterHeaders::AwaitBody(pending) =
        receive_headers(document, headers, caller.clone(), || moment)
    else {
        panic!("it is a call");
    };
    let answer = pending.route(document, body.as_bytes(), moment);
    let answer: Value = serde_json::from_slice(&answer.unwrap_err().body).unwrap();
    let sticky = answer["sticky"].as_str().map(str::to_owned);
    (plan_of(&answer), sticky)
}

/// Checks that a key has the same order in both of its spellings, and that many other keys have many orders.
fn sticks(sources: &str, source: &str, ask: &dyn Fn(&str) -> (String, Caller, String)) {
    let document = sticking(sources);
    let mut seen = BTreeSet::new();
    for number in 0..60 {
        let key = format!("key-{number}");
        let orders: Vec<_> = (0..2)
            .map(|_| {
                let (path, caller, body) = ask(&key);
                by(&document, &path, &caller, &body)
            })
            .collect();
        assert_eq!(orders[0], orders[1]);
        assert_eq!(orders[0].1.as_deref(), Some(source));
        seen.insert(orders[0].0.clone());
    }
    assert!(seen.len() > 12, "{source}: {}", seen.len());
}

const CHAT: &str = "/v1/chat/completions";

#[test]
fn every_source_gives_a_key() {
    let body = r#"{"model":"x"}"#;
    let nobody = Caller::default;
    sticks("[{query: s}]", "query s", &|key| {
        (
            format!("{CHAT}?a=1&s={key}&s=other"),
            nobody(),
            body.to_owned(),
        )
    });
    sticks("[{claim: a.sub}]", "claim a.sub", &|key| {
        let claims = format!(r#"{{"a":{{"sub":["{key}","other"]}}}}"#);
        let claims = Claims::new(serde_json::from_str(&claims).unwrap()).unwrap();
        (
            CHAT.to_owned(),
            nobody().with_claims(claims),
            body.to_owned(),
        )
    });
    sticks("[mesh]", "mesh", &|key| {
        let mesh = MeshIdentity::parse(&format!("spiffe://cluster.local/ns/prod/sa/{key}"));
        (CHAT.to_owned(), nobody().with_mesh(mesh), body.to_owned())
    });
    sticks(
        "[{body: metadata.session}]",
        "body metadata.session",
        &|key| {
            let body = format!(r#"{{"model":"x","metadata":{{"session":"{key}"}}}}"#);
            (CHAT.to_owned(), nobody(), body)
        },
    );
    sticks("[user]", "user", &|key| {
        let body = format!(r#"{{"model":"x","user":"{key}"}}"#);
        (CHAT.to_owned(), nobody(), body)
    });
    sticks("[conversation]", "conversation", &|key| {
        let body = format!(r#"{{"model":"x","messages":[{{"role":"user","content":"{key}"}}]}}"#);
        (CHAT.to_owned(), nobody(), body)
    });
}

#[test]
fn what_says_nothing_is_no_key() {
    let mesh = |uri: &str| Caller::default().with_mesh(MeshIdentity::parse(uri));
    let plain = || Caller::default();
    for (sources, path, caller, body) in [
        (
            "[{query: s}]",
            "/v1/chat/completions?s=",
            plain(),
            r#"{"model":"x"}"#,
        ),
        ("[{claim: sub}, mesh]", CHAT, plain(), r#"{"model":"x"}"#),
        (
            "[mesh]",
            CHAT,
            mesh("spiffe://cluster.local/other"),
            r#"{"model":"x"}"#,
        ),
        (
            "[{body: a.b}]",
            CHAT,
            plain(),
            r#"{"model":"x","a":{"b":null}}"#,
        ),
        (
            "[{body: a.b}]",
            CHAT,
            plain(),
            r#"{"model":"x","a":{"b":{"c":1}}}"#,
        ),
        (
            "[{body: a.b}, user]",
            CHAT,
            plain(),
            r#"{"model":"x","a":{"b":""},"user":""}"#,
        ),
        (
            "[conversation]",
            "/v1/embeddings",
            plain(),
            r#"{"model":"x","input":"text"}"#,
        ),
        ("[]", CHAT, plain(), r#"{"model":"x","user":"somebody"}"#),
    ] {
        let (_, source) = by(&sticking(sources), path, &caller, body);
        assert_eq!(source, None, "{sources} {body}");
    }
    // The first source has no key, so the next one counts.
    let body = r#"{"model":"x","safety_identifier":null,"user":"u"}"#;
    let document = sticking("[{header: x-none}, mesh, user]");
    let (_, source) = by(&document, CHAT, &plain(), body);
    assert_eq!(source.as_deref(), Some("user"));
}

/// The key is the same for one user in every API and spelling, and for one conversation in every turn.
#[test]
fn one_key_in_other_words() {
    let [by_user, by_conversation] = ["[user]", "[conversation]"].map(sticking);
    let order = |document: &Document, body: &str| by(document, CHAT, &Caller::default(), body).0;
    let users = [
        r#"{"model":"x","user":"ann"}"#,
        r#"{"model":"x","user":"\u0061nn"}"#,
        r#"{"model":"x","safety_identifier":"ann","user":"another"}"#,
        r#"{"model":"x","metadata":{"user_id":"ann"}}"#,
    ];
    let all: BTreeSet<String> = users.iter().map(|body| order(&by_user, body)).collect();
    assert_eq!(all.len(), 1);
    for number in 0..20 {
        let first = format!(
            r#"{{"role":"system","content":"Be brief."}},{{"role":"user","content":"question {number}"}}"#
        );
        let more =
            r#",{"role":"assistant","content":"An answer."},{"role":"user","content":"And then?"}"#;
        let turn = |messages: &str| format!(r#"{{"model":"x","messages":[{messages}]}}"#);
        let turns = [
            turn(&first),
            turn(&format!("{first}{more}")),
            turn(&format!("{first}{more}{more}")),
        ];
        let all: BTreeSet<String> = turns
            .iter()
            .map(|body| order(&by_conversation, body))
            .collect();
        assert_eq!(all.len(), 1);
    }
}
