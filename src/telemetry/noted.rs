//! Builds the outcome of a request from what the router role has seen and what its attempts report.

use super::cost::cost;
use super::outcome::{Attempted, End, MAX_CALLER_BYTES, Outcome};
use crate::attempt::Report;
use crate::config::Prices;
use crate::prompt::rough_tokens;
use crate::request::{Caller, Headers};
use crate::routing::KeySource;
use crate::schema::{Answer, Api, ErrorCode, Usage};

/// A target that the plan of a request offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// The backend's name.
    pub backend: String,
    /// The model's upstream name.
    pub model: String,
    /// The prices of the model's tokens.
    pub prices: Prices,
}

/// What the router role has seen of a request so far.
#[derive(Clone, Debug, Default)]
pub struct Noted {
    /// The outcome as far as it is known. The decision stays empty until it has been made; the attempts of a model call
    /// and their usage are added at the end.
    pub known: Outcome,
    /// The targets of its plan, in order.
    pub offered: Vec<Offered>,
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
pub struct Over {
    /// When the request arrived, in Unix milliseconds.
    pub arrived_at: u64,
    /// When the request was over, in Unix milliseconds.
    pub ended_at: u64,
}

impl Noted {
    /// Notes that the router has answered the request itself.
    pub fn answered(&mut self, answer: &Answer) {
        self.known.error = answer.code.map(ErrorCode::name);
        self.known.status = u16::try_from(answer.status).unwrap_or(0);
        if self.known.decision.is_empty() {
            self.known.decision = self.known.error.unwrap_or(decisions::ANSWERED);
        }
    }

    /// Replaces the noted attempts with the state of all attempts as of `now`, in order.
    pub fn attempts(&mut self, attempts: &[Report], now: u64) {
        let attempts = attempts.iter().map(|one| self.attempted(one, now));
        self.known.attempts = attempts.collect();
    }

    /// Returns the outcome of the request. `attempts`: its attempts as this worker has seen them, in order.
    pub fn outcome(mut self, attempts: &[Report], over: Over) -> Outcome {
        let is_answered = self.known.error.is_none();
        let last = attempts.last();
        let accepted = last.filter(|last| is_answered && last.is_accepted);
        let end = self.end(last);
        if let Some(accepted) = accepted {
            self.bill(accepted, end);
            let since_arrival = |at: u64| at.saturating_sub(over.arrived_at);
            self.known.first_token_ms = accepted.first_at.map(since_arrival);
            self.known.answered_model.clone_from(&accepted.model);
        }
        // Of what is no call of a model, Envoy has told.
        if !attempts.is_empty() {
            self.attempts(attempts, over.ended_at);
        }
        self.known.end = end;
        self.known.whole_ms = over.ended_at.saturating_sub(over.arrived_at);
        if self.known.decision.is_empty() {
            self.known.decision = decisions::NONE;
        }
        self.known
    }

    /// How the answer ended.
    fn end(&self, last: Option<&Report>) -> End {
        // If the last attempt is not over, the caller has ended it: in every other case, the attempt's context ends
        // before the request's does.
        let is_open = last.is_none_or(|last| last.end.is_none() && last.failure.is_none());
        match (self.known.error, last.and_then(|last| last.end)) {
            (Some(_), _) => End::None,
            (None, Some(end)) => end,
            (None, None) if self.is_whole => End::Complete,
            // Envoy's own answer to what it did not let come so far.
            (None, None) if self.known.decision.is_empty() && self.known.status > 0 => End::None,
            (None, None) if is_open && !self.is_cut => End::ClientGone,
            (None, None) if self.known.status == 0 => End::None,
            (None, None) => End::Cut,
        }
    }

    fn attempted(&self, report: &Report, now: u64) -> Attempted {
        let offered = self.offered.get(usize::from(report.target));
        let verdict = match report.failure {
            Some(failure) => failure.name(),
            None if report.is_accepted => Attempted::ACCEPTED,
            None => Attempted::ABANDONED,
        };
        let ended_at = report.ended_at.unwrap_or(now);
        Attempted {
            backend: offered.map_or_else(String::new, |offered| offered.backend.clone()),
            model: offered.map_or_else(String::new, |offered| offered.model.clone()),
            verdict,
            ms: Some(ended_at.saturating_sub(report.began_at)),
        }
    }

    /// Sets the usage of the answer, whether it is an estimate, and its cost. `end`: how the answer ended.
    fn bill(&mut self, report: &Report, end: End) {
        let told = report.usage;
        let estimate = if self.has_tokens(report, end) {
            self.estimate(report, end)
        } else {
            None
        };
        self.known.is_estimated = estimate.is_some();
        self.known.usage = estimate.unwrap_or(told);
        let offered = self.offered.get(usize::from(report.target));
        self.known.cost = offered.and_then(|offered| cost(&self.known.usage, &offered.prices));
    }

    /// Whether the request and its answer are counted in tokens that can be estimated from bytes.
    fn has_tokens(&self, report: &Report, end: End) -> bool {
        let is_something = match end {
            End::Complete => self.known.response_bytes > 0,
            // Only tokens count here: the stream may consist of nothing but an error.
            End::InBandError => report.content_tokens.is_some_and(|tokens| tokens > 0),
            _ => true,
        };
        let is_text = self.known.api.is_some_and(Api::is_text);
        is_text && is_something && (200..300).contains(&self.known.status)
    }

    /// Estimates the usage if the answer did not report it, or reported only the beginning of it.
    fn estimate(&self, report: &Report, end: End) -> Option<Usage> {
        let told = report.usage;
        if told.is_unknown() {
            let of_bytes = || rough_tokens(self.known.request_bytes);
            let of_body = || rough_tokens(self.known.response_bytes);
            return Some(Usage {
                input: Some(self.prompt_tokens.unwrap_or_else(of_bytes)),
                output: Some(report.content_tokens.unwrap_or_else(of_body)),
                ..Usage::default()
            });
        }
        let is_part = !report.is_finished && end != End::Complete;
        let seen = report.content_tokens.filter(|_| is_part)?;
        (seen > told.output.unwrap_or(0)).then_some(Usage {
            output: Some(seen),
            ..told
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
#[path = "noted_tests.rs"]
mod tests;
