//! Trials of streams that are held to the first token, the default of routes with several targets.

use std::time::Duration;

use serde_json::{Value, json};

use super::{RecoveredFault, falling_back, hear, is_mended, mended, only_the_first};
use crate::fleet::policy::{VirtualModel, at};
use crate::harness::stream::events;
use crate::harness::{Api, Case, Suite};

/// Failures before the first token. By default, a broken connection and a server error are retried once at the same
/// target.
const MENDED: [RecoveredFault; 11] = [
    mended("slow-token-8000", "late_first_token", 1),
    mended("empty-stream", "incomplete", 1),
    mended("end-0", "incomplete", 1),
    mended("stall-0", "incomplete", 1),
    mended("cut-0", "incomplete", 1),
    mended("reset-headers", "reset", 2),
    mended("close-headers", "reset", 2),
    mended("error-first", "server_error", 2),
    mended("error-first-rate_limit", "rate_limited", 1),
    mended("error-first-overloaded", "unavailable", 1),
    mended("error-first-auth", "unauthorized", 1),
];

/// Limits that expire while a trial waits.
fn fallback(fault: &str) -> Value {
    match fault {
        "slow-token-8000" => json!({"first_token_timeout_ms": 700}),
        "stall-0" => json!({"idle_timeout_ms": 700}),
        _ => json!({}),
    }
}

pub(super) fn add(suite: &mut Suite) {
    for mended in MENDED {
        let name = format!("streams::held::past_{}", mended.fault.replace('-', "_"));
        super::add_both(suite, &name, move |case, api| past(case, api, mended));
    }
    super::add_both(
        suite,
        "streams::held::an_error_that_is_the_callers_own_passes",
        the_callers_own_error,
    );
    super::add_both(
        suite,
        "streams::held::what_comes_before_the_first_token_goes_out_with_it",
        pings_are_held,
    );
    super::add_both(
        suite,
        "streams::held::reasoning_is_content",
        reasoning_is_content,
    );
    super::add_both(
        suite,
        "streams::held::tokens_are_not_delayed",
        tokens_are_not_delayed,
    );
    super::add_both(
        suite,
        "streams::held::a_clear_error_when_nothing_is_left",
        nothing_left,
    );
    super::add_both(
        suite,
        "streams::held::a_late_token_of_the_last_target_is_waited_for",
        late_at_last,
    );
}

pub(super) fn virtuals() -> Vec<VirtualModel> {
    let mut all = vec![];
    for RecoveredFault { fault, .. } in MENDED {
        all.extend(falling_back(
            &format!("held-{fault}"),
            fault,
            &fallback(fault),
        ));
    }
    for fault in [
        "error-first-invalid",
        "pings-10",
        "reasoning",
        "slow-words-200",
    ] {
        all.extend(falling_back(&format!("held-{fault}"), fault, &json!({})));
    }
    for api in Api::ALL {
        let both = |fault: &str| [at(super::first(api), fault), at(super::second(api), fault)];
        all.push(VirtualModel::new(
            &api.model("held-all-end-0"),
            both("end-0"),
        ));
        let late = json!({"first_token_timeout_ms": 500});
        all.push(
            VirtualModel::new(&api.model("held-all-late"), both("slow-token-1500")).fallback(late),
        );
    }
    all
}

async fn past(case: Case, api: Api, mended: RecoveredFault) {
    let heard = hear(&case, api, &format!("held-{}", mended.fault)).await;
    is_mended(&heard, api, mended).await;
    let attempts = heard.answer.attempts();
    let limit = match mended.fault {
        "slow-token-8000" | "stall-0" => 700,
        _ => 0,
    };
    let (first, next) = (&attempts[0].1.0, &attempts[mended.attempts].1.0);
    let gap = next.at - first.at;
    assert!(
        gap + Duration::from_millis(50) >= Duration::from_millis(limit)
            && gap < Duration::from_millis(limit + 2500),
        "the next target's turn came after {gap:?}"
    );
    if limit > 0 {
        assert!(first.answer.left().is_some(), "the late one is let go of");
    }
}

async fn the_callers_own_error(case: Case, api: Api) {
    let heard = hear(&case, api, "held-error-first-invalid").await;
    let seen = heard.answer.only_at(super::first(api));
    let expected = heard.what_says(super::first(api), &seen).await;
    heard.is_whole().says(&expected);
    assert!(heard.text().contains("invalid_request_error"));
}

async fn pings_are_held(case: Case, api: Api) {
    let heard = hear(&case, api, "held-pings-10").await;
    let expected = only_the_first(&heard, api).await;
    heard.is_whole().says(&expected);
    let first = String::from_utf8_lossy(&heard.pieces[0].1).into_owned();
    assert!(
        first.matches("ping\n").count() >= 10 && first.contains("Hello"),
        "the first piece is not what was held, with the first token: {first}"
    );
    // Ten pings and an opening precede the token, 20 ms apart.
    let waited = heard.begun - heard.asked;
    assert!(waited >= Duration::from_millis(200), "after {waited:?}");
}

async fn reasoning_is_content(case: Case, api: Api) {
    let heard = hear(&case, api, "held-reasoning").await;
    let expected = only_the_first(&heard, api).await;
    heard.is_whole().says(&expected);
    let first = String::from_utf8_lossy(&heard.pieces[0].1).into_owned();
    assert!(
        first.contains("Somebody ") && !first.contains("Hello"),
        "not released with the first thought: {first}"
    );
}

async fn tokens_are_not_delayed(case: Case, api: Api) {
    let heard = hear(&case, api, "held-slow-words-200").await;
    let expected = only_the_first(&heard, api).await;
    heard.is_whole().says(&expected);
    let seen = heard.answer.attempts().remove(0).1;
    let begun = seen.0.answer.begun().expect("it has begun");
    // The opening's events are 20 ms apart.
    let first = heard.pieces[0].0 - begun;
    assert!(
        first < Duration::from_millis(500),
        "the first after {first:?}"
    );
    let with_token = |piece: &Vec<u8>| events(&String::from_utf8_lossy(piece)).len() == 1;
    let singles = heard.pieces.iter().filter(|(_, piece)| with_token(piece));
    assert!(singles.count() >= 8, "tokens come one by one");
    // Events that the backend sends 200 ms apart may arrive closer together on a busy machine, but not all at once.
    let (first, last) = (heard.pieces[0].0, heard.ended);
    let pauses = events(&String::from_utf8_lossy(&expected))
        .len()
        .saturating_sub(8);
    let least = Duration::from_millis(200) * u32::try_from(pauses).expect("few");
    assert!(
        last - first >= least,
        "{pauses} pauses in {:?}",
        last - first
    );
}

async fn nothing_left(case: Case, api: Api) {
    let heard = hear(&case, api, "held-all-end-0").await;
    heard.is_whole();
    heard.answer.is_error(api, 502, "upstream_incomplete");
    heard
        .answer
        .went_to(&[super::first(api), super::second(api)]);
}

/// No other target is left, so the late answer is the best available.
async fn late_at_last(case: Case, api: Api) {
    let heard = hear(&case, api, "held-all-late").await;
    let (first, second) = (super::first(api), super::second(api));
    let seen = heard.answer.is(200).went_to(&[first, second]);
    let failure = format!("{first}=late_first_token");
    heard.answer.tells(Some(second), 2, &[&failure]);
    let expected = heard.what_says(second, &seen[1]).await;
    heard.is_whole().says(&expected);
}
