//! Decodes the binary form of `google.protobuf.Struct`, in which Envoy hands a filter its configuration when it is
//! written as native YAML.
//!
//! Source: `google/protobuf/struct.proto` and the protobuf encoding. Entries of a Struct have no particular order (they
//! are a protobuf map); lists keep theirs.

use super::tree::Tree;

/// How deeply a Struct may nest. A document needs about ten levels.
pub(super) const MAX_DEPTH: usize = 64;

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;

/// Decodes the bytes of a `google.protobuf.Struct`; `None` if they are anything else.
pub(super) fn decode(bytes: &[u8]) -> Option<Tree> {
    structure(bytes, MAX_DEPTH)
}

/// Decodes the Struct of one name from the bytes of an `envoy.config.core.v3.Metadata`, of which only `map<string,
/// google.protobuf.Struct> filter_metadata = 1` is read; `None` if there is none.
pub(super) fn in_metadata(bytes: &[u8], name: &str) -> Option<Tree> {
    let mut fields = Fields { rest: bytes };
    while let Some((number, field)) = fields.next()? {
        let (1, Field::Bytes(entry)) = (number, field) else {
            continue;
        };
        let mut parts = Fields { rest: entry };
        let (mut key, mut value) = (&[][..], &[][..]);
        while let Some((number, field)) = parts.next()? {
            match (number, field) {
                (1, Field::Bytes(bytes)) => key = bytes,
                (2, Field::Bytes(bytes)) => value = bytes,
                _ => return None,
            }
        }
        if key == name.as_bytes() {
            return structure(value, MAX_DEPTH);
        }
    }
    None
}

enum Field<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
}

struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Returns the next field's number and value; `Some(None)` at the end, `None` if the bytes are not a protobuf
    /// message that a Struct can contain.
    fn next(&mut self) -> Option<Option<(u64, Field<'a>)>> {
        if self.rest.is_empty() {
            return Some(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            VARINT => Field::Varint(self.varint()?),
            FIXED64 => Field::Fixed64(self.take(8)?.try_into().ok()?),
            LENGTH_DELIMITED => {
                let length = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.take(length)?)
            }
            _ => return None,
        };
        Some(Some((key >> 3, value)))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

/// Decodes `Struct { map<string, Value> fields = 1; }`.
fn structure(bytes: &[u8], depth: usize) -> Option<Tree> {
    let depth = depth.checked_sub(1)?;
    let mut fields = Fields { rest: bytes };
    let mut map = Vec::new();
    while let Some((number, field)) = fields.next()? {
        let (1, Field::Bytes(entry)) = (number, field) else {
            return None;
        };
        map.push(map_entry(entry, depth)?);
    }
    Some(Tree::Map(map))
}

/// Decodes a map entry, a message `{ string key = 1; Value value = 2; }`; an empty field is absent.
fn map_entry(bytes: &[u8], depth: usize) -> Option<(String, Tree)> {
    let mut fields = Fields { rest: bytes };
    let (mut key, mut value) = (String::new(), Tree::Null);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(bytes)) => key = text(bytes)?,
            (2, Field::Bytes(bytes)) => value = self::value(bytes, depth)?,
            _ => return None,
        }
    }
    Some((key, value))
}

/// Decodes `Value { oneof kind { null_value = 1; number_value = 2; string_value = 3; bool_value = 4; struct_value = 5;
/// list_value = 6; } }`.
fn value(bytes: &[u8], depth: usize) -> Option<Tree> {
    let mut fields = Fields { rest: bytes };
    let mut value = Tree::Null;
    while let Some((number, field)) = fields.next()? {
        value = match (number, field) {
            (1, Field::Varint(_)) => Tree::Null,
            (2, Field::Fixed64(bytes)) => Tree::Number(f64::from_le_bytes(bytes)),
            (3, Field::Bytes(bytes)) => Tree::Text(text(bytes)?),
            (4, Field::Varint(flag)) => Tree::Bool(flag != 0),
            (5, Field::Bytes(bytes)) => structure(bytes, depth)?,
            (6, Field::Bytes(bytes)) => list(bytes, depth)?,
            _ => return None,
        };
    }
    Some(value)
}

