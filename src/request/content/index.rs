//! An index of a body's top-level fields: a lookup by name does not slow down with the size of the body.

use std::borrow::Cow;
use std::ops::Range;

use super::super::form::walk_form;
use super::super::scan::{BYTE_ORDER_MARK, position};
use super::value::{decode_name, written_fields};

/// The fields, sorted by [`rank`]; of fields with the same name, the last one comes last.
#[derive(Clone, Default)]
pub(super) struct FieldIndex {
    entries: Vec<Entry>,
    /// Names that were written with escapes, decoded.
    decoded: Vec<u8>,
    /// The number of files in a form.
    pub(super) files: usize,
}

#[derive(Clone)]
struct Entry {
    name: Name,
    value: Range<usize>,
}

#[derive(Clone)]
enum Name {
    /// A name in the body.
    Written(Range<usize>),
    /// A name in `decoded`.
    Decoded(Range<usize>),
}

impl FieldIndex {
    /// Indexes the fields of a JSON object.
    pub(super) fn of_json(body: &[u8]) -> FieldIndex {
        let mut index = FieldIndex::default();
        let span = |part: &[u8]| {
            let start = position(body, part);
            start..start.saturating_add(part.len())
        };
        written_fields(without_mark(body), |key, value| {
            let name = match decode_name(key) {
                Some(Cow::Borrowed(_)) => Name::Written(span(key)),
                Some(Cow::Owned(name)) => {
                    let start = index.decoded.len();
                    index.decoded.extend_from_slice(&name);
                    Name::Decoded(start..index.decoded.len())
                }
                None => return,
            };
            let value = span(value);
            index.entries.push(Entry { name, value });
        });
        index.sort(body);
        index
    }

    /// Indexes the text fields of a form.
    pub(super) fn of_form(boundary: &[u8], body: &[u8]) -> FieldIndex {
        let mut index = FieldIndex::default();
        let _scanned = walk_form(boundary, body, |part, content| {
            if part.is_file {
                index.files = index.files.saturating_add(1);
                return;
            }
            let start = position(body, part.name);
            index.entries.push(Entry {
                name: Name::Written(start..start.saturating_add(part.name.len())),
                value: content,
            });
        });
        index.sort(body);
        index
    }

    fn sort(&mut self, body: &[u8]) {
        let mut entries = std::mem::take(&mut self.entries);
        // A stable sort, so that equal names keep their order.
        entries.sort_by(|a, b| rank(self.name(body, a)).cmp(&rank(self.name(body, b))));
        self.entries = entries;
    }

    fn name<'a>(&'a self, body: &'a [u8], entry: &Entry) -> &'a [u8] {
        let name = match &entry.name {
            Name::Written(span) => body.get(span.clone()),
            Name::Decoded(span) => self.decoded.get(span.clone()),
        };
        name.unwrap_or_default()
    }

    /// Returns the value of a field.
    pub(super) fn get<'a>(&self, body: &'a [u8], name: &str) -> Option<&'a [u8]> {
        let end = self
            .entries
            .partition_point(|entry| rank(self.name(body, entry)) <= rank(name.as_bytes()));
        let entry = self.entries.get(end.checked_sub(1)?)?;
        let is_it = self.name(body, entry) == name.as_bytes();
        body.get(entry.value.clone()).filter(|_| is_it)
    }
}

/// The sort key of a name; most names differ in length.
fn rank(name: &[u8]) -> (usize, &[u8]) {
    (name.len(), name)
}

/// Returns a body without its byte order mark, if it has one.
fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body)
}
