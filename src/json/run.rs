//! Runs of bytes that need no look, eight at a time.

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
    let (words, _) = bytes.as_chunks::<8>();
    let mut length = 0_usize;
    for word in words {
        let hits = in_word(u64::from_le_bytes(*word));
        if hits != 0 {
            let before = usize::try_from(hits.trailing_zeros() >> 3).unwrap_or(0);
            return length.saturating_add(before);
        }
        length = length.saturating_add(8);
    }
    // Found again here, because most runs end before.
    let tail = bytes.get(length..).unwrap_or_default();
    length.saturating_add(tail.iter().take_while(|byte| !is_end(**byte)).count())
}

/// How many bytes at the beginning are neither `"` nor `\` nor a control character.
pub(crate) fn plain_prefix(bytes: &[u8]) -> usize {
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
pub(crate) fn line_length(bytes: &[u8]) -> usize {
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
mod tests {
    use super::*;

    #[test]
    fn eight_bytes_at_a_time_find_what_one_at_a_time_finds() {
        for special in [b'"', b'\\', 0, 0x1f, b'\n'] {
            for at in 0..40 {
                for filler in [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xc3, 0xff, b'a'] {
                    let mut bytes = vec![filler; 40];
                    bytes[at] = special;
                    assert_eq!(plain_prefix(&bytes), at, "{special} at {at} in {filler}");
                }
            }
        }
        assert_eq!(plain_prefix(&[b'a'; 23]), 23);
    }
}
