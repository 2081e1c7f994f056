//! `schema`: the document's JSON Schema, for editors.
//!
//! The fields of each map are those that the code reads ([`fields`]), what they mean and which are required is what
//! docs/configuration.md says, which a test compares with the code. Here is only what kind of value each has.

use serde_json::{Map, Value, json};

use crate::attempt::{Action, Cooldown, Failure, Hold};
use crate::config::{Capability, NAMED_SOURCES, PARTS, STEERING_HEADERS, Strategy, fields};
use crate::prompt::Script;
use crate::routing::WEEKDAYS;
use crate::schema::{ErrorCode, Schema};

/// One kind of map of the document.
struct Shape {
    name: &'static str,
    fields: &'static [&'static str],
    /// What stands before its fields in the documentation.
    documented: &'static str,
    /// What kind of value a field has.
    kind: fn(&str) -> Option<Value>,
    /// Whether at least one field must stand there.
    never_empty: bool,
}

const SHAPES: &[Shape] = &[
    Shape::new("document", fields::DOCUMENT, "", document),
    Shape::new("backend", fields::BACKEND, "backends[].", backend),
    Shape::new("model", fields::MODEL, "backends[].models[].", model),
    Shape::new(
        "prices",
        fields::PRICES,
        "backends[].models[].prices.",
        prices,
    )
    .never_empty(),
    Shape::new("route", fields::ROUTE, "routes[].", route),
    Shape::new(
        "max_prices",
        fields::MAX_PRICES,
        "routes[].max_prices.",
        max_prices,
    )
    .never_empty(),
    Shape::new("match", fields::MATCH, "match.", condition).never_empty(),
    Shape::new("field", fields::FIELD, "field.", field).never_empty(),
    Shape::new("bounds", fields::BOUNDS, "bounds.", bounds).never_empty(),
    Shape::new("prompt", fields::PROMPT, "prompt.", prompt).never_empty(),
    Shape::new(
        "system_prompt",
        fields::SYSTEM_PROMPT,
        "prompt.",
        system_prompt,
    )
    .never_empty(),
    Shape::new("mesh", fields::MESH, "mesh.", mesh).never_empty(),
    Shape::new("time", fields::TIME, "time.", time).never_empty(),
    Shape::new("target", fields::TARGET, "routes[].targets[].", target),
    Shape::new(
        "parameters",
        fields::PARAMETERS,
        "routes[].targets[].parameters.",
        parameters,
    )
    .never_empty(),
    Shape::new(
        "clamp",
        fields::CLAMP,
        "routes[].targets[].parameters.clamp.*.",
        clamp,
    )
    .never_empty(),
    Shape::new("group", fields::GROUP, "routes[].targets[].", group),
    Shape::new("fallback", fields::FALLBACK, "fallback.", fallback),
    Shape::new("on_failure", fields::ON_FAILURE, "on_failure.", on_failure).never_empty(),
    Shape::new("cooldown", fields::COOLDOWN, "cooldown.", cooldown),
    Shape::new(
        "telemetry",
        fields::TELEMETRY,
        "defaults.telemetry.",
        telemetry,
    ),
    Shape::new("defaults", fields::DEFAULTS, "defaults.", defaults),
    Shape::new("test", fields::TEST, "tests[].", test),
    Shape::new("request", fields::TEST_REQUEST, "tests[].request.", request),
    Shape::new("expect", fields::EXPECT, "tests[].expect.", expect).never_empty(),
];

impl Shape {
    const fn new(
        name: &'static str,
        fields: &'static [&'static str],
        documented: &'static str,
        kind: fn(&str) -> Option<Value>,
    ) -> Shape {
        Shape {
            name,
            fields,
            documented,
            kind,
            never_empty: false,
        }
    }

    const fn never_empty(mut self) -> Shape {
        self.never_empty = true;
        self
    }

    fn schema(&self, rows: &[Row<'_>]) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in self.fields {
            let mut kind = (self.kind)(field).unwrap_or_else(|| json!({}));
            let path = format!("{}{field}", self.documented);
            if let Some(row) = rows.iter().find(|row| row.path == path) {
                if let Value::Object(kind) = &mut kind {
                    kind.insert("description".to_owned(), row.description().into());
                }
                if row.required {
                    required.push(*field);
                }
            }
            properties.insert((*field).to_owned(), kind);
        }
        let mut schema = json!({
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        });
        if let Value::Object(schema) = &mut schema {
            if !required.is_empty() {
                schema.insert("required".to_owned(), required.into());
            }
            if self.never_empty {
                schema.insert("minProperties".to_owned(), 1.into());
            }
        }
        schema
    }
}

