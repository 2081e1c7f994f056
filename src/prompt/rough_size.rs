//! Detects data within text: images, audio and files in base64.
//!
//! Examining every byte would take longer than finding the model. So a body is sampled at intervals; where a sample is
//! in a long run of base64 characters, the run is followed to both of its ends.

/// How many bytes of text make one token, as a rough rule.
const BYTES_PER_TOKEN: u64 = 4;

/// How many consecutive characters count as base64. No word is that long.
const RUN: usize = 64;

/// How many samples are taken of a body; the distances between them have the limits below.
const PLACES: usize = 32;
const NEAREST: usize = 256;
const FARTHEST: usize = 1024;

/// Returns a rough number of tokens for this many bytes of text.
pub fn rough_tokens(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN)
}

/// Whether the inside of a JSON string begins with base64.
pub fn is_base64(inside: &[u8]) -> bool {
    // Look behind the short prefix of a `data:` URL.
    let of_url = inside.strip_prefix(b"data:").and_then(|url| {
        let comma = url.iter().take(RUN).position(|byte| *byte == b',')?;
        url.get(comma.saturating_add(1)..)
    });
    let inside = of_url.unwrap_or(inside);
    // A long number is not base64.
    is_run(inside, 0) && !inside.iter().take(RUN).all(u8::is_ascii_digit)
}

/// Returns the length of the next base64 character as JSON may write it: slashes behind `\`, and line breaks in
/// between; 0 if it is not one.
fn character(text: &[u8], at: usize) -> usize {
    match text.get(at) {
        Some(b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'=' | b'-' | b'_') => 1,
        Some(b'\\') => match text.get(at.saturating_add(1)) {
            Some(b'/' | b'n' | b'r') => 2,
            _ => 0,
        },
        _ => 0,
    }
}

/// Whether a run of base64 begins or continues here.
fn is_run(text: &[u8], from: usize) -> bool {
    // One or two bytes rule out most text.
    let may_be = |ahead: &usize| {
        let byte = text.get(from.saturating_add(*ahead));
        byte.is_some_and(|byte| !matches!(byte, b' ' | b'"' | b',' | b'.' | b'{' | 0x80..))
    };
    if ![RUN / 2, 0, 5, 10, 15, 20].iter().all(may_be) {
        return false;
    }
    let mut at = from;
    while at < from.saturating_add(RUN) {
        match character(text, at) {
            0 => return false,
            bytes => at = at.saturating_add(bytes),
        }
    }
    true
}

/// The length of an escape for a character: `\u` and four digits.
const UNIT: usize = 6;

/// Whether this place is within such an escape.
fn is_in_unit(text: &[u8], at: usize) -> bool {
    let from = at.saturating_add(1).saturating_sub(UNIT);
    let around = text.get(from..at.saturating_add(2));
    around.is_some_and(|around| {
        around.contains(&b'\\') && around.windows(2).any(|pair| pair == b"\\u")
    })
}

/// Returns the beginning of the run around this place, but not before `least`.
fn beginning(text: &[u8], at: usize, least: usize) -> usize {
    let before = text.get(least..at).unwrap_or_default();
    let run = before.iter().rev();
    let run = run.take_while(|byte| {
        matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'=' | b'-' | b'_' | b'\\')
    });
    at.saturating_sub(run.count())
}

/// Returns the end of the run.
fn end(text: &[u8], from: usize) -> usize {
    let mut at = from;
    let mut leap = FARTHEST;
    // By leaps that grow as long as they end within a run, and then shrink. A leap may skip the text between two
    // images.
    while is_run(text, at.saturating_add(leap)) {
        at = at.saturating_add(leap);
        leap = leap.saturating_mul(2);
    }
    while leap >= FARTHEST {
        if is_run(text, at.saturating_add(leap)) {
            at = at.saturating_add(leap);
        }
        leap /= 2;
    }
    loop {
        match character(text, at) {
            0 => return at,
            bytes => at = at.saturating_add(bytes),
        }
    }
}

/// Returns roughly how many bytes of text a body has as UTF-8, without data in base64.
pub fn text_bytes(body: &[u8]) -> u64 {
    let step = (body.len() / PLACES).clamp(NEAREST, FARTHEST);
    let mut text = body.len();
    let (mut at, mut least) = (0, 0);
    while at < body.len() {
        if is_run(body, at) {
            let last = end(body, at);
            text = text.saturating_sub(last.saturating_sub(beginning(body, at, least)));
            (at, least) = (last, last);
        } else if is_in_unit(body, at) {
            // An escape of six bytes stands for two.
            let near = step.min(body.len().saturating_sub(at));
            text = text.saturating_sub((near / 3).saturating_mul(2));
        }
        least = at.max(least);
        at = at.saturating_add(step);
    }
    u64::try_from(text).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base64(length: usize) -> String {
        let all = "iVBORw0KGgoAAAANSUhEUgAA/+B9";
        all.chars().cycle().take(length).collect()
    }

    #[test]
    fn pictures_are_no_text() {
        for size in [2_000, 50_000, 1_000_000] {
            for before in [0, 1, 77, 5_000] {
                let said = "Look at this. ".repeat(before / 14 + 1);
                let picture = base64(size);
                let escaped = picture.replace('/', "\\/");
                let lines: Vec<&str> = picture.split_inclusive("AAAA").collect();
                for picture in [&picture, &escaped, &lines.join("\\r\\n")] {
                    let body = format!(
                        r#"{{"text":"{said}","url":"data:image/png;base64,{picture}","text":"{said}"}}"#
                    );
                    let text = body.len() - picture.len();
                    let found = usize::try_from(text_bytes(body.as_bytes())).unwrap();
                    assert!(
                        found.abs_diff(text) <= 64,
                        "{found}, not {text}: {size} {before}"
                    );
                }
            }
        }
    }

    #[test]
    fn text_is_text() {
        for text in [
            include_str!("../../tests/data/tokens/english-essay.txt"),
            include_str!("../../tests/data/tokens/chinese-prose.txt"),
            include_str!("../../tests/data/tokens/russian.txt"),
            include_str!("../../tests/data/tokens/inventory.py"),
            include_str!("../../tests/data/tokens/order.json"),
        ] {
            let written = serde_json::to_string(text).unwrap();
            let length = u64::try_from(written.len()).unwrap();
            assert_eq!(text_bytes(written.as_bytes()), length, "{text:.20}");
            assert!(!is_base64(&written.as_bytes()[1..]), "{text:.20}");
        }
        assert_eq!(text_bytes(b""), 0);
    }

    /// Russian letters have two bytes, and six when escaped.
    #[test]
    fn escapes_count_as_what_they_mean() {
        let text = include_str!("../../tests/data/tokens/russian.txt").repeat(3);
        let units = text.encode_utf16().map(|unit| match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
            _ => format!("\\u{unit:04x}"),
        });
        let written: String = units.collect();
        let found = usize::try_from(text_bytes(written.as_bytes())).unwrap();
        assert!(
            found.abs_diff(text.len()) * 100 <= text.len() * 15,
            "{found}, not {}",
            text.len()
        );
    }

    #[test]
    fn data_is_known_by_its_beginning() {
        assert!(is_base64(base64(64).as_bytes()));
        assert!(is_base64(
            format!("data:image/png;base64,{}", base64(64)).as_bytes()
        ));
        assert!(!is_base64(base64(63).as_bytes()));
        assert!(!is_base64("word ".repeat(40).as_bytes()));
        assert!(!is_base64("7".repeat(300).as_bytes()));
        assert!(!is_base64("\\u043f".repeat(40).as_bytes()));
    }
}
