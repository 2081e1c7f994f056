//! Tests of the table of verdicts: a plan of targets, the failures, and what follows.

use proptest::prelude::*;

use super::*;
use crate::attempt::policy::{FailureRule, FallbackPolicy};
use crate::attempt::test_plans::{NOW, Store, plan};
use crate::health::CooldownPolicy;

/// A failure as it is seen in an answer, or at the end of an attempt without one.
fn failed(failure: Failure, retry_after_ms: Option<u64>, sent_ms: u64) -> FailureDetails {
    FailureDetails {
        failure,
        retry_after_ms,
        is_certain: !matches!(failure, ConnectFailure | Reset | NoAnswer),
        sent_ms,
    }
}

/// One request, attempt by attempt.
struct Request {
    plan: Plan,
    store: Store,
    now: u64,
}

impl Request {
    fn new(targets: &str) -> Self {
        Request {
            plan: plan(targets),
            store: Store::default(),
            now: NOW,
        }
    }

    fn with(targets: &str, change: impl FnOnce(&mut FallbackPolicy)) -> Self {
        let mut request = Request::new(targets);
        change(&mut request.plan.policy);
        request
    }

    /// Fails the attempt under way and begins the next one. Returns `pass`, or the next target with the wait before
    /// it.
    fn fails(&mut self, failure: Failure, retry_after_ms: Option<u64>) -> String {
        let moment = self.store.at(self.now);
        let failed = failed(failure, retry_after_ms, self.now);
        let verdict = self.plan.judge(failed, moment);
        self.plan = self.plan.clone().after(failed, verdict);
        match verdict {
            Verdict::Pass => {
                assert!(self.plan.gave_up);
                "pass".to_owned()
            }
            Verdict::TryTarget { wait_ms, .. } => {
                self.now += wait_ms;
                self.plan
                    .record_last_failure_before_retry(self.store.at(self.now));
                let target = self.plan.target().unwrap();
                match wait_ms {
                    0 => target.backend.clone(),
                    _ => format!("{wait_ms} ms, {}", target.backend),
                }
            }
        }
    }

    /// Fails one attempt after another in these ways, to the end.
    fn course(&mut self, failures: &[Failure]) -> Vec<String> {
        let failures = failures.iter();
        failures.map(|failure| self.fails(*failure, None)).collect()
    }

    fn health(&self, target: usize) -> String {
        self.store.state(self.plan.targets[target].key, self.now)
    }

    /// Opens a cooldown of a target.
    fn cool(&mut self, target: usize, now: u64, severity: FailureSeverity) {
        let ended = EndedAttempt {
            target: self.plan.targets[target].key,
            sent_ms: now,
            now_ms: now,
        };
        let policy = CooldownPolicy::default();
        self.store
            .change(&mut |health| health.fail(ended, severity, &policy, 0));
    }
}

use Failure::{
    ConnectFailure, ContentPolicy, ContextLength, Incomplete, LateFirstToken, NoAnswer,
    RateLimited, Rejected, Reset, ServerError, Unauthorized, Unavailable,
};

/// Row by row: the failure of `a` and for how long it asks not to be called; which of `a b c` follows, how many
/// attempts are left then, and the recorded health of `a`.
#[test]
fn the_table() {
    for (failure, retry_after_ms, expected, left, health) in [
        (RateLimited, Some(0), "a", 4, "well"),
        (RateLimited, Some(400), "400 ms, a", 4, "well"),
        (RateLimited, Some(2_500), "2500 ms, a", 4, "well"),
        (RateLimited, Some(2_501), "b", 4, "cooling 2501"),
        (RateLimited, Some(30_000), "b", 4, "cooling 30000"),
        (RateLimited, None, "b", 4, "cooling 800"),
        (ServerError, None, "a", 4, "counted"),
        (ServerError, Some(30_000), "b", 4, "cooling 30000"),
        (ConnectFailure, None, "a", 4, "counted"),
        (Reset, None, "a", 4, "counted"),
        (Unavailable, None, "b", 4, "counted"),
        (Unavailable, Some(30_000), "b", 4, "cooling 30000"),
        (NoAnswer, None, "b", 4, "counted"),
        (LateFirstToken, None, "b", 4, "counted"),
        (Incomplete, None, "b", 4, "counted"),
        (ContextLength, None, "pass", 0, "well"),
        (ContentPolicy, None, "pass", 0, "well"),
        (Unauthorized, None, "b", 4, "cooling 800"),
        (Rejected, None, "pass", 0, "well"),
    ] {
        let mut request = Request::new("a b c");
        let name = failure.name();
        assert_eq!(request.fails(failure, retry_after_ms), expected, "{name}");
        if left > 0 {
            let made = request.plan.failed.len();
            assert_eq!(request.plan.policy.max_attempts - made as u32, left);
        }
        assert_eq!(request.health(0), health, "{name} {retry_after_ms:?}");
    }
}

