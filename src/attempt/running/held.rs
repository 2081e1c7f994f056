//! An answer that is held back, until it is known to be one or the next attempt is to be made.

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
    /// How many bytes of it are there, and how many of them have been looked at.
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
    /// What cannot be read, held for its completeness only.
    Opaque,
    /// The body of an error, of this status, after which the backend asks to be left alone for this long.
    Error { status: u32, asked_ms: Option<u64> },
}

/// How much of an error's body is read.
pub(super) const ERROR_LIMIT: usize = 64 * 1024;

impl Held {
    /// When the first content token is late, if it has not come.
    pub(super) fn first_token_timeout(&self, began_at: u64, plan: &Plan) -> Option<u64> {
        let limit = u64::from(plan.policy.first_token_timeout_ms);
        match &self.what {
            What::Stream { reader, .. } if limit > 0 && !reader.has_content() => {
                Some(began_at.saturating_add(limit))
            }
            _ => None,
        }
    }

    /// Whether some of an answer has come that is no error by its status.
    pub(super) fn has_begun(&self) -> bool {
        self.size > 0 && !matches!(self.what, What::Error { .. })
    }

    /// Whether its first token is there, or something of what is no stream.
    fn has_first(&self) -> bool {
        match &self.what {
            What::Stream { reader, .. } => reader.has_content(),
            _ => self.has_begun(),
        }
    }

    /// What it turns out to be with what has come of it.
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
                    // What came before it is let go together with it, if this is the last attempt.
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
    /// It cannot be told yet.
    Nothing,
    /// An answer, of which the client may have the beginning. `is_cut`: its last event lacks its blank line.
    Answer { is_cut: bool },
    /// After which the backend asks to be left alone for this long.
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
        // Where the length is known, the last byte is the end: Envoy may tell only after it has passed, and with it an
        // HTTP/1.1 client takes the answer for whole.
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

    /// Ends the holding; what reads it, if it is a stream, and how much has come.
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
