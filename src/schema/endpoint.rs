//! Which API a request belongs to, by its path.

use super::Schema;
use crate::request::Headers;

/// An operation whose requests are routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `POST /v1/chat/completions` (OpenAI).
    ChatCompletions,
    /// `POST /v1/messages` (Anthropic).
    Messages,
}

impl Api {
    /// All of them.
    pub const ALL: [Api; 2] = [Api::ChatCompletions, Api::Messages];

    /// The dialect that it belongs to.
    pub const fn schema(self) -> Schema {
        match self {
            Api::ChatCompletions => Schema::OpenAi,
            Api::Messages => Schema::Anthropic,
        }
    }

    /// The path that clients send.
    pub const fn path(self) -> &'static str {
        match self {
            Api::ChatCompletions => "/v1/chat/completions",
            Api::Messages => "/v1/messages",
        }
    }

    /// What follows `/v1` in that path.
    pub fn operation(self) -> &'static str {
        self.path().strip_prefix(API_PREFIX).unwrap_or(self.path())
    }
}

/// What the paths of all these APIs begin with.
pub(super) const API_PREFIX: &str = "/v1";

const MODELS: &str = "/v1/models";

/// What a path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint<'a> {
    /// To be routed.
    Model(Api),
    /// The list of models, answered by the filter.
    ListModels,
    /// One model, answered by the filter; its name as it stands in the path, percent-encoded.
    RetrieveModel(&'a str),
}

impl<'a> Endpoint<'a> {
    /// The endpoint at a path (without its query), if there is one.
    pub fn at(path: &'a str) -> Option<Self> {
        if let Some(api) = Api::ALL.into_iter().find(|api| api.path() == path) {
            return Some(Endpoint::Model(api));
        }
        match path.strip_prefix(MODELS)? {
            "" => Some(Endpoint::ListModels),
            rest => rest
                .strip_prefix('/')
                .filter(|name| !name.is_empty())
                .map(Endpoint::RetrieveModel),
        }
    }

    /// The one method that it has.
    pub fn method(&self) -> &'static str {
        match self {
            Endpoint::Model(_) => "POST",
            Endpoint::ListModels | Endpoint::RetrieveModel(_) => "GET",
        }
    }

    /// The dialect in which a caller at this endpoint (or at none) is answered.
    pub fn caller_schema(endpoint: Option<&Self>, headers: &Headers) -> Schema {
        match endpoint {
            Some(Endpoint::Model(api)) => api.schema(),
            // Every Anthropic client sends it, and no other.
            _ if headers.contains("anthropic-version") => Schema::Anthropic,
            _ => Schema::OpenAi,
        }
    }
}

/// A path and its query, without the `?`; the query is empty where there is none.
pub fn split_query(path: &str) -> (&str, &str) {
    path.split_once('?').unwrap_or((path, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_by_path() {
        for (path, expected) in [
            (
                "/v1/chat/completions",
                Some(Endpoint::Model(Api::ChatCompletions)),
            ),
            ("/v1/messages", Some(Endpoint::Model(Api::Messages))),
            ("/v1/models", Some(Endpoint::ListModels)),
            ("/v1/models/a%2Fb", Some(Endpoint::RetrieveModel("a%2Fb"))),
            (
                "/v1/models/meta/llama",
                Some(Endpoint::RetrieveModel("meta/llama")),
            ),
            ("/v1/models/", None),
            ("/v1/modelsx", None),
            ("/v1/chat/completions/", None),
            ("/chat/completions", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(Endpoint::at(path), expected, "{path}");
        }
    }
}
