//! Decides what follows a failed attempt, and reports failures and successes to the targets' health.

use super::failure::Failure;
use super::plan::{FailedAttempt, Plan};
use super::policy::{CooldownEffect, FailureAction};
use crate::health::{
    EndedAttempt, FailureSeverity, Health, HealthStore, TargetKey, TargetState, choose_target,
};

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No other attempt follows: the caller gets this one's answer.
    Pass,
    /// Another attempt follows.
    TryTarget {
        /// The index of its target in the plan.
        target: u8,
        /// How long to wait before the attempt, in milliseconds.
        wait_ms: u64,
        /// Whether failures are recorded against the target, so that a success must be reported.
        has_failures: bool,
    },
}

/// The time, randomness and health on which a decision depends.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// Unix time in milliseconds.
    pub now: u64,
    /// 64 random bits.
    pub random: u64,
    /// What all workers know about the targets.
    pub health: &'a dyn HealthStore,
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct FailureDetails {
    pub(super) failure: Failure,
    /// How long the backend asked not to be called, in milliseconds.
    pub(super) retry_after_ms: Option<u64>,
    /// Whether the backend is known to have failed. If there was no answer, the client may have ended the attempt;
    /// only what follows shows whether it did.
    pub(super) is_certain: bool,
    /// When the attempt began, in Unix milliseconds.
    pub(super) sent_ms: u64,
}

impl Plan {
    /// Judges the failure of the attempt that is under way. If the failure is certain, it is reported to the target's
    /// health.
    pub(super) fn judge(&self, failed: FailureDetails, moment: Moment<'_>) -> Verdict {
        let rule = self.policy.rule(failed.failure);
        let may_repeat = self.may_repeat();
        let waits = failed.retry_after_ms.filter(|asked| {
            // Envoy's limit for the attempt keeps running during the wait.
            let ends_at = failed
                .sent_ms
                .saturating_add(self.attempt_timeout_ms().into());
            rule.action == FailureAction::Wait
                && *asked <= u64::from(self.policy.patience_ms)
                && moment.now.saturating_add(*asked) < self.deadline_at.min(ends_at)
        });
        if let Some(wait_ms) = waits.filter(|_| may_repeat) {
            return Verdict::TryTarget {
                target: self.next,
                wait_ms,
                // Other requests may have reported failures of this target.
                has_failures: self.cooldown.is_some(),
            };
        }
        let severity = self.severity(failed.failure, failed.retry_after_ms, moment.now);
        let severity = severity.and_then(|severity| {
            let ended = self.ended_attempt(self.next, failed.sent_ms, moment)?;
            Some((ended, severity))
        });
        let mut candidates = Vec::new();
        if moment.now < self.deadline_at {
            candidates = self.candidates(failed.failure, rule.action);
            if rule.action == FailureAction::Retry && may_repeat {
                // If this failure or another one has opened a cooldown, this target is skipped as well.
                candidates.insert(0, self.next);
            }
        }
        self.choose_next(&candidates, severity, failed.is_certain, moment)
    }

    /// Chooses among the candidates as they stand after the failure, in one change of the shared health. If the failure
    /// is not certain, nothing is written: neither the failure nor the lease of a target whose attempt may not follow.
    fn choose_next(
        &self,
        candidates: &[u8],
        severity: Option<(EndedAttempt, FailureSeverity)>,
        is_certain: bool,
        moment: Moment<'_>,
    ) -> Verdict {
        let Some(policy) = &self.cooldown else {
            return candidates
                .first()
                .map_or(Verdict::Pass, |target| Verdict::TryTarget {
                    target: *target,
                    wait_ms: 0,
                    has_failures: false,
                });
        };
        let keys: Vec<TargetKey> = candidates
            .iter()
            .filter_map(|target| Some(self.targets.get(usize::from(*target))?.key))
            .collect();
        let mut verdict = Verdict::Pass;
        if keys.is_empty() {
            if is_certain {
                self.record_failure(severity, None, moment);
            }
            return verdict;
        }
        moment.health.change(&mut |health: &mut Health| {
            let changed = severity.is_some_and(|(ended, severity)| {
                health.fail(ended, severity, policy, moment.random)
            });
            let choice = choose_target(health, &keys, moment.now, policy);
            let chosen = choice.as_ref().and_then(|choice| {
                Some((*candidates.get(choice.index)?, *keys.get(choice.index)?))
            });
            verdict = chosen.map_or(Verdict::Pass, |(target, key)| Verdict::TryTarget {
                target,
                wait_ms: 0,
                // The failure that was just seen may not be reported yet.
                has_failures: target == self.next || health.has_failures(key),
            });
            is_certain && (changed || choice.is_some_and(|choice| choice.leased))
        });
        verdict
    }

    fn ended_attempt(&self, target: u8, sent_ms: u64, moment: Moment<'_>) -> Option<EndedAttempt> {
        Some(EndedAttempt {
            target: self.targets.get(usize::from(target))?.key,
            sent_ms,
            now_ms: moment.now,
        })
    }

    /// Records a failure, and takes the lease of the next target if it needs one.
    fn record_failure(
        &self,
        severity: Option<(EndedAttempt, FailureSeverity)>,
        next: Option<TargetKey>,
        moment: Moment<'_>,
    ) {
        let Some(policy) = &self.cooldown else {
            return;
        };
        if severity.is_none() && next.is_none() {
            return;
        }
        moment.health.change(&mut |health: &mut Health| {
            let fell = severity.is_some_and(|(ended, severity)| {
                health.fail(ended, severity, policy, moment.random)
            });
            let is_due =
                |next: &TargetKey| health.state(*next, moment.now, policy) == TargetState::Due;
            let leased = next
                .filter(is_due)
                .is_some_and(|next| health.lease(next, moment.now, policy));
            fell || leased
        });
    }

