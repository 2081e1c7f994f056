//! A digest of a JSON text that is too long to be held: a short JSON text that means the same to the reader of
//! events, built while the bytes pass through.
//!
//! The digest copies what the reader interprets: field names, numbers, and certain texts. Of values that only have to
//! be non-empty, it keeps the beginning; an object or an array is represented by a text in an array. How many bytes
//! were left out is stored separately.
//!
//! The long text is validated as it passes. If something is wrong with it, the digest ends with the same kind of
//! error, so that it is read as far as the long text would be.

use crate::schema::json::{Containers, JsonCursor, MAX_DEPTH, closing, plain_prefix};

/// The maximum size of the digest before a value. Beyond it, the next value counts as nesting too deeply.
const MAX_BYTES: usize = 32 * 1024;

/// The maximum number of bytes kept of a key. No known key is longer.
const MAX_KEY_BYTES: usize = 64;

/// The maximum number of bytes kept of a text that is interpreted.
const MAX_TEXT_BYTES: usize = 4 * 1024;

/// The maximum number of bytes kept of other texts: normally the size of a sample, and less if the digest is already
/// large.
const CONTENT_BYTES: [usize; 2] = [512, ESCAPE_BYTES];

/// The length of the longest escape of one character.
const ESCAPE_BYTES: usize = br"\u0000".len();

/// The number of consecutive digits beyond which further ones make no difference, and the maximum number of other
/// bytes in a number, `true`, `false` or `null`.
const MAX_DIGITS: usize = 40;
const MAX_OTHERS: usize = 16;

/// What was left out of a digest: after how many of its bytes, and how many bytes.
#[derive(Debug)]
pub(in crate::schema) struct OmittedBytes<'a> {
    text: &'a [u8],
    counts: &'a [(usize, usize)],
}

