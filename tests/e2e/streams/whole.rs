//! Trials of answers that are not streamed, which are held until they are complete if there is another target.

use serde_json::{Value, json};

use super::{RecoveredFault, falling_back, mended, second};
use crate::fleet::policy::{VirtualModel, model};
use crate::harness::{Api, Case, Suite};

const MENDED: [RecoveredFault; 11] = [
    mended("cut-1", "incomplete", 1),
    mended("cut-length-1", "incomplete", 1),
    mended("reset-1", "incomplete", 1),
    mended("reset-headers", "reset", 2),
    mended("end-1", "incomplete", 1),
    mended("end-length-1", "incomplete", 1),
    mended("malformed-1", "incomplete", 1),
    mended("empty-body", "incomplete", 1),
    mended("stall-1", "incomplete", 1),
    mended("error-first", "server_error", 2),
    mended("error-first-overloaded", "unavailable", 1),
];

fn fallback(fault: &str) -> Value {
    match fault {
        "stall-1" => json!({"idle_timeout_ms": 700}),
        _ => json!({}),
    }
}

pub(super) fn add(suite: &mut Suite) {
    for mended in MENDED {
        let name = format!("streams::whole::past_{}", mended.fault.replace('-', "_"));
        super::add_both(suite, &name, move |case, api| past(case, api, mended));
    }
    super::add_both(
        suite,
        "streams::whole::without_its_length",
        without_its_length,
    );
}

pub(super) fn virtuals() -> Vec<VirtualModel> {
    let mut all = vec![];
    for RecoveredFault { fault, .. } in MENDED {
        all.extend(falling_back(
            &format!("whole-{fault}"),
            fault,
            &fallback(fault),
        ));
    }
    for fault in ["end-finished", "bytewise"] {
        all.extend(falling_back(&format!("whole-{fault}"), fault, &json!({})));
    }
    all
}

async fn past(case: Case, api: Api, mended: RecoveredFault) {
    let model = model(&case, &api.model(&format!("whole-{}", mended.fault)));
    let answer = case.ask(api, &model).send().await;
    mended.is_told(&answer, api);
    assert_eq!(answer.json()["demo"]["backend"], second(api));
}

/// A complete chunked answer is accepted like any other.
async fn without_its_length(case: Case, api: Api) {
    for fault in ["end-finished", "bytewise"] {
        let model = model(&case, &api.model(&format!("whole-{fault}")));
        let answer = case.ask(api, &model).send().await;
        answer.only_at(super::first(api));
        assert_eq!(answer.json()["demo"]["backend"], super::first(api));
    }
}
