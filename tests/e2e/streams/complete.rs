//! Trials of streams that are held until they are complete.

use std::time::Duration;

use serde_json::{Value, json};

use super::{RecoveredFault, alone, falling_back, hear, is_mended, mended, only_the_first};
use crate::fleet::policy::VirtualModel;
use crate::harness::stream::events;
use crate::harness::{Api, Case, Suite};

const MENDED: [RecoveredFault; 10] = [
    mended("cut-3", "incomplete", 1),
    mended("cut-length-3", "incomplete", 1),
    mended("reset-3", "incomplete", 1),
    mended("close-headers", "reset", 2),
    mended("end-3", "incomplete", 1),
    mended("end-length-3", "incomplete", 1),
    mended("stall-3", "incomplete", 1),
    mended("stall-finished", "incomplete", 1),
    mended("error-after-3", "server_error", 2),
    mended("error-first-overloaded", "unavailable", 1),
];

fn fallback(fault: &str) -> Value {
    match fault {
        "stall-3" | "stall-finished" => json!({"hold": "complete", "idle_timeout_ms": 700}),
        _ => json!({"hold": "complete"}),
    }
}

pub(super) fn add(suite: &mut Suite) {
    for mended in MENDED {
        let name = format!("streams::complete::past_{}", mended.fault.replace('-', "_"));
        super::add_both(suite, &name, move |case, api| past(case, api, mended));
    }
    super::add_both(
        suite,
        "streams::complete::a_finished_answer_without_its_last_event_is_one",
        without_the_last_event,
    );
    super::add_both(
        suite,
        "streams::complete::nothing_before_the_end",
        nothing_before_the_end,
    );
    super::add_both(
        suite,
        "streams::complete::what_is_larger_than_the_limit_streams",
        past_the_limit,
    );
    super::add_both(
        suite,
        "streams::complete::what_is_larger_than_the_default_limit_passes",
        past_the_default_limit,
    );
    super::add_both(
        suite,
        "streams::complete::what_broke_after_the_limit_does_not_look_whole",
        broken_past_the_limit,
    );
    super::add_both(
        suite,
        "streams::complete::a_clear_error_when_nothing_is_left",
        nothing_left,
    );
}

pub(super) fn virtuals() -> Vec<VirtualModel> {
    let mut all = vec![];
    for RecoveredFault { fault, .. } in MENDED {
        all.extend(falling_back(
            &format!("complete-{fault}"),
            fault,
            &fallback(fault),
        ));
    }
    for fault in ["end-finished", "slow-words-50", "large-1000"] {
        let fallback = json!({"hold": "complete"});
        all.extend(falling_back(&format!("complete-{fault}"), fault, &fallback));
    }
    let limited = json!({"hold": "complete", "hold_limit_bytes": 1024});
    for fault in ["slow-words-100", "end-12"] {
        all.extend(falling_back(&format!("limited-{fault}"), fault, &limited));
    }
    all.extend(alone(
        "complete-alone-end-3",
        "end-3",
        &json!({"hold": "complete"}),
    ));
    all
}

async fn past(case: Case, api: Api, mended: RecoveredFault) {
    let heard = hear(&case, api, &format!("complete-{}", mended.fault)).await;
    is_mended(&heard, api, mended).await;
}

async fn without_the_last_event(case: Case, api: Api) {
    let heard = hear(&case, api, "complete-end-finished").await;
    let expected = only_the_first(&heard, api).await;
    heard.is_whole().says(&expected);
}

async fn nothing_before_the_end(case: Case, api: Api) {
    let heard = hear(&case, api, "complete-slow-words-50").await;
    let expected = only_the_first(&heard, api).await;
    heard.is_whole().says(&expected);
    let seen = heard.answer.attempts().remove(0).1;
    let ended = seen.0.answer.ended().expect("it has ended");
    // The backend hands over the last byte a moment before it is sent.
    assert!(
        heard.begun + Duration::from_millis(5) >= ended,
        "the answer began {:?} before it was whole",
        ended - heard.begun
    );
}

async fn past_the_limit(case: Case, api: Api) {
    let heard = hear(&case, api, "limited-slow-words-100").await;
    let expected = only_the_first(&heard, api).await;
    heard.is_whole().says(&expected);
    let first = heard.pieces[0].1.len();
    assert!(first > 1024, "{first} bytes were held");
    let rest = events(&heard.text()).len() - events(&text(&heard.pieces[0].1)).len();
    // At least the last few tokens, 100 ms apart.
    assert!(rest >= 3, "{rest} events came after the release");
    let took = heard.ended - heard.begun;
    assert!(
        took >= Duration::from_millis(100),
        "the rest came within {took:?}"
    );
}

async fn past_the_default_limit(case: Case, api: Api) {
    let heard = hear(&case, api, "complete-large-1000").await;
    let expected = only_the_first(&heard, api).await;
    assert!(expected.len() > 1_000_000);
    heard.is_whole().says(&expected);
}

async fn broken_past_the_limit(case: Case, api: Api) {
    let heard = hear(&case, api, "limited-end-12").await;
    let expected = only_the_first(&heard, api).await;
    super::released::is_ended_by_our_error(&heard, api, &expected);
}

async fn nothing_left(case: Case, api: Api) {
    let heard = hear(&case, api, "complete-alone-end-3").await;
    heard.is_whole();
    heard.answer.is_error(api, 502, "upstream_incomplete");
    heard.answer.went_to(&[super::first(api)]);
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
