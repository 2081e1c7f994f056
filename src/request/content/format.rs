//! Where the bodies of each API have what is asked of them. docs/matching.md says it for users.

use crate::schema::Api;

/// What the bodies of an API are like. Fields are given by their paths, of which the first that is there counts.
pub(super) struct Format {
    /// What the model reads, in the order in which it does.
    pub(super) read: &'static [(&'static str, Reads)],
    /// Where tools are offered.
    pub(super) tools: &'static [&'static str],
    /// Where an answer by a JSON schema is asked for: by `json_schema` as the value, or by a schema that stands there.
    pub(super) schemas: &'static [(&'static str, Says)],
    /// How many tokens the answer may have.
    pub(super) max_tokens: &'static [&'static str],
    /// Whether a request is a part of a conversation.
    pub(super) converses: bool,
    /// What says what its messages and blocks are.
    pub(super) told: Told,
    /// What files in a form are.
    pub(super) files: Medium,
}

/// What says what a message or a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Its `type`; its keys only where it has none.
    Type,
    /// Its keys alone: a `type` beside them means nothing.
    Keys,
    /// Its `type` and its keys: some models of the API go by this, some by that.
    Both,
}

/// What stands in a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// Instructions: text, blocks, or content of Gemini's.
    System,
    /// Messages that say whose they are.
    Messages,
    /// Messages that are the user's where they do not say whose they are.
    Contents,
    /// Text of the user, or items of a conversation.
    Items,
    /// Text or blocks of the user, in one message.
    Prompt,
    /// Text or blocks that nobody says.
    Other,
    /// Values that nobody says, as they are written.
    Data,
    /// What tools returned, as it is written.
    Results,
    /// Images, nothing else.
    Images,
}

/// How a field asks for a JSON schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// By this word in it.
    Word(&'static str),
    /// By being there.
    Something,
}

/// What is not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Medium {
    Image,
    Audio,
    /// Documents, videos and whatever else.
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

/// What is to be counted may be a whole request.
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

/// Each provider's models have their own format there: this is what any of them would read.
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
