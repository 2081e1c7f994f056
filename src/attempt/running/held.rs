//! An answer that is held back until it is known to be good, or until the next attempt is made.

use super::followed::end_of;
use super::observed::Observed;
use super::{Body, Phase, Running, Step};
use crate::attempt::failure::Failure;
use crate::attempt::plan::Plan;
use crate::attempt::verdict::Moment;
use crate::schema::{StreamReader, Whole, failure_of_answer, read_whole};
use crate::telemetry::End;

pub(super) struct Held {
    pub(super) what: What,
    /// How many bytes have arrived, and how many of them have been read.
    pub(super) size: usize,
    seen: usize,
    pub(super) touched_at: u64,
}

pub(super) enum What {
    /// Server-sent events.
    Stream {
        reader: StreamReader,
        complete: bool,
    },
    /// A JSON answer.
    Json,
    /// An answer that cannot be read and is only held until it is complete.
    Opaque,
    /// The body of an error with this status, and the time for which the backend asks not to be called.
    Error { status: u32, asked_ms: Option<u64> },
}

/// The maximum number of bytes of an error's body that are read.
pub(super) const ERROR_LIMIT: usize = 64 * 1024;

impl Held {
    /// Returns the time at which the first content token is late, if it has not arrived yet.
    pub(super) fn first_token_timeout(&self, began_at: u64, plan: &Plan) -> Option<u64> {
        let limit = u64::from(plan.policy.first_token_timeout_ms);
        match &self.what {
            What::Stream { reader, .. } if limit > 0 && !reader.has_content() => {
                Some(began_at.saturating_add(limit))
            }
            _ => None,
        }
    }

    /// Whether some of an answer with a successful status has arrived.
    pub(super) fn has_begun(&self) -> bool {
        self.size > 0 && !matches!(self.what, What::Error { .. })
    }

    /// Whether the first token of a stream has arrived, or the first byte of any other answer.
    fn has_first(&self) -> bool {
        match &self.what {
            What::Stream { reader, .. } => reader.has_content(),
            _ => self.has_begun(),
        }
    }

    /// Reads what has arrived, and returns what the answer turns out to be.
    fn read(&mut self, body: &Body<'_>, limit: usize, observed: &mut Observed) -> Found {
        let is_over = body.size > limit;
        match &mut self.what {
            What::Stream { reader, complete } => {
                let new = body.size.saturating_sub(self.seen);
                reader.push(&(body.read)(self.seen, new));
                let is_cut = body.end_of_stream && end_of(reader);
                self.seen = body.size;
                let is_finished = reader.is_finished();
                let is_enough = !*complete && (reader.has_content() || is_finished);
                match reader.error() {
                    // If this is the last attempt, the client gets the error together with what came before it.
                    Some(failure) => Found::Failure(failure, None),
                    None if is_over || body.end_of_stream && is_finished => {
                        Found::Answer { is_cut }
                    }
                    None if body.end_of_stream => Found::Failure(Failure::Incomplete, None),
                    None if is_enough => Found::Answer { is_cut },
                    None => Found::Nothing,
                }
            }
            What::Error { status, asked_ms } if body.end_of_stream || body.size > ERROR_LIMIT => {
                let text = (body.read)(0, body.size.min(ERROR_LIMIT));
                Found::Failure(failure_of_answer(*status, &text), *asked_ms)
            }
            What::Json if body.end_of_stream && !is_over => {
                let text = (body.read)(0, body.size);
                observed.push(&text);
                match read_whole(&text) {
                    Whole::Answer => Found::Answer { is_cut: false },
                    Whole::Error(failure) => Found::Failure(failure, None),
                    Whole::Broken => Found::Failure(Failure::Incomplete, None),
                }
            }
            What::Json | What::Opaque if is_over || body.end_of_stream => {
                if observed.is_reading() {
                    observed.push(&(body.read)(0, body.size));
                }
                Found::Answer { is_cut: false }
            }
            What::Json | What::Opaque | What::Error { .. } => Found::Nothing,
        }
    }
}

enum Found {
    /// Not known yet.
    Nothing,
    /// An answer whose beginning the client may have. `is_cut`: its last event lacks its blank line.
    Answer { is_cut: bool },
    /// A failure, and the time for which the backend asks not to be called.
    Failure(Failure, Option<u64>),
}

impl Running {
    pub(super) fn hold(&mut self, what: What, now: u64) -> Step {
        self.phase = Phase::Held(Held {
            what,
            size: 0,
            seen: 0,
            touched_at: now,
        });
        Step::Hold
    }

    pub(super) fn on_held_body(&mut self, body: &Body<'_>, moment: Moment<'_>) -> Step {
        let limit = usize::try_from(self.plan.policy.hold_limit_bytes).unwrap_or(usize::MAX);
        let Phase::Held(held) = &mut self.phase else {
            return Step::Pass;
        };
        held.touched_at = moment.now;
        held.size = body.size;
        // If the length is known, the last byte is the end. Envoy may report the end only after the last byte has
        // passed, and an HTTP/1.1 client then considers the answer complete.
        let is_last = matches!(held.what, What::Stream { .. }) && body.size >= self.length;
        let body = Body {
            end_of_stream: body.end_of_stream || is_last,
            ..*body
        };
        let found = held.read(&body, limit, &mut self.observed);
        if held.has_first() {
            self.observed.first(moment.now);
        }
        match found {
            Found::Nothing => Step::Hold,
            Found::Failure(failure, asked_ms) => self.fail(failure, asked_ms, moment),
            Found::Answer { is_cut } => {
                self.plan.tell_success(self.began_at, moment);
                match self.take_held() {
                    Some((reader, _)) => self.release(reader, is_cut, &body),
                    None if body.end_of_stream => {
                        self.observed.end(End::Complete);
                        self.pass()
                    }
                    None => self.let_go(None, body.size),
                }
            }
        }
    }

    /// Stops holding the answer. Returns its reader, if it is a stream, and how many bytes have arrived.
    pub(super) fn take_held(&mut self) -> Option<(StreamReader, usize)> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Held(Held {
                what: What::Stream { reader, .. },
                size,
                ..
            }) => Some((reader, size)),
            _ => None,
        }
    }
}
