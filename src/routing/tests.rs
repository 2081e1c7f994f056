//! Tests of steering headers, of routing while targets are in cooldown, and of dry runs.

use std::cell::RefCell;

use serde_json::{Value, json};

use super::steering::RequestSteering;
use super::*;
use crate::attempt::{Moment, Plan};
use crate::config::{Document, Steering};
use crate::health::{
    CooldownPolicy, EndedAttempt, FailureSeverity, Health, HealthStore, TargetKey, TargetState,
};
use crate::request::{Caller, Headers};
use crate::schema::Answer;

const NOW: u64 = 1_750_000_000_000;

#[derive(Default)]
struct Store(RefCell<Health>);

impl HealthStore for Store {
    fn change(&self, change: &mut dyn FnMut(&mut Health) -> bool) {
        let mut health = self.0.borrow().clone();
        if change(&mut health) {
            *self.0.borrow_mut() = health;
        }
    }
}

impl Store {
    /// Returns a store in which targets are in cooldown from `since` on, for at least this long.
    fn cooling(targets: &[(&str, &str, u64, u64)]) -> Store {
        let store = Store::default();
        for (backend, model, since, for_ms) in targets {
            let ended = EndedAttempt {
                target: TargetKey::new(backend, model),
                sent_ms: *since,
                now_ms: *since,
            };
            let severity = FailureSeverity::Until(since + for_ms);
            let policy = CooldownPolicy::default();
            store.change(&mut |health| health.fail(ended, severity, &policy, 0));
        }
        store
    }

    fn state(&self, backend: &str, model: &str) -> TargetState {
        let key = TargetKey::new(backend, model);
        self.0.borrow().state(key, NOW, &CooldownPolicy::default())
    }
}

fn document(defaults: &str) -> Document {
    let json = format!(
        r#"{{
        "backends": [
            {{"name": "a", "cluster": "at-a", "schema": "openai", "models": [{{"name": "m"}}, {{"name": "n"}}]}},
            {{"name": "b", "schema": "openai", "models": [{{"name": "m", "upstream_name": "big m"}}, {{"name": "n"}}]}},
            {{"name": "c", "schema": "openai", "models": [{{"name": "*"}}]}},
            {{"name": "d", "schema": "anthropic", "models": [{{"name": "claude"}}]}}
        ],
        "routes": [
            {{"name": "one", "match": {{"model": "one"}}, "targets": [{{"backend": "a", "model": "m"}}]}},
            {{"name": "several", "match": {{"model": "*"}}, "stored_at": "a", "targets": [
                {{"backend": "a", "model": "m"}}, {{"backend": "b", "model": "m"}}, {{"backend": "b", "model": "n"}},
                {{"backend": "a", "model": "n"}}, {{"backend": "c"}}, {{"backend": "d", "model": "claude"}}
            ]}}
        ],
        "defaults": {{"allow_request_headers": ["no_fallback", "deadline", "dry_run"]{defaults}}}
    }}"#
    );
    Document::load(json.as_bytes()).unwrap()
}

fn headers(more: &[(&str, &str)]) -> Headers {
    let of_path = [(":path", "/v1/chat/completions"), (":method", "POST")];
    let all = of_path.iter().chain(more);
    Headers::new(
        all.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect(),
    )
}

