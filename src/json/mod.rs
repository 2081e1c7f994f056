//! A walk over JSON text: values of interest are read in place, and the rest is validated and skipped. Both requests
//! and answers are read with it.
//!
//! Grammar: RFC 8259, with one exception: the walk does not check that the text is UTF-8. Readers of answers replace
//! invalid bytes with U+FFFD and continue. Keys are returned as they are written.
//!
//! The walk allocates nothing. [`JsonCursor::skip`] needs one bit per level, up to [`MAX_DEPTH`];
//! [`JsonCursor::fields`] and [`JsonCursor::items`] enter only as many levels as the caller's code has.

mod run;

pub(crate) use run::{line_length, plain_prefix};

/// The maximum nesting depth of objects and arrays.
pub(crate) const MAX_DEPTH: usize = 512;

/// Why a walk ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonError {
    /// The text is not JSON, or is cut off.
    Malformed,
    /// The text may be JSON, but nests too deeply to be read.
    TooDeep,
}

pub(crate) type JsonResult<T = ()> = Result<T, JsonError>;

/// The rest of a text, from the current position on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonCursor<'a> {
    rest: &'a [u8],
    /// How many levels have been entered.
    entered: usize,
}

impl<'a> JsonCursor<'a> {
    /// Walks over a text that must be one value and nothing else.
    pub(crate) fn whole(text: &'a [u8], walk: impl FnOnce(&mut Self) -> JsonResult) -> JsonResult {
        let mut json = JsonCursor::new(text);
        walk(&mut json)?;
        json.end()
    }

    /// Starts at the first value of a text.
    pub(crate) fn new(text: &'a [u8]) -> Self {
        let mut json = JsonCursor {
            rest: text,
            entered: 0,
        };
        json.white_space();
        json
    }

