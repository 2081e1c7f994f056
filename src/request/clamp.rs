//! Bounds for numbers in a body, and the parsing of numbers as servers read them.

use super::text;

/// The bounds of a number, both included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clamp {
    /// The lower bound.
    pub min: Option<Bound>,
    /// The upper bound.
    pub max: Option<Bound>,
}

/// A number, and how it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The number.
    pub number: f64,
    /// The number as JSON text.
    pub written: Vec<u8>,
}

impl Clamp {
    /// Returns the bound that replaces a value that is out of bounds. A number in a string counts as a number, because
    /// some servers read it; a value that is not a number at all is left for the server to refuse.
    pub(super) fn replacement(&self, value: &[u8]) -> Option<&[u8]> {
        let number = number(value)?;
        let below = self.min.as_ref().filter(|min| number < min.number);
        let above = self.max.as_ref().filter(|max| number > max.number);
        below.or(above).map(|bound| bound.written.as_slice())
    }
}

/// Returns the number that some server may read from a value.
pub(super) fn number(value: &[u8]) -> Option<f64> {
    let inside = value.strip_prefix(b"\"");
    let Some(inside) = inside.and_then(|inside| inside.strip_suffix(b"\"")) else {
        let is_number = matches!(value, [b'-' | b'0'..=b'9', ..]);
        return is_number.then(|| parse(value));
    };
    let text = text::decode(inside)?.to_ascii_lowercase();
    let text = text.trim().as_bytes();
    // The notations that lenient readers accept; `0x` is not among them.
    let is_number = match text.strip_prefix(b"-").unwrap_or(text) {
        b"inf" | b"+inf" | b"infinity" | b"+infinity" => true,
        text => {
            let known = b"0123456789.e+-_";
            text.iter().any(u8::is_ascii_digit) && text.iter().all(|byte| known.contains(byte))
        }
    };
    is_number.then(|| parse(text))
}

/// Parses a number in JSON notation or in one that lenient readers accept; any other text counts as infinity. Exact for
/// all that people write: up to 15 digits, and exponents up to 22.
fn parse(text: &[u8]) -> f64 {
    let (is_negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let size = magnitude(text).unwrap_or(f64::INFINITY);
    if is_negative { -size } else { size }
}

/// The limit of the mantissa's digits; further digits only change the exponent.
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
                // A digit that does not fit increases the exponent by one, a digit behind the decimal point decreases
                // it.
                exponent = exponent
                    .saturating_add(i32::from(!has_room))
                    .saturating_sub(i32::from(is_fraction));
            }
            b'.' if !is_fraction => is_fraction = true,
            b'_' => {}
            b'e' | b'E' => {
                let digits = std::str::from_utf8(bytes.as_slice()).ok()?;
                let is_negative = digits.starts_with('-');
                // An exponent too long to parse makes the number huge or almost zero.
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
