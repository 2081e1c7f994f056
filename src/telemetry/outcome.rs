//! The outcome of a request, measured once, at its end.

use crate::schema::{Api, Usage};

/// The outcome of one request. It contains no prompt, no answer, no key and no query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The route that matched; `None` if none did.
    pub route: Option<String>,
    /// How its targets were chosen, or why the request went nowhere: one name of a closed set.
    pub decision: &'static str,
    /// The API that was called; `None` if the request does not call a model.
    pub api: Option<Api>,
    /// Whether the request asked for a streamed answer.
    pub stream: bool,
    /// The caller, from the source that the document configures: at most [`MAX_CALLER_BYTES`] bytes of printable
    /// ASCII.
    pub caller: Option<String>,
    /// The model that the request asked for.
    pub model: Option<String>,
    /// The attempts, in order. If the caller got a backend's answer, it is that of the last attempt.
    pub attempts: Vec<AttemptSummary>,
    /// Whether there were attempts that this VM did not see.
    pub has_unseen_attempts: bool,
    /// The model that the answer names.
    pub answered_model: Option<String>,
    /// The status that the caller got; 0 if it got none.
    pub status: u16,
    /// The stable error code, if the answer was one of the router's own errors.
    pub error: Option<&'static str>,
    /// How the answer ended.
    pub end: AnswerEnd,
    /// The token usage of the request and its answer.
    pub usage: Usage,
    /// Whether the usage is an estimate, because the answer did not report it.
    pub is_estimated: bool,
    /// The cost in pico-dollars (US); `None` if a price is not known.
    pub cost: Option<u64>,
    /// The time from the request's arrival to the first token of a streamed answer, or to the first byte of any other
    /// answer, in milliseconds.
    pub first_token_ms: Option<u64>,
    /// The time from the request's arrival to its end, in milliseconds.
    pub whole_ms: u64,
    /// The time that the router role took for its decision, in microseconds.
    pub decision_us: u64,
    /// The size of the request's body, in bytes.
    pub request_bytes: u64,
    /// The size of the answer's body, in bytes.
    pub response_bytes: u64,
}

impl Outcome {
    /// Returns the failed attempts that were followed by an attempt at another target, in order.
    pub fn fallbacks(&self) -> impl Iterator<Item = &AttemptSummary> {
        let pairs = self.attempts.iter().zip(self.attempts.iter().skip(1));
        let is_elsewhere = |one: &AttemptSummary, next: &AttemptSummary| {
            (&one.backend, &one.model) != (&next.backend, &next.model)
        };
        pairs
            .filter(move |(one, next)| one.is_failure() && is_elsewhere(one, next))
            .map(|(one, _)| one)
    }
}

/// The maximum length of a caller's name, in bytes.
pub const MAX_CALLER_BYTES: usize = 128;

/// One attempt of a request, as the outcome reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptSummary {
    /// The backend's name.
    pub backend: String,
    /// The model's upstream name; empty if the request was not a model call.
    pub model: String,
    /// [`ACCEPTED`](Self::ACCEPTED), [`ABANDONED`](Self::ABANDONED), or the name of its failure.
    pub verdict: &'static str,
    /// The duration of the attempt in milliseconds, as far as it is known.
    pub ms: Option<u64>,
}

impl AttemptSummary {
    /// The verdict on an attempt whose answer the caller got.
    pub const ACCEPTED: &'static str = "accepted";

    /// The verdict on an attempt that the caller did not wait for.
    pub const ABANDONED: &'static str = "abandoned";

    /// Whether the attempt failed.
    pub fn is_failure(&self) -> bool {
        ![Self::ACCEPTED, Self::ABANDONED].contains(&self.verdict)
    }
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnswerEnd {
    /// There was no answer: the caller got one of the router's errors, or nothing.
    #[default]
    None,
    /// The answer ended as it should.
    Complete,
    /// A stream ended without its terminator, so the router ended it with an error.
    NoTerminator,
    /// A stream contained an error.
    InBandError,
    /// The backend broke the answer off.
    Cut,
    /// The answer stopped making progress, and the router gave it up.
    Stalled,
    /// The caller disconnected.
    ClientGone,
}

impl AnswerEnd {
    /// All ends, with their names.
    pub const ALL: [(&'static str, AnswerEnd); 7] = [
        ("none", AnswerEnd::None),
        ("complete", AnswerEnd::Complete),
        ("no_terminator", AnswerEnd::NoTerminator),
        ("in_band_error", AnswerEnd::InBandError),
        ("cut", AnswerEnd::Cut),
        ("stalled", AnswerEnd::Stalled),
        ("client_gone", AnswerEnd::ClientGone),
    ];
}