    /// Checks that nothing follows.
    pub(crate) fn end(&mut self) -> JsonResult {
        self.white_space();
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(JsonError::Malformed)
        }
    }

    /// If an object begins here, calls `each` at the value of every field; `each` must take the value. Skips any
    /// other value.
    pub(crate) fn fields(
        &mut self,
        mut each: impl FnMut(&mut Self, &'a [u8]) -> JsonResult,
    ) -> JsonResult {
        if !self.eat(b'{') {
            return self.skip().map(drop);
        }
        self.entered = self.entered.saturating_add(1);
        let mut is_first = true;
        while self.next(b'}', &mut is_first)? {
            let key = self.key()?;
            each(self, key)?;
        }
        self.entered = self.entered.saturating_sub(1);
        Ok(())
    }

    /// If an array begins here, calls `each` at every item; `each` must take the item. Skips any other value.
    pub(crate) fn items(&mut self, mut each: impl FnMut(&mut Self) -> JsonResult) -> JsonResult {
        if !self.eat(b'[') {
            return self.skip().map(drop);
        }
        self.entered = self.entered.saturating_add(1);
        let mut is_first = true;
        while self.next(b']', &mut is_first)? {
            each(self)?;
        }
        self.entered = self.entered.saturating_sub(1);
        Ok(())
    }

    /// Moves to the next entry of the container that ends with `closing`. Returns whether there is one.
    #[inline(never)]
    fn next(&mut self, closing: u8, is_first: &mut bool) -> JsonResult<bool> {
        self.white_space();
        if self.eat(closing) {
            return Ok(false);
        }
        if !std::mem::take(is_first) {
            self.expect(b',')?;
            self.white_space();
        }
        Ok(true)
    }

    /// Takes one value of any kind, as it is written.
    #[inline(never)]
    pub(crate) fn skip(&mut self) -> JsonResult<&'a [u8]> {
        self.skip_noting(&mut |_, _| false)
    }

    /// Takes one value of any kind, and calls `note` for each key of all objects inside: with the key as it is
    /// written, and the text from its value on. `note` returns `true` if that value is an object whose own keys must
    /// not be noted.
    pub(crate) fn skip_noting(
        &mut self,
        note: &mut dyn FnMut(&'a [u8], &'a [u8]) -> bool,
    ) -> JsonResult<&'a [u8]> {
        let start = self.rest;
        match start.first() {
            Some(b'"') => {
                self.string()?;
            }
            Some(b'{' | b'[') => self.container(note)?,
            _ => self.scalar()?,
        }
        let taken = start.len().saturating_sub(self.rest.len());
        Ok(start.get(..taken).unwrap_or_default())
    }

    /// Takes one value and returns whether it [is non-empty](is_non_empty).
    pub(crate) fn is_non_empty(&mut self) -> JsonResult<bool> {
        self.skip().map(is_non_empty)
    }

    /// Takes one value. Returns the inside of its string, if it is one.
    pub(crate) fn text(&mut self) -> JsonResult<Option<&'a [u8]>> {
        if self.peek() == Some(b'"') {
            self.string().map(Some)
        } else {
            self.skip().map(|_| None)
        }
    }

    /// The rest of the text, beginning with the next value.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn advance(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn white_space(&mut self) {
        while let Some((b' ' | b'\n' | b'\r' | b'\t', rest)) = self.rest.split_first() {
            self.rest = rest;
        }
    }

    /// Takes the byte if it is next, and returns whether it was.
    fn eat(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, byte: u8) -> JsonResult {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(JsonError::Malformed)
        }
    }

    /// Takes a key, the colon and the white space before the value.
    #[inline(never)]
    fn key(&mut self) -> JsonResult<&'a [u8]> {
        let key = self.string()?;
        self.white_space();
        self.expect(b':')?;
        self.white_space();
        Ok(key)
    }

    /// Takes a string and returns its inside as it is written.
    #[inline(never)]
    fn string(&mut self) -> JsonResult<&'a [u8]> {
        self.expect(b'"')?;
        let start = self.rest;
        match string_length(start) {
            Ok(length) => {
                self.advance(length.saturating_add(1));
                Ok(start.get(..length).unwrap_or_default())
            }
            Err(at) => {
                self.advance(at);
                Err(JsonError::Malformed)
            }
        }
    }

    /// Takes a number, `true`, `false` or `null`.
    fn scalar(&mut self) -> JsonResult {
        let literal: &[u8] = match self.peek() {
            Some(b't') => b"true",
            Some(b'f') => b"false",
            Some(b'n') => b"null",
            _ => return self.number(),
        };
        self.rest = self
            .rest
            .strip_prefix(literal)
            .ok_or(JsonError::Malformed)?;
        Ok(())
    }

    fn number(&mut self) -> JsonResult {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Takes one digit or more.
    fn digits(&mut self) -> JsonResult {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit());
        match digits.count() {
            0 => Err(JsonError::Malformed),
            count => {
                self.advance(count);
                Ok(())
            }
        }
    }

    /// Takes an object or an array, which must begin here.
    fn container(&mut self, note: &mut dyn FnMut(&'a [u8], &'a [u8]) -> bool) -> JsonResult {
        let mut open = Containers::new(self.entered);
        loop {
            // A value begins here.
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    let is_object = bracket == b'{';
                    open.open(is_object)?;
                    self.advance(1);
                    self.white_space();
                    if self.eat(closing(is_object)) {
                        open.close();
                    } else {
                        if is_object {
                            let key = self.key()?;
                            open.note(key, self.rest, note);
                        }
                        continue;
                    }
                }
                Some(b'"') => {
                    self.string()?;
                }
                _ => self.scalar()?,
            }
            // A value has ended, and the containers around it may end too.
            loop {
                let Some(is_object) = open.innermost() else {
                    return Ok(());
                };
                self.white_space();
                if self.eat(b',') {
                    self.white_space();
                    if is_object {
                        let key = self.key()?;
                        open.note(key, self.rest, note);
                    }
                    break;
                }
                self.expect(closing(is_object))?;
                open.close();
            }
        }
    }
}

