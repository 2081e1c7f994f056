//! What a backend says, before an API gives it its form.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::call::Call;
use super::record::Recorded;
use super::tool::Tool;

/// The headers that hold a key in one of the APIs.
const CREDENTIALS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];

/// So much of a key is repeated in the text.
const KEY_SHOWN: usize = 24;

/// An answer, with all that it takes to write it down in any API.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// Unique in this process; an API puts its own prefix before it.
    pub(crate) id: String,
    /// Seconds since 1970.
    pub(crate) created: u64,
    pub(crate) model: String,
    pub(crate) content: Content,
    /// What the model thinks before it answers.
    pub(crate) reasoning: Option<String>,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    /// What reached the backend: the `demo` object of a whole answer.
    pub(crate) demo: Value,
}

/// What an answer consists of.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Text(String),
    Tool(Tool),
}

impl Reply {
    /// The answer of the backend `name` to this request.
    pub(crate) fn to(name: &str, request: &Recorded, call: &Call) -> Reply {
        let content = match (&call.tool, &call.structured) {
            (Some(tool), _) => Content::Tool(tool.clone()),
            (None, Some(value)) => Content::Text(value.to_string()),
            (None, None) => Content::Text(greeting(name, request, call)),
        };
        Reply {
            id: next_id(),
            created: seconds_since_1970(),
            model: call.model.clone(),
            // About what a tokenizer makes of English text; no one bills these.
            input_tokens: count(request.body.len() / 4),
            output_tokens: output_tokens(&content),
            content,
            reasoning: None,
            demo: seen(name, request, Some(call)),
        }
    }

    /// What it says, if it does not call a tool.
    pub(crate) fn text(&self) -> &str {
        match &self.content {
            Content::Text(text) => text,
            Content::Tool(_) => "",
        }
    }

    /// The same with this text instead of what it would say or call.
    pub(crate) fn saying(self, text: String) -> Reply {
        let content = Content::Text(text);
        Reply {
            output_tokens: output_tokens(&content),
            content,
            ..self
        }
    }
}

/// Unique in this process.
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

/// The parts of a text that a streamed answer sends one by one: words, each with the space behind it.
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

fn greeting(name: &str, request: &Recorded, call: &Call) -> String {
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

/// What reached the backend, whole: the keys in here are the demo's own, or one that should not have come this far.
pub(crate) fn seen(name: &str, request: &Recorded, call: Option<&Call>) -> Value {
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
