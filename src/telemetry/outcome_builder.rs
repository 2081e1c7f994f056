//! Builds the outcome of a request from what the router role has seen and what its attempts report.

use super::cost::cost;
use super::outcome::{AnswerEnd, AttemptSummary, MAX_CALLER_BYTES, Outcome};
use crate::attempt::AttemptReport;
use crate::config::Prices;
use crate::prompt::rough_tokens;
use crate::request::{Caller, Headers};
use crate::routing::KeySource;
use crate::schema::{Answer, Api, ErrorCode, Usage};

/// A target that the plan of a request offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfferedTarget {
    /// The backend's name.
    pub backend: String,
    /// The model's upstream name.
    pub model: String,
    /// The prices of the model's tokens.
    pub prices: Prices,
}

/// What the router role has seen of a request so far.
#[derive(Clone, Debug, Default)]
pub struct OutcomeBuilder {
    /// The outcome as far as it is known. The decision stays empty until it has been made; the attempts of a model call
    /// and their usage are added at the end.
    pub partial: Outcome,
    /// The targets of its plan, in order.
    pub offered: Vec<OfferedTarget>,
    /// The estimated number of tokens in the prompt, set once the request was sent on.
    pub prompt_tokens: Option<u64>,
    /// Whether the answer has passed through to its end.
    pub is_whole: bool,
    /// Whether Envoy says that the answer broke off, and not because of the caller. Only set for requests whose attempts
    /// are not seen.
    pub is_cut: bool,
}

/// The names of decisions that are neither a route's choice nor an error.
pub mod decisions {
    /// A request that does not call a model was routed by its headers.
    pub const PASS_THROUGH: &str = "pass_through";
    /// The router answered the request itself without an error: the list of models, or a dry run.
    pub const ANSWERED: &str = "answered";
    /// The request ended before anything was decided.
    pub const NONE: &str = "none";
}

/// The times at which a request began and ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestTimes {
    /// When the request arrived, in Unix milliseconds.
    pub arrived_at: u64,
    /// When the request was over, in Unix milliseconds.
    pub ended_at: u64,
}

impl OutcomeBuilder {
    /// Notes that the router has answered the request itself.
    pub fn answered(&mut self, answer: &Answer) {
        self.partial.error = answer.code.map(ErrorCode::name);
        self.partial.status = u16::try_from(answer.status).unwrap_or(0);
        if self.partial.decision.is_empty() {
            self.partial.decision = self.partial.error.unwrap_or(decisions::ANSWERED);
        }
    }

    /// Replaces the noted attempts with the state of all attempts as of `now`, in order.
    pub fn attempts(&mut self, attempts: &[AttemptReport], now: u64) {
        let attempts = attempts.iter().map(|one| self.attempted(one, now));
        self.partial.attempts = attempts.collect();
    }

    /// Returns the outcome of the request. `attempts`: its attempts as this worker has seen them, in order.
    pub fn outcome(mut self, attempts: &[AttemptReport], times: RequestTimes) -> Outcome {
        let is_answered = self.partial.error.is_none();
        let last = attempts.last();
        let accepted = last.filter(|last| is_answered && last.is_accepted);
        let end = self.end(last);
        if let Some(accepted) = accepted {
            self.set_usage_and_cost(accepted, end);
            let since_arrival = |at: u64| at.saturating_sub(times.arrived_at);
            self.partial.first_token_ms = accepted.first_at.map(since_arrival);
            self.partial.answered_model.clone_from(&accepted.model);
        }
        // Of what is no call of a model, Envoy has told.
        if !attempts.is_empty() {
            self.attempts(attempts, times.ended_at);
        }
        self.partial.end = end;
        self.partial.whole_ms = times.ended_at.saturating_sub(times.arrived_at);
        if self.partial.decision.is_empty() {
            self.partial.decision = decisions::NONE;
        }
        self.partial
    }

    /// How the answer ended.
    fn end(&self, last: Option<&AttemptReport>) -> AnswerEnd {
        // If the last attempt is not over, the caller has ended it: in every other case, the attempt's context ends
        // before the request's does.
        let is_open = last.is_none_or(|last| last.end.is_none() && last.failure.is_none());
        match (self.partial.error, last.and_then(|last| last.end)) {
            (Some(_), _) => AnswerEnd::None,
            (None, Some(end)) => end,
            (None, None) if self.is_whole => AnswerEnd::Complete,
            // Envoy's own answer to what it did not let come so far.
            (None, None) if self.partial.decision.is_empty() && self.partial.status > 0 => {
                AnswerEnd::None
            }
            (None, None) if is_open && !self.is_cut => AnswerEnd::ClientGone,
            (None, None) if self.partial.status == 0 => AnswerEnd::None,
            (None, None) => AnswerEnd::Cut,
        }
    }