    /// Reports the last failure if that has not been done. Envoy's own answer shows that the client did not end the
    /// attempt.
    pub fn record_last_failure(&mut self, moment: Moment<'_>) {
        self.record_unrecorded_failure(None, moment);
    }

    /// Reports the last failure if that has not been done. The next attempt, which begins now, shows that the client
    /// did not end the last one.
    pub(super) fn record_last_failure_before_retry(&mut self, moment: Moment<'_>) {
        let next = self.target().filter(|_| !self.gave_up);
        let next = next.map(|target| target.key);
        self.record_unrecorded_failure(next, moment);
    }

    fn record_unrecorded_failure(&mut self, next: Option<TargetKey>, moment: Moment<'_>) {
        let Some(last) = self.failed.last_mut().filter(|last| !last.is_recorded) else {
            return;
        };
        last.is_recorded = true;
        let last = *last;
        let severity = self.severity(last.failure, None, moment.now);
        let ended = self.ended_attempt(last.target, last.sent_ms, moment);
        self.record_failure(ended.zip(severity), next, moment);
    }

    /// Reports a success of the target of the attempt under way, if failures are recorded against it.
    pub(super) fn record_success(&self, sent_ms: u64, moment: Moment<'_>) {
        if self.target().is_none_or(|target| !target.has_failures) {
            return;
        }
        let Some(ended) = self.ended_attempt(self.next, sent_ms, moment) else {
            return;
        };
        moment
            .health
            .change(&mut |health: &mut Health| health.succeed(ended));
    }

    /// Returns what a failure means for its target's health.
    fn severity(
        &self,
        failure: Failure,
        retry_after_ms: Option<u64>,
        now: u64,
    ) -> Option<FailureSeverity> {
        let long = retry_after_ms.filter(|asked| *asked > u64::from(self.policy.patience_ms));
        let until = long.map(|asked| FailureSeverity::Until(now.saturating_add(asked)));
        match self.policy.rule(failure).cooldown {
            CooldownEffect::None => None,
            CooldownEffect::Count => until.or(Some(FailureSeverity::Counted)),
            CooldownEffect::Open => until.or(Some(FailureSeverity::Immediate)),
        }
    }

    /// Returns the targets that may follow, in order.
    fn candidates(&self, failure: Failure, action: FailureAction) -> Vec<u8> {
        if action == FailureAction::Pass || !self.has_budget() {
            return Vec::new();
        }
        let window = self.window_exceeded(failure);
        let indexes = 0..u8::try_from(self.targets.len()).unwrap_or(u8::MAX);
        let allowed = indexes.filter(|index| {
            let Some(target) = self.targets.get(usize::from(*index)) else {
                return false;
            };
            *index != self.next
                && !self.has_been_tried(*index)
                && window.is_none_or(|window| window > 0 && target.context_window > window)
                && (self.is_pool || !self.is_silent(*index, failure))
        });
        allowed.collect()
    }

    /// Returns the largest context window that the request is known not to fit into (0: not known), if the route lets
    /// only larger ones follow. This holds for every later failure too, because a smaller window would be of no use.
    fn window_exceeded(&self, failure: Failure) -> Option<u32> {
        if self.policy.rule(Failure::ContextLength).action != FailureAction::LargerWindow {
            return None;
        }
        let now = (failure == Failure::ContextLength).then_some(self.next);
        let before = self.failed.iter();
        let before = before.filter(|failed| failed.failure == Failure::ContextLength);
        let exceeded = before.map(|failed| failed.target).chain(now);
        exceeded
            .filter_map(|target| Some(self.targets.get(usize::from(target))?.context_window))
            .max()
    }

    /// Whether an earlier attempt at this target has failed.
    fn has_been_tried(&self, target: u8) -> bool {
        self.failed.iter().any(|failed| failed.target == target)
    }

    /// Whether this target is the same model at the same backend as one that did not answer in time.
    fn is_silent(&self, target: u8, failure: Failure) -> bool {
        let now = (failure == Failure::NoAnswer).then_some(self.next);
        let before = self.failed.iter();
        let before = before.filter(|failed| failed.failure == Failure::NoAnswer);
        let mut silent = before.map(|failed| failed.target).chain(now);
        let of = |target: u8| {
            let target = self.targets.get(usize::from(target))?;
            Some((&target.backend, &target.model))
        };
        silent.any(|silent| of(silent) == of(target))
    }

    /// Whether the same target may be tried once more: it has not been repeated yet, and enough attempts remain to
    /// try every untried target once.
    fn may_repeat(&self) -> bool {
        let tried = |index: u8| index == self.next || self.has_been_tried(index);
        let indexes = 0..u8::try_from(self.targets.len()).unwrap_or(u8::MAX);
        let untried = indexes.filter(|index| !tried(*index)).count();
        let untried = u32::try_from(untried).unwrap_or(u32::MAX);
        self.attempts_left() > untried && !self.has_been_tried(self.next)
    }

    /// Returns the plan as it is after a failure.
    pub(super) fn after(mut self, failed: FailureDetails, verdict: Verdict) -> Plan {
        self.failed.push(FailedAttempt {
            target: self.next,
            failure: failed.failure,
            sent_ms: failed.sent_ms,
            is_recorded: failed.is_certain,
        });
        match verdict {
            Verdict::Pass => self.gave_up = true,
            Verdict::TryTarget {
                target,
                has_failures,
                ..
            } => {
                self.next = target;
                if let Some(target) = self.targets.get_mut(usize::from(target)) {
                    target.has_failures = target.has_failures || has_failures;
                }
            }
        }
        self
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "a test fails by panicking"
)]
#[path = "verdict_tests.rs"]
mod tests;
