//! Finds what an answer says about itself while its bytes pass: its usage, its model, whether it is an error, and how much
//! text it brings.
//!
//! Of one JSON text, cut anywhere, nothing is kept but the place, and one small value at a time. It is lenient: what is no JSON
//! does no harm.

use crate::json::plain_prefix;

/// How many bytes a usage may have.
const MAX_USAGE_BYTES: usize = 8 * 1024;

/// How many bytes a key or a model's name may have.
const MAX_TEXT_BYTES: usize = 256;

/// Who is told what is found.
pub(super) trait Found {
    /// An object with the counts of tokens, as it is written.
    fn usage(&mut self, object: &[u8]);

    /// The inside of the string that names the model.
    fn model(&mut self, inside: &[u8]);
}

/// What a key means where it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Key {
    #[default]
    Other,
    Usage,
    Model,
    /// Of an object that holds the answer itself.
    Answer,
    Error,
    /// What kind of object it is.
    Kind,
    /// Of text that the model wrote.
    Text,
    /// Of what the model wrote for a tool, of which every string is text.
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

/// Where in a JSON text one is.
#[derive(Clone, Debug, Default)]
pub(super) struct Scanner {
    /// How many containers are open.
    depth: u32,
    /// How many of them are arrays around the answers: none, or the first one.
    around: u32,
    /// What the key means that was last at the top of the answer, and one level further in.
    keys: [Key; 2],
    /// What the last key means, wherever it stands.
    last: Key,
    in_string: bool,
    is_escaped: bool,
    /// A colon was last: what comes is a value.
    is_value: bool,
    /// The last string, or what is being captured.
    held: Vec<u8>,
    /// The depth at which what is captured began.
    captured_at: Option<u32>,
    /// The depth at which arguments began.
    arguments_at: Option<u32>,
    /// Whether the string that is open is text that the model wrote.
    is_text: bool,
    written: Written,
    /// Whether the value of `error` is yet to tell whether it is something.
    awaits_error: bool,
    is_error: bool,
}

/// How much text there was.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    bytes: u64,
    /// How many characters of it are written as four digits.
    units: u64,
}

impl Scanner {
    /// The text is over, another one begins.
    pub(super) fn restart(&mut self) {
        let held = std::mem::take(&mut self.held);
        *self = Scanner {
            held,
            written: self.written,
            ..Scanner::default()
        };
        self.held.clear();
    }

    /// Whether there is something in `error`, or it says that it is one.
    pub(in crate::schema) fn is_error(&self) -> bool {
        self.is_error
    }

    /// About how many bytes of text the model wrote.
    pub(in crate::schema) fn text_bytes(&self) -> u64 {
        let Written { bytes, units } = self.written;
        // Such a character has two bytes in most alphabets.
        bytes.saturating_sub(units.saturating_mul(2))
    }

    /// Takes the next bytes of the text.
    pub(super) fn push(&mut self, bytes: &[u8], found: &mut impl Found) {
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            if self.in_string {
                let plain = plain_prefix(rest);
                if plain > 0 && !self.is_escaped {
                    let (run, left) = rest.split_at_checked(plain).unwrap_or((rest, b""));
                    self.keep(run);
                    self.writes(run.len());
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

    /// A byte inside of a string that may end it.
    fn string_byte(&mut self, byte: u8, found: &mut impl Found) {
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
                self.written.units = self.written.units.saturating_add(1);
            }
            _ => self.writes(1),
        }
        self.keep(&[byte]);
    }

    /// So many bytes of a string have passed.
    fn writes(&mut self, bytes: usize) {
        if self.is_text {
            let more = u64::try_from(bytes).unwrap_or(u64::MAX);
            self.written.bytes = self.written.bytes.saturating_add(more);
        }
    }

    fn string_ends(&mut self, found: &mut impl Found) {
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

    /// Whether the value of `error` is something, by a byte of its beginning.
    fn look_for_error(&mut self, byte: u8) {
        let is_first = self.inside() == 1;
        match byte {
            b'{' | b'[' if is_first => return,
            b' ' | b'\t' | b'\n' | b'\r' => return,
            // A string tells by its end.
            b'"' | b'n' | b'f' if is_first => {}
            b'}' | b']' | b',' => {}
            _ => self.is_error = true,
        }
        self.awaits_error = false;
    }

    fn structural_byte(&mut self, byte: u8, found: &mut impl Found) {
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

    /// The last string was a key.
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

    fn close(&mut self, found: &mut impl Found) {
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

    /// How many containers are open, those around the answers aside.
    fn inside(&self) -> u32 {
        self.depth.saturating_sub(self.around)
    }

    /// What the key means whose value is here.
    fn key(&self) -> Key {
        match (self.inside(), self.keys) {
            (1, [top, _]) => top,
            (2, [Key::Answer, below]) => below,
            _ => Key::Other,
        }
    }

    /// Keeps bytes of what is held, no more than one too many.
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
