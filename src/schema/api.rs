//! The APIs whose calls are routed by model.

use super::Schema;
use crate::request::AcceptedBodies;
use crate::routing::{Condition, Pattern};

/// Where a call names its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelLocation {
    /// In the field `model` of a JSON body.
    Json,
    /// In the field `model` of a form (`multipart/form-data`).
    Form,
    /// In the field `model` of a JSON body or of a form, whichever the body is.
    JsonOrForm,
    /// In the path.
    Path,
}

impl ModelLocation {
    /// Returns the kinds of body that such calls may have.
    pub const fn accepts(self) -> AcceptedBodies {
        match self {
            ModelLocation::Json | ModelLocation::Path => AcceptedBodies::Json,
            ModelLocation::Form => AcceptedBodies::Form,
            ModelLocation::JsonOrForm => AcceptedBodies::Both,
        }
    }
}

/// How a call says that it wants a streamed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamSignal {
    /// By `stream` in its body.
    InBody,
    /// By another field of its body, which routing does not read. The answer shows whether it is streamed.
    InAnswer,
    /// By its path.
    ByPath,
    /// Its answers are never streamed.
    Never,
}

/// The format of the events of a streamed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventFormat {
    /// OpenAI's `choices`.
    Choices,
    /// OpenAI's events with a `type`.
    Typed,
    /// Anthropic's events.
    Messages,
    /// Gemini's `candidates`.
    Candidates,
}

