//! Tests of the page with several workers, with additions in any order, and with hostile names.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::config::{Document, PageAccess};
use crate::doc_tables;
use crate::health::{CooldownPolicy, EndedAttempt, FailureSeverity, Health, TargetKey};
use crate::schema::Usage;
use crate::telemetry::{AnswerEnd, AttemptSummary, Outcome};

#[path = "serving_tests.rs"]
mod serving_tests;

const NOW: u64 = 1_800_000_000_000;

const DOCUMENT: &str = "
backends:
- name: one
  schema: openai
  models:
  - {name: small, upstream_name: 'org/small'}
  - {name: '*'}
- name: two
  schema: anthropic
  models: [{name: claude-*}]
routes:
- {name: first, match: {model: small}, targets: [{backend: one}]}
- {name: second, match: {model: '*'}, targets: [{backend: one}, {backend: two}]}
";

fn document() -> Document {
    Document::of_yaml(DOCUMENT).unwrap()
}

fn attempt(backend: &str, model: &str, verdict: &'static str) -> AttemptSummary {
    AttemptSummary {
        backend: backend.to_owned(),
        model: model.to_owned(),
        verdict,
        ms: Some(100),
    }
}

/// Returns the outcome of a request that its second attempt answered.
fn outcome() -> Outcome {
    Outcome {
        route: Some("second".to_owned()),
        decision: "ordered",
        model: Some("small".to_owned()),
        attempts: vec![
            attempt("two", "claude-x", "server_error"),
            attempt("one", "org/small", "accepted"),
        ],
        status: 200,
        end: AnswerEnd::Complete,
        usage: Usage {
            input: Some(30),
            output: Some(12),
            ..Usage::default()
        },
        cost: Some(2_500_000_000),
        first_token_ms: Some(150),
        whole_ms: 900,
        ..Outcome::default()
    }
}

/// Returns the data of a worker that has seen these outcomes, one a second.
fn seen(outcomes: &[Outcome], seed: u64) -> Store {
    let document = document();
    let mut pending = PendingCounts::default();
    for (index, outcome) in outcomes.iter().enumerate() {
        let at = NOW + u64::try_from(index).unwrap() * 1_000;
        pending.record(&document, outcome, at);
    }
    let id = std::cell::Cell::new(seed);
    let mut store = pending.take(|| id.replace(id.get() + 1));
    assert!(pending.is_empty());
    store.since_ms = NOW - seed;
    store
}

fn shown(store: &Store, now: u64) -> Value {
    page_data(store, &document(), &Health::default(), now)
}

fn row<'a>(rows: &'a Value, field: &str, name: &str) -> &'a Value {
    let mut rows = rows.as_array().unwrap().iter();
    rows.find(|row| row[field] == name).unwrap()
}

#[test]
fn what_an_outcome_adds() {
    let refused = Outcome {
        status: 404,
        error: Some("model_not_found"),
        ..Outcome::default()
    };
    let store = seen(&[outcome(), refused], 1);
    let view = shown(&store, NOW + 2_000);
    let totals = &view["totals"];
    for (name, expected) in [
        ("requests", json!(2)),
        ("errors", json!(1)),
        ("fallbacks", json!(1)),
        ("answers", json!(1)),
        ("input_tokens", json!(30)),
        ("output_tokens", json!(12)),
        ("cost_usd", json!(0.0025)),
        ("unpriced", json!(0)),
        ("first_token_ms", json!(150)),
        ("whole_ms", json!(450)),
        ("in_flight", json!(0)),
    ] {
        assert_eq!(totals[name], expected, "{name}");
    }
    assert_eq!(totals["last_minute"]["requests"], 2);
    let routes = &view["routes"];
    assert_eq!(row(routes, "name", "first")["requests"], 0);
    assert_eq!(row(routes, "name", "second")["share"], 0.5);
    // Requests that no route took.
    let others = routes.as_array().unwrap().last().unwrap();
    assert_eq!(others["name"], Value::Null);
    assert_eq!(others["errors"], 1);
    // The upstream name leads to the model's own entry; a model without an entry leads to the pattern.
    let targets = &view["targets"];
    let small = row(targets, "model", "small");
    assert_eq!(small["answers"], 1);
    assert_eq!(small["share"], 1.0);
    assert_eq!(small["output_tokens"], 12);
    // The time to the first token began before this target's attempt.
    assert_eq!(small["first_token_ms"], Value::Null);
    assert_eq!(small["whole_ms"], 100);
    let claude = row(targets, "model", "claude-*");
    assert_eq!(claude["failures"], 1);
    assert_eq!(claude["answers"], 0);
    assert_eq!(claude["output_tokens"], 0);
    // The newest comes first.
    let decisions = view["decisions"].as_array().unwrap();
    assert_eq!(decisions[0]["error"], "model_not_found");
    assert_eq!(decisions[1]["attempts"][0]["verdict"], "server_error");
    assert_eq!(decisions[1]["cost_usd"], 0.0025);
}

