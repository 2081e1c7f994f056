//! An answer that passes through to the client: a stream is read to its end, and every answer is watched for silence.

use super::{Body, Moment, Phase, Running, Step};
use crate::schema::{ErrorCode, StreamReader, error_event};
use crate::telemetry::End;

/// The possible beginnings of a stream of server-sent events.
const FIELDS: [&[u8]; 5] = [b"data:", b"event:", b":", b"id:", b"retry:"];

/// The number of bytes that are enough to recognise such a beginning.
const FIELD_BYTES: usize = 6;

pub(super) struct Followed {
    /// The reader of a stream; `None` if the answer is not read.
    reader: Option<StreamReader>,
    /// How many bytes are still to come; more than are possible if the length is not known.
    left: usize,
    pub(super) touched_at: u64,
    /// Whether something has arrived since the clock was last read. Reading it takes a host call.
    pub(super) is_touched: bool,
    /// Whether some events are dropped.
    filters: bool,
    /// Whether the answer may be a stream although its headers do not say so. Its first bytes will tell.
    may_be_stream: bool,
}

impl Followed {
    pub(super) fn is_read(&self) -> bool {
        self.reader.is_some()
    }

    pub(super) fn reader(&self) -> Option<&StreamReader> {
        self.reader.as_ref()
    }
}

impl Running {
    /// Follows a stream that passes through from its beginning.
    pub(super) fn follow(&mut self, reader: StreamReader) -> Step {
        let filters = self.filters();
        self.watch(Some(reader), self.length, filters)
    }

    /// Follows an answer that may be a stream.
    pub(super) fn follow_if_stream(&mut self) -> Step {
        let step = self.let_go(None, 0);
        if let Phase::Following(followed) = &mut self.phase {
            followed.may_be_stream = true;
        }
        step
    }

    /// Whether an answer that is not read as a stream turns out to be one by this piece, its first.
    pub(super) fn is_stream_after_all(&mut self, body: &Body<'_>) -> bool {
        let Phase::Following(followed) = &mut self.phase else {
            return false;
        };
        if body.size == 0 || !std::mem::take(&mut followed.may_be_stream) {
            return false;
        }
        let first = (body.read)(0, body.size.min(FIELD_BYTES));
        let is_stream = FIELDS.iter().any(|field| first.starts_with(field));
        if is_stream {
            self.observed.read_elsewhere();
            self.follow(self.reader());
        }
        is_stream
    }

    /// Lets an answer pass through. What has arrived cannot be changed any more; the rest passes as it arrives.
    pub(super) fn let_go(&mut self, reader: Option<StreamReader>, size: usize) -> Step {
        // Between two events, filtering can start as if the stream began here.
        let filters =
            self.filters() && reader.as_ref().is_some_and(StreamReader::is_between_events);
        self.watch(reader, self.length.saturating_sub(size), filters)
    }

    fn watch(&mut self, reader: Option<StreamReader>, left: usize, filters: bool) -> Step {
        self.phase = Phase::Following(Followed {
            reader,
            left,
            touched_at: 0,
            is_touched: true,
            filters,
            may_be_stream: false,
        });
        Step::Pass
    }

    fn filters(&self) -> bool {
        self.drops().any() && !self.is_fixed
    }

    pub(super) fn on_followed_body<'m>(
        &mut self,
        body: &Body<'_>,
        moment: impl FnOnce() -> Moment<'m>,
    ) -> Step {
        let Phase::Following(followed) = &mut self.phase else {
            return Step::Pass;
        };
        followed.is_touched = true;
        followed.left = followed.left.saturating_sub(body.size);
        let Some(reader) = &mut followed.reader else {
            return Step::Pass;
        };
        let piece = (body.read)(0, body.size);
        if followed.filters {
            let passed = reader.push_filtered(&piece, body.end_of_stream);
            if !self.observed.has_begun() && reader.has_content() {
                self.observed.first(moment().now);
            }
            if body.end_of_stream {
                return self.end(passed, false);
            }
            return if passed == piece {
                Step::Pass
            } else {
                Step::Replace(passed)
            };
        }
        reader.push(&piece);
        if !self.observed.has_begun() && reader.has_content() {
            self.observed.first(moment().now);
        }
        // If the length is known, the last byte is the end. Envoy may report the end only after the last byte has
        // passed, and an HTTP/1.1 client then considers the answer complete.
        if body.end_of_stream || followed.left == 0 {
            let is_cut = end_of(reader);
            return self.end(piece, is_cut);
        }
        Step::Pass
    }

    pub(super) fn on_followed_trailers(&mut self) -> Step {
        let Phase::Following(followed) = &mut self.phase else {
            return Step::Pass;
        };
        let is_cut = followed.reader.as_mut().is_some_and(end_of);
        self.end(Vec::new(), is_cut)
    }

    /// Releases a held stream to the client and follows it from here on.
    pub(super) fn release(&mut self, reader: StreamReader, is_cut: bool, body: &Body<'_>) -> Step {
        if self.filters() {
            // Filter from the beginning, because an event that has already arrived may be malformed.
            let mut reader = self.reader();
            let all = (body.read)(0, body.size);
            let passed = reader.push_filtered(&all, body.end_of_stream);
            self.follow(reader);
            if body.end_of_stream {
                return self.end(passed, false);
            }
            return Step::Replace(passed);
        }
        self.let_go(Some(reader), body.size);
        if body.end_of_stream {
            return self.end((body.read)(0, body.size), is_cut);
        }
        Step::Pass
    }

    /// Stops reading the answer.
    pub(super) fn stop_following(&mut self) -> Option<Followed> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Following(followed) => {
                if let Some(reader) = &followed.reader {
                    self.observed.keep(reader);
                }
                Some(followed)
            }
            phase => {
                self.phase = phase;
                None
            }
        }
    }

    /// Ends a stream that passes through, with `last` as what is sent of its last piece. `is_cut`: its last event
    /// lacks its blank line, and clients ignore an event without one.
    fn end(&mut self, mut last: Vec<u8>, is_cut: bool) -> Step {
        let Some(followed) = self.stop_following() else {
            return Step::Pass;
        };
        let Some(reader) = &followed.reader else {
            self.observed.end_whole();
            return Step::Pass;
        };
        let told = end_told_by(reader);
        let is_whole = told.is_some();
        self.observed.end(told.unwrap_or(End::NoTerminator));
        if self.is_fixed {
            // Nothing can be appended, so an incomplete answer must be reset to not look complete.
            return if is_whole { Step::Pass } else { Step::Reset };
        }
        if is_cut {
            last.extend_from_slice(b"\n\n");
        }
        if is_whole {
            return if followed.filters || is_cut {
                Step::Replace(last)
            } else {
                Step::Pass
            };
        }
        let code = ErrorCode::UpstreamIncomplete;
        last.extend(error_event(code, self.plan.api, code.own_message()));
        Step::Replace(last)
    }
}

/// How a stream has ended, if its events have said so.
pub(super) fn end_told_by(reader: &StreamReader) -> Option<End> {
    match reader.error() {
        Some(_) => Some(End::InBandError),
        None => reader.is_finished().then_some(End::Complete),
    }
}

/// Ends the reading of a stream. Returns whether its last event lacks its blank line.
pub(super) fn end_of(reader: &mut StreamReader) -> bool {
    let is_cut = !reader.is_between_events();
    reader.end();
    is_cut
}
