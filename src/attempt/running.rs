//! An attempt that is under way: what is seen of its answer → what is done with it.

use super::failure::Failure;
use super::plan::Plan;
use super::policy::Hold;
use super::verdict::{Moment, Verdict};
use crate::schema::{
    Answer, Asks, ErrorCode, StreamReader, Whole, error_event, failure_of_answer, read_whole,
    retry_after,
};

/// What has come of an answer's headers.
pub struct Head<'a> {
    /// The HTTP status.
    pub status: u32,
    /// Whether there is no body.
    pub end_of_stream: bool,
    /// Looks one up.
    pub header: &'a dyn Fn(&str) -> Option<Vec<u8>>,
}

/// What has come of an answer's body.
#[derive(Clone, Copy)]
pub struct Body<'a> {
    /// How many bytes Envoy has: all of the body while it is held, else the piece that is passing.
    pub size: usize,
    /// Whether these are the last.
    pub end_of_stream: bool,
    /// Reads some of them: from where, how many.
    pub read: &'a dyn Fn(usize, usize) -> Vec<u8>,
}

/// Where the next attempt goes, for the route's matcher and for the backend role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The plan, encoded.
    pub plan: Vec<u8>,
    /// The cluster of the next attempt.
    pub cluster: String,
}

/// What the host has to do with an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Let it pass.
    Pass,
    /// Let this pass in the place of what has come.
    Replace(Vec<u8>),
    /// Hold it back.
    Hold,
    /// Hold it back, and leave word of the next attempt already.
    Wait(Left),
    /// Have Envoy make the next attempt. Word of it may have been left before.
    Retry(Option<Left>),
    /// Leave word of how it ended, and give this answer instead.
    Answer(Left, Answer),
    /// Break it off.
    Reset,
}

/// An attempt whose request is on its way.
pub struct Running {
    plan: Plan,
    began_at: u64,
    phase: Phase,
    /// Whether nothing can be added to the answer: its length has been told, or its body has passed.
    is_fixed: bool,
    /// How long the answer's body is; where that has not been told, more than there can be.
    length: usize,
    last_failure: Option<Failure>,
}

enum Phase {
    /// No answer yet.
    Sent,
    /// It is held.
    Held(Held),
    /// It failed, and is held until the next attempt may begin.
    Waiting { until: u64 },
    /// A stream passes and is followed to its end.
    Following(Followed),
    /// Nothing more has to be done.
    Over,
}

struct Followed {
    reader: StreamReader,
    /// How many bytes are still to come; where its length has not been told, more than there can be.
    left: usize,
    touched_at: u64,
    /// Whether something has come since somebody looked at the clock, which is a host call.
    is_touched: bool,
    /// Whether malformed events are left out.
    filters: bool,
}

struct Held {
    what: What,
    /// How many bytes of it are there, and how many of them have been looked at.
    size: usize,
    seen: usize,
    touched_at: u64,
}

enum What {
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
const ERROR_LIMIT: usize = 64 * 1024;

/// Envoy's timers may be this early by our clock.
const CLOCK_SLACK_MS: u64 = 20;

impl Running {
    pub(super) fn new(plan: Plan, now: u64) -> Self {
        Running {
            plan,
            began_at: now,
            phase: Phase::Sent,
            is_fixed: false,
            length: usize::MAX,
            last_failure: None,
        }
    }

    /// The failure that was found by the last event, once.
    pub fn take_failure(&mut self) -> Option<Failure> {
        self.last_failure.take()
    }

    /// The time at which [`Running::on_time`] has something to do, if nothing else happens before.
    pub fn due_at(&self) -> Option<u64> {
        let policy = &self.plan.policy;
        let idle = |touched_at: u64| touched_at.saturating_add(policy.idle_timeout_ms.into());
        match &self.phase {
            Phase::Sent | Phase::Over => None,
            Phase::Waiting { until } => Some(*until),
            Phase::Following(followed) => Some(idle(followed.touched_at)),
            Phase::Held(held) => {
                let idle = idle(held.touched_at);
                let first_token = held.first_token_timeout(self.began_at, &self.plan);
                Some(first_token.map_or(idle, |first_token| first_token.min(idle)))
            }
        }
    }