/// The rows of targets count only attempts at model calls.
#[test]
fn what_passes_is_no_models() {
    let passed = Outcome {
        decision: "pass_through",
        model: None,
        attempts: vec![AttemptSummary {
            ms: None,
            ..attempt("two", "", "accepted")
        }],
        usage: Usage::default(),
        cost: None,
        first_token_ms: None,
        ..outcome()
    };
    let view = shown(&seen(&[passed], 1), NOW);
    assert_eq!(view["totals"]["requests"], 1);
    assert_eq!(view["totals"]["answers"], 1);
    assert_eq!(row(&view["routes"], "name", "second")["answers"], 1);
    for target in view["targets"].as_array().unwrap() {
        assert_eq!(target["attempts"], 0, "{target}");
        assert!(target["backend"].is_string(), "{target}");
    }
    let told = json!({"backend": "two", "model": null, "verdict": "accepted", "ms": null});
    assert_eq!(view["decisions"][0]["attempts"], json!([told]));
}

#[test]
fn a_cost_that_is_not_known_is_none() {
    let unpriced = Outcome {
        cost: None,
        ..outcome()
    };
    let view = shown(&seen(&[unpriced], 1), NOW);
    assert_eq!(view["totals"]["unpriced"], 1);
    assert_eq!(view["decisions"][0]["cost_usd"], Value::Null);
}

#[test]
fn a_caller_that_goes_away_is_no_error() {
    for (end, status, expected) in [
        (AnswerEnd::ClientGone, 0, 0),
        (AnswerEnd::ClientGone, 200, 0),
        (AnswerEnd::Cut, 200, 1),
        (AnswerEnd::Stalled, 200, 1),
        (AnswerEnd::NoTerminator, 200, 1),
        (AnswerEnd::InBandError, 200, 1),
        (AnswerEnd::None, 0, 1),
        (AnswerEnd::None, 404, 1),
        (AnswerEnd::Complete, 200, 0),
        (AnswerEnd::Complete, 429, 1),
    ] {
        let ended = Outcome {
            end,
            status,
            ..outcome()
        };
        let view = shown(&seen(&[ended], 1), NOW);
        assert_eq!(view["totals"]["errors"], expected, "{end:?} {status}");
    }
}

#[test]
fn the_last_ones_are_kept_and_the_slots_pass() {
    let many = vec![outcome(); 130];
    let mut store = seen(&many, 1);
    assert_eq!(store.decisions.len(), DECISIONS);
    store.add(seen(&many, 1_000));
    assert_eq!(store.decisions.len(), DECISIONS);
    let now = NOW + 129_000;
    let view = shown(&store, now);
    assert_eq!(view["totals"]["requests"], 260);
    // Two a second in the last minute, whose newest slot is not over.
    let minute = view["totals"]["last_minute"]["requests"].as_u64().unwrap();
    assert!((114..=120).contains(&minute), "{minute}");
    assert_eq!(
        view["series"]["requests"].as_array().unwrap().len(),
        usize::try_from(SLOTS).unwrap()
    );
    store.prune(now);
    assert_eq!(shown(&store, now)["series"], view["series"]);
    store.prune(now + SLOTS * SLOT_MS);
    let later = shown(&store, now + SLOTS * SLOT_MS);
    assert_eq!(later["totals"]["requests"], 260);
    assert_eq!(later["totals"]["last_minute"]["requests"], 0);
    assert!(store.encode().len() < 60_000, "{}", store.encode().len());
}

