//! Observes an answer for the outcome of its request. Observing never changes the answer or holds it back.

use super::followed::reported_end;
use super::{Moment, Phase, ResponseBody, ResponseHead, RunningAttempt};
use crate::attempt::failure::Failure;
use crate::prompt::rough_tokens;
use crate::schema::{Api, Schema, StreamReader, Usage, UsageReader};
use crate::telemetry::AnswerEnd;

/// The result of an attempt, as its request's outcome needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptReport {
    /// The index of the attempt's target in the plan.
    pub target: u8,
    /// Why the attempt failed; `None` if it has not failed.
    pub failure: Option<Failure>,
    /// Whether the client gets this attempt's answer, or as much of it as there is.
    pub is_accepted: bool,
    /// When the attempt began, in Unix milliseconds.
    pub began_at: u64,
    /// When the attempt failed, in Unix milliseconds.
    pub ended_at: Option<u64>,
    /// When the first token arrived, or the first byte if the answer is not a readable stream, in Unix milliseconds.
    pub first_at: Option<u64>,
    /// How the answer ended; `None` if it has not ended.
    pub end: Option<AnswerEnd>,
    /// The usage that the answer reports.
    pub usage: Usage,
    /// The model that the answer names.
    pub model: Option<String>,
    /// The estimated number of content tokens seen, if the answer may not have reported its whole usage; `None` if
    /// its content was not read.
    pub content_tokens: Option<u64>,
    /// Whether a stream has said that it is finished, so that the usage it has reported is complete.
    pub is_finished: bool,
}

/// What has been observed of an answer so far.
#[derive(Default)]
pub(super) struct AnswerObserver {
    /// Reads an answer that nothing else reads.
    reader: Option<AnswerReader>,
    failure: Option<Failure>,
    is_accepted: bool,
    ended_at: Option<u64>,
    first_at: Option<u64>,
    end: Option<AnswerEnd>,
    usage: Usage,
    model: Option<String>,
    content_tokens: Option<u64>,
    is_finished: bool,
}

enum AnswerReader {
    Whole(Box<UsageReader>),
    Stream(Box<StreamReader>),
}

impl AnswerObserver {
    /// Notes that an answer with a successful status has begun, and chooses a reader if nothing else reads it.
    pub(super) fn begin(&mut self, traits: &AnswerTraits<'_>, head: &ResponseHead<'_>) {
        self.is_accepted = true;
        if head.end_of_stream {
            self.note_end(AnswerEnd::Complete);
        }
        if !traits.is_plain || traits.is_read || head.end_of_stream {
            return;
        }
        if traits.is_stream {
            self.reader = Some(AnswerReader::Stream(Box::new(StreamReader::new(
                traits.api,
            ))));
            return;
        }
        let mut reader = UsageReader::new(traits.content_type);
        if let Some(reader) = &mut reader
            && traits.api.schema() == Schema::Bedrock
        {
            reader.read_headers(head.header);
        }
        self.reader = reader.map(|reader| AnswerReader::Whole(Box::new(reader)));
    }

    pub(super) fn is_reading(&self) -> bool {
        self.reader.is_some()
    }

