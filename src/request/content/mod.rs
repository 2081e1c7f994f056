//! What a body says beyond what every request is read for: read when a condition first asks for it.

mod reasoning;

use super::BodyKind;
use crate::schema::Api;

/// A body that has been scanned without an error, and which call it is of.
#[derive(Clone, Debug)]
pub struct Content<'a> {
    body: &'a [u8],
    api: Api,
    is_json: bool,
}

/// A part of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The instructions that stand before the conversation.
    System,
    /// The last message of the user.
    LastUser,
    /// All messages of the user.
    User,
    /// Everything that the model reads as text.
    All,
}

impl<'a> Content<'a> {
    /// The content of this body.
    pub fn new(api: Api, kind: &BodyKind, body: &'a [u8]) -> Self {
        Content {
            body,
            api,
            is_json: *kind == BodyKind::Json,
        }
    }

    /// How many bytes the body has.
    pub fn size(&self) -> u64 {
        u64::try_from(self.body.len()).unwrap_or(u64::MAX)
    }

    /// Whether tools are offered.
    pub fn has_tools(&self) -> bool {
        false
    }

    /// Whether results of tools are among the messages.
    pub fn has_tool_results(&self) -> bool {
        false
    }

    /// Whether there are images.
    pub fn has_images(&self) -> bool {
        false
    }

    /// Whether there is audio.
    pub fn has_audio(&self) -> bool {
        false
    }

    /// Whether there are files.
    pub fn has_files(&self) -> bool {
        false
    }

    /// Whether an answer by a JSON schema is asked for.
    pub fn wants_json_schema(&self) -> bool {
        false
    }

    /// How many messages of the user there are, results of tools aside.
    pub fn turns(&self) -> u32 {
        0
    }

    /// How many bytes of text the prompt has.
    pub fn prompt_bytes(&self) -> u64 {
        0
    }

    /// About how many tokens the prompt has: text, tools, and what the form of a conversation costs.
    pub fn prompt_tokens(&self) -> u64 {
        0
    }

    /// How many tokens the answer may have, if the request says so.
    pub fn max_output_tokens(&self) -> Option<u64> {
        None
    }

    /// A number that stands for how the conversation begins: its system prompt, its tools and the user's first message.
    /// The same for all requests of a conversation, in every process; `None` where there is no conversation.
    pub fn opening(&self) -> Option<u64> {
        None
    }

    /// The text of a part, as the model reads it.
    pub fn text(&self, _part: Part) -> &str {
        ""
    }

    /// The value of a field of the body, as it is written: its name, or names with dots from the outside in.
    pub fn field(&self, _path: &str) -> Option<&'a [u8]> {
        None
    }
}
