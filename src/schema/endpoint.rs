//! Finds the API that a request calls, by its path.
//!
//! Paths, by the providers' references: OpenAI's and Anthropic's `/v1/…`; Azure's `/openai/v1/…`, `/openai/…` and
//! `/openai/deployments/{model}/…`; Gemini's `/v1beta/models/{model}:method`, also with `/v1`; Bedrock's
//! `/model/{modelId}/…`, where the model may be a percent-encoded ARN.
//!
//! A model in a path may contain slashes, encoded or not, because clients insert its name as it is. Only the end of
//! the path separates the model from the operation. The model is decoded once and sent on as one segment, so that no
//! name can turn into further path segments.

use super::Schema;
use super::api::{
    API_PREFIX, AZURE_DEPLOYMENTS, AZURE_OLD_PREFIX, AZURE_PREFIX, Api, BEDROCK_MODEL,
    GEMINI_MODELS, GEMINI_PREFIXES, ModelLocation, RERANK_PATHS, StreamSignal,
};
use super::path::{percent_decode, percent_decoded};
use crate::request::{Headers, MAX_MODEL_BYTES};

/// Splits a path from its query, without the `?`. The query is empty if there is none.
pub fn split_query(path: &str) -> (&str, &str) {
    path.split_once('?').unwrap_or((path, ""))
}

/// What the path of a model call says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelCall {
    /// The API that is called.
    pub api: Api,
    /// The schema of the path, in which the caller is answered.
    pub schema: Schema,
    /// The model, if the path names it; empty if it is not UTF-8.
    pub model: Option<String>,
    /// The version at the beginning of the path, where clients choose it.
    pub version: &'static str,
}

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint<'a> {
    /// A call that is routed by model.
    Model(ModelCall),
    /// The list of models, which the filter answers.
    ListModels,
    /// One model, which the filter answers; its name as it appears in the path, percent-encoded.
    RetrieveModel(&'a str),
}

impl<'a> Endpoint<'a> {
    /// Returns the endpoint at a path (without its query), if there is one.
    pub fn at(path: &'a str) -> Option<Self> {
        let in_body = |api: Api| Endpoint::Model(ModelCall::new(api, api.schema()));
        if let Some(api) = path.strip_prefix(API_PREFIX).and_then(api_of_operation) {
            return Some(in_body(api));
        }
        if RERANK_PATHS.contains(&path) {
            return Some(in_body(Api::Rerank));
        }
        if let Some(rest) = path.strip_prefix(BEDROCK_MODEL) {
            let (api, model) = split_operation(rest, Schema::Bedrock)?;
            return Some(Endpoint::Model(
                ModelCall::new(api, Schema::Bedrock).named(model),
            ));
        }
        if path.starts_with(AZURE_OLD_PREFIX) {
            return azure(path);
        }
        GEMINI_PREFIXES
            .iter()
            .find_map(|prefix| gemini(prefix, path.strip_prefix(prefix)?))
    }

    /// Returns the only method that the endpoint accepts.
    pub fn method(&self) -> &'static str {
        match self {
            Endpoint::Model(_) => "POST",
            Endpoint::ListModels | Endpoint::RetrieveModel(_) => "GET",
        }
    }
}

impl ModelCall {
    fn new(api: Api, schema: Schema) -> Self {
        ModelCall {
            api,
            schema,
            model: None,
            version: "",
        }
    }

    /// Whether the call asks for a streamed answer. `in_body`: whether its body asks for one.
    pub fn streams(&self, in_body: bool) -> bool {
        match self.api.model_location() {
            ModelLocation::Path => self.api.stream_signal() == StreamSignal::ByPath,
            _ => in_body,
        }
    }

    /// Sets the model to the one that the path contains in this encoded form.
    fn named(mut self, encoded: &str) -> Self {
        self.model = Some(percent_decode(encoded).unwrap_or_default());
        self
    }
}

/// Finds OpenAI's or Anthropic's API with this operation.
fn api_of_operation(operation: &str) -> Option<Api> {
    let mut apis = Api::ALL.iter();
    let api = apis.find(|api| api.operation() == operation)?;
    matches!(api.schema(), Schema::OpenAi | Schema::Anthropic).then_some(*api)
}

/// Finds the API with the longest operation that a path ends with, and returns it with the text before the operation.
fn split_operation(path: &str, schema: Schema) -> Option<(Api, &str)> {
    let apis = Api::ALL.iter().filter(|api| api.schema() == schema);
    let found = apis.filter_map(|api| Some((*api, path.strip_suffix(api.operation())?)));
    let longest = found.min_by_key(|(_, model)| model.len());
    longest.filter(|(_, model)| !model.is_empty())
}