impl OmittedBytes<'_> {
    /// Returns how many bytes are missing in this part of the digest, which is the inside of a value.
    #[inline(never)]
    pub(in crate::schema) fn of(&self, part: &[u8]) -> usize {
        let start = part.as_ptr().addr();
        let start = start.saturating_sub(self.text.as_ptr().addr());
        // The inside of a number does not include its last digit.
        let end = start.saturating_add(part.len()).saturating_add(1);
        let first = self.counts.partition_point(|(at, _)| *at < start);
        let inside = self.counts.iter().skip(first);
        inside
            .take_while(|(at, _)| *at <= end)
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

/// How a value is treated, by the name of its field.
#[derive(Clone, Copy, Debug)]
enum Treatment {
    /// A text that is interpreted.
    Text,
    /// An object or an array whose content is interpreted.
    Inside,
    /// An object or an array whose content is interpreted, or a text that is interpreted.
    TextOrInside,
    /// An object whose content is interpreted.
    InsideObject,
    /// A value for which it only matters whether it is empty.
    Whole,
}

impl Treatment {
    fn of(key: &[u8]) -> Self {
        match key {
            b"type" | b"object" | b"model" | b"modelVersion" | b"code" | b"status"
            | b"error_type" | b"__type" | b"detail" | b"raw" => Treatment::Text,
            b"error" | b"message" => Treatment::TextOrInside,
            b"choices"
            | b"delta"
            | b"content_block"
            | b"response"
            | b"candidates"
            | b"parts"
            | b"promptFeedback"
            | b"usage"
            | b"usageMetadata"
            | b"prompt_tokens_details"
            | b"input_tokens_details"
            | b"completion_tokens_details"
            | b"output_tokens_details"
            | b"innererror"
            | b"inner_error"
            | b"metadata" => Treatment::Inside,
            b"content" => Treatment::InsideObject,
            _ => Treatment::Whole,
        }
    }

    fn is_text(self) -> bool {
        matches!(self, Treatment::Text | Treatment::TextOrInside)
    }

    fn enters(self, is_object: bool) -> bool {
        match self {
            Treatment::Inside | Treatment::TextOrInside => true,
            Treatment::InsideObject => is_object,
            Treatment::Text | Treatment::Whole => false,
        }
    }
}

/// What must come next, apart from white space.
#[derive(Clone, Copy, Debug)]
enum ExpectedToken {
    Value,
    /// A value, or the end of the array.
    FirstItem,
    Key,
    /// A key, or the end of the object.
    FirstKey,
    Colon,
    /// A comma, or the end of the open container.
    Next,
    /// Nothing.
    End,
}

/// The token that has begun and not ended.
#[derive(Clone, Copy, Debug)]
enum Token {
    None,
    String(OpenString),
    /// A number, `true`, `false` or `null`.
    Scalar {
        /// Where it begins in the digest.
        start: usize,
        digits: usize,
        others: usize,
    },
}

/// The inside of a string.
#[derive(Clone, Copy, Debug)]
struct OpenString {
    is_key: bool,
    /// Where it begins in the digest.
    start: usize,
    /// How many more bytes may be kept.
    room: usize,
    /// Some bytes were not kept.
    is_cut: bool,
    escape: Escape,
}

#[derive(Clone, Copy, Debug)]
enum Escape {
    None,
    Begun,
    /// This many digits are missing.
    Unicode(u8),
}

/// An object or an array whose content is not interpreted.
#[derive(Clone, Copy, Debug)]
struct SkippedContainer {
    /// How many containers it is in.
    depth: usize,
    /// How many bytes of it have passed.
    bytes: usize,
    /// The maximum number of bytes of it that are kept.
    room: usize,
}

#[derive(Debug)]
pub(super) struct JsonDigest {
    text: Vec<u8>,
    /// The beginning of the skipped container.
    skipped_text: Vec<u8>,
    omitted: Vec<(usize, usize)>,
    open: Containers,
    expected: ExpectedToken,
    token: Token,
    /// The treatment of the next value.
    treatment: Treatment,
    skipped: Option<SkippedContainer>,
    /// Nothing more is read.
    is_over: bool,
}

impl JsonDigest {
    pub(super) fn new() -> Self {
        JsonDigest {
            text: Vec::new(),
            skipped_text: Vec::new(),
            omitted: Vec::new(),
            open: Containers::new(0),
            expected: ExpectedToken::Value,
            token: Token::None,
            treatment: Treatment::Inside,
            skipped: None,
            is_over: false,
        }
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn omitted(&self) -> OmittedBytes<'_> {
        OmittedBytes {
            text: &self.text,
            counts: &self.omitted,
        }
    }

    /// Takes the next bytes of the text.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(first) = rest.first().filter(|_| !self.is_over) {
            let taken = match self.token {
                Token::None => self.structure(*first),
                Token::String(inside) => self.string(inside, rest, *first),
                Token::Scalar {
                    start,
                    digits,
                    others,
                } => self.scalar(*first, start, digits, others),
            };
            if let Some(skipped) = &mut self.skipped {
                skipped.bytes = skipped.bytes.saturating_add(taken);
                let room = skipped.room.saturating_sub(self.skipped_text.len());
                let kept = rest.get(..taken.min(room)).unwrap_or_default();
                self.skipped_text.extend_from_slice(kept);
            }
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// Takes a byte between tokens. Returns how many bytes were taken.
    fn structure(&mut self, byte: u8) -> usize {
        use ExpectedToken::{Colon, FirstItem, FirstKey, Key, Next, Value};
        match (self.expected, byte) {
            (_, b' ' | b'\n' | b'\r' | b'\t') => match self.text.last() {
                Some(b' ') => self.leave_out(1),
                _ => self.write(b" "),
            },
            (Value | FirstItem, b'"') => self.begin_string(false),
            (Key | FirstKey, b'"') => self.begin_string(true),
            (Value | FirstItem, b'{' | b'[') => self.open(byte == b'{'),
            (FirstItem, b']') | (FirstKey, b'}') => self.close(),
            (Next, b',') => {
                self.write(b",");
                self.treatment = Treatment::Inside;
                self.expected = match self.open.innermost() {
                    Some(true) => Key,
                    _ => Value,
                };
            }
            (Next, _) if self.open.innermost().map(closing) == Some(byte) => self.close(),
            (Colon, b':') => {
                self.write(b":");
                self.expected = Value;
            }
            (Value | FirstItem, b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z') => {
                if self.has_room() {
                    self.token = Token::Scalar {
                        start: self.text.len(),
                        digits: 0,
                        others: 0,
                    };
                }
                return 0;
            }
            _ => self.fault(),
        }
        1
    }

    fn open(&mut self, is_object: bool) {
        let depth = self.open.depth();
        if self.open.open(is_object).is_err() {
            return self.too_deep();
        }
        if self.skipped.is_none() {
            if !self.has_room() {
                return;
            }
            if self.treatment.enters(is_object) {
                self.write(if is_object { b"{" } else { b"[" });
            } else {
                self.skipped_text.clear();
                self.skipped = Some(SkippedContainer {
                    depth,
                    bytes: 0,
                    room: self.content_room(),
                });
            }
        }
        self.treatment = Treatment::Inside;
        self.expected = if is_object {
            ExpectedToken::FirstKey
        } else {
            ExpectedToken::FirstItem
        };
    }

    fn close(&mut self) {
        let is_empty = matches!(
            self.expected,
            ExpectedToken::FirstItem | ExpectedToken::FirstKey
        );
        let bracket = self.open.innermost().map_or(0, closing);
        self.open.close();
        match self.skipped {
            Some(skipped) if skipped.depth == self.open.depth() => {
                self.skipped = None;
                self.write(b"[");
                if !is_empty {
                    // The count does not include the first bracket; the second one is not counted yet.
                    self.write_skipped(skipped.bytes.saturating_sub(1));
                }
                self.write(b"]");
            }
            _ => self.write(&[bracket]),
        }
        self.value_ends();
    }

    /// Writes a text that stands for the content of a skipped container, which is not empty and has this many bytes.
    fn write_skipped(&mut self, bytes: usize) {
        let start = self.text.len();
        let quotes = 2;
        if let Some(room) = bytes.checked_sub(quotes).filter(|room| *room > 0) {
            self.text.push(b'"');
            for byte in self.skipped_text.iter().skip(1) {
                let escaped: &[u8] = match byte {
                    b'"' => b"\\\"",
                    b'\\' => b"\\\\",
                    b'\n' | b'\r' | b'\t' => b" ",
                    _ => std::slice::from_ref(byte),
                };
                let written = self.text.len().saturating_sub(start);
                if written.saturating_add(escaped.len()) > room.saturating_add(1) {
                    break;
                }
                self.text.extend_from_slice(escaped);
            }
            self.text.push(b'"');
        } else {
            self.text.push(b'0');
        }
        let written = self.text.len().saturating_sub(start);
        self.leave_out(bytes.saturating_sub(written));
    }

    fn value_ends(&mut self) {
        self.expected = match self.open.depth() {
            0 => ExpectedToken::End,
            _ => ExpectedToken::Next,
        };
    }

    fn begin_string(&mut self, is_key: bool) {
        if !is_key && !self.has_room() {
            return;
        }
        self.write(b"\"");
        self.token = Token::String(OpenString {
            is_key,
            start: self.text.len(),
            room: match self.skipped {
                Some(_) => 0,
                None if is_key => MAX_KEY_BYTES,
                None if self.treatment.is_text() => MAX_TEXT_BYTES,
                None => self.content_room(),
            },
            is_cut: false,
            escape: Escape::None,
        });
    }

    /// Takes bytes of a string. Returns how many were taken.
    fn string(&mut self, mut inside: OpenString, rest: &[u8], first: u8) -> usize {
        let mut taken = 1;
        inside.escape = match (inside.escape, first) {
            (Escape::None, b'"') => {
                self.string_ends(inside);
                return 1;
            }
            (Escape::None, b'\\') => {
                // An escape is kept whole or not at all.
                if inside.room < ESCAPE_BYTES {
                    inside.room = 0;
                }
                Escape::Begun
            }
            (Escape::None, _) => {
                taken = plain_prefix(rest);
                if taken == 0 {
                    self.fault();
                    return 1;
                }
                Escape::None
            }
            (Escape::Begun, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Escape::None,
            (Escape::Begun, b'u') => Escape::Unicode(4),
            (Escape::Unicode(1), digit) if digit.is_ascii_hexdigit() => Escape::None,
            (Escape::Unicode(left), digit) if digit.is_ascii_hexdigit() => {
                Escape::Unicode(left.saturating_sub(1))
            }
            _ => {
                self.fault();
                return 1;
            }
        };
        let kept = taken.min(inside.room);
        self.write(rest.get(..kept).unwrap_or_default());
        inside.room = inside.room.saturating_sub(kept);
        inside.is_cut |= kept < taken;
        if !inside.is_key {
            self.leave_out(taken.saturating_sub(kept));
        }
        self.token = Token::String(inside);
        taken
    }

    fn string_ends(&mut self, inside: OpenString) {
        self.token = Token::None;
        if inside.is_key {
            if inside.is_cut && self.skipped.is_none() {
                self.text.truncate(inside.start);
            }
            let key = self.text.get(inside.start..).unwrap_or_default();
            self.treatment = Treatment::of(key);
            self.expected = ExpectedToken::Colon;
        } else {
            self.value_ends();
        }
        self.write(b"\"");
    }

    /// Takes a byte of a number, `true`, `false` or `null`, or the byte after it. Returns how many bytes were taken.
    fn scalar(&mut self, byte: u8, start: usize, digits: usize, others: usize) -> usize {
        let (digits, others) = match byte {
            b'0'..=b'9' => (digits.saturating_add(1), others),
            b'+' | b'-' | b'.' | b'A'..=b'Z' | b'a'..=b'z' => (0, others.saturating_add(1)),
            _ => {
                self.scalar_ends(start);
                return 0;
            }
        };
        if others > MAX_OTHERS {
            self.fault();
            return 1;
        }
        if digits <= MAX_DIGITS {
            self.text.push(byte);
        } else {
            self.leave_out(1);
        }
        self.token = Token::Scalar {
            start,
            digits,
            others,
        };
        1
    }

    fn scalar_ends(&mut self, start: usize) {
        self.token = Token::None;
        if self.skipped.is_some() {
            let scalar = self.text.get(start..).unwrap_or_default();
            let walked = JsonCursor::whole(scalar, |json| json.skip().map(drop));
            self.text.truncate(start);
            if walked.is_err() {
                return self.fault();
            }
        }
        self.value_ends();
    }

    /// Appends to the digest, unless a container is being skipped.
    fn write(&mut self, bytes: &[u8]) {
        if self.skipped.is_none() {
            self.text.extend_from_slice(bytes);
        }
    }

    fn leave_out(&mut self, count: usize) {
        if count == 0 || self.skipped.is_some() {
            return;
        }
        let here = self.text.len();
        match self.omitted.last_mut() {
            Some((at, so_far)) if *at == here => *so_far = so_far.saturating_add(count),
            _ => self.omitted.push((here, count)),
        }
    }

    /// Returns how many bytes are kept of a value that only has to be non-empty.
    fn content_room(&self) -> usize {
        let [usual, least] = CONTENT_BYTES;
        if self.size() < MAX_BYTES / 2 {
            usual
        } else {
            least
        }
    }

    fn size(&self) -> usize {
        let counts = size_of_val(self.omitted.as_slice());
        self.text.len().saturating_add(counts)
    }

    /// Whether there is room for another value. If not, nothing more is read.
    fn has_room(&mut self) -> bool {
        if self.size() > MAX_BYTES {
            self.too_deep();
        }
        !self.is_over
    }

    /// Ends the digest with invalid JSON.
    fn fault(&mut self) {
        self.text.push(0);
        self.is_over = true;
    }

    /// Ends the digest, at the beginning of a value, with a value that nests too deeply.
    fn too_deep(&mut self) {
        let depth = self.text.len().saturating_add(MAX_DEPTH);
        self.text.resize(depth.saturating_add(1), b'[');
        self.is_over = true;
    }
}
