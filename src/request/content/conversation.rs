//! Finds what a request says to the model: one pass over its messages, with the same code for all APIs.

use std::borrow::Cow;
use std::ops::Range;

use super::super::scan::position;
use super::super::text;
use super::format::{FieldContent, KindSource, Medium};
use super::objects::{
    Block, Call, Code, Data, Document, Message, Source, ToolResult, by_mime, medium,
};
use super::value::{items, name, non_empty, string};

/// How deeply blocks may be nested: an image in a document in a tool result is at the third level.
const MAX_NESTING: usize = 5;

/// The author of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Author {
    System,
    User,
    /// The model, a tool, or nobody.
    Other,
}

/// A piece of the prompt in the body.
#[derive(Clone, Debug)]
pub(super) struct PromptPiece {
    /// Its bytes in the body, without quotes.
    pub(super) span: Range<usize>,
    pub(super) author: Author,
    /// Whether it is text rather than another medium.
    pub(super) is_text: bool,
}

/// What was found in the messages.
#[derive(Clone, Debug, Default)]
pub(super) struct Conversation {
    /// The pieces, in the order of the body.
    pub(super) pieces: Vec<PromptPiece>,
    pub(super) has_images: bool,
    pub(super) has_audio: bool,
    pub(super) has_files: bool,
    pub(super) has_tool_results: bool,
    /// The number of messages, and how many of them are the user's.
    pub(super) messages: u32,
    pub(super) turns: u32,
    /// The number of tokens that the request gives as token IDs.
    pub(super) token_ids: u64,
    /// The pieces of the user's first and last messages.
    pub(super) first: Range<usize>,
    pub(super) last: Range<usize>,
}

impl Conversation {
    /// Records a medium that is not text.
    pub(super) fn record_medium(&mut self, medium: Medium) {
        match medium {
            Medium::Image => self.has_images = true,
            Medium::Audio => self.has_audio = true,
            Medium::File => self.has_files = true,
        }
    }
}

/// Reads the fields of a body.
pub(super) struct ConversationReader<'a> {
    body: &'a [u8],
    /// Which fields tell the kind of a message or block.
    kind_source: KindSource,
    found: Conversation,
    /// The author of the current message.
    author: Author,
    /// Whether the current message has content of its author so far: text that is more than white space, or another
    /// medium.
    has_content: bool,
}

impl<'a> ConversationReader<'a> {
    pub(super) fn new(body: &'a [u8], kind_source: KindSource) -> Self {
        ConversationReader {
            body,
            kind_source,
            found: Conversation::default(),
            author: Author::Other,
            has_content: false,
        }
    }

    pub(super) fn finish(mut self) -> Conversation {
        self.found.pieces.shrink_to_fit();
        self.found
    }

    /// Reads the value of a field.
    pub(super) fn read(&mut self, value: &'a [u8], content: FieldContent) {
        match content {
            FieldContent::System => {
                self.read_message(Author::System, |reader| reader.blocks(value, 0))
            }
            FieldContent::Messages => items(value, |item| self.message(item, Author::Other)),
            FieldContent::Contents => items(value, |item| self.message(item, Author::User)),
            FieldContent::Items => items(value, |item| match item.first() {
                Some(b'{') => self.message(item, Author::Other),
                _ => self.read_message(Author::User, |reader| reader.blocks(item, 0)),
            }),
            FieldContent::Prompt => {
                if non_empty(Some(value)).is_some() {
                    self.read_message(Author::User, |reader| reader.blocks(value, 0));
                }
            }
            FieldContent::Other => {
                self.read_message(Author::Other, |reader| reader.blocks(value, 0))
            }
            FieldContent::Data => self.data(value),
            FieldContent::Results => {
                if non_empty(Some(value)).is_some() {
                    self.found.has_tool_results = true;
                    self.data(value);
                }
            }
            FieldContent::Images => self.found.has_images |= non_empty(Some(value)).is_some(),
        }
    }

    /// Reads values without an author, each as it is written.
    fn data(&mut self, value: &'a [u8]) {
        self.read_message(Author::Other, |reader| {
            items(value, |item| reader.written(item))
        });
    }

