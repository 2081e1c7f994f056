//! OpenAI's responses, whole and as typed events.

use serde_json::{Value, json};

use super::super::event::{Event, StreamPart};
use super::super::fault::ApiError;
use super::super::reply::{Content, Reply, pieces};
use super::{call_id, set};

/// An event whose data is not JSON.
pub(crate) const MALFORMED: &str = "event: response.output_text.delta\ndata: {\"broken\n\n";

/// Returns the ID by which a response can be retrieved.
pub(crate) fn id(reply: &Reply) -> String {
    format!("resp_{}", reply.id)
}

/// Returns a whole answer.
pub(crate) fn whole(reply: &Reply) -> Value {
    let mut response = response(reply, "completed", items(reply));
    set(&mut response, "completed_at", Value::from(reply.created));
    set(&mut response, "usage", usage(reply));
    set(&mut response, "demo", reply.demo.clone());
    response
}

/// Returns the number of tokens in a request.
pub(crate) fn input_tokens(reply: &Reply) -> Value {
    json!({
        "object": "response.input_tokens",
        "input_tokens": reply.input_tokens,
        "demo": reply.demo,
    })
}

/// Returns a compacted conversation.
pub(crate) fn compact(reply: &Reply) -> Value {
    json!({
        "id": id(reply),
        "object": "response.compaction",
        "created_at": reply.created,
        "output": [{
            "id": format!("cmp_{}", reply.id),
            "type": "compaction",
            "encrypted_content": reply.text(),
        }],
        "usage": usage(reply),
        "demo": reply.demo,
    })
}

/// Returns the events of a streamed answer.
pub(crate) fn events(reply: &Reply) -> Vec<Event> {
    let begun = response(reply, "in_progress", Vec::new());
    let mut stream = Stream::default();
    stream.push(
        StreamPart::Opening,
        "response.created",
        json!({"response": begun}),
    );
    stream.push(
        StreamPart::Opening,
        "response.in_progress",
        json!({"response": begun}),
    );
    let mut index = 0_usize;
    for item in items(reply) {
        stream.push_item(index, &item);
        index = index.saturating_add(1);
    }
    let mut ended = whole(reply);
    if let Some(ended) = ended.as_object_mut() {
        ended.remove("demo");
    }
    stream.push(
        StreamPart::Terminator,
        "response.completed",
        json!({"response": ended}),
    );
    stream.0
}

/// Returns an error in a stream.
pub(crate) fn error_event(failure: ApiError) -> Event {
    let mut error = super::failure(failure);
    let mut data = error.get_mut("error").map(Value::take).unwrap_or_default();
    set(&mut data, "sequence_number", Value::from(0));
    Event::typed(StreamPart::Terminator, "error", data)
}

/// Events with their sequence numbers.
#[derive(Default)]
struct Stream(Vec<Event>);

impl Stream {
    fn push(&mut self, part: StreamPart, kind: &str, mut data: Value) {
        set(&mut data, "sequence_number", Value::from(self.0.len()));
        self.0.push(Event::typed(part, kind, data));
    }

    /// Adds one item of the output: first without its content, then piece by piece, then whole.
    fn push_item(&mut self, index: usize, item: &Value) {
        let text = |at: &str| item.pointer(at).and_then(Value::as_str).unwrap_or_default();
        let kind = text("/type");
        let (field, empty) = match kind {
            "message" => ("content", json!([])),
            "reasoning" => ("summary", json!([])),
            _ => ("arguments", json!("")),
        };
        let mut begun = item.clone();
        set(&mut begun, "status", Value::from("in_progress"));
        set(&mut begun, field, empty);
        self.push(
            StreamPart::Opening,
            "response.output_item.added",
            json!({"output_index": index, "item": begun}),
        );
        let mut at = json!({"item_id": text("/id"), "output_index": index});
        match kind {
            "message" => {
                set(&mut at, "content_index", Value::from(0));
                self.push_text(&at, text("/content/0/text"));
            }
            "reasoning" => {
                set(&mut at, "summary_index", Value::from(0));
                self.push_thoughts(&at, text("/summary/0/text"));
            }
            _ => {
                let done = json!({"name": text("/name"), "arguments": text("/arguments")});
                let kind = "response.function_call_arguments";
                self.push_pieces(&at, kind, text("/arguments"), &done);
            }
        }
        self.push(
            StreamPart::Closing,
            "response.output_item.done",
            json!({"output_index": index, "item": item}),
        );
    }

    fn push_text(&mut self, at: &Value, text: &str) {
        let part = |text| with(at, &json!({"part": output_text(text)}));
        self.push(StreamPart::Opening, "response.content_part.added", part(""));
        let done = json!({"text": text, "logprobs": []});
        self.push_pieces(at, "response.output_text", text, &done);
        self.push(
            StreamPart::Closing,
            "response.content_part.done",
            part(text),
        );
    }

    fn push_thoughts(&mut self, at: &Value, text: &str) {
        let part = |text| {
            let part = json!({"type": "summary_text", "text": text});
            with(at, &json!({"part": part}))
        };
        let kind = "response.reasoning_summary_part";
        self.push(StreamPart::Opening, &format!("{kind}.added"), part(""));
        let done = json!({"text": text});
        self.push_pieces(at, "response.reasoning_summary_text", text, &done);
        self.push(StreamPart::Closing, &format!("{kind}.done"), part(text));
    }

    fn push_pieces(&mut self, at: &Value, kind: &str, text: &str, done: &Value) {
        for piece in pieces(text) {
            let delta = with(at, &json!({"delta": piece, "logprobs": []}));
            self.push(StreamPart::Token, &format!("{kind}.delta"), delta);
        }
        self.push(StreamPart::Closing, &format!("{kind}.done"), with(at, done));
    }
}

/// Returns an object with the fields of both.
fn with(at: &Value, more: &Value) -> Value {
    let mut data = at.clone();
    for (name, value) in more.as_object().into_iter().flatten() {
        set(&mut data, name, value.clone());
    }
    data
}

/// Returns the items of the output.
fn items(reply: &Reply) -> Vec<Value> {
    let thoughts = reply.reasoning.as_ref().map(|text| {
        json!({
            "id": format!("rs_{}", reply.id),
            "type": "reasoning",
            "status": "completed",
            "summary": [{"type": "summary_text", "text": text}],
        })
    });
    let item = match &reply.content {
        Content::Text(text) => json!({
            "id": format!("msg_{}", reply.id),
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [output_text(text)],
        }),
        Content::Tool(tool) => json!({
            "id": format!("fc_{}", reply.id),
            "type": "function_call",
            "status": "completed",
            "call_id": call_id(reply),
            "name": tool.name,
            "arguments": tool.arguments.to_string(),
        }),
    };
    thoughts.into_iter().chain([item]).collect()
}

fn output_text(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn response(reply: &Reply, status: &str, output: Vec<Value>) -> Value {
    json!({
        "id": id(reply),
        "object": "response",
        "created_at": reply.created,
        "completed_at": null,
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": null,
        "max_output_tokens": null,
        "max_tool_calls": null,
        "metadata": {},
        "model": reply.model,
        "output": output,
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null},
        "service_tier": "default",
        "store": true,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": null,
        "user": null,
    })
}

fn usage(reply: &Reply) -> Value {
    json!({
        "input_tokens": reply.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": reply.input_tokens.saturating_add(reply.output_tokens),
    })
}
