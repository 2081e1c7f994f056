//! What happens when an attempt fails: how the failure is judged, and what the client gets or the next attempt finds.

use super::held::{Held, What};
use super::{Left, Phase, Running, Step};
use crate::attempt::failure::Failure;
use crate::attempt::policy::Cooldown;
use crate::attempt::verdict::{Failed, Moment, Verdict};
use crate::schema::ErrorCode;
use crate::telemetry::End;

/// Envoy's timers may fire this much early by the filter's clock.
const CLOCK_SLACK_MS: u64 = 20;

impl Running {
    /// Handles the end of the attempt. If Envoy makes another attempt, it evaluates the matcher after this call.
    ///
    /// Returns what must be written for the next attempt. `no_connection`: the attempt never had a connection.
    pub fn on_done(&mut self, no_connection: bool, moment: Moment<'_>) -> Option<Left> {
        let elapsed = moment.now.saturating_sub(self.began_at);
        let limit = u64::from(self.plan.attempt_timeout_ms());
        let is_past_deadline = moment.now >= self.plan.deadline_at;
        // At the request's deadline, the router role ends the attempt.
        let is_late = elapsed.saturating_add(CLOCK_SLACK_MS) >= limit || is_past_deadline;
        let failure = match &self.phase {
            Phase::Sent if no_connection => Failure::ConnectFailure,
            Phase::Sent if is_late => Failure::NoAnswer,
            Phase::Sent => Failure::Reset,
            Phase::Held(held)
                if held
                    .first_token_timeout(self.began_at, &self.plan)
                    .is_some_and(|due_at| due_at <= moment.now.saturating_add(CLOCK_SLACK_MS)) =>
            {
                Failure::LateFirstToken
            }
            Phase::Held(_) if is_late => Failure::NoAnswer,
            Phase::Held(held) if held.has_begun() => Failure::Incomplete,
            Phase::Held(_) => Failure::Reset,
            Phase::Waiting { .. } | Phase::Following(_) | Phase::Over => return None,
        };
        // After the deadline, nothing follows that would show that the client did not end the attempt. An attempt
        // that had little of the time is not to blame.
        let had_its_time = elapsed.saturating_mul(2) >= u64::from(self.plan.policy.deadline_ms);
        let failed = Failed {
            failure,
            asked_ms: None,
            is_sure: is_past_deadline && had_its_time && !self.plan.hurried,
            sent_ms: self.began_at,
        };
        self.observed.fail(failure, moment.now);
        let verdict = self.plan.judge(failed, moment);
        Some(self.leave(failed, verdict))
    }

    /// Records that one of Envoy's own timers ended the request, if the attempt ended without an answer.
    pub fn time_is_up(&mut self) {
        if self.may_end_unanswered() {
            self.observed.time_is_up();
        }
    }

    /// Handles a failure of the attempt.
    pub(super) fn fail(
        &mut self,
        failure: Failure,
        asked_ms: Option<u64>,
        moment: Moment<'_>,
    ) -> Step {
        let is_callers = self.plan.target().is_some_and(|target| target.callers_key);
        let failure = match failure {
            // A failure that any caller can provoke must not close the target for everyone.
            Failure::Unauthorized if is_callers => Failure::Rejected,
            failure => failure,
        };
        self.last_failure = Some(failure);
        self.observed.fail(failure, moment.now);
        let failed = Failed {
            failure,
            asked_ms,
            is_sure: true,
            sent_ms: self.began_at,
        };
        self.tell_alive(failure, moment);
        let verdict = self.plan.judge(failed, moment);
        match verdict {
            Verdict::Pass => self.pass_failed(failed),
            Verdict::Again { wait_ms, .. } => {
                let left = self.leave(failed, verdict);
                if wait_ms > 0 {
                    let until = moment.now.saturating_add(wait_ms);
                    self.phase = Phase::Waiting { until };
                    Step::Wait(left)
                } else {
                    // If Envoy does not retry after all, the answer passes through.
                    self.let_pass();
                    Step::Retry(Some(left))
                }
            }
        }
    }

    /// Reports a success of a target that rejects the request, unless the route counts such rejections against the
    /// target.
    fn tell_alive(&self, failure: Failure, moment: Moment<'_>) {
        let is_requests = matches!(
            failure,
            Failure::Rejected | Failure::ContextLength | Failure::ContentPolicy
        );
        if is_requests && self.plan.policy.row(failure).cooldown == Cooldown::None {
            self.plan.tell_success(self.began_at, moment);
        }
    }

    /// Handles a failure after which no other attempt is made: the client gets what this attempt brought.
    fn pass_failed(&mut self, failed: Failed) -> Step {
        // The stream was held only for its end, which did not arrive.
        let is_finished = matches!(
            &self.phase,
            Phase::Held(Held { what: What::Stream { reader, .. }, .. }) if reader.is_finished()
        );
        match failed.failure {
            // The token may still arrive.
            Failure::LateFirstToken => self.forgive(),
            Failure::Incomplete if is_finished => self.forgive(),
            Failure::Incomplete => {
                self.phase = Phase::Over;
                let code = ErrorCode::UpstreamIncomplete;
                let left = self.leave(failed, Verdict::Pass);
                Step::Answer(left, code.answer(self.plan.schema(), code.own_message()))
            }
            _ => {
                if matches!(&self.phase, Phase::Held(held) if held.has_begun()) {
                    self.observed.end(End::InBandError);
                }
                self.pass()
            }
        }
    }

    /// Passes an answer that was taken for a failure on to the client.
    fn forgive(&mut self) -> Step {
        self.observed.forgive();
        self.let_pass()
    }

    fn leave(&self, failed: Failed, verdict: Verdict) -> Left {
        let plan = self.plan.clone().after(failed, verdict);
        Left {
            cluster: plan.cluster().to_owned(),
            plan: plan.encode(),
        }
    }
}