    /// Reads the text of a form field.
    pub(super) fn read_text(&mut self, text: &'a [u8], content: FieldContent) {
        let author = match content {
            FieldContent::System => Author::System,
            FieldContent::Prompt => Author::User,
            _ => return,
        };
        if !text.is_empty() {
            self.read_message(author, |reader| {
                reader.has_content = !text.trim_ascii().is_empty();
                reader.piece(text, true);
            });
        }
    }

    /// Reads one message of this author.
    fn read_message(&mut self, author: Author, read: impl FnOnce(&mut Self)) {
        self.author = author;
        self.has_content = false;
        let start = self.found.pieces.len();
        read(self);
        let found = &mut self.found;
        found.messages = found.messages.saturating_add(1);
        // A tool result or an empty message is not a turn of the user; otherwise an empty message would hide the last
        // one.
        if author == Author::User && self.has_content {
            let pieces = start..found.pieces.len();
            if found.turns == 0 {
                found.first = pieces.clone();
            }
            found.last = pieces;
            found.turns = found.turns.saturating_add(1);
        }
    }

    /// Reads a message of any API, or an item of a conversation that is not a message.
    fn message(&mut self, value: &'a [u8], default: Author) {
        let message = Message::read(value);
        let kind = self.kind(message.kind);
        let role = name(message.role);
        let is_result = match role.as_deref() {
            Some(role) => matches!(role, b"tool" | b"function" | b"TOOL"),
            // Only without a role: with one it is a message to servers that ignore the type.
            None => kind.as_ref().is_some_and(|kind| kind.ends_with(b"_output")),
        };
        let author = match role.as_deref() {
            _ if is_result => Author::Other,
            Some(b"user" | b"USER") => Author::User,
            Some(b"system" | b"developer" | b"SYSTEM") => Author::System,
            None if kind.is_none() => default,
            _ => Author::Other,
        };
        self.found.has_tool_results |= is_result;
        // The audio of an earlier answer.
        let spoken = non_empty(message.audio).map(|_| Medium::Audio);
        let itself = kind.as_deref().and_then(medium);
        for medium in [spoken, itself].into_iter().flatten() {
            self.found.record_medium(medium);
        }
        self.read_message(author, |reader| {
            let Message {
                content,
                parts,
                text,
                output,
                summary,
                ..
            } = message;
            for value in [content, parts, text, output, summary]
                .into_iter()
                .flatten()
            {
                reader.blocks(value, 0);
            }
            for call in message.tool_calls.into_iter().chain(message.function_call) {
                items(call, |call| reader.call(call));
            }
            if role.is_none() {
                reader.call(value);
            }
        });
    }

    /// Reads a tool call: `{function: {name, arguments}}`, `{custom: {name, input}}`, or the inside of either.
    fn call(&mut self, value: &'a [u8]) {
        let outer = Call::read(value);
        let call = outer.inside.map_or(outer, Call::read);
        self.all_written([call.name, call.arguments]);
    }

    /// Reads text, blocks, or one block.
    fn blocks(&mut self, value: &'a [u8], depth: usize) {
        if depth > MAX_NESTING {
            return;
        }
        items(value, |item| match item.first() {
            Some(b'{') => self.block(item, depth),
            Some(b'"') => self.written(item),
            // Token IDs, in a list or in a list of lists.
            _ => items(item, |token| self.token(token)),
        });
    }

    fn token(&mut self, value: &[u8]) {
        let is_token = value.first().is_some_and(u8::is_ascii_digit);
        let count = u64::from(is_token);
        self.has_content |= is_token;
        self.found.token_ids = self.found.token_ids.saturating_add(count);
    }

    fn block(&mut self, value: &'a [u8], depth: usize) {
        let block = Block::read(value);
        let deeper = depth.saturating_add(1);
        match self.kind(block.kind) {
            Some(kind) => {
                self.typed(&kind, &block, value, deeper);
                if self.kind_source == KindSource::Both {
                    self.keyed(&block.beside_type(&kind), deeper);
                }
            }
            None => self.keyed(&block, deeper),
        }
    }

