//! The JSON Schema of matches.

use serde_json::{Value, json};

use super::values::{
    boolean, filled_map, map, name, non_empty, number, one_of, one_or_many, reference,
};
use crate::config::PARTS;
use crate::prompt::Script;
use crate::routing::WEEKDAYS;

pub(super) fn condition(field: &str) -> Option<Value> {
    Some(match field {
        "model" | "path" | "method" => one_or_many(name()),
        "headers" => map(one_or_many(name())),
        "stream" | "tools" | "tool_results" | "images" | "audio" | "files" | "json_schema" => {
            boolean()
        }
        "body" => json!({
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"anyOf": [one_or_many(scalar()), reference("field")]},
        }),
        "turns" | "prompt_bytes" | "prompt_tokens" => {
            json!({"anyOf": [number(), reference("bounds")]})
        }
        "system_prompt" => json!({"anyOf": [boolean(), reference("system_prompt")]}),
        "prompt" => reference("prompt"),
        "script" => one_or_many(one_of(Script::ALL)),
        "query" | "claims" => filled_map(one_or_many(name())),
        "mesh" => reference("mesh"),
        "time" => reference("time"),
        "percent" => json!({"type": "number", "minimum": 0, "maximum": 100}),
        "any" | "all" => non_empty(reference("match")),
        "not" => reference("match"),
        _ => return None,
    })
}

fn scalar() -> Value {
    json!({"type": ["string", "number", "boolean"]})
}

/// Returns the schema of a field in the test of a body field.
pub(super) fn field(field: &str) -> Option<Value> {
    Some(match field {
        "min" | "max" => json!({"type": "number"}),
        "regex" => name(),
        "exists" => boolean(),
        _ => return None,
    })
}

pub(super) fn mesh(field: &str) -> Option<Value> {
    Some(match field {
        "trust_domain" | "namespace" | "service_account" => one_or_many(name()),
        _ => return None,
    })
}

pub(super) fn bounds(field: &str) -> Option<Value> {
    matches!(field, "min" | "max").then(number)
}

/// Returns the schema of a field in a text pattern.
pub(super) fn prompt(field: &str) -> Option<Value> {
    Some(match field {
        "words" | "phrases" => one_or_many(name()),
        "regex" => name(),
        "in" => one_of(PARTS),
        "case_sensitive" | "whole_words" => boolean(),
        _ => return None,
    })
}

pub(super) fn time(field: &str) -> Option<Value> {
    Some(match field {
        "from" | "to" => {
            json!({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"})
        }
        "weekdays" => one_or_many(one_of(WEEKDAYS.map(|day| (day, ())))),
        "utc_offset" => json!({"type": "string", "pattern": "^[+-][01][0-9]:[0-5][0-9]$"}),
        _ => return None,
    })
}

pub(super) fn system_prompt(field: &str) -> Option<Value> {
    prompt(field).filter(|_| field != "in")
}
