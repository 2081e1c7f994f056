//! A walk over JSON text: what is of interest is read where it stands, the rest is validated and skipped.
//!
//! Grammar: RFC 8259, but for two things. That text is UTF-8 is not checked: where it is not, readers of answers put
//! U+FFFD in its place and go on. And keys are compared as they are written: no provider escapes letters.
//!
//! Nothing is built. [`Json::skip`] costs one bit a level, up to [`MAX_DEPTH`]; the levels that are entered by
//! [`Json::fields`] and [`Json::items`] are as many as the caller's code has.

/// How many objects and arrays inside each other are looked through.
const MAX_DEPTH: usize = 512;

/// Why a walk ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No JSON, or cut off.
    Malformed,
    /// It may be JSON, but nests too deeply to tell.
    TooDeep,
}

pub(super) type Step<T = ()> = Result<T, Fault>;

/// What is left of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Json<'a> {
    rest: &'a [u8],
}

impl<'a> Json<'a> {
    /// Walks over a text that must be one value and nothing else.
    pub(super) fn whole(text: &'a [u8], walk: impl FnOnce(&mut Self) -> Step) -> Step {
        let mut json = Json { rest: text };
        json.white_space();
        walk(&mut json)?;
        json.white_space();
        if json.rest.is_empty() {
            Ok(())
        } else {
            Err(Fault::Malformed)
        }
    }

    /// Calls `each` at the value of every field, if an object begins here; it has to take the value. Skips any other
    /// value.
    pub(super) fn fields(&mut self, mut each: impl FnMut(&mut Self, &'a [u8]) -> Step) -> Step {
        if !self.eat(b'{') {
            return self.skip().map(drop);
        }
        let mut is_first = true;
        while self.next(b'}', &mut is_first)? {
            let key = self.key()?;
            each(self, key)?;
        }
        Ok(())
    }

    /// Calls `each` at every item, if an array begins here; it has to take the item. Skips any other value.
    pub(super) fn items(&mut self, mut each: impl FnMut(&mut Self) -> Step) -> Step {
        if !self.eat(b'[') {
            return self.skip().map(drop);
        }
        let mut is_first = true;
        while self.next(b']', &mut is_first)? {
            each(self)?;
        }
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
    pub(super) fn skip(&mut self) -> Step<&'a [u8]> {
        let start = self.rest;
        match start.first() {
            Some(b'"') => {
                self.string()?;
            }
            Some(b'{' | b'[') => self.container()?,
            _ => self.scalar()?,
        }
        let taken = start.len().saturating_sub(self.rest.len());
        Ok(start.get(..taken).unwrap_or_default())
    }

    /// Takes one value and says whether it [is something](is_something).
    pub(super) fn is_something(&mut self) -> Step<bool> {
        self.skip().map(is_something)
    }

    /// Takes one value: the inside of its string, if it is one.
    pub(super) fn text(&mut self) -> Step<Option<&'a [u8]>> {
        if self.peek() == Some(b'"') {
            self.string().map(Some)
        } else {
            self.skip().map(|_| None)
        }
    }

    /// What is left, beginning with the value that is next.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn peek(&self) -> Option<u8> {
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
        loop {
            self.advance(plain_prefix(self.rest));
            match self.peek() {
                Some(b'"') => {
                    let length = start.len().saturating_sub(self.rest.len());
                    self.advance(1);
                    return Ok(start.get(..length).unwrap_or_default());
                }
                Some(b'\\') => self.escape()?,
                // A control character, or the end.
                _ => return Err(Fault::Malformed),
            }
        }
    }

    fn escape(&mut self) -> Step {
        let length = match self.rest {
            [
                _,
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                ..,
            ] => 2,
            [_, b'u', a, b, c, d, ..]
                if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) =>
            {
                6
            }
            _ => return Err(Fault::Malformed),
        };
        self.advance(length);
        Ok(())
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
    fn container(&mut self) -> Step {
        let mut open = Containers::default();
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
                            self.key()?;
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
                        self.key()?;
                    }
                    break;
                }
                self.expect(closing(is_object))?;
                open.close();
            }
        }
    }
}

fn closing(is_object: bool) -> u8 {
    if is_object { b'}' } else { b']' }
}

/// Whether a value, as it is written, is more than `null`, `false`, `""`, `[]` or `{}`.
pub(super) fn is_something(value: &[u8]) -> bool {
    match value {
        b"null" | b"false" | b"\"\"" => false,
        [b'{', inside @ .., b'}'] | [b'[', inside @ .., b']'] => !inside.trim_ascii().is_empty(),
        _ => true,
    }
}

/// The containers that are open, one bit each: set for an object.
#[derive(Default)]
struct Containers {
    bits: [u64; MAX_DEPTH / 64],
    depth: usize,
}

impl Containers {
    fn open(&mut self, is_object: bool) -> Step {
        let bit = 1_u64 << (self.depth % 64);
        let word = self.bits.get_mut(self.depth / 64).ok_or(Fault::TooDeep)?;
        *word = if is_object { *word | bit } else { *word & !bit };
        self.depth = self.depth.saturating_add(1);
        Ok(())
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

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The top bit of the first byte that is zero is set, and no bit below it.
const fn zero_bytes(word: u64) -> u64 {
    // Mycroft's test; a borrow can only disturb the bytes above the first hit.
    word.wrapping_sub(ONES) & !word & TOPS
}

/// How many bytes there are before the first that ends a run: `in_word` has set the top bit of the first such byte in
/// eight (little end first), `is_end` tells it of one.
#[inline]
fn run_length(bytes: &[u8], in_word: impl Fn(u64) -> u64, is_end: impl Fn(u8) -> bool) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut length = 0_usize;
    for word in words {
        let hits = in_word(u64::from_le_bytes(*word));
        if hits != 0 {
            let before = usize::try_from(hits.trailing_zeros() >> 3).unwrap_or(0);
            return length.saturating_add(before);
        }
        length = length.saturating_add(8);
    }
    length.saturating_add(tail.iter().take_while(|byte| !is_end(**byte)).count())
}

/// How many bytes at the beginning are neither `"` nor `\` nor a control character.
fn plain_prefix(bytes: &[u8]) -> usize {
    run_length(
        bytes,
        |word| {
            zero_bytes(word ^ u64::from_ne_bytes([b'"'; 8]))
                | zero_bytes(word ^ u64::from_ne_bytes([b'\\'; 8]))
                | zero_bytes(word & u64::from_ne_bytes([0xe0; 8]))
        },
        |byte| byte < 0x20 || matches!(byte, b'"' | b'\\'),
    )
}

/// How many bytes there are before the end of the line, or of the text.
pub(super) fn line_length(bytes: &[u8]) -> usize {
    run_length(
        bytes,
        |word| {
            zero_bytes(word ^ u64::from_ne_bytes([b'\n'; 8]))
                | zero_bytes(word ^ u64::from_ne_bytes([b'\r'; 8]))
        },
        |byte| matches!(byte, b'\n' | b'\r'),
    )
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
