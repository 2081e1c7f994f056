//! Scans a request's body in one pass: validates that it is one JSON object, and reads the fields that routing needs.
//!
//! The whole body is validated (RFC 8259), because a malformed body that a provider reads differently from the router
//! could be used to bypass a route. Only the few fields of the [`BodyView`] are kept. Nesting costs one bit for each
//! level, up to [`MAX_DEPTH`], and no recursion.

use std::fmt;

use super::view::{BodyView, InsertionPoint, ModelField, ModelRequirement, Notation};
use super::{state_references, text};
use crate::json::{self, JsonCursor, JsonError, JsonResult};

/// How many objects and arrays may be nested.
pub const MAX_DEPTH: usize = json::MAX_DEPTH;

/// The maximum length of a model's name, in bytes as written in the body.
pub const MAX_MODEL_BYTES: usize = 256;

/// Why a body cannot be routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanError {
    /// It is empty, or only white space.
    Empty,
    /// It is not UTF-8, at this byte.
    InvalidUtf8(usize),
    /// It is not JSON, at this byte.
    InvalidJson(usize),
    /// It has more than [`MAX_DEPTH`] levels, at this byte.
    TooDeep(usize),
    /// It is JSON, but not an object.
    NotAnObject,
    /// It has a field twice that routing reads: the field's exact name, and the byte at which it occurs the second
    /// time.
    Duplicate(&'static str, usize),
    /// It has a field twice that a target changes; the second one is at this byte.
    ChangedTwice(usize),
    /// It has no `model`.
    MissingModel,
    /// Its `model` is not a valid name.
    InvalidModel,
    /// Its `stream` is neither a boolean nor `null`.
    InvalidStream,
    /// It is not `multipart/form-data`: the reason, and the byte.
    InvalidForm(&'static str, usize),
}

impl fmt::Display for ScanError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScanError::Empty => out.write_str("The request has no body."),
            ScanError::InvalidUtf8(at) => write!(out, "The body is not UTF-8 at byte {at}."),
            ScanError::InvalidJson(at) => write!(out, "The body is not valid JSON at byte {at}."),
            ScanError::TooDeep(at) => write!(
                out,
                "The body nests objects and arrays more than {MAX_DEPTH} levels deep at byte {at}."
            ),
            ScanError::NotAnObject => out.write_str("The body must be a JSON object."),
            ScanError::Duplicate(name, at) => write!(
                out,
                "The field \"{name}\" occurs in the body twice (in any spelling or letter case), the second time at \
                 byte {at}."
            ),
            ScanError::ChangedTwice(at) => write!(
                out,
                "A field that the gateway changes occurs in the body twice (in any spelling or letter case), the \
                 second time at byte {at}."
            ),
            ScanError::MissingModel => out.write_str("The field \"model\" is missing."),
            ScanError::InvalidModel => write!(
                out,
                "The field \"model\" must be the name of a model: a string of 1 to {MAX_MODEL_BYTES} bytes of valid \
                 text."
            ),
            ScanError::InvalidStream => out.write_str(
                "The field \"stream\" must be true, false or null, and its name in lower case.",
            ),
            ScanError::InvalidForm(why, at) => {
                write!(out, "The body is not a valid form at byte {at}: {why}.")
            }
        }
    }
}

/// Reads a body. Errors in its JSON are reported before errors in its fields.
///
/// # Errors
/// See [`ScanError`]; positions are in bytes from the body's start.
pub fn scan(body: &[u8], requirement: ModelRequirement) -> Result<BodyView, ScanError> {
    if let Err(error) = std::str::from_utf8(body) {
        return Err(ScanError::InvalidUtf8(error.valid_up_to()));
    }
    let text = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let mut json = JsonCursor::new(text);
    if json.rest().is_empty() {
        return Err(ScanError::Empty);
    }
    let is_object = json.peek() == Some(b'{');
    let start = body.len().saturating_sub(json.rest().len());
    let mut fields = RoutingFields::default();
    let mut state_reference = None;
    json.fields(|json, key| fields.take(json, key, &mut state_reference))
        .and_then(|()| json.end())
        .map_err(|fault| {
            let at = body.len().saturating_sub(json.rest().len());
            match fault {
                JsonError::Malformed => ScanError::InvalidJson(at),
                JsonError::TooDeep => ScanError::TooDeep(at),
            }
        })?;
    if !is_object {
        return Err(ScanError::NotAnObject);
    }
    let (model, stream) = fields.read(body, requirement)?;
    Ok(BodyView {
        model,
        insert_at: Some(InsertionPoint {
            at: start.saturating_add(1),
            comma: fields.count > 0,
        }),
        stream,
        has_stream_options: fields.has_stream_options,
        state_reference,
        notation: Notation::Json,
        bom_length: body.len().saturating_sub(text.len()),
    })
}

