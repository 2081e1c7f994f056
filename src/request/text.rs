//! Text: JSON strings between their bytes in a body and what they mean, and names that are alike.

/// The text that the inside of a JSON string (without its quotes) means; `None` if it means none, because half of a
/// surrogate pair stands alone. The escapes must be well-formed, as the scan has seen to.
///
/// Source: RFC 8259, section 7.
pub fn decode(inside: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(inside).ok()?;
    if !inside.contains(&b'\\') {
        return Some(text.to_owned());
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        out.push(match chars.next()? {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let unit = code_unit(&mut chars)?;
                if (0xd800..0xdc00).contains(&unit) {
                    if (chars.next()?, chars.next()?) != ('\\', 'u') {
                        return None;
                    }
                    let low = code_unit(&mut chars)?;
                    char::decode_utf16([unit, low]).next()?.ok()?
                } else {
                    char::from_u32(u32::from(unit))?
                }
            }
            literal => literal,
        });
    }
    Some(out)
}

fn code_unit(chars: &mut std::str::Chars<'_>) -> Option<u16> {
    let mut unit = 0_u16;
    for _ in 0..4 {
        let digit = u16::try_from(chars.next()?.to_digit(16)?).ok()?;
        unit = unit << 4 | digit;
    }
    Some(unit)
}

/// The inside of a JSON string (without its quotes) that means this text.
pub fn encode(text: &str) -> Vec<u8> {
    // Text always serializes; were it not so, an empty name would be refused upstream.
    let quoted = serde_json::to_vec(text).unwrap_or_default();
    quoted
        .get(1..quoted.len().saturating_sub(1))
        .unwrap_or_default()
        .to_vec()
}

/// Whether a reader that folds case as Go's `encoding/json` does (it takes `ſ` for `s`) reads this name, which is in
/// lower case.
pub(super) fn is_alike(text: &str, name: &str) -> bool {
    let folded = text.chars().map(|char| {
        if char == 'ſ' {
            's'
        } else {
            char.to_ascii_lowercase()
        }
    });
    folded.eq(name.chars())
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
