//! The APIs that a demo backend speaks, and the format of an answer in each.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value;

use super::call::Call;
use super::event::Event;
use super::fault::ApiError;
use super::openai::{audio, chat, completions, images, responses, vectors};
use super::reply::Reply;
use super::{anthropic, bedrock, gemini, openai};

/// An API, with its wording and formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    OpenAi,
    Anthropic,
    Gemini,
    Bedrock,
}

/// What a request asks a model to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Chat,
    Completions,
    Responses,
    /// Counts the tokens of a request.
    ResponsesInputTokens,
    ResponsesCompact,
    Embeddings,
    ImageGenerations,
    ImageEdits,
    ImageVariations,
    Speech,
    Transcriptions,
    Translations,
    Moderations,
    Rerank,
    Messages,
    CountTokens,
    /// Gemini's generation. A stream is server-sent events, or a JSON array that grows.
    Generate {
        sse: bool,
    },
    GeminiCountTokens,
    EmbedContent,
    BatchEmbedContents,
    Converse,
    /// Bedrock's call of a model's own API, which here is Anthropic's.
    Invoke,
}

/// The body of a whole answer.
#[derive(Debug)]
pub(crate) struct WholeAnswer {
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
}

impl Api {
    /// Returns the API of a request whose path does not tell.
    pub(crate) fn guess(path: &str, has_version: bool) -> Api {
        if path.contains("/v1beta/") {
            Api::Gemini
        } else if path.starts_with("/model/") {
            Api::Bedrock
        } else if has_version {
            Api::Anthropic
        } else {
            Api::OpenAi
        }
    }

    /// Returns an error object for a status.
    pub(crate) fn error(self, status: StatusCode, message: &str) -> Value {
        match self {
            Api::OpenAi => openai::error(status, message),
            Api::Anthropic => anthropic::error(status, message),
            Api::Gemini => gemini::error(status, message),
            Api::Bedrock => bedrock::error(message),
        }
    }

    /// Returns the header that an error has in addition to those of every answer.
    pub(crate) fn error_header(self, status: StatusCode) -> Option<(&'static str, &'static str)> {
        (self == Api::Bedrock).then(|| ("x-amzn-errortype", bedrock::error_type(status)))
    }

    /// Returns an error in the API's own words.
    pub(crate) fn failure(self, failure: ApiError) -> Value {
        match self {
            Api::OpenAi => openai::failure(failure),
            Api::Anthropic => anthropic::failure(failure),
            Api::Gemini => gemini::failure(failure),
            Api::Bedrock => bedrock::failure(failure),
        }
    }

    /// Returns the headers of a refusal that say that no request is left, and how long until there are more. Some APIs
    /// have none.
    pub(crate) fn exhausted(self, wait: Duration) -> Vec<(&'static str, String)> {
        match self {
            Api::OpenAi => openai::exhausted(wait).into(),
            Api::Anthropic => anthropic::exhausted(wait).into(),
            Api::Gemini | Api::Bedrock => Vec::new(),
        }
    }
}

impl Operation {
    pub(crate) fn api(self) -> Api {
        match self {
            Operation::Messages | Operation::CountTokens => Api::Anthropic,
            Operation::Generate { .. }
            | Operation::GeminiCountTokens
            | Operation::EmbedContent
            | Operation::BatchEmbedContents => Api::Gemini,
            Operation::Converse | Operation::Invoke => Api::Bedrock,
            _ => Api::OpenAi,
        }
    }

    /// Whether the API reads `stream` in the body.
    pub(crate) fn streams(self) -> bool {
        matches!(
            self,
            Operation::Chat
                | Operation::Completions
                | Operation::Responses
                | Operation::ImageGenerations
                | Operation::ImageEdits
                | Operation::Transcriptions
                | Operation::Messages
        )
    }

