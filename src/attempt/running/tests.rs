//! Scenarios of attempts: what a backend does, what Envoy is told, and what the client gets.

use super::held::ERROR_LIMIT;
use super::*;
use crate::attempt::test_plans::{NOW, plan};
use crate::attempt::{CooldownEffect, FailureAction, FailureRule, Refusal};
use crate::schema::ErrorCode;

#[path = "bounds_tests.rs"]
mod bounds;
#[path = "ends_tests.rs"]
mod ends;
#[path = "exchange_tests.rs"]
mod exchange;
#[path = "observer_tests.rs"]
mod observer;
#[path = "stream_tests.rs"]
mod streams;
#[path = "time_tests.rs"]
mod time;

use exchange::{
    After, Done, Exchange, Head, Headers, JSON, NoConnection, Only, Piece, SSE, Trailers, last,
    piece,
};

const CONTEXT: &str = r#"{"error":{"message":"x","code":"context_length_exceeded"}}"#;
const FILTERED: &str = r#"{"error":{"message":"x","code":"content_filter"}}"#;

#[test]
fn an_errors_status_and_body() {
    const SOON: Headers = &[("retry-after-ms", "300")];
    const LATER: Headers = &[("retry-after", "20")];
    const GZIP: Headers = &[("content-encoding", "gzip")];
    for (targets, events, expected, health) in [
        ("a b", vec![Only(429, &[])], "retry b", "cooling 800"),
        ("a b", vec![Head(429, SOON)], "wait a", "well"),
        ("a b", vec![Head(429, LATER)], "retry b", "cooling 20000"),
        ("a b", vec![Head(500, SOON)], "retry a", "counted"),
        ("a b", vec![Head(502, &[])], "retry a", "counted"),
        ("a b", vec![Head(503, &[])], "retry b", "counted"),
        ("a b", vec![Head(529, LATER)], "retry b", "cooling 20000"),
        ("a b", vec![Head(401, &[])], "retry b", "cooling 800"),
        ("a b", vec![Only(403, &[])], "retry b", "cooling 800"),
        ("a b", vec![Only(400, &[])], "pass", "well"),
        (
            "a b",
            vec![Head(404, JSON), last("{}")],
            "hold; pass",
            "well",
        ),
        (
            "a b",
            vec![Head(404, JSON), piece("{}"), Trailers],
            "hold; hold; pass",
            "well",
        ),
        (
            "a:8 b:9",
            vec![Head(400, JSON), piece("{"), last(&CONTEXT[1..])],
            "hold; hold; retry b",
            "well",
        ),
        (
            "a:8 b:9",
            vec![Head(400, JSON), piece(CONTEXT), Trailers],
            "hold; hold; retry b",
            "well",
        ),
        (
            "a:8 b:8",
            vec![Head(400, JSON), last(CONTEXT)],
            "hold; pass",
            "well",
        ),
        ("a:8 b:9", vec![Head(400, GZIP)], "pass", "well"),
        (
            "a b",
            vec![Head(403, JSON), last("{}")],
            "hold; retry b",
            "cooling 800",
        ),
        // A moderated prompt does not count against the key, whether or not another attempt can follow.
        (
            "a b",
            vec![Head(403, JSON), last(FILTERED)],
            "hold; pass",
            "well",
        ),
        (
            "a",
            vec![Head(403, JSON), last(FILTERED)],
            "hold; pass",
            "well",
        ),
        (
            "a",
            vec![Head(400, JSON), last(CONTEXT)],
            "pass; pass",
            "well",
        ),
        (
            "a",
            vec![Head(503, JSON), last("x")],
            "pass; pass",
            "counted",
        ),
        // The answer broke off or stalled before the error's body was there.
        (
            "a b",
            vec![Head(400, JSON), piece("{"), Done],
            "hold; hold; left a",
            "well",
        ),
        (
            "a b",
            vec![Head(400, JSON), piece("{"), After(300_000)],
            "hold; hold; retry b",
            "counted",
        ),
        ("a b", vec![Head(302, &[]), last("x")], "pass; pass", "well"),
    ] {
        let mut exchange = Exchange::new(plan(targets));
        assert_eq!(exchange.play(&events), expected, "{targets} {events:?}");
        assert_eq!(exchange.health(0), health, "{targets} {events:?}");
        if expected.ends_with("pass") && events.len() > 1 {
            assert!(!exchange.client.is_empty());
        }
    }
    let mut exchange = Exchange::new(plan("a b"));
    let long = "x".repeat(ERROR_LIMIT);
    let events = [Head(400, JSON), piece(&long), piece("x"), piece("x")];
    assert_eq!(exchange.play(&events), "hold; hold; pass; pass");
    assert_eq!(exchange.running.take_failure(), Some(Failure::Rejected));
    assert_eq!(exchange.running.take_failure(), None);
}

