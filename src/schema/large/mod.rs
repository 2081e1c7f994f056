//! An event that is too large to be held: it is read while its bytes pass through, and the digest that is left is
//! then read like any other event.

mod digest;

use super::json::line_length;
use digest::JsonDigest;
pub(super) use digest::OmittedBytes;

/// The maximum number of bytes kept of an event's name. No known name is that long.
const MAX_NAME_BYTES: usize = 4 * 1024;

/// The fields that have a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SseField {
    Data,
    Event,
    Other,
}

/// The position within a line.
#[derive(Clone, Copy, Debug)]
enum LinePosition {
    Name,
    /// Where a space may follow that does not belong to the value.
    BeforeValue(SseField),
    Value(SseField),
}

#[derive(Debug)]
pub(super) struct LargeEvent {
    position: LinePosition,
    /// The name of the line's field, or enough of it to know that it has no meaning.
    field: Vec<u8>,
    /// The last byte was a CR.
    after_cr: bool,
    has_data: bool,
    name: Vec<u8>,
    digest: JsonDigest,
}

impl LargeEvent {
    pub(super) fn new() -> Self {
        LargeEvent {
            position: LinePosition::Name,
            field: Vec::new(),
            after_cr: false,
            has_data: false,
            name: Vec::new(),
            digest: JsonDigest::new(),
        }
    }

    /// Returns the event's name.
    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    /// Returns the event's data and what was left out of them; `None` if it has no data.
    pub(super) fn data(&self) -> Option<(&[u8], OmittedBytes<'_>)> {
        let digest = &self.digest;
        self.has_data.then(|| (digest.text(), digest.omitted()))
    }

    /// Takes the next bytes of the event: lines with their field names.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            let was_cr = std::mem::replace(&mut self.after_cr, *first == b'\r');
            let taken = match (self.position, first) {
                (_, b'\n') if was_cr => 1,
                (position, b'\n' | b'\r') => {
                    self.line_ends(position);
                    1
                }
                (LinePosition::Name, b':') => {
                    self.position = LinePosition::BeforeValue(self.field());
                    1
                }
                (LinePosition::Name, byte) => {
                    if self.field.len() <= FIELD_BYTES {
                        self.field.push(*byte);
                    }
                    1
                }
                (LinePosition::BeforeValue(field), byte) => {
                    self.begin_value(field);
                    usize::from(*byte == b' ')
                }
                (LinePosition::Value(field), _) => {
                    let run = line_length(rest);
                    self.value(field, rest.get(..run).unwrap_or_default());
                    run
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// Ends the event. Its last line may lack its end.
    pub(super) fn end(&mut self) {
        self.line_ends(self.position);
    }

    fn field(&self) -> SseField {
        match self.field.as_slice() {
            b"data" => SseField::Data,
            b"event" => SseField::Event,
            _ => SseField::Other,
        }
    }

    fn begin_value(&mut self, field: SseField) {
        self.position = LinePosition::Value(field);
        match field {
            SseField::Data => {
                // Several lines of data are one text, joined with line feeds.
                if std::mem::replace(&mut self.has_data, true) {
                    self.digest.push(b"\n");
                }
            }
            SseField::Event => self.name.clear(),
            SseField::Other => {}
        }
    }

    fn value(&mut self, field: SseField, run: &[u8]) {
        match field {
            SseField::Data => self.digest.push(run),
            SseField::Event => {
                let room = MAX_NAME_BYTES.saturating_sub(self.name.len());
                let kept = run.get(..room).unwrap_or(run);
                self.name.extend_from_slice(kept);
            }
            SseField::Other => {}
        }
    }

    fn line_ends(&mut self, position: LinePosition) {
        match position {
            // A field name alone has an empty value.
            LinePosition::Name if !self.field.is_empty() => self.begin_value(self.field()),
            LinePosition::BeforeValue(field) => self.begin_value(field),
            LinePosition::Name | LinePosition::Value(_) => {}
        }
        self.position = LinePosition::Name;
        self.field.clear();
    }
}

/// The length of the longest field name that has a meaning.
const FIELD_BYTES: usize = b"event".len();
