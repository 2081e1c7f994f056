//! What is seen of an answer on its way, for the outcome of its request. Nothing of it is changed or held for that.

use super::followed::end_told_by;
use super::{Body, Head, Moment, Phase, Running};
use crate::attempt::failure::Failure;
use crate::prompt::rough_tokens;
use crate::schema::{Api, Schema, StreamReader, Usage, UsageReader};
use crate::telemetry::End;

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which of the plan's targets it was made at.
    pub target: u8,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Whether its answer is the client's, or as much of it as there is.
    pub is_accepted: bool,
    /// When it was begun, in Unix milliseconds.
    pub began_at: u64,
    /// When it failed.
    pub ended_at: Option<u64>,
    /// When the first token came, or the first byte of what is no stream that can be read.
    pub first_at: Option<u64>,
    /// How its answer ended; `None`: it has not.
    pub end: Option<End>,
    /// What the answer says that it took and gave.
    pub usage: Usage,
    /// Which model it says that it is from.
    pub model: Option<String>,
    /// About how many tokens of content were seen, where the answer may not have told all; `None`: it was not read so
    /// closely.
    pub content_tokens: Option<u64>,
    /// Whether a stream has said that it is finished: what it has told by then is all.
    pub is_finished: bool,
}

/// What has been seen so far.
#[derive(Default)]
pub(super) struct Observed {
    /// Of an answer that nothing else reads.
    reader: Option<Reader>,
    failure: Option<Failure>,
    is_accepted: bool,
    ended_at: Option<u64>,
    first_at: Option<u64>,
    end: Option<End>,
    usage: Usage,
    model: Option<String>,
    content_tokens: Option<u64>,
    is_finished: bool,
}

enum Reader {
    Whole(Box<UsageReader>),
    Stream(Box<StreamReader>),
}

impl Observed {
    /// An answer that is no error has begun. `is_stream`: as server-sent events, which may yet be read as such.
    pub(super) fn begin(&mut self, running: &Known<'_>, head: &Head<'_>) {
        self.is_accepted = true;
        if head.end_of_stream {
            self.end(End::Complete);
        }
        if !running.is_plain || running.is_read || head.end_of_stream {
            return;
        }
        if running.is_stream {
            self.reader = Some(Reader::Stream(Box::new(StreamReader::new(running.api))));
            return;
        }
        let mut reader = UsageReader::new(running.content_type);
        if let Some(reader) = &mut reader
            && running.api.schema() == Schema::Bedrock
        {
            reader.read_headers(head.header);
        }
        self.reader = reader.map(|reader| Reader::Whole(Box::new(reader)));
    }

    pub(super) fn is_reading(&self) -> bool {
        self.reader.is_some()
    }

    /// Some of the body is there; `now` is asked once.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        match &mut self.reader {
            Some(Reader::Whole(reader)) => {
                reader.push(bytes);
                if !reader.is_of_use() {
                    self.reader = None;
                }
            }
            Some(Reader::Stream(reader)) => reader.push(bytes),
            None => {}
        }
    }

    /// It is read as a stream.
    pub(super) fn read_elsewhere(&mut self) {
        self.reader = None;
    }

    pub(super) fn has_begun(&self) -> bool {
        self.first_at.is_some()
    }

    /// Its first token, or byte, is there.
    pub(super) fn first(&mut self, now: u64) {
        self.first_at.get_or_insert(now);
    }

    /// It has ended, in this way unless it had before.
    pub(super) fn end(&mut self, end: End) {
        self.end.get_or_insert(end);
    }

    /// All of it has passed, as far as nothing but this reads it.
    pub(super) fn end_whole(&mut self) {
        let is_error = matches!(&self.reader, Some(Reader::Whole(reader)) if reader.is_error());
        self.end(if is_error {
            End::InBandError
        } else {
            End::Complete
        });
    }

    pub(super) fn fail(&mut self, failure: Failure, now: u64) {
        self.failure = Some(failure);
        self.is_accepted = false;
        self.ended_at = Some(now);
    }

    /// What was taken for the backend's failure to end it in order was that it took too long.
    pub(super) fn time_is_up(&mut self) {
        self.failure = self.failure.map(Failure::out_of_time);
    }

    /// What was taken for a failure is the client's answer after all.
    pub(super) fn forgive(&mut self) {
        self.failure = None;
        self.is_accepted = true;
        self.ended_at = None;
    }

    /// Takes over what a stream has said that nothing reads any more.
    pub(super) fn keep(&mut self, reader: &StreamReader) {
        self.usage = reader.usage();
        self.model = reader.model().map(str::to_owned);
        self.content_tokens = estimate(reader);
        self.is_finished = reader.is_finished();
    }
}