/// The whole of it.
pub(super) fn schema() -> Value {
    let rows = rows();
    let shapes = SHAPES.iter();
    let definitions: Map<String, Value> = shapes
        .map(|shape| (shape.name.to_owned(), shape.schema(&rows)))
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "llm-router",
        "$ref": "#/$defs/document",
        "$defs": definitions,
    })
}

/// A field in the documentation.
struct Row<'a> {
    path: String,
    required: bool,
    default: &'a str,
    meaning: &'a str,
}

impl Row<'_> {
    fn description(&self) -> String {
        let mut text = without_links(self.meaning);
        if !self.default.is_empty() {
            text.push_str(" Default: ");
            text.push_str(&without_links(self.default));
            text.push('.');
        }
        text
    }
}

fn rows() -> Vec<Row<'static>> {
    let docs = include_str!("../../docs/configuration.md");
    let table = |name: &str| {
        let start = format!("<!-- table: {name} -->\n");
        let table = docs.split_once(&start).map_or("", |(_, table)| table);
        let lines = table.lines().take_while(|line| line.starts_with('|'));
        lines.skip(2).collect::<Vec<&str>>()
    };
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim);
    let mut rows = Vec::new();
    for line in table("fields") {
        let cells: Vec<&str> = cells(line).collect();
        if let [path, required, default, meaning] = cells.as_slice() {
            rows.push(Row {
                path: path.trim_matches('`').to_owned(),
                required: *required == "yes",
                default,
                meaning,
            });
        }
    }
    for shape in ["match", "field", "bounds", "prompt", "mesh", "time"] {
        for line in table(shape) {
            let cells: Vec<&str> = cells(line).collect();
            let (name, default, meaning) = match cells.as_slice() {
                [name, meaning] => (name, "", meaning),
                [name, default, meaning] => (name, *default, meaning),
                _ => continue,
            };
            rows.push(Row {
                path: format!("{shape}.{}", name.trim_matches('`')),
                required: false,
                default,
                meaning,
            });
        }
    }
    rows
}

/// Text of the documentation as an editor shows it: `[text](link)` is `text`.
fn without_links(text: &str) -> String {
    let mut parts = text.split("](");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // What the link was around begins at the last bracket.
        if let Some(at) = out.rfind('[') {
            out.remove(at);
        }
        out.push_str(part.split_once(')').map_or(part, |(_, rest)| rest));
    }
    out.replace('`', "")
}

fn name() -> Value {
    json!({"type": "string", "minLength": 1})
}

fn text() -> Value {
    json!({"type": "string"})
}

fn boolean() -> Value {
    json!({"type": "boolean"})
}

fn number() -> Value {
    json!({"type": "integer", "minimum": 0})
}

fn price() -> Value {
    json!({"type": "number", "minimum": 0})
}

fn label() -> Value {
    json!({"anyOf": [name(), {"type": ["number", "boolean"]}]})
}

fn of(shape: &str) -> Value {
    json!({"$ref": format!("#/$defs/{shape}")})
}

fn list(of: Value) -> Value {
    json!({"type": "array", "items": of})
}

fn non_empty(of: Value) -> Value {
    json!({"type": "array", "items": of, "minItems": 1})
}

fn one_or_many(of: Value) -> Value {
    json!({"anyOf": [of.clone(), non_empty(of)]})
}

fn map(of: Value) -> Value {
    json!({"type": "object", "additionalProperties": of})
}

