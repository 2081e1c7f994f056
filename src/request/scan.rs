//! One pass over a request's body: is it one JSON object, and what do the fields say that routing reads?
//!
//! The whole body is validated (RFC 8259), because a provider that reads a malformed one otherwise than the router
//! did could be used to get around a route. Nothing is built but the few fields of the [`View`]; nesting costs one
//! bit a level, up to [`MAX_DEPTH`], and no recursion.

use std::fmt;
use std::ops::Range;

use super::text;
use super::view::{Insertion, ModelField, Notation, View, Wants};

/// How many objects and arrays may stand inside each other.
pub const MAX_DEPTH: usize = 512;

/// How long a model's name may be, in bytes as it is written in the body.
pub const MAX_MODEL_BYTES: usize = 256;

/// Why a body cannot be routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanError {
    /// Nothing but white space, if that.
    Empty,
    /// Not UTF-8 at this byte.
    InvalidUtf8(usize),
    /// Not JSON at this byte.
    InvalidJson(usize),
    /// More than [`MAX_DEPTH`] levels at this byte.
    TooDeep(usize),
    /// JSON, but no object.
    NotAnObject,
    /// A field that routing reads stands there twice, the second time at this byte; its name as we know it.
    Duplicate(&'static str, usize),
    /// No `model`.
    MissingModel,
    /// A `model` that names none.
    InvalidModel,
    /// A `stream` that is neither a boolean nor `null`.
    InvalidStream,
    /// No `multipart/form-data`, for this reason, at this byte.
    InvalidForm(&'static str, usize),
}

impl fmt::Display for ScanError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScanError::Empty => out.write_str("The request has no body."),
            ScanError::InvalidUtf8(at) => write!(out, "The body is not UTF-8 at byte {at}."),
            ScanError::InvalidJson(at) => write!(out, "The body is not valid JSON at byte {at}."),
            ScanError::TooDeep(at) => write!(
                out,
                "The body nests objects and arrays more than {MAX_DEPTH} levels deep at byte {at}."
            ),
            ScanError::NotAnObject => out.write_str("The body must be a JSON object."),
            ScanError::Duplicate(name, at) => write!(
                out,
                "The field \"{name}\" stands in the body twice (in any spelling or letter case), the second \
                 time at byte {at}."
            ),
            ScanError::MissingModel => out.write_str("The field \"model\" is missing."),
            ScanError::InvalidModel => write!(
                out,
                "The field \"model\" must be a model's name: a string of 1 to {MAX_MODEL_BYTES} bytes of valid text."
            ),
            ScanError::InvalidStream => out.write_str(
                "The field \"stream\" must be true, false or null, and its name in lower case.",
            ),
            ScanError::InvalidForm(why, at) => {
                write!(out, "The body is not a valid form at byte {at}: {why}.")
            }
        }
    }
}

/// Reads a body. What is wrong with it as JSON is reported before what is wrong with its fields.
///
/// # Errors
/// See [`ScanError`]; positions are bytes from the body's start.
pub fn scan(body: &[u8], wants: Wants) -> Result<View, ScanError> {
    if let Err(error) = std::str::from_utf8(body) {
        return Err(ScanError::InvalidUtf8(error.valid_up_to()));
    }
    let mark = if body.starts_with(BYTE_ORDER_MARK) {
        BYTE_ORDER_MARK.len()
    } else {
        0
    };
    let mut scanner = Scanner {
        body,
        at: mark,
        tie: None,
    };
    scanner.white_space();
    let fields = match scanner.peek() {
        None => return Err(ScanError::Empty),
        Some(b'{') => Some(scanner.top_level_object()?),
        Some(_) => {
            scanner.value()?;
            None
        }
    };
    scanner.white_space();
    if scanner.peek().is_some() {
        return Err(scanner.invalid());
    }
    let fields = fields.ok_or(ScanError::NotAnObject)?;
    let (model, stream) = fields.read(body, wants)?;
    Ok(View {
        model,
        insert_at: Some(fields.insertion),
        stream,
        tie: scanner.tie,
        notation: Notation::Json,
        mark,
    })
}

/// UTF-8's, with which some editors and libraries begin a text (RFC 8259, section 8.1, lets a reader ignore it).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A field of the top-level object that routing reads.
#[derive(Debug, Default)]
struct Seen {
    /// Where its value stands, under the field's very name.
    value: Option<Range<usize>>,
    /// How often its name stood there, in any spelling and letter case, and where it last began.
    times: usize,
    last: usize,
}

#[derive(Debug)]
struct TopLevel {
    model: Seen,
    stream: Seen,
    insertion: Insertion,
}