    /// Reads a piece of the body.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        match &mut self.reader {
            Some(AnswerReader::Whole(reader)) => {
                reader.push(bytes);
                if !reader.is_of_use() {
                    self.reader = None;
                }
            }
            Some(AnswerReader::Stream(reader)) => reader.push(bytes),
            None => {}
        }
    }

    /// Stops reading, because the answer is read as a stream elsewhere.
    pub(super) fn read_elsewhere(&mut self) {
        self.reader = None;
    }

    pub(super) fn has_begun(&self) -> bool {
        self.first_at.is_some()
    }

    /// Notes the time of the first token or byte.
    pub(super) fn note_first(&mut self, now: u64) {
        self.first_at.get_or_insert(now);
    }

    /// Notes how the answer ended, unless an end was noted before.
    pub(super) fn note_end(&mut self, end: AnswerEnd) {
        self.end.get_or_insert(end);
    }

    /// Notes the end of an answer that has passed through completely and that only the observation reads.
    pub(super) fn note_whole_end(&mut self) {
        let is_error =
            matches!(&self.reader, Some(AnswerReader::Whole(reader)) if reader.is_error());
        self.note_end(if is_error {
            AnswerEnd::InBandError
        } else {
            AnswerEnd::Complete
        });
    }

    pub(super) fn fail(&mut self, failure: Failure, now: u64) {
        self.failure = Some(failure);
        self.is_accepted = false;
        self.ended_at = Some(now);
    }

    /// Records that the attempt took too long, which looked like a failure of the backend before.
    pub(super) fn time_is_up(&mut self) {
        self.failure = self.failure.map(Failure::out_of_time);
    }

    /// Retracts a failure: the answer goes to the client after all.
    pub(super) fn retract_failure(&mut self) {
        self.failure = None;
        self.is_accepted = true;
        self.ended_at = None;
    }

    /// Keeps what a stream has reported, before its reader is dropped.
    pub(super) fn keep_results(&mut self, reader: &StreamReader) {
        self.usage = reader.usage();
        self.model = reader.model().map(str::to_owned);
        self.content_tokens = estimate(reader);
        self.is_finished = reader.is_finished();
    }
}

/// Returns the estimated number of content tokens of a stream that has not reported its whole usage.
fn estimate(reader: &StreamReader) -> Option<u64> {
    let is_needed = reader.usage().is_unknown() || !reader.is_finished();
    is_needed.then(|| reader.content_tokens())
}

/// What an answer's headers say about it.
pub(super) struct AnswerTraits<'a> {
    pub(super) api: Api,
    pub(super) is_plain: bool,
    pub(super) is_stream: bool,
    /// Whether one of the attempt's own readers reads it.
    pub(super) is_read: bool,
    pub(super) content_type: &'a [u8],
}

impl AnswerTraits<'_> {
    /// An answer whose headers say nothing about it.
    pub(super) fn unknown(api: Api) -> Self {
        AnswerTraits {
            api,
            is_plain: false,
            is_stream: false,
            is_read: false,
            content_type: b"",
        }
    }
}

impl RunningAttempt {
    /// The number by which the router role of the same worker finds this attempt's request in the ledger.
    pub fn ticket(&self) -> u64 {
        self.plan.ticket()
    }

    /// Handles a piece of an answer that passes through and that only the observation reads.
    pub(super) fn on_unread_body<'m>(
        &mut self,
        body: &ResponseBody<'_>,
        moment: impl FnOnce() -> Moment<'m>,
    ) {
        if body.size > 0 {
            if !self.observer.has_begun() {
                self.observer.note_first(moment().now);
            }
            if self.observer.is_reading() {
                self.observer.push(&(body.read)(0, body.size));
            }
        }
        if body.end_of_stream {
            self.observer.note_whole_end();
            self.phase = Phase::Over;
        }
    }

    /// Handles the end of the attempt's context. An answer that has begun but not ended was cut off.
    pub fn on_context_end(&mut self) {
        if self.observer.is_accepted && !matches!(self.phase, Phase::Sent | Phase::Held(_)) {
            self.observer.note_end(AnswerEnd::Cut);
        }
    }

    /// Returns the result of the attempt as far as it is known now.
    pub fn report(&self) -> AttemptReport {
        let seen = &self.observer;
        let stream = match (&self.phase, &seen.reader) {
            (Phase::Following(followed), _) if followed.is_read() => followed.reader(),
            (_, Some(AnswerReader::Stream(reader))) => Some(reader.as_ref()),
            _ => None,
        };
        let mut report = AttemptReport {
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
            // A client that disconnects now has the whole answer.
            let end = reported_end(reader).filter(|_| report.is_accepted);
            report.end = report.end.or(end);
        } else if let Some(AnswerReader::Whole(reader)) = &seen.reader {
            report.usage = reader.usage();
            report.model = reader.model().map(str::to_owned);
            report.content_tokens = reader.text_bytes().map(rough_tokens);
        }
        report
    }
}
