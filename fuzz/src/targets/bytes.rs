//! Makes choices from the bytes of an input. When the bytes run out, every choice is the first one.

/// Bytes, each of which makes a choice.
#[derive(Clone)]
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    /// Splits an input into its first line, for the choices, and the rest. Without a line feed, all of it is the rest.
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

    /// Chooses a number below `count`. Digits count from 0, so that inputs are readable.
    pub fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte().wrapping_sub(b'0')) % count
    }

    /// Chooses an item; the first, when no bytes are left.
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

    /// Cuts a slice into pieces whose lengths the bytes choose; some are empty.
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
