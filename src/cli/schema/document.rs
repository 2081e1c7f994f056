//! The JSON Schema of the document itself, its backends and its tests.

use serde_json::{Map, Value, json};

use super::values::{
    boolean, label, list, map, name, non_empty, number, one_of, one_or_many, price, reference, text,
};
use crate::config::{Capability, fields};
use crate::schema::{ErrorCode, Schema};

pub(super) fn document(field: &str) -> Option<Value> {
    Some(match field {
        "backends" => non_empty(reference("backend")),
        "routes" => non_empty(reference("route")),
        "aliases" => map(name()),
        "defaults" => reference("defaults"),
        "tests" => non_empty(reference("test")),
        "enforce_tests" => boolean(),
        _ => return None,
    })
}

pub(super) fn backend(field: &str) -> Option<Value> {
    Some(match field {
        "name" | "cluster" | "host" | "path_template" => name(),
        "path_prefix" => text(),
        "schema" => one_of(Schema::ALL.map(|schema| (schema.name(), ()))),
        "set_headers" => map(text()),
        "remove_headers" | "allow_headers" => list(name()),
        "forward_client_credentials" | "ask_for_usage" => boolean(),
        "labels" => map(label()),
        "models" => non_empty(reference("model")),
        _ => return None,
    })
}

pub(super) fn model(field: &str) -> Option<Value> {
    Some(match field {
        "name" | "upstream_name" => name(),
        "context_window" | "max_output_tokens" => number(),
        "capabilities" => list(one_of(Capability::ALL)),
        "prices" => reference("prices"),
        "labels" => map(label()),
        _ => return None,
    })
}

pub(super) fn prices(field: &str) -> Option<Value> {
    fields::PRICES.contains(&field).then(price)
}

pub(super) fn test(field: &str) -> Option<Value> {
    Some(match field {
        "name" => name(),
        "request" => reference("request"),
        "expect" => reference("expect"),
        _ => return None,
    })
}

pub(super) fn request(field: &str) -> Option<Value> {
    Some(match field {
        "model" => text(),
        "path" | "method" | "file" | "time" => name(),
        "claims" => json!({"type": "object"}),
        "mesh" => {
            let parts = fields::MESH.iter().map(|part| ((*part).to_owned(), name()));
            let parts: Map<String, Value> = parts.collect();
            let required = fields::MESH;
            json!({"type": "object", "properties": parts, "required": required, "additionalProperties": false})
        }
        "stream" => boolean(),
        "headers" => map(one_or_many(text())),
        "body" => json!({"type": ["object", "string"]}),
        _ => return None,
    })
}

pub(super) fn expect(field: &str) -> Option<Value> {
    Some(match field {
        "route" | "target" => name(),
        "plan" | "left_out" => list(name()),
        "error" => one_of(ErrorCode::ALL.iter().map(|code| (code.name(), ()))),
        _ => return None,
    })
}
