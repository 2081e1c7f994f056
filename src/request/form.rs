//! Reads a `multipart/form-data` body in one pass: which model it asks for, and whether it asks for a stream.
//!
//! Sources: RFC 7578 and RFC 2046, section 5.1. Readers of forms differ in what they tolerate, and a form that a
//! provider reads differently from the router could be used to bypass a route. So whatever readers disagree on is
//! refused: a line that begins like a separator but is not one, lines that do not end with CRLF, and part headers that
//! are folded, repeated or in an extended notation.
//!
//! Files are skipped line by line, eight bytes at a time. A separator can only be at the beginning of a line, so no
//! byte is examined more than twice.

use std::ops::Range;

use super::header_parameters::{self, Malformed, Parameter, is_token};
use super::scan::{MODEL, STREAM, ScanError, is_valid_name, position};
use super::text;
use super::view::{BodyView, ModelField, ModelRequirement, Notation};
use crate::json::line_length;

/// The maximum size of the headers of one part, in bytes.
const MAX_PART_HEADER_BYTES: usize = 8192;

/// How many bytes may precede the first part.
const MAX_PREAMBLE_BYTES: usize = 1024;

const CRLF: &[u8] = b"\r\n";

const NO_SEPARATOR: &str = "a line begins like a separator but is not one";

/// Reads a form whose parts are separated by this boundary.
///
/// # Errors
/// See [`ScanError`]; positions are in bytes from the body's start.
pub fn scan_form(
    boundary: &[u8],
    body: &[u8],
    requirement: ModelRequirement,
) -> Result<BodyView, ScanError> {
    let mut fields = RoutingFields::default();
    walk_form(boundary, body, |part, content| fields.take(part, content))?;
    fields.view(body, requirement)
}

/// Calls `each` with the headers of every part and the span of its content.
pub(super) fn walk_form<'a>(
    boundary: &[u8],
    body: &'a [u8],
    mut each: impl FnMut(&FormPart<'a>, Range<usize>),
) -> Result<(), ScanError> {
    if body.is_empty() {
        return Err(ScanError::Empty);
    }
    let form = Form {
        body,
        separator: [b"--", boundary].concat(),
    };
    let first = form
        .separator_after(0)?
        .ok_or_else(|| form.unterminated())?;
    form.check_preamble(first.start)?;
    let mut separator = first;
    while !separator.is_last {
        let part = form.part(separator.end)?;
        separator = form
            .separator_after(part.content)?
            .ok_or_else(|| form.unterminated())?;
        let end = separator.start.saturating_sub(CRLF.len());
        each(&part, part.content..end);
    }
    if let Some(more) = form.separator_after(separator.end)? {
        let why = "a separator follows the last one";
        return Err(ScanError::InvalidForm(why, more.start));
    }
    Ok(())
}

struct Form<'a> {
    body: &'a [u8],
    /// The boundary with two leading dashes.
    separator: Vec<u8>,
}

/// A line that separates two parts.
#[derive(Clone, Copy, Debug)]
struct Separator {
    start: usize,
    /// The position after the end of its line.
    end: usize,
    /// Whether it marks the end of the form.
    is_last: bool,
}

/// The headers of a part, as far as they are read.
pub(super) struct FormPart<'a> {
    /// Where the headers begin.
    start: usize,
    pub(super) name: &'a [u8],
    pub(super) is_file: bool,
    /// Whether the content has an encoding of its own.
    is_encoded: bool,
    /// Where the content begins.
    content: usize,
}