/// The UTF-8 byte order mark, with which some editors and libraries begin a text (RFC 8259, section 8.1, lets a reader
/// ignore it).
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Returns the position of a part of the body within it.
pub(super) fn position(body: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr().saturating_sub(body.as_ptr().addr())
}

/// A field of the top-level object that routing reads.
#[derive(Debug, Default)]
struct FieldOccurrence<'a> {
    /// Its value as it is written, if the field has its exact name.
    value: Option<&'a [u8]>,
    /// How often its name occurred, in any spelling and letter case, and where it last did.
    times: usize,
    last: &'a [u8],
}

/// The fields of the top-level object.
#[derive(Debug, Default)]
struct RoutingFields<'a> {
    count: usize,
    has_stream_options: bool,
    model: FieldOccurrence<'a>,
    stream: FieldOccurrence<'a>,
}

impl<'a> RoutingFields<'a> {
    fn take(
        &mut self,
        json: &mut JsonCursor<'a>,
        key: &'a [u8],
        state_reference: &mut Option<&'static str>,
    ) -> JsonResult {
        self.count = self.count.saturating_add(1);
        let value = if state_references::is_callers_own(key, json.rest()) {
            json.skip()?
        } else {
            json.skip_noting(&mut |key, value| {
                state_references::inspect_nested(key, value, state_reference)
            })?
        };
        *state_reference = state_reference.or_else(|| state_references::of_top_level(key, value));
        self.has_stream_options |= text::is_one_field(key, STREAM_OPTIONS);
        for (name, seen) in [(MODEL, &mut self.model), (STREAM, &mut self.stream)] {
            if let Some(is_exact) = compare_key(key, name) {
                seen.times = seen.times.saturating_add(1);
                seen.last = key;
                if is_exact {
                    seen.value = Some(value);
                }
            }
        }
        Ok(())
    }

    fn read(
        &self,
        body: &[u8],
        requirement: ModelRequirement,
    ) -> Result<(Option<ModelField>, bool), ScanError> {
        for (name, seen) in [(MODEL, &self.model), (STREAM, &self.stream)] {
            if seen.times > 1 {
                // The position of the quote before it.
                let at = position(body, seen.last).saturating_sub(1);
                return Err(ScanError::Duplicate(name, at));
            }
        }
        let model = match (self.model.value, requirement) {
            (Some(value), _) => Some(model(body, value).ok_or(ScanError::InvalidModel)?),
            (None, ModelRequirement::Required) => return Err(ScanError::MissingModel),
            // It has another name, which some readers take for `model`.
            (None, ModelRequirement::Optional) if self.model.times > 0 => {
                return Err(ScanError::InvalidModel);
            }
            (None, ModelRequirement::Optional) => None,
        };
        if self.stream.times > 0 && self.stream.value.is_none() {
            return Err(ScanError::InvalidStream);
        }
        let stream = match self.stream.value {
            None | Some(b"false" | b"null") => false,
            Some(b"true") => true,
            Some(_) => return Err(ScanError::InvalidStream),
        };
        Ok((model, stream))
    }
}

/// Returns the model that this value names.
fn model(body: &[u8], value: &[u8]) -> Option<ModelField> {
    let inside = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let name = text::decode(inside).filter(|name| is_valid_name(inside.len(), name))?;
    let start = position(body, inside);
    Some(ModelField {
        name,
        span: start..start.saturating_add(inside.len()),
    })
}

/// Whether this is a valid model name; `written` is its length in the body.
pub(super) fn is_valid_name(written: usize, name: &str) -> bool {
    // In a path, `.` and `..` are not names, however they are encoded.
    (1..=MAX_MODEL_BYTES).contains(&written) && name != "." && name != ".."
}

pub(super) const MODEL: &str = "model";
pub(super) const STREAM: &str = "stream";
const STREAM_OPTIONS: &[u8] = b"stream_options";

/// Whether a key means this field to a reader that folds case as Go's `encoding/json` does (which takes `ſ` for `s`):
/// `None` if not, otherwise whether it is the exact name.
fn compare_key(key: &[u8], name: &str) -> Option<bool> {
    if key.is_ascii() && !key.contains(&b'\\') {
        let is_alike = key.eq_ignore_ascii_case(name.as_bytes());
        return is_alike.then(|| key == name.as_bytes());
    }
    // A letter takes up to six bytes when escaped.
    if key.len() > name.len().saturating_mul(6) {
        return None;
    }
    let key = text::decode(key)?;
    text::is_alike(&key, name).then(|| key == name)
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]
#[path = "scan_tests.rs"]
mod tests;
