//! Anthropic's messages as a server writes them.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::reply::{Content, Reply, pieces};

/// A whole answer.
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
    json!({
        "id": message_id(reply),
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": [content],
        "stop_reason": stop_reason(reply),
        "stop_sequence": null,
        "usage": usage(reply, reply.output_tokens),
        "demo": reply.demo,
    })
}

/// A streamed answer, event by event.
pub(crate) fn events(reply: &Reply) -> Vec<String> {
    let mut events = Vec::new();
    // Every event names its type twice, in the line `event:` and in the data.
    let mut push = |kind: &str, mut data: Value| {
        if let Some(data) = data.as_object_mut() {
            data.insert("type".to_owned(), Value::from(kind));
        }
        events.push(format!("event: {kind}\ndata: {data}\n\n"));
    };

    push(
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
    );
    let block = match &reply.content {
        Content::Text(_) => json!({"type": "text", "text": ""}),
        Content::Tool(tool) => json!({
            "type": "tool_use",
            "id": tool_use_id(reply),
            "name": tool.name,
            "input": {},
        }),
    };
    push(
        "content_block_start",
        json!({"index": 0, "content_block": block}),
    );
    push("ping", json!({}));
    match &reply.content {
        Content::Text(text) => {
            for piece in pieces(text) {
                push(
                    "content_block_delta",
                    json!({"index": 0, "delta": {"type": "text_delta", "text": piece}}),
                );
            }
        }
        Content::Tool(tool) => {
            for piece in pieces(&tool.arguments.to_string()) {
                push(
                    "content_block_delta",
                    json!({
                        "index": 0,
                        "delta": {"type": "input_json_delta", "partial_json": piece},
                    }),
                );
            }
        }
    }
    push("content_block_stop", json!({"index": 0}));
    push(
        "message_delta",
        json!({
            "delta": {"stop_reason": stop_reason(reply), "stop_sequence": null},
            "usage": {"output_tokens": reply.output_tokens},
        }),
    );
    push("message_stop", json!({}));
    events
}

/// An error object.
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
