//! OpenAI's chat completions.

use serde_json::{Value, json};

use super::super::event::{Event, StreamPart};
use super::super::reply::{Content, Reply, pieces};
use super::{call_id, set, usage};

/// Returns a whole answer.
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

/// Returns the events of a streamed answer.
pub(crate) fn events(reply: &Reply, include_usage: bool) -> Vec<Event> {
    let mut chunks = Vec::new();
    for (part, delta) in deltas(reply) {
        chunks.push((part, chunk(reply, choice(delta, None))));
    }
    let finish = choice(json!({}), Some(finish_reason(reply)));
    chunks.push((StreamPart::Finish, chunk(reply, finish)));
    if include_usage {
        // Then every chunk has the field. It is null in all but this last one, which has no choices.
        for (_, chunk) in &mut chunks {
            set(chunk, "usage", Value::Null);
        }
        let mut last = chunk(reply, json!([]));
        set(&mut last, "usage", usage(reply));
        chunks.push((StreamPart::Usage, last));
    }
    let mut events: Vec<Event> = chunks
        .iter()
        .map(|(part, chunk)| Event::data(*part, chunk))
        .collect();
    events.push(Event::new(StreamPart::Terminator, super::DONE));
    events
}

fn deltas(reply: &Reply) -> Vec<(StreamPart, Value)> {
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
        // The first chunk has no content yet, not even empty.
        set(&mut first, "content", Value::Null);
    }
    let tokens = thoughts.into_iter().chain(tokens);
    std::iter::once((StreamPart::Opening, first))
        .chain(tokens.map(|token| (StreamPart::Token, token)))
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

fn completion_id(reply: &Reply) -> String {
    format!("chatcmpl-{}", reply.id)
}

fn finish_reason(reply: &Reply) -> &'static str {
    match reply.content {
        Content::Text(_) => "stop",
        Content::Tool(_) => "tool_calls",
    }
}