    fn attempted(&self, report: &AttemptReport, now: u64) -> AttemptSummary {
        let offered = self.offered.get(usize::from(report.target));
        let verdict = match report.failure {
            Some(failure) => failure.name(),
            None if report.is_accepted => AttemptSummary::ACCEPTED,
            None => AttemptSummary::ABANDONED,
        };
        let ended_at = report.ended_at.unwrap_or(now);
        AttemptSummary {
            backend: offered.map_or_else(String::new, |offered| offered.backend.clone()),
            model: offered.map_or_else(String::new, |offered| offered.model.clone()),
            verdict,
            ms: Some(ended_at.saturating_sub(report.began_at)),
        }
    }

    /// Sets the usage of the answer, whether it is an estimate, and its cost. `end`: how the answer ended.
    fn set_usage_and_cost(&mut self, report: &AttemptReport, end: AnswerEnd) {
        let reported = report.usage;
        let estimate = if self.has_tokens(report, end) {
            self.estimate(report, end)
        } else {
            None
        };
        self.partial.is_estimated = estimate.is_some();
        self.partial.usage = estimate.unwrap_or(reported);
        let offered = self.offered.get(usize::from(report.target));
        self.partial.cost = offered.and_then(|offered| cost(&self.partial.usage, &offered.prices));
    }

    /// Whether the request and its answer are counted in tokens that can be estimated from bytes.
    fn has_tokens(&self, report: &AttemptReport, end: AnswerEnd) -> bool {
        let is_something = match end {
            AnswerEnd::Complete => self.partial.response_bytes > 0,
            // Only tokens count here: the stream may consist of nothing but an error.
            AnswerEnd::InBandError => report.content_tokens.is_some_and(|tokens| tokens > 0),
            _ => true,
        };
        let is_text = self.partial.api.is_some_and(Api::is_text);
        is_text && is_something && (200..300).contains(&self.partial.status)
    }

    /// Estimates the usage if the answer did not report it, or reported only the beginning of it.
    fn estimate(&self, report: &AttemptReport, end: AnswerEnd) -> Option<Usage> {
        let reported = report.usage;
        if reported.is_unknown() {
            let of_bytes = || rough_tokens(self.partial.request_bytes);
            let of_body = || rough_tokens(self.partial.response_bytes);
            return Some(Usage {
                input: Some(self.prompt_tokens.unwrap_or_else(of_bytes)),
                output: Some(report.content_tokens.unwrap_or_else(of_body)),
                ..Usage::default()
            });
        }
        let is_part = !report.is_finished && end != AnswerEnd::Complete;
        let seen = report.content_tokens.filter(|_| is_part)?;
        (seen > reported.output.unwrap_or(0)).then_some(Usage {
            output: Some(seen),
            ..reported
        })
    }
}

/// Returns the name of a caller if it is printable ASCII and not too long. A longer name is dropped, not cut, because
/// a cut name could be that of another caller.
pub fn caller_name(value: &[u8]) -> Option<String> {
    let is_name = (1..=MAX_CALLER_BYTES).contains(&value.len())
        && value.iter().all(|byte| matches!(byte, b' '..=b'~'));
    is_name
        .then(|| String::from_utf8(value.to_vec()).ok())
        .flatten()
}

/// Returns the caller of a request, as this source names it.
pub fn caller_of(source: &KeySource, headers: &Headers, caller: &Caller) -> Option<String> {
    match source {
        KeySource::Header(name) => caller_name(headers.values(name).next()?),
        KeySource::Claim(path) => caller_name(caller.claim(path).first()?.as_bytes()),
        KeySource::Mesh => {
            let mesh = caller.mesh()?;
            let (domain, namespace) = (&mesh.trust_domain, mesh.namespace.as_ref()?);
            let account = mesh.service_account.as_ref()?;
            let name = format!("spiffe://{domain}/ns/{namespace}/sa/{account}");
            caller_name(name.as_bytes())
        }
        KeySource::Query(_) | KeySource::Body(_) | KeySource::User | KeySource::Conversation => {
            None
        }
    }
}

#[cfg(test)]
#[path = "outcome_builder_tests.rs"]
mod tests;