    /// Returns what keeps a connection alive, if the API has such an event.
    pub(crate) fn ping(self) -> Vec<u8> {
        match self {
            Operation::Messages => anthropic::PING.into(),
            Operation::Generate { sse: false } => "\n".into(),
            Operation::Converse | Operation::Invoke => Vec::new(),
            _ => openai::PING.into(),
        }
    }

    /// Returns an event that cannot be parsed.
    pub(crate) fn malformed(self) -> Vec<u8> {
        match self {
            Operation::Responses => responses::MALFORMED.into(),
            Operation::Messages => anthropic::MALFORMED.into(),
            Operation::Converse | Operation::Invoke => bedrock::malformed(),
            _ => openai::MALFORMED.into(),
        }
    }

    /// Returns an error in a stream, as its first event or a later one.
    pub(crate) fn error_event(self, failure: ApiError, first: bool) -> Event {
        match self {
            Operation::Responses => responses::error_event(failure),
            Operation::Generate { sse } => gemini::error_event(failure, sse, first),
            _ => match self.api() {
                Api::Anthropic => anthropic::error_event(failure),
                Api::Bedrock => bedrock::error_event(failure),
                Api::OpenAi | Api::Gemini => openai::error_event(failure),
            },
        }
    }

    /// Returns the `content-type` of a stream.
    pub(crate) fn stream_type(self) -> &'static str {
        match self {
            Operation::Generate { sse: false } => JSON,
            Operation::Converse | Operation::Invoke => "application/vnd.amazon.eventstream",
            _ => "text/event-stream; charset=utf-8",
        }
    }
}

const JSON: &str = "application/json";

impl From<Value> for WholeAnswer {
    fn from(body: Value) -> WholeAnswer {
        WholeAnswer {
            content_type: JSON,
            body: body.to_string().into_bytes(),
        }
    }
}

/// Returns a whole answer.
pub(crate) fn whole(call: &Call, reply: &Reply) -> WholeAnswer {
    match call.operation {
        Operation::Chat => chat::whole(reply).into(),
        Operation::Completions => completions::whole(reply).into(),
        Operation::Responses => responses::whole(reply).into(),
        Operation::ResponsesInputTokens => responses::input_tokens(reply).into(),
        Operation::ResponsesCompact => responses::compact(reply).into(),
        Operation::Embeddings => vectors::embeddings(call, reply).into(),
        Operation::ImageGenerations | Operation::ImageEdits | Operation::ImageVariations => {
            images::whole(call, reply).into()
        }
        Operation::Speech => audio::speech(call, reply),
        Operation::Transcriptions | Operation::Translations => audio::text(call, reply),
        Operation::Moderations => vectors::moderations(call, reply).into(),
        Operation::Rerank => vectors::rerank(call, reply).into(),
        Operation::Messages | Operation::Invoke => anthropic::whole(reply).into(),
        Operation::CountTokens => anthropic::count_tokens(reply).into(),
        Operation::Generate { .. } => gemini::whole(reply).into(),
        Operation::GeminiCountTokens => gemini::count_tokens(reply).into(),
        Operation::EmbedContent => gemini::embed(reply).into(),
        Operation::BatchEmbedContents => gemini::batch_embed(call, reply).into(),
        Operation::Converse => bedrock::whole(reply).into(),
    }
}

/// Returns the events of a streamed answer; the operation must have streams.
pub(crate) fn events(call: &Call, reply: &Reply) -> Vec<Event> {
    match call.operation {
        Operation::Completions => completions::events(reply, call.include_usage),
        Operation::Responses => responses::events(reply),
        Operation::ImageGenerations | Operation::ImageEdits => images::events(call, reply),
        Operation::Speech => audio::speech_events(reply),
        Operation::Transcriptions => audio::text_events(reply),
        Operation::Messages => anthropic::events(reply),
        Operation::Generate { sse } => gemini::events(reply, sse),
        Operation::Converse => bedrock::events(reply),
        Operation::Invoke => bedrock::invoke_events(reply),
        _ => chat::events(reply, call.include_usage),
    }
}
