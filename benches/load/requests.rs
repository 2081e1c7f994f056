//! The requests of the benchmark: the shared bodies, the changes of some cells, and headers as SDKs send them.

use crate::record::Answer;
use crate::{Outcome, bodies};

/// A model with its own name upstream, taken by the prefix route `gpt-*` of envoy/demo.yaml.
pub(crate) const MODEL: &str = "gpt-5.5";

/// A model that envoy/demo.yaml sends to its backend under another name.
const RENAMED: &str = "llama-3.1-8b";

/// Models of the routes that patch.rs adds: one passes answers on as they arrive, one holds them until their first
/// token.
pub(crate) const UNHELD: &str = "bench-unheld";
pub(crate) const HELD: &str = "bench-held";

const MODEL_LAST: &str = "-model-last";
const RENAMED_END: &str = "-renamed";

/// The path of chat completions.
pub(crate) const PATH: &str = "/v1/chat/completions";

/// Returns one of the shared bodies by its name, changed as the name's suffix says.
pub(crate) fn body(name: &str, answer: Answer) -> Outcome<Vec<u8>> {
    match name.strip_suffix(RENAMED_END) {
        Some(name) => body_for(name, answer, RENAMED),
        None => body_for(name, answer, MODEL),
    }
}

/// Returns the body for this model.
pub(crate) fn body_for(name: &str, answer: Answer, model: &str) -> Outcome<Vec<u8>> {
    let (name, is_last) = match name.strip_suffix(MODEL_LAST) {
        Some(name) => (name, true),
        None => (name, false),
    };
    let body = bodies::all(model)
        .into_iter()
        .find(|(known, _)| *known == name)
        .map(|(_, body)| body)
        .ok_or_else(|| format!("there is no body {name}"))?;
    let body = with_stream(String::from_utf8(body)?, answer.is_streamed());
    let body = if is_last { model_last(&body)? } else { body };
    Ok(body.into_bytes())
}

/// Makes a body ask for a stream, or not.
fn with_stream(mut body: String, wanted: bool) -> String {
    let (from, to) = if wanted {
        (r#""stream":false"#, r#""stream":true"#)
    } else {
        (r#""stream":true"#, r#""stream":false"#)
    };
    if let Some(at) = body.rfind(from) {
        body.replace_range(at..at + from.len(), to);
    }
    body
}

/// Moves the model to the end, as clients write it that sort their fields.
fn model_last(body: &str) -> Outcome<String> {
    let rest = body
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let moved = rest
        .and_then(|rest| rest.split_once(','))
        .filter(|(first, _)| first.starts_with(r#""model":"#))
        .map(|(first, others)| format!("{{{others},{first}}}"));
    moved.ok_or_else(|| "a body does not begin with its model".into())
}

/// The headers of OpenAI's Python SDK, and the one that selects the mock backend's answer.
pub(crate) fn headers(answer: Answer) -> Vec<(String, String)> {
    [
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("user-agent", "OpenAI/Python 2.8.1"),
        ("x-stainless-lang", "python"),
        ("x-stainless-package-version", "2.8.1"),
        ("x-stainless-os", "Linux"),
        ("x-stainless-arch", "x64"),
        ("x-stainless-runtime", "CPython"),
        ("x-stainless-runtime-version", "3.13.9"),
        ("x-stainless-async", "false"),
        ("x-stainless-retry-count", "0"),
        ("authorization", "Bearer a-client-s-key-not-a-secret"),
        ("x-bench-answer", name(answer)),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Returns the header value that selects the mock backend's answer.
pub(crate) fn name(answer: Answer) -> &'static str {
    match answer {
        Answer::Whole => "whole",
        Answer::Fast => "fast",
        Answer::Many => "many",
        Answer::Paced => "paced",
        Answer::First => "first",
    }
}
