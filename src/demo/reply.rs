//! The content of an answer, before it is formatted for an API.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::call::Call;
use super::record::RecordedRequest;
use super::tool::Tool;

/// The headers that carry a key in one of the APIs.
const CREDENTIALS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];

/// How many characters of a key the text repeats.
const KEY_SHOWN: usize = 24;

/// An answer, with everything that any API needs to format it.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// Unique in this process; each API adds its own prefix.
    pub(crate) id: String,
    /// Seconds since 1970.
    pub(crate) created: u64,
    pub(crate) model: String,
    pub(crate) content: Content,
    /// The model's reasoning before the answer.
    pub(crate) reasoning: Option<String>,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    /// What reached the backend: the `demo` object of a whole answer.
    pub(crate) demo: Value,
}

/// The content of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Text(String),
    Tool(Tool),
}

impl Reply {
    /// Returns the answer of the backend `name` to this request.
    pub(crate) fn to(name: &str, request: &RecordedRequest, call: &Call) -> Reply {
        let content = match (&call.tool, &call.structured) {
            (Some(tool), _) => Content::Tool(tool.clone()),
            (None, Some(value)) => Content::Text(value.to_string()),
            (None, None) => Content::Text(greeting(name, request, call)),
        };
        Reply {
            id: next_id(),
            created: seconds_since_1970(),
            model: call.model.clone(),
            // About what a tokenizer counts for English text; nobody is billed for it.
            input_tokens: count(request.body.len() / 4),
            output_tokens: output_tokens(&content),
            content,
            reasoning: None,
            demo: seen(name, request, Some(call)),
        }
    }

    /// Returns the text, unless the answer calls a tool.
    pub(crate) fn text(&self) -> &str {
        match &self.content {
            Content::Text(text) => text,
            Content::Tool(_) => "",
        }
    }

    /// Replaces the text or the tool call by this text.
    pub(crate) fn saying(self, text: String) -> Reply {
        let content = Content::Text(text);
        Reply {
            output_tokens: output_tokens(&content),
            content,
            ..self
        }
    }
}

/// Returns an ID that is unique in this process.
pub(crate) fn next_id() -> String {
    static GIVEN: AtomicU64 = AtomicU64::new(1);
    let number = GIVEN.fetch_add(1, Ordering::Relaxed);
    format!("demo{number:012}")
}

pub(crate) fn seconds_since_1970() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Returns the pieces that a streamed answer sends one by one: words, each with the space behind it.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

fn output_tokens(content: &Content) -> u64 {
    match content {
        Content::Text(text) => count(pieces(text).count()),
        Content::Tool(tool) => count(tool.arguments.to_string().len() / 4),
    }
}

fn count(tokens: usize) -> u64 {
    u64::try_from(tokens).unwrap_or(u64::MAX).max(1)
}

fn greeting(name: &str, request: &RecordedRequest, call: &Call) -> String {
    let mut text = format!(
        "Hello from demo backend {name:?}. What reached me: {} {}, host {}, model {:?}",
        request.method, request.path, request.authority, call.model
    );
    for header in CREDENTIALS {
        if let Some(value) = request.header(header) {
            let value = String::from_utf8_lossy(value);
            let mut shown: String = value.chars().take(KEY_SHOWN).collect();
            if shown.len() < value.len() {
                shown.push('…');
            }
            text.push_str(&format!(", {header}: {shown}"));
        }
    }
    text.push('.');
    text
}

/// Describes everything that reached the backend. Keys are included: they are the demo's own, or should not have
/// reached it.
pub(crate) fn seen(name: &str, request: &RecordedRequest, call: Option<&Call>) -> Value {
    let headers: Vec<Value> = request
        .headers
        .iter()
        .map(|(name, value)| json!([name, String::from_utf8_lossy(value)]))
        .collect();
    let files: Vec<Value> = call
        .into_iter()
        .flat_map(|call| call.fields.files())
        .map(|file| json!({"name": file.name, "filename": file.filename, "bytes": file.content.len()}))
        .collect();
    json!({
        "backend": name,
        "method": request.method,
        "path": request.path,
        "host": request.authority,
        "model": call.map(|call| &call.model),
        "files": files,
        "headers": headers,
        "body_bytes": request.body.len(),
    })
}