#[test]
fn the_callers_own_key_says_nothing_about_the_target() {
    for events in [
        vec![Head(401, &[])],
        vec![Head(403, JSON), last("{}")],
        vec![
            Head(200, JSON),
            last(r#"{"error":{"code":"invalid_api_key"}}"#),
        ],
    ] {
        let mut own = plan("a b");
        own.targets[0].uses_caller_key = true;
        let mut exchange = Exchange::new(own);
        assert!(exchange.play(&events).ends_with("pass"), "{events:?}");
        assert_eq!(exchange.health(0), "well");
        assert_eq!(exchange.running.take_failure(), Some(Failure::Rejected));
    }
}

#[test]
fn a_wait_is_held_to_its_end() {
    const SOON: Headers = &[("retry-after-ms", "300")];
    let mut exchange = Exchange::new(plan("a b"));
    let events = [Head(429, SOON), piece("slow"), last("down"), Trailers];
    assert_eq!(exchange.play(&events), "wait a; hold; hold; hold");
    assert_eq!(exchange.running.due_at(), Some(NOW + 300));
    assert!(!exchange.running.may_end_unanswered());
    assert_eq!(exchange.play(&[After(299), After(1)]), "hold; retry a");
    assert_eq!(exchange.play(&[After(1), Done]), "hold; nothing");
    assert_eq!(exchange.next(), Ok(()));
    assert_eq!(exchange.play(&[Head(429, SOON)]), "retry b");
    assert_eq!(exchange.client, "");
}

#[test]
fn without_an_answer() {
    const LIMIT: u64 = 120_000;
    for (events, expected, code) in [
        (vec![NoConnection], "left a", ErrorCode::UpstreamUnreachable),
        (vec![Done], "left a", ErrorCode::UpstreamReset),
        (
            vec![After(LIMIT - 21), Done],
            "hold; left a",
            ErrorCode::UpstreamReset,
        ),
        (
            vec![After(LIMIT - 20), Done],
            "hold; left b",
            ErrorCode::UpstreamTimeout,
        ),
        (
            vec![Head(200, SSE), Done],
            "hold; left a",
            ErrorCode::UpstreamReset,
        ),
        (
            vec![Head(200, JSON), piece("{"), Done],
            "hold; hold; left b",
            ErrorCode::UpstreamIncomplete,
        ),
        // Envoy's timer ended the attempt, not the first-token limit: the backend was silent.
        (
            vec![Head(200, SSE), After(LIMIT), Done],
            "hold; hold; left b",
            ErrorCode::UpstreamTimeout,
        ),
        (
            vec![Head(200, JSON), After(LIMIT), Done],
            "hold; hold; left b",
            ErrorCode::UpstreamTimeout,
        ),
    ] {
        let mut exchange = Exchange::new(plan("a b"));
        assert!(exchange.running.may_end_unanswered());
        assert_eq!(exchange.play(&events), expected, "{events:?}");
        // The client may have ended the attempt; the next attempt shows that it did not.
        assert_eq!(exchange.health(0), "well");
        assert_eq!(exchange.next(), Ok(()));
        assert_eq!(exchange.health(0), "counted");

        // No attempt can follow. If Envoy starts one anyway, it is refused.
        let mut alone = Exchange::with("a b", |policy| policy.max_attempts = 1);
        assert!(alone.play(&events).ends_with("left -"));
        let refusal = alone.next().unwrap_err();
        assert_eq!(refusal.code(), code, "{events:?}");
        assert_eq!(alone.health(0), "counted");
    }
    let mut exchange = Exchange::with("a b", |policy| policy.first_token_timeout_ms = 900);
    assert_eq!(
        exchange.play(&[Head(200, SSE), Piece(String::new())]),
        "hold; hold"
    );
    assert_eq!(exchange.running.due_at(), Some(NOW + 900));
    exchange.now += 890;
    assert_eq!(exchange.play(&[Done]), "left b");
    let plan = Plan::decode(&exchange.next_attempt.unwrap().plan).unwrap();
    assert_eq!(plan.failed[0].failure, Failure::LateFirstToken);
}

#[test]
fn an_attempt_that_comes_too_late_refuses_itself() {
    for (late, expected) in [(599_999, Ok(())), (600_000, Err(Refusal::DeadlineExceeded))] {
        let mut exchange = Exchange::new(plan("a b"));
        assert_eq!(exchange.play(&[Done]), "left a");
        exchange.now = NOW + late;
        assert_eq!(exchange.next(), expected);
        // The backend is at fault in any case.
        assert_eq!(exchange.health(0), "counted");
    }
    assert_eq!(Refusal::DeadlineExceeded.code().status(), 504);
}

#[test]
fn a_whole_answer() {
    let error = r#"{"error":{"message":"x","type":"overloaded_error"}}"#;
    let answer = r#"{"choices":[{"message":{"content":"hi"}}]}"#;
    const GZIP_JSON: Headers = &[("content-encoding", "gzip"), JSON[0]];
    const GZIP_SSE: Headers = &[("content-encoding", "gzip"), SSE[0]];
    let long = "x".repeat(1_100);
    for (hold, events, expected, failure) in [
        (
            Hold::None,
            vec![Head(200, JSON), last(error)],
            "pass; pass",
            None,
        ),
        (
            Hold::FirstToken,
            vec![Head(200, JSON), last(answer)],
            "hold; pass",
            None,
        ),
        (
            Hold::FirstToken,
            vec![Head(200, JSON), piece(answer), Trailers],
            "hold; hold; pass",
            None,
        ),
        (
            Hold::FirstToken,
            vec![Head(200, JSON), last(error)],
            "hold; retry b",
            Some(Failure::Unavailable),
        ),
        (
            Hold::Complete,
            vec![Head(200, JSON), piece(error), Trailers],
            "hold; hold; retry b",
            Some(Failure::Unavailable),
        ),
        (
            Hold::FirstToken,
            vec![Head(200, JSON), last(&answer[..9])],
            "hold; retry b",
            Some(Failure::Incomplete),
        ),
        (
            Hold::FirstToken,
            vec![Only(200, JSON)],
            "retry b",
            Some(Failure::Incomplete),
        ),
        (
            Hold::Complete,
            vec![Only(200, &[])],
            "retry b",
            Some(Failure::Incomplete),
        ),
        (Hold::Complete, vec![Only(204, JSON)], "pass", None),
        (
            Hold::FirstToken,
            vec![Head(200, JSON), After(300_000)],
            "hold; retry b",
            Some(Failure::Incomplete),
        ),
        // Past the limit, the answer is released.
        (
            Hold::Complete,
            vec![Head(200, JSON), piece(&long), last("")],
            "hold; pass; pass",
            None,
        ),
        // Answers that cannot be read.
        (Hold::FirstToken, vec![Head(200, GZIP_JSON)], "pass", None),
        (
            Hold::Complete,
            vec![Head(200, GZIP_SSE), piece("x"), last("y")],
            "hold; hold; pass",
            None,
        ),
        (
            Hold::Complete,
            vec![Head(200, &[]), piece(&long)],
            "hold; pass",
            None,
        ),
        (
            Hold::FirstToken,
            vec![Head(200, &[]), piece("x")],
            "pass; pass",
            None,
        ),
    ] {
        let mut exchange = Exchange::with("a b", |policy| {
            policy.hold = Some(hold);
            policy.hold_limit_bytes = 1_024;
        });
        exchange.running.plan.stream = false;
        assert_eq!(exchange.play(&events), expected, "{hold:?} {events:?}");
        assert_eq!(
            exchange.running.take_failure(),
            failure,
            "{hold:?} {events:?}"
        );
    }
    // No other target is left.
    for (events, expected, client) in [
        (vec![Head(200, JSON), last(error)], "hold; pass", error),
        (
            vec![Head(200, JSON), last("{")],
            "hold; 502 upstream_incomplete",
            "",
        ),
        (vec![Only(200, JSON)], "502 upstream_incomplete", ""),
    ] {
        let mut exchange = Exchange::new(plan("a"));
        assert_eq!(exchange.play(&events), expected);
        assert_eq!(exchange.client, client);
    }
}

#[test]
fn a_success_is_told_of_what_ailed() {
    for (hold, events) in [
        (Hold::None, vec![Head(200, SSE)]),
        (Hold::None, vec![Head(200, JSON)]),
        (Hold::FirstToken, vec![Head(200, JSON), last("{}")]),
        (Hold::Complete, vec![Head(200, &[]), last("x")]),
        (Hold::FirstToken, vec![Head(200, &[])]),
    ] {
        let mut exchange = Exchange::with("a b", |policy| policy.hold = Some(hold));
        assert_eq!(exchange.play(&[Head(500, &[])]), "retry a");
        assert_eq!(exchange.next(), Ok(()));
        assert_eq!(exchange.health(0), "counted");
        let _ = exchange.play(&events);
        assert_eq!(exchange.health(0), "well", "{hold:?} {events:?}");
    }
}

#[test]
fn a_route_may_want_otherwise() {
    let mut exchange = Exchange::with("a b", |policy| {
        let cooldown = CooldownEffect::None;
        for (failure, action) in [
            (Failure::ContentPolicy, FailureAction::Next),
            (Failure::ServerError, FailureAction::Pass),
            (Failure::Unavailable, FailureAction::Wait),
        ] {
            policy.set_rule(failure, FailureRule { action, cooldown });
        }
    });
    const SOON: Headers = &[("retry-after-ms", "300")];
    assert_eq!(
        exchange.play(&[Head(503, SOON), After(300)]),
        "wait a; retry a"
    );
    assert_eq!(exchange.next(), Ok(()));
    let events = [Head(400, JSON), last(FILTERED)];
    assert_eq!(exchange.play(&events), "hold; retry b");
    assert_eq!(exchange.next(), Ok(()));
    assert_eq!(exchange.play(&[Head(500, &[]), last("x")]), "pass; pass");
    assert_eq!(exchange.client, "x");
}
