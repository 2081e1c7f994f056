//! The command `schema`: prints the document's JSON Schema, for editors.
//!
//! The fields of each map are those that the code reads ([`fields`]). Their descriptions, and which of them are
//! required, come from docs/configuration.md, which a test compares with the code. This module only adds the kind of
//! value of each field.

mod document;
mod matches;
mod routes;
mod rows;
mod values;

use serde_json::{Map, Value, json};

use crate::config::fields;
use document::{backend, document, expect, model, prices, request, test};
use matches::{bounds, condition, field, mesh, prompt, system_prompt, time};
use routes::{
    clamp, cooldown, defaults, fallback, group, max_prices, on_failure, page, parameters, route,
    target, telemetry,
};
use rows::{Row, rows};

/// One kind of map in the document.
struct Shape {
    name: &'static str,
    fields: &'static [&'static str],
    /// The prefix of its fields in the documentation.
    documented: &'static str,
    /// Returns the kind of value of a field.
    kind: fn(&str) -> Option<Value>,
    /// Whether the map must have at least one field.
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
    Shape::new("page", fields::PAGE, "defaults.page.", page).never_empty(),
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

/// Returns the complete schema.
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

#[cfg(test)]
mod tests;
