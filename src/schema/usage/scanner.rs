//! Finds what an answer reports about itself while its bytes pass through: its usage, its model, whether it is an
//! error, and how much text it has.
//!
//! The scanner reads one JSON text in arbitrary chunks. It keeps only its position and one small value at a time. It
//! is lenient: invalid JSON does no harm.

use crate::json::plain_prefix;

/// The maximum number of bytes of a usage.
const MAX_USAGE_BYTES: usize = 8 * 1024;

/// The maximum number of bytes of a key or a model's name.
const MAX_TEXT_BYTES: usize = 256;

/// Receives what is found.
pub(super) trait UsageSink {
    /// Receives an object with the token counts, as it is written.
    fn usage(&mut self, object: &[u8]);

    /// Receives the inside of the string that names the model.
    fn model(&mut self, inside: &[u8]);
}

/// The meaning of a key at its position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Key {
    #[default]
    Other,
    Usage,
    Model,
    /// The key of an object that contains the answer itself.
    Answer,
    Error,
    /// The key of the object's type.
    Kind,
    /// The key of text that the model wrote.
    Text,
    /// The key of a tool's arguments, in which every string is text that the model wrote.
    Arguments,
}

impl Key {
    fn of(key: &[u8]) -> Self {
        match key {
            b"usage" | b"usageMetadata" | b"amazon-bedrock-invocationMetrics" => Key::Usage,
            b"model" | b"modelVersion" => Key::Model,
            b"response" | b"message" => Key::Answer,
            b"error" => Key::Error,
            b"object" | b"type" => Key::Kind,
            b"content" | b"text" | b"reasoning" | b"reasoning_content" | b"thinking"
            | b"refusal" | b"transcript" | b"code" | b"arguments" | b"partial_json"
            | b"outputText" | b"generation" | b"completion" => Key::Text,
            b"input" | b"args" => Key::Arguments,
            _ => Key::Other,
        }
    }
}

/// The position within a JSON text.
#[derive(Clone, Debug, Default)]
pub(super) struct UsageScanner {
    /// How many containers are open.
    depth: u32,
    /// How many of them are arrays around the answers: none, or the first one.
    around: u32,
    /// The meaning of the last key at the top level of the answer, and one level below.
    keys: [Key; 2],
    /// The meaning of the last key at any level.
    last: Key,
    in_string: bool,
    is_escaped: bool,
    /// A colon came last, so the next token is a value.
    is_value: bool,
    /// The last string, or the value that is being captured.
    held: Vec<u8>,
    /// The depth at which the captured value began.
    captured_at: Option<u32>,
    /// The depth at which the arguments began.
    arguments_at: Option<u32>,
    /// Whether the open string is text that the model wrote.
    is_text: bool,
    text_length: TextLength,
    /// Whether the value of `error` must still show whether it is empty.
    awaits_error: bool,
    is_error: bool,
}

/// How much text there was.
#[derive(Clone, Copy, Debug, Default)]
struct TextLength {
    bytes: u64,
    /// How many of its characters are written as `\u` escapes.
    units: u64,
}

impl UsageScanner {
    /// Starts over for the next text.
    pub(super) fn restart(&mut self) {
        let held = std::mem::take(&mut self.held);
        *self = UsageScanner {
            held,
            text_length: self.text_length,
            ..UsageScanner::default()
        };
        self.held.clear();
    }

    /// Whether `error` is not empty, or the type says that the answer is an error.
    pub(in crate::schema) fn is_error(&self) -> bool {
        self.is_error
    }

    /// Returns the approximate number of bytes of text that the model wrote.
    pub(in crate::schema) fn text_bytes(&self) -> u64 {
        let TextLength { bytes, units } = self.text_length;
        // Such a character has two bytes in most alphabets.
        bytes.saturating_sub(units.saturating_mul(2))
    }