impl TopLevel {
    fn read(&self, body: &[u8], wants: Wants) -> Result<(Option<ModelField>, bool), ScanError> {
        for (name, seen) in [(MODEL, &self.model), (STREAM, &self.stream)] {
            if seen.times > 1 {
                return Err(ScanError::Duplicate(name, seen.last));
            }
        }
        let model = match (&self.model.value, wants) {
            (Some(value), _) => Some(model(body, value).ok_or(ScanError::InvalidModel)?),
            (None, Wants::Model) => return Err(ScanError::MissingModel),
            // Under another name than its own, which some readers take for it.
            (None, Wants::MayHaveModel) if self.model.times > 0 => {
                return Err(ScanError::InvalidModel);
            }
            (None, Wants::MayHaveModel) => None,
        };
        if self.stream.times > 0 && self.stream.value.is_none() {
            return Err(ScanError::InvalidStream);
        }
        let stream = self.stream.value.clone().and_then(|span| body.get(span));
        let stream = match stream {
            None | Some(b"false" | b"null") => false,
            Some(b"true") => true,
            Some(_) => return Err(ScanError::InvalidStream),
        };
        Ok((model, stream))
    }
}

/// The model that this value names.
fn model(body: &[u8], value: &Range<usize>) -> Option<ModelField> {
    let span = value.start.saturating_add(1)..value.end.saturating_sub(1);
    let written = body.get(value.clone())?;
    let inside = written.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let name = text::decode(inside).filter(|name| names_a_model(inside.len(), name))?;
    Some(ModelField { name, span })
}

/// Whether this can be a model's name, which takes so many bytes in a body.
pub(super) fn names_a_model(written: usize, name: &str) -> bool {
    // In a path the dots are not names, however they are encoded.
    (1..=MAX_MODEL_BYTES).contains(&written) && name != "." && name != ".."
}

const MODEL: &str = "model";
const STREAM: &str = "stream";

/// Fields of the top level that name what one provider has stored.
const TIES: [&str; 3] = ["previous_response_id", "conversation", "container"];

/// Such fields further down.
const INNER_TIES: [&str; 3] = ["file_id", "file_ids", "vector_store_ids"];

/// The one of these names that a key is, if it is one.
fn one_of<'n>(names: &[&'n str], key: &[u8]) -> Option<&'n str> {
    names.iter().copied().find(|name| name.as_bytes() == key)
}

/// Whether a key means a field in the eyes of a reader that folds case as Go's `encoding/json` does (it takes `ſ`
/// for `s`), and whether it is the very name.
fn compare_key(key: &[u8], name: &str) -> Option<bool> {
    // Escaped, a letter takes six bytes.
    if key.len() < name.len() || key.len() > name.len().saturating_mul(6) {
        return None;
    }
    let key = text::decode(key)?;
    let folded = key.chars().map(|char| {
        if char == 'ſ' {
            's'
        } else {
            char.to_ascii_lowercase()
        }
    });
    folded.eq(name.chars()).then(|| key == name)
}

/// The containers that are open, one bit each: set for an object.
struct Containers {
    bits: [u64; MAX_DEPTH / 64],
    depth: usize,
}

impl Containers {
    /// `false` if it would be one too many.
    fn open(&mut self, is_object: bool) -> bool {
        let bit = 1_u64 << (self.depth % 64);
        let Some(word) = self.bits.get_mut(self.depth / 64) else {
            return false;
        };
        *word = if is_object { *word | bit } else { *word & !bit };
        self.depth = self.depth.saturating_add(1);
        true
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Whether the innermost is an object; `None` if none is open.
    fn innermost(&self) -> Option<bool> {
        let depth = self.depth.checked_sub(1)?;
        let word = self.bits.get(depth / 64)?;
        Some(word >> (depth % 64) & 1 == 1)
    }
}

struct Scanner<'a> {
    body: &'a [u8],
    at: usize,
    tie: Option<&'static str>,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn rest(&self) -> &[u8] {
        self.body.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    fn invalid(&self) -> ScanError {
        ScanError::InvalidJson(self.at.min(self.body.len()))
    }

