//! OpenAI's completions of a prompt, the API before chat completions.

use serde_json::{Value, json};

use super::super::event::{Event, StreamPart};
use super::super::reply::{Reply, pieces};
use super::{set, usage};

/// Returns a whole answer.
pub(crate) fn whole(reply: &Reply) -> Value {
    let mut answer = completion(reply, reply.text(), Some("stop"));
    set(&mut answer, "usage", usage(reply));
    set(&mut answer, "demo", reply.demo.clone());
    answer
}

/// Returns the events of a streamed answer.
pub(crate) fn events(reply: &Reply, include_usage: bool) -> Vec<Event> {
    let mut events: Vec<Event> = pieces(reply.text())
        .map(|piece| Event::data(StreamPart::Token, &completion(reply, piece, None)))
        .collect();
    events.push(Event::data(
        StreamPart::Finish,
        &completion(reply, "", Some("stop")),
    ));
    if include_usage {
        let mut last = completion(reply, "", None);
        set(&mut last, "choices", json!([]));
        set(&mut last, "usage", usage(reply));
        events.push(Event::data(StreamPart::Usage, &last));
    }
    events.push(Event::new(StreamPart::Terminator, super::DONE));
    events
}

fn completion(reply: &Reply, text: &str, finish_reason: Option<&str>) -> Value {
    json!({
        "id": format!("cmpl-{}", reply.id),
        "object": "text_completion",
        "created": reply.created,
        "model": reply.model,
        "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": finish_reason}],
    })
}
