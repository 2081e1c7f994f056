//! OpenAI's chat completions as a server writes them.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::reply::{Content, Reply, pieces};

/// A whole answer.
pub(crate) fn whole(reply: &Reply) -> Value {
    let message = match &reply.content {
        Content::Text(text) => json!({
            "role": "assistant",
            "content": text,
            "refusal": null,
            "annotations": [],
        }),
        Content::Tool(tool) => json!({
            "role": "assistant",
            "content": null,
            "refusal": null,
            "annotations": [],
            "tool_calls": [{
                "id": call_id(reply),
                "type": "function",
                "function": {"name": tool.name, "arguments": tool.arguments.to_string()},
            }],
        }),
    };
    json!({
        "id": completion_id(reply),
        "object": "chat.completion",
        "created": reply.created,
        "model": reply.model,
        "choices": [{
            "index": 0,
            "message": message,
            "logprobs": null,
            "finish_reason": finish_reason(reply),
        }],
        "usage": usage(reply),
        "service_tier": "default",
        "system_fingerprint": "fp_demo",
        "demo": reply.demo,
    })
}

/// A streamed answer, event by event.
pub(crate) fn events(reply: &Reply, include_usage: bool) -> Vec<String> {
    let mut chunks = Vec::new();
    for delta in deltas(reply) {
        chunks.push(chunk(reply, choice(delta, None)));
    }
    chunks.push(chunk(reply, choice(json!({}), Some(finish_reason(reply)))));
    if include_usage {
        // Then every chunk has the field, null in all but this last one, which has no choices.
        for chunk in &mut chunks {
            set(chunk, "usage", Value::Null);
        }
        let mut last = chunk(reply, json!([]));
        set(&mut last, "usage", usage(reply));
        chunks.push(last);
    }
    let mut events: Vec<String> = chunks
        .iter()
        .map(|chunk| format!("data: {chunk}\n\n"))
        .collect();
    events.push("data: [DONE]\n\n".to_owned());
    events
}

fn deltas(reply: &Reply) -> Vec<Value> {
    match &reply.content {
        Content::Text(text) => {
            let first = json!({"role": "assistant", "content": "", "refusal": null});
            let words = pieces(text).map(|piece| json!({"content": piece}));
            std::iter::once(first).chain(words).collect()
        }
        Content::Tool(tool) => {
            let call = json!({
                "index": 0,
                "id": call_id(reply),
                "type": "function",
                "function": {"name": tool.name, "arguments": ""},
            });
            let first = json!({
                "role": "assistant",
                "content": null,
                "refusal": null,
                "tool_calls": [call],
            });
            let arguments = tool.arguments.to_string();
            let rest = pieces(&arguments).map(|piece| {
                let call = json!({"index": 0, "function": {"arguments": piece}});
                json!({"tool_calls": [call]})
            });
            std::iter::once(first).chain(rest).collect()
        }
    }
}

fn choice(delta: Value, finish_reason: Option<&str>) -> Value {
    let choice = json!({
        "index": 0,
        "delta": delta,
        "logprobs": null,
        "finish_reason": finish_reason,
    });
    json!([choice])
}

fn chunk(reply: &Reply, choices: Value) -> Value {
    json!({
        "id": completion_id(reply),
        "object": "chat.completion.chunk",
        "created": reply.created,
        "model": reply.model,
        "service_tier": "default",
        "system_fingerprint": "fp_demo",
        "choices": choices,
    })
}

fn set(chunk: &mut Value, field: &str, value: Value) {
    if let Some(chunk) = chunk.as_object_mut() {
        chunk.insert(field.to_owned(), value);
    }
}

/// An error object.
pub(crate) fn error(status: StatusCode, message: &str) -> Value {
    let (kind, code) = match status.as_u16() {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        403 => (
            "invalid_request_error",
            Some("unsupported_country_region_territory"),
        ),
        429 => ("requests", Some("rate_limit_exceeded")),
        500.. => ("server_error", None),
        _ => ("invalid_request_error", None),
    };
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

fn completion_id(reply: &Reply) -> String {
    format!("chatcmpl-{}", reply.id)
}

fn call_id(reply: &Reply) -> String {
    format!("call_{}", reply.id)
}

fn finish_reason(reply: &Reply) -> &'static str {
    match reply.content {
        Content::Text(_) => "stop",
        Content::Tool(_) => "tool_calls",
    }
}

fn usage(reply: &Reply) -> Value {
    json!({
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens.saturating_add(reply.output_tokens),
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}
