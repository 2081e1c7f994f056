//! Finds fields of an object in a body, by their names in any spelling.

use std::ops::Range;

use super::scan::position;
use super::text;
use crate::json::{JsonCursor, JsonResult};

/// A field of an object; positions are in the body.
#[derive(Debug)]
pub(super) struct Member<'a> {
    /// The name as it is written, without the quotes.
    pub(super) key: &'a [u8],
    pub(super) key_span: Range<usize>,
    /// The value as it is written.
    pub(super) value: &'a [u8],
    pub(super) value_span: Range<usize>,
    /// The index of the field in the object.
    pub(super) index: usize,
    /// The end of the previous field.
    pub(super) before: Option<usize>,
    /// The beginning of the next field.
    pub(super) after: Option<usize>,
}

impl Member<'_> {
    /// Returns the position of the quote that begins the name.
    pub(super) fn start(&self) -> usize {
        self.key_span.start.saturating_sub(1)
    }

    pub(super) fn end(&self) -> usize {
        self.value_span.end
    }

    /// Whether this is the exact name, with or without escapes.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.key == name.as_bytes() || text::decode(self.key).is_some_and(|key| key == name)
    }
}

/// An object, with the fields that were asked for.
#[derive(Debug)]
pub(super) struct Object<'a> {
    /// The position after its opening brace.
    pub(super) inside: usize,
    /// The number of its fields.
    pub(super) count: usize,
    /// The fields in the order of the body; no two have the same name in different spellings.
    pub(super) members: Vec<Member<'a>>,
}

/// Why an object cannot be changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ObjectError {
    /// Some reader takes two fields for the same one; the second begins here.
    DuplicateField(usize),
    /// It is not an object; the scan would have reported it.
    NotAnObject,
}

impl<'a> Object<'a> {
    /// Reads the object in this part of a body, with its fields that are wanted.
    pub(super) fn read(
        body: &'a [u8],
        part: &'a [u8],
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Self, ObjectError> {
        let mut json = JsonCursor::new(part);
        if json.peek() != Some(b'{') {
            return Err(ObjectError::NotAnObject);
        }
        let mut object = Object {
            inside: position(body, json.rest()).saturating_add(1),
            count: 0,
            members: Vec::new(),
        };
        let mut before = None;
        let mut twice = None;
        let walked = json.fields(|json, key| {
            let value = json.skip()?;
            let member = Member {
                key,
                key_span: span(body, key),
                value,
                value_span: span(body, value),
                index: object.count,
                before,
                after: None,
            };
            before = Some(member.end());
            object.take(member, wanted, &mut twice)
        });
        match (walked, twice) {
            (_, Some(at)) => Err(ObjectError::DuplicateField(at)),
            (Err(_), None) => Err(ObjectError::NotAnObject),
            (Ok(()), None) => Ok(object),
        }
    }

    fn take(
        &mut self,
        member: Member<'a>,
        wanted: &dyn Fn(&[u8]) -> bool,
        twice: &mut Option<usize>,
    ) -> JsonResult {
        self.count = self.count.saturating_add(1);
        if let Some(last) = self.members.last_mut()
            && last.index.saturating_add(1) == member.index
        {
            last.after = Some(member.start());
        }
        if twice.is_none() && wanted(member.key) {
            let mut known = self.members.iter();
            if known.any(|known| text::is_one_field(known.key, member.key)) {
                *twice = Some(member.start());
            } else {
                self.members.push(member);
            }
        }
        Ok(())
    }
}

fn span(body: &[u8], part: &[u8]) -> Range<usize> {
    let start = position(body, part);
    start..start.saturating_add(part.len())
}
