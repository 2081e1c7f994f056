//! How a conversation begins, as a number: FNV-1a, 64 bits.
//!
//! It is made of the text of the system prompt and of the user's first message as the model reads it, whether it is
//! written as one string or in blocks; of the tools as they are written, white space between their tokens aside; and of
//! the beginning of what is not text in that message. What clients change from one request to the next without the
//! conversation being another one (escapes, marks of what is to be cached) does not count.

use super::Content;
use super::conversation::{Author, Conversation};

/// How much of an image, or of anything else that is not text, counts beside its length.
const MAX_MEDIUM_BYTES: usize = 4096;

/// Stands in no UTF-8.
const SEPARATOR: u8 = 0xff;

pub(super) fn hash(content: &Content<'_>, conversation: &Conversation) -> u64 {
    let mut hash = Hash(0xcbf2_9ce4_8422_2325);
    let system = |author| author == Author::System;
    let user = |author| author == Author::User;
    // Later instructions are not of the beginning.
    let end = if conversation.turns == 0 {
        conversation.pieces.len()
    } else {
        conversation.first.end
    };
    hash.pieces(content, conversation, 0..end, system);
    hash.add(&[SEPARATOR]);
    for tools in content.tools() {
        hash.json(tools);
    }
    hash.add(&[SEPARATOR]);
    hash.pieces(content, conversation, conversation.first.clone(), user);
    hash.0
}

struct Hash(u64);

impl Hash {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn pieces(
        &mut self,
        content: &Content<'_>,
        conversation: &Conversation,
        range: std::ops::Range<usize>,
        is_of: impl Fn(Author) -> bool,
    ) {
        let pieces = conversation.pieces.get(range).unwrap_or_default();
        for piece in pieces.iter().filter(|piece| is_of(piece.author)) {
            if piece.is_text {
                content.read(piece, &mut |text| self.add(text.as_bytes()));
            } else {
                let written = content.body.get(piece.span.clone()).unwrap_or_default();
                let length = u64::try_from(written.len()).unwrap_or(u64::MAX);
                self.add(&length.to_le_bytes());
                self.add(written.get(..MAX_MEDIUM_BYTES).unwrap_or(written));
            }
            self.add(&[SEPARATOR]);
        }
    }

    /// JSON without the white space between its tokens.
    fn json(&mut self, written: &[u8]) {
        let mut is_inside = false;
        let mut is_escaped = false;
        for byte in written {
            if is_inside || !byte.is_ascii_whitespace() {
                self.add(&[*byte]);
            }
            if *byte == b'"' && !is_escaped {
                is_inside = !is_inside;
            }
            is_escaped = is_inside && *byte == b'\\' && !is_escaped;
        }
    }
}