    /// The headers of an answer.
    pub fn on_headers<'m>(&mut self, head: &Head<'_>, moment: impl FnOnce() -> Moment<'m>) -> Step {
        if !matches!(self.phase, Phase::Sent) {
            return Step::Pass;
        }
        let policy = &self.plan.policy;
        let is_watched = policy.hold != Some(Hold::None)
            || self.plan.stream
            || self.plan.target().is_some_and(|target| target.ailing);
        match head.status {
            200..300 if is_watched => self.on_success(head, moment()),
            ..400 => self.pass(),
            _ => self.on_error_status(head, moment()),
        }
    }

    fn on_error_status(&mut self, head: &Head<'_>, moment: Moment<'_>) -> Step {
        let status = head.status;
        let asked_ms = matches!(status, 429 | 500..)
            .then(|| retry_after(head.header, moment.now))
            .flatten();
        let is_plain = is_plain(head);
        let may_say_more = matches!(status, 400 | 402 | 403 | 404..=428 | 430..500);
        // Read only where another target could do better.
        let may_follow = self.plan.targets.len() > 1 && self.plan.has_budget();
        // 403 is also what a moderated prompt gets, which must not be held against the backend's key.
        let is_of_use = may_follow || status == 403;
        if may_say_more && is_plain && !head.end_of_stream && is_of_use {
            self.hold(What::Error { status, asked_ms }, moment.now);
            return Step::Hold;
        }
        self.fail(failure_of_answer(status, b""), asked_ms, moment)
    }

    fn on_success(&mut self, head: &Head<'_>, moment: Moment<'_>) -> Step {
        let length = (head.header)("content-length");
        self.is_fixed = length.is_some();
        self.length = length
            .and_then(|length| String::from_utf8(length).ok())
            .and_then(|length| length.trim().parse().ok())
            .unwrap_or(usize::MAX);
        let hold = self.plan.policy.hold.unwrap_or(Hold::None);
        let is = |kind: &[u8]| {
            (head.header)("content-type").is_some_and(|value| {
                value
                    .get(..kind.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(kind))
            })
        };
        if hold == Hold::None && !self.plan.stream {
            self.plan.tell_success(self.began_at, moment);
            return self.pass();
        }
        let plain = is_plain(head);
        let is_stream = plain && is(b"text/event-stream");
        // Such a stream is one JSON array, which must not be held to its end.
        let is_array = self.plan.api.asks() == Asks::ByPath;
        if head.end_of_stream && head.status == 200 {
            return self.fail(Failure::Incomplete, None, moment);
        }
        if head.end_of_stream {
            self.plan.tell_success(self.began_at, moment);
            return self.pass();
        }
        let what = match hold {
            Hold::None if is_stream => {
                self.plan.tell_success(self.began_at, moment);
                self.follow(StreamReader::new(self.plan.api), moment.now);
                return Step::Pass;
            }
            _ if is_stream && hold != Hold::None => What::Stream {
                reader: StreamReader::new(self.plan.api),
                complete: hold == Hold::Complete,
            },
            Hold::FirstToken | Hold::Complete if plain && !is_array && is(b"application/json") => {
                What::Json
            }
            Hold::Complete => What::Opaque,
            _ => {
                self.plan.tell_success(self.began_at, moment);
                return self.pass();
            }
        };
        self.hold(what, moment.now);
        Step::Hold
    }

