//! Tests of deadlines and silence, and of what an answer says about its target's health.

use super::exchange::*;
use super::*;
use crate::attempt::test_plans::{NOW, plan};
use crate::attempt::{CooldownEffect, FailureAction, FailureRule, Refusal};
use crate::health::{CooldownPolicy, EndedAttempt, FailureSeverity, HealthStore};

/// After the deadline, no attempt follows that would show that the client did not leave.
#[test]
fn silent_until_the_deadline() {
    let silent = |has_caller_deadline: bool, began_late_ms: u64| {
        let mut plan = plan("a b");
        plan.policy.deadline_ms = 1_000;
        plan.deadline_at = NOW + 1_000 - began_late_ms;
        plan.has_caller_deadline = has_caller_deadline;
        let mut exchange = Exchange::new(plan);
        let events = [After(1_000 - began_late_ms), Done];
        assert_eq!(exchange.play(&events), "hold; left -");
        let health = exchange.health(0);
        assert_eq!(exchange.next(), Err(Refusal::DeadlineExceeded));
        health
    };
    assert_eq!(silent(false, 0), "counted");
    assert_eq!(silent(false, 500), "counted");
    // The attempt had too little of the time.
    assert_eq!(silent(false, 501), "well");
    // The caller's own deadline was shorter.
    assert_eq!(silent(true, 0), "well");
}

/// Envoy says only after the attempt was judged that one of its own timers ended it.
#[test]
fn ended_by_a_timer_of_envoys() {
    let failure = |events: &[Event], is_complete: bool| {
        let mut exchange = Exchange::with("a b", |policy| {
            policy.hold = is_complete.then_some(Hold::Complete);
        });
        exchange.play(events);
        exchange.running.time_is_up();
        let seen = exchange.running.report().failure;
        let mut plan = Plan::decode(&exchange.next_attempt.unwrap().plan).unwrap();
        plan.time_is_up();
        assert_eq!(plan.failed.last().map(|last| last.failure), seen);
        seen.map_or("", Failure::name)
    };
    assert_eq!(failure(&[After(700), Done], false), "no_answer");
    let begun = [Head(200, JSON), piece("{"), After(700), Done];
    assert_eq!(failure(&begun, true), "no_answer");
    // These failures were known before the timer fired.
    assert_eq!(failure(&[NoConnection], false), "connect_failure");
    assert_eq!(
        failure(&[Only(500, JSON), After(700)], false),
        "server_error"
    );
    let broken = [Head(200, JSON), last("{"), After(700)];
    assert_eq!(failure(&broken, true), "incomplete");
}

/// An error that arrives at the deadline goes to the caller, because no time is left for another attempt.
#[test]
fn an_error_at_the_deadline_is_the_answer() {
    let mut exchange = Exchange::with("a b", |policy| policy.deadline_ms = 1_000);
    exchange.running.plan.deadline_at = NOW + 1_000;
    assert_eq!(
        exchange.play(&[After(1_000), Only(503, JSON)]),
        "hold; pass"
    );
    assert_eq!(exchange.health(0), "counted");
}

/// A request that is at fault shows that its target is healthy.
#[test]
fn a_rejection_ends_a_cooldown() {
    for (status, cooldown, health) in [
        (404, CooldownEffect::None, "well"),
        (404, CooldownEffect::Count, "counted"),
        (500, CooldownEffect::None, "counted"),
    ] {
        let mut exchange = Exchange::with("a", |policy| {
            for failure in [Failure::Rejected, Failure::ServerError] {
                let rule = FailureRule {
                    action: FailureAction::Pass,
                    cooldown,
                };
                policy.set_rule(failure, rule);
            }
        });
        let ended = EndedAttempt {
            target: exchange.running.plan.targets[0].key,
            sent_ms: NOW - 1,
            now_ms: NOW - 1,
        };
        let policy = CooldownPolicy::default();
        exchange
            .store
            .change(&mut |health| health.fail(ended, FailureSeverity::Counted, &policy, 0));
        exchange.running.plan.targets[0].has_failures = true;
        assert_eq!(exchange.play(&[Only(status, JSON)]), "pass", "{status}");
        assert_eq!(exchange.health(0), health, "{status} {cooldown:?}");
    }
}

const BINARY: Headers = &[("content-type", "audio/mpeg")];

/// A stalled answer is reset even if it is not read.
#[test]
fn silence_after_the_headers() {
    for (hold, stream) in [
        (Hold::None, false),
        (Hold::None, true),
        (Hold::FirstToken, false),
    ] {
        let mut plan = plan("a b");
        plan.policy.hold = Some(hold);
        plan.stream = stream;
        let mut exchange = Exchange::new(plan);
        let events = [
            Head(200, BINARY),
            After(1),
            piece("x"),
            After(299_999),
            After(299_999),
        ];
        assert_eq!(exchange.play(&events), "pass; hold; pass; hold; hold");
        assert_eq!(exchange.play(&[After(1)]), "reset");
        let mut exchange = Exchange::new(exchange.running.plan);
        assert_eq!(exchange.play(&[Head(200, BINARY), last("x")]), "pass; pass");
        assert_eq!(exchange.running.due_at(), None);
    }
}
