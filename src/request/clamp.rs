//! Bounds of a number that stands in a body, and what numbers come to.

use super::text;

/// The bounds of a number, both included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clamp {
    /// The least.
    pub min: Option<Bound>,
    /// The most.
    pub max: Option<Bound>,
}

/// A number, and how it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The number.
    pub number: f64,
    /// In JSON.
    pub written: Vec<u8>,
}

impl Clamp {
    /// What has to stand in the place of a value, if that is out of bounds. A number in a string counts as one, because
    /// some servers read it; what is no number at all is left to the server to refuse.
    pub(super) fn instead(&self, value: &[u8]) -> Option<&[u8]> {
        let number = number(value)?;
        let below = self.min.as_ref().filter(|min| number < min.number);
        let above = self.max.as_ref().filter(|max| number > max.number);
        below.or(above).map(|bound| bound.written.as_slice())
    }
}

/// The number that some server reads in a value.
pub(super) fn number(value: &[u8]) -> Option<f64> {
    let inside = value.strip_prefix(b"\"");
    let Some(inside) = inside.and_then(|inside| inside.strip_suffix(b"\"")) else {
        let is_number = matches!(value, [b'-' | b'0'..=b'9', ..]);
        return is_number.then(|| parse(value));
    };
    let text = text::decode(inside)?.to_ascii_lowercase();
    let text = text.trim().as_bytes();
    // As readers forgive it: 0x is not among that.
    let is_number = match text.strip_prefix(b"-").unwrap_or(text) {
        b"inf" | b"+inf" | b"infinity" | b"+infinity" => true,
        text => {
            let known = b"0123456789.e+-_";
            text.iter().any(u8::is_ascii_digit) && text.iter().all(|byte| known.contains(byte))
        }
    };
    is_number.then(|| parse(text))
}

/// What a number comes to that is written as in JSON, or in some other way that readers forgive; infinity, if it is not
/// plain what it is. Exact for all that people write: up to 15 digits, and exponents up to 22.
fn parse(text: &[u8]) -> f64 {
    let (is_negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let size = magnitude(text).unwrap_or(f64::INFINITY);
    if is_negative { -size } else { size }
}

/// How large the digits of a mantissa may become: more of them only move the point.
const MANTISSA: f64 = 1e17;

fn magnitude(text: &[u8]) -> Option<f64> {
    let mut mantissa = 0.0;
    let mut exponent = 0_i32;
    let mut is_fraction = false;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'0'..=b'9' => {
                let has_room = mantissa < MANTISSA;
                if has_room {
                    mantissa = mantissa * 10.0 + f64::from(byte.wrapping_sub(b'0'));
                }
                // A digit without room moves the point one to the right, one behind the point that has it to the left.
                exponent = exponent
                    .saturating_add(i32::from(!has_room))
                    .saturating_sub(i32::from(is_fraction));
            }
            b'.' if !is_fraction => is_fraction = true,
            b'_' => {}
            b'e' | b'E' => {
                let digits = std::str::from_utf8(bytes.as_slice()).ok()?;
                let is_negative = digits.starts_with('-');
                // One that is too long for a number is huge, or next to nothing.
                let moved = digits
                    .parse()
                    .unwrap_or(if is_negative { i32::MIN } else { i32::MAX });
                exponent = exponent.saturating_add(moved);
                break;
            }
            _ => return None,
        }
    }
    Some(if mantissa == 0.0 {
        0.0
    } else if exponent < 0 {
        mantissa / 10_f64.powi(exponent.saturating_neg())
    } else {
        mantissa * 10_f64.powi(exponent)
    })
}
