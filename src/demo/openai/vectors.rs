//! Embeddings, moderations and reranking: one result for each input.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::super::call::Call;
use super::super::reply::Reply;

/// The number of elements in a vector, unless a request asks for another.
const DIMENSIONS: usize = 8;

/// The maximum number of elements; more would only fill the memory.
const MOST_DIMENSIONS: usize = 8192;

/// The factor by which each text is less relevant than the one before it.
const NEXT_IS_LESS: f64 = 0.5;

const CATEGORIES: [&str; 13] = [
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

/// Returns a vector for each input.
pub(crate) fn embeddings(call: &Call, reply: &Reply) -> Value {
    let dimensions = call.fields.number("dimensions").unwrap_or(DIMENSIONS);
    let packed = call.fields.text("encoding_format").as_deref() == Some("base64");
    let data: Vec<Value> = (0..inputs(call))
        .map(|index| {
            let vector = vector(index, dimensions);
            let embedding = if packed {
                Value::from(BASE64_STANDARD.encode(bytes(&vector)))
            } else {
                Value::from(vector)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    json!({
        "object": "list",
        "data": data,
        "model": reply.model,
        "usage": {"prompt_tokens": reply.input_tokens, "total_tokens": reply.input_tokens},
        "demo": reply.demo,
    })
}

/// Returns a verdict for each input: nothing is ever flagged.
pub(crate) fn moderations(call: &Call, reply: &Reply) -> Value {
    let each = |value: Value| -> Value {
        let categories = CATEGORIES.map(|category| (category.to_owned(), value.clone()));
        Value::Object(Map::from_iter(categories))
    };
    let result = json!({
        "flagged": false,
        "categories": each(json!(false)),
        "category_scores": each(json!(0.0)),
        "category_applied_input_types": each(json!(["text"])),
    });
    json!({
        "id": format!("modr-{}", reply.id),
        "model": reply.model,
        "results": vec![result; inputs(call)],
        "demo": reply.demo,
    })
}

/// Returns the documents in their original order, in the format of Cohere and of compatible servers.
pub(crate) fn rerank(call: &Call, reply: &Reply) -> Value {
    let documents = call.fields.get("documents").unwrap_or_default();
    let documents = documents.as_array().map_or(0, Vec::len);
    let top = call.fields.number("top_n").unwrap_or(documents);
    let mut score = 1.0;
    let results: Vec<Value> = (0..documents.min(top))
        .map(|index| {
            score *= NEXT_IS_LESS;
            json!({"index": index, "relevance_score": score})
        })
        .collect();
    json!({
        "id": format!("rerank-{}", reply.id),
        "model": reply.model,
        "results": results,
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
        "usage": {"total_tokens": reply.input_tokens},
        "demo": reply.demo,
    })
}

/// Returns the vector of an input: one and zeros, which every encoding keeps exactly.
pub(crate) fn vector(index: usize, dimensions: usize) -> Vec<f32> {
    let dimensions = dimensions.clamp(1, MOST_DIMENSIONS);
    let one = index.checked_rem(dimensions);
    (0..dimensions)
        .map(|at| if Some(at) == one { 1.0 } else { 0.0 })
        .collect()
}

fn bytes(vector: &[f32]) -> Vec<u8> {
    vector
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

/// Returns the number of inputs: a text or a list of tokens is one.
fn inputs(call: &Call) -> usize {
    match call.fields.get("input") {
        Some(Value::Array(inputs)) if !inputs.iter().any(Value::is_number) => inputs.len(),
        _ => 1,
    }
}
