//! The differences between the providers' APIs: paths, errors, streams, usage, and the list of models.

mod answer;
mod api;
mod catalog;
mod endpoint;
mod error;
mod event;
mod json_answer;
mod large;
mod path;
mod provider_error;
mod retry_after;
mod sample;
mod sse;
mod stream;
mod usage;
mod websocket;

use crate::json;

pub use answer::Answer;
pub use api::{Api, ModelLocation, StreamSignal};
pub use catalog::Catalog;
pub use endpoint::{
    Endpoint, ModelCall, caller_schema, is_ambiguous, is_model_name, is_stored_state, split_query,
};
pub use error::ErrorCode;
pub use json_answer::{JsonAnswer, classify_json_answer};
pub(crate) use path::percent_decoded;
pub use path::{CREDENTIAL_PARAMETERS, PathTemplate, without_credentials};
pub use provider_error::{failure_of_answer, failure_of_error_object};
pub use retry_after::retry_after;
pub(crate) use retry_after::rfc_3339;
pub use stream::{DroppedEvents, StreamReader, error_event};
#[cfg(test)]
pub(crate) use usage::MAX_TOKENS;
pub use usage::{Usage, UsageReader};
pub use websocket::WebSocket;

/// The API dialect that a caller or a backend speaks. Errors are answered in the caller's schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// OpenAI's API, and the APIs that are compatible with it.
    OpenAi,
    /// OpenAI's API at Azure's paths.
    AzureOpenAi,
    /// Anthropic's API.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
    /// AWS Bedrock's API.
    Bedrock,
}

impl Schema {
    /// All schemas.
    pub const ALL: [Schema; 5] = [
        Schema::OpenAi,
        Schema::AzureOpenAi,
        Schema::Anthropic,
        Schema::Gemini,
        Schema::Bedrock,
    ];

    /// The schema's name in the document.
    pub const fn name(self) -> &'static str {
        match self {
            Schema::OpenAi => "openai",
            Schema::AzureOpenAi => "azure-openai",
            Schema::Anthropic => "anthropic",
            Schema::Gemini => "gemini",
            Schema::Bedrock => "bedrock",
        }
    }

    /// Whether a backend with this schema takes calls of an API.
    pub fn speaks(self, api: Api) -> bool {
        let dialect = match self {
            Schema::AzureOpenAi => Schema::OpenAi,
            other => other,
        };
        api.schema() == dialect
    }
}