macro_rules! apis {
    ($($(#[$doc:meta])* $variant:ident $name:literal $schema:ident $operation:literal $model_location:ident $stream_signal:ident $event_format:ident,)+) => {
        /// An API whose calls are routed by model. docs/apis.md describes each for users.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Api {
            $($(#[$doc])* $variant,)+
        }

        impl Api {
            /// All APIs.
            pub const ALL: &'static [Api] = &[$(Api::$variant,)+];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Api::$variant => $name,)+ }
            }

            /// The schema that it belongs to.
            pub const fn schema(self) -> Schema {
                match self { $(Api::$variant => Schema::$schema,)+ }
            }

            /// The end of its path, after the version or the model: `/chat/completions`, `:generateContent`.
            pub const fn operation(self) -> &'static str {
                match self { $(Api::$variant => $operation,)+ }
            }

            /// Where its calls name their model.
            pub const fn model_location(self) -> ModelLocation {
                match self { $(Api::$variant => ModelLocation::$model_location,)+ }
            }

            /// How its calls say that they want a streamed answer.
            pub const fn stream_signal(self) -> StreamSignal {
                match self { $(Api::$variant => StreamSignal::$stream_signal,)+ }
            }

            pub(super) const fn event_format(self) -> EventFormat {
                match self { $(Api::$variant => EventFormat::$event_format,)+ }
            }
        }
    };
}

// The most frequent ones come first, because paths are compared in this order.
apis! {
    /// OpenAI's chat completions.
    ChatCompletions "chat_completions" OpenAi "/chat/completions" Json InBody Choices,
    /// Anthropic's messages.
    Messages "messages" Anthropic "/messages" Json InBody Messages,
    /// OpenAI's responses.
    Responses "responses" OpenAi "/responses" Json InBody Typed,
    /// OpenAI's legacy completions.
    Completions "completions" OpenAi "/completions" Json InBody Choices,
    /// OpenAI's embeddings.
    Embeddings "embeddings" OpenAi "/embeddings" Json Never Choices,
    /// Counts the input tokens of an OpenAI response.
    ResponsesInputTokens "responses_input_tokens" OpenAi "/responses/input_tokens" Json Never Typed,
    /// Compacts a conversation of OpenAI responses.
    ResponsesCompact "responses_compact" OpenAi "/responses/compact" Json Never Typed,
    /// OpenAI's image generations.
    ImageGenerations "image_generations" OpenAi "/images/generations" Json InBody Typed,
    /// OpenAI's image edits.
    ImageEdits "image_edits" OpenAi "/images/edits" JsonOrForm InBody Typed,
    /// OpenAI's image variations.
    ImageVariations "image_variations" OpenAi "/images/variations" Form Never Typed,
    /// OpenAI's text to speech.
    Speech "speech" OpenAi "/audio/speech" Json InAnswer Typed,
    /// OpenAI's speech to text.
    Transcriptions "transcriptions" OpenAi "/audio/transcriptions" Form InBody Typed,
    /// OpenAI's speech to English text.
    Translations "translations" OpenAi "/audio/translations" Form Never Typed,
    /// OpenAI's moderations.
    Moderations "moderations" OpenAi "/moderations" Json Never Choices,
    /// Documents ranked by relevance, in the format of Cohere, Jina, vLLM and others.
    Rerank "rerank" OpenAi "/rerank" Json Never Choices,
    /// Counts the input tokens of an Anthropic message.
    CountTokens "count_tokens" Anthropic "/messages/count_tokens" Json Never Messages,
    /// Gemini's generated content.
    GenerateContent "generate_content" Gemini ":generateContent" Path Never Candidates,
    /// Gemini's generated content as a stream.
    StreamGenerateContent "stream_generate_content" Gemini ":streamGenerateContent" Path ByPath Candidates,
    /// Counts the input tokens of a Gemini request.
    GeminiCountTokens "gemini_count_tokens" Gemini ":countTokens" Path Never Candidates,
    /// Bedrock's conversations, in one format for all models.
    Converse "converse" Bedrock "/converse" Path Never Choices,
    /// Bedrock's conversations as a stream.
    ConverseStream "converse_stream" Bedrock "/converse-stream" Path ByPath Choices,
    /// Bedrock's models, each in its own format.
    Invoke "invoke" Bedrock "/invoke" Path Never Choices,
    /// Bedrock's models as a stream, each in its own format.
    InvokeStream "invoke_stream" Bedrock "/invoke-with-response-stream" Path ByPath Choices,
}

impl Api {
    /// Whether both the request and the answer are text, so that tokens can be estimated from bytes.
    pub const fn is_text(self) -> bool {
        self.is_prompted() || matches!(self, Api::Completions)
    }
}

/// The prefix of OpenAI's and Anthropic's paths.
pub(super) const API_PREFIX: &str = "/v1";

/// The prefix of Azure's paths.
pub(super) const AZURE_PREFIX: &str = "/openai/v1";
/// The prefix of Azure's paths without a version.
pub(super) const AZURE_OLD_PREFIX: &str = "/openai";
/// The prefix of Azure's paths that name the model, which follows it.
pub(super) const AZURE_DEPLOYMENTS: &str = "/openai/deployments/";

/// The prefixes of Gemini's paths.
pub(super) const GEMINI_PREFIXES: [&str; 2] = ["/v1beta", "/v1"];

/// What stands between the prefix of a Gemini path and the model.
pub(super) const GEMINI_MODELS: &str = "/models/";

/// The prefix of Bedrock's paths.
pub(super) const BEDROCK_MODEL: &str = "/model/";

/// Two more paths of rerankers.
pub(super) const RERANK_PATHS: [&str; 2] = ["/v2/rerank", "/rerank"];

impl Api {
    /// The path that its clients use by default, with `{model}` for the model.
    pub fn path(self) -> String {
        let before = match self.schema() {
            Schema::Gemini => "/v1beta/models/{model}",
            Schema::Bedrock => "/model/{model}",
            _ => API_PREFIX,
        };
        [before, self.operation()].concat()
    }

    /// Whether its calls have one prompt each and ask a model to answer it. Legacy completions may have many prompts.
    pub const fn is_prompted(self) -> bool {
        matches!(
            self,
            Api::ChatCompletions
                | Api::Messages
                | Api::Responses
                | Api::GenerateContent
                | Api::StreamGenerateContent
                | Api::Converse
                | Api::ConverseStream
                | Api::Invoke
                | Api::InvokeStream
        )
    }

    /// Returns the condition that matches all paths of its calls.
    pub fn paths(self) -> Condition {
        let around = |before: &str| {
            Condition::All(vec![
                Condition::Path(vec![Pattern::Prefix(before.to_owned())]),
                Condition::Path(vec![Pattern::Suffix(self.operation().to_owned())]),
            ])
        };
        match self.schema() {
            Schema::Gemini => Condition::Any(
                GEMINI_PREFIXES
                    .iter()
                    .map(|prefix| around(&[prefix, GEMINI_MODELS].concat()))
                    .collect(),
            ),
            Schema::Bedrock => around(BEDROCK_MODEL),
            Schema::Anthropic => Condition::Path(vec![Pattern::Exact(self.path())]),
            Schema::OpenAi | Schema::AzureOpenAi => {
                let prefixes = [API_PREFIX, AZURE_PREFIX, AZURE_OLD_PREFIX];
                let whole = |prefix: &str| Pattern::Exact([prefix, self.operation()].concat());
                let mut paths: Vec<Pattern> = prefixes.into_iter().map(whole).collect();
                if self == Api::Rerank {
                    let exact = |path: &str| Pattern::Exact(path.to_owned());
                    paths.extend(RERANK_PATHS.map(exact));
                }
                Condition::Any(vec![Condition::Path(paths), around(AZURE_DEPLOYMENTS)])
            }
        }
    }
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;
