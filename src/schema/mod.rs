//! What differs from API to API: paths, errors, streams, and the list of models.

mod answer;
mod api;
mod catalog;
mod endpoint;
mod error;
mod event;
mod large;
mod path;
mod provider_error;
mod retry_after;
mod sample;
mod sse;
mod stream;
mod usage;
mod websocket;
mod whole;

use crate::json;

pub use answer::Answer;
pub use api::{Api, Asks, Place};
pub use catalog::Catalog;
pub use endpoint::{
    Call, Endpoint, caller_schema, is_ambiguous, is_model_name, is_stored_state, split_query,
};
pub use error::ErrorCode;
pub(crate) use path::percent_decoded;
pub use path::{CREDENTIAL_PARAMETERS, PathTemplate, without_credentials};
pub use provider_error::{failure_of_answer, failure_of_error_object};
pub use retry_after::retry_after;
pub(crate) use retry_after::rfc_3339;
pub use stream::{Drops, StreamReader, error_event};
#[cfg(test)]
pub(crate) use usage::MOST_TOKENS;
pub use usage::{Usage, UsageReader};
pub use websocket::WebSocket;
pub use whole::{Whole, read_whole};

/// An API dialect: what a caller speaks, what a backend speaks, and in which format an error is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// OpenAI's, and what is compatible with it.
    OpenAi,
    /// OpenAI's APIs at Azure's paths.
    AzureOpenAi,
    /// Anthropic's.
    Anthropic,
    /// Google's.
    Gemini,
    /// AWS's.
    Bedrock,
}

impl Schema {
    /// All of them.
    pub const ALL: [Schema; 5] = [
        Schema::OpenAi,
        Schema::AzureOpenAi,
        Schema::Anthropic,
        Schema::Gemini,
        Schema::Bedrock,
    ];

    /// Its name in the document.
    pub const fn name(self) -> &'static str {
        match self {
            Schema::OpenAi => "openai",
            Schema::AzureOpenAi => "azure-openai",
            Schema::Anthropic => "anthropic",
            Schema::Gemini => "gemini",
            Schema::Bedrock => "bedrock",
        }
    }

    /// Whether a backend of this dialect takes calls of an API.
    pub fn speaks(self, api: Api) -> bool {
        let dialect = match self {
            Schema::AzureOpenAi => Schema::OpenAi,
            other => other,
        };
        api.schema() == dialect
    }
}
