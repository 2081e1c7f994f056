//! The faults that a model name or a switch selects.

use std::num::NonZeroU64;
use std::time::Duration;

use axum::http::StatusCode;

/// A fault, or another unusual behaviour, of a backend. The documentation of [`super::backend`] has the table of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Answer this status, with an error object in the API's own format, and tell when to retry.
    Status(StatusCode, Option<RetryAdvice>),
    /// Never answer; the connection stays open until the client leaves.
    Hang,
    /// Break the connection with a TCP RST before an answer.
    Reset,
    /// Close the connection with a FIN before an answer.
    Close,
    /// Wait before the headers of an answer.
    SlowHeaders(Duration),
    /// Wait before the first token of an answer.
    SlowToken(Duration),
    /// Wait between two words.
    SlowWords(Duration),
    /// Answer this many words.
    Words(usize),
    /// Answer this many KiB of text, without pauses.
    Large(usize),
    /// Stop before the answer is complete.
    Stop(EarlyStop),
    /// Send an event that is not JSON after this many tokens.
    Malformed(usize),
    /// Answer 200 with only an error.
    ErrorFirst(ApiError),
    /// Send an error after this many tokens, and nothing more.
    ErrorAfter(usize),
    /// Answer 200 with a stream without any event.
    EmptyStream,
    /// Answer 200 with an empty body.
    EmptyBody,
    /// Send this many pings before a stream.
    Pings(usize),
    /// Answer 400, with this error in the API's own words.
    Refuse(ApiError),
    /// Answer with this many additional headers.
    Headers(usize),
    /// Compress the answer's body, whatever the client accepts.
    Gzip,
    /// Add reasoning before the answer.
    Reasoning,
    /// End the lines of a stream with CRLF.
    Crlf,
    /// Send every byte of the body separately.
    Bytewise,
    /// This fault for the first request only.
    Once(Box<Fault>),
    /// This fault for the first request of each group of this many.
    Every(NonZeroU64, Box<Fault>),
}

/// How a refused client is told when to retry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RetryAdvice {
    /// `retry-after` with these seconds, as they were written.
    Seconds(String),
    /// `retry-after-ms`.
    Milliseconds(u64),
    /// `retry-after` with the date in this many seconds.
    Date(u64),
    /// The API's own headers: no request is left, and more are available in this many milliseconds.
    Reset(u64),
}

/// An answer that stops before it is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EarlyStop {
    pub(crate) at: StopPoint,
    pub(crate) ending: Ending,
    pub(crate) length: DeclaredLength,
}

/// Where an answer stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopPoint {
    /// Before the first byte of the body.
    Headers,
    /// A stream after this many tokens of the content; a whole body in its middle.
    Tokens(usize),
    /// A stream after the event with the finish reason; a whole body in its middle.
    Finish,
    /// A stream before the event that ends it; a whole body not at all.
    Terminator,
}

/// What happens where an answer stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The body ends as a complete HTTP body.
    Clean,
    /// The connection closes with a FIN.
    Fin,
    /// The connection breaks with a RST.
    Rst,
    /// Nothing: the connection stays open until the client leaves.
    Silence,
}

/// The `content-length` of an answer that stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeclaredLength {
    /// No `content-length`.
    Absent,
    /// The length of what is sent.
    Sent,
    /// The length of the whole answer.
    Full,
}

/// An error for which each API has its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApiError {
    RateLimit,
    Overloaded,
    Server,
    Auth,
    Invalid,
    ContextLength,
    ContentPolicy,
}

/// The maximum number of words, KiB or pings; more would only fill the memory.
const MAX_WORDS: usize = 1_000_000;
const MAX_KIB: usize = 65_536;
const MAX_PINGS: usize = 1_000_000;

/// The maximum number of headers; a map of headers holds little more.
const MAX_HEADERS: usize = 10_000;

/// The longest wait, in seconds: ten days, longer than anyone waits and still a date that can be written.
const MAX_WAIT_SECONDS: u64 = 864_000_000;

impl Fault {
    /// Returns the fault of this model name; `None` for a model that works.
    pub(crate) fn of_model(model: &str) -> Option<Fault> {
        if let Some(fault) = model.strip_prefix("once-") {
            return Some(Fault::Once(Box::new(Fault::every_time(fault)?)));
        }
        if let Some(rest) = model.strip_prefix("every-") {
            let (every, fault) = rest.split_once('-')?;
            let every = NonZeroU64::new(number(every)?)?;
            return Some(Fault::Every(every, Box::new(Fault::every_time(fault)?)));
        }
        Fault::every_time(model)
    }

    fn every_time(name: &str) -> Option<Fault> {
        if let Some(status) = name.strip_prefix("status-") {
            return refusing(status);
        }
        named(name).or_else(|| numbered(name))
    }

    /// Whether the fault depends on the number of earlier requests.
    pub(crate) fn depends_on_count(&self) -> bool {
        matches!(self, Fault::Once(_) | Fault::Every(..))
    }