#[test]
fn each_target_once_more_and_no_further_than_the_budget() {
    for (targets, max_attempts, failures, expected) in [
        ("a", 3, vec![ServerError; 2], "a pass"),
        ("a b", 4, vec![ServerError; 4], "a b b pass"),
        ("a b", 3, vec![ServerError; 3], "a b pass"),
        ("a b", 1, vec![ServerError], "pass"),
        ("a b c", 5, vec![Reset; 5], "a b b c pass"),
        // There are attempts enough for every target to be repeated; the untried ones still come first.
        ("a b c", 9, vec![Reset; 6], "a b b c c pass"),
        (
            "a b",
            9,
            vec![ServerError, Unavailable, Unavailable],
            "a b pass",
        ),
        ("a b c", 9, vec![Unavailable; 3], "b c pass"),
    ] {
        let mut request = Request::with(targets, |policy| policy.max_attempts = max_attempts);
        let course = request.course(&failures).join(" ");
        assert_eq!(course, expected, "{targets} {max_attempts} {failures:?}");
    }
}

#[test]
fn a_wait_is_the_repeat() {
    let mut request = Request::new("a b");
    assert_eq!(request.fails(RateLimited, Some(1_000)), "1000 ms, a");
    assert_eq!(request.now, NOW + 1_000);
    assert_eq!(request.fails(RateLimited, Some(1_000)), "b");
    assert_eq!(request.health(0), "cooling 800");
    assert_eq!(request.fails(RateLimited, Some(200)), "200 ms, b");
    assert_eq!(request.fails(ServerError, None), "pass");

    let mut request = Request::new("a b");
    assert_eq!(request.fails(ServerError, None), "a");
    assert_eq!(request.fails(RateLimited, Some(100)), "b");
}

#[test]
fn no_wait_past_the_deadline_or_the_attempts_limit() {
    for (deadline_in, attempt_timeout_ms, expected) in [
        (1_001, 120_000, "1000 ms, a"),
        (1_000, 120_000, "b"),
        (600_000, 1_001, "1000 ms, a"),
        (600_000, 1_000, "b"),
    ] {
        let mut request = Request::with("a b", |policy| {
            policy.attempt_timeout_ms = attempt_timeout_ms;
        });
        request.plan.deadline_at = NOW + deadline_in;
        assert_eq!(request.fails(RateLimited, Some(1_000)), expected);
    }
}

#[test]
fn only_a_window_that_is_known_and_larger() {
    for (targets, failures, expected) in [
        ("a:8 b:8 c:16", vec![ContextLength], "c"),
        ("a:8 b:4 c", vec![ContextLength], "pass"),
        ("a b:16", vec![ContextLength], "pass"),
        ("a:8 b:16 c:32", vec![ContextLength, ContextLength], "b c"),
        (
            "a:16 b:32 c:32",
            vec![ContextLength, ContextLength],
            "b pass",
        ),
        // A window that is too small stays too small, whatever fails later.
        (
            "a:16 b:32 c:8 d:64",
            vec![ContextLength, Unavailable],
            "b d",
        ),
        ("a:16 b:32 c:8", vec![ContextLength, Unavailable], "b pass"),
        (
            "a:16 b:32 c:8",
            vec![ContextLength, ServerError, ServerError],
            "b b pass",
        ),
        ("a:16 b:8", vec![Unavailable, ContextLength], "b pass"),
    ] {
        let mut request = Request::new(targets);
        let course = request.course(&failures).join(" ");
        assert_eq!(course, expected, "{targets} {failures:?}");
        let first_fits = failures[0] != ContextLength;
        assert_eq!(request.health(0) == "well", !first_fits);
    }
    let mut request = Request::with("a b", |policy| {
        let rule = FailureRule {
            action: FailureAction::Next,
            cooldown: CooldownEffect::None,
        };
        policy.set_rule(ContextLength, rule);
    });
    assert_eq!(request.fails(ContextLength, None), "b");
}

#[test]
fn what_was_silent_is_not_asked_again() {
    for (targets, failures, expected) in [
        (
            "a/m b/m a/m a/n",
            vec![NoAnswer, NoAnswer, NoAnswer],
            "b a pass",
        ),
        ("a/m a/m", vec![NoAnswer], "pass"),
        ("a/m b/m a/m", vec![NoAnswer, Unavailable], "b pass"),
        ("a/m a/m", vec![Unavailable], "a"),
    ] {
        let mut request = Request::new(targets);
        let course = request.course(&failures).join(" ");
        assert_eq!(course, expected, "{targets} {failures:?}");
    }
}

