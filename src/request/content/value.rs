//! Values of a body as they are written. The body has been scanned, so that walking over a part of it cannot fail; should
//! it, what has been read until then counts.
//!
//! Of a field that stands there twice the last one counts, as it does for most readers; its name and text that is
//! compared may be written with escapes.

use std::borrow::Cow;

use super::super::text;
use crate::json::{Json, is_something};

/// How long a name may be that is looked for, in bytes as it may be written: escaped, a letter takes six.
const MAX_NAME_BYTES: usize = 6 * 256;

/// An object of which some fields are read: their values as they are written.
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
        if let Some(name) = meant(key) {
            each(&name, value);
        }
    });
}

/// The same, with the name as it is written.
pub(super) fn written_fields<'a>(value: &'a [u8], mut each: impl FnMut(&'a [u8], &'a [u8])) {
    let mut json = Json::new(value);
    let _walked = json.fields(|json, key| {
        each(key, json.skip()?);
        Ok(())
    });
}

/// Calls `each` with every item of an array, or with the value itself if it is none: some APIs take one for a list of it.
pub(super) fn items<'a>(value: &'a [u8], mut each: impl FnMut(&'a [u8])) {
    if !value.starts_with(b"[") {
        return each(value);
    }
    let mut json = Json::new(value);
    let _walked = json.items(|json| {
        each(json.skip()?);
        Ok(())
    });
}

/// What the inside of a short string means; `None` if it is too long to be a name, or means nothing.
pub(super) fn meant(inside: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !inside.contains(&b'\\') {
        return Some(Cow::Borrowed(inside));
    }
    let name = Some(inside).filter(|inside| inside.len() <= MAX_NAME_BYTES);
    name.and_then(text::decode)
        .map(|name| Cow::Owned(name.into_bytes()))
}

/// The name that a value is.
pub(super) fn name(value: Option<&[u8]>) -> Option<Cow<'_, [u8]>> {
    value.and_then(string).and_then(meant)
}

/// The inside of a string.
pub(super) fn string(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// The number that a value is.
pub(super) fn number(value: &[u8]) -> Option<f64> {
    if !matches!(value.first(), Some(b'-' | b'0'..=b'9')) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// A value that is more than `null`, `false`, `""`, `[]` or `{}`.
pub(super) fn something(value: Option<&[u8]>) -> Option<&[u8]> {
    value.filter(|value| is_something(value))
}

/// Names in camel case as Gemini takes them too.
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

/// The first name of a path, and what comes behind its dot.
pub(super) fn split_path(path: &str) -> (&str, Option<&str>) {
    match path.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    }
}

/// The value that a path leads to in an object, leniently; in one that stands in a list, in the first that has it.
pub(in crate::request) fn value_in<'a>(value: &'a [u8], path: &str) -> Option<&'a [u8]> {
    let mut found = None;
    any_at(value, Some(path), true, &mut |value| {
        found = Some(value);
        true
    });
    found
}

/// Whether this holds for any value that a path leads to from here. If lenient, a name in camel case may be written in
/// snake case.
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
        // An array in an array is not looked into.
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
