//! OpenAI's images API: each image is a single pixel.

use serde_json::{Value, json};

use super::super::api::Operation;
use super::super::call::Call;
use super::super::event::{Event, StreamPart};
use super::super::reply::Reply;
use super::set;

/// A PNG of one pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// The maximum number of images in an answer.
const MOST: usize = 10;

/// Returns a whole answer.
pub(crate) fn whole(call: &Call, reply: &Reply) -> Value {
    let url = call.fields.text("response_format").as_deref() == Some("url");
    let image = if url {
        json!({"url": format!("https://images.example/{}.png", reply.id), "revised_prompt": reply.text()})
    } else {
        json!({"b64_json": PNG, "revised_prompt": reply.text()})
    };
    let count = call.fields.number("n").unwrap_or(1).clamp(1, MOST);
    let mut answer = described();
    set(&mut answer, "created", Value::from(reply.created));
    set(&mut answer, "data", Value::from(vec![image; count]));
    set(&mut answer, "usage", usage(reply));
    set(&mut answer, "demo", reply.demo.clone());
    answer
}

/// Returns the events of a streamed answer.
pub(crate) fn events(call: &Call, reply: &Reply) -> Vec<Event> {
    let prefix = if call.operation == Operation::ImageEdits {
        "image_edit"
    } else {
        "image_generation"
    };
    let image = || {
        let mut image = described();
        set(&mut image, "b64_json", Value::from(PNG));
        set(&mut image, "created_at", Value::from(reply.created));
        image
    };
    let partial = call.fields.number("partial_images").unwrap_or(0).min(MOST);
    let mut events: Vec<Event> = (0..partial)
        .map(|index| {
            let mut image = image();
            set(&mut image, "partial_image_index", Value::from(index));
            Event::typed(StreamPart::Token, &format!("{prefix}.partial_image"), image)
        })
        .collect();
    let mut last = image();
    set(&mut last, "usage", usage(reply));
    events.push(Event::typed(
        StreamPart::Terminator,
        &format!("{prefix}.completed"),
        last,
    ));
    events
}

fn described() -> Value {
    json!({"background": "opaque", "output_format": "png", "quality": "low", "size": "1024x1024"})
}

fn usage(reply: &Reply) -> Value {
    json!({
        "input_tokens": reply.input_tokens,
        "input_tokens_details": {"text_tokens": reply.input_tokens, "image_tokens": 0},
        "output_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens.saturating_add(reply.output_tokens),
    })
}
