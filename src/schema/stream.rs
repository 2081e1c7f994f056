//! Reads a streamed answer while it passes through: whether it has begun, whether it is finished, whether it is an
//! error, and its usage.
//!
//! Every event is parsed once, even after the first content. Searching only for the few names that matter then would
//! not save the parsing, because nearly every OpenAI event contains one of them, in `"finish_reason":null`.

use super::api::EventFormat;
use super::event::Event;
use super::json::JsonError;
use super::large::{LargeEvent, OmittedBytes};
use super::provider_error::failure_of_error_object;
use super::sample::TextSample;
use super::sse::{EventSink, SseParser};
use super::usage::{ReportedUsage, Usage};
use super::{Api, ErrorCode, Schema};
use crate::attempt::Failure;

/// The events that are dropped from a filtered stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DroppedEvents {
    /// Events whose data are neither JSON nor `[DONE]`.
    pub malformed: bool,
    /// Events that contain only the usage. OpenAI sends them only if they were asked for.
    pub usage: bool,
}

impl DroppedEvents {
    /// Whether any events are dropped.
    pub const fn any(self) -> bool {
        self.malformed || self.usage
    }
}

/// The reader of one streamed answer.
#[derive(Debug)]
pub struct StreamReader {
    parser: SseParser,
    state: StreamState,
}

impl StreamReader {
    /// Creates a reader for the answer to a call of this API.
    pub fn new(api: Api) -> Self {
        StreamReader {
            parser: SseParser::new(),
            state: StreamState {
                kind: api.event_format(),
                has_content: false,
                is_ended: false,
                seen: 0,
                finished: 0,
                error: None,
                malformed: 0,
                content: TextSample::default(),
                drops: DroppedEvents {
                    malformed: true,
                    usage: false,
                },
                reported: Box::default(),
            },
        }
    }

    /// Sets the events that [`push_filtered`](Self::push_filtered) drops.
    #[must_use]
    pub fn dropping(mut self, drops: DroppedEvents) -> Self {
        self.state.drops = drops;
        self
    }

    /// Takes the next bytes, in arbitrary chunks.
    pub fn push(&mut self, chunk: &[u8]) {
        self.parser.push(chunk, &mut self.state, &mut None);
    }

    /// Takes the next bytes and returns what may pass: all events that are not dropped, each as a whole, and what is
    /// between events. Without a call of [`dropping`](Self::dropping), malformed events are dropped. At the end of
    /// the stream, an event that lacks its blank line is completed.
    ///
    /// An event of more than 64 KiB passes through as it arrives, and is never dropped.
    pub fn push_filtered(&mut self, chunk: &[u8], end_of_stream: bool) -> Vec<u8> {
        let mut out = Some(Vec::with_capacity(chunk.len()));
        self.parser.push(chunk, &mut self.state, &mut out);
        if end_of_stream {
            self.parser.end(&mut self.state, &mut out);
        }
        out.unwrap_or_default()
    }

    /// Ends the stream: a held event is read as if its blank line were there.
    pub fn end(&mut self) {
        self.parser.end(&mut self.state, &mut None);
    }

    /// Whether the answer has had any content: non-empty text, reasoning, a tool call, a refusal or audio, or an
    /// event that nests too deeply to be read.
    pub fn has_content(&self) -> bool {
        self.state.has_content
    }

    /// Whether the answer is finished, by its last event or because each of its choices has a finish reason.
    pub fn is_finished(&self) -> bool {
        let state = &self.state;
        state.is_ended || (state.seen != 0 && state.seen == state.finished)
    }

    /// Returns the failure that the first error event describes.
    pub fn error(&self) -> Option<Failure> {
        self.state.error
    }

    /// Whether an event could be appended now without becoming part of another one.
    pub fn is_between_events(&self) -> bool {
        self.parser.is_between()
    }

    /// Returns the usage that the answer has reported so far.
    pub fn usage(&self) -> Usage {
        self.state.reported.usage()
    }