fn filled_map(of: Value) -> Value {
    json!({"type": "object", "additionalProperties": of, "minProperties": 1, "propertyNames": {"minLength": 1}})
}

fn one_of<T>(names: impl IntoIterator<Item = (&'static str, T)>) -> Value {
    let names: Vec<&str> = names.into_iter().map(|(name, _)| name).collect();
    json!({"enum": names})
}

fn document(field: &str) -> Option<Value> {
    Some(match field {
        "backends" => non_empty(of("backend")),
        "routes" => non_empty(of("route")),
        "aliases" => map(name()),
        "defaults" => of("defaults"),
        "tests" => non_empty(of("test")),
        "enforce_tests" => boolean(),
        _ => return None,
    })
}

fn backend(field: &str) -> Option<Value> {
    Some(match field {
        "name" | "cluster" | "host" | "path_template" => name(),
        "path_prefix" => text(),
        "schema" => one_of(Schema::ALL.map(|schema| (schema.name(), ()))),
        "set_headers" => map(text()),
        "remove_headers" | "allow_headers" => list(name()),
        "forward_client_credentials" | "ask_for_usage" => boolean(),
        "labels" => map(label()),
        "models" => non_empty(of("model")),
        _ => return None,
    })
}

fn model(field: &str) -> Option<Value> {
    Some(match field {
        "name" | "upstream_name" => name(),
        "context_window" | "max_output_tokens" => number(),
        "capabilities" => list(one_of(Capability::ALL)),
        "prices" => of("prices"),
        "labels" => map(label()),
        _ => return None,
    })
}

fn prices(field: &str) -> Option<Value> {
    fields::PRICES.contains(&field).then(price)
}

fn max_prices(field: &str) -> Option<Value> {
    fields::MAX_PRICES.contains(&field).then(price)
}

fn route(field: &str) -> Option<Value> {
    Some(match field {
        "name" | "stored_at" | "aggregate_cluster" => name(),
        "match" => of("match"),
        "pass_through" => boolean(),
        "require" => {
            json!({"type": "object", "additionalProperties": one_or_many(label()), "minProperties": 1})
        }
        "max_prices" => of("max_prices"),
        "strategy" => one_of(Strategy::ALL),
        "targets" => non_empty(json!({"anyOf": [of("target"), of("group")]})),
        "sticky" => sticky(),
        "fallback" => of("fallback"),
        _ => return None,
    })
}

fn condition(field: &str) -> Option<Value> {
    Some(match field {
        "model" | "path" | "method" => one_or_many(name()),
        "headers" => map(one_or_many(name())),
        "stream" | "tools" | "tool_results" | "images" | "audio" | "files" | "json_schema" => {
            boolean()
        }
        "body" => json!({
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"anyOf": [one_or_many(scalar()), of("field")]},
        }),
        "turns" | "prompt_bytes" | "prompt_tokens" => json!({"anyOf": [number(), of("bounds")]}),
        "system_prompt" => json!({"anyOf": [boolean(), of("system_prompt")]}),
        "prompt" => of("prompt"),
        "script" => one_or_many(one_of(Script::ALL)),
        "query" | "claims" => filled_map(one_or_many(name())),
        "mesh" => of("mesh"),
        "time" => of("time"),
        "percent" => json!({"type": "number", "minimum": 0, "maximum": 100}),
        "any" | "all" => non_empty(of("match")),
        "not" => of("match"),
        _ => return None,
    })
}

fn scalar() -> Value {
    json!({"type": ["string", "number", "boolean"]})
}

/// What a field of a body must be.
fn field(field: &str) -> Option<Value> {
    Some(match field {
        "min" | "max" => json!({"type": "number"}),
        "regex" => name(),
        "exists" => boolean(),
        _ => return None,
    })
}

fn mesh(field: &str) -> Option<Value> {
    Some(match field {
        "trust_domain" | "namespace" | "service_account" => one_or_many(name()),
        _ => return None,
    })
}

fn bounds(field: &str) -> Option<Value> {
    matches!(field, "min" | "max").then(number)
}

