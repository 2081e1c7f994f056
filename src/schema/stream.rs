//! What a streamed answer says on its way: that it has begun, that it is finished, that it is an error.
//!
//! Every event is walked over once, also those after the first content: a search for the few names that matter then
//! would not spare the walk, because nearly every event of OpenAI's has one of them, in `"finish_reason":null`.

use super::api::Events as Kind;
use super::event::Event;
use super::json::Fault;
use super::large::{Large, LeftOut};
use super::provider_error::failure_of_error_object;
use super::sample::Sample;
use super::sse::{Events, Pieces};
use super::usage::{Reported, Usage};
use super::{Api, ErrorCode, Schema};
use crate::attempt::Failure;

/// Which events of a stream are left out where some are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drops {
    /// Those whose data are neither JSON nor `[DONE]`.
    pub malformed: bool,
    /// Those that bring nothing but the usage: OpenAI's, which come only where they were asked for.
    pub usage: bool,
}

impl Drops {
    /// Whether any are.
    pub const fn any(self) -> bool {
        self.malformed || self.usage
    }
}

/// Reads one streamed answer.
#[derive(Debug)]
pub struct StreamReader {
    pieces: Pieces,
    state: State,
}

impl StreamReader {
    /// At the beginning of an answer to a call of this API.
    pub fn new(api: Api) -> Self {
        StreamReader {
            pieces: Pieces::new(),
            state: State {
                kind: api.events(),
                has_content: false,
                is_ended: false,
                seen: 0,
                finished: 0,
                error: None,
                malformed: 0,
                content: Sample::default(),
                drops: Drops {
                    malformed: true,
                    usage: false,
                },
                reported: Box::default(),
            },
        }
    }

    /// The same, with these events left out by [`push_filtered`](Self::push_filtered).
    #[must_use]
    pub fn dropping(mut self, drops: Drops) -> Self {
        self.state.drops = drops;
        self
    }

    /// Takes the next bytes, cut anywhere.
    pub fn push(&mut self, chunk: &[u8]) {
        self.pieces.push(chunk, &mut self.state, &mut None);
    }

    /// The same, but returns what may be passed on where some events are left out, malformed ones if nothing else has been
    /// said: all other events, whole, and what stands between events. At the stream's end an event that lacks its blank line is given one.
    ///
    /// An event of more than 64 KiB passes as it is.
    pub fn push_filtered(&mut self, chunk: &[u8], end_of_stream: bool) -> Vec<u8> {
        let mut out = Some(Vec::with_capacity(chunk.len()));
        self.pieces.push(chunk, &mut self.state, &mut out);
        if end_of_stream {
            self.pieces.end(&mut self.state, &mut out);
        }
        out.unwrap_or_default()
    }

    /// The stream has ended: what is held is read as if its blank line were there.
    pub fn end(&mut self) {
        self.pieces.end(&mut self.state, &mut None);
    }

    /// Whether there was any content: text, reasoning, a tool call, a refusal or audio that is not empty, or an event
    /// that nests too deeply to be read.
    pub fn has_content(&self) -> bool {
        self.state.has_content
    }

    /// Whether the answer is finished: by its last event, or because each of its choices has a finish reason.
    pub fn is_finished(&self) -> bool {
        let state = &self.state;
        state.is_ended || (state.seen != 0 && state.seen == state.finished)
    }

    /// What the first event said that was an error.
    pub fn error(&self) -> Option<Failure> {
        self.state.error
    }

    /// Whether an event that were appended now would stand by itself.
    pub fn is_between_events(&self) -> bool {
        self.pieces.is_between()
    }

    /// What it took and gave, as far as it has said so.
    pub fn usage(&self) -> Usage {
        self.state.reported.usage()
    }

    /// Which model it says it is from.
    pub fn model(&self) -> Option<&str> {
        self.state.reported.model()
    }

    /// About how many tokens of content there were.
    pub fn content_tokens(&self) -> u64 {
        self.state.content.tokens()
    }

    /// How many events had data that are neither JSON nor `[DONE]`.
    pub fn malformed(&self) -> u32 {
        self.state.malformed
    }
}

/// An error as the last event of a stream in the caller's format, to be appended to what has passed.
///
/// Sources: OpenAI's and Google's SDKs take an event whose data have an `error`; OpenAI's reference of responses, under
/// `error`, and Anthropic's of streamed messages, under error events.
pub fn error_event(code: ErrorCode, api: Api, message: &str) -> Vec<u8> {
    let before: &[u8] = match (api.schema(), api.events()) {
        (Schema::Anthropic, _) | (_, Kind::Typed) => b"event: error\ndata: ",
        _ => b"data: ",
    };
    [before, &code.event(api, message), b"\n\n"].concat()
}

#[derive(Debug)]
struct State {
    kind: Kind,
    has_content: bool,
    is_ended: bool,
    /// The choices that there were, and those that have a finish reason: one bit for each index. The last bit is of
    /// all further ones, which are never seen to finish: then only `[DONE]` is the end.
    seen: u128,
    finished: u128,
    error: Option<Failure>,
    malformed: u32,
    content: Sample,
    drops: Drops,
    /// Apart, because it is large.
    reported: Box<Reported>,
}

impl Events for State {
    fn event(&mut self, name: &[u8], data: &[u8]) -> bool {
        self.read(name, data, None)
    }

    fn large(&mut self, large: &Large) {
        if let Some((data, left_out)) = large.data() {
            self.read(large.name(), data, Some(&left_out));
        }
    }
}

impl State {
    /// Reads an event; whether it may pass. `left_out`: what its data lack.
    fn read(&mut self, name: &[u8], data: &[u8], left_out: Option<&LeftOut<'_>>) -> bool {
        if data.trim_ascii() == b"[DONE]" {
            // The end of nothing is no answer.
            self.is_ended |= self.seen != 0 || self.has_content;
            return true;
        }
        let mut event = Event::new(left_out);
        let walked = match self.kind {
            Kind::Choices => event.choices(data),
            Kind::Typed => event.typed(name, data),
            Kind::Messages => event.messages(name, data),
            Kind::Candidates => event.candidates(data),
        };
        event.is_error |= name == b"error";
        match walked {
            Ok(()) => {}
            // It is something.
            Err(Fault::TooDeep) => event.has_content = true,
            Err(Fault::Malformed) => {
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
        let is_usage_alone = self.kind == Kind::Choices
            && event.usage.is_some()
            && event.seen == 0
            && !event.is_error;
        self.reported.take(event.usage, event.model);
        if event.is_error && self.error.is_none() {
            self.error = Some(failure_of_error_object(data).unwrap_or(Failure::ServerError));
        } else if data.first() == Some(&b'[') && self.error.is_none() {
            // Of Gemini: an array with the error inside.
            self.error = failure_of_error_object(data);
        }
        let is_malformed = walked == Err(Fault::Malformed);
        !(is_malformed && self.drops.malformed || is_usage_alone && self.drops.usage)
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
