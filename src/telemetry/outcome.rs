//! What became of a request: measured once, at its end.

use crate::schema::{Api, Usage};

/// What became of one request. No prompt, no answer, no key and no query is in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The route that took it; `None`: none did.
    pub route: Option<String>,
    /// By what its targets were chosen, or why it went nowhere: a name of a closed set.
    pub decision: &'static str,
    /// The call; `None`: it was no call of a model.
    pub api: Option<Api>,
    /// Whether a streamed answer was asked for.
    pub stream: bool,
    /// Who sent it, as the document says how to tell: of at most [`MAX_CALLER_BYTES`] printable ASCII bytes.
    pub caller: Option<String>,
    /// The model that was asked for.
    pub model: Option<String>,
    /// The attempts, in order; the last one is the one that was answered, if any was.
    pub attempts: Vec<Attempted>,
    /// Whether there were attempts of which nothing is known here.
    pub is_unseen: bool,
    /// The model that the answer says it is from.
    pub answered_model: Option<String>,
    /// The status that the caller got; 0: none.
    pub status: u16,
    /// The stable code, where the answer was an error of the router's own.
    pub error: Option<&'static str>,
    /// How the answer ended.
    pub end: End,
    /// What the answer took and gave.
    pub usage: Usage,
    /// Whether the usage is an estimate, because the answer did not tell it.
    pub is_estimated: bool,
    /// In pico-dollars (US); `None`: a price is not known.
    pub cost: Option<u64>,
    /// From the request's arrival to the first token of the answer, or to its first byte where it is no stream, in
    /// milliseconds.
    pub first_token_ms: Option<u64>,
    /// From its arrival to its end, in milliseconds.
    pub whole_ms: u64,
    /// What the router role took for its decision, in microseconds.
    pub decision_us: u64,
    /// The bytes of the request's body.
    pub request_bytes: u64,
    /// The bytes of the answer's body.
    pub response_bytes: u64,
}

impl Outcome {
    /// The failed attempts that another one followed at another target, in order.
    pub fn fallbacks(&self) -> impl Iterator<Item = &Attempted> {
        let pairs = self.attempts.iter().zip(self.attempts.iter().skip(1));
        let is_elsewhere = |one: &Attempted, next: &Attempted| {
            (&one.backend, &one.model) != (&next.backend, &next.model)
        };
        pairs
            .filter(move |(one, next)| one.is_failure() && is_elsewhere(one, next))
            .map(|(one, _)| one)
    }
}

/// How long the name of a caller may be.
pub const MAX_CALLER_BYTES: usize = 128;

/// One attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempted {
    /// The backend's name.
    pub backend: String,
    /// What the backend calls the model; empty where it was no call of one.
    pub model: String,
    /// [`ACCEPTED`](Self::ACCEPTED), [`ABANDONED`](Self::ABANDONED), or the name of its failure.
    pub verdict: &'static str,
    /// From its beginning to its end, in milliseconds, as far as that is known.
    pub ms: Option<u64>,
}

impl Attempted {
    /// The verdict on an attempt whose answer the caller got.
    pub const ACCEPTED: &'static str = "accepted";

    /// The verdict on one for which the caller did not wait.
    pub const ABANDONED: &'static str = "abandoned";

    /// Whether it failed.
    pub fn is_failure(&self) -> bool {
        ![Self::ACCEPTED, Self::ABANDONED].contains(&self.verdict)
    }
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// There was none: the caller got an error of the router's, or nothing.
    #[default]
    None,
    /// As it should.
    Complete,
    /// A stream without what ends one, which the router has ended with an error.
    NoTerminator,
    /// A stream with an error in it.
    InBandError,
    /// The backend broke it off.
    Cut,
    /// Nothing more came of it, and it was given up.
    Stalled,
    /// The caller went away.
    ClientGone,
}

impl End {
    /// All of them, with their names.
    pub const ALL: [(&'static str, End); 7] = [
        ("none", End::None),
        ("complete", End::Complete),
        ("no_terminator", End::NoTerminator),
        ("in_band_error", End::InBandError),
        ("cut", End::Cut),
        ("stalled", End::Stalled),
        ("client_gone", End::ClientGone),
    ];
}