/// What a text must contain.
fn prompt(field: &str) -> Option<Value> {
    Some(match field {
        "words" | "phrases" => one_or_many(name()),
        "regex" => name(),
        "in" => one_of(PARTS),
        "case_sensitive" | "whole_words" => boolean(),
        _ => return None,
    })
}

fn time(field: &str) -> Option<Value> {
    Some(match field {
        "from" | "to" => {
            json!({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"})
        }
        "weekdays" => one_or_many(one_of(WEEKDAYS.map(|day| (day, ())))),
        "utc_offset" => json!({"type": "string", "pattern": "^[+-][01][0-9]:[0-5][0-9]$"}),
        _ => return None,
    })
}

fn system_prompt(field: &str) -> Option<Value> {
    prompt(field).filter(|_| field != "in")
}

fn target(field: &str) -> Option<Value> {
    Some(match field {
        "backend" | "model" => name(),
        "weight" => number(),
        "parameters" => of("parameters"),
        _ => return None,
    })
}

fn parameters(field: &str) -> Option<Value> {
    Some(match field {
        "rename" => map(name()),
        "remove" => non_empty(name()),
        "set" => map(json!({})),
        "default" => map(json!({"not": {"type": "null"}})),
        "clamp" => map(of("clamp")),
        _ => return None,
    })
}

fn clamp(field: &str) -> Option<Value> {
    Some(match field {
        "min" | "max" => json!({"type": "number"}),
        _ => return None,
    })
}

fn group(field: &str) -> Option<Value> {
    Some(match field {
        "strategy" => json!({"enum": ["weighted"]}),
        "targets" => non_empty(of("target")),
        _ => return None,
    })
}

/// A source of keys that has a name.
fn key_source(field: &str) -> Value {
    json!({
        "type": "object",
        "properties": {field: name()},
        "required": [field],
        "additionalProperties": false,
    })
}

/// A list of sources of keys.
fn sticky() -> Value {
    let each = fields::KEY_SOURCE.iter().map(|field| key_source(field));
    let kinds: Vec<Value> = [one_of(NAMED_SOURCES)].into_iter().chain(each).collect();
    json!({"type": "array", "items": {"anyOf": kinds}, "uniqueItems": true})
}

fn fallback(field: &str) -> Option<Value> {
    Some(match field {
        "hold" => one_of(Hold::ALL),
        "malformed_events" => json!({"enum": ["pass", "drop"]}),
        "on_failure" => {
            let row = json!({"anyOf": [one_of(Action::ALL), of("on_failure")]});
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

fn on_failure(field: &str) -> Option<Value> {
    Some(match field {
        "action" => one_of(Action::ALL),
        "cooldown" => one_of(Cooldown::ALL),
        _ => return None,
    })
}

fn cooldown(field: &str) -> Option<Value> {
    Some(match field {
        "enabled" => boolean(),
        "failures" | "window_ms" | "base_ms" | "max_ms" | "lease_ms" => number(),
        _ => return None,
    })
}

fn defaults(field: &str) -> Option<Value> {
    Some(match field {
        "fallback" => of("fallback"),
        "cooldown" => of("cooldown"),
        "sticky" => sticky(),
        "response_headers" => boolean(),
        "telemetry" => of("telemetry"),
        "allow_request_headers" => list(one_of(STEERING_HEADERS)),
        "mesh_gateways" => non_empty(name()),
        "max_body_bytes" | "missing_flag_timeout_ms" => number(),
        "cluster_header" => name(),
        _ => return None,
    })
}

fn telemetry(field: &str) -> Option<Value> {
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

fn test(field: &str) -> Option<Value> {
    Some(match field {
        "name" => name(),
        "request" => of("request"),
        "expect" => of("expect"),
        _ => return None,
    })
}

fn request(field: &str) -> Option<Value> {
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

fn expect(field: &str) -> Option<Value> {
    Some(match field {
        "route" | "target" => name(),
        "plan" | "left_out" => list(name()),
        "error" => one_of(ErrorCode::ALL.iter().map(|code| (code.name(), ()))),
        _ => return None,
    })
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
