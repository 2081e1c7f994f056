//! Which API a request belongs to, by its path.
//!
//! Paths, by the providers' references: OpenAI's and Anthropic's `/v1/…`; Azure's `/openai/v1/…`, `/openai/…` and
//! `/openai/deployments/{model}/…`; Gemini's `/v1beta/models/{model}:method`, also with `/v1`; Bedrock's
//! `/model/{modelId}/…`, where the model may be an ARN, percent-encoded.
//!
//! What stands for a model may have slashes, encoded or not: clients put its name there as it is. It is told from the
//! operation by the end of the path alone, decoded once, and sent on as one segment, so that no name can be made into
//! a piece of path.

use super::Schema;
use super::api::{
    API_PREFIX, AZURE_DEPLOYMENTS, AZURE_OLD_PREFIX, AZURE_PREFIX, Api, Asks, BEDROCK_MODEL,
    GEMINI_MODELS, GEMINI_PREFIXES, Place, RERANK_PATHS,
};
use super::path::{percent_decode, percent_decoded};
use crate::request::{Headers, MAX_MODEL_BYTES};

/// A path and its query, without the `?`; the query is empty where there is none.
pub fn split_query(path: &str) -> (&str, &str) {
    path.split_once('?').unwrap_or((path, ""))
}

/// What a path says of a call of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What is called.
    pub api: Api,
    /// The dialect of the path, in which the caller is answered.
    pub schema: Schema,
    /// The model, if the path names it; empty where that is no text.
    pub model: Option<String>,
    /// The version that the path begins with, where clients choose it.
    pub version: &'static str,
}

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint<'a> {
    /// To be routed.
    Model(Call),
    /// The list of models, answered by the filter.
    ListModels,
    /// One model, answered by the filter; its name as it stands in the path, percent-encoded.
    RetrieveModel(&'a str),
}

impl<'a> Endpoint<'a> {
    /// The endpoint at a path (without its query), if there is one.
    pub fn at(path: &'a str) -> Option<Self> {
        let in_body = |api: Api| Endpoint::Model(Call::new(api, api.schema()));
        if let Some(api) = path.strip_prefix(API_PREFIX).and_then(of_operation) {
            return Some(in_body(api));
        }
        if RERANK_PATHS.contains(&path) {
            return Some(in_body(Api::Rerank));
        }
        if let Some(rest) = path.strip_prefix(BEDROCK_MODEL) {
            let (api, model) = before_operation(rest, Schema::Bedrock)?;
            return Some(Endpoint::Model(
                Call::new(api, Schema::Bedrock).named(model),
            ));
        }
        if path.starts_with(AZURE_OLD_PREFIX) {
            return azure(path);
        }
        GEMINI_PREFIXES
            .iter()
            .find_map(|prefix| gemini(prefix, path.strip_prefix(prefix)?))
    }

    /// The one method that it has.
    pub fn method(&self) -> &'static str {
        match self {
            Endpoint::Model(_) => "POST",
            Endpoint::ListModels | Endpoint::RetrieveModel(_) => "GET",
        }
    }
}

impl Call {
    fn new(api: Api, schema: Schema) -> Self {
        Call {
            api,
            schema,
            model: None,
            version: "",
        }
    }

    /// Whether a streamed answer is asked for; `in_body`: by the body.
    pub fn streams(&self, in_body: bool) -> bool {
        match self.api.place() {
            Place::Path => self.api.asks() == Asks::ByPath,
            _ => in_body,
        }
    }

    /// With the model that stands in the path like this.
    fn named(mut self, encoded: &str) -> Self {
        self.model = Some(percent_decode(encoded).unwrap_or_default());
        self
    }
}

/// OpenAI's or Anthropic's API with this operation.
fn of_operation(operation: &str) -> Option<Api> {
    let mut apis = Api::ALL.iter();
    let api = apis.find(|api| api.operation() == operation)?;
    matches!(api.schema(), Schema::OpenAi | Schema::Anthropic).then_some(*api)
}

/// The API with the longest operation that a path ends with, and what stands before it.
fn before_operation(path: &str, schema: Schema) -> Option<(Api, &str)> {
    let apis = Api::ALL.iter().filter(|api| api.schema() == schema);
    let found = apis.filter_map(|api| Some((*api, path.strip_suffix(api.operation())?)));
    let longest = found.min_by_key(|(_, model)| model.len());
    longest.filter(|(_, model)| !model.is_empty())
}

fn azure(path: &str) -> Option<Endpoint<'_>> {
    let schema = Schema::AzureOpenAi;
    if let Some(rest) = path.strip_prefix(AZURE_DEPLOYMENTS) {
        let (api, model) = before_operation(rest, Schema::OpenAi)?;
        return Some(Endpoint::Model(Call::new(api, schema).named(model)));
    }
    let rest = path
        .strip_prefix(AZURE_PREFIX)
        .or_else(|| path.strip_prefix(AZURE_OLD_PREFIX))?;
    match of_operation(rest) {
        Some(api) if api.schema() == Schema::OpenAi => {
            Some(Endpoint::Model(Call::new(api, schema)))
        }
        _ => catalog(rest),
    }
}

fn gemini<'a>(version: &'static str, rest: &'a str) -> Option<Endpoint<'a>> {
    if let Some(rest) = rest.strip_prefix(GEMINI_MODELS)
        && let Some((api, model)) = before_operation(rest, Schema::Gemini)
    {
        let mut call = Call::new(api, Schema::Gemini).named(model);
        call.version = version;
        return Some(Endpoint::Model(call));
    }
    catalog(rest)
}

/// The list of models, or one of them, behind the version.
fn catalog(rest: &str) -> Option<Endpoint<'_>> {
    match rest.strip_prefix("/models")? {
        "" => Some(Endpoint::ListModels),
        rest => rest
            .strip_prefix('/')
            .filter(|name| !name.is_empty())
            .map(Endpoint::RetrieveModel),
    }
}

/// The dialect in which a request to a path is answered.
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
    // Every client of Anthropic's sends the one, every client of Google's one of the others, and no other does.
    if headers.contains("anthropic-version") {
        return Schema::Anthropic;
    }
    if headers.contains("x-goog-api-key") || headers.contains("x-goog-api-client") {
        return Schema::Gemini;
    }
    Schema::OpenAi
}

/// What paths to what a provider has stored begin with, behind the version.
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

/// Whether a path (without its query) that is none of a model's leads to what one provider has stored: files, batches,
/// earlier responses and the like.
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

/// Whether a server that is lenient with paths could read another one here than a route does: one above, or that of a call
/// of a model, which nobody would have routed. Such servers decode slashes and dots, merge slashes, ignore letter case, or what
/// follows a `;`.
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

/// Whether this can be a model's name: some text without control characters, in which no segment of a path stands that
/// would mean another path.
pub fn is_model_name(name: &str) -> bool {
    let is_segment = |segment: &str| !matches!(segment, "." | "..");
    (1..=MAX_MODEL_BYTES).contains(&name.len())
        && !name.chars().any(char::is_control)
        && name.split(['/', '\\']).all(is_segment)
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