    fn white_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.skip(1);
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), ScanError> {
        if self.peek() == Some(byte) {
            self.skip(1);
            Ok(())
        } else {
            Err(self.invalid())
        }
    }

    /// `true` if the byte is next, which is then skipped.
    fn eat(&mut self, byte: u8) -> bool {
        self.expect(byte).is_ok()
    }

    fn top_level_object(&mut self) -> Result<TopLevel, ScanError> {
        self.expect(b'{')?;
        let mut fields = TopLevel {
            model: Seen::default(),
            stream: Seen::default(),
            insertion: Insertion {
                at: self.at,
                comma: false,
            },
        };
        self.white_space();
        if self.eat(b'}') {
            return Ok(fields);
        }
        fields.insertion.comma = true;
        loop {
            self.white_space();
            let key_start = self.at;
            let key = self.string()?;
            self.white_space();
            self.expect(b':')?;
            self.white_space();
            let value_start = self.at;
            self.value()?;
            let key = self.body.get(key).unwrap_or_default();
            let is_null = self.body.get(value_start..self.at) == Some(b"null");
            if !is_null && let Some(name) = one_of(&TIES, key) {
                self.tie = Some(name);
            }
            for (name, seen) in [(MODEL, &mut fields.model), (STREAM, &mut fields.stream)] {
                if let Some(is_exact) = compare_key(key, name) {
                    seen.times = seen.times.saturating_add(1);
                    seen.last = key_start;
                    if is_exact {
                        seen.value = Some(value_start..self.at);
                    }
                }
            }
            self.white_space();
            if self.eat(b'}') {
                return Ok(fields);
            }
            self.expect(b',')?;
        }
    }

    /// Skips one value, which must begin here, inside of the top-level object.
    fn value(&mut self) -> Result<(), ScanError> {
        let mut open = Containers {
            bits: [0; MAX_DEPTH / 64],
            depth: 0,
        };
        loop {
            // A value begins here.
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    let is_object = bracket == b'{';
                    // The top-level object is a level too.
                    if open.depth >= MAX_DEPTH.saturating_sub(1) || !open.open(is_object) {
                        return Err(ScanError::TooDeep(self.at));
                    }
                    self.skip(1);
                    self.white_space();
                    if self.eat(if is_object { b'}' } else { b']' }) {
                        open.close();
                    } else {
                        if is_object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Some(b'"') => {
                    self.string()?;
                }
                Some(b't') => self.literal(b"true")?,
                Some(b'f') => self.literal(b"false")?,
                Some(b'n') => self.literal(b"null")?,
                _ => self.number()?,
            }
            // A value has ended: so may the containers around it.
            loop {
                let Some(is_object) = open.innermost() else {
                    return Ok(());
                };
                self.white_space();
                if self.eat(b',') {
                    self.white_space();
                    if is_object {
                        self.key()?;
                    }
                    break;
                }
                self.expect(if is_object { b'}' } else { b']' })?;
                open.close();
            }
        }
    }

    /// A key, the colon and the white space before the value.
    fn key(&mut self) -> Result<(), ScanError> {
        let key = self.string()?;
        self.white_space();
        self.expect(b':')?;
        self.white_space();
        // By length first: keys are many.
        if matches!(key.len(), 7 | 8 | 16) && self.tie.is_none() {
            let key = self.body.get(key).unwrap_or_default();
            self.tie = one_of(&INNER_TIES, key).filter(|_| !self.rest().starts_with(b"null"));
        }
        Ok(())
    }

    /// Skips a string; returns where its inside stands.
    fn string(&mut self) -> Result<Range<usize>, ScanError> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            self.skip(plain_prefix(self.rest()));
            match self.peek() {
                Some(b'"') => {
                    let inside = start..self.at;
                    self.skip(1);
                    return Ok(inside);
                }
                Some(b'\\') => self.escape()?,
                // A control character, or the end of the body.
                _ => return Err(self.invalid()),
            }
        }
    }

    fn escape(&mut self) -> Result<(), ScanError> {
        self.skip(1);
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.skip(1);
                Ok(())
            }
            Some(b'u') => {
                self.skip(1);
                let digits = self.rest().iter().take(4);
                let valid = digits.take_while(|byte| byte.is_ascii_hexdigit()).count();
                self.skip(valid);
                if valid == 4 {
                    Ok(())
                } else {
                    Err(self.invalid())
                }
            }
            _ => Err(self.invalid()),
        }
    }

    fn literal(&mut self, text: &[u8]) -> Result<(), ScanError> {
        if !self.rest().starts_with(text) {
            return Err(self.invalid());
        }
        self.skip(text.len());
        Ok(())
    }

    fn number(&mut self) -> Result<(), ScanError> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.skip(1);
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            self.digits()?;
        }
        Ok(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), ScanError> {
        let digits = self
            .rest()
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits == 0 {
            return Err(self.invalid());
        }
        self.skip(digits);
        Ok(())
    }
}

/// How many bytes at the beginning are neither `"` nor `\` nor a control character.
///
/// Eight at a time: a byte of `x` is zero exactly where the lowest set bit of
/// `(x - 0x01…) & !x & 0x80…` says so first (Mycroft's test; a borrow can only disturb the bytes above the first hit).
fn plain_prefix(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    const fn zero_bytes(x: u64) -> u64 {
        x.wrapping_sub(ONES) & !x & TOPS
    }
    let (words, _) = bytes.as_chunks::<8>();
    let mut plain = 0_usize;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let quote = zero_bytes(word ^ u64::from_ne_bytes([b'"'; 8]));
        let backslash = zero_bytes(word ^ u64::from_ne_bytes([b'\\'; 8]));
        let control = zero_bytes(word & u64::from_ne_bytes([0xe0; 8]));
        let special = quote | backslash | control;
        if special != 0 {
            let bytes = special.trailing_zeros() >> 3;
            return plain.saturating_add(usize::try_from(bytes).unwrap_or(0));
        }
        plain = plain.saturating_add(8);
    }
    let tail = bytes.get(plain..).unwrap_or_default().iter();
    plain.saturating_add(
        tail.take_while(|byte| **byte >= 0x20 && !matches!(byte, b'"' | b'\\'))
            .count(),
    )
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]
#[path = "scan_tests.rs"]
mod tests;
