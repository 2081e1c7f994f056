//! The untyped document: a tree of plain values, independent of the encoding in which it arrived.
//!
//! Unlike `serde_json::Value`, a [`Tree`] keeps the order and all entries of a map, so that a name that occurs twice
//! can be reported instead of being lost. Every number is an `f64`, the only number type of a `google.protobuf.Struct`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::protobuf_struct;

/// One value of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any number.
    Number(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Tree>),
    /// A map: its entries in the order of the document. Names need not be unique.
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// How many lists and maps may be nested in a `google.protobuf.Struct`.
    pub const MAX_DEPTH: usize = protobuf_struct::MAX_DEPTH;

    /// Decodes the bytes of a `google.protobuf.Struct`; `None` if they are anything else.
    pub fn from_protobuf(bytes: &[u8]) -> Option<Tree> {
        protobuf_struct::decode(bytes)
    }

    /// Decodes the Struct of one name from the bytes of an `envoy.config.core.v3.Metadata`; `None` if there is none.
    pub fn from_metadata(bytes: &[u8], name: &str) -> Option<Tree> {
        protobuf_struct::in_metadata(bytes, name)
    }

    /// Returns the number where the document requires one. Of the numbers in its YAML, Envoy leaves only whole ones of
    /// 32 bits as numbers in a Struct; all others arrive as text and are read as the number that was written.
    pub fn number(&self) -> Option<f64> {
        self.number_in_body().or_else(|| self.wide_number())
    }

    /// Returns the number where text would be valid too. A whole number in quotes is text, and one of more than 32 bits
    /// cannot be distinguished from it.
    fn number_in_body(&self) -> Option<f64> {
        match self {
            Tree::Number(value) => Some(*value),
            Tree::Text(text) => written_fraction(text),
            _ => None,
        }
    }

    /// Returns the whole number of more than 32 bits that this text may have been.
    pub fn wide_number(&self) -> Option<f64> {
        match self {
            Tree::Text(text) => wide_whole(text),
            _ => None,
        }
    }

    /// Returns the value for a JSON body: text that Envoy made of a number becomes the number again.
    pub fn in_body(&self) -> Value {
        match self {
            Tree::List(items) => items.iter().map(Tree::in_body).collect(),
            Tree::Map(entries) => entries
                .iter()
                .map(|(name, value)| (name.as_str(), value.in_body()))
                .collect(),
            one => match one.number_in_body() {
                Some(number) => Value::from(&Tree::Number(number)),
                None => Value::from(one),
            },
        }
    }

    /// Returns the kind of value with an article, for error messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Tree::Null => "null",
            Tree::Bool(_) => "a boolean",
            Tree::Number(_) => "a number",
            Tree::Text(_) => "text",
            Tree::List(_) => "a list",
            Tree::Map(_) => "a map",
        }
    }
}

/// Parses text that YAML would read as a number that is not whole.
fn written_fraction(text: &str) -> Option<f64> {
    let is_plain = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    let has_fraction = text.bytes().any(|byte| b".eE".contains(&byte));
    if !has_fraction || !text.bytes().all(is_plain) {
        return None;
    }
    text.parse().ok()
}

/// Parses text that Envoy may have made of a whole number of more than 32 bits.
#[expect(
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "more than 2^53 is no number of JSON's that all would read alike"
)]
fn wide_whole(text: &str) -> Option<f64> {
    let number: i64 = text.parse().ok()?;
    let is_wide = i32::try_from(number).is_err() && number.to_string() == text;
    is_wide.then_some(number as f64)
}

impl From<&Tree> for Value {
    fn from(tree: &Tree) -> Value {
        match tree {
            Tree::Null => Value::Null,
            Tree::Bool(value) => Value::Bool(*value),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::as_conversions,
                reason = "whole, and below what an f64 counts exactly"
            )]
            Tree::Number(value) if value.fract() == 0.0 && value.abs() < 9e15 => {
                Value::from(*value as i64)
            }
            Tree::Number(value) => Value::from(*value),
            Tree::Text(text) => Value::from(text.as_str()),
            Tree::List(items) => items.iter().map(Value::from).collect(),
            Tree::Map(entries) => entries
                .iter()
                .map(|(name, value)| (name.as_str(), Value::from(value)))
                .collect(),
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::as_conversions,
        reason = "a document's numbers are small; one that is not fails its range check"
    )]
    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value as f64))
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::as_conversions,
        reason = "a document's numbers are small; one that is not fails its range check"
    )]
    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Tree::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_envoy_makes_of_numbers() {
        for (text, number) in [
            ("0.5", 0.5),
            ("-2.25", -2.25),
            (".5", 0.5),
            ("1.0", 1.0),
            ("1e3", 1000.0),
            ("+1.5E-1", 0.15),
        ] {
            assert_eq!(Tree::Text(text.into()).number(), Some(number), "{text}");
        }
        for (text, number) in [
            ("2147483648", 2_147_483_648.0),
            ("-2147483649", -2_147_483_649.0),
            ("9007199254740993", 9_007_199_254_740_992.0),
        ] {
            let tree = Tree::Text(text.into());
            assert_eq!(tree.number(), Some(number), "{text}");
            // The number may have been written in quotes.
            assert_eq!(tree.in_body(), Value::from(text));
        }
        // Other whole numbers arrive as numbers; if they are text, they were written in quotes.
        for text in [
            "10",
            "2147483647",
            "-2147483648",
            "02147483648",
            "+2147483648",
            "2147483648 ",
            "9223372036854775808",
            "",
            ".",
            "e",
            "1.5%",
            "0x1.8",
            "1.5.1",
            "nan",
            "inf",
            " 0.5",
        ] {
            assert_eq!(Tree::Text(text.into()).number(), None, "{text}");
        }
    }
}
