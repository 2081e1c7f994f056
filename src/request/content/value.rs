//! Reads JSON values of a body in place. The body has already been scanned, so reading a part of it cannot fail; if it
//! did, what was read before would count.
//!
//! If an object has a field twice, the last one counts, as for most readers. Names, and text that is compared, may be
//! written with escapes.

use std::borrow::Cow;

use super::super::text;
use crate::json::{JsonCursor, is_non_empty};

/// The maximum length of a name to look for, in bytes as written: a letter takes up to six when escaped.
const MAX_NAME_BYTES: usize = 6 * 256;

/// Defines an object of which some fields are read, as they are written.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $($key:literal)|+,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default)]
        pub(super) struct $name<'a> {
            $(pub(super) $field: Option<&'a [u8]>,)+
        }

        impl<'a> $name<'a> {
            pub(super) fn read(value: &'a [u8]) -> Self {
                let mut found = Self::default();
                $crate::request::content::value::fields(value, |key, value| match key {
                    $($($key)|+ => found.$field = Some(value),)+
                    _ => {}
                });
                found
            }
        }
    };
}
pub(super) use object;

/// Calls `each` with the name and the value of every field of an object.
pub(super) fn fields<'a>(value: &'a [u8], mut each: impl FnMut(&[u8], &'a [u8])) {
    written_fields(value, |key, value| {
        if let Some(name) = decode_name(key) {
            each(&name, value);
        }
    });
}

/// Calls `each` with every field of an object, with the name as it is written.
pub(super) fn written_fields<'a>(value: &'a [u8], mut each: impl FnMut(&'a [u8], &'a [u8])) {
    let mut json = JsonCursor::new(value);
    let _walked = json.fields(|json, key| {
        each(key, json.skip()?);
        Ok(())
    });
}

/// Calls `each` with every item of an array, or with the value itself if it is not an array: some APIs accept one value
/// in place of a list.
pub(super) fn items<'a>(value: &'a [u8], mut each: impl FnMut(&'a [u8])) {
    if !value.starts_with(b"[") {
        return each(value);
    }
    let mut json = JsonCursor::new(value);
    let _walked = json.items(|json| {
        each(json.skip()?);
        Ok(())
    });
}

/// Decodes the inside of a short string; `None` if it is too long for a name or cannot be decoded.
pub(super) fn decode_name(inside: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !inside.contains(&b'\\') {
        return Some(Cow::Borrowed(inside));
    }
    let name = Some(inside).filter(|inside| inside.len() <= MAX_NAME_BYTES);
    name.and_then(text::decode)
        .map(|name| Cow::Owned(name.into_bytes()))
}

/// Returns the value as a name, if it is a string.
pub(super) fn name(value: Option<&[u8]>) -> Option<Cow<'_, [u8]>> {
    value.and_then(string).and_then(decode_name)
}

/// Returns the inside of a string.
pub(super) fn string(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// Returns the value as a number, if it is one.
pub(super) fn number(value: &[u8]) -> Option<f64> {
    if !matches!(value.first(), Some(b'-' | b'0'..=b'9')) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Returns the value unless it is `null`, `false`, `""`, `[]` or `{}`.
pub(super) fn non_empty(value: Option<&[u8]>) -> Option<&[u8]> {
    value.filter(|value| is_non_empty(value))
}

/// Converts a camel-case name to snake case, which Gemini accepts too.
pub(super) fn in_snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len().saturating_add(4));
    for char in name.chars() {
        if char.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(char.to_ascii_lowercase());
    }
    snake
}

/// Splits a path into its first name and the rest behind the dot.
pub(super) fn split_path(path: &str) -> (&str, Option<&str>) {
    match path.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    }
}

/// Returns the value at a path in an object, leniently; if a list is on the path, that of the first item that has it.
pub(in crate::request) fn value_in<'a>(value: &'a [u8], path: &str) -> Option<&'a [u8]> {
    let mut found = None;
    any_at(value, Some(path), true, &mut |value| {
        found = Some(value);
        true
    });
    found
}

/// Whether `holds` is true of any value at a path from here. If lenient, a camel-case name may be written in snake
/// case.
pub(super) fn any_at<'a>(
    value: &'a [u8],
    path: Option<&str>,
    is_lenient: bool,
    holds: &mut dyn FnMut(&'a [u8]) -> bool,
) -> bool {
    let Some(path) = path else {
        return holds(value);
    };
    let (name, rest) = split_path(path);
    let snake = is_lenient.then(|| in_snake_case(name));
    let mut any = false;
    items(value, |item| {
        let mut found = None;
        // Arrays directly within arrays are not searched.
        if !any && item.starts_with(b"{") {
            fields(item, |key, value| {
                let is_it = key == name.as_bytes()
                    || snake.as_ref().is_some_and(|name| key == name.as_bytes());
                if is_it {
                    found = Some(value);
                }
            });
        }
        any = any || found.is_some_and(|value| any_at(value, rest, is_lenient, holds));
    });
    any
}
