//! A walk over JSON text: what is of interest is read where it stands, the rest is validated and skipped. Requests and
//! answers are read by it.
//!
//! Grammar: RFC 8259, but for one thing. That text is UTF-8 is not checked: where it is not, readers of answers put
//! U+FFFD in its place and go on. Keys are given as they are written.
//!
//! Nothing is built. [`Json::skip`] costs one bit a level, up to [`MAX_DEPTH`]; the levels that are entered by
//! [`Json::fields`] and [`Json::items`] are as many as the caller's code has.

mod run;

pub(crate) use run::{line_length, plain_prefix};

/// How many objects and arrays may stand inside each other.
pub(crate) const MAX_DEPTH: usize = 512;

/// Why a walk ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No JSON, or cut off.
    Malformed,
    /// It may be JSON, but nests too deeply to tell.
    TooDeep,
}

pub(crate) type Step<T = ()> = Result<T, Fault>;

/// What is left of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<'a> {
    rest: &'a [u8],
    /// How many levels have been entered.
    entered: usize,
}

impl<'a> Json<'a> {
    /// Walks over a text that must be one value and nothing else.
    pub(crate) fn whole(text: &'a [u8], walk: impl FnOnce(&mut Self) -> Step) -> Step {
        let mut json = Json::new(text);
        walk(&mut json)?;
        json.end()
    }

    /// At the first value of a text.
    pub(crate) fn new(text: &'a [u8]) -> Self {
        let mut json = Json {
            rest: text,
            entered: 0,
        };
        json.white_space();
        json
    }

    /// There is to be nothing more.
    pub(crate) fn end(&mut self) -> Step {
        self.white_space();
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Fault::Malformed)
        }
    }

    /// Calls `each` at the value of every field, if an object begins here; it has to take the value. Skips any other
    /// value.
    pub(crate) fn fields(&mut self, mut each: impl FnMut(&mut Self, &'a [u8]) -> Step) -> Step {
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

    /// Calls `each` at every item, if an array begins here; it has to take the item. Skips any other value.
    pub(crate) fn items(&mut self, mut each: impl FnMut(&mut Self) -> Step) -> Step {
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

    /// Whether there is one more in the container that ends so; at the beginning of it then.
    #[inline(never)]
    fn next(&mut self, closing: u8, is_first: &mut bool) -> Step<bool> {
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
    pub(crate) fn skip(&mut self) -> Step<&'a [u8]> {
        self.skip_noting(&mut |_, _| false)
    }

    /// The same, with a look at the keys of all objects inside: `note` gets each as it is written, and the text from its
    /// value on. `true`: that value is an object whose own keys are not to be noted.
    pub(crate) fn skip_noting(
        &mut self,
        note: &mut dyn FnMut(&'a [u8], &'a [u8]) -> bool,
    ) -> Step<&'a [u8]> {
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

    /// Takes one value and says whether it [is something](is_something).
    pub(crate) fn is_something(&mut self) -> Step<bool> {
        self.skip().map(is_something)
    }

    /// Takes one value: the inside of its string, if it is one.
    pub(crate) fn text(&mut self) -> Step<Option<&'a [u8]>> {
        if self.peek() == Some(b'"') {
            self.string().map(Some)
        } else {
            self.skip().map(|_| None)
        }
    }

    /// What is left, beginning with the value that is next.
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

    /// `true` if the byte is next, which is then taken.
    fn eat(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, byte: u8) -> Step {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(Fault::Malformed)
        }
    }

    /// A key, the colon and the white space before the value.
    #[inline(never)]
    fn key(&mut self) -> Step<&'a [u8]> {
        let key = self.string()?;
        self.white_space();
        self.expect(b':')?;
        self.white_space();
        Ok(key)
    }

    /// Takes a string: its inside as it is written.
    #[inline(never)]
    fn string(&mut self) -> Step<&'a [u8]> {
        self.expect(b'"')?;
        let start = self.rest;
        match string_length(start) {
            Ok(length) => {
                self.advance(length.saturating_add(1));
                Ok(start.get(..length).unwrap_or_default())
            }
            Err(at) => {
                self.advance(at);
                Err(Fault::Malformed)
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    fn scalar(&mut self) -> Step {
        let literal: &[u8] = match self.peek() {
            Some(b't') => b"true",
            Some(b'f') => b"false",
            Some(b'n') => b"null",
            _ => return self.number(),
        };
        self.rest = self.rest.strip_prefix(literal).ok_or(Fault::Malformed)?;
        Ok(())
    }

    fn number(&mut self) -> Step {
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

    /// One digit or more.
    fn digits(&mut self) -> Step {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit());
        match digits.count() {
            0 => Err(Fault::Malformed),
            count => {
                self.advance(count);
                Ok(())
            }
        }
    }

    /// Takes an object or an array, which must begin here.
    fn container(&mut self, note: &mut dyn FnMut(&'a [u8], &'a [u8]) -> bool) -> Step {
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
            // A value has ended: so may the containers around it.
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

/// How many bytes there are before the quote that ends a string, or before the byte that may not be in one.
fn string_length(bytes: &[u8]) -> Result<usize, usize> {
    let mut rest = bytes;
    loop {
        rest = rest.get(plain_prefix(rest)..).unwrap_or_default();
        // Escapes often follow each other: JSON in a string has them in rows.
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

/// How many of the first four bytes, from the first one on, are hexadecimal digits.
fn hex_digits(bytes: &[u8]) -> usize {
    let digits = bytes.iter().take(4);
    digits.take_while(|byte| byte.is_ascii_hexdigit()).count()
}

pub(crate) fn closing(is_object: bool) -> u8 {
    if is_object { b'}' } else { b']' }
}

/// Whether a value, as it is written, is more than `null`, `false`, `""`, `[]` or `{}`.
pub(crate) fn is_something(value: &[u8]) -> bool {
    match value {
        b"null" | b"false" | b"\"\"" => false,
        [b'{', inside @ .., b'}'] | [b'[', inside @ .., b']'] => !inside.trim_ascii().is_empty(),
        _ => true,
    }
}

/// The containers that are open, one bit each: set for an object.
#[derive(Debug)]
pub(crate) struct Containers {
    bits: [u64; MAX_DEPTH / 64],
    depth: usize,
    /// How many there may be.
    limit: usize,
    /// The depth of the object in which no key is noted; 0: there is none.
    quiet: usize,
}

impl Containers {
    /// Inside of so many others.
    pub(crate) fn new(entered: usize) -> Self {
        Containers {
            bits: [0; MAX_DEPTH / 64],
            depth: 0,
            limit: MAX_DEPTH.saturating_sub(entered),
            quiet: 0,
        }
    }

    pub(crate) fn open(&mut self, is_object: bool) -> Step {
        let bit = 1_u64 << (self.depth % 64);
        let word = self.bits.get_mut(self.depth / 64);
        let word = word
            .filter(|_| self.depth < self.limit)
            .ok_or(Fault::TooDeep)?;
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

    /// How many are open.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Whether the innermost is an object; `None` if none is open.
    pub(crate) fn innermost(&self) -> Option<bool> {
        let depth = self.depth.checked_sub(1)?;
        let word = self.bits.get(depth / 64)?;
        Some(word >> (depth % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests;
