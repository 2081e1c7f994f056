//! The content of a body that match conditions ask about, beyond what routing reads of every request.
//!
//! It is read when a condition first needs it, and only as much as is needed: the top-level fields, the conversation,
//! the text of a part. Each is found only once.
//!
//! docs/matching.md defines what counts as what. If an object has a field twice, in any notation, the last one counts,
//! as for most JSON readers; letter case counts. Text is decoded, with U+FFFD in place of half of a surrogate pair, so
//! that escapes cannot hide anything from a condition.
//!
//! Finding the text takes at most four passes over a body, and one more for each level of nested blocks, of which there
//! are few. The memory used is proportional to the body's size.

mod conversation;
mod format;
mod index;
mod objects;
mod opening;
mod raw_value;
mod reasoning;
mod value;

use std::cell::OnceCell;
use std::fmt;
use std::ops::Range;

use super::{BodyKind, ParameterChanges, text};
use crate::prompt::{MESSAGE_OVERHEAD, Script, SearchResults, TextPattern, TokenEstimator};
use crate::schema::{Api, Schema};
use conversation::{Author, Conversation, ConversationReader, PromptPiece};
use format::{Format, SchemaSign};
use index::FieldIndex;
pub use raw_value::RawFieldValue;
pub(super) use value::value_in;

/// A body that has been scanned without an error, and the API that it calls.
#[derive(Clone)]
pub struct Content<'a> {
    body: &'a [u8],
    api: Api,
    /// The boundary between its parts, if it is a form.
    boundary: Option<&'a [u8]>,
    index: OnceCell<FieldIndex>,
    conversation: OnceCell<Conversation>,
    texts: [OnceCell<PartText>; 4],
    bytes: OnceCell<u64>,
    tokens: OnceCell<u64>,
    script: OnceCell<Option<Script>>,
}

/// A part of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptPart {
    /// The instructions before the conversation.
    System,
    /// The last message of the user.
    LastUser,
    /// All messages of the user.
    User,
    /// All text that the model reads.
    All,
}

/// The text of a part, and the pattern matches found in it so far.
#[derive(Clone)]
struct PartText {
    text: Text,
    findings: SearchResults,
}

/// The text of a part.
#[derive(Clone)]
enum Text {
    /// It is in the body, without escapes.
    Body(Range<usize>),
    /// It was assembled from several pieces.
    Own(String),
}

impl fmt::Debug for Content<'_> {
    /// Shows nothing of the body.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Content")
            .field("api", &self.api)
            .finish_non_exhaustive()
    }
}

impl<'a> Content<'a> {
    /// Creates the content of this body.
    pub fn new(api: Api, kind: &'a BodyKind, body: &'a [u8]) -> Self {
        Content {
            body,
            api,
            boundary: match kind {
                BodyKind::Json => None,
                BodyKind::Form { boundary } => Some(boundary),
            },
            index: OnceCell::new(),
            conversation: OnceCell::new(),
            texts: [const { OnceCell::new() }; 4],
            bytes: OnceCell::new(),
            tokens: OnceCell::new(),
            script: OnceCell::new(),
        }
    }

    /// Whether the body is a form rather than JSON.
    pub fn is_form(&self) -> bool {
        self.boundary.is_some()
    }

    /// Returns the size of the body in bytes.
    pub fn size(&self) -> u64 {
        u64::try_from(self.body.len()).unwrap_or(u64::MAX)
    }

    /// Whether the request offers tools.
    pub fn has_tools(&self) -> bool {
        self.tools().next().is_some()
    }

