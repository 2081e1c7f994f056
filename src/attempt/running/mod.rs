//! An attempt that is under way: takes the events of its answer and returns what to do with the answer.

mod failed;
mod followed;
mod held;
mod observer;

use super::failure::Failure;
use super::plan::Plan;
use super::policy::Hold;
use super::verdict::Moment;
use crate::schema::{
    Answer, DroppedEvents, StreamReader, StreamSignal, failure_of_answer, retry_after,
};
use crate::telemetry::AnswerEnd;
use followed::FollowedAnswer;
use held::{HeldAnswer, HeldKind};
pub use observer::AttemptReport;
use observer::{AnswerObserver, AnswerTraits};

/// The headers of an answer.
pub struct ResponseHead<'a> {
    /// The HTTP status.
    pub status: u32,
    /// Whether the answer has no body.
    pub end_of_stream: bool,
    /// Looks up a header by name.
    pub header: &'a dyn Fn(&str) -> Option<Vec<u8>>,
}

/// The part of an answer's body that Envoy has at the moment.
#[derive(Clone, Copy)]
pub struct ResponseBody<'a> {
    /// How many bytes Envoy has: all of the body so far while it is held, otherwise the piece that is passing
    /// through.
    pub size: usize,
    /// Whether these are the last bytes.
    pub end_of_stream: bool,
    /// Reads bytes from Envoy: offset and length.
    pub read: &'a dyn Fn(usize, usize) -> Vec<u8>,
}

/// The destination of the next attempt, for the route's matcher and for the backend role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextAttempt {
    /// The plan, encoded.
    pub plan: Vec<u8>,
    /// The cluster of the next attempt.
    pub cluster: String,
}

/// What the host must do with an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum ResponseAction {
    /// Let it pass through.
    Pass,
    /// Send these bytes in place of the ones that arrived.
    Replace(Vec<u8>),
    /// Hold it back.
    Hold,
    /// Hold it back, and write the destination of the next attempt now.
    Wait(NextAttempt),
    /// Make Envoy retry. `None` if the destination of the next attempt was written before.
    Retry(Option<NextAttempt>),
    /// Write how the attempt ended, and send this answer instead.
    Answer(NextAttempt, Answer),
    /// Reset the stream.
    Reset,
}

/// An attempt whose request has been sent.
pub struct RunningAttempt {
    plan: Plan,
    began_at: u64,
    phase: Phase,
    /// Whether nothing can be appended to the answer, because its length was announced or its body has already
    /// passed.
    is_fixed: bool,
    /// Whether the answer has a `content-length` that must be removed, because the client may get fewer bytes.
    drops_content_length: bool,
    /// The length of the answer's body; `usize::MAX` if it is not known.
    length: usize,
    last_failure: Option<Failure>,
    observer: AnswerObserver,
}

enum Phase {
    /// No answer has arrived yet.
    Sent,
    /// The answer is held back.
    Held(HeldAnswer),
    /// The attempt failed, and its answer is held until the next attempt may begin.
    Waiting { until: u64 },
    /// The answer passes through and is followed to its end.
    Following(FollowedAnswer),
    /// Nothing more has to be done.
    Over,
}

impl RunningAttempt {
    pub(super) fn new(plan: Plan, now: u64) -> Self {
        RunningAttempt {
            plan,
            began_at: now,
            phase: Phase::Sent,
            is_fixed: false,
            drops_content_length: false,
            length: usize::MAX,
            last_failure: None,
            observer: AnswerObserver::default(),
        }
    }

    /// Whether the answer's `content-length` must be removed, because some of its body may be dropped.
    pub fn drops_content_length(&self) -> bool {
        self.drops_content_length
    }

    /// Takes the failure that the last event revealed, if any.
    pub fn take_failure(&mut self) -> Option<Failure> {
        self.last_failure.take()
    }

    /// The time at which [`RunningAttempt::on_time`] must be called, unless something else happens first.
    pub fn due_at(&self) -> Option<u64> {
        let policy = &self.plan.policy;
        let idle =
            |last_activity_at: u64| last_activity_at.saturating_add(policy.idle_timeout_ms.into());
        match &self.phase {
            Phase::Sent | Phase::Over => None,
            Phase::Waiting { until } => Some(*until),
            Phase::Following(followed) => Some(idle(followed.last_activity_at)),
            Phase::Held(held) => {
                let idle = idle(held.last_activity_at);
                let first_token = held.first_token_timeout(self.began_at, &self.plan);
                Some(first_token.map_or(idle, |first_token| first_token.min(idle)))
            }
        }
    }