    /// Returns the model that the answer names.
    pub fn model(&self) -> Option<&str> {
        self.state.reported.model()
    }

    /// Returns the estimated number of content tokens so far.
    pub fn content_tokens(&self) -> u64 {
        self.state.content.tokens()
    }

    /// Returns the number of events whose data were neither JSON nor `[DONE]`.
    pub fn malformed(&self) -> u32 {
        self.state.malformed
    }
}

/// Returns an error in the caller's format as the last event of a stream, to be appended to what has passed.
///
/// Sources: OpenAI's and Google's SDKs recognise an event whose data have an `error`; OpenAI's reference of
/// responses, under `error`, and Anthropic's reference of streamed messages, under error events.
pub fn error_event(code: ErrorCode, api: Api, message: &str) -> Vec<u8> {
    let before: &[u8] = match (api.schema(), api.event_format()) {
        (Schema::Anthropic, _) | (_, EventFormat::Typed) => b"event: error\ndata: ",
        _ => b"data: ",
    };
    [before, &code.event(api, message), b"\n\n"].concat()
}

#[derive(Debug)]
struct StreamState {
    kind: EventFormat,
    has_content: bool,
    is_ended: bool,
    /// The choices that have appeared, and those that have a finish reason: one bit for each index. The last bit
    /// stands for all higher indexes, which never count as finished; then only `[DONE]` ends the answer.
    seen: u128,
    finished: u128,
    error: Option<Failure>,
    malformed: u32,
    content: TextSample,
    drops: DroppedEvents,
    /// Boxed because it is large.
    reported: Box<ReportedUsage>,
}

impl EventSink for StreamState {
    fn event(&mut self, name: &[u8], data: &[u8]) -> bool {
        self.read(name, data, None)
    }

    fn large(&mut self, large: &LargeEvent) {
        if let Some((data, omitted)) = large.data() {
            self.read(large.name(), data, Some(&omitted));
        }
    }
}

impl StreamState {
    /// Reads an event and returns whether it may pass. `omitted`: the parts that its data lack.
    fn read(&mut self, name: &[u8], data: &[u8], omitted: Option<&OmittedBytes<'_>>) -> bool {
        if data.trim_ascii() == b"[DONE]" {
            // `[DONE]` without anything before it is not an answer.
            self.is_ended |= self.seen != 0 || self.has_content;
            return true;
        }
        let mut event = Event::new(omitted);
        let walked = match self.kind {
            EventFormat::Choices => event.choices(data),
            EventFormat::Typed => event.typed(name, data),
            EventFormat::Messages => event.messages(name, data),
            EventFormat::Candidates => event.candidates(data),
        };
        event.is_error |= name == b"error";
        match walked {
            Ok(()) => {}
            // Data that cannot be read count as content.
            Err(JsonError::TooDeep) => event.has_content = true,
            Err(JsonError::Malformed) => {
                self.malformed = self.malformed.saturating_add(1);
                event = Event {
                    is_error: name == b"error",
                    ..Event::default()
                };
            }
        }
        self.has_content |= event.has_content;
        self.is_ended |= event.is_ended;
        self.seen |= event.seen;
        self.finished |= event.finished;
        self.content.add(event.content, event.content_bytes);
        let is_usage_alone = self.kind == EventFormat::Choices
            && event.usage.is_some()
            && event.seen == 0
            && !event.is_error;
        self.reported.take(event.usage, event.model);
        if event.is_error && self.error.is_none() {
            self.error = Some(failure_of_error_object(data).unwrap_or(Failure::ServerError));
        } else if data.first() == Some(&b'[') && self.error.is_none() {
            // Gemini sends an array that contains the error.
            self.error = failure_of_error_object(data);
        }
        let is_malformed = walked == Err(JsonError::Malformed);
        !(is_malformed && self.drops.malformed || is_usage_alone && self.drops.usage)
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