impl<'a> Form<'a> {
    fn from(&self, at: usize) -> &'a [u8] {
        self.body.get(at..).unwrap_or_default()
    }

    fn unterminated(&self) -> ScanError {
        let why = "it ends before its last separator";
        ScanError::InvalidForm(why, self.body.len())
    }

    /// Returns the next separator line from here on; a line must begin here.
    fn separator_after(&self, start: usize) -> Result<Option<Separator>, ScanError> {
        let mut at = start;
        while let Some(first) = self.body.get(at) {
            // Many lines may be empty.
            if matches!(first, b'\r' | b'\n') {
                at = at.saturating_add(1);
                continue;
            }
            let rest = self.from(at);
            if *first == b'-' && rest.starts_with(&self.separator) {
                let found = self.separator_at(at, start);
                let error = ScanError::InvalidForm(NO_SEPARATOR, at);
                return found.map(Some).ok_or(error);
            }
            // Stop at a CR or an LF: some readers look for a separator after either.
            at = at.saturating_add(line_length(rest));
        }
        Ok(None)
    }

    /// Returns the separator, if the line at `at` is one. The bytes before it begin at `start`.
    fn separator_at(&self, at: usize, start: usize) -> Option<Separator> {
        let is_first = at == 0;
        let before = self.body.get(start..at)?;
        if !is_first && !before.ends_with(CRLF) {
            return None;
        }
        let after = self.from(at).strip_prefix(self.separator.as_slice())?;
        let unclosed = after.strip_prefix(b"--");
        let is_last = unclosed.is_some();
        let padding = unclosed.unwrap_or(after);
        let spaces = padding.iter().take_while(|byte| b" \t".contains(byte));
        let rest = padding.get(spaces.count()..)?;
        let rest = match rest.strip_prefix(CRLF) {
            Some(rest) => rest,
            None if is_last && rest.is_empty() => rest,
            None => return None,
        };
        Some(Separator {
            start: at,
            end: self.body.len().checked_sub(rest.len())?,
            is_last,
        })
    }

    /// Some readers accept a separator anywhere before the first part.
    fn check_preamble(&self, end: usize) -> Result<(), ScanError> {
        let preamble = self.body.get(..end).unwrap_or_default();
        let mut places = preamble.windows(self.separator.len());
        if end <= MAX_PREAMBLE_BYTES && !places.any(|place| place == self.separator) {
            return Ok(());
        }
        let why = "the text before the first part is too long or contains the boundary";
        Err(ScanError::InvalidForm(why, 0))
    }

    /// Reads the headers of a part.
    fn part(&self, start: usize) -> Result<FormPart<'a>, ScanError> {
        let end = start.saturating_add(MAX_PART_HEADER_BYTES);
        let block = self.body.get(start..end).unwrap_or(self.from(start));
        let mut headers = PartHeaders::default();
        let mut rest = block;
        loop {
            let at = position(self.body, rest);
            let (line, after) = rest.split_at_checked(line_length(rest)).unwrap_or_default();
            rest = after.strip_prefix(CRLF).ok_or(ScanError::InvalidForm(
                "a part's header is too long, or its line does not end with CRLF",
                at,
            ))?;
            if line.is_empty() {
                break;
            }
            // Some readers look for separators before they look for headers.
            if line.starts_with(&self.separator) {
                return Err(ScanError::InvalidForm(NO_SEPARATOR, at));
            }
            headers
                .take(line)
                .map_err(|why| ScanError::InvalidForm(why, at))?;
        }
        let why = "a part has no content-disposition with a name";
        Ok(FormPart {
            start,
            name: headers.name.ok_or(ScanError::InvalidForm(why, start))?,
            is_file: headers.is_file,
            is_encoded: headers.is_encoded,
            content: position(self.body, rest),
        })
    }
}

#[derive(Default)]
struct PartHeaders<'a> {
    name: Option<&'a [u8]>,
    is_file: bool,
    is_encoded: bool,
}

