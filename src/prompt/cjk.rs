//! Tells which Chinese, Japanese and Korean characters, alone and in pairs, are one token in the vocabulary o200k.
//!
//! A Bloom filter stores them: four bits for each, in 64 Kbit. It takes one in 38 of those that are not in the
//! vocabulary for known; a test checks this rate.

/// The filter, which the test builds from the vocabulary.
static FILTER: &[u8; 8192] = include_bytes!("cjk.bin");

/// Whether two characters are one token.
pub(super) fn is_known(first: char, second: char) -> bool {
    bits(first, second).all(is_set)
}

/// Whether this character's token includes a space before it.
pub(super) fn takes_space(char: char) -> bool {
    is_known(' ', char)
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

/// Returns the four bits of a pair, each below 2¹⁶. Two hashes give any number of bits (Kirsch and Mitzenmacher 2006).
fn bits(first: char, second: char) -> impl Iterator<Item = u32> {
    let (first, second) = (u32::from(first), u32::from(second));
    let hash = first.wrapping_mul(0x9e37_79b1) ^ second.wrapping_mul(0x85eb_ca6b);
    let hash = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
    let hash = hash ^ (hash >> 13);
    let step = hash >> 16 | 1;
    (0..4).map(move |round: u32| round.wrapping_mul(step).wrapping_add(hash) & 0xffff)
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
            for (first, second) in pairs(&text) {
                known += 1;
                for bit in bits(first, second) {
                    filter[bit as usize >> 3] |= 1 << (bit & 7);
                }
            }
        }
        assert!(known > 5000, "{known}");
        if std::env::var_os("WRITE_CJK").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/prompt/cjk.bin");
            std::fs::write(path, filter).unwrap();
        }
        assert!(filter == *FILTER, "cjk.bin is not of this vocabulary");
        let bits: u32 = filter.iter().map(|byte| byte.count_ones()).sum();
        let wrong = (f64::from(bits) / 65536.0).powi(4);
        assert!(wrong < 1.0 / 38.0, "{wrong}");
    }

    /// Returns what the filter has to store for a token: the token alone or as a pair, and whether its first character
    /// takes a space.
    fn pairs(token: &str) -> Vec<(char, char)> {
        let text = token.strip_prefix(' ').unwrap_or(token);
        let chars: Vec<char> = text.chars().collect();
        if chars.len() > 2 || !chars.iter().all(|char| is_cjk(*char)) {
            return Vec::new();
        }
        let alone = match (chars.as_slice(), text == token) {
            ([alone], true) => Some(('\0', *alone)),
            ([first, second], _) => Some((*first, *second)),
            _ => None,
        };
        let after_space = chars
            .first()
            .filter(|_| text != token)
            .map(|first| (' ', *first));
        alone.into_iter().chain(after_space).collect()
    }

    fn is_cjk(char: char) -> bool {
        use super::super::Script;
        matches!(
            Script::of_letter(char),
            Some(Script::Han | Script::Kana | Script::Hangul)
        )
    }
}