#[test]
fn what_a_worker_has_under_way_is_believed_for_a_while() {
    let statement = |worker, stated_ms, requests| Store {
        in_flight: vec![InFlight {
            worker,
            stated_ms,
            requests,
            attempts: vec![(TargetKey::new("one", "small").bits(), requests)],
        }],
        ..Store::default()
    };
    let mut store = statement(1, NOW, 3);
    store.add(statement(2, NOW + 100, 4));
    // One worker renews its statement, and an older one of it arrives late.
    store.add(statement(1, NOW + 200, 5));
    store.add(statement(1, NOW + 150, 9));
    let view = shown(&store, NOW + 200);
    assert_eq!(view["totals"]["in_flight"], 9);
    assert_eq!(row(&view["targets"], "model", "small")["in_flight"], 9);
    // The other worker is gone.
    store.add(statement(1, NOW + STATEMENT_TTL_MS + 150, 5));
    store.prune(NOW + STATEMENT_TTL_MS + 150);
    assert_eq!(store.in_flight.len(), 1);
    assert_eq!(store.in_flight[0].worker, 1);
}

#[test]
fn targets_tell_how_they_are() {
    let mut health = Health::default();
    let policy = CooldownPolicy::default();
    let ended = EndedAttempt {
        target: TargetKey::new("one", "small"),
        sent_ms: NOW,
        now_ms: NOW,
    };
    assert!(health.fail(ended, FailureSeverity::Immediate, &policy, 0));
    let at = |now| {
        let view = page_data(&Store::default(), &document(), &health, now);
        row(&view["targets"], "model", "small").clone()
    };
    let until = at(NOW + 1)["until_ms"].as_u64().unwrap();
    assert_eq!(at(NOW + 1)["state"], "cooling");
    assert!(until > NOW);
    assert_eq!(at(until)["state"], "due");
    let view = page_data(&Store::default(), &document(), &health, NOW + 1);
    assert_eq!(row(&view["targets"], "model", "*")["state"], "healthy");
}

#[test]
fn what_is_of_another_document_is_counted_as_others() {
    let elsewhere = Outcome {
        route: Some("was there once".to_owned()),
        attempts: vec![attempt("gone", "m", "accepted")],
        ..outcome()
    };
    let view = shown(&seen(&[outcome(), elsewhere], 1), NOW + 1_000);
    assert_eq!(view["totals"]["requests"], 2);
    for (rows, field) in [("routes", "name"), ("targets", "backend")] {
        let others = view[rows].as_array().unwrap().last().unwrap();
        assert_eq!(others[field], Value::Null);
        assert_eq!(others["output_tokens"], 12);
    }
}

/// Rows beyond the maximum are counted as others, and nothing is lost.
#[test]
fn rows_are_bounded() {
    let many: Vec<Outcome> = (0..5_000)
        .map(|number| Outcome {
            route: Some(format!("route {number}")),
            ..outcome()
        })
        .collect();
    let mut pending = PendingCounts::default();
    for outcome in &many {
        pending.record(&document(), outcome, NOW);
    }
    let mut store = pending.take(|| 1);
    store.prune(NOW);
    assert!(store.encode().len() < 400_000, "{}", store.encode().len());
    let view = shown(&store, NOW);
    assert_eq!(view["totals"]["requests"], 5_000);
    assert_eq!(view["totals"]["last_minute"]["requests"], 5_000);
}