    /// Returns the fields that offer tools.
    fn tools(&self) -> impl Iterator<Item = &'a [u8]> {
        let fields = self.format().tools.iter();
        fields.filter_map(|path| value::non_empty(self.field(path)))
    }

    /// Whether the messages contain tool results.
    pub fn has_tool_results(&self) -> bool {
        self.conversation().has_tool_results
    }

    /// Whether the request has images.
    pub fn has_images(&self) -> bool {
        self.conversation().has_images
    }

    /// Whether the request has audio.
    pub fn has_audio(&self) -> bool {
        self.conversation().has_audio
    }

    /// Whether the request has files.
    pub fn has_files(&self) -> bool {
        self.conversation().has_files
    }

    /// Whether the request asks for an answer by a JSON schema.
    pub fn wants_json_schema(&self) -> bool {
        self.format().schemas.iter().any(|(path, says)| {
            let value = self.field(path);
            match says {
                SchemaSign::Value(word) => value::name(value).as_deref() == Some(word.as_bytes()),
                SchemaSign::NonEmpty => value::non_empty(value).is_some(),
            }
        })
    }

    /// Returns the number of user messages, without tool results and empty messages.
    pub fn turns(&self) -> u32 {
        self.conversation().turns
    }

    /// Returns the number of bytes of prompt text: all text that the model reads, as UTF-8.
    pub fn prompt_bytes(&self) -> u64 {
        *self.bytes.get_or_init(|| {
            let mut bytes = 0_u64;
            for piece in self.pieces(PromptPart::All) {
                self.read(piece, &mut |text| {
                    let more = u64::try_from(text.len()).unwrap_or(u64::MAX);
                    bytes = bytes.saturating_add(more);
                });
            }
            bytes
        })
    }

    /// Returns the estimated number of prompt tokens: text, tools, and the overhead of a conversation's messages.
    pub fn prompt_tokens(&self) -> u64 {
        *self.tokens.get_or_init(|| {
            let mut estimate = TokenEstimator::default();
            for piece in self.pieces(PromptPart::All) {
                self.read(piece, &mut |text| estimate.add(text));
                estimate.add("\n");
            }
            for tools in self.tools() {
                text::decode_pieces(tools, &mut |text| estimate.add(text));
            }
            let conversation = self.conversation();
            let messages = u64::from(conversation.messages).saturating_mul(MESSAGE_OVERHEAD);
            let tokens = estimate.tokens().saturating_add(conversation.token_ids);
            tokens.saturating_add(messages)
        })
    }

    /// Returns the estimated number of prompt tokens if it has already been computed.
    pub fn known_prompt_tokens(&self) -> Option<u64> {
        self.tokens.get().copied()
    }

    /// Returns the limit of the answer's tokens after these changes, if the request has one.
    pub fn max_output_tokens(&self, changes: &ParameterChanges) -> Option<u64> {
        let mut fields = self.format().max_tokens.iter();
        fields.find_map(|path| {
            let value = changes.after(path, &|path| self.field(path))?;
            whole(value::number(value)?)
        })
    }

    /// Returns a hash of the conversation's beginning: its system prompt, its tools and the user's first message. It is
    /// the same for all requests of a conversation, in every process; `None` if there is no conversation.
    pub fn opening(&self) -> Option<u64> {
        let conversation = self.conversation();
        let has_tools = self.has_tools();
        let is_there = has_tools || !conversation.pieces.is_empty();
        (self.format().is_conversation && is_there).then(|| opening::hash(self, conversation))
    }

    /// Returns the text of a part, as the model reads it. Messages, and blocks within one, are on separate lines.
    pub fn text(&self, part: PromptPart) -> &str {
        self.text_of(self.part_text(part))
    }

    /// Whether a part contains a match of the pattern. An absent part contains no match.
    pub fn has_text(&self, part: PromptPart, pattern: &TextPattern) -> bool {
        let part_text = self.part_text(part);
        let text = self.text_of(part_text);
        !text.is_empty() && pattern.matches_in(text, &part_text.findings)
    }

    fn part_text(&self, part: PromptPart) -> &PartText {
        let cell = match part {
            PromptPart::System => &self.texts[0],
            PromptPart::LastUser => &self.texts[1],
            PromptPart::User => &self.texts[2],
            PromptPart::All => &self.texts[3],
        };
        cell.get_or_init(|| PartText {
            text: self.find_text(part),
            findings: SearchResults::default(),
        })
    }

    fn text_of<'k>(&'k self, part_text: &'k PartText) -> &'k str {
        match &part_text.text {
            Text::Own(text) => text,
            Text::Body(span) => {
                let text = self.body.get(span.clone()).unwrap_or_default();
                std::str::from_utf8(text).unwrap_or_default()
            }
        }
    }

    /// Returns the script of most letters in the user's last message.
    pub fn script(&self) -> Option<Script> {
        *self
            .script
            .get_or_init(|| Script::of(self.text(PromptPart::LastUser)))
    }

    /// Returns the value of a body field as it is written. `path` is its name, or names separated by dots, outermost
    /// first.
    pub fn field(&self, path: &str) -> Option<&'a [u8]> {
        let mut found = None;
        self.any_value(path, &mut |value| {
            let (RawFieldValue::Json(value) | RawFieldValue::Text(value)) = value;
            found = Some(value);
            true
        });
        found
    }

    /// Whether `holds` is true of any value at a path. If an array is on the path, the path leads to each of its items.
    pub fn any_value(&self, path: &str, holds: &mut dyn FnMut(RawFieldValue<'a>) -> bool) -> bool {
        if self.boundary.is_some() {
            let value = self.index().get(self.body, path);
            return value.is_some_and(|value| holds(RawFieldValue::Text(value)));
        }
        let is_lenient = self.api.schema() == Schema::Gemini;
        let (name, rest) = value::split_path(path);
        let index = self.index();
        let value = index.get(self.body, name).or_else(|| {
            let snake = is_lenient.then(|| value::in_snake_case(name))?;
            index.get(self.body, &snake)
        });
        value.is_some_and(|value| {
            value::any_at(value, rest, is_lenient, &mut |value| {
                holds(RawFieldValue::Json(value))
            })
        })
    }

    /// Whether a path leads to something that the model reads.
    pub fn is_prompt(&self, path: &str) -> bool {
        let beginning = |path| value::split_path(path).0;
        let mut read = self.format().prompt_fields.iter();
        read.any(|(part_text, _)| beginning(part_text) == beginning(path))
    }

    const fn format(&self) -> &'static Format {
        Format::of(self.api)
    }

    fn index(&self) -> &FieldIndex {
        self.index.get_or_init(|| match self.boundary {
            None => FieldIndex::of_json(self.body),
            Some(boundary) => FieldIndex::of_form(boundary, self.body),
        })
    }

    fn conversation(&self) -> &Conversation {
        self.conversation.get_or_init(|| {
            let mut reader = ConversationReader::new(self.body, self.format().kind_source);
            for (path, content) in self.format().prompt_fields {
                match (self.field(path), self.boundary) {
                    (Some(value), None) => reader.read(value, *content),
                    (Some(text), Some(_)) => reader.read_text(text, *content),
                    (None, _) => {}
                }
            }
            let mut conversation = reader.finish();
            if self.boundary.is_some() && self.index().files > 0 {
                conversation.record_medium(self.format().files);
            }
            conversation
        })
    }

    /// Returns the text pieces of a part.
    fn pieces(&self, part: PromptPart) -> impl Iterator<Item = &PromptPiece> {
        let Conversation { pieces, last, .. } = self.conversation();
        let pieces = match part {
            PromptPart::LastUser => pieces.get(last.clone()).unwrap_or_default(),
            _ => pieces,
        };
        pieces.iter().filter(move |piece| {
            let is_of_part = match part {
                PromptPart::All => true,
                PromptPart::System => piece.author == Author::System,
                PromptPart::User | PromptPart::LastUser => piece.author == Author::User,
            };
            piece.is_text && is_of_part
        })
    }

    /// Decodes a piece and passes its text on bit by bit.
    fn read(&self, piece: &PromptPiece, each: &mut impl FnMut(&str)) {
        let written = self.body.get(piece.span.clone()).unwrap_or_default();
        match self.boundary {
            None => drop(text::decode_pieces(written, each)),
            Some(_) => each(&String::from_utf8_lossy(written)),
        }
    }

    fn find_text(&self, part: PromptPart) -> Text {
        let mut pieces = self.pieces(part);
        let first = pieces.next();
        let second = pieces.next();
        let Some(first) = first else {
            return Text::Own(String::new());
        };
        let written = self.body.get(first.span.clone()).unwrap_or_default();
        let is_plain = self.boundary.is_some() || !written.contains(&b'\\');
        if second.is_none() && is_plain && std::str::from_utf8(written).is_ok() {
            return Text::Body(first.span.clone());
        }
        let mut text = String::new();
        for piece in [first].into_iter().chain(second).chain(pieces) {
            if !text.is_empty() {
                text.push('\n');
            }
            self.read(piece, &mut |more| text.push_str(more));
        }
        Text::Own(text)
    }
}

/// Converts a number of tokens.
fn whole(number: f64) -> Option<u64> {
    const MOST: f64 = 9e15;
    if !(0.0..MOST).contains(&number) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::as_conversions,
        reason = "between 0 and what an f64 counts exactly, as was just seen"
    )]
    Some(number as u64)
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "a test fails by panicking"
)]
mod tests;
