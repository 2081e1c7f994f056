//! The document, and the names that the Envoys around it need.

use serde_json::{Value, json};

use crate::config::HEADER;

/// The backends that answer; there is also `dead`. Each has a cluster of its own name.
pub(crate) const BACKENDS: [&str; 5] = ["one", "two", "sick", "broken", "well"];

/// The aggregate clusters and their members.
pub(crate) const POOLS: [(&str, [&str; 2]); 2] = [
    ("pool", ["broken", "well"]),
    ("dead-pool", ["dead", "well"]),
];

/// Returns the document; `older`: with the cluster in a header.
pub(crate) fn document(older: bool) -> Value {
    let member = |name: &str| {
        let models = json!([{"name": "m", "upstream_name": "shared"}]);
        json!({"name": name, "schema": "openai", "path_prefix": "/members/v1", "models": models})
    };
    let to = |backend: &str, model: &str| json!({"backend": backend, "model": model});
    let mut routes = json!([
        {"name": "at-one", "match": {"model": "at-one"}, "targets": [to("one", "m")]},
        {"name": "at-two", "match": {"model": "at-two"}, "targets": [to("two", "m")]},
        {"name": "first-that-is-well", "match": {"model": "first-that-is-well"},
         "targets": [to("sick", "m"), to("two", "m")]},
        {"name": "pooled", "match": {"model": "pooled"}, "targets": [to("broken", "m"), to("well", "m")],
         "aggregate_cluster": "pool", "fallback": {"attempt_timeout_ms": 700}},
        {"name": "pooled-the-other-way", "match": {"model": "pooled-the-other-way"},
         "targets": [to("well", "m"), to("broken", "m")], "aggregate_cluster": "pool", "stored_at": "well"},
        {"name": "dead-pool", "match": {"model": "dead-pool"}, "targets": [to("dead", "m"), to("well", "m")],
         "aggregate_cluster": "dead-pool"},
        {"name": "ends", "match": {"model": "ends"}, "targets": [to("two", "ends")]},
    ]);
    if !older {
        let routes = routes.as_array_mut().expect("a list");
        routes.push(json!({
            "name": "late", "match": {"model": "late"}, "targets": [to("two", "late")],
            "fallback": {"hold": "first_token", "first_token_timeout_ms": 300},
        }));
        for route in routes {
            route
                .as_object_mut()
                .expect("a route")
                .remove("aggregate_cluster");
        }
    }
    let mut document = json!({
        "backends": [
            {"name": "one", "schema": "openai", "host": "one.example", "path_prefix": "/one/v1",
             "set_headers": {"x-one": "1"}, "models": [{"name": "m", "upstream_name": "m-of-one"}]},
            {"name": "two", "schema": "openai", "models": [
                {"name": "m", "upstream_name": "m-of-two"},
                {"name": "late", "upstream_name": "slow-token-900"},
                {"name": "ends", "upstream_name": "end-3"},
            ]},
            member("sick"), member("broken"), member("well"), member("dead"),
        ],
        "routes": routes,
        "defaults": {"response_headers": true},
    });
    if older {
        document["defaults"]["cluster_header"] = json!(HEADER);
    }
    document
}
