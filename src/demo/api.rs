//! The APIs that a demo backend speaks, and what each makes of an answer.

use std::time::Duration;

use axum::http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::call::Call;
use super::event::Event;
use super::fault::Failure;
use super::openai::{audio, chat, completions, images, responses, vectors};
use super::reply::Reply;
use super::{anthropic, bedrock, gemini, openai};

/// Whose words and formats they are.
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
    /// How many tokens such a request has.
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
    /// Gemini's answers. A stream is one of server-sent events, or a JSON array that grows.
    Generate {
        sse: bool,
    },
    GeminiCountTokens,
    EmbedContent,
    BatchEmbedContents,
    Converse,
    /// Bedrock's passage to a model's own API, which here is Anthropic's.
    Invoke,
}

/// What a path says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) operation: Operation,
    /// The model, where the path names it.
    pub(crate) model: Option<String>,
    /// Whether a stream is asked for, where the path says so.
    pub(crate) stream: Option<bool>,
}

/// A whole answer's body.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
}

/// By the end of the path; the longer ones come before those that they end with.
const BY_END: [(&str, Operation); 16] = [
    ("/chat/completions", Operation::Chat),
    ("/completions", Operation::Completions),
    ("/responses", Operation::Responses),
    ("/responses/input_tokens", Operation::ResponsesInputTokens),
    ("/responses/compact", Operation::ResponsesCompact),
    ("/embeddings", Operation::Embeddings),
    ("/images/generations", Operation::ImageGenerations),
    ("/images/edits", Operation::ImageEdits),
    ("/images/variations", Operation::ImageVariations),
    ("/audio/speech", Operation::Speech),
    ("/audio/transcriptions", Operation::Transcriptions),
    ("/audio/translations", Operation::Translations),
    ("/moderations", Operation::Moderations),
    ("/rerank", Operation::Rerank),
    ("/messages", Operation::Messages),
    ("/messages/count_tokens", Operation::CountTokens),
];

impl Api {
    /// The API of a request whose path says nothing.
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

    /// An error object for a status.
    pub(crate) fn error(self, status: StatusCode, message: &str) -> Value {
        match self {
            Api::OpenAi => openai::error(status, message),
            Api::Anthropic => anthropic::error(status, message),
            Api::Gemini => gemini::error(status, message),
            Api::Bedrock => bedrock::error(message),
        }
    }

    /// The headers of an error beside those that every answer has.
    pub(crate) fn error_header(self, status: StatusCode) -> Option<(&'static str, &'static str)> {
        (self == Api::Bedrock).then(|| ("x-amzn-errortype", bedrock::error_type(status)))
    }

    /// An error as the API words it.
    pub(crate) fn failure(self, failure: Failure) -> Value {
        match self {
            Api::OpenAi => openai::failure(failure),
            Api::Anthropic => anthropic::failure(failure),
            Api::Gemini => gemini::failure(failure),
            Api::Bedrock => bedrock::failure(failure),
        }
    }

    /// The headers of a refusal that say: no request is left, and more come in so long. Some APIs have none.
    pub(crate) fn exhausted(self, wait: Duration) -> Vec<(&'static str, String)> {
        match self {
            Api::OpenAi => openai::exhausted(wait).into(),
            Api::Anthropic => anthropic::exhausted(wait).into(),
            Api::Gemini | Api::Bedrock => Vec::new(),
        }
    }
}

impl Place {
    /// What this path says; none if it is no model's.
    pub(crate) fn of(path: &str, query: &str) -> Option<Place> {
        Place::of_gemini(path, query)
            .or_else(|| Place::of_bedrock(path))
            .or_else(|| {
                let (_, operation) = BY_END.iter().find(|(end, _)| path.ends_with(end))?;
                Some(Place {
                    operation: *operation,
                    model: deployment(path),
                    stream: None,
                })
            })
    }

    /// `…/models/MODEL:METHOD`
    fn of_gemini(path: &str, query: &str) -> Option<Place> {
        let (_, rest) = path.rsplit_once("/models/")?;
        let (model, method) = rest.rsplit_once(':')?;
        let (operation, stream) = match method {
            "generateContent" => (Operation::Generate { sse: false }, false),
            "streamGenerateContent" => {
                let sse = query.split('&').any(|parameter| parameter == "alt=sse");
                (Operation::Generate { sse }, true)
            }
            "countTokens" => (Operation::GeminiCountTokens, false),
            "embedContent" => (Operation::EmbedContent, false),
            "batchEmbedContents" => (Operation::BatchEmbedContents, false),
            _ => return None,
        };
        Some(Place {
            operation,
            model: Some(decoded(model)),
            stream: Some(stream),
        })
    }