    /// Handles the headers of an answer.
    pub fn on_headers<'m>(
        &mut self,
        head: &ResponseHead<'_>,
        moment: impl FnOnce() -> Moment<'m>,
    ) -> ResponseAction {
        if !matches!(self.phase, Phase::Sent) {
            return ResponseAction::Pass;
        }
        match head.status {
            200..300 => self.on_success(head, moment),
            ..400 => {
                self.observer
                    .begin(&AnswerTraits::unknown(self.plan.api), head);
                self.pass()
            }
            _ => self.on_error_status(head, moment()),
        }
    }

    fn on_error_status(&mut self, head: &ResponseHead<'_>, moment: Moment<'_>) -> ResponseAction {
        let status = head.status;
        let retry_after_ms = matches!(status, 429 | 500..)
            .then(|| retry_after(head.header, moment.now))
            .flatten();
        let is_plain = is_plain(head);
        let may_say_more = matches!(status, 400 | 402 | 403 | 404..=428 | 430..500);
        // Read the body only if another target could do better.
        let may_follow = self.plan.targets.len() > 1 && self.plan.has_budget();
        // A moderated prompt also gets a 403, which must not count against the backend's key.
        let is_of_use = may_follow || status == 403;
        if may_say_more && is_plain && !head.end_of_stream && is_of_use {
            return self.hold(
                HeldKind::Error {
                    status,
                    retry_after_ms,
                },
                moment.now,
            );
        }
        self.fail(failure_of_answer(status, b""), retry_after_ms, moment)
    }

    fn on_success<'m>(
        &mut self,
        head: &ResponseHead<'_>,
        moment: impl FnOnce() -> Moment<'m>,
    ) -> ResponseAction {
        let length = (head.header)("content-length");
        self.is_fixed = length.is_some();
        self.length = length
            .and_then(|length| String::from_utf8(length).ok())
            .and_then(|length| length.trim().parse().ok())
            .unwrap_or(usize::MAX);
        let hold = self.plan.policy.hold.unwrap_or(Hold::None);
        let content_type = (head.header)("content-type").unwrap_or_default();
        let is = |kind: &[u8]| {
            let start = content_type.get(..kind.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(kind))
        };
        let plain = is_plain(head);
        let is_stream = plain && is(b"text/event-stream");
        let may_be_stream = plain && (content_type.is_empty() || is(b"text/plain"));
        // Such a stream is one JSON array, which must not be held to its end.
        let is_array = self.plan.api.stream_signal() == StreamSignal::ByPath;
        let may_be_empty = head.status != 200 || hold == Hold::None && !self.plan.stream;
        if head.end_of_stream && !may_be_empty {
            return self.fail(Failure::Incomplete, None, moment());
        }
        let is_read = is_stream && (hold != Hold::None || self.plan.stream);
        self.drops_content_length = self.is_fixed && is_read && self.dropped_events().any();
        self.is_fixed &= !self.drops_content_length;
        let traits = AnswerTraits {
            api: self.plan.api,
            is_plain: plain,
            is_stream,
            is_read,
            content_type: &content_type,
        };
        self.observer.begin(&traits, head);
        let kind = match hold {
            _ if head.end_of_stream => None,
            Hold::None => None,
            Hold::FirstToken | Hold::Complete if is_stream => Some(HeldKind::Stream {
                reader: self.reader(),
                complete: hold == Hold::Complete,
            }),
            Hold::FirstToken | Hold::Complete if plain && !is_array && is(b"application/json") => {
                Some(HeldKind::Json)
            }
            Hold::FirstToken => None,
            Hold::Complete => Some(HeldKind::Opaque),
        };
        if let Some(kind) = kind {
            return self.hold(kind, moment().now);
        }
        // Only ask for the time if it is needed, because that is a host call.
        if self.plan.target().is_some_and(|target| target.has_failures) {
            self.plan.record_success(self.began_at, moment());
        }
        if head.end_of_stream {
            self.pass()
        } else if is_stream && self.plan.stream {
            self.follow(self.reader())
        } else if may_be_stream && self.plan.stream {
            self.follow_if_stream()
        } else {
            self.pass_rest(None, 0)
        }
    }

    /// Handles a piece of an answer's body.
    pub fn on_body<'m>(
        &mut self,
        body: &ResponseBody<'_>,
        moment: impl FnOnce() -> Moment<'m>,
    ) -> ResponseAction {
        if self.passes_unread(body.end_of_stream) {
            return ResponseAction::Pass;
        }
        if let Phase::Following(followed) = &mut self.phase
            && !followed.is_read()
        {
            followed.has_activity = true;
            if !self.is_stream_after_all(body) {
                self.on_unread_body(body, moment);
                return ResponseAction::Pass;
            }
        }
        match &self.phase {
            Phase::Held(_) => self.on_held_body(body, moment()),
            Phase::Following(_) => self.on_followed_body(body, moment),
            Phase::Waiting { .. } => ResponseAction::Hold,
            Phase::Sent | Phase::Over => ResponseAction::Pass,
        }
    }

    /// Handles the trailers of an answer. They end the body, whose own callback never saw its end. `read` reads the
    /// part of the body that is held.
    pub fn on_trailers<'m>(
        &mut self,
        read: &dyn Fn(usize, usize) -> Vec<u8>,
        moment: impl FnOnce() -> Moment<'m>,
    ) -> ResponseAction {
        self.is_fixed = true;
        match &self.phase {
            Phase::Held(held) => {
                let body = ResponseBody {
                    size: held.size,
                    end_of_stream: true,
                    read,
                };
                self.on_held_body(&body, moment())
            }
            Phase::Following(_) => self.on_followed_trailers(),
            Phase::Waiting { .. } => ResponseAction::Hold,
            _ => {
                self.observer.note_end(AnswerEnd::Complete);
                self.pass()
            }
        }
    }

    /// Whether the answer is held and none of its body has arrived since `then`.
    pub fn waits_for_body_since(&self, then: u64) -> bool {
        matches!(&self.phase, Phase::Held(held) if held.size == 0 && held.last_activity_at <= then)
    }

    /// Whether the answer is held.
    pub fn is_held(&self) -> bool {
        matches!(self.phase, Phase::Held(_))
    }

    /// Stops holding the answer and lets it pass through.
    pub fn stop_holding(&mut self) -> ResponseAction {
        match self.take_held() {
            Some((reader, size)) => self.pass_rest(Some(reader), size),
            None => self.pass(),
        }
    }

    /// Whether the next piece of the answer passes through without being read. If so, that piece is noted as having
    /// arrived.
    pub fn passes_unread(&mut self, end_of_stream: bool) -> bool {
        let is_unread = match &mut self.phase {
            Phase::Over => true,
            Phase::Following(followed) if !followed.is_read() => {
                let is_seen = !self.observer.is_reading() && self.observer.has_begun();
                followed.has_activity |= is_seen;
                is_seen
            }
            _ => false,
        };
        if is_unread && end_of_stream {
            self.observer.note_end(AnswerEnd::Complete);
            self.phase = Phase::Over;
        }
        is_unread
    }

    /// Whether the attempt may still end without an answer.
    pub fn may_end_unanswered(&self) -> bool {
        matches!(self.phase, Phase::Sent | Phase::Held(_))
    }

    /// Handles the passing of time.
    pub fn on_time(&mut self, moment: Moment<'_>) -> ResponseAction {
        if let Phase::Following(followed) = &mut self.phase
            && std::mem::take(&mut followed.has_activity)
        {
            followed.last_activity_at = moment.now;
        }
        if self.due_at().is_none_or(|due_at| due_at > moment.now) {
            return ResponseAction::Hold;
        }
        match &self.phase {
            Phase::Waiting { .. } => {
                self.phase = Phase::Over;
                ResponseAction::Retry(None)
            }
            Phase::Following(_) => {
                self.stop_following();
                self.observer.note_end(AnswerEnd::Stalled);
                ResponseAction::Reset
            }
            Phase::Held(held) => {
                let is_late = held
                    .first_token_timeout(self.began_at, &self.plan)
                    .is_some_and(|due_at| due_at <= moment.now);
                let failure = if is_late {
                    Failure::LateFirstToken
                } else {
                    Failure::Incomplete
                };
                self.fail(failure, None, moment)
            }
            Phase::Sent | Phase::Over => ResponseAction::Hold,
        }
    }

    /// Returns a reader for the stream of this attempt.
    fn reader(&self) -> StreamReader {
        StreamReader::new(self.plan.api).dropping(self.dropped_events())
    }

    /// Returns which events are dropped from the stream.
    fn dropped_events(&self) -> DroppedEvents {
        let target = self.plan.target();
        DroppedEvents {
            malformed: self.plan.policy.drop_malformed_events,
            usage: target.is_some_and(|target| target.requests_usage),
        }
    }

    fn pass(&mut self) -> ResponseAction {
        self.phase = Phase::Over;
        ResponseAction::Pass
    }
}

/// Whether a body is not compressed.
fn is_plain(head: &ResponseHead<'_>) -> bool {
    (head.header)("content-encoding")
        .is_none_or(|encoding| encoding.eq_ignore_ascii_case(b"identity"))
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::string_slice,
    clippy::unreachable,
    reason = "a test fails by panicking"
)]
mod tests;
