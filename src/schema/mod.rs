//! What differs from API to API: paths, errors, and the list of models.

mod answer;
mod catalog;
mod endpoint;
mod error;
mod json;
mod path;
mod provider_error;
mod retry_after;
mod sse;
mod stream;
mod whole;

pub use answer::Answer;
pub use catalog::Catalog;
pub use endpoint::{Api, Endpoint, split_query};
pub use error::ErrorCode;
pub use path::{CREDENTIAL_PARAMETERS, PathTemplate, without_credentials};
pub use provider_error::{failure_of_answer, failure_of_error_object};
pub use retry_after::retry_after;
pub use stream::{StreamReader, error_event};
pub use whole::{Whole, read_whole};

/// An API dialect: what a caller speaks, what a backend speaks, and in which format an error is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// OpenAI's, and what is compatible with it.
    OpenAi,
    /// Anthropic's.
    Anthropic,
}

impl Schema {
    /// All of them.
    pub const ALL: [Schema; 2] = [Schema::OpenAi, Schema::Anthropic];

    /// Its name in the document.
    pub const fn name(self) -> &'static str {
        match self {
            Schema::OpenAi => "openai",
            Schema::Anthropic => "anthropic",
        }
    }
}