fn arbitrary_outcome() -> impl Strategy<Value = Outcome> {
    let route = prop::option::of(prop::sample::select(vec!["first", "second", "gone"]));
    let tried = (
        prop::sample::select(vec![
            ("one", "org/small"),
            ("one", "x"),
            ("two", "claude-y"),
            ("no", "m"),
        ]),
        prop::sample::select(vec!["accepted", "server_error", "timeout"]),
    );
    let attempts = prop::collection::vec(tried, 0..4);
    let counts = (
        0_u64..1_000,
        prop::option::of(prop_oneof![0_u64..1 << 50, any::<u64>()]),
        0_u64..100_000,
    );
    (route, attempts, counts).prop_map(|(route, attempts, (tokens, cost, ms))| Outcome {
        route: route.map(str::to_owned),
        attempts: attempts
            .into_iter()
            .map(|((backend, model), verdict)| attempt(backend, model, verdict))
            .collect(),
        status: 200,
        usage: Usage {
            output: Some(tokens),
            ..Usage::default()
        },
        cost,
        whole_ms: ms,
        ..Outcome::default()
    })
}

proptest! {
    /// However outcomes are spread over workers, and in whatever order these add their data, everything is counted
    /// once.
    #[test]
    fn the_whole_does_not_depend_on_the_order(
        workers in prop::collection::vec(prop::collection::vec(arbitrary_outcome(), 0..30), 1..5),
        turn in 0_usize..5,
    ) {
        let stores: Vec<Store> = workers
            .iter()
            .zip([1_000, 2_000, 3_000, 4_000])
            .map(|(outcomes, seed)| seen(outcomes, seed))
            .collect();
        let mut one = Store::default();
        for store in &stores {
            one.add(store.clone());
        }
        let mut turned = stores.clone();
        turned.rotate_left(turn % stores.len());
        turned.reverse();
        // In pairs, and encoded and decoded.
        let mut other = Store::default();
        for pair in turned.chunks(2) {
            let mut both = Store::default();
            for store in pair {
                both.add(store.clone());
                both = Store::decode(&both.encode());
            }
            other.add(both);
        }
        prop_assert_eq!(&one, &other);
        let all: Vec<&Outcome> = workers.iter().take(stores.len()).flatten().collect();
        let whole = one.routes.total().total;
        prop_assert_eq!(whole.requests, u64::try_from(all.len()).unwrap());
        prop_assert_eq!(whole.whole_ms, all.iter().map(|one| one.whole_ms).sum::<u64>());
        let attempts: usize = all.iter().map(|one| one.attempts.len()).sum();
        prop_assert_eq!(one.targets.total().total.requests, u64::try_from(attempts).unwrap());
        let answered = |one: &&&Outcome| one.attempts.last().is_some_and(|last| last.verdict == "accepted");
        let cost: u128 = all.iter().filter(answered).filter_map(|one| one.cost.map(u128::from)).sum();
        prop_assert_eq!(whole.cost, cost);
        // Each answer belongs to one target, too.
        prop_assert_eq!(one.targets.total().total.cost, cost);
    }

    /// Bytes in another format decode to an empty store and cause no panic.
    #[test]
    fn any_bytes_decode_to_something(mut bytes in prop::collection::vec(any::<u8>(), 0..400), ours in any::<bool>()) {
        if ours && let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        let _ = Store::decode(&bytes);
        let mut cut = seen(&[outcome()], 1).encode();
        cut.truncate(bytes.len());
        prop_assert_eq!(Store::decode(&cut), Store::default());
    }
}

/// docs/page.md describes every field of the JSON, and its document loads.
#[test]
fn the_page_about_it_is_the_code() {
    let docs = include_str!("../../docs/page.md");
    let rows = doc_tables::rows(docs, "page").into_iter();
    let mut documented: Vec<&str> = rows.flat_map(|row| doc_tables::quoted(row[0])).collect();
    let view = shown(&Store::default(), NOW);
    let mut known: Vec<&str> = view
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    documented.sort_unstable();
    known.sort_unstable();
    assert_eq!(documented, known);
    let (_, example) = docs
        .split_once("<!-- example: page -->\n```yaml\n")
        .unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let page = Document::of_yaml(&format!("{DOCUMENT}{example}"))
        .unwrap()
        .page
        .unwrap();
    assert!(matches!(page.access, PageAccess::Secret { .. }));
    assert!(docs.contains(&format!("The last {DECISIONS} requests")));
}
