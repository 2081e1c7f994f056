//! An event that is too large to be held, followed while its bytes pass: what is left of it in the end is read as any other event.

mod digest;

use super::json::line_length;
use digest::Digest;
pub(super) use digest::LeftOut;

/// How many bytes are kept of an event's name. No known one is as long.
const MAX_NAME_BYTES: usize = 4 * 1024;

/// The fields that mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Data,
    Event,
    Other,
}

/// Where in a line one is.
#[derive(Clone, Copy, Debug)]
enum Place {
    Name,
    /// Where a space may stand that is not the value's.
    BeforeValue(Field),
    Value(Field),
}

#[derive(Debug)]
pub(super) struct Large {
    place: Place,
    /// The name of the line's field, or as much of it as makes sure that it is none that means something.
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

    /// Its name.
    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    /// Its data, and what has been left out of them; `None`: it has none.
    pub(super) fn data(&self) -> Option<(&[u8], LeftOut<'_>)> {
        let digest = &self.digest;
        self.has_data.then(|| (digest.text(), digest.left_out()))
    }

    /// Takes the next of its bytes: lines with their names.
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

    /// There are no more of its bytes: the last line may lack its end.
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
                // Several lines are one text with line feeds.
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
            // A name alone has an empty value.
            Place::Name if !self.field.is_empty() => self.begin_value(self.field()),
            Place::BeforeValue(field) => self.begin_value(field),
            Place::Name | Place::Value(_) => {}
        }
        self.place = Place::Name;
        self.field.clear();
    }
}

/// The longest name of a field that means something.
const FIELD_BYTES: usize = b"event".len();
