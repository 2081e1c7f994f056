//! Choices out of bytes. Where these end every choice is the first one.

/// Bytes of which each decides something.
#[derive(Clone)]
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    /// An input's first line decides, the rest is what it is about. Without a line feed all is the latter.
    pub fn before_line_feed(input: &'a [u8]) -> (Self, &'a [u8]) {
        match input.iter().position(|byte| *byte == b'\n') {
            Some(at) => (Bytes(&input[..at]), &input[at + 1..]),
            None => (Bytes(&[]), input),
        }
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// One in so many: digits count from 0, so that inputs can be read.
    pub fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte().wrapping_sub(b'0')) % count
    }

    /// The first, where nothing is left to decide by.
    pub fn pick<'b, T>(&mut self, all: &'b [T]) -> &'b T {
        if self.0.is_empty() {
            return &all[0];
        }
        let at = self.below(all.len());
        &all[at]
    }

    pub fn is_set(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Cuts something into pieces as long as the bytes say; some are empty.
    pub fn cut<'b>(&mut self, whole: &'b [u8]) -> Vec<&'b [u8]> {
        let mut rest = whole;
        let mut pieces = Vec::new();
        while !self.0.is_empty() && !rest.is_empty() {
            let (piece, after) = rest.split_at(usize::from(self.byte()).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        pieces
    }
}
