//! A value of a body field, from JSON or from a form.

use std::borrow::Cow;

use super::super::text;
use super::value::{items, number, string};

/// A value of a body field, as it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum RawFieldValue<'a> {
    /// A JSON value.
    Json(&'a [u8]),
    /// The text of a form field.
    Text(&'a [u8]),
}

impl<'a> RawFieldValue<'a> {
    /// Whether `holds` is true of the value or, if it is an array, of any item.
    pub fn any_item(self, holds: &dyn Fn(RawFieldValue<'a>) -> bool) -> bool {
        let RawFieldValue::Json(value) = self else {
            return holds(self);
        };
        let mut any = false;
        items(value, |item| any = any || holds(RawFieldValue::Json(item)));
        any
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self == RawFieldValue::Json(b"null")
    }

    /// Returns the decoded text, if it is text.
    pub fn text(self) -> Option<Cow<'a, str>> {
        let written = match self {
            RawFieldValue::Json(value) => string(value)?,
            RawFieldValue::Text(text) => text,
        };
        if matches!(self, RawFieldValue::Text(_)) || !written.contains(&b'\\') {
            return Some(String::from_utf8_lossy(written));
        }
        let mut text = String::new();
        text::decode_pieces(written, &mut |piece| text.push_str(piece));
        Some(Cow::Owned(text))
    }

    /// Returns the number, if it is one; a form field's text is parsed.
    pub fn number(self) -> Option<f64> {
        let (RawFieldValue::Json(value) | RawFieldValue::Text(value)) = self;
        number(value)
    }

    /// Returns the boolean, if it is one; a form field's text is parsed.
    pub fn boolean(self) -> Option<bool> {
        let (RawFieldValue::Json(value) | RawFieldValue::Text(value)) = self;
        match value {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }
}
