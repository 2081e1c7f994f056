//! Answers in Bedrock's format. Its streams are binary messages, each with its length and checksums.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Crc;
use serde_json::{Value, json};

use super::anthropic;
use super::event::{Event, StreamPart};
use super::fault::ApiError;
use super::reply::{Content, Reply, pieces};

/// The type of a header whose value is a string.
const STRING: u8 = 7;

/// The length of a message's prelude: the lengths of the message and of its headers, and the checksum of both.
const PRELUDE_BYTES: usize = 12;

const CHECKSUM_BYTES: usize = 4;

/// Returns a whole answer of `converse`.
pub(crate) fn whole(reply: &Reply) -> Value {
    let content = match &reply.content {
        Content::Text(text) => json!({"text": text}),
        Content::Tool(tool) => json!({"toolUse": {
            "toolUseId": tool_use_id(reply),
            "name": tool.name,
            "input": tool.arguments,
        }}),
    };
    let thoughts = reply
        .reasoning
        .as_ref()
        .map(|text| json!({"reasoningContent": {"reasoningText": {"text": text}}}));
    let content: Vec<Value> = thoughts.into_iter().chain([content]).collect();
    json!({
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason(reply),
        "usage": usage(reply),
        "metrics": {"latencyMs": 1},
        "demo": reply.demo,
    })
}

/// Returns the messages of a streamed answer of `converse-stream`.
pub(crate) fn events(reply: &Reply) -> Vec<Event> {
    let mut events = vec![event(
        StreamPart::Opening,
        "messageStart",
        &json!({"role": "assistant"}),
    )];
    let mut index = 0;
    if let Some(reasoning) = &reply.reasoning {
        let deltas = pieces(reasoning).map(|piece| json!({"reasoningContent": {"text": piece}}));
        push_block(&mut events, index, None, deltas);
        index = 1;
    }
    match &reply.content {
        Content::Text(text) => {
            let deltas = pieces(text).map(|piece| json!({"text": piece}));
            push_block(&mut events, index, None, deltas);
        }
        Content::Tool(tool) => {
            let start = json!({"toolUse": {"toolUseId": tool_use_id(reply), "name": tool.name}});
            let arguments = tool.arguments.to_string();
            let deltas = pieces(&arguments).map(|piece| json!({"toolUse": {"input": piece}}));
            push_block(&mut events, index, Some(&start), deltas);
        }
    }
    events.push(event(
        StreamPart::Finish,
        "messageStop",
        &json!({"stopReason": stop_reason(reply)}),
    ));
    events.push(event(
        StreamPart::Terminator,
        "metadata",
        &json!({"usage": usage(reply), "metrics": {"latencyMs": 1}}),
    ));
    events
}

/// Returns the messages of a streamed answer of `invoke-with-response-stream`: Anthropic's events, each in a message.
pub(crate) fn invoke_events(reply: &Reply) -> Vec<Event> {
    anthropic::events(reply)
        .iter()
        .filter_map(|event| {
            let text = std::str::from_utf8(&event.bytes).ok()?;
            let data = text.lines().find_map(|line| line.strip_prefix("data: "))?;
            let chunk = json!({"bytes": BASE64_STANDARD.encode(data)});
            Some(self::event(event.part, "chunk", &chunk))
        })
        .collect()
}

fn push_block(
    events: &mut Vec<Event>,
    index: u64,
    start: Option<&Value>,
    deltas: impl Iterator<Item = Value>,
) {
    if let Some(start) = start {
        let start = json!({"contentBlockIndex": index, "start": start});
        events.push(event(StreamPart::Opening, "contentBlockStart", &start));
    }
    for delta in deltas {
        let delta = json!({"contentBlockIndex": index, "delta": delta});
        events.push(event(StreamPart::Token, "contentBlockDelta", &delta));
    }
    let stop = json!({"contentBlockIndex": index});
    events.push(event(StreamPart::Closing, "contentBlockStop", &stop));
}

