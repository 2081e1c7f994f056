//! Reads one event of a streamed answer, in the format of its API.
//!
//! Sources: OpenAI's reference of `CreateChatCompletionStreamResponse` (and of legacy completions), the additions of
//! compatible providers (`reasoning`, `reasoning_content`: OpenRouter, DeepSeek, vLLM), OpenAI's references of
//! streaming events of responses, images, speech and transcriptions, Anthropic's reference of streamed messages,
//! Gemini's `GenerateContentResponse`.

use super::json::{JsonCursor, JsonResult};
use super::large::OmittedBytes;

/// What one event says.
#[derive(Debug, Default)]
pub(super) struct Event<'a> {
    pub(super) has_content: bool,
    pub(super) is_ended: bool,
    pub(super) is_error: bool,
    pub(super) seen: u128,
    pub(super) finished: u128,
    /// The approximate number of content bytes in the event, as they are written.
    pub(super) content_bytes: usize,
    /// The longest piece of content, without its quotes.
    pub(super) content: &'a [u8],
    /// The object with the token counts, as it is written.
    pub(super) usage: Option<&'a [u8]>,
    /// The inside of the string that names the model.
    pub(super) model: Option<&'a [u8]>,
    /// The parts that are missing from the event's data, if it was too large to be held.
    pub(super) omitted: Option<&'a OmittedBytes<'a>>,
}

impl<'a> Event<'a> {
    /// Creates an event whose data lack these parts.
    pub(super) fn new(omitted: Option<&'a OmittedBytes<'a>>) -> Self {
        Event {
            omitted,
            ..Event::default()
        }
    }

    /// Reads an event of OpenAI's completions.
    pub(super) fn choices(&mut self, data: &'a [u8]) -> JsonResult {
        JsonCursor::whole(data, |json| self.answer(json))
    }

    fn answer(&mut self, json: &mut JsonCursor<'a>) -> JsonResult {
        json.fields(|json, key| match key {
            b"choices" => json.items(|json| self.choice(json)),
            b"error" => {
                self.is_error |= json.is_non_empty()?;
                Ok(())
            }
            b"object" | b"type" => {
                self.is_error |= json.text()? == Some(b"error");
                Ok(())
            }
            _ => self.read_metadata(json, key),
        })
    }

    /// Reads a field that may contain the usage or the model.
    fn read_metadata(&mut self, json: &mut JsonCursor<'a>, key: &[u8]) -> JsonResult {
        match key {
            b"usage" | b"usageMetadata" => {
                let value = json.skip()?;
                self.usage = value.starts_with(b"{").then_some(value);
            }
            b"model" | b"modelVersion" => self.model = json.text()?,
            _ => {
                json.skip()?;
            }
        }
        Ok(())
    }

    fn choice(&mut self, json: &mut JsonCursor<'a>) -> JsonResult {
        let mut bit = 1_u128;
        let mut is_finished = false;
        json.fields(|json, key| {
            match key {
                b"index" => bit = bit_of(json.skip()?),
                b"delta" | b"message" => json.fields(|json, key| {
                    let inside = non_empty_value(json)?;
                    self.note_value(inside, is_content(key));
                    Ok(())
                })?,
                b"text" => {
                    let inside = non_empty_value(json)?;
                    self.note_value(inside, true);
                }
                // Some providers send `""` for `null`.
                b"finish_reason" => is_finished = json.is_non_empty()?,
                _ => {
                    json.skip()?;
                }
            }
            Ok(())
        })?;
        self.note_choice(bit, is_finished);
        Ok(())
    }

    /// Reads an event of Anthropic's API.
    pub(super) fn messages(&mut self, name: &'a [u8], data: &'a [u8]) -> JsonResult {
        let mut kind = name;
        let mut delta = Event::new(self.omitted);
        let mut has_stop_reason = false;
        let mut is_block_something = false;
        JsonCursor::whole(data, |json| {
            json.fields(|json, key| {
                match key {
                    b"type" => kind = json.text()?.unwrap_or_default(),
                    b"error" => self.is_error |= json.is_non_empty()?,
                    b"delta" => json.fields(|json, key| {
                        let inside = non_empty_value(json)?;
                        delta.note_value(inside, key != b"type");
                        has_stop_reason |= !inside.is_empty() && key == b"stop_reason";
                        Ok(())
                    })?,
                    b"content_block" => json.fields(|json, key| {
                        is_block_something |= match key {
                            // A tool call, or its result, has begun.
                            b"type" => !matches!(json.text()?, Some(b"text" | b"thinking")),
                            b"text" | b"thinking" => json.is_non_empty()?,
                            _ => {
                                json.skip()?;
                                false
                            }
                        };
                        Ok(())
                    })?,
                    b"message" => json.fields(|json, key| self.read_metadata(json, key))?,
                    _ => self.read_metadata(json, key)?,
                }
                Ok(())
            })
        })?;
        match kind {
            b"content_block_delta" => self.take_content(&delta),
            b"content_block_start" => self.has_content = is_block_something,
            b"message_delta" => self.is_ended = has_stop_reason,
            b"message_stop" => self.is_ended = true,
            b"error" => self.is_error = true,
            _ => {}
        }
        Ok(())
    }

