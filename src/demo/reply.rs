//! What a backend says, before an API gives it its form.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::call::{Call, Tool};
use super::record::Recorded;

/// The headers that hold a key in one of the APIs.
const CREDENTIALS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];

/// So much of a key is repeated in the text.
const KEY_SHOWN: usize = 24;

/// An answer, with all that it takes to write it down in either API.
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
        static ANSWERED: AtomicU64 = AtomicU64::new(1);
        let number = ANSWERED.fetch_add(1, Ordering::Relaxed);
        let content = match &call.tool {
            Some(tool) => Content::Tool(tool.clone()),
            None => Content::Text(greeting(name, request, call)),
        };
        Reply {
            id: format!("demo{number:012}"),
            created: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            model: call.model.clone(),
            // About what a tokenizer makes of English text; no one bills these.
            input_tokens: count(request.body.len() / 4),
            output_tokens: output_tokens(&content),
            content,
            reasoning: None,
            demo: seen(name, request, call),
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
fn seen(name: &str, request: &Recorded, call: &Call) -> Value {
    let headers: Vec<Value> = request
        .headers
        .iter()
        .map(|(name, value)| json!([name, String::from_utf8_lossy(value)]))
        .collect();
    json!({
        "backend": name,
        "method": request.method,
        "path": request.path,
        "host": request.authority,
        "model": call.model,
        "headers": headers,
        "body_bytes": request.body.len(),
    })
}