/// Returns an error object; a header has the type of the error.
pub(crate) fn error(message: &str) -> Value {
    json!({"message": message})
}

/// Returns the type of the error.
pub(crate) fn error_type(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        500.. => "InternalServerException",
        _ => "ValidationException",
    }
}

/// Returns an error in the API's own words.
pub(crate) fn failure(failure: ApiError) -> Value {
    error(worded(failure).1)
}

/// Returns an error in a stream.
pub(crate) fn error_event(failure: ApiError) -> Event {
    let (kind, message) = worded(failure);
    let bytes = message_of(
        &[
            (":exception-type", kind),
            (":content-type", "application/json"),
            (":message-type", "exception"),
        ],
        error(message).to_string().as_bytes(),
    );
    Event::new(StreamPart::Terminator, bytes)
}

/// Returns a message with a wrong checksum.
pub(crate) fn malformed() -> Vec<u8> {
    let mut message = event(StreamPart::Token, "contentBlockDelta", &json!({})).bytes;
    if let Some(last) = message.last_mut() {
        *last = !*last;
    }
    message
}

fn worded(failure: ApiError) -> (&'static str, &'static str) {
    match failure {
        ApiError::RateLimit => (
            "throttlingException",
            "Too many requests, please wait before trying again.",
        ),
        ApiError::Overloaded => (
            "serviceUnavailableException",
            "Bedrock is unable to process your request.",
        ),
        ApiError::Server => (
            "internalServerException",
            "The system encountered an unexpected error during processing. Try your request again.",
        ),
        ApiError::Auth => (
            "accessDeniedException",
            "The security token included in the request is invalid.",
        ),
        ApiError::Invalid => ("validationException", "Malformed input request."),
        ApiError::ContextLength => (
            "validationException",
            "The model returned the following errors: Input is too long for requested model.",
        ),
        ApiError::ContentPolicy => (
            "validationException",
            "The model returned the following errors: Output blocked by content filtering policy",
        ),
    }
}

fn event(part: StreamPart, kind: &str, payload: &Value) -> Event {
    let bytes = message_of(
        &[
            (":event-type", kind),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ],
        payload.to_string().as_bytes(),
    );
    Event::new(part, bytes)
}

/// Returns a message of `application/vnd.amazon.eventstream`.
fn message_of(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for (name, value) in headers {
        encoded.extend(u8::try_from(name.len()));
        encoded.extend(name.as_bytes());
        encoded.push(STRING);
        encoded.extend(u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
        encoded.extend(value.as_bytes());
    }
    let total = [encoded.len(), payload.len(), CHECKSUM_BYTES]
        .into_iter()
        .fold(PRELUDE_BYTES, usize::saturating_add);
    let mut message = Vec::with_capacity(total);
    message.extend(length(total));
    message.extend(length(encoded.len()));
    message.extend(checksum(&message));
    message.extend(encoded);
    message.extend(payload);
    message.extend(checksum(&message));
    message
}

/// Encodes a length; payloads are never too long for it.
fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum().to_be_bytes()
}

fn tool_use_id(reply: &Reply) -> String {
    format!("tooluse_{}", reply.id)
}

fn stop_reason(reply: &Reply) -> &'static str {
    match reply.content {
        Content::Text(_) => "end_turn",
        Content::Tool(_) => "tool_use",
    }
}

fn usage(reply: &Reply) -> Value {
    json!({
        "inputTokens": reply.input_tokens,
        "outputTokens": reply.output_tokens,
        "totalTokens": reply.input_tokens.saturating_add(reply.output_tokens),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_as_the_specification_shows_it() {
        // Length 16, no headers, and the two checksums.
        assert_eq!(
            message_of(&[], b""),
            [
                0, 0, 0, 16, 0, 0, 0, 0, 5, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff
            ]
        );
        let message = message_of(&[("a", "bc")], b"{}");
        assert_eq!(message[12..19], [1, b'a', 7, 0, 2, b'b', b'c']);
        assert_eq!(message[19..21], *b"{}");
        assert_eq!(message.len(), 25);
    }
}