/// Routes a request and passes the result to `then`.
fn route<T>(
    document: &Document,
    more: &[(&str, &str)],
    body: &str,
    store: &Store,
    then: impl FnOnce(Result<RoutedRequest<'_>, Answer>) -> T,
) -> T {
    let moment = Moment {
        now: NOW,
        random: 0,
        health: store,
    };
    let arrival = receive_headers(document, headers(more), Caller::default(), || moment);
    let AfterHeaders::AwaitBody(pending) = arrival else {
        panic!("the request is a chat completion");
    };
    then(pending.route(document, body.as_bytes(), moment))
}

const DRY: (&str, &str) = ("x-llm-router-dry-run", "true");

fn dry_run(document: &Document, body: &str, store: &Store) -> Value {
    route(document, &[DRY], body, store, |routed| {
        let answer = routed.unwrap_err();
        assert_eq!(answer.status, 200);
        serde_json::from_slice(&answer.body).unwrap()
    })
}

/// Formats the targets of a plan; `!` marks a target in cooldown.
fn plan_of(decision: &Value) -> String {
    let plan = decision["plan"].as_array().unwrap().iter();
    let names = plan.map(|target| {
        let is_cooling = target["cooling"].as_bool().unwrap();
        let mark = if is_cooling { "!" } else { "" };
        let part = |name: &str| target[name].as_str().unwrap().to_owned();
        format!("{}/{}{mark}", part("backend"), part("model"))
    });
    names.collect::<Vec<_>>().join(", ")
}

fn left_out_of(decision: &Value) -> String {
    let left_out = decision["left_out"].as_array().unwrap().iter();
    let names = left_out.map(|target| {
        let part = |name: &str| target[name].as_str().unwrap_or("-").to_owned();
        format!("{}/{} {}", part("backend"), part("model"), part("reason"))
    });
    names.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_dry_run_is_the_decision() {
    let decision = dry_run(
        &document(""),
        r#"{"model":"one","stream":true}"#,
        &Store::default(),
    );
    assert_eq!(
        decision,
        json!({
            "object": "llm_router.decision",
            "request": {"model": "one", "stream": true},
            "route": "one",
            "plan": [{"backend": "a", "model": "m", "cluster": "at-a", "cooling": false}],
            "left_out": [],
            "choice": "ordered",
        })
    );
    let decision = dry_run(&document(""), r#"{"model":"x"}"#, &Store::default());
    assert_eq!(plan_of(&decision), "a/m, b/big m, b/n, a/n, c/x");
    assert_eq!(left_out_of(&decision), "d/claude schema_mismatch");
}

#[test]
fn a_dry_run_takes_no_lease() {
    let store = Store::cooling(&[("a", "m", NOW - 2_000, 1_500)]);
    assert_eq!(store.state("a", "m"), TargetState::Due);
    let before = store.0.borrow().clone();
    let decision = dry_run(&document(""), r#"{"model":"x"}"#, &store);
    assert_eq!(plan_of(&decision), "a/m, b/big m, b/n, a/n, c/x");
    assert_eq!(*store.0.borrow(), before);
}

#[test]
fn what_goes_nowhere_is_an_error_in_a_dry_run_too() {
    for (body, status) in [("{", 400), ("{}", 400), (r#"{"model":"one"}"#, 200)] {
        let answer = route(&document(""), &[DRY], body, &Store::default(), |routed| {
            routed.unwrap_err().status
        });
        assert_eq!(answer, status, "{body}");
    }
}

#[test]
fn what_is_left_alone_comes_last() {
    for (cooling, expected) in [
        (vec![("a", "m", 5_000)], "b/big m, a/m!, b/n, a/n, c/x"),
        (
            vec![("a", "m", 5_000), ("b", "m", 5_000)],
            "b/n, a/m!, b/big m!, a/n, c/x",
        ),
        // If the first target is healthy, the others are skipped only when their turn comes.
        (vec![("b", "m", 5_000)], "a/m, b/big m!, b/n, a/n, c/x"),
        (
            vec![
                ("a", "m", 5_000),
                ("b", "m", 4_000),
                ("b", "n", 3_000),
                ("a", "n", 6_000),
                ("c", "*", 7_000),
            ],
            "b/n!, a/m!, b/big m!, a/n!, c/x!",
        ),
    ] {
        let cooling: Vec<_> = cooling
            .iter()
            .map(|(backend, model, for_ms)| (*backend, *model, NOW, *for_ms))
            .collect();
        let store = Store::cooling(&cooling);
        let body = r#"{"model":"x"}"#;
        assert_eq!(plan_of(&dry_run(&document(""), body, &store)), expected);
        let first = if expected.starts_with('a') {
            "at-a"
        } else {
            "b"
        };
        route(&document(""), &[], body, &store, |routed| {
            assert_eq!(routed.unwrap().cluster, first);
        });
        // With cooldowns off.
        let off = document(r#", "cooldown": {"enabled": false}"#);
        assert!(plan_of(&dry_run(&off, body, &store)).starts_with("a/m, b/big m,"));
    }
}

#[test]
fn a_dry_run_passes_nothing() {
    let document = r#"{
        "backends": [{"name": "a", "cluster": "at-a", "schema": "openai", "models": [{"name": "m"}]}],
        "routes": [{"name": "files", "match": {"path": "/v1/files*"}, "pass_through": true, "targets": [{"backend": "a"}]}],
        "defaults": {"allow_request_headers": ["dry_run"]}
    }"#;
    let document = Document::load(document.as_bytes()).unwrap();
    let store = Store::default();
    let moment = Moment {
        now: NOW,
        random: 0,
        health: &store,
    };
    let ask = |value: &str| {
        let all = [
            (":path", "/v1/files/x"),
            (":method", "DELETE"),
            (DRY.0, value),
        ];
        let all = all.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        match receive_headers(
            &document,
            Headers::new(all.to_vec()),
            Caller::default(),
            || moment,
        ) {
            AfterHeaders::Answer(answer) => {
                Some((answer.status, serde_json::from_slice(&answer.body).unwrap()))
            }
            AfterHeaders::PassThrough(_) => None,
            AfterHeaders::AwaitBody(_) => panic!("it is no call"),
        }
    };
    let decision: Value = json!({
        "object": "llm_router.decision",
        "request": {},
        "route": "files",
        "plan": [{"backend": "a", "cluster": "at-a"}],
        "left_out": [],
    });
    assert_eq!(ask("true"), Some((200, decision)));
    assert_eq!(ask("false"), None);
    let (status, error) = ask("perhaps").unwrap();
    assert_eq!(
        (status, &error["error"]["code"]),
        (400, &json!("invalid_router_header"))
    );
}

#[test]
fn one_request_alone_tries_what_is_due() {
    let document = document("");
    let store = Store::cooling(&[("a", "m", NOW - 2_000, 1_500)]);
    let cluster = || {
        route(&document, &[], r#"{"model":"x"}"#, &store, |routed| {
            let routed = routed.unwrap();
            let plan = Plan::decode(&routed.plan).unwrap();
            assert_eq!(plan.cluster(), routed.cluster);
            routed.cluster
        })
    };
    assert_eq!(cluster(), "at-a");
    assert!(matches!(store.state("a", "m"), TargetState::Probing { .. }));
    assert_eq!(cluster(), "b");
    assert_eq!(cluster(), "b");
}

#[test]
fn an_only_target_is_tried_however_it_is() {
    let store = Store::cooling(&[("a", "m", NOW, 50_000)]);
    route(&document(""), &[], r#"{"model":"one"}"#, &store, |routed| {
        let routed = routed.unwrap();
        assert_eq!(routed.cluster, "at-a");
        assert_eq!(routed.max_retries, 2);
    });
}

#[test]
fn a_tied_request_keeps_to_one_backend() {
    let body = r#"{"model":"x","previous_response_id":"resp_1"}"#;
    let decision = dry_run(&document(""), body, &Store::default());
    assert_eq!(plan_of(&decision), "a/m, a/n");
    assert_eq!(
        left_out_of(&decision),
        "d/claude schema_mismatch, b/m tied, b/n tied, c/- tied"
    );
    // Whatever its health.
    let store = Store::cooling(&[("a", "m", NOW, 5_000), ("a", "n", NOW, 9_000)]);
    let decision = dry_run(&document(""), body, &store);
    assert_eq!(plan_of(&decision), "a/m!, a/n!");
    let store = Store::cooling(&[("a", "m", NOW, 5_000)]);
    let decision = dry_run(&document(""), body, &store);
    assert_eq!(plan_of(&decision), "a/n, a/m!");
    route(&document(""), &[], body, &Store::default(), |routed| {
        let routed = routed.unwrap();
        // Two targets, and two further attempts.
        assert_eq!(routed.max_retries, 3);
        assert_eq!(routed.left_out.len(), 4);
    });
}

#[test]
fn limits_that_callers_set() {
    const NONE: (&str, &str) = ("x-llm-router-no-fallback", "true");
    for (header, max_retries, deadline_ms) in [
        (("x-other", "1"), 6, 600_000),
        (NONE, 0, 600_000),
        (("x-llm-router-no-fallback", "false"), 6, 600_000),
        (("x-llm-router-deadline-ms", "1500"), 6, 1_500),
        (("x-llm-router-deadline-ms", "4294967295"), 6, 600_000),
    ] {
        let store = Store::default();
        route(
            &document(""),
            &[header],
            r#"{"model":"x"}"#,
            &store,
            |routed| {
                let routed = routed.unwrap();
                assert_eq!(routed.max_retries, max_retries, "{header:?}");
                assert_eq!(routed.deadline_at, NOW + deadline_ms, "{header:?}");
                // They are the router's own headers and are not forwarded.
                let ours = header.0.starts_with("x-llm-router-");
                assert_eq!(routed.remove_headers.len(), usize::from(ours));
            },
        );
    }
    for (name, value) in [
        ("x-llm-router-no-fallback", "yes"),
        ("x-llm-router-dry-run", ""),
        ("x-llm-router-deadline-ms", "soon"),
    ] {
        let store = Store::default();
        route(&document(""), &[(name, value)], "{", &store, |routed| {
            let answer = routed.unwrap_err();
            assert_eq!(answer.status, 400);
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(body["error"]["code"], "invalid_router_header");
        });
    }
}

#[test]
fn asked_and_allowed() {
    const ALL: Steering = Steering {
        no_fallback: true,
        deadline: true,
        dry_run: true,
    };
    let read = |allowed, name: &str, value: &str| {
        RequestSteering::read(allowed, &headers(&[(name, value)]))
    };
    let nothing = RequestSteering::default();
    let [no_fallback, deadline, dry_run] = [
        "x-llm-router-no-fallback",
        "x-llm-router-deadline-ms",
        "x-llm-router-dry-run",
    ];
    assert_eq!(RequestSteering::read(ALL, &headers(&[])), Ok(nothing));
    let steering = RequestSteering {
        no_fallback: true,
        ..nothing
    };
    assert_eq!(read(ALL, no_fallback, "true"), Ok(steering));
    let steering = RequestSteering {
        dry_run: true,
        ..nothing
    };
    assert_eq!(read(ALL, dry_run, "true"), Ok(steering));
    assert_eq!(read(ALL, dry_run, "false"), Ok(nothing));
    for (value, deadline_ms) in [("1", 1), ("30000", 30_000), ("4294967295", u32::MAX)] {
        let steering = RequestSteering {
            deadline_ms: Some(deadline_ms),
            ..nothing
        };
        assert_eq!(read(ALL, deadline, value), Ok(steering));
    }
    for (name, values) in [
        (no_fallback, ["1", "TRUE", "", "\u{e9}", "true "]),
        (dry_run, ["0", "False", "", "yes", "true,true"]),
        (deadline, ["0", "-1", "1.5", "", "4294967296"]),
    ] {
        for value in values {
            let message = read(ALL, name, value).unwrap_err();
            assert!(
                message.starts_with(&format!("The header {name} must be ")),
                "{message}"
            );
            // A header that is not allowed is not even parsed.
            assert_eq!(read(Steering::default(), name, value), Ok(nothing));
        }
        assert_eq!(read(Steering::default(), name, "true"), Ok(nothing));
    }
    let bytes = vec![(deadline.to_owned(), vec![0xff])];
    assert!(RequestSteering::read(ALL, &Headers::new(bytes)).is_err());
}
