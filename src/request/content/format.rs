//! The body format of each API: which fields have the prompt, tools, schemas and limits. docs/matching.md describes it
//! for users.

use crate::schema::Api;

/// The body format of an API. Fields are given by their paths; the first one that the body has counts.
pub(super) struct Format {
    /// The fields that the model reads, in the order in which it reads them.
    pub(super) read: &'static [(&'static str, Reads)],
    /// The fields that offer tools.
    pub(super) tools: &'static [&'static str],
    /// The fields that ask for an answer by a JSON schema: with `json_schema` as the value, or by containing a schema.
    pub(super) schemas: &'static [(&'static str, Says)],
    /// The fields that limit the answer's tokens.
    pub(super) max_tokens: &'static [&'static str],
    /// Whether a request belongs to a conversation.
    pub(super) converses: bool,
    /// Which fields tell the kind of its messages and blocks.
    pub(super) told: Told,
    /// The medium of files in a form.
    pub(super) files: Medium,
}

/// Which fields tell the kind of a message or block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Its `type`; its keys only if it has no type.
    Type,
    /// Its keys alone; a `type` beside them is ignored.
    Keys,
    /// Its `type` and its keys: models of this API differ in which they use.
    Both,
}

/// What a field contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
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
pub(super) enum Says {
    /// By having this value.
    Word(&'static str),
    /// By not being empty.
    Something,
}

/// Content that is not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Medium {
    Image,
    Audio,
    /// Documents, videos and anything else.
    File,
}

use Reads::{Contents, Data, Images, Items, Messages, Other, Prompt, Results, System};

const JSON_SCHEMA: Says = Says::Word("json_schema");

const NOTHING: Format = Format {
    read: &[],
    tools: &[],
    schemas: &[],
    max_tokens: &[],
    converses: false,
    told: Told::Type,
    files: Medium::File,
};

const CHAT: Format = Format {
    read: &[("messages", Messages)],
    tools: &["tools", "functions"],
    schemas: &[("response_format.type", JSON_SCHEMA)],
    max_tokens: &["max_completion_tokens", "max_tokens"],
    converses: true,
    ..NOTHING
};

const MESSAGES: Format = Format {
    read: &[("system", System), ("messages", Messages)],
    tools: &["tools", "mcp_servers"],
    schemas: &[
        ("output_config.format.type", JSON_SCHEMA),
        ("output_format.type", JSON_SCHEMA),
    ],
    max_tokens: &["max_tokens"],
    converses: true,
    ..NOTHING
};

const RESPONSES: Format = Format {
    read: &[("instructions", System), ("input", Items)],
    tools: &["tools"],
    schemas: &[("text.format.type", JSON_SCHEMA)],
    max_tokens: &["max_output_tokens"],
    converses: true,
    ..NOTHING
};

const COMPLETIONS: Format = Format {
    read: &[("prompt", Prompt), ("suffix", Other)],
    schemas: &[("response_format.type", JSON_SCHEMA)],
    max_tokens: &["max_tokens"],
    ..NOTHING
};

/// Some servers embed a conversation.
const EMBEDDINGS: Format = Format {
    read: &[("messages", Messages), ("input", Prompt)],
    ..NOTHING
};

const MODERATIONS: Format = Format {
    read: &[("input", Prompt)],
    ..NOTHING
};

const IMAGES: Format = Format {
    read: &[
        ("prompt", Prompt),
        ("image", Images),
        ("images", Images),
        ("mask", Images),
    ],
    files: Medium::Image,
    ..NOTHING
};

const SPEECH: Format = Format {
    read: &[("instructions", System), ("input", Prompt)],
    ..NOTHING
};

const AUDIO: Format = Format {
    read: &[("prompt", Prompt)],
    files: Medium::Audio,
    ..NOTHING
};

const RERANK: Format = Format {
    read: &[("query", Prompt), ("documents", Other)],
    ..NOTHING
};

const GEMINI: Format = Format {
    read: &[("systemInstruction", System), ("contents", Contents)],
    tools: &["tools"],
    schemas: &[
        ("generationConfig.responseSchema", Says::Something),
        ("generationConfig.responseJsonSchema", Says::Something),
        ("generationConfig._responseJsonSchema", Says::Something),
    ],
    max_tokens: &["generationConfig.maxOutputTokens"],
    converses: true,
    told: Told::Keys,
    ..NOTHING
};

/// A request to count tokens may contain a complete request.
const GEMINI_COUNT: Format = Format {
    read: &[
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
    read: &[("system", System), ("messages", Messages)],
    tools: &["toolConfig.tools"],
    schemas: &[("outputConfig.textFormat.type", JSON_SCHEMA)],
    max_tokens: &["inferenceConfig.maxTokens"],
    converses: true,
    told: Told::Keys,
    ..NOTHING
};

/// At this API, each provider's models have a format of their own; this one has every field that any of them reads.
const INVOKE: Format = Format {
    read: &[
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
    converses: true,
    told: Told::Both,
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