    /// Returns the type of a message or block, unless the API ignores types.
    fn kind(&self, kind: Option<&'a [u8]>) -> Option<Cow<'a, [u8]>> {
        name(kind).filter(|_| self.kind_source != KindSource::Keys)
    }

    /// Reads a block with a type, as OpenAI and Anthropic have them.
    fn typed(&mut self, kind: &[u8], block: &Block<'a>, value: &'a [u8], deeper: usize) {
        if let Some(medium) = medium(kind) {
            let media = [block.image, block.audio, block.file, block.source];
            let itself = media.into_iter().flatten().next();
            self.medium(medium, itself.unwrap_or(value));
            // A document may be text, or contain blocks.
            let source = block.source.map(Source::read).unwrap_or_default();
            let is_text = name(source.kind).as_deref() == Some(b"text");
            let text = source.data.filter(|_| is_text);
            self.all_written([block.title, block.context, text]);
            self.blocks_of(source.content, deeper);
        } else if kind.ends_with(b"tool_result") {
            self.result(deeper, [block.content, None], None);
        } else {
            let is_call = kind.ends_with(b"tool_use");
            let call = [block.name, block.input].map(|value| value.filter(|_| is_call));
            self.all_written([block.title, block.text, block.refusal, block.thinking]);
            self.all_written(call);
            self.blocks_of(block.content, deeper);
        }
    }

    /// Reads a block whose keys tell its kind, as Bedrock and Gemini have them.
    fn keyed(&mut self, block: &Block<'a>, deeper: usize) {
        // Each is text, or contains text.
        for value in [
            block.text,
            block.parts,
            block.guarded,
            block.wrapped,
            block.content,
        ] {
            self.blocks_of(value, deeper);
        }
        self.all_written([block.json]);
        if let Some(call) = block.call.map(Call::read) {
            self.all_written([call.name, call.arguments]);
        }
        if let Some(code) = block.code.map(Code::read) {
            self.all_written([code.code, code.output]);
        }
        if let Some(result) = block.result.map(ToolResult::read) {
            self.result(deeper, [result.content, result.parts], result.response);
        }
        if let Some(data) = block.data {
            let mime = name(Data::read(data).mime_type);
            self.medium(by_mime(mime.as_deref().unwrap_or_default()), data);
        }
        for (medium, value) in [
            (Medium::Image, block.image),
            (Medium::Audio, block.audio),
            (Medium::File, block.file),
        ] {
            if let Some(value) = non_empty(value) {
                self.medium(medium, value);
            }
        }
        if let Some(document) = block.file.map(Document::read) {
            let source = document.source.map(Source::read).unwrap_or_default();
            self.all_written([document.context, source.text]);
            self.blocks_of(source.content, deeper);
        }
    }

    /// Reads a tool result, in blocks or as it is written. It does not count as content of the message's author.
    fn result(&mut self, deeper: usize, blocks: [Option<&'a [u8]>; 2], written: Option<&'a [u8]>) {
        self.found.has_tool_results = true;
        let (author, has_content) = (self.author, self.has_content);
        self.author = Author::Other;
        self.all_written([written]);
        for value in blocks {
            self.blocks_of(value, deeper);
        }
        (self.author, self.has_content) = (author, has_content);
    }

    fn blocks_of(&mut self, value: Option<&'a [u8]>, depth: usize) {
        if let Some(value) = value {
            self.blocks(value, depth);
        }
    }

    fn all_written<const N: usize>(&mut self, values: [Option<&'a [u8]>; N]) {
        values
            .into_iter()
            .flatten()
            .for_each(|value| self.written(value));
    }

    fn medium(&mut self, medium: Medium, value: &'a [u8]) {
        self.found.record_medium(medium);
        self.has_content = true;
        self.piece(value, false);
    }

    /// Reads a string, or any other value as it is written.
    fn written(&mut self, value: &'a [u8]) {
        if let Some(value) = non_empty(Some(value)) {
            let text = string(value);
            self.has_content = self.has_content || !text.is_some_and(is_blank);
            self.piece(text.unwrap_or(value), true);
        }
    }

    fn piece(&mut self, value: &'a [u8], is_text: bool) {
        let start = position(self.body, value);
        self.found.pieces.push(PromptPiece {
            span: start..start.saturating_add(value.len()),
            author: self.author,
            is_text,
        });
    }
}

/// Whether the inside of a JSON string decodes to white space only.
fn is_blank(inside: &[u8]) -> bool {
    // For most text, the first letter decides.
    let begins_plain = |byte: &u8| byte.is_ascii_graphic() && *byte != b'\\';
    if inside.first().is_some_and(begins_plain) {
        return false;
    }
    let mut is_blank = true;
    text::decode_pieces(inside, &mut |text| {
        is_blank = is_blank && text.chars().all(char::is_whitespace);
    });
    is_blank
}
