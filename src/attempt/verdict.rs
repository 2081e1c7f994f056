//! Decides what follows a failed attempt, and reports failures and successes to the targets' health.

use super::failure::Failure;
use super::plan::{FailedAttempt, Plan};
use super::policy::{Action, Cooldown};
use crate::health::{Blow, Ended, Health, HealthStore, State, TargetKey, choose};

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No other attempt follows: the caller gets this one's answer.
    Pass,
    /// Another attempt follows.
    Again {
        /// The index of its target in the plan.
        target: u8,
        /// How long to wait before the attempt, in milliseconds.
        wait_ms: u64,
        /// Whether failures are recorded against the target, so that a success must be reported.
        ailing: bool,
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
pub(super) struct Failed {
    pub(super) failure: Failure,
    /// How long the backend asked not to be called, in milliseconds.
    pub(super) asked_ms: Option<u64>,
    /// Whether the backend is known to have failed. If there was no answer, the client may have ended the attempt;
    /// only what follows shows whether it did.
    pub(super) is_sure: bool,
    /// When the attempt began, in Unix milliseconds.
    pub(super) sent_ms: u64,
}

impl Plan {
    /// Judges the failure of the attempt that is under way. If the failure is certain, it is reported to the target's
    /// health.
    pub(super) fn judge(&self, failed: Failed, moment: Moment<'_>) -> Verdict {
        let row = self.policy.row(failed.failure);
        let may_repeat = self.may_repeat();
        let waits = failed.asked_ms.filter(|asked| {
            // Envoy's limit for the attempt keeps running during the wait.
            let ends_at = failed
                .sent_ms
                .saturating_add(self.attempt_timeout_ms().into());
            row.action == Action::Wait
                && *asked <= u64::from(self.policy.patience_ms)
                && moment.now.saturating_add(*asked) < self.deadline_at.min(ends_at)
        });
        if let Some(wait_ms) = waits.filter(|_| may_repeat) {
            return Verdict::Again {
                target: self.next,
                wait_ms,
                // Other requests may have reported failures of this target.
                ailing: self.cooldown.is_some(),
            };
        }
        let blow = self.blow(failed.failure, failed.asked_ms, moment.now);
        let blow = blow.and_then(|blow| {
            let ended = self.ended(self.next, failed.sent_ms, moment)?;
            Some((ended, blow))
        });
        let mut candidates = Vec::new();
        if moment.now < self.deadline_at {
            candidates = self.candidates(failed.failure, row.action);
            if row.action == Action::Retry && may_repeat {
                // If this failure or another one has opened a cooldown, this target is skipped as well.
                candidates.insert(0, self.next);
            }
        }
        self.next_of(&candidates, blow, failed.is_sure, moment)
    }

    /// Chooses among the candidates as they stand after the blow, in one change of the shared health. If the failure
    /// is not certain, nothing is written: neither the blow nor the lease of a target whose attempt may not follow.
    fn next_of(
        &self,
        candidates: &[u8],
        blow: Option<(Ended, Blow)>,
        is_sure: bool,
        moment: Moment<'_>,
    ) -> Verdict {
        let Some(policy) = &self.cooldown else {
            return candidates
                .first()
                .map_or(Verdict::Pass, |target| Verdict::Again {
                    target: *target,
                    wait_ms: 0,
                    ailing: false,
                });
        };
        let keys: Vec<TargetKey> = candidates
            .iter()
            .filter_map(|target| Some(self.targets.get(usize::from(*target))?.key))
            .collect();
        let mut verdict = Verdict::Pass;
        if keys.is_empty() {
            if is_sure {
                self.tell(blow, None, moment);
            }
            return verdict;
        }
        moment.health.change(&mut |health: &mut Health| {
            let changed =
                blow.is_some_and(|(ended, blow)| health.fail(ended, blow, policy, moment.random));
            let choice = choose(health, &keys, moment.now, policy);
            let chosen = choice.as_ref().and_then(|choice| {
                Some((*candidates.get(choice.index)?, *keys.get(choice.index)?))
            });
            verdict = chosen.map_or(Verdict::Pass, |(target, key)| Verdict::Again {
                target,
                wait_ms: 0,
                // The failure that was just seen may not be reported yet.
                ailing: target == self.next || health.is_ailing(key),
            });
            is_sure && (changed || choice.is_some_and(|choice| choice.leased))
        });
        verdict
    }

    fn ended(&self, target: u8, sent_ms: u64, moment: Moment<'_>) -> Option<Ended> {
        Some(Ended {
            target: self.targets.get(usize::from(target))?.key,
            sent_ms,
            now_ms: moment.now,
        })
    }

    /// Records a blow, and takes the lease of the next target if it needs one.
    fn tell(&self, blow: Option<(Ended, Blow)>, next: Option<TargetKey>, moment: Moment<'_>) {
        let Some(policy) = &self.cooldown else {
            return;
        };
        if blow.is_none() && next.is_none() {
            return;
        }
        moment.health.change(&mut |health: &mut Health| {
            let fell =
                blow.is_some_and(|(ended, blow)| health.fail(ended, blow, policy, moment.random));
            let is_due = |next: &TargetKey| health.state(*next, moment.now, policy) == State::Due;
            let leased = next
                .filter(is_due)
                .is_some_and(|next| health.lease(next, moment.now, policy));
            fell || leased
        });
    }

    /// Reports the last failure if that has not been done. Envoy's own answer shows that the client did not end the
    /// attempt.
    pub fn tell_last(&mut self, moment: Moment<'_>) {
        self.tell_untold(None, moment);
    }

    /// Reports the last failure if that has not been done. The next attempt, which begins now, shows that the client
    /// did not end the last one.
    pub(super) fn tell_last_of_many(&mut self, moment: Moment<'_>) {
        let next = self.target().filter(|_| !self.gave_up);
        let next = next.map(|target| target.key);
        self.tell_untold(next, moment);
    }

    fn tell_untold(&mut self, next: Option<TargetKey>, moment: Moment<'_>) {
        let Some(last) = self.failed.last_mut().filter(|last| !last.told) else {
            return;
        };
        last.told = true;
        let last = *last;
        let blow = self.blow(last.failure, None, moment.now);
        let ended = self.ended(last.target, last.sent_ms, moment);
        self.tell(ended.zip(blow), next, moment);
    }

    /// Reports a success of the target of the attempt under way, if failures are recorded against it.
    pub(super) fn tell_success(&self, sent_ms: u64, moment: Moment<'_>) {
        if self.target().is_none_or(|target| !target.ailing) {
            return;
        }
        let Some(ended) = self.ended(self.next, sent_ms, moment) else {
            return;
        };
        moment
            .health
            .change(&mut |health: &mut Health| health.succeed(ended));
    }

    /// Returns what a failure means for its target's health.
    fn blow(&self, failure: Failure, asked_ms: Option<u64>, now: u64) -> Option<Blow> {
        let long = asked_ms.filter(|asked| *asked > u64::from(self.policy.patience_ms));
        let until = long.map(|asked| Blow::Until(now.saturating_add(asked)));
        match self.policy.row(failure).cooldown {
            Cooldown::None => None,
            Cooldown::Count => until.or(Some(Blow::Counted)),
            Cooldown::Open => until.or(Some(Blow::AtOnce)),
        }
    }

    /// Returns the targets that may follow, in order.
    fn candidates(&self, failure: Failure, action: Action) -> Vec<u8> {
        if action == Action::Pass || !self.has_budget() {
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
        if self.policy.row(Failure::ContextLength).action != Action::LargerWindow {
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
    pub(super) fn after(mut self, failed: Failed, verdict: Verdict) -> Plan {
        self.failed.push(FailedAttempt {
            target: self.next,
            failure: failed.failure,
            sent_ms: failed.sent_ms,
            told: failed.is_sure,
        });
        match verdict {
            Verdict::Pass => self.gave_up = true,
            Verdict::Again { target, ailing, .. } => {
                self.next = target;
                if let Some(target) = self.targets.get_mut(usize::from(target)) {
                    target.ailing = target.ailing || ailing;
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