    /// Some of an answer's body.
    pub fn on_body<'m>(&mut self, body: &Body<'_>, moment: impl FnOnce() -> Moment<'m>) -> Step {
        // Where the length is known, the last byte is the end: Envoy may tell only after it has passed, and with it an
        // HTTP/1.1 client takes the answer for whole.
        match &mut self.phase {
            Phase::Held(held) => {
                let moment = moment();
                held.touched_at = moment.now;
                held.size = body.size;
                let is_last = matches!(held.what, What::Stream { .. }) && body.size >= self.length;
                let body = Body {
                    end_of_stream: body.end_of_stream || is_last,
                    ..*body
                };
                self.on_held_body(&body, moment)
            }
            Phase::Following(followed) => {
                followed.is_touched = true;
                followed.left = followed.left.saturating_sub(body.size);
                let is_last = body.end_of_stream || followed.left == 0;
                let piece = (body.read)(0, body.size);
                if followed.filters {
                    let passed = followed.reader.push_filtered(&piece, body.end_of_stream);
                    if body.end_of_stream {
                        return self.end(passed, false);
                    }
                    return if passed == piece {
                        Step::Pass
                    } else {
                        Step::Replace(passed)
                    };
                }
                followed.reader.push(&piece);
                if is_last {
                    let is_cut = end_of(&mut followed.reader);
                    return self.end(piece, is_cut);
                }
                Step::Pass
            }
            Phase::Waiting { .. } => Step::Hold,
            Phase::Sent | Phase::Over => Step::Pass,
        }
    }

    /// The end of a stream that passes, with what passes of its last piece. `is_cut`: its last event lacks its blank
    /// line, without which it is none for the client.
    fn end(&mut self, mut last: Vec<u8>, is_cut: bool) -> Step {
        let Phase::Following(followed) = std::mem::replace(&mut self.phase, Phase::Over) else {
            return Step::Pass;
        };
        let reader = &followed.reader;
        let is_whole = reader.is_finished() || reader.error().is_some();
        if self.is_fixed {
            // Nothing can be added, so that what is not whole must not look so.
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

    fn on_held_body(&mut self, body: &Body<'_>, moment: Moment<'_>) -> Step {
        let limit = usize::try_from(self.plan.policy.hold_limit_bytes).unwrap_or(usize::MAX);
        let Phase::Held(held) = &mut self.phase else {
            return Step::Pass;
        };
        let is_over = body.size > limit;
        match &mut held.what {
            What::Stream { reader, complete } => {
                let new = body.size.saturating_sub(held.seen);
                reader.push(&(body.read)(held.seen, new));
                let is_cut = body.end_of_stream && end_of(reader);
                held.seen = body.size;
                let is_ready = if *complete {
                    (body.end_of_stream && reader.is_finished()) || is_over
                } else {
                    reader.has_content() || reader.is_finished() || is_over
                };
                if let Some(failure) = reader.error() {
                    // What came before it is let go together with it, if this is the last attempt.
                    return self.fail(failure, None, moment);
                }
                if is_ready {
                    return self.release(body, is_cut, moment);
                }
                if body.end_of_stream {
                    return self.fail(Failure::Incomplete, None, moment);
                }
                Step::Hold
            }
            What::Json if is_over => {
                self.plan.tell_success(self.began_at, moment);
                self.pass()
            }
            What::Opaque if is_over || body.end_of_stream => {
                self.plan.tell_success(self.began_at, moment);
                self.pass()
            }
            What::Json if body.end_of_stream => match read_whole(&(body.read)(0, body.size)) {
                Whole::Answer => {
                    self.plan.tell_success(self.began_at, moment);
                    self.pass()
                }
                Whole::Error(failure) => self.fail(failure, None, moment),
                Whole::Broken => self.fail(Failure::Incomplete, None, moment),
            },
            What::Error { status, asked_ms } if body.end_of_stream || body.size > ERROR_LIMIT => {
                let (status, asked_ms) = (*status, *asked_ms);
                let text = (body.read)(0, body.size.min(ERROR_LIMIT));
                self.fail(failure_of_answer(status, &text), asked_ms, moment)
            }
            What::Json | What::Opaque | What::Error { .. } => Step::Hold,
        }
    }

    /// The trailers of an answer: its body has ended, and was never told so. `read` reads what is held of it.
    pub fn on_trailers<'m>(
        &mut self,
        read: &dyn Fn(usize, usize) -> Vec<u8>,
        moment: impl FnOnce() -> Moment<'m>,
    ) -> Step {
        self.is_fixed = true;
        match &mut self.phase {
            Phase::Held(held) => {
                let body = Body {
                    size: held.size,
                    end_of_stream: true,
                    read,
                };
                self.on_held_body(&body, moment())
            }
            Phase::Following(followed) => {
                let is_cut = end_of(&mut followed.reader);
                self.end(Vec::new(), is_cut)
            }
            Phase::Waiting { .. } => Step::Hold,
            _ => self.pass(),
        }
    }

    /// Whether it is held, and nothing of its body has come since some time.
    pub fn waits_for_body_since(&self, then: u64) -> bool {
        matches!(&self.phase, Phase::Held(held) if held.size == 0 && held.touched_at <= then)
    }

    /// Whether it is held.
    pub fn is_held(&self) -> bool {
        matches!(self.phase, Phase::Held(_))
    }

    /// Gives up holding it.
    pub fn let_pass(&mut self, now: u64) -> Step {
        self.let_go(now);
        Step::Pass
    }

    /// Whether nothing more has to be done with its answer.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Whether its end may be the end of an attempt without an answer.
    pub fn may_end_unanswered(&self) -> bool {
        matches!(self.phase, Phase::Sent | Phase::Held(_))
    }

    /// Time has passed.
    pub fn on_time(&mut self, moment: Moment<'_>) -> Step {
        if let Phase::Following(followed) = &mut self.phase
            && std::mem::take(&mut followed.is_touched)
        {
            followed.touched_at = moment.now;
        }
        if self.due_at().is_none_or(|due_at| due_at > moment.now) {
            return Step::Hold;
        }
        match &self.phase {
            Phase::Waiting { .. } => {
                self.phase = Phase::Over;
                Step::Retry(None)
            }
            Phase::Following(_) => {
                self.phase = Phase::Over;
                Step::Reset
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
            Phase::Sent | Phase::Over => Step::Hold,
        }
    }

    /// The attempt is over, and Envoy asks the matcher again after this if it makes another.
    ///
    /// `no_connection`: it never had one. What is returned must be left for the next attempt.
    pub fn on_done(&mut self, no_connection: bool, moment: Moment<'_>) -> Option<Left> {
        let elapsed = moment.now.saturating_sub(self.began_at);
        let limit = u64::from(self.plan.attempt_timeout_ms());
        // At the request's deadline it is the router role that ends it.
        let is_late =
            elapsed.saturating_add(CLOCK_SLACK_MS) >= limit || moment.now >= self.plan.deadline_at;
        let failure = match &self.phase {
            Phase::Sent if no_connection => Failure::ConnectFailure,
            Phase::Sent if is_late => Failure::NoAnswer,
            Phase::Sent => Failure::Reset,
            Phase::Held(held)
                if held
                    .first_token_timeout(self.began_at, &self.plan)
                    .is_some_and(|due_at| due_at <= moment.now.saturating_add(CLOCK_SLACK_MS)) =>
            {
                Failure::LateFirstToken
            }
            Phase::Held(_) if is_late => Failure::NoAnswer,
            Phase::Held(_) => Failure::Reset,
            Phase::Waiting { .. } | Phase::Following(_) | Phase::Over => return None,
        };
        let verdict = self.plan.judge(failure, None, self.began_at, moment);
        Some(self.leave(failure, verdict))
    }

    /// The attempt failed.
    fn fail(&mut self, failure: Failure, asked_ms: Option<u64>, moment: Moment<'_>) -> Step {
        let is_callers = self.plan.target().is_some_and(|target| target.callers_key);
        let failure = match failure {
            // What any caller can send must not close the target to all.
            Failure::Unauthorized if is_callers => Failure::Rejected,
            failure => failure,
        };
        self.last_failure = Some(failure);
        let verdict = self.plan.judge(failure, asked_ms, self.began_at, moment);
        match verdict {
            Verdict::Pass => self.pass_failed(failure, moment.now),
            Verdict::Again { wait_ms, .. } => {
                let left = self.leave(failure, verdict);
                if wait_ms > 0 {
                    let until = moment.now.saturating_add(wait_ms);
                    self.phase = Phase::Waiting { until };
                    Step::Wait(left)
                } else {
                    self.let_go(moment.now);
                    Step::Retry(Some(left))
                }
            }
        }
    }

    /// No other attempt will be made: what this one brought is what there is.
    fn pass_failed(&mut self, failure: Failure, now: u64) -> Step {
        // Held for its end only, which did not come.
        let is_finished = matches!(
            &self.phase,
            Phase::Held(Held { what: What::Stream { reader, .. }, .. }) if reader.is_finished()
        );
        match failure {
            // It may come yet.
            Failure::LateFirstToken => {
                self.let_go(now);
                Step::Pass
            }
            Failure::Incomplete if is_finished => {
                self.let_go(now);
                Step::Pass
            }
            Failure::Incomplete => {
                self.phase = Phase::Over;
                let code = ErrorCode::UpstreamIncomplete;
                let left = self.leave(failure, Verdict::Pass);
                Step::Answer(left, code.answer(self.plan.schema(), code.own_message()))
            }
            _ => self.pass(),
        }
    }

    /// What Envoy does not retry after all passes on, and is followed if it is a stream.
    fn let_go(&mut self, now: u64) {
        let phase = std::mem::replace(&mut self.phase, Phase::Over);
        if let Phase::Held(Held {
            what: What::Stream { reader, .. },
            size,
            ..
        }) = phase
        {
            // What has come of it cannot be changed any more where only time has passed.
            self.phase = Phase::Following(Followed {
                reader,
                left: self.length.saturating_sub(size),
                touched_at: now,
                is_touched: false,
                filters: false,
            });
        }
    }

    /// A held stream goes to the client, and is followed from here on.
    fn release(&mut self, body: &Body<'_>, is_cut: bool, moment: Moment<'_>) -> Step {
        self.plan.tell_success(self.began_at, moment);
        if self.filters() {
            // From its beginning, because an event may be malformed that has come already.
            let mut reader = StreamReader::new(self.plan.api);
            let all = (body.read)(0, body.size);
            let passed = reader.push_filtered(&all, body.end_of_stream);
            self.follow(reader, moment.now);
            if body.end_of_stream {
                return self.end(passed, false);
            }
            return Step::Replace(passed);
        }
        self.let_go(moment.now);
        if body.end_of_stream {
            return self.end((body.read)(0, body.size), is_cut);
        }
        Step::Pass
    }

    fn filters(&self) -> bool {
        self.plan.policy.drop_malformed_events && !self.is_fixed
    }

    fn leave(&self, failure: Failure, verdict: Verdict) -> Left {
        let plan = self.plan.clone().after(failure, self.began_at, verdict);
        Left {
            cluster: plan.cluster().to_owned(),
            plan: plan.encode(),
        }
    }

    fn follow(&mut self, reader: StreamReader, now: u64) {
        self.phase = Phase::Following(Followed {
            reader,
            left: self.length,
            touched_at: now,
            is_touched: false,
            filters: self.filters(),
        });
    }

    fn hold(&mut self, what: What, now: u64) {
        self.phase = Phase::Held(Held {
            what,
            size: 0,
            seen: 0,
            touched_at: now,
        });
    }

    fn pass(&mut self) -> Step {
        self.phase = Phase::Over;
        Step::Pass
    }
}

impl Held {
    /// When the first content token is late, if it has not come.
    fn first_token_timeout(&self, began_at: u64, plan: &Plan) -> Option<u64> {
        let limit = u64::from(plan.policy.first_token_timeout_ms);
        match &self.what {
            What::Stream { reader, .. } if limit > 0 && !reader.has_content() => {
                Some(began_at.saturating_add(limit))
            }
            _ => None,
        }
    }
}

/// Reads the end of a stream; whether its last event lacks its blank line.
fn end_of(reader: &mut StreamReader) -> bool {
    let is_cut = !reader.is_between_events();
    reader.end();
    is_cut
}

/// Whether a body is as it was written.
fn is_plain(head: &Head<'_>) -> bool {
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
#[path = "running_tests.rs"]
mod tests;