impl<'a> PartHeaders<'a> {
    /// Reads a header line; the error says what is wrong with it.
    fn take(&mut self, line: &'a [u8]) -> Result<(), &'static str> {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = colon
            .and_then(|colon| line.split_at_checked(colon))
            .filter(|(name, _)| !name.is_empty() && name.iter().all(|byte| is_token(*byte)))
            .ok_or("a part's header has no name, or is folded")?;
        if value
            .iter()
            .any(|byte| byte.is_ascii_control() && *byte != b'\t')
        {
            return Err("a part's header contains a control character");
        }
        let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
        if name.eq_ignore_ascii_case(b"content-disposition") {
            self.disposition(value)
        } else {
            self.is_encoded |= says_encoded(name, value);
            Ok(())
        }
    }

    fn disposition(&mut self, value: &'a [u8]) -> Result<(), &'static str> {
        let (word, parameters) = header_parameters::split(value);
        if self.name.is_some() || !word.eq_ignore_ascii_case(b"form-data") {
            return Err("a part's content-disposition is not form-data, or is given twice");
        }
        let mut has_name = false;
        for parameter in parameters {
            let parameter =
                parameter.map_err(|Malformed| "a part's content-disposition is malformed")?;
            if is_ambiguous(&parameter) {
                return Err("a part's content-disposition can be read in two ways");
            }
            if parameter.is("name") {
                if std::mem::replace(&mut has_name, true) {
                    return Err("a part has two names");
                }
                self.name = Some(parameter.value);
            }
            self.is_file |= parameter.is("filename") || parameter.is("filename*");
        }
        Ok(())
    }
}

/// Whether some readers take a parameter or its name for another one.
fn is_ambiguous(parameter: &Parameter<'_>) -> bool {
    let Parameter { name, value } = parameter;
    // RFC 2231: `name*` and, in pieces, `name*0`.
    let is_extended_name = name
        .get(..5)
        .is_some_and(|name| name.eq_ignore_ascii_case(b"name*"));
    let has = |text: &[u8]| value.windows(text.len()).any(|place| place == text);
    // A backslash may begin an escape, and RFC 2047 encodes with `=?`.
    let is_odd_name = parameter.is("name") && (value.contains(&b'\\') || has(b"=?"));
    // For readers that take the backslash literally, the quote after it ends the value, and a semicolon begins another
    // parameter.
    let is_open = has(b"\\\"") && value.contains(&b';');
    is_extended_name || is_odd_name || is_open
}

/// Whether a header says that the content is not the literal text.
fn says_encoded(name: &[u8], value: &[u8]) -> bool {
    if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
        let plain: [&[u8]; 3] = [b"7bit", b"8bit", b"binary"];
        return !plain.iter().any(|plain| value.eq_ignore_ascii_case(plain));
    }
    if !name.eq_ignore_ascii_case(b"content-type") {
        return false;
    }
    // Content in these charsets that is valid UTF-8 differs only in letters that no model name has.
    let plain: [&[u8]; 4] = [b"utf-8", b"utf8", b"us-ascii", b"iso-8859-1"];
    let (_, mut parameters) = header_parameters::split(value);
    parameters.any(|parameter| match parameter {
        Ok(one) => {
            one.is("charset")
                && !plain
                    .iter()
                    .any(|name| one.value.eq_ignore_ascii_case(name))
        }
        Err(Malformed) => true,
    })
}

/// A field that routing reads.
#[derive(Debug, Default)]
struct FieldOccurrence {
    /// The span of its value, if it is text under the field's exact name.
    value: Option<Range<usize>>,
    /// How often the name occurred, in any letter case, and where its last part begins.
    times: usize,
    last: usize,
}

#[derive(Debug, Default)]
struct RoutingFields {
    model: FieldOccurrence,
    stream: FieldOccurrence,
}

impl RoutingFields {
    fn take(&mut self, part: &FormPart<'_>, content: Range<usize>) {
        let Ok(name) = std::str::from_utf8(part.name) else {
            return;
        };
        for (known, seen) in [(MODEL, &mut self.model), (STREAM, &mut self.stream)] {
            if text::is_alike(name.trim(), known) {
                seen.times = seen.times.saturating_add(1);
                seen.last = part.start;
                // The value is literal text.
                let is_its_value = !part.is_file && !part.is_encoded && name == known;
                seen.value = is_its_value.then(|| content.clone());
            }
        }
    }

    fn view(self, body: &[u8], requirement: ModelRequirement) -> Result<BodyView, ScanError> {
        for (name, seen) in [(MODEL, &self.model), (STREAM, &self.stream)] {
            if seen.times > 1 {
                return Err(ScanError::Duplicate(name, seen.last));
            }
        }
        let model = match (self.model.times, requirement) {
            (0, ModelRequirement::Required) => return Err(ScanError::MissingModel),
            (0, ModelRequirement::Optional) => None,
            _ => Some(model(body, self.model.value).ok_or(ScanError::InvalidModel)?),
        };
        let stream = self.stream.value.and_then(|span| body.get(span));
        let stream = match stream {
            Some(value) if value.eq_ignore_ascii_case(b"true") => true,
            Some(value) if value.eq_ignore_ascii_case(b"false") => false,
            None if self.stream.times == 0 => false,
            _ => return Err(ScanError::InvalidStream),
        };
        Ok(BodyView {
            model,
            insert_at: None,
            stream,
            has_stream_options: false,
            state_reference: None,
            notation: Notation::Form,
            bom_length: 0,
        })
    }
}

/// Returns the model that the text in this span names.
fn model(body: &[u8], span: Option<Range<usize>>) -> Option<ModelField> {
    let span = span?;
    let name = std::str::from_utf8(body.get(span.clone())?).ok()?;
    let is_one = is_valid_name(name.len(), name) && !name.chars().any(char::is_control);
    is_one.then(|| ModelField {
        name: name.to_owned(),
        span,
    })
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]
#[path = "form_tests.rs"]
mod tests;
