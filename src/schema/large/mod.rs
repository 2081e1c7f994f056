//! An event that is too large to be held: it is read while its bytes pass through, and the digest that is left is
//! then read like any other event.

mod digest;

use super::json::line_length;
use digest::Digest;
pub(super) use digest::LeftOut;

/// The maximum number of bytes kept of an event's name. No known name is that long.
const MAX_NAME_BYTES: usize = 4 * 1024;

/// The fields that have a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Data,
    Event,
    Other,
}

/// The position within a line.
#[derive(Clone, Copy, Debug)]
enum Place {
    Name,
    /// Where a space may follow that does not belong to the value.
    BeforeValue(Field),
    Value(Field),
}

#[derive(Debug)]
pub(super) struct Large {
    place: Place,
    /// The name of the line's field, or enough of it to know that it has no meaning.
    field: Vec<u8>,
    /// The last byte was a CR.
    after_cr: bool,
    has_data: bool,
    name: Vec<u8>,
    digest: Digest,
}

impl Large {
    pub(super) fn new() -> Self {
        Large {
            place: Place::Name,
            field: Vec::new(),
            after_cr: false,
            has_data: false,
            name: Vec::new(),
            digest: Digest::new(),
        }
    }

    /// Returns the event's name.
    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    /// Returns the event's data and what was left out of them; `None` if it has no data.
    pub(super) fn data(&self) -> Option<(&[u8], LeftOut<'_>)> {
        let digest = &self.digest;
        self.has_data.then(|| (digest.text(), digest.left_out()))
    }

    /// Takes the next bytes of the event: lines with their field names.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            let was_cr = std::mem::replace(&mut self.after_cr, *first == b'\r');
            let taken = match (self.place, first) {
                (_, b'\n') if was_cr => 1,
                (place, b'\n' | b'\r') => {
                    self.line_ends(place);
                    1
                }
                (Place::Name, b':') => {
                    self.place = Place::BeforeValue(self.field());
                    1
                }
                (Place::Name, byte) => {
                    if self.field.len() <= FIELD_BYTES {
                        self.field.push(*byte);
                    }
                    1
                }
                (Place::BeforeValue(field), byte) => {
                    self.begin_value(field);
                    usize::from(*byte == b' ')
                }
                (Place::Value(field), _) => {
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
        self.line_ends(self.place);
    }

    fn field(&self) -> Field {
        match self.field.as_slice() {
            b"data" => Field::Data,
            b"event" => Field::Event,
            _ => Field::Other,
        }
    }

    fn begin_value(&mut self, field: Field) {
        self.place = Place::Value(field);
        match field {
            Field::Data => {
                // Several lines of data are one text, joined with line feeds.
                if std::mem::replace(&mut self.has_data, true) {
                    self.digest.push(b"\n");
                }
            }
            Field::Event => self.name.clear(),
            Field::Other => {}
        }
    }

    fn value(&mut self, field: Field, run: &[u8]) {
        match field {
            Field::Data => self.digest.push(run),
            Field::Event => {
                let room = MAX_NAME_BYTES.saturating_sub(self.name.len());
                let kept = run.get(..room).unwrap_or(run);
                self.name.extend_from_slice(kept);
            }
            Field::Other => {}
        }
    }

    fn line_ends(&mut self, place: Place) {
        match place {
            // A field name alone has an empty value.
            Place::Name if !self.field.is_empty() => self.begin_value(self.field()),
            Place::BeforeValue(field) => self.begin_value(field),
            Place::Name | Place::Value(_) => {}
        }
        self.place = Place::Name;
        self.field.clear();
    }
}

/// The length of the longest field name that has a meaning.
const FIELD_BYTES: usize = b"event".len();