#[test]
fn what_cools_is_skipped_unless_all_do() {
    let cooled = |cooling: &[(usize, u64)]| {
        let mut request = Request::new("a b c d");
        for (target, for_ms) in cooling {
            request.cool(*target, NOW, FailureSeverity::Until(NOW + for_ms));
        }
        request
    };
    assert_eq!(cooled(&[(1, 5_000)]).fails(Unavailable, None), "c");
    let all = [(1, 9_000), (2, 5_000), (3, 7_000)];
    assert_eq!(cooled(&all).fails(Unavailable, None), "c");
    assert_eq!(
        cooled(&all).course(&[Unavailable; 4]),
        ["c", "d", "b", "pass"]
    );
    // Cooldowns are off.
    let mut request = cooled(&all);
    request.plan.cooldown = None;
    assert_eq!(request.course(&[Unavailable; 4]), ["b", "c", "d", "pass"]);
    assert_eq!(request.health(0), "well");
}

#[test]
fn what_has_begun_to_cool_is_not_repeated() {
    // The third failure, counted over several requests.
    let mut request = Request::new("a b");
    request.cool(0, NOW, FailureSeverity::Counted);
    request.cool(0, NOW, FailureSeverity::Counted);
    assert_eq!(request.fails(ServerError, None), "b");
    assert_eq!(request.health(0), "cooling 800");
    // Without another target, it is tried again.
    let mut request = Request::new("a");
    request.cool(0, NOW, FailureSeverity::Immediate);
    assert_eq!(request.fails(ServerError, None), "a");
    // The target was half open, and this attempt was its only probe.
    for failure in [ServerError, Reset] {
        let mut request = Request::new("a b");
        request.cool(0, NOW - 800, FailureSeverity::Immediate);
        assert_eq!(request.health(0), "due");
        let key = request.plan.targets[0].key;
        let policy = CooldownPolicy::default();
        request
            .store
            .change(&mut |health| health.lease(key, NOW, &policy));
        assert_eq!(request.fails(failure, None), "b");
        assert_eq!(request.health(0), "cooling 1600");
    }
}

#[test]
fn the_next_hop_takes_the_lease() {
    let mut request = Request::new("a b c");
    request.cool(1, NOW - 900, FailureSeverity::Immediate);
    assert_eq!(request.health(1), "due");
    assert_eq!(request.fails(Unavailable, None), "b");
    assert_eq!(request.health(1), "probing");
    assert!(request.plan.targets[1].has_failures);
    request.plan.record_success(NOW, request.store.at(NOW + 50));
    assert_eq!(request.health(1), "well");

    // While one request probes the target, others do not try it.
    let mut other = Request::new("a b c");
    other.cool(1, NOW - 900, FailureSeverity::Immediate);
    assert_eq!(other.fails(Unavailable, None), "b");
    other.plan = plan("a b c");
    assert_eq!(other.fails(Unavailable, None), "c");
}

/// The client may have ended an attempt that ended without an answer. The next attempt shows that it did not.
#[test]
fn told_once_and_not_before_it_is_sure() {
    for (failure, sure) in [
        (ConnectFailure, false),
        (Reset, false),
        (NoAnswer, false),
        (ServerError, true),
        (LateFirstToken, true),
        (Incomplete, true),
    ] {
        let store = Store::default();
        let mut plan = plan("a b");
        let failed = failed(failure, None, NOW);
        let verdict = plan.judge(failed, store.at(NOW));
        plan = plan.after(failed, verdict);
        let key = plan.targets[0].key;
        let known = store.state(key, NOW);
        assert_eq!(known, if sure { "counted" } else { "well" }, "{failure:?}");
        for _ in 0..5 {
            plan.record_last_failure(store.at(NOW));
            assert_eq!(store.state(key, NOW), "counted", "{failure:?}");
        }
    }
}

