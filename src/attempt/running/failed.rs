//! What happens when an attempt fails: how the failure is judged, and what the client gets or the next attempt finds.

use super::held::{HeldAnswer, HeldKind};
use super::{NextAttempt, Phase, ResponseAction, RunningAttempt};
use crate::attempt::failure::Failure;
use crate::attempt::policy::CooldownEffect;
use crate::attempt::verdict::{FailureDetails, Moment, Verdict};
use crate::schema::ErrorCode;
use crate::telemetry::AnswerEnd;

/// Envoy's timers may fire this much early by the filter's clock.
const CLOCK_SLACK_MS: u64 = 20;

impl RunningAttempt {
    /// Handles the end of the attempt. If Envoy makes another attempt, it evaluates the matcher after this call.
    ///
    /// Returns what must be written for the next attempt. `no_connection`: the attempt never had a connection.
    pub fn on_done(&mut self, no_connection: bool, moment: Moment<'_>) -> Option<NextAttempt> {
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
        let failed = FailureDetails {
            failure,
            retry_after_ms: None,
            is_certain: is_past_deadline && had_its_time && !self.plan.has_caller_deadline,
            sent_ms: self.began_at,
        };
        self.observer.fail(failure, moment.now);
        let verdict = self.plan.judge(failed, moment);
        Some(self.next_attempt_after(failed, verdict))
    }

    /// Records that one of Envoy's own timers ended the request, if the attempt ended without an answer.
    pub fn time_is_up(&mut self) {
        if self.may_end_unanswered() {
            self.observer.time_is_up();
        }
    }

    /// Handles a failure of the attempt.
    pub(super) fn fail(
        &mut self,
        failure: Failure,
        retry_after_ms: Option<u64>,
        moment: Moment<'_>,
    ) -> ResponseAction {
        let is_callers = self
            .plan
            .target()
            .is_some_and(|target| target.uses_caller_key);
        let failure = match failure {
            // A failure that any caller can provoke must not close the target for everyone.
            Failure::Unauthorized if is_callers => Failure::Rejected,
            failure => failure,
        };
        self.last_failure = Some(failure);
        self.observer.fail(failure, moment.now);
        let failed = FailureDetails {
            failure,
            retry_after_ms,
            is_certain: true,
            sent_ms: self.began_at,
        };
        self.record_rejection_as_success(failure, moment);
        let verdict = self.plan.judge(failed, moment);
        match verdict {
            Verdict::Pass => self.pass_failed(failed),
            Verdict::TryTarget { wait_ms, .. } => {
                let next_attempt = self.next_attempt_after(failed, verdict);
                if wait_ms > 0 {
                    let until = moment.now.saturating_add(wait_ms);
                    self.phase = Phase::Waiting { until };
                    ResponseAction::Wait(next_attempt)
                } else {
                    // If Envoy does not retry after all, the answer passes through.
                    self.stop_holding();
                    ResponseAction::Retry(Some(next_attempt))
                }
            }
        }
    }

    /// Reports a success of a target that rejects the request, unless the route counts such rejections against the
    /// target.
    fn record_rejection_as_success(&self, failure: Failure, moment: Moment<'_>) {
        let is_requests = matches!(
            failure,
            Failure::Rejected | Failure::ContextLength | Failure::ContentPolicy
        );
        if is_requests && self.plan.policy.rule(failure).cooldown == CooldownEffect::None {
            self.plan.record_success(self.began_at, moment);
        }
    }

    /// Handles a failure after which no other attempt is made: the client gets what this attempt brought.
    fn pass_failed(&mut self, failed: FailureDetails) -> ResponseAction {
        // The stream was held only for its end, which did not arrive.
        let is_finished = matches!(
            &self.phase,
            Phase::Held(HeldAnswer { kind: HeldKind::Stream { reader, .. }, .. }) if reader.is_finished()
        );
        match failed.failure {
            // The token may still arrive.
            Failure::LateFirstToken => self.retract_failure(),
            Failure::Incomplete if is_finished => self.retract_failure(),
            Failure::Incomplete => {
                self.phase = Phase::Over;
                let code = ErrorCode::UpstreamIncomplete;
                let next_attempt = self.next_attempt_after(failed, Verdict::Pass);
                ResponseAction::Answer(
                    next_attempt,
                    code.answer(self.plan.schema(), code.default_message()),
                )
            }
            _ => {
                if matches!(&self.phase, Phase::Held(held) if held.has_begun()) {
                    self.observer.note_end(AnswerEnd::InBandError);
                }
                self.pass()
            }
        }
    }

    /// Passes an answer that was taken for a failure on to the client.
    fn retract_failure(&mut self) -> ResponseAction {
        self.observer.retract_failure();
        self.stop_holding()
    }

    fn next_attempt_after(&self, failed: FailureDetails, verdict: Verdict) -> NextAttempt {
        let plan = self.plan.clone().after(failed, verdict);
        NextAttempt {
            cluster: plan.cluster().to_owned(),
            plan: plan.encode(),
        }
    }
}