/// How many tokens a stream has brought that has not told all.
fn estimate(reader: &StreamReader) -> Option<u64> {
    let is_needed = reader.usage().is_unknown() || !reader.is_finished();
    is_needed.then(|| reader.content_tokens())
}

/// What is known of an answer by its headers.
pub(super) struct Known<'a> {
    pub(super) api: Api,
    pub(super) is_plain: bool,
    pub(super) is_stream: bool,
    /// Whether a reader of the attempt's own reads it.
    pub(super) is_read: bool,
    pub(super) content_type: &'a [u8],
}

impl Known<'_> {
    /// Of an answer that says nothing of itself.
    pub(super) fn nothing(api: Api) -> Self {
        Known {
            api,
            is_plain: false,
            is_stream: false,
            is_read: false,
            content_type: b"",
        }
    }
}

impl Running {
    /// By which the router role of the same worker knows it.
    pub fn ticket(&self) -> u64 {
        self.plan.ticket()
    }

    /// A piece of an answer passes that nothing but the observation reads.
    pub(super) fn on_unread_body<'m>(
        &mut self,
        body: &Body<'_>,
        moment: impl FnOnce() -> Moment<'m>,
    ) {
        if body.size > 0 {
            if !self.observed.has_begun() {
                self.observed.first(moment().now);
            }
            if self.observed.is_reading() {
                self.observed.push(&(body.read)(0, body.size));
            }
        }
        if body.end_of_stream {
            self.observed.end_whole();
            self.phase = Phase::Over;
        }
    }

    /// The context of the attempt is over: an answer that has begun and not ended was cut.
    pub fn on_over(&mut self) {
        if self.observed.is_accepted && !matches!(self.phase, Phase::Sent | Phase::Held(_)) {
            self.observed.end(End::Cut);
        }
    }

    /// What became of it, as far as that is known now.
    pub fn report(&self) -> Report {
        let seen = &self.observed;
        let stream = match (&self.phase, &seen.reader) {
            (Phase::Following(followed), _) if followed.is_read() => followed.reader(),
            (_, Some(Reader::Stream(reader))) => Some(reader.as_ref()),
            _ => None,
        };
        let mut report = Report {
            target: self.plan.next,
            failure: seen.failure,
            is_accepted: seen.is_accepted && !matches!(self.phase, Phase::Sent | Phase::Held(_)),
            began_at: self.began_at,
            ended_at: seen.ended_at,
            first_at: seen.first_at,
            end: seen.end,
            usage: seen.usage,
            model: seen.model.clone(),
            content_tokens: seen.content_tokens,
            is_finished: seen.is_finished,
        };
        if let Some(reader) = stream {
            report.usage = reader.usage();
            report.model = reader.model().map(str::to_owned);
            report.content_tokens = estimate(reader);
            report.is_finished = reader.is_finished();
            // Whoever goes away now has all of it.
            let told = end_told_by(reader).filter(|_| report.is_accepted);
            report.end = report.end.or(told);
        } else if let Some(Reader::Whole(reader)) = &seen.reader {
            report.usage = reader.usage();
            report.model = reader.model().map(str::to_owned);
            report.content_tokens = reader.text_bytes().map(rough_tokens);
        }
        report
    }
}