/// Decodes `ListValue { repeated Value values = 1; }`.
fn list(bytes: &[u8], depth: usize) -> Option<Tree> {
    let depth = depth.checked_sub(1)?;
    let mut fields = Fields { rest: bytes };
    let mut list = Vec::new();
    while let Some((number, field)) = fields.next()? {
        let (1, Field::Bytes(item)) = (number, field) else {
            return None;
        };
        list.push(value(item, depth)?);
    }
    Some(Tree::List(list))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encoded by the reference implementation: the `Struct` of `{"a": [1.5, true, null], "b": {"c": "é"}}`, fields in
    /// that order.
    const REFERENCE: &[u8] = b"\x0a\x1a\x0a\x01a\x12\x15\x32\x13\
        \x0a\x09\x11\x00\x00\x00\x00\x00\x00\xf8\x3f\
        \x0a\x02\x20\x01\x0a\x02\x08\x00\
        \x0a\x10\x0a\x01b\x12\x0b\x2a\x09\x0a\x07\x0a\x01c\x12\x02\x1a\x00";

    #[test]
    fn decodes_every_kind() {
        let tree = decode(REFERENCE).unwrap();
        let expected = Tree::Map(vec![
            (
                "a".into(),
                Tree::List(vec![Tree::Number(1.5), Tree::Bool(true), Tree::Null]),
            ),
            (
                "b".into(),
                Tree::Map(vec![("c".into(), Tree::Text(String::new()))]),
            ),
        ]);
        assert_eq!(tree, expected);
    }

    #[test]
    fn truncated_bytes_are_refused() {
        for end in 1..REFERENCE.len() {
            // Cut exactly between its two entries, it is a complete, smaller Struct.
            assert_eq!(
                decode(&REFERENCE[..end]).is_some(),
                end == 28,
                "cut at {end}"
            );
        }
    }

    #[test]
    fn one_namespace_of_metadata() {
        let mut bytes = Vec::new();
        // A namespace whose value is not a Struct, and typed metadata: neither is read.
        push_entry(&mut bytes, 0x0a, b"other", b"\xff");
        push_entry(&mut bytes, 0x12, b"mine", b"\xff");
        push_entry(&mut bytes, 0x0a, b"mine", REFERENCE);
        assert_eq!(in_metadata(&bytes, "mine"), decode(REFERENCE));
        assert_eq!(in_metadata(&bytes, "other"), None);
        assert_eq!(in_metadata(&bytes, "none"), None);
        assert_eq!(in_metadata(b"", "mine"), None);
        for end in 1..bytes.len() {
            assert_eq!(in_metadata(&bytes[..end], "mine"), None, "cut at {end}");
        }
    }

    fn push_entry(out: &mut Vec<u8>, field: u8, key: &[u8], value: &[u8]) {
        let mut entry = Vec::new();
        for (field, bytes) in [(0x0a, key), (0x12, value)] {
            entry.push(field);
            push_varint(&mut entry, bytes.len());
            entry.extend_from_slice(bytes);
        }
        out.push(field);
        push_varint(out, entry.len());
        out.extend_from_slice(&entry);
    }

    #[test]
    fn nesting_is_bounded() {
        let mut bytes = Vec::new();
        for _ in 0..60 {
            // Wrap it in one more list: Value{list_value: ListValue{values: [..]}}, lengths as varints.
            let mut item = vec![0x0a];
            push_varint(&mut item, bytes.len());
            item.extend_from_slice(&bytes);
            let mut value = vec![0x32];
            push_varint(&mut value, item.len());
            value.extend_from_slice(&item);
            bytes = value;
        }
        assert!(value(&bytes, MAX_DEPTH).is_some());
        assert!(value(&bytes, 59).is_none());
    }

    fn push_varint(out: &mut Vec<u8>, mut value: usize) {
        while value >= 0x80 {
            out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
            value >>= 7;
        }
        out.push(u8::try_from(value).unwrap());
    }
}
