//! An answer that passes through to the client: a stream is read to its end, and every answer is watched for silence.

use super::{Moment, Phase, ResponseAction, ResponseBody, RunningAttempt};
use crate::schema::{ErrorCode, StreamReader, error_event};
use crate::telemetry::AnswerEnd;

/// The possible beginnings of a stream of server-sent events.
const FIELDS: [&[u8]; 5] = [b"data:", b"event:", b":", b"id:", b"retry:"];

/// The number of bytes that are enough to recognise such a beginning.
const FIELD_BYTES: usize = 6;

pub(super) struct FollowedAnswer {
    /// The reader of a stream; `None` if the answer is not read.
    reader: Option<StreamReader>,
    /// How many bytes are still to come; more than are possible if the length is not known.
    left: usize,
    pub(super) last_activity_at: u64,
    /// Whether something has arrived since the clock was last read. Reading it takes a host call.
    pub(super) has_activity: bool,
    /// Whether some events are dropped.
    filters_events: bool,
    /// Whether the answer may be a stream although its headers do not say so. Its first bytes will tell.
    may_be_stream: bool,
}

impl FollowedAnswer {
    pub(super) fn is_read(&self) -> bool {
        self.reader.is_some()
    }

    pub(super) fn reader(&self) -> Option<&StreamReader> {
        self.reader.as_ref()
    }
}

impl RunningAttempt {
    /// Follows a stream that passes through from its beginning.
    pub(super) fn follow(&mut self, reader: StreamReader) -> ResponseAction {
        let filters_events = self.filters_events();
        self.watch(Some(reader), self.length, filters_events)
    }

    /// Follows an answer that may be a stream.
    pub(super) fn follow_if_stream(&mut self) -> ResponseAction {
        let action = self.pass_rest(None, 0);
        if let Phase::Following(followed) = &mut self.phase {
            followed.may_be_stream = true;
        }
        action
    }

    /// Whether an answer that is not read as a stream turns out to be one by this piece, its first.
    pub(super) fn is_stream_after_all(&mut self, body: &ResponseBody<'_>) -> bool {
        let Phase::Following(followed) = &mut self.phase else {
            return false;
        };
        if body.size == 0 || !std::mem::take(&mut followed.may_be_stream) {
            return false;
        }
        let first = (body.read)(0, body.size.min(FIELD_BYTES));
        let is_stream = FIELDS.iter().any(|field| first.starts_with(field));
        if is_stream {
            self.observer.read_elsewhere();
            self.follow(self.reader());
        }
        is_stream
    }

    /// Lets an answer pass through. What has arrived cannot be changed any more; the rest passes as it arrives.
    pub(super) fn pass_rest(
        &mut self,
        reader: Option<StreamReader>,
        size: usize,
    ) -> ResponseAction {
        // Between two events, filtering can start as if the stream began here.
        let filters_events =
            self.filters_events() && reader.as_ref().is_some_and(StreamReader::is_between_events);
        self.watch(reader, self.length.saturating_sub(size), filters_events)
    }

    fn watch(
        &mut self,
        reader: Option<StreamReader>,
        left: usize,
        filters_events: bool,
    ) -> ResponseAction {
        self.phase = Phase::Following(FollowedAnswer {
            reader,
            left,
            last_activity_at: 0,
            has_activity: true,
            filters_events,
            may_be_stream: false,
        });
        ResponseAction::Pass
    }

    fn filters_events(&self) -> bool {
        self.dropped_events().any() && !self.is_fixed
    }

