//! OpenAI's chat completions as a server writes them.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::event::{Event, Part};
use super::fault::Failure;
use super::reply::{Content, Reply, pieces};

/// A comment, which is what keeps a connection alive here.
pub(crate) const PING: &str = ": ping\n\n";

/// A chunk that is no JSON.
pub(crate) const MALFORMED: &str = "data: {\"broken\n\n";

/// A whole answer.
pub(crate) fn whole(reply: &Reply) -> Value {
    let mut message = match &reply.content {
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
    if let Some(reasoning) = &reply.reasoning {
        set(
            &mut message,
            "reasoning_content",
            Value::from(reasoning.as_str()),
        );
    }
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
pub(crate) fn events(reply: &Reply, include_usage: bool) -> Vec<Event> {
    let mut chunks = Vec::new();
    for (part, delta) in deltas(reply) {
        chunks.push((part, chunk(reply, choice(delta, None))));
    }
    let finish = choice(json!({}), Some(finish_reason(reply)));
    chunks.push((Part::Finish, chunk(reply, finish)));
    if include_usage {
        // Then every chunk has the field, null in all but this last one, which has no choices.
        for (_, chunk) in &mut chunks {
            set(chunk, "usage", Value::Null);
        }
        let mut last = chunk(reply, json!([]));
        set(&mut last, "usage", usage(reply));
        chunks.push((Part::Usage, last));
    }
    let mut events: Vec<Event> = chunks
        .iter()
        .map(|(part, chunk)| Event::new(*part, format!("data: {chunk}\n\n")))
        .collect();
    events.push(Event::new(Part::Terminator, "data: [DONE]\n\n"));
    events
}

fn deltas(reply: &Reply) -> Vec<(Part, Value)> {
    let (mut first, tokens): (Value, Vec<Value>) = match &reply.content {
        Content::Text(text) => (
            json!({"role": "assistant", "content": "", "refusal": null}),
            pieces(text)
                .map(|piece| json!({"content": piece}))
                .collect(),
        ),
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
            (first, rest.collect())
        }
    };
    let reasoning = reply.reasoning.as_deref().unwrap_or_default();
    let thoughts: Vec<Value> = pieces(reasoning)
        .map(|piece| json!({"reasoning_content": piece}))
        .collect();
    if !thoughts.is_empty() {
        // The content is not there yet, not even empty.
        set(&mut first, "content", Value::Null);
    }
    let tokens = thoughts.into_iter().chain(tokens);
    std::iter::once((Part::Opening, first))
        .chain(tokens.map(|token| (Part::Token, token)))
        .collect()
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

/// An error as the API words it.
pub(crate) fn failure(failure: Failure) -> Value {
    let (message, kind, param, code) = match failure {
        Failure::RateLimit => (
            "Rate limit reached for requests. Please try again later.",
            "requests",
            None,
            Some("rate_limit_exceeded"),
        ),
        Failure::Overloaded => (
            "Our servers are currently overloaded. Please try again later.",
            "service_unavailable_error",
            None,
            Some("server_is_overloaded"),
        ),
        Failure::Server => (
            "The server had an error while processing your request. Sorry about that!",
            "server_error",
            None,
            None,
        ),
        Failure::Auth => (
            "Incorrect API key provided.",
            "invalid_request_error",
            None,
            Some("invalid_api_key"),
        ),
        Failure::Invalid => (
            "We could not parse the JSON body of your request.",
            "invalid_request_error",
            None,
            None,
        ),
        Failure::ContextLength => (
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 208310 \
             tokens. Please reduce the length of the messages.",
            "invalid_request_error",
            Some("messages"),
            Some("context_length_exceeded"),
        ),
        Failure::ContentPolicy => (
            "Your request was rejected as a result of our safety system.",
            "invalid_request_error",
            None,
            Some("content_policy_violation"),
        ),
    };
    json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
}

/// An error in a stream.
pub(crate) fn error_event(failure: Failure) -> String {
    format!("data: {}\n\n", self::failure(failure))
}

/// The headers of a refusal that say: no request is left, and more come in so long.
pub(crate) fn exhausted(wait: Duration) -> [(&'static str, String); 2] {
    [
        ("x-ratelimit-remaining-requests", "0".to_owned()),
        ("x-ratelimit-reset-requests", duration(wait)),
    ]
}

/// `20ms`, `1.5s`, `1m2s`, `6h0m0s`
fn duration(wait: Duration) -> String {
    let seconds = wait.as_secs();
    if seconds == 0 {
        return format!("{}ms", wait.subsec_millis());
    }
    let part = match wait.subsec_millis() {
        0 => String::new(),
        millis => format!(".{millis:03}").trim_end_matches('0').to_owned(),
    };
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let seconds = format!("{}{part}s", seconds % 60);
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, _) => format!("{minutes}m{seconds}"),
        _ => format!("{hours}h{minutes}m{seconds}"),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_in_the_headers() {
        for (millis, text) in [
            (0, "0ms"),
            (20, "20ms"),
            (1000, "1s"),
            (1500, "1.5s"),
            (62_000, "1m2s"),
            (360_000, "6m0s"),
            (3_600_050, "1h0m0.05s"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }
}
