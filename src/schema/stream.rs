//! What a streamed answer says on its way: that it has begun, that it is finished, that it is an error.
//!
//! Sources: OpenAI's reference of `CreateChatCompletionStreamResponse` (and of legacy completions), the additions of
//! compatible providers (`reasoning`, `reasoning_content`: OpenRouter, DeepSeek, vLLM), Anthropic's reference of
//! streamed messages.
//!
//! Every event is walked over once, also those after the first content: a search for the few names that matter then
//! would not spare the walk, because nearly every event of OpenAI's has one of them, in `"finish_reason":null`.

use super::json::{Fault, Json, Step};
use super::provider_error::failure_of_error_object;
use super::sse::{Events, Pieces};
use super::{ErrorCode, Schema};
use crate::attempt::Failure;

/// Reads one streamed answer.
#[derive(Debug)]
pub struct StreamReader {
    pieces: Pieces,
    state: State,
}

impl StreamReader {
    /// At the beginning of an answer of a backend that speaks this dialect.
    pub fn new(schema: Schema) -> Self {
        StreamReader {
            pieces: Pieces::new(),
            state: State {
                schema,
                has_content: false,
                is_ended: false,
                seen: 0,
                finished: 0,
                error: None,
                malformed: 0,
            },
        }
    }

    /// Takes the next bytes, cut anywhere.
    pub fn push(&mut self, chunk: &[u8]) {
        self.pieces.push(chunk, &mut self.state, &mut None);
    }

    /// The same, but returns what may be passed on where malformed events are to be dropped: whole events that are not
    /// malformed, and what stands between events. At the stream's end an event that lacks its blank line is given one.
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
    /// that is too large to be read.
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

    /// How many events had data that are neither JSON nor `[DONE]`.
    pub fn malformed(&self) -> u32 {
        self.state.malformed
    }
}

/// An error as the last event of a stream in the caller's format, to be appended to what has passed.
///
/// Sources: OpenAI's SDKs take an event whose data have an `error`; Anthropic's reference of streamed messages, under
/// error events.
pub fn error_event(code: ErrorCode, schema: Schema, message: &str) -> Vec<u8> {
    let before: &[u8] = match schema {
        Schema::OpenAi => b"data: ",
        Schema::Anthropic => b"event: error\ndata: ",
    };
    [before, &code.answer(schema, message).body, b"\n\n"].concat()
}

#[derive(Debug)]
struct State {
    schema: Schema,
    has_content: bool,
    is_ended: bool,
    /// The choices that there were, and those that have a finish reason: one bit for each index. The last bit is of
    /// all further ones, which are never seen to finish: then only `[DONE]` is the end.
    seen: u128,
    finished: u128,
    error: Option<Failure>,
    malformed: u32,
}

impl Events for State {
    fn event(&mut self, name: &[u8], data: &[u8]) -> bool {
        if data.trim_ascii() == b"[DONE]" {
            // The end of nothing is no answer.
            self.is_ended |= self.seen != 0 || self.has_content;
            return true;
        }
        let mut event = Event::default();
        let walked = match self.schema {
            Schema::OpenAi => Json::whole(data, |json| event.openai(json)),
            Schema::Anthropic => event.anthropic(name, data),
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
        if event.is_error && self.error.is_none() {
            self.error = Some(failure_of_error_object(data).unwrap_or(Failure::ServerError));
        } else if data.first() == Some(&b'[') && self.error.is_none() {
            // Of Gemini: an array with the error inside.
            self.error = failure_of_error_object(data);
        }
        walked != Err(Fault::Malformed)
    }

    fn too_large(&mut self) {
        self.has_content = true;
    }
}

/// What one event says.
#[derive(Debug, Default)]
struct Event {
    has_content: bool,
    is_ended: bool,
    is_error: bool,
    seen: u128,
    finished: u128,
}

impl Event {
    fn openai(&mut self, json: &mut Json<'_>) -> Step {
        json.fields(|json, key| match key {
            b"choices" => json.items(|json| self.choice(json)),
            b"error" => {
                self.is_error |= json.is_something()?;
                Ok(())
            }
            b"object" | b"type" => {
                self.is_error |= json.text()? == Some(b"error");
                Ok(())
            }
            _ => json.skip().map(drop),
        })
    }

    fn choice(&mut self, json: &mut Json<'_>) -> Step {
        let mut bit = 1_u128;
        let mut is_finished = false;
        json.fields(|json, key| {
            match key {
                b"index" => bit = bit_of(json.skip()?),
                b"delta" | b"message" => json.fields(|json, key| {
                    let is_something = json.is_something()?;
                    self.has_content |= is_something && is_content(key);
                    Ok(())
                })?,
                b"text" => self.has_content |= json.is_something()?,
                // Some send `""` for `null`.
                b"finish_reason" => is_finished = json.is_something()?,
                _ => {
                    json.skip()?;
                }
            }
            Ok(())
        })?;
        self.seen |= bit;
        if is_finished && bit != LAST_BIT {
            self.finished |= bit;
        }
        Ok(())
    }

    fn anthropic(&mut self, name: &[u8], data: &[u8]) -> Step {
        let mut kind = name;
        let mut is_delta_something = false;
        let mut has_stop_reason = false;
        let mut is_block_something = false;
        Json::whole(data, |json| {
            json.fields(|json, key| {
                match key {
                    b"type" => kind = json.text()?.unwrap_or_default(),
                    b"error" => self.is_error |= json.is_something()?,
                    b"delta" => json.fields(|json, key| {
                        let is_something = json.is_something()?;
                        is_delta_something |= is_something && key != b"type";
                        has_stop_reason |= is_something && key == b"stop_reason";
                        Ok(())
                    })?,
                    b"content_block" => json.fields(|json, key| {
                        is_block_something |= match key {
                            // The call of a tool, or its result, has begun.
                            b"type" => !matches!(json.text()?, Some(b"text" | b"thinking")),
                            b"text" | b"thinking" => json.is_something()?,
                            _ => {
                                json.skip()?;
                                false
                            }
                        };
                        Ok(())
                    })?,
                    _ => {
                        json.skip()?;
                    }
                }
                Ok(())
            })
        })?;
        match kind {
            b"content_block_delta" => self.has_content = is_delta_something,
            b"content_block_start" => self.has_content = is_block_something,
            b"message_delta" => self.is_ended = has_stop_reason,
            b"message_stop" => self.is_ended = true,
            b"error" => self.is_error = true,
            _ => {}
        }
        Ok(())
    }
}

/// Whether something in a delta under this name is content.
fn is_content(key: &[u8]) -> bool {
    matches!(
        key,
        b"content"
            | b"reasoning"
            | b"reasoning_content"
            | b"reasoning_details"
            | b"refusal"
            | b"tool_calls"
            | b"function_call"
            | b"audio"
    )
}

const LAST_BIT: u128 = 1 << 127;

/// The bit of a choice's index.
fn bit_of(index: &[u8]) -> u128 {
    let number = match index {
        b"null" => 0,
        _ => std::str::from_utf8(index)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .unwrap_or(127),
    };
    1_u128.checked_shl(number).unwrap_or(LAST_BIT)
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