    /// Returns what this fault is for a request with this many before it.
    pub(crate) fn at_count(self, before: u64) -> Option<Fault> {
        match self {
            Fault::Once(fault) => (before == 0).then_some(*fault),
            Fault::Every(every, fault) => {
                (before.checked_rem(every.get()) == Some(0)).then_some(*fault)
            }
            fault => Some(fault),
        }
    }
}

fn named(name: &str) -> Option<Fault> {
    let stop = |at, ending| {
        Fault::Stop(EarlyStop {
            at,
            ending,
            length: DeclaredLength::Absent,
        })
    };
    Some(match name {
        "hang" => Fault::Hang,
        "reset" => Fault::Reset,
        "close" => Fault::Close,
        "reset-headers" => stop(StopPoint::Headers, Ending::Rst),
        "close-headers" => stop(StopPoint::Headers, Ending::Fin),
        "end-finished" => stop(StopPoint::Terminator, Ending::Clean),
        "stall-finished" => stop(StopPoint::Finish, Ending::Silence),
        "error-first" | "error-first-server" => Fault::ErrorFirst(ApiError::Server),
        "error-first-rate_limit" => Fault::ErrorFirst(ApiError::RateLimit),
        "error-first-overloaded" => Fault::ErrorFirst(ApiError::Overloaded),
        "error-first-auth" => Fault::ErrorFirst(ApiError::Auth),
        "error-first-invalid" => Fault::ErrorFirst(ApiError::Invalid),
        "empty-stream" => Fault::EmptyStream,
        "empty-body" => Fault::EmptyBody,
        "context-length" => Fault::Refuse(ApiError::ContextLength),
        "content-policy" => Fault::Refuse(ApiError::ContentPolicy),
        "gzip" => Fault::Gzip,
        "reasoning" => Fault::Reasoning,
        "crlf" => Fault::Crlf,
        "bytewise" => Fault::Bytewise,
        _ => return None,
    })
}

/// Parses the faults that end with one number.
fn numbered(name: &str) -> Option<Fault> {
    let (name, amount) = name.rsplit_once('-')?;
    let amount = number(amount)?;
    let time = || (amount <= MAX_WAIT_SECONDS).then(|| Duration::from_millis(amount));
    let count = usize::try_from(amount).ok()?;
    let up_to = |most| (count <= most).then_some(count);
    let stop = |ending, length| {
        Fault::Stop(EarlyStop {
            at: StopPoint::Tokens(count),
            ending,
            length,
        })
    };
    Some(match name {
        "slow-headers" => Fault::SlowHeaders(time()?),
        "slow-token" => Fault::SlowToken(time()?),
        "slow-words" => Fault::SlowWords(time()?),
        "words" => Fault::Words(up_to(MAX_WORDS)?),
        "large" => Fault::Large(up_to(MAX_KIB)?),
        "end" => stop(Ending::Clean, DeclaredLength::Absent),
        "end-length" => stop(Ending::Clean, DeclaredLength::Sent),
        "cut" => stop(Ending::Fin, DeclaredLength::Absent),
        "cut-length" => stop(Ending::Fin, DeclaredLength::Full),
        "reset" => stop(Ending::Rst, DeclaredLength::Absent),
        "stall" => stop(Ending::Silence, DeclaredLength::Absent),
        "malformed" => Fault::Malformed(count),
        "error-after" => Fault::ErrorAfter(count),
        "pings" => Fault::Pings(up_to(MAX_PINGS)?),
        "headers" => Fault::Headers(up_to(MAX_HEADERS)?),
        _ => return None,
    })
}

/// Parses `NNN`, or `NNN-` and an advice.
fn refusing(rest: &str) -> Option<Fault> {
    let (status, advice) = match rest.split_once('-') {
        Some((status, advice)) => (status, Some(self::advice(advice)?)),
        None => (rest, None),
    };
    let status = u16::try_from(number(status)?).ok()?;
    // Below 200 there are no final statuses, and 600 is not a status.
    if !(200..600).contains(&status) {
        return None;
    }
    Some(Fault::Status(StatusCode::from_u16(status).ok()?, advice))
}

fn advice(name: &str) -> Option<RetryAdvice> {
    let (name, amount) = name.rsplit_once('-')?;
    let amount_of = || number(amount).filter(|amount| *amount <= MAX_WAIT_SECONDS);
    Some(match name {
        "retry-after" => {
            let (whole, part) = amount.split_once('.').unwrap_or((amount, "0"));
            number(whole).and(number(part))?;
            RetryAdvice::Seconds(amount.to_owned())
        }
        "retry-after-ms" => RetryAdvice::Milliseconds(amount_of()?),
        "retry-date" => RetryAdvice::Date(amount_of()?),
        "reset" => RetryAdvice::Reset(amount_of()?),
        _ => return None,
    })
}

/// Parses a number that has only digits, without sign and spaces.
fn number(digits: &str) -> Option<u64> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        digits.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