    /// Reads an event of OpenAI's APIs whose events have a type: responses, images, speech and transcriptions.
    pub(super) fn typed(&mut self, name: &'a [u8], data: &'a [u8]) -> JsonResult {
        let mut kind = name;
        let mut delta = Event::new(self.omitted);
        JsonCursor::whole(data, |json| {
            json.fields(|json, key| {
                match key {
                    b"type" => kind = json.text()?.unwrap_or_default(),
                    b"error" => self.is_error |= json.is_non_empty()?,
                    b"delta" | b"b64_json" | b"partial_image_b64" | b"audio" | b"text" => {
                        delta.note_value(non_empty_value(json)?, true);
                    }
                    b"response" => json.fields(|json, key| self.read_metadata(json, key))?,
                    _ => self.read_metadata(json, key)?,
                }
                Ok(())
            })
        })?;
        let is_content = CONTENT.iter().any(|suffix| kind.ends_with(suffix));
        if is_content {
            self.take_content(&delta);
        }
        self.is_ended = FINAL.contains(&kind);
        self.is_error |= matches!(kind, b"error" | b"response.failed");
        Ok(())
    }

    /// Reads an event of Gemini's API.
    pub(super) fn candidates(&mut self, data: &'a [u8]) -> JsonResult {
        JsonCursor::whole(data, |json| {
            json.fields(|json, key| match key {
                b"candidates" => json.items(|json| self.candidate(json)),
                b"promptFeedback" => json.fields(|json, key| {
                    // The prompt was refused before anything was written.
                    self.is_ended |= json.is_non_empty()? && key == b"blockReason";
                    Ok(())
                }),
                b"error" => {
                    self.is_error |= json.is_non_empty()?;
                    Ok(())
                }
                _ => self.read_metadata(json, key),
            })
        })
    }

    fn candidate(&mut self, json: &mut JsonCursor<'a>) -> JsonResult {
        let mut bit = 1_u128;
        let mut is_finished = false;
        json.fields(|json, key| {
            match key {
                b"index" => bit = bit_of(json.skip()?),
                b"content" => json.fields(|json, key| match key {
                    b"parts" => json.items(|json| {
                        json.fields(|json, key| {
                            // A thought has a field next to its text that marks it as one.
                            let inside = non_empty_value(json)?;
                            self.note_value(inside, key != b"thought");
                            Ok(())
                        })
                    }),
                    _ => json.skip().map(drop),
                })?,
                b"finishReason" => is_finished = json.is_non_empty()?,
                _ => {
                    json.skip()?;
                }
            }
            Ok(())
        })?;
        self.note_choice(bit, is_finished);
        Ok(())
    }

    /// Notes a value that may be content.
    fn note_value(&mut self, inside: &'a [u8], is_content: bool) {
        if is_content && !inside.is_empty() {
            self.has_content = true;
            self.content_bytes = self.content_bytes.saturating_add(inside.len());
            if let Some(omitted) = self.omitted {
                self.content_bytes = self.content_bytes.saturating_add(omitted.of(inside));
            }
            if inside.len() > self.content.len() {
                self.content = inside;
            }
        }
    }

    /// Takes over the content of a part that turned out to be content.
    fn take_content(&mut self, part: &Event<'a>) {
        self.has_content |= part.has_content;
        self.content_bytes = self.content_bytes.saturating_add(part.content_bytes);
        self.content = part.content;
    }

    /// Notes a choice, and whether it is finished.
    fn note_choice(&mut self, bit: u128, is_finished: bool) {
        self.seen |= bit;
        if is_finished && bit != LAST_BIT {
            self.finished |= bit;
        }
    }
}

/// Reads a value and returns it without the quotes that all streamed content has; empty if the value is null or
/// empty.
fn non_empty_value<'a>(json: &mut JsonCursor<'a>) -> JsonResult<&'a [u8]> {
    let before = json.rest();
    let is_non_empty = json.is_non_empty()?;
    let length = before.len().saturating_sub(json.rest().len());
    let inside = before.get(1..length.saturating_sub(1));
    Ok(match inside {
        _ if !is_non_empty => b"",
        Some(inside) if !inside.is_empty() => inside,
        // A digit.
        _ => before.get(..length).unwrap_or_default(),
    })
}

/// How the types of events that carry content end.
const CONTENT: [&[u8]; 4] = [b".delta", b".partial_image", b".segment", b".completed"];

/// The types of the events that end a stream.
const FINAL: [&[u8]; 6] = [
    b"response.completed",
    b"response.incomplete",
    b"image_generation.completed",
    b"image_edit.completed",
    b"speech.audio.done",
    b"transcript.text.done",
];

/// Whether a non-empty field of this name in a delta is content.
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

/// Returns the bit of a choice's index.
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
#[path = "event_tests.rs"]
mod tests;