    pub(super) fn on_followed_body<'m>(
        &mut self,
        body: &ResponseBody<'_>,
        moment: impl FnOnce() -> Moment<'m>,
    ) -> ResponseAction {
        let Phase::Following(followed) = &mut self.phase else {
            return ResponseAction::Pass;
        };
        followed.has_activity = true;
        followed.left = followed.left.saturating_sub(body.size);
        let Some(reader) = &mut followed.reader else {
            return ResponseAction::Pass;
        };
        let piece = (body.read)(0, body.size);
        if followed.filters_events {
            let passed = reader.push_filtered(&piece, body.end_of_stream);
            if !self.observer.has_begun() && reader.has_content() {
                self.observer.note_first(moment().now);
            }
            if body.end_of_stream {
                return self.end(passed, false);
            }
            return if passed == piece {
                ResponseAction::Pass
            } else {
                ResponseAction::Replace(passed)
            };
        }
        reader.push(&piece);
        if !self.observer.has_begun() && reader.has_content() {
            self.observer.note_first(moment().now);
        }
        // If the length is known, the last byte is the end. Envoy may report the end only after the last byte has
        // passed, and an HTTP/1.1 client then considers the answer complete.
        if body.end_of_stream || followed.left == 0 {
            let is_cut = finish_reading(reader);
            return self.end(piece, is_cut);
        }
        ResponseAction::Pass
    }

    pub(super) fn on_followed_trailers(&mut self) -> ResponseAction {
        let Phase::Following(followed) = &mut self.phase else {
            return ResponseAction::Pass;
        };
        let is_cut = followed.reader.as_mut().is_some_and(finish_reading);
        self.end(Vec::new(), is_cut)
    }

    /// Releases a held stream to the client and follows it from here on.
    pub(super) fn release(
        &mut self,
        reader: StreamReader,
        is_cut: bool,
        body: &ResponseBody<'_>,
    ) -> ResponseAction {
        if self.filters_events() {
            // Filter from the beginning, because an event that has already arrived may be malformed.
            let mut reader = self.reader();
            let all = (body.read)(0, body.size);
            let passed = reader.push_filtered(&all, body.end_of_stream);
            self.follow(reader);
            if body.end_of_stream {
                return self.end(passed, false);
            }
            return ResponseAction::Replace(passed);
        }
        self.pass_rest(Some(reader), body.size);
        if body.end_of_stream {
            return self.end((body.read)(0, body.size), is_cut);
        }
        ResponseAction::Pass
    }

    /// Stops reading the answer.
    pub(super) fn stop_following(&mut self) -> Option<FollowedAnswer> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Following(followed) => {
                if let Some(reader) = &followed.reader {
                    self.observer.keep_results(reader);
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
    fn end(&mut self, mut last: Vec<u8>, is_cut: bool) -> ResponseAction {
        let Some(followed) = self.stop_following() else {
            return ResponseAction::Pass;
        };
        let Some(reader) = &followed.reader else {
            self.observer.note_whole_end();
            return ResponseAction::Pass;
        };
        let end = reported_end(reader);
        let is_whole = end.is_some();
        self.observer
            .note_end(end.unwrap_or(AnswerEnd::NoTerminator));
        if self.is_fixed {
            // Nothing can be appended, so an incomplete answer must be reset to not look complete.
            return if is_whole {
                ResponseAction::Pass
            } else {
                ResponseAction::Reset
            };
        }
        if is_cut {
            last.extend_from_slice(b"\n\n");
        }
        if is_whole {
            return if followed.filters_events || is_cut {
                ResponseAction::Replace(last)
            } else {
                ResponseAction::Pass
            };
        }
        let code = ErrorCode::UpstreamIncomplete;
        last.extend(error_event(code, self.plan.api, code.default_message()));
        ResponseAction::Replace(last)
    }
}

/// How a stream has ended, if its events have said so.
pub(super) fn reported_end(reader: &StreamReader) -> Option<AnswerEnd> {
    match reader.error() {
        Some(_) => Some(AnswerEnd::InBandError),
        None => reader.is_finished().then_some(AnswerEnd::Complete),
    }
}

/// Ends the reading of a stream. Returns whether its last event lacks its blank line.
pub(super) fn finish_reading(reader: &mut StreamReader) -> bool {
    let is_cut = !reader.is_between_events();
    reader.end();
    is_cut
}
