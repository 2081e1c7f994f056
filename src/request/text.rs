//! Decodes and encodes JSON strings, and compares field names the way lenient readers do.

/// Decodes the inside of a JSON string (without its quotes); `None` if half of a surrogate pair stands alone. The
/// escapes must be well-formed, which the scan ensures.
///
/// Source: RFC 8259, section 7.
pub fn decode(inside: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(inside.len());
    decode_pieces(inside, &mut |piece| out.push_str(piece)).then_some(out)
}

/// Decodes the inside of a JSON string piece by piece, with U+FFFD for half of a surrogate pair and for anything else
/// that cannot be decoded. Returns whether everything could be decoded.
pub(crate) fn decode_pieces(inside: &[u8], each: &mut impl FnMut(&str)) -> bool {
    const LOST: char = char::REPLACEMENT_CHARACTER;
    let Ok(mut rest) = std::str::from_utf8(inside) else {
        each(LOST.encode_utf8(&mut [0; 4]));
        return false;
    };
    let mut is_whole = true;
    while let Some((plain, escape)) = rest.split_once('\\') {
        if !plain.is_empty() {
            each(plain);
        }
        let (char, after) = unescape(escape);
        is_whole &= char.is_some();
        each(char.unwrap_or(LOST).encode_utf8(&mut [0; 4]));
        rest = after;
    }
    if !rest.is_empty() {
        each(rest);
    }
    is_whole
}

/// Decodes the escape behind a backslash; returns the character and the text after it.
fn unescape(escape: &str) -> (Option<char>, &str) {
    let mut chars = escape.chars();
    let char = match chars.next() {
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('u') => {
            let Some(unit) = code_unit(&mut chars) else {
                return (None, chars.as_str());
            };
            let mut after = chars.clone();
            let low = (after.next() == Some('\\') && after.next() == Some('u'))
                .then(|| code_unit(&mut after))
                .flatten();
            let is_high = (0xd800..0xdc00).contains(&unit);
            let pair = low.filter(|_| is_high).and_then(|low| {
                let char = char::decode_utf16([unit, low]).next()?;
                char.ok()
            });
            return match pair {
                Some(char) => (Some(char), after.as_str()),
                None => (char::from_u32(u32::from(unit)), chars.as_str()),
            };
        }
        Some(literal) => literal,
        None => return (None, ""),
    };
    (Some(char), chars.as_str())
}

fn code_unit(chars: &mut std::str::Chars<'_>) -> Option<u16> {
    let mut unit = 0_u16;
    for _ in 0..4 {
        let digit = u16::try_from(chars.next()?.to_digit(16)?).ok()?;
        unit = unit << 4 | digit;
    }
    Some(unit)
}

/// Encodes text as the inside of a JSON string (without its quotes).
pub fn encode(text: &str) -> Vec<u8> {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        return text.as_bytes().to_vec();
    }
    // Serializing text cannot fail; if it did, the backend would refuse the empty name.
    let quoted = serde_json::to_vec(text).unwrap_or_default();
    quoted
        .get(1..quoted.len().saturating_sub(1))
        .unwrap_or_default()
        .to_vec()
}

/// Whether a reader that folds case as Go's `encoding/json` does (which takes `ſ` for `s`) takes `text` for this name,
/// which is in lower case.
pub(super) fn is_alike(text: &str, name: &str) -> bool {
    text.chars().map(fold).eq(name.chars())
}

/// Whether some reader takes these two keys, as they are written, for the same field. Readers may decode escapes, fold
/// case, or accept `maxTokens` for `max_tokens`, as readers of protobuf JSON do.
pub fn is_one_field(one: &[u8], other: &[u8]) -> bool {
    let is_plain = |key: &[u8]| key.is_ascii() && !key.contains(&b'\\');
    if is_plain(one) && is_plain(other) {
        let one = one.iter().filter(|byte| **byte != b'_');
        let other = other.iter().filter(|byte| **byte != b'_');
        return one
            .map(u8::to_ascii_lowercase)
            .eq(other.map(u8::to_ascii_lowercase));
    }
    // A letter takes up to six bytes when escaped; underscores do not count.
    let room = |key: &[u8]| key.len().saturating_add(8).saturating_mul(6);
    if one.len() > room(other) || other.len() > room(one) {
        return false;
    }
    let (Some(one), Some(other)) = (decode(one), decode(other)) else {
        return false;
    };
    let folded = |char: &char| *char != '_';
    let (one, other) = (one.chars().map(fold), other.chars().map(fold));
    one.filter(folded).eq(other.filter(folded))
}

/// Folds a letter as a case-insensitive reader does: two letters beyond ASCII are the other case of an ASCII letter.
fn fold(char: char) -> char {
    match char {
        'ſ' => 's',
        '\u{212a}' => 'k',
        _ => char.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_a_surrogate_pair_means_nothing() {
        for lone in [
            r"\ud800",
            r"a\ud800b",
            r"\udc00",
            r"\ud800\ud800",
            r"\ud800\n",
            r"\ud800\",
        ] {
            assert_eq!(decode(lone.as_bytes()), None, "{lone}");
        }
        assert_eq!(decode(br"\ud83d\ude00").unwrap(), "\u{1f600}");
        assert_eq!(decode(br"mod\u0065l\/").unwrap(), "model/");
    }

    proptest! {
        #[test]
        fn decode_undoes_encode(text: String) {
            prop_assert_eq!(decode(&encode(&text)).unwrap(), text);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