    /// `/model/MODEL/METHOD`
    fn of_bedrock(path: &str) -> Option<Place> {
        let (_, rest) = path.split_once("/model/")?;
        let (model, method) = rest.rsplit_once('/')?;
        let (operation, stream) = match method {
            "converse" => (Operation::Converse, false),
            "converse-stream" => (Operation::Converse, true),
            "invoke" => (Operation::Invoke, false),
            "invoke-with-response-stream" => (Operation::Invoke, true),
            _ => return None,
        };
        Some(Place {
            operation,
            model: Some(decoded(model)),
            stream: Some(stream),
        })
    }
}

/// Azure names the model in the path: `…/deployments/NAME/chat/completions`.
fn deployment(path: &str) -> Option<String> {
    let (_, rest) = path.split_once("/deployments/")?;
    rest.split('/').next().map(decoded)
}

fn decoded(name: &str) -> String {
    percent_decode_str(name).decode_utf8_lossy().into_owned()
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

    /// Whether a body's `stream` is heeded.
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

    /// What keeps a connection alive, if there is such a thing.
    pub(crate) fn ping(self) -> Vec<u8> {
        match self {
            Operation::Messages => anthropic::PING.into(),
            Operation::Generate { sse: false } => "\n".into(),
            Operation::Converse | Operation::Invoke => Vec::new(),
            _ => openai::PING.into(),
        }
    }

    /// An event that cannot be read.
    pub(crate) fn malformed(self) -> Vec<u8> {
        match self {
            Operation::Responses => responses::MALFORMED.into(),
            Operation::Messages => anthropic::MALFORMED.into(),
            Operation::Converse | Operation::Invoke => bedrock::malformed(),
            _ => openai::MALFORMED.into(),
        }
    }

    /// An error in a stream, as its first event or a later one.
    pub(crate) fn error_event(self, failure: Failure, first: bool) -> Event {
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

    /// The `content-type` of a stream.
    pub(crate) fn stream_type(self) -> &'static str {
        match self {
            Operation::Generate { sse: false } => JSON,
            Operation::Converse | Operation::Invoke => "application/vnd.amazon.eventstream",
            _ => "text/event-stream; charset=utf-8",
        }
    }
}

const JSON: &str = "application/json";

impl From<Value> for Whole {
    fn from(body: Value) -> Whole {
        Whole {
            content_type: JSON,
            body: body.to_string().into_bytes(),
        }
    }
}

/// A whole answer.
pub(crate) fn whole(call: &Call, reply: &Reply) -> Whole {
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

/// A streamed answer, event by event, of an operation that has streams.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_tells_the_operation() {
        for (path, operation) in [
            ("/v1/chat/completions", Operation::Chat),
            ("/chat/completions", Operation::Chat),
            ("/v1/completions", Operation::Completions),
            ("/openai/v1/responses", Operation::Responses),
            ("/v1/responses/compact", Operation::ResponsesCompact),
            ("/v2/rerank", Operation::Rerank),
            ("/v1/messages", Operation::Messages),
            ("/anthropic/v1/messages", Operation::Messages),
            ("/v1/messages/count_tokens", Operation::CountTokens),
        ] {
            let expected = Place {
                operation,
                model: None,
                stream: None,
            };
            assert_eq!(Place::of(path, ""), Some(expected), "{path}");
        }
        for path in ["/v1/files", "/v1/responses/resp_1", "/v1/models/m", "/"] {
            assert_eq!(Place::of(path, ""), None, "{path}");
        }
    }

    #[test]
    fn the_path_tells_the_model() {
        let generate = |sse| Operation::Generate { sse };
        for (path, query, operation, model, stream) in [
            (
                "/openai/deployments/x%20y/chat/completions",
                "api-version=1",
                Operation::Chat,
                "x y",
                None,
            ),
            (
                "/v1beta/models/g:generateContent",
                "",
                generate(false),
                "g",
                Some(false),
            ),
            (
                "/v1beta/models/g:streamGenerateContent",
                "alt=sse&key=1",
                generate(true),
                "g",
                Some(true),
            ),
            (
                "/v1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent",
                "",
                generate(false),
                "g",
                Some(true),
            ),
            (
                "/model/arn%3Aaws%3Abedrock%3A%3A1%3Ainference-profile%2Fx/converse",
                "",
                Operation::Converse,
                "arn:aws:bedrock::1:inference-profile/x",
                Some(false),
            ),
            (
                "/model/m:0/invoke-with-response-stream",
                "",
                Operation::Invoke,
                "m:0",
                Some(true),
            ),
        ] {
            let expected = Place {
                operation,
                model: Some(model.to_owned()),
                stream,
            };
            assert_eq!(Place::of(path, query), Some(expected), "{path}");
        }
        assert_eq!(Place::of("/v1beta/models/g:dance", ""), None);
    }
}
