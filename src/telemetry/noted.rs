//! What the router role has seen of a request, and what its attempts tell → its outcome.

use super::cost::cost;
use super::outcome::{Attempted, End, MAX_CALLER_BYTES, Outcome};
use crate::attempt::Report;
use crate::config::Prices;
use crate::prompt::rough_tokens;
use crate::request::{Caller, Headers};
use crate::routing::KeySource;
use crate::schema::{Answer, Api, ErrorCode, Usage};

/// A target that a request may be sent to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// The backend's name.
    pub backend: String,
    /// What the backend calls the model.
    pub model: String,
    /// What its tokens cost.
    pub prices: Prices,
}

/// What has been seen of a request so far.
#[derive(Clone, Debug, Default)]
pub struct Noted {
    /// What is known of its outcome. Its decision is empty as long as that has not been made; the attempts at a call of a
    /// model, and what they gave, come at the end.
    pub known: Outcome,
    /// The targets of its plan, in order.
    pub offered: Vec<Offered>,
    /// About how many tokens its prompt has, once it is on its way.
    pub prompt_tokens: Option<u64>,
    /// Whether the last of the answer has passed.
    pub is_whole: bool,
    /// Whether Envoy says that it broke off, and not because of the caller; only of a request whose attempts are not seen.
    pub is_cut: bool,
}

/// Names of decisions beside those of a route's choice and of errors.
pub mod decisions {
    /// What is no call of a model was sent on by its headers.
    pub const PASS_THROUGH: &str = "pass_through";
    /// It was answered here, and that was no error: the list of models, a dry run.
    pub const ANSWERED: &str = "answered";
    /// It ended before anything was decided.
    pub const NONE: &str = "none";
}

/// What is known of a request when it is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Over {
    /// When it arrived, in Unix milliseconds.
    pub arrived_at: u64,
    /// When it was over.
    pub ended_at: u64,
}

impl Noted {
    /// It is answered here.
    pub fn answered(&mut self, answer: &Answer) {
        self.known.error = answer.code.map(ErrorCode::name);
        self.known.status = u16::try_from(answer.status).unwrap_or(0);
        if self.known.decision.is_empty() {
            self.known.decision = self.known.error.unwrap_or(decisions::ANSWERED);
        }
    }

    /// Takes over what became of its attempts by now: all of them, in order.
    pub fn attempts(&mut self, attempts: &[Report], now: u64) {
        let attempts = attempts.iter().map(|one| self.attempted(one, now));
        self.known.attempts = attempts.collect();
    }

    /// What became of it. `attempts`: of the same worker, in order.
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

    /// How its answer ended.
    fn end(&self, last: Option<&Report>) -> End {
        // The attempt that is not over was ended by the caller: its context ends before the request's in any other case.
        let is_open = last.is_none_or(|last| last.end.is_none() && last.failure.is_none());
        match (self.known.error, last.and_then(|last| last.end)) {
            (Some(_), _) => End::None,
            (None, Some(end)) => end,
            (None, None) if self.is_whole => End::Complete,
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

    /// Takes over what the answer took and gave, whether that is an estimate, and what it costs. `end`: how it ended.
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

    /// Whether something is asked and answered that is counted in tokens, of which bytes are a measure.
    fn has_tokens(&self, report: &Report, end: End) -> bool {
        let is_something = match end {
            End::Complete => self.known.response_bytes > 0,
            // An error and nothing else.
            End::InBandError => report.content_tokens.is_some_and(|tokens| tokens > 0),
            _ => true,
        };
        let is_text = self.known.api.is_some_and(Api::is_text);
        is_text && is_something && (200..300).contains(&self.known.status)
    }

    /// What it took and gave where it has not said so, or only how it began.
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

/// A caller's name, if it can be one: of printable ASCII, and not too long. Another one is not cut, which could make it
/// that of somebody else.
pub fn caller_name(value: &[u8]) -> Option<String> {
    let is_name = (1..=MAX_CALLER_BYTES).contains(&value.len())
        && value.iter().all(|byte| matches!(byte, b' '..=b'~'));
    is_name
        .then(|| String::from_utf8(value.to_vec()).ok())
        .flatten()
}

/// Who sent a request, as this source tells it.
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
