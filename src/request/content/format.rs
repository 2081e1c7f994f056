//! The body format of each API: which fields have the prompt, tools, schemas and limits. docs/matching.md describes it
//! for users.

use crate::schema::Api;

/// The body format of an API. Fields are given by their paths; the first one that the body has counts.
pub(super) struct Format {
    /// The fields that the model reads, in the order in which it reads them.
    pub(super) prompt_fields: &'static [(&'static str, FieldContent)],
    /// The fields that offer tools.
    pub(super) tools: &'static [&'static str],
    /// The fields that ask for an answer by a JSON schema: with `json_schema` as the value, or by containing a schema.
    pub(super) schemas: &'static [(&'static str, SchemaSign)],
    /// The fields that limit the answer's tokens.
    pub(super) max_tokens: &'static [&'static str],
    /// Whether a request belongs to a conversation.
    pub(super) is_conversation: bool,
    /// Which fields tell the kind of its messages and blocks.
    pub(super) kind_source: KindSource,
    /// The medium of files in a form.
    pub(super) files: Medium,
}

/// Which fields tell the kind of a message or block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KindSource {
    /// Its `type`; its keys only if it has no type.
    Type,
    /// Its keys alone; a `type` beside them is ignored.
    Keys,
    /// Its `type` and its keys: models of this API differ in which they use.
    Both,
}

/// What a field contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldContent {
    /// Instructions: text, blocks, or Gemini's content.
    System,
    /// Messages, each with its role.
    Messages,
    /// Messages that are the user's if they have no role.
    Contents,
    /// The user's text, or items of a conversation.
    Items,
    /// The user's text or blocks, as one message.
    Prompt,
    /// Text or blocks without an author.
    Other,
    /// Values without an author, as they are written.
    Data,
    /// Tool results, as they are written.
    Results,
    /// Only images.
    Images,
}

/// How a field asks for a JSON schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SchemaSign {
    /// By having this value.
    Value(&'static str),
    /// By not being empty.
    NonEmpty,
}

/// Content that is not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Medium {
    Image,
    Audio,
    /// Documents, videos and anything else.
    File,
}

use FieldContent::{Contents, Data, Images, Items, Messages, Other, Prompt, Results, System};

const JSON_SCHEMA: SchemaSign = SchemaSign::Value("json_schema");

const NOTHING: Format = Format {
    prompt_fields: &[],
    tools: &[],
    schemas: &[],
    max_tokens: &[],
    is_conversation: false,
    kind_source: KindSource::Type,
    files: Medium::File,
};

const CHAT: Format = Format {
    prompt_fields: &[("messages", Messages)],
    tools: &["tools", "functions"],
    schemas: &[("response_format.type", JSON_SCHEMA)],
    max_tokens: &["max_completion_tokens", "max_tokens"],
    is_conversation: true,
    ..NOTHING
};

const MESSAGES: Format = Format {
    prompt_fields: &[("system", System), ("messages", Messages)],
    tools: &["tools", "mcp_servers"],
    schemas: &[
        ("output_config.format.type", JSON_SCHEMA),
        ("output_format.type", JSON_SCHEMA),
    ],
    max_tokens: &["max_tokens"],
    is_conversation: true,
    ..NOTHING
};

const RESPONSES: Format = Format {
    prompt_fields: &[("instructions", System), ("input", Items)],
    tools: &["tools"],
    schemas: &[("text.format.type", JSON_SCHEMA)],
    max_tokens: &["max_output_tokens"],
    is_conversation: true,
    ..NOTHING
};

const COMPLETIONS: Format = Format {
    prompt_fields: &[("prompt", Prompt), ("suffix", Other)],
    schemas: &[("response_format.type", JSON_SCHEMA)],
    max_tokens: &["max_tokens"],
    ..NOTHING
};

/// Some servers embed a conversation.
const EMBEDDINGS: Format = Format {
    prompt_fields: &[("messages", Messages), ("input", Prompt)],
    ..NOTHING
};

const MODERATIONS: Format = Format {
    prompt_fields: &[("input", Prompt)],
    ..NOTHING
};