#[test]
fn every_action_for_every_failure() {
    for failure in Failure::ALL {
        for (name, action) in FailureAction::ALL {
            let mut request = Request::with("a:8 b:16", |policy| {
                let cooldown = CooldownEffect::None;
                policy.set_rule(*failure, FailureRule { action, cooldown });
            });
            let retry_after_ms = (action == FailureAction::Wait).then_some(70);
            let expected = match action {
                FailureAction::Pass => "pass",
                FailureAction::Next | FailureAction::LargerWindow => "b",
                FailureAction::Retry => "a",
                FailureAction::Wait => "70 ms, a",
            };
            let follows = request.fails(*failure, retry_after_ms);
            assert_eq!(follows, expected, "{failure:?} {name}");
            assert_eq!(request.health(0), "well", "{failure:?} {name}");
        }
        for (cooldown, known) in [
            (CooldownEffect::None, "well"),
            (CooldownEffect::Count, "counted"),
            (CooldownEffect::Open, "cooling 800"),
        ] {
            let mut request = Request::with("a b", |policy| {
                let action = FailureAction::Next;
                policy.set_rule(*failure, FailureRule { action, cooldown });
            });
            let _ = request.fails(*failure, None);
            assert_eq!(request.health(0), known, "{failure:?} {cooldown:?}");
        }
    }
}

proptest! {
    #[test]
    fn the_bounds_hold_whatever_fails(
        targets in 1_usize..5,
        max_attempts in 1_u32..8,
        actions in prop::collection::vec(0_usize..5, 12),
        cooling in prop::collection::vec(0_u64..3_000, 5),
        failures in prop::collection::vec((0_usize..12, prop::option::of(0_u64..4_000)), 10),
    ) {
        let names = ["a/m:8", "b/m:32", "a/m:16", "c/m", "d/m:64"][..targets].join(" ");
        let mut request = Request::with(&names, |policy| {
            policy.max_attempts = max_attempts;
            for (failure, action) in Failure::ALL.iter().zip(&actions) {
                let (_, action) = FailureAction::ALL[*action];
                // With this row, the policy itself would try the silent target again.
                if (*failure, action) != (NoAnswer, FailureAction::Retry) {
                    let cooldown = policy.rule(*failure).cooldown;
                    policy.set_rule(*failure, FailureRule { action, cooldown });
                }
            }
        });
        for (target, for_ms) in cooling.iter().enumerate().take(targets) {
            request.cool(target, NOW - 1_500, FailureSeverity::Until(NOW - 1_500 + for_ms));
        }
        let mut tried = vec![0_u8];
        let mut silent = Vec::new();
        for (failure, retry_after_ms) in failures {
            let failure = Failure::ALL[failure];
            let target = request.plan.target().unwrap();
            if failure == NoAnswer && request.plan.policy.rule(NoAnswer).action != FailureAction::Wait {
                silent.push((target.backend.clone(), target.model.clone()));
            }
            if request.fails(failure, retry_after_ms) == "pass" {
                break;
            }
            let next = request.plan.next;
            let now = request.plan.target().unwrap();
            prop_assert!(!silent.contains(&(now.backend.clone(), now.model.clone())));
            // A repeat follows at once or not at all.
            let before = tried.iter().filter(|one| **one == next).count();
            prop_assert!(before == 0 || (before == 1 && tried.last() == Some(&next)));
            tried.push(next);
        }
        prop_assert!(tried.len() <= max_attempts as usize);
        prop_assert!(request.now - NOW <= 2_500 * targets as u64);
        prop_assert!(request.now < request.plan.deadline_at);
    }
}

/// Every target gets its first attempt before any gets its second.
#[test]
fn repeats_leave_attempts_for_the_others() {
    let broken = [ServerError; 6];
    let mut request = Request::new("a b c d");
    assert_eq!(request.course(&broken), ["a", "b", "b", "c", "d", "pass"]);
    let mut request = Request::with("a b c d", |policy| policy.max_attempts = 4);
    assert_eq!(request.course(&broken[..4]), ["b", "c", "d", "pass"]);
    let mut request = Request::with("a", |policy| policy.max_attempts = 2);
    assert_eq!(request.course(&broken[..2]), ["a", "pass"]);
}

/// A target that is due is leased by the attempt that begins, not by a failure that may not be followed by anything.
#[test]
fn what_is_not_sure_leases_nothing() {
    for (failure, sure) in [(Reset, false), (ServerError, true)] {
        let mut request = Request::with("a b", |policy| {
            policy.set_rule(
                failure,
                FailureRule {
                    action: FailureAction::Next,
                    cooldown: CooldownEffect::Count,
                },
            );
        });
        request.cool(1, NOW - 5_000, FailureSeverity::Immediate);
        assert_eq!(request.health(1), "due");
        let failed = failed(failure, None, NOW);
        let verdict = request.plan.judge(failed, request.store.at(NOW));
        assert_eq!(request.health(1), if sure { "probing" } else { "due" });
        request.plan = request.plan.clone().after(failed, verdict);
        assert_eq!(request.plan.target().unwrap().backend, "b");
        request
            .plan
            .record_last_failure_before_retry(request.store.at(NOW));
        assert_eq!(request.health(1), "probing");
        assert_eq!(request.health(0), "counted");
    }
}
