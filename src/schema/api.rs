//! The APIs whose calls are routed by their model.

use super::Schema;
use crate::request::Accepts;
use crate::routing::{Condition, Pattern};

/// Where a call names its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The field `model` of a JSON body.
    Json,
    /// The field `model` of a form (`multipart/form-data`).
    Form,
    /// Of either, as the body is.
    JsonOrForm,
    /// The path.
    Path,
}

impl Place {
    /// What kinds of body such calls have.
    pub const fn accepts(self) -> Accepts {
        match self {
            Place::Json | Place::Path => Accepts::Json,
            Place::Form => Accepts::Form,
            Place::JsonOrForm => Accepts::Both,
        }
    }
}

/// How a call asks for a streamed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// By `stream` in its body.
    InBody,
    /// By another field of its body, which routing does not read: the answer shows it.
    InAnswer,
    /// By its path.
    ByPath,
    /// Not at all.
    Never,
}

/// What the events of a streamed answer are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Events {
    /// OpenAI's `choices`.
    Choices,
    /// OpenAI's events with a `type`.
    Typed,
    /// Anthropic's.
    Messages,
    /// Gemini's `candidates`.
    Candidates,
}

macro_rules! apis {
    ($($(#[$doc:meta])* $variant:ident $name:literal $schema:ident $operation:literal $place:ident $asks:ident $events:ident,)+) => {
        /// An operation whose calls are routed. docs/apis.md says it for users.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Api {
            $($(#[$doc])* $variant,)+
        }

        impl Api {
            /// All of them.
            pub const ALL: &'static [Api] = &[$(Api::$variant,)+];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Api::$variant => $name,)+ }
            }

            /// The dialect that it belongs to.
            pub const fn schema(self) -> Schema {
                match self { $(Api::$variant => Schema::$schema,)+ }
            }

            /// What its path has behind the version, or behind the model: `/chat/completions`, `:generateContent`.
            pub const fn operation(self) -> &'static str {
                match self { $(Api::$variant => $operation,)+ }
            }

            /// Where its calls name their model.
            pub const fn place(self) -> Place {
                match self { $(Api::$variant => Place::$place,)+ }
            }

            /// How its calls ask for a streamed answer.
            pub const fn asks(self) -> Asks {
                match self { $(Api::$variant => Asks::$asks,)+ }
            }

            pub(super) const fn events(self) -> Events {
                match self { $(Api::$variant => Events::$events,)+ }
            }
        }
    };
}

// The most frequent ones first: they are looked for in this order.
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
    /// How many tokens a response would take in.
    ResponsesInputTokens "responses_input_tokens" OpenAi "/responses/input_tokens" Json Never Typed,
    /// A conversation of responses made shorter.
    ResponsesCompact "responses_compact" OpenAi "/responses/compact" Json Never Typed,
    /// OpenAI's images.
    ImageGenerations "image_generations" OpenAi "/images/generations" Json InBody Typed,
    /// Edits of images.
    ImageEdits "image_edits" OpenAi "/images/edits" JsonOrForm InBody Typed,
    /// Variations of images.
    ImageVariations "image_variations" OpenAi "/images/variations" Form Never Typed,
    /// Text to speech.
    Speech "speech" OpenAi "/audio/speech" Json InAnswer Typed,
    /// Speech to text.
    Transcriptions "transcriptions" OpenAi "/audio/transcriptions" Form InBody Typed,
    /// Speech to English text.
    Translations "translations" OpenAi "/audio/translations" Form Never Typed,
    /// OpenAI's moderations.
    Moderations "moderations" OpenAi "/moderations" Json Never Choices,
    /// Documents in the order of their relevance, as Cohere, Jina, vLLM and others have it.
    Rerank "rerank" OpenAi "/rerank" Json Never Choices,
    /// How many tokens a message would take in.
    CountTokens "count_tokens" Anthropic "/messages/count_tokens" Json Never Messages,
    /// Gemini's content.
    GenerateContent "generate_content" Gemini ":generateContent" Path Never Candidates,
    /// Gemini's content as a stream.
    StreamGenerateContent "stream_generate_content" Gemini ":streamGenerateContent" Path ByPath Candidates,
    /// How many tokens Gemini would take in.
    GeminiCountTokens "gemini_count_tokens" Gemini ":countTokens" Path Never Candidates,
    /// Bedrock's conversations, the same for all models.
    Converse "converse" Bedrock "/converse" Path Never Choices,
    /// The same as a stream.
    ConverseStream "converse_stream" Bedrock "/converse-stream" Path ByPath Choices,
    /// Bedrock's models, each by its own format.
    Invoke "invoke" Bedrock "/invoke" Path Never Choices,
    /// The same as a stream.
    InvokeStream "invoke_stream" Bedrock "/invoke-with-response-stream" Path ByPath Choices,
}

impl Api {
    /// Whether it is about text on both sides, which bytes are a measure of.
    pub const fn is_text(self) -> bool {
        self.is_prompted() || matches!(self, Api::Completions)
    }
}

/// What OpenAI's and Anthropic's paths begin with.
pub(super) const API_PREFIX: &str = "/v1";

/// What Azure's paths begin with.
pub(super) const AZURE_PREFIX: &str = "/openai/v1";
/// The same without a version.
pub(super) const AZURE_OLD_PREFIX: &str = "/openai";
/// The same with the model behind it.
pub(super) const AZURE_DEPLOYMENTS: &str = "/openai/deployments/";

/// What Gemini's paths begin with.
pub(super) const GEMINI_PREFIXES: [&str; 2] = ["/v1beta", "/v1"];

/// Between that and the model.
pub(super) const GEMINI_MODELS: &str = "/models/";

/// What Bedrock's paths begin with.
pub(super) const BEDROCK_MODEL: &str = "/model/";

/// Rerankers have two more paths.
pub(super) const RERANK_PATHS: [&str; 2] = ["/v2/rerank", "/rerank"];

impl Api {
    /// The path that its clients send first of all, with `{model}` for the model.
    pub fn path(self) -> String {
        let before = match self.schema() {
            Schema::Gemini => "/v1beta/models/{model}",
            Schema::Bedrock => "/model/{model}",
            _ => API_PREFIX,
        };
        [before, self.operation()].concat()
    }

    /// Whether its calls have one prompt each, and ask a model for an answer to it. Legacy completions may have many.
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

    /// All paths that its calls can have.
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
