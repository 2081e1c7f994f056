//! Answers in the format of Anthropic's Messages API.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::clock::{rfc3339, time_in};
use super::event::{Event, StreamPart};
use super::fault::ApiError;
use super::reply::{Content, Reply, pieces};

/// The event that keeps a connection alive.
pub(crate) const PING: &str = "event: ping\ndata: {\"type\":\"ping\"}\n\n";

/// An event whose data is not JSON.
pub(crate) const MALFORMED: &str = "event: content_block_delta\ndata: {\"broken\n\n";

/// The signature of the reasoning, which nobody verifies.
const SIGNATURE: &str = "ZGVtbw==";

/// Returns a whole answer.
pub(crate) fn whole(reply: &Reply) -> Value {
    let content = match &reply.content {
        Content::Text(text) => json!({"type": "text", "text": text}),
        Content::Tool(tool) => json!({
            "type": "tool_use",
            "id": tool_use_id(reply),
            "name": tool.name,
            "input": tool.arguments,
        }),
    };
    let thoughts = reply
        .reasoning
        .as_ref()
        .map(|text| json!({"type": "thinking", "thinking": text, "signature": SIGNATURE}));
    let content: Vec<Value> = thoughts.into_iter().chain([content]).collect();
    json!({
        "id": message_id(reply),
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": content,
        "stop_reason": stop_reason(reply),
        "stop_sequence": null,
        "usage": usage(reply, reply.output_tokens),
        "demo": reply.demo,
    })
}

/// Returns the number of tokens in a request.
pub(crate) fn count_tokens(reply: &Reply) -> Value {
    json!({"input_tokens": reply.input_tokens, "demo": reply.demo})
}

/// Returns the events of a streamed answer.
pub(crate) fn events(reply: &Reply) -> Vec<Event> {
    let mut events = vec![Event::typed(
        StreamPart::Opening,
        "message_start",
        json!({"message": {
            "id": message_id(reply),
            "type": "message",
            "role": "assistant",
            "model": reply.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": usage(reply, 1),
        }}),
    )];
    if let Some(reasoning) = &reply.reasoning {
        let block = json!({"type": "thinking", "thinking": "", "signature": ""});
        let mut deltas: Vec<Value> = pieces(reasoning)
            .map(|piece| json!({"type": "thinking_delta", "thinking": piece}))
            .collect();
        deltas.push(json!({"type": "signature_delta", "signature": SIGNATURE}));
        push_block(&mut events, 0, &block, deltas);
    }
    let index = u64::from(reply.reasoning.is_some());
    match &reply.content {
        Content::Text(text) => {
            let block = json!({"type": "text", "text": ""});
            let deltas = pieces(text).map(|piece| json!({"type": "text_delta", "text": piece}));
            push_block(&mut events, index, &block, deltas);
        }
        Content::Tool(tool) => {
            let block = json!({
                "type": "tool_use",
                "id": tool_use_id(reply),
                "name": tool.name,
                "input": {},
            });
            let arguments = tool.arguments.to_string();
            let deltas = pieces(&arguments)
                .map(|piece| json!({"type": "input_json_delta", "partial_json": piece}));
            push_block(&mut events, index, &block, deltas);
        }
    }
    events.push(Event::typed(
        StreamPart::Finish,
        "message_delta",
        json!({
            "delta": {"stop_reason": stop_reason(reply), "stop_sequence": null},
            "usage": {"output_tokens": reply.output_tokens},
        }),
    ));
    events.push(Event::typed(
        StreamPart::Terminator,
        "message_stop",
        json!({}),
    ));
    events
}

fn push_block(
    events: &mut Vec<Event>,
    index: u64,
    block: &Value,
    deltas: impl IntoIterator<Item = Value>,
) {
    events.push(Event::typed(
        StreamPart::Opening,
        "content_block_start",
        json!({"index": index, "content_block": block}),
    ));
    if index == 0 {
        events.push(Event::new(StreamPart::Opening, PING));
    }
    for delta in deltas {
        events.push(Event::typed(
            StreamPart::Token,
            "content_block_delta",
            json!({"index": index, "delta": delta}),
        ));
    }
    events.push(Event::typed(
        StreamPart::Closing,
        "content_block_stop",
        json!({"index": index}),
    ));
}

/// Returns an error object.
pub(crate) fn error(status: StatusCode, message: &str) -> Value {
    let kind = match status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    json!({"type": "error", "error": {"type": kind, "message": message}})
}

/// Returns an error in the API's own words.
pub(crate) fn failure(failure: ApiError) -> Value {
    let (kind, message) = match failure {
        ApiError::RateLimit => (
            "rate_limit_error",
            "This request would exceed your organization's rate limit.",
        ),
        ApiError::Overloaded => ("overloaded_error", "Overloaded"),
        ApiError::Server => ("api_error", "Internal server error"),
        ApiError::Auth => ("authentication_error", "invalid x-api-key"),
        ApiError::Invalid => ("invalid_request_error", "messages: Field required"),
        ApiError::ContextLength => (
            "invalid_request_error",
            "prompt is too long: 208310 tokens > 200000 maximum",
        ),
        ApiError::ContentPolicy => (
            "invalid_request_error",
            "Output blocked by content filtering policy",
        ),
    };
    json!({"type": "error", "error": {"type": kind, "message": message}})
}

/// Returns an error event of a stream.
pub(crate) fn error_event(failure: ApiError) -> Event {
    Event::typed(StreamPart::Terminator, "error", self::failure(failure))
}

/// Returns the headers of a refusal that say that no request is left, and how long until there are more.
pub(crate) fn exhausted(wait: Duration) -> [(&'static str, String); 2] {
    [
        ("anthropic-ratelimit-requests-remaining", "0".to_owned()),
        ("anthropic-ratelimit-requests-reset", rfc3339(time_in(wait))),
    ]
}

fn message_id(reply: &Reply) -> String {
    format!("msg_{}", reply.id)
}

fn tool_use_id(reply: &Reply) -> String {
    format!("toolu_{}", reply.id)
}

fn stop_reason(reply: &Reply) -> &'static str {
    match reply.content {
        Content::Text(_) => "end_turn",
        Content::Tool(_) => "tool_use",
    }
}

fn usage(reply: &Reply, output_tokens: u64) -> Value {
    json!({
        "input_tokens": reply.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
        "service_tier": "standard",
    })
}
