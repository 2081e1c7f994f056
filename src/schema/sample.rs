//! Estimates the tokens of a text that an answer brings piece by piece, for the few answers whose estimate is needed.
//!
//! Most answers report their usage, so reading all of their text would nearly always be wasted. So a sample of the
//! text is kept, and read only if the estimate is needed.

use crate::prompt::{TokenEstimator, is_base64};
use crate::request::text;

/// How many bytes are kept.
const KEPT: usize = 2048;

/// How many consecutive bytes are kept. After each such window, as many bytes are skipped as have passed so far.
const WINDOW: usize = 512;

/// The text of an answer: its length, and a sample of it.
#[derive(Clone, Debug)]
pub(super) struct TextSample {
    /// The sample, as JSON writes it.
    kept: Vec<u8>,
    bytes: u64,
    /// The position from which on bytes are kept again.
    from: u64,
}

impl Default for TextSample {
    fn default() -> Self {
        TextSample {
            // Most answers are short, and the first event should not wait for an allocation.
            kept: Vec::with_capacity(WINDOW),
            bytes: 0,
            from: 0,
        }
    }
}

impl TextSample {
    /// Adds the next piece. `inside`: the inside of its longest JSON string; `bytes`: the length of the whole piece.
    /// Images and audio are not text.
    pub(super) fn add(&mut self, inside: &[u8], bytes: usize) {
        if is_base64(inside) {
            return;
        }
        if self.bytes >= self.from && self.kept.len() < KEPT {
            let before = self.kept.len() % WINDOW;
            let room = WINDOW.saturating_sub(before);
            let kept = inside.get(..room).unwrap_or(inside);
            self.kept.extend_from_slice(kept);
            if kept.len() == room {
                self.from = self.bytes.saturating_add(bytes_of(bytes)).saturating_mul(2);
            }
        }
        self.bytes = self.bytes.saturating_add(bytes_of(bytes));
    }

    /// Returns the estimated number of tokens.
    pub(super) fn tokens(&self) -> u64 {
        if self.kept.is_empty() {
            return 0;
        }
        let mut estimate = TokenEstimator::default();
        // A window may end inside a character.
        let kept = String::from_utf8_lossy(&self.kept);
        text::decode_pieces(kept.as_bytes(), &mut |piece| estimate.add(piece));
        let of_kept = u128::from(estimate.tokens()).saturating_mul(self.bytes.into());
        let kept = u128::from(bytes_of(self.kept.len()));
        u64::try_from(of_kept.div_ceil(kept)).unwrap_or(u64::MAX)
    }
}

fn bytes_of(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::estimate;

    /// A text in pieces of `size` characters, as JSON writes it.
    fn sample(text: &str, size: usize, is_ascii: bool) -> TextSample {
        let mut sample = TextSample::default();
        let characters: Vec<char> = text.chars().collect();
        for piece in characters.chunks(size) {
            let piece: String = piece.iter().collect();
            let mut inside = text::encode(&piece);
            if is_ascii {
                let units = String::from_utf8(inside).unwrap();
                let written = units.encode_utf16().map(|unit| match u8::try_from(unit) {
                    Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
                    _ => format!("\\u{unit:04x}"),
                });
                inside = written.collect::<String>().into_bytes();
            }
            sample.add(&inside, inside.len());
        }
        sample
    }

    #[test]
    fn is_close_to_reading_all() {
        for text in [
            include_str!("../../tests/data/tokens/english-essay.txt"),
            include_str!("../../tests/data/tokens/chinese-prose.txt"),
            include_str!("../../tests/data/tokens/russian.txt"),
            include_str!("../../tests/data/tokens/inventory.py"),
            include_str!("../../tests/data/tokens/order.json"),
        ] {
            for (times, is_ascii) in [(1, false), (1, true), (20, false)] {
                let text = text.repeat(times);
                let all = estimate(&text);
                for size in [1, 4, 50, 5000] {
                    let tokens = sample(&text, size, is_ascii).tokens();
                    let off = tokens.abs_diff(all) * 100 / all;
                    assert!(
                        off <= 15,
                        "{tokens}, not {all}: {size} {is_ascii} {text:.20}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut sample = TextSample::default();
        assert_eq!(sample.tokens(), 0);
        for size in [1, 7, 10_000, 100_000] {
            for _ in 0..1000 {
                sample.add(&vec![b'.'; size], size + 1);
                assert!(sample.kept.len() <= KEPT);
            }
        }
        assert_eq!(sample.bytes, 1000 * (2 + 8 + 10_001 + 100_001));
        assert!(sample.tokens() > 0);
        // An image has no tokens.
        let mut picture = TextSample::default();
        picture.add(&[b'A'; 5000], 5000);
        assert_eq!(picture.tokens(), 0);
        // Text that was not read at all has none.
        let mut unread = TextSample::default();
        unread.add(b"", 100);
        assert_eq!(unread.tokens(), 0);
    }
}