    /// Takes the next bytes of the text.
    pub(super) fn push(&mut self, bytes: &[u8], found: &mut impl UsageSink) {
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            if self.in_string {
                let plain = plain_prefix(rest);
                if plain > 0 && !self.is_escaped {
                    let (run, left) = rest.split_at_checked(plain).unwrap_or((rest, b""));
                    self.keep(run);
                    self.count_text(run.len());
                    rest = left;
                    continue;
                }
                self.string_byte(*byte, found);
            } else {
                self.structural_byte(*byte, found);
            }
            rest = after;
        }
    }

    /// Takes a byte of a string that may end it.
    fn string_byte(&mut self, byte: u8, found: &mut impl UsageSink) {
        let was_escaped = std::mem::take(&mut self.is_escaped);
        match byte {
            b'\\' if !was_escaped => self.is_escaped = true,
            b'"' if !was_escaped => {
                self.in_string = false;
                self.is_text = false;
                if self.captured_at.is_none() {
                    self.string_ends(found);
                    return;
                }
            }
            b'u' if was_escaped && self.is_text => {
                self.text_length.units = self.text_length.units.saturating_add(1);
            }
            _ => self.count_text(1),
        }
        self.keep(&[byte]);
    }

    /// Counts bytes of a string that have passed.
    fn count_text(&mut self, bytes: usize) {
        if self.is_text {
            let more = u64::try_from(bytes).unwrap_or(u64::MAX);
            self.text_length.bytes = self.text_length.bytes.saturating_add(more);
        }
    }

    fn string_ends(&mut self, found: &mut impl UsageSink) {
        if !std::mem::take(&mut self.is_value) {
            return;
        }
        match self.key() {
            Key::Model => found.model(&self.held),
            Key::Error if self.inside() == 1 => self.is_error |= !self.held.is_empty(),
            Key::Kind if self.inside() == 1 => self.is_error |= self.held == b"error",
            _ => {}
        }
    }

    /// Decides by one of its first bytes whether the value of `error` is something.
    fn look_for_error(&mut self, byte: u8) {
        let is_first = self.inside() == 1;
        match byte {
            b'{' | b'[' if is_first => return,
            b' ' | b'\t' | b'\n' | b'\r' => return,
            // Whether a string is empty shows at its end.
            b'"' | b'n' | b'f' if is_first => {}
            b'}' | b']' | b',' => {}
            _ => self.is_error = true,
        }
        self.awaits_error = false;
    }

    fn structural_byte(&mut self, byte: u8, found: &mut impl UsageSink) {
        if self.awaits_error {
            self.look_for_error(byte);
        }
        if self.captured_at.is_some() {
            self.keep(&[byte]);
        }
        match byte {
            b'"' => {
                self.in_string = true;
                if self.captured_at.is_none() {
                    self.held.clear();
                    let is_written = matches!(self.last, Key::Text | Key::Arguments);
                    self.is_text = self.arguments_at.is_some() || self.is_value && is_written;
                }
            }
            b':' if self.captured_at.is_none() => self.name_value(),
            b'{' | b'[' => self.open(byte),
            b'}' | b']' => self.close(found),
            b',' => self.is_value = false,
            _ => {}
        }
    }

    /// Handles a string that turned out to be a key.
    fn name_value(&mut self) {
        let key = Key::of(&self.held);
        self.is_value = true;
        self.last = key;
        let inside = self.inside();
        self.awaits_error = key == Key::Error && inside == 1;
        let [top, below] = &mut self.keys;
        match inside {
            1 => *top = key,
            2 => *below = key,
            _ => {}
        }
    }

    fn open(&mut self, bracket: u8) {
        let is_usage = bracket == b'{' && self.is_value && self.key() == Key::Usage;
        if is_usage && self.captured_at.is_none() {
            self.held.clear();
            self.held.push(bracket);
            self.captured_at = Some(self.depth);
        }
        if self.is_value && self.last == Key::Arguments && self.captured_at.is_none() {
            self.arguments_at.get_or_insert(self.depth);
        }
        if self.depth == 0 {
            self.around = u32::from(bracket == b'[');
        }
        self.is_value = false;
        self.depth = self.depth.saturating_add(1);
        if self.inside() == 2 {
            self.keys[1] = Key::Other;
        }
    }

    fn close(&mut self, found: &mut impl UsageSink) {
        self.depth = self.depth.saturating_sub(1);
        self.is_value = false;
        if self.arguments_at == Some(self.depth) {
            self.arguments_at = None;
        }
        if self.captured_at == Some(self.depth) {
            self.captured_at = None;
            if self.held.len() <= MAX_USAGE_BYTES {
                found.usage(&self.held);
            }
        }
    }

    /// Returns how many containers are open, not counting those around the answers.
    fn inside(&self) -> u32 {
        self.depth.saturating_sub(self.around)
    }

    /// Returns the meaning of the key whose value begins here.
    fn key(&self) -> Key {
        match (self.inside(), self.keys) {
            (1, [top, _]) => top,
            (2, [Key::Answer, below]) => below,
            _ => Key::Other,
        }
    }

    /// Keeps bytes, up to one more than the limit allows.
    fn keep(&mut self, bytes: &[u8]) {
        let limit = match self.captured_at {
            Some(_) => MAX_USAGE_BYTES,
            None => MAX_TEXT_BYTES,
        };
        let room = limit.saturating_add(1).saturating_sub(self.held.len());
        self.held
            .extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
    }
}
