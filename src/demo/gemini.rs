//! Answers in Gemini's format.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::call::Call;
use super::event::{Event, StreamPart};
use super::fault::ApiError;
use super::openai::vectors::vector;
use super::reply::{Content, Reply, pieces};

/// The number of elements in a vector.
const DIMENSIONS: usize = 8;

/// Returns a whole answer.
pub(crate) fn whole(reply: &Reply) -> Value {
    let parts = match &reply.content {
        Content::Text(text) => vec![json!({"text": text})],
        Content::Tool(tool) => {
            vec![json!({"functionCall": {"name": tool.name, "args": tool.arguments}})]
        }
    };
    let thoughts = reply
        .reasoning
        .as_ref()
        .map(|text| json!({"text": text, "thought": true}));
    let mut answer = chunk(
        reply,
        &thoughts.into_iter().chain(parts).collect::<Vec<_>>(),
        Some("STOP"),
    );
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("demo".to_owned(), reply.demo.clone());
    }
    answer
}

/// Returns the events of a streamed answer: server-sent events, or the elements of a JSON array.
pub(crate) fn events(reply: &Reply, sse: bool) -> Vec<Event> {
    let thoughts = reply.reasoning.as_deref().unwrap_or_default();
    let mut parts: Vec<Value> = pieces(thoughts)
        .map(|piece| json!({"text": piece, "thought": true}))
        .collect();
    match &reply.content {
        Content::Text(text) => parts.extend(pieces(text).map(|piece| json!({"text": piece}))),
        // A call is never cut into pieces.
        Content::Tool(tool) => {
            parts.push(json!({"functionCall": {"name": tool.name, "args": tool.arguments}}));
        }
    }
    let mut events: Vec<Event> = parts
        .into_iter()
        .map(|part| (StreamPart::Token, chunk(reply, &[part], None)))
        .chain([(
            StreamPart::Finish,
            chunk(reply, &[json!({"text": ""})], Some("STOP")),
        )])
        .map(|(part, chunk)| {
            let text = match (sse, part) {
                (true, _) => format!("data: {chunk}\r\n\r\n"),
                (false, StreamPart::Finish) => chunk.to_string(),
                (false, _) => format!("{chunk}\r\n,\r\n"),
            };
            Event::new(part, text)
        })
        .collect();
    if !sse {
        events.insert(0, Event::new(StreamPart::Opening, "["));
        events.push(Event::new(StreamPart::Terminator, "]"));
    }
    events
}

/// Returns an error in a stream, as its first event or a later one.
pub(crate) fn error_event(failure: ApiError, sse: bool, first: bool) -> Event {
    let error = self::failure(failure);
    let text = match (sse, first) {
        (true, _) => format!("data: {error}\r\n\r\n"),
        (false, true) => format!("[{error}]"),
        (false, false) => format!("{error}]"),
    };
    Event::new(StreamPart::Terminator, text)
}

/// Returns the number of tokens in a request.
pub(crate) fn count_tokens(reply: &Reply) -> Value {
    json!({
        "totalTokens": reply.input_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": reply.input_tokens}],
        "demo": reply.demo,
    })
}

/// Returns the vector of one content.
pub(crate) fn embed(reply: &Reply) -> Value {
    json!({"embedding": {"values": vector(0, DIMENSIONS)}, "demo": reply.demo})
}

/// Returns a vector for each content.
pub(crate) fn batch_embed(call: &Call, reply: &Reply) -> Value {
    let requests = call.fields.get("requests").unwrap_or_default();
    let requests = requests.as_array().map_or(0, Vec::len);
    let embeddings: Vec<Value> = (0..requests)
        .map(|index| json!({"values": vector(index, DIMENSIONS)}))
        .collect();
    json!({"embeddings": embeddings, "demo": reply.demo})
}

/// Returns an error object.
pub(crate) fn error(status: StatusCode, message: &str) -> Value {
    let name = match status.as_u16() {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    };
    json!({"error": {"code": status.as_u16(), "message": message, "status": name}})
}

/// Returns an error in the API's own words.
pub(crate) fn failure(failure: ApiError) -> Value {
    let (status, message) = match failure {
        ApiError::RateLimit => (
            StatusCode::TOO_MANY_REQUESTS,
            "Resource has been exhausted (e.g. check quota).",
        ),
        ApiError::Overloaded => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The model is overloaded. Please try again later.",
        ),
        ApiError::Server => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "An internal error has occurred. Please retry.",
        ),
        ApiError::Auth => (
            StatusCode::BAD_REQUEST,
            "API key not valid. Please pass a valid API key.",
        ),
        ApiError::Invalid => (
            StatusCode::BAD_REQUEST,
            "Invalid JSON payload received. Unknown name \"content\": Cannot find field.",
        ),
        ApiError::ContextLength => (
            StatusCode::BAD_REQUEST,
            "The input token count (1208310) exceeds the maximum number of tokens allowed (1048576).",
        ),
        ApiError::ContentPolicy => (
            StatusCode::BAD_REQUEST,
            "The prompt was blocked by the safety settings.",
        ),
    };
    error(status, message)
}

fn chunk(reply: &Reply, parts: &[Value], finish_reason: Option<&str>) -> Value {
    let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": parts}});
    if let (Some(reason), Some(candidate)) = (finish_reason, candidate.as_object_mut()) {
        candidate.insert("finishReason".to_owned(), Value::from(reason));
    }
    json!({
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": reply.input_tokens,
            "candidatesTokenCount": reply.output_tokens,
            "totalTokenCount": reply.input_tokens.saturating_add(reply.output_tokens),
        },
        "modelVersion": reply.model,
        "responseId": reply.id,
    })
}
