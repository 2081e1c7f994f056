//! Reports the outcome of a request: which fields go to filter state, and when.

use std::borrow::Cow;

use super::stream::{RequestState, RouterStream, code_details};
use crate::host::{calls, ledger};
use crate::schema::{ErrorCode, WebSocket};
use crate::telemetry::{RequestTimes, Stage, is_cut};

/// Writes a field of the outcome to filter state, where access logs and traces find it.
fn write_field((name, value): (&str, Cow<'_, str>)) {
    calls::set_state(name, value.as_bytes());
}

impl RouterStream {
    /// Whether this request's outcome is written to filter state.
    fn writes_fields(&self) -> bool {
        let document = self.document.as_ref();
        document.is_some_and(|document| document.telemetry.access_log)
    }

    /// Writes all that is known at this stage to filter state, so that Envoy's span has it however the request ends.
    pub(super) fn write_fields(&mut self, stage: Stage) {
        if self.writes_fields() {
            self.written_fields
                .up_to(stage, &self.outcome_builder.partial)
                .for_each(write_field);
        }
    }

    /// Reports the attempts made so far. No other attempt follows: the answer that is passing through is that of the
    /// last one.
    pub(super) fn write_attempt_fields(&mut self) {
        if let Some(ticket) = self.ticket.filter(|_| self.writes_fields()) {
            self.outcome_builder.attempts(&ledger::attempts(ticket), 0);
            self.write_fields(Stage::Answering);
        } else if self.is_passing() {
            self.write_fields(Stage::Answering);
        }
    }

    /// Notices that a backend has answered although this VM has seen no attempt.
    pub(super) fn detect_separate_vms(&mut self) {
        if self.ticket.is_none_or(ledger::has_attempts) {
            return;
        }
        let worker = &self.worker;
        if !worker.has_separate_vms.get() && code_details() == b"via_upstream" {
            worker.has_separate_vms.set(true);
            log::error!(
                "llm-router: nothing is known of the attempts at requests, and outcomes have no usage and no cost: give \
                 the llm_router filter and the llm_backend filters the same `vm_id`"
            );
        }
        self.outcome_builder.partial.has_unseen_attempts = worker.has_separate_vms.get();
    }

    /// Concludes the request once its outcome is complete. If the answer passes through to its end, this happens
    /// before Envoy finishes the span; otherwise it happens when Envoy logs the request.
    pub(super) fn conclude(&mut self) {
        if self.outcome.is_some() || matches!(self.state, RequestState::Served) {
            return;
        }
        let is_sent = self.ticket.is_some();
        let ended = self.ticket.take().map(ledger::close).unwrap_or_default();
        let answered = self.worker.take_answered(self.context_id);
        let is_passing = self.is_passing();
        if is_passing && self.outcome_builder.partial.status == 0 {
            self.note_abandoned();
        }
        let mut outcome_builder = std::mem::take(&mut self.outcome_builder);
        let has_separate_vms =
            is_sent && ended.attempts.is_empty() && self.worker.has_separate_vms.get();
        outcome_builder.partial.has_unseen_attempts |= has_separate_vms;
        if is_passing || has_separate_vms {
            outcome_builder.is_cut = is_cut(&code_details());
        }
        // After a close frame it does not matter who disconnects.
        outcome_builder.is_whole |= self.session.as_ref().is_some_and(WebSocket::has_closed);
        let answered = answered.or(ended.answered).map(ErrorCode::name);
        outcome_builder.partial.error = outcome_builder.partial.error.or(answered);
        if outcome_builder.partial.status == 0 {
            let status = calls::integer_property(&["response", "code"]);
            outcome_builder.partial.status = status
                .and_then(|status| status.try_into().ok())
                .unwrap_or(0);
        }
        let ended_at = calls::now();
        let arrived = calls::integer_property(&["request", "time"]);
        let arrived_at = arrived.and_then(|nanos| u64::try_from(nanos / 1_000_000).ok());
        let times = RequestTimes {
            arrived_at: arrived_at.unwrap_or(ended_at),
            ended_at,
        };
        let outcome = outcome_builder.outcome(&ended.attempts, times);
        if self.writes_fields() {
            self.written_fields
                .up_to(Stage::Over, &outcome)
                .for_each(write_field);
        }
        self.outcome = Some(outcome);
    }
}
