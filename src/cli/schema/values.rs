//! The JSON Schemas of single values, such as names, numbers and patterns.

use serde_json::{Value, json};

pub(super) fn name() -> Value {
    json!({"type": "string", "minLength": 1})
}

pub(super) fn text() -> Value {
    json!({"type": "string"})
}

pub(super) fn boolean() -> Value {
    json!({"type": "boolean"})
}

pub(super) fn number() -> Value {
    json!({"type": "integer", "minimum": 0})
}

pub(super) fn price() -> Value {
    json!({"type": "number", "minimum": 0})
}

pub(super) fn label() -> Value {
    json!({"anyOf": [name(), {"type": ["number", "boolean"]}]})
}

pub(super) fn reference(shape: &str) -> Value {
    json!({"$ref": format!("#/$defs/{shape}")})
}

pub(super) fn list(of: Value) -> Value {
    json!({"type": "array", "items": of})
}

pub(super) fn non_empty(of: Value) -> Value {
    json!({"type": "array", "items": of, "minItems": 1})
}

pub(super) fn one_or_many(of: Value) -> Value {
    json!({"anyOf": [of.clone(), non_empty(of)]})
}

pub(super) fn map(of: Value) -> Value {
    json!({"type": "object", "additionalProperties": of})
}

pub(super) fn filled_map(of: Value) -> Value {
    json!({"type": "object", "additionalProperties": of, "minProperties": 1, "propertyNames": {"minLength": 1}})
}

pub(super) fn one_of<T>(names: impl IntoIterator<Item = (&'static str, T)>) -> Value {
    let names: Vec<&str> = names.into_iter().map(|(name, _)| name).collect();
    json!({"enum": names})
}
