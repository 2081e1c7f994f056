//! Tests of models with the same upstream name, of repeated attempts at one target, and of the size of thousands of
//! rows.

use super::*;
use crate::config::Document;
use crate::health::{CooldownPolicy, EndedAttempt, FailureSeverity, Health, TargetKey};
use crate::schema::Usage;
use crate::telemetry::{AnswerEnd, AttemptSummary, Outcome};

const NOW: u64 = 1_800_000_000_000;

const DOCUMENT: &str = "
backends:
- name: one
  schema: openai
  models:
  - {name: twin-a, upstream_name: twin}
  - {name: alone}
  - {name: twin-b, upstream_name: twin}
  - {name: twin}
  - {name: '*'}
routes:
- {name: all, match: {model: '*'}, targets: [{backend: one}]}
";

fn document() -> Document {
    Document::of_yaml(DOCUMENT).unwrap()
}

fn outcome(attempts: &[(&str, &'static str)]) -> Outcome {
    let attempts = attempts.iter().map(|(model, verdict)| AttemptSummary {
        backend: "one".to_owned(),
        model: (*model).to_owned(),
        verdict,
        ms: Some(10),
    });
    Outcome {
        route: Some("all".to_owned()),
        decision: "ordered",
        attempts: attempts.collect(),
        status: 200,
        end: AnswerEnd::Complete,
        usage: Usage {
            output: Some(5),
            ..Usage::default()
        },
        ..Outcome::default()
    }
}

fn seen(outcomes: &[Outcome]) -> Store {
    let document = document();
    let mut pending = PendingCounts::default();
    for outcome in outcomes {
        pending.record(&document, outcome, NOW);
    }
    pending.take(|| 1)
}

/// Requests to either model are in one row, whose health is the worse of the two.
#[test]
fn models_with_one_name_at_their_backend_are_one_target() {
    let mut store = seen(&[
        outcome(&[("twin", "accepted")]),
        outcome(&[("alone", "accepted")]),
        outcome(&[("else", "accepted")]),
    ]);
    let (second, third) = (
        TargetKey::new("one", "twin-b"),
        TargetKey::new("one", "twin"),
    );
    store.in_flight = vec![InFlight {
        worker: 1,
        stated_ms: NOW,
        requests: 3,
        attempts: vec![(second.bits(), 2), (third.bits(), 1)],
    }];
    let mut health = Health::default();
    let ended = EndedAttempt {
        target: second,
        sent_ms: NOW,
        now_ms: NOW,
    };
    assert!(health.fail(
        ended,
        FailureSeverity::Immediate,
        &CooldownPolicy::default(),
        0
    ));
    let view = page_data(&store, &document(), &health, NOW + 1);
    let told: Vec<_> = view["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let name = row["model"].as_str().unwrap();
            let state = row["state"].as_str().unwrap();
            (
                name,
                state,
                row["attempts"].as_u64(),
                row["in_flight"].as_u64(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("twin-a, twin-b, twin", "cooling", Some(1), Some(3)),
            ("alone", "healthy", Some(1), Some(0)),
            ("*", "healthy", Some(1), Some(0)),
        ]
    );
}

/// Counted as in the metrics: not a second attempt at the same target, nor one after an attempt that did not fail.
#[test]
fn fallbacks_are_attempts_elsewhere() {
    for (attempts, expected) in [
        (&[("alone", "accepted")][..], 0),
        (&[("alone", "server_error"), ("alone", "accepted")], 0),
        (&[("alone", "server_error"), ("twin", "accepted")], 1),
        (&[("alone", "abandoned"), ("twin", "abandoned")], 0),
        (
            &[
                ("alone", "timeout"),
                ("alone", "timeout"),
                ("twin", "reset"),
                ("else", "accepted"),
            ],
            2,
        ),
    ] {
        let view = page_data(
            &seen(&[outcome(attempts)]),
            &document(),
            &Health::default(),
            NOW,
        );
        assert_eq!(view["totals"]["fallbacks"], expected, "{attempts:?}");
        assert_eq!(view["decisions"][0]["fallbacks"], expected, "{attempts:?}");
        assert_eq!(view["routes"][0]["fallbacks"], expected, "{attempts:?}");
    }
}

/// Every worker reads and writes all rows twice a second, so the recent counts of each row must be small.
#[test]
fn thousands_of_rows_are_small() {
    let mut store = Store::default();
    let many: u64 = 2_000;
    let document = document();
    for slot in 0..SLOTS {
        let mut pending = PendingCounts::default();
        for number in 0..many {
            let outcome = Outcome {
                route: Some(format!("route {number}")),
                ..outcome(&[("alone", "accepted")])
            };
            pending.record(&document, &outcome, NOW + slot * SLOT_MS);
        }
        store.add(pending.take(|| slot));
    }
    store.decisions.clear();
    let bytes = store.encode();
    assert_eq!(Store::decode(&bytes), store);
    let of_each = u64::try_from(bytes.len()).unwrap() / many;
    assert!(of_each < 8 + 40 + 2 * SLOTS, "{of_each}");
}
