//! Target: the bytes of a Struct, as which Envoy hands over a configuration, decode to the same value as its JSON.
//!
//! The input is JSON, which is encoded here, or the bytes of a Struct.

use llm_router::config::{Document, Tree};

use super::json::{self, ParsedJson};

pub fn run(input: &[u8]) {
    if let ParsedJson::Valid(tree @ Tree::Map(_)) = json::read(input) {
        let mut bytes = Vec::new();
        structure(&tree, &mut bytes);
        // Every map and every list is a level.
        let expected = (depth(&tree) <= 64).then_some(tree);
        assert_eq!(Tree::from_protobuf(&bytes), expected);
    }
    if let Some(tree) = Tree::from_protobuf(input) {
        let mut bytes = Vec::new();
        structure(&tree, &mut bytes);
        let again = Tree::from_protobuf(&bytes).expect("it was one before");
        // `NaN` is not equal to itself.
        assert_eq!(format!("{again:?}"), format!("{tree:?}"));
    }
    let _ = Document::load(input);
}

fn depth(tree: &Tree) -> usize {
    match tree {
        Tree::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Tree::Map(entries) => {
            1 + entries
                .iter()
                .map(|(_, value)| depth(value))
                .max()
                .unwrap_or(0)
        }
        _ => 0,
    }
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Writes a field with a length.
fn field(number: u64, bytes: &[u8], out: &mut Vec<u8>) {
    varint(number << 3 | 2, out);
    varint(u64::try_from(bytes.len()).expect("64 bits"), out);
    out.extend_from_slice(bytes);
}

/// Writes a message with the content that `write` writes.
fn message(number: u64, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    write(&mut inner);
    field(number, &inner, out);
}

fn structure(tree: &Tree, out: &mut Vec<u8>) {
    let Tree::Map(entries) = tree else {
        panic!("a Struct is a map");
    };
    for (key, value) in entries {
        message(1, out, |out| {
            field(1, key.as_bytes(), out);
            message(2, out, |out| self::value(value, out));
        });
    }
}

fn value(tree: &Tree, out: &mut Vec<u8>) {
    match tree {
        Tree::Null => out.extend_from_slice(&[1 << 3, 0]),
        Tree::Number(number) => {
            out.push(2 << 3 | 1);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Tree::Text(text) => field(3, text.as_bytes(), out),
        Tree::Bool(flag) => out.extend_from_slice(&[4 << 3, u8::from(*flag)]),
        Tree::Map(_) => message(5, out, |out| structure(tree, out)),
        Tree::List(items) => message(6, out, |out| {
            for item in items {
                message(1, out, |out| value(item, out));
            }
        }),
    }
}
