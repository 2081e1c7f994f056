//! An answer that is held back until it is known to be good, or until the next attempt is made.

use super::followed::finish_reading;
use super::observer::AnswerObserver;
use super::{Phase, ResponseAction, ResponseBody, RunningAttempt};
use crate::attempt::failure::Failure;
use crate::attempt::plan::Plan;
use crate::attempt::verdict::Moment;
use crate::schema::{JsonAnswer, StreamReader, classify_json_answer, failure_of_answer};
use crate::telemetry::AnswerEnd;

pub(super) struct HeldAnswer {
    pub(super) kind: HeldKind,
    /// How many bytes have arrived, and how many of them have been read.
    pub(super) size: usize,
    seen: usize,
    pub(super) last_activity_at: u64,
}

pub(super) enum HeldKind {
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
    Error {
        status: u32,
        retry_after_ms: Option<u64>,
    },
}

/// The maximum number of bytes of an error's body that are read.
pub(super) const ERROR_LIMIT: usize = 64 * 1024;

impl HeldAnswer {
    /// Returns the time at which the first content token is late, if it has not arrived yet.
    pub(super) fn first_token_timeout(&self, began_at: u64, plan: &Plan) -> Option<u64> {
        let limit = u64::from(plan.policy.first_token_timeout_ms);
        match &self.kind {
            HeldKind::Stream { reader, .. } if limit > 0 && !reader.has_content() => {
                Some(began_at.saturating_add(limit))
            }
            _ => None,
        }
    }

    /// Whether some of an answer with a successful status has arrived.
    pub(super) fn has_begun(&self) -> bool {
        self.size > 0 && !matches!(self.kind, HeldKind::Error { .. })
    }

    /// Whether the first token of a stream has arrived, or the first byte of any other answer.
    fn has_first(&self) -> bool {
        match &self.kind {
            HeldKind::Stream { reader, .. } => reader.has_content(),
            _ => self.has_begun(),
        }
    }

    /// Reads what has arrived, and returns what the answer turns out to be.
    fn read(
        &mut self,
        body: &ResponseBody<'_>,
        limit: usize,
        observer: &mut AnswerObserver,
    ) -> ReadResult {
        let is_over = body.size > limit;
        match &mut self.kind {
            HeldKind::Stream { reader, complete } => {
                let new = body.size.saturating_sub(self.seen);
                reader.push(&(body.read)(self.seen, new));
                let is_cut = body.end_of_stream && finish_reading(reader);
                self.seen = body.size;
                let is_finished = reader.is_finished();
                let is_enough = !*complete && (reader.has_content() || is_finished);
                match reader.error() {
                    // If this is the last attempt, the client gets the error together with what came before it.
                    Some(failure) => ReadResult::Failure(failure, None),
                    None if is_over || body.end_of_stream && is_finished => {
                        ReadResult::Answer { is_cut }
                    }
                    None if body.end_of_stream => ReadResult::Failure(Failure::Incomplete, None),
                    None if is_enough => ReadResult::Answer { is_cut },
                    None => ReadResult::Unknown,
                }
            }
            HeldKind::Error {
                status,
                retry_after_ms,
            } if body.end_of_stream || body.size > ERROR_LIMIT => {
                let text = (body.read)(0, body.size.min(ERROR_LIMIT));
                ReadResult::Failure(failure_of_answer(*status, &text), *retry_after_ms)
            }
            HeldKind::Json if body.end_of_stream && !is_over => {
                let text = (body.read)(0, body.size);
                observer.push(&text);
                match classify_json_answer(&text) {
                    JsonAnswer::Answer => ReadResult::Answer { is_cut: false },
                    JsonAnswer::Error(failure) => ReadResult::Failure(failure, None),
                    JsonAnswer::Broken => ReadResult::Failure(Failure::Incomplete, None),
                }
            }
            HeldKind::Json | HeldKind::Opaque if is_over || body.end_of_stream => {
                if observer.is_reading() {
                    observer.push(&(body.read)(0, body.size));
                }
                ReadResult::Answer { is_cut: false }
            }
            HeldKind::Json | HeldKind::Opaque | HeldKind::Error { .. } => ReadResult::Unknown,
        }
    }
}

enum ReadResult {
    /// Not known yet.
    Unknown,
    /// An answer whose beginning the client may have. `is_cut`: its last event lacks its blank line.
    Answer { is_cut: bool },
    /// A failure, and the time for which the backend asks not to be called.
    Failure(Failure, Option<u64>),
}

impl RunningAttempt {
    pub(super) fn hold(&mut self, kind: HeldKind, now: u64) -> ResponseAction {
        self.phase = Phase::Held(HeldAnswer {
            kind,
            size: 0,
            seen: 0,
            last_activity_at: now,
        });
        ResponseAction::Hold
    }

    pub(super) fn on_held_body(
        &mut self,
        body: &ResponseBody<'_>,
        moment: Moment<'_>,
    ) -> ResponseAction {
        let limit = usize::try_from(self.plan.policy.hold_limit_bytes).unwrap_or(usize::MAX);
        let Phase::Held(held) = &mut self.phase else {
            return ResponseAction::Pass;
        };
        held.last_activity_at = moment.now;
        held.size = body.size;
        // If the length is known, the last byte is the end. Envoy may report the end only after the last byte has
        // passed, and an HTTP/1.1 client then considers the answer complete.
        let is_last = matches!(held.kind, HeldKind::Stream { .. }) && body.size >= self.length;
        let body = ResponseBody {
            end_of_stream: body.end_of_stream || is_last,
            ..*body
        };
        let found = held.read(&body, limit, &mut self.observer);
        if held.has_first() {
            self.observer.note_first(moment.now);
        }
        match found {
            ReadResult::Unknown => ResponseAction::Hold,
            ReadResult::Failure(failure, retry_after_ms) => {
                self.fail(failure, retry_after_ms, moment)
            }
            ReadResult::Answer { is_cut } => {
                self.plan.record_success(self.began_at, moment);
                match self.take_held() {
                    Some((reader, _)) => self.release(reader, is_cut, &body),
                    None if body.end_of_stream => {
                        self.observer.note_end(AnswerEnd::Complete);
                        self.pass()
                    }
                    None => self.pass_rest(None, body.size),
                }
            }
        }
    }

    /// Stops holding the answer. Returns its reader, if it is a stream, and how many bytes have arrived.
    pub(super) fn take_held(&mut self) -> Option<(StreamReader, usize)> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Held(HeldAnswer {
                kind: HeldKind::Stream { reader, .. },
                size,
                ..
            }) => Some((reader, size)),
            _ => None,
        }
    }
}
