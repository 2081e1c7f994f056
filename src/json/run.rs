//! Measures runs of bytes without special meaning, eight bytes at a time.

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);

/// Sets the top bit of the first zero byte, and no bit below it.
const fn zero_bytes(word: u64) -> u64 {
    // Mycroft's test. A borrow can only affect the bytes above the first hit.
    word.wrapping_sub(ONES) & !word & TOPS
}

/// Returns the number of bytes before the first one that ends a run. `in_word` sets the top bit of the first such
/// byte in eight (little-endian); `is_end` decides for a single byte.
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
    // Computes the tail here instead of keeping it from `as_chunks`, because most runs end before it.
    let tail = bytes.get(length..).unwrap_or_default();
    length.saturating_add(tail.iter().take_while(|byte| !is_end(**byte)).count())
}

/// Returns the number of leading bytes that are neither `"` nor `\` nor a control character.
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

/// Returns the number of bytes before the end of the line, or of the text.
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