fn azure(path: &str) -> Option<Endpoint<'_>> {
    let schema = Schema::AzureOpenAi;
    if let Some(rest) = path.strip_prefix(AZURE_DEPLOYMENTS) {
        let (api, model) = split_operation(rest, Schema::OpenAi)?;
        return Some(Endpoint::Model(ModelCall::new(api, schema).named(model)));
    }
    let rest = path
        .strip_prefix(AZURE_PREFIX)
        .or_else(|| path.strip_prefix(AZURE_OLD_PREFIX))?;
    match api_of_operation(rest) {
        Some(api) if api.schema() == Schema::OpenAi => {
            Some(Endpoint::Model(ModelCall::new(api, schema)))
        }
        _ => catalog(rest),
    }
}

fn gemini<'a>(version: &'static str, rest: &'a str) -> Option<Endpoint<'a>> {
    if let Some(rest) = rest.strip_prefix(GEMINI_MODELS)
        && let Some((api, model)) = split_operation(rest, Schema::Gemini)
    {
        let mut call = ModelCall::new(api, Schema::Gemini).named(model);
        call.version = version;
        return Some(Endpoint::Model(call));
    }
    catalog(rest)
}

/// Finds the list of models, or one model of it, in the path after the version.
fn catalog(rest: &str) -> Option<Endpoint<'_>> {
    match rest.strip_prefix("/models")? {
        "" => Some(Endpoint::ListModels),
        rest => rest
            .strip_prefix('/')
            .filter(|name| !name.is_empty())
            .map(Endpoint::RetrieveModel),
    }
}

/// Returns the schema in which a request to a path is answered.
pub fn caller_schema(path: &str, headers: &Headers) -> Schema {
    if path.starts_with(AZURE_OLD_PREFIX) {
        return Schema::AzureOpenAi;
    }
    if path.starts_with("/v1beta") || path.starts_with("/upload/") {
        return Schema::Gemini;
    }
    if path.starts_with(BEDROCK_MODEL) || path.starts_with("/async-invoke") {
        return Schema::Bedrock;
    }
    if path.starts_with("/v1/messages") {
        return Schema::Anthropic;
    }
    // Every Anthropic client sends the first header, every Google client one of the others, and no other client sends
    // them.
    if headers.contains("anthropic-version") {
        return Schema::Anthropic;
    }
    if headers.contains("x-goog-api-key") || headers.contains("x-goog-api-client") {
        return Schema::Gemini;
    }
    Schema::OpenAi
}

/// The first segments, after the version, of paths to state that a provider has stored.
const STORED: [&str; 24] = [
    "assistants",
    "async-invoke",
    "batches",
    "cachedContents",
    "containers",
    "conversations",
    "corpora",
    "evals",
    "fileSearchStores",
    "files",
    "fine_tuning",
    "model-invocation-job",
    "operations",
    "realtime",
    "responses",
    "sessions",
    "skills",
    "threads",
    "tunedModels",
    "uploads",
    "vector_stores",
    "videos",
    "chat/completions",
    "messages/batches",
];

/// Whether a path (without its query) that is not a model call leads to state that one provider has stored: files,
/// batches, earlier responses and the like.
pub fn is_stored_state(path: &str) -> bool {
    let path = path.strip_prefix("/upload").unwrap_or(path);
    let prefixes = [
        AZURE_PREFIX,
        AZURE_OLD_PREFIX,
        GEMINI_PREFIXES[0],
        API_PREFIX,
        "",
    ];
    prefixes.iter().any(|prefix| {
        let rest = path
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix('/'));
        let is_below = |after: &str| after.is_empty() || after.starts_with('/') && after.len() > 1;
        let mut afters = STORED
            .iter()
            .filter_map(|stored| rest?.strip_prefix(stored));
        afters.any(is_below)
    })
}

/// Whether a server with lenient path parsing could read this path differently than a route does: as a path further
/// up, or as the path of a model call, which would then bypass routing. Such servers decode slashes and dots, merge
/// slashes, ignore letter case, or ignore what follows a `;`.
pub fn is_ambiguous(path: &str, method: &str) -> bool {
    let decoded = percent_decoded(path);
    let mut plain = Vec::new();
    for segment in decoded.split(|byte| b"/\\".contains(byte)) {
        let mut pieces = segment.split(|byte| b";?#".contains(byte));
        let segment = pieces.next().unwrap_or_default().trim_ascii();
        if matches!(segment, b"." | b"..") {
            return true;
        }
        if !segment.is_empty() {
            plain.push(b'/');
            plain.extend(segment.to_ascii_lowercase());
        }
    }
    let plain = String::from_utf8_lossy(&plain);
    let is_call = |api: &Api| {
        let before = plain.strip_suffix(&api.operation().to_ascii_lowercase());
        let path = before.map(|before| [before, api.operation()].concat());
        let endpoint = path.as_deref().and_then(Endpoint::at);
        matches!(endpoint, Some(Endpoint::Model(_)))
    };
    method == "POST" && Api::ALL.iter().any(is_call)
}

/// Whether this can be a model's name: text without control characters, none of whose segments would change a path.
pub fn is_model_name(name: &str) -> bool {
    let is_segment = |segment: &str| !matches!(segment, "." | "..");
    (1..=MAX_MODEL_BYTES).contains(&name.len())
        && !name.chars().any(char::is_control)
        && name.split(['/', '\\']).all(is_segment)
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
