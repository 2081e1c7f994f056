//! Hashes the beginning of a conversation, as the key of sticky choices: FNV-1a, 64 bits.
//!
//! The hash covers the text of the system prompt and of the user's first message as the model reads it, whether written
//! as one string or in blocks; the tools as written, without the white space between their tokens; and the beginning of
//! any media in that message. What clients change between requests of one conversation (escapes, cache markers) makes
//! no difference.

use super::Content;
use super::conversation::{Author, Conversation};
use crate::hash::{Fnv1a, SEPARATOR};

/// How many bytes of an image or another medium are hashed, beside its length.
const MAX_MEDIUM_BYTES: usize = 4096;

pub(super) fn hash(content: &Content<'_>, conversation: &Conversation) -> u64 {
    let mut hash = OpeningHash(Fnv1a::new());
    let system = |author| author == Author::System;
    let user = |author| author == Author::User;
    // Later instructions do not belong to the beginning.
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
    hash.0.finish()
}

struct OpeningHash(Fnv1a);

impl OpeningHash {
    fn add(&mut self, bytes: &[u8]) {
        self.0.add(bytes);
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

    /// Hashes JSON without the white space between its tokens.
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
