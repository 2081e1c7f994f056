//! Which characters of Chinese, Japanese and Korean, alone and in pairs, the vocabulary o200k has as one token.
//!
//! The filter is Bloom's: two bits for each of them, in 64 Kbit. Of those that are not in the vocabulary it takes one
//! in 25 for known, which a test holds it to.

/// Made of the vocabulary by the test.
static FILTER: &[u8; 8192] = include_bytes!("cjk.bin");

/// Whether two characters are one token.
pub(super) fn is_known(first: char, second: char) -> bool {
    let hash = mix(u32::from(first), u32::from(second));
    is_set(hash >> 16) && is_set(hash & 0xffff)
}

/// Whether this character is one token.
pub(super) fn is_known_alone(char: char) -> bool {
    is_known('\0', char)
}

fn is_set(bit: u32) -> bool {
    let byte = usize::try_from(bit >> 3)
        .ok()
        .and_then(|byte| FILTER.get(byte));
    byte.is_some_and(|byte| byte >> (bit & 7) & 1 == 1)
}

/// Two numbers below 2¹⁶ in one, each of which depends on all of both characters.
fn mix(first: u32, second: u32) -> u32 {
    let hash = first.wrapping_mul(0x9e37_79b1) ^ second.wrapping_mul(0x85eb_ca6b);
    let hash = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
    hash ^ (hash >> 13)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes cjk.bin anew if `WRITE_CJK` is set.
    #[test]
    fn the_filter_is_the_vocabularys() {
        let vocabulary = tiktoken_rs::o200k_base().unwrap();
        let mut filter = [0_u8; 8192];
        let mut known = 0;
        for token in 0..199_998 {
            let bytes = vocabulary.decode_bytes(&[token]).unwrap_or_default();
            let text = String::from_utf8(bytes).unwrap_or_default();
            let mut chars = text.trim_start_matches(' ').chars().fuse();
            let (first, second, third) = (chars.next(), chars.next(), chars.next());
            let (first, second) = match (first, second, third) {
                (Some(alone), None, _) => ('\0', alone),
                (Some(first), Some(second), None) => (first, second),
                _ => continue,
            };
            if !is_cjk(second) || first != '\0' && !is_cjk(first) {
                continue;
            }
            known += 1;
            let hash = mix(u32::from(first), u32::from(second));
            for bit in [hash >> 16, hash & 0xffff] {
                filter[bit as usize >> 3] |= 1 << (bit & 7);
            }
        }
        assert!(known > 5000, "{known}");
        if std::env::var_os("WRITE_CJK").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/prompt/cjk.bin");
            std::fs::write(path, filter).unwrap();
        }
        assert!(filter == *FILTER, "cjk.bin is not of this vocabulary");
        let bits: u32 = filter.iter().map(|byte| byte.count_ones()).sum();
        let wrong = (f64::from(bits) / 65536.0).powi(2);
        assert!(wrong < 1.0 / 25.0, "{wrong}");
    }

    fn is_cjk(char: char) -> bool {
        use super::super::Script;
        matches!(
            Script::around(char),
            Some(Script::Han | Script::Kana | Script::Hangul)
        )
    }
}