const IMAGES: Format = Format {
    prompt_fields: &[
        ("prompt", Prompt),
        ("image", Images),
        ("images", Images),
        ("mask", Images),
    ],
    files: Medium::Image,
    ..NOTHING
};

const SPEECH: Format = Format {
    prompt_fields: &[("instructions", System), ("input", Prompt)],
    ..NOTHING
};

const AUDIO: Format = Format {
    prompt_fields: &[("prompt", Prompt)],
    files: Medium::Audio,
    ..NOTHING
};

const RERANK: Format = Format {
    prompt_fields: &[("query", Prompt), ("documents", Other)],
    ..NOTHING
};

const GEMINI: Format = Format {
    prompt_fields: &[("systemInstruction", System), ("contents", Contents)],
    tools: &["tools"],
    schemas: &[
        ("generationConfig.responseSchema", SchemaSign::NonEmpty),
        ("generationConfig.responseJsonSchema", SchemaSign::NonEmpty),
        ("generationConfig._responseJsonSchema", SchemaSign::NonEmpty),
    ],
    max_tokens: &["generationConfig.maxOutputTokens"],
    is_conversation: true,
    kind_source: KindSource::Keys,
    ..NOTHING
};

/// A request to count tokens may contain a complete request.
const GEMINI_COUNT: Format = Format {
    prompt_fields: &[
        ("systemInstruction", System),
        ("generateContentRequest.systemInstruction", System),
        ("contents", Contents),
        ("generateContentRequest.contents", Contents),
    ],
    tools: &["tools", "generateContentRequest.tools"],
    schemas: &[],
    max_tokens: &[],
    ..GEMINI
};

const CONVERSE: Format = Format {
    prompt_fields: &[("system", System), ("messages", Messages)],
    tools: &["toolConfig.tools"],
    schemas: &[("outputConfig.textFormat.type", JSON_SCHEMA)],
    max_tokens: &["inferenceConfig.maxTokens"],
    is_conversation: true,
    kind_source: KindSource::Keys,
    ..NOTHING
};

/// At this API, each provider's models have a format of their own; this one has every field that any of them reads.
const INVOKE: Format = Format {
    prompt_fields: &[
        ("system", System),
        ("preamble", System),
        ("chat_history", Messages),
        ("messages", Messages),
        ("documents", Data),
        ("message", Prompt),
        ("tool_results", Results),
        ("prompt", Prompt),
        ("query", Prompt),
        ("inputText", Prompt),
        ("texts", Prompt),
        ("inputs", Prompt),
        ("images", Images),
        ("inputImage", Images),
    ],
    tools: &["tools", "toolConfig.tools"],
    schemas: &[
        ("output_config.format.type", JSON_SCHEMA),
        ("output_format.type", JSON_SCHEMA),
        ("response_format.type", JSON_SCHEMA),
    ],
    max_tokens: &[
        "max_tokens",
        "max_completion_tokens",
        "max_tokens_to_sample",
        "max_gen_len",
        "maxTokens",
        "inferenceConfig.maxTokens",
        "inferenceConfig.max_new_tokens",
        "textGenerationConfig.maxTokenCount",
    ],
    is_conversation: true,
    kind_source: KindSource::Both,
    ..NOTHING
};

impl Format {
    pub(super) const fn of(api: Api) -> &'static Format {
        match api {
            Api::ChatCompletions => &CHAT,
            Api::Messages | Api::CountTokens => &MESSAGES,
            Api::Responses | Api::ResponsesInputTokens | Api::ResponsesCompact => &RESPONSES,
            Api::Completions => &COMPLETIONS,
            Api::Embeddings => &EMBEDDINGS,
            Api::Moderations => &MODERATIONS,
            Api::ImageGenerations | Api::ImageEdits | Api::ImageVariations => &IMAGES,
            Api::Speech => &SPEECH,
            Api::Transcriptions | Api::Translations => &AUDIO,
            Api::Rerank => &RERANK,
            Api::GenerateContent | Api::StreamGenerateContent => &GEMINI,
            Api::GeminiCountTokens => &GEMINI_COUNT,
            Api::Converse | Api::ConverseStream => &CONVERSE,
            Api::Invoke | Api::InvokeStream => &INVOKE,
        }
    }
}
