//! The JSON Schema of routes, their targets and fallback policies, and of `defaults`.

use serde_json::{Map, Value, json};

use super::values::{
    boolean, label, list, map, name, non_empty, number, one_of, one_or_many, price, reference,
};
use crate::attempt::{CooldownEffect, Failure, FailureAction, Hold};
use crate::config::{NAMED_SOURCES, STEERING_HEADERS, Strategy, fields};

pub(super) fn route(field: &str) -> Option<Value> {
    Some(match field {
        "name" | "stored_at" | "aggregate_cluster" => name(),
        "match" => reference("match"),
        "pass_through" => boolean(),
        "require" => {
            json!({"type": "object", "additionalProperties": one_or_many(label()), "minProperties": 1})
        }
        "max_prices" => reference("max_prices"),
        "strategy" => one_of(Strategy::ALL),
        "targets" => non_empty(json!({"anyOf": [reference("target"), reference("group")]})),
        "sticky" => sticky(),
        "fallback" => reference("fallback"),
        _ => return None,
    })
}

pub(super) fn max_prices(field: &str) -> Option<Value> {
    fields::MAX_PRICES.contains(&field).then(price)
}

pub(super) fn target(field: &str) -> Option<Value> {
    Some(match field {
        "backend" | "model" => name(),
        "weight" => number(),
        "parameters" => reference("parameters"),
        _ => return None,
    })
}

pub(super) fn parameters(field: &str) -> Option<Value> {
    Some(match field {
        "rename" => map(name()),
        "remove" => non_empty(name()),
        "set" => map(json!({})),
        "default" => map(json!({"not": {"type": "null"}})),
        "clamp" => map(reference("clamp")),
        _ => return None,
    })
}

pub(super) fn clamp(field: &str) -> Option<Value> {
    Some(match field {
        "min" | "max" => json!({"type": "number"}),
        _ => return None,
    })
}

pub(super) fn group(field: &str) -> Option<Value> {
    Some(match field {
        "strategy" => json!({"enum": ["weighted"]}),
        "targets" => non_empty(reference("target")),
        _ => return None,
    })
}

/// Returns the schema of a key source with a name.
fn key_source(field: &str) -> Value {
    json!({
        "type": "object",
        "properties": {field: name()},
        "required": [field],
        "additionalProperties": false,
    })
}

/// Returns the schema of a list of key sources.
fn sticky() -> Value {
    let each = fields::KEY_SOURCE.iter().map(|field| key_source(field));
    let kinds: Vec<Value> = [one_of(NAMED_SOURCES)].into_iter().chain(each).collect();
    json!({"type": "array", "items": {"anyOf": kinds}, "uniqueItems": true})
}

pub(super) fn fallback(field: &str) -> Option<Value> {
    Some(match field {
        "hold" => one_of(Hold::ALL),
        "malformed_events" => json!({"enum": ["pass", "drop"]}),
        "on_failure" => {
            let row = json!({"anyOf": [one_of(FailureAction::ALL), reference("on_failure")]});
            let names = Failure::ALL.iter().map(|failure| failure.name().to_owned());
            let rows: Map<String, Value> = names.map(|name| (name, row.clone())).collect();
            json!({"type": "object", "properties": rows, "additionalProperties": false})
        }
        "hold_limit_bytes"
        | "deadline_ms"
        | "attempt_timeout_ms"
        | "first_token_timeout_ms"
        | "idle_timeout_ms"
        | "patience_ms"
        | "max_attempts" => number(),
        _ => return None,
    })
}

pub(super) fn on_failure(field: &str) -> Option<Value> {
    Some(match field {
        "action" => one_of(FailureAction::ALL),
        "cooldown" => one_of(CooldownEffect::ALL),
        _ => return None,
    })
}

pub(super) fn cooldown(field: &str) -> Option<Value> {
    Some(match field {
        "enabled" => boolean(),
        "failures" | "window_ms" | "base_ms" | "max_ms" | "lease_ms" => number(),
        _ => return None,
    })
}

pub(super) fn defaults(field: &str) -> Option<Value> {
    Some(match field {
        "fallback" => reference("fallback"),
        "cooldown" => reference("cooldown"),
        "sticky" => sticky(),
        "response_headers" => boolean(),
        "telemetry" => reference("telemetry"),
        "page" => reference("page"),
        "allow_request_headers" => list(one_of(STEERING_HEADERS)),
        "mesh_gateways" => non_empty(name()),
        "max_body_bytes" | "missing_flag_timeout_ms" => number(),
        "cluster_header" => name(),
        _ => return None,
    })
}

pub(super) fn telemetry(field: &str) -> Option<Value> {
    Some(match field {
        "caller" => json!({"anyOf": [
            {"const": crate::routing::KeySource::Mesh.name()},
            key_source("header"),
            key_source("claim"),
        ]}),
        "callers" => non_empty(name()),
        "ask_for_usage" | "access_log" | "metrics" => boolean(),
        _ => return None,
    })
}

pub(super) fn page(field: &str) -> Option<Value> {
    Some(match field {
        "path" | "secret_header" => name(),
        "public" => boolean(),
        "secret_sha256" => json!({"type": "string", "pattern": "^[0-9a-fA-F]{64}$"}),
        _ => return None,
    })
}