/// Returns the number of bytes before the quote that ends a string; the error is the number before the byte that is
/// not allowed in one.
fn string_length(bytes: &[u8]) -> Result<usize, usize> {
    let mut rest = bytes;
    loop {
        rest = rest.get(plain_prefix(rest)..).unwrap_or_default();
        // Escapes often follow each other, for example in JSON within a string.
        loop {
            match rest {
                [b'"', ..] => return Ok(bytes.len().saturating_sub(rest.len())),
                [
                    b'\\',
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                    after @ ..,
                ] => {
                    rest = after;
                }
                [b'\\', b'u', after @ ..] => {
                    let valid = hex_digits(after);
                    rest = after.get(valid..).unwrap_or_default();
                    if valid != 4 {
                        return Err(bytes.len().saturating_sub(rest.len()));
                    }
                }
                [b'\\', after @ ..] => return Err(bytes.len().saturating_sub(after.len())),
                // A control character, or the end.
                [..0x20, ..] | [] => return Err(bytes.len().saturating_sub(rest.len())),
                _ => break,
            }
        }
    }
}

/// Returns how many of the first four bytes are hexadecimal digits, counted up to the first that is not.
fn hex_digits(bytes: &[u8]) -> usize {
    let digits = bytes.iter().take(4);
    digits.take_while(|byte| byte.is_ascii_hexdigit()).count()
}

pub(crate) fn closing(is_object: bool) -> u8 {
    if is_object { b'}' } else { b']' }
}

/// Whether a value, as it is written, is more than `null`, `false`, `""`, `[]` or `{}`.
pub(crate) fn is_non_empty(value: &[u8]) -> bool {
    match value {
        b"null" | b"false" | b"\"\"" => false,
        [b'{', inside @ .., b'}'] | [b'[', inside @ .., b']'] => !inside.trim_ascii().is_empty(),
        _ => true,
    }
}

/// The open containers, one bit for each, which is set for an object.
#[derive(Debug)]
pub(crate) struct Containers {
    bits: [u64; MAX_DEPTH / 64],
    depth: usize,
    /// The maximum number of open containers.
    limit: usize,
    /// The depth of the object whose keys are not noted; 0 if there is none.
    quiet: usize,
}

impl Containers {
    /// Creates an empty stack inside of `entered` other containers.
    pub(crate) fn new(entered: usize) -> Self {
        Containers {
            bits: [0; MAX_DEPTH / 64],
            depth: 0,
            limit: MAX_DEPTH.saturating_sub(entered),
            quiet: 0,
        }
    }

    pub(crate) fn open(&mut self, is_object: bool) -> JsonResult {
        let bit = 1_u64 << (self.depth % 64);
        let word = self.bits.get_mut(self.depth / 64);
        let word = word
            .filter(|_| self.depth < self.limit)
            .ok_or(JsonError::TooDeep)?;
        *word = if is_object { *word | bit } else { *word & !bit };
        self.depth = self.depth.saturating_add(1);
        Ok(())
    }

    pub(crate) fn close(&mut self) {
        if self.quiet == self.depth {
            self.quiet = 0;
        }
        self.depth = self.depth.saturating_sub(1);
    }

    fn note<'a>(
        &mut self,
        key: &'a [u8],
        value: &'a [u8],
        note: &mut dyn FnMut(&'a [u8], &'a [u8]) -> bool,
    ) {
        if self.quiet == 0 && note(key, value) {
            self.quiet = self.depth.saturating_add(1);
        }
    }

    /// How many containers are open.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Whether the innermost container is an object; `None` if none is open.
    pub(crate) fn innermost(&self) -> Option<bool> {
        let depth = self.depth.checked_sub(1)?;
        let word = self.bits.get(depth / 64)?;
        Some(word >> (depth % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests;
