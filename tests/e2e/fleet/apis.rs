//! The document of the Envoy with backends of each schema.
//!
//! Every route for models has targets of all schemas, so that only the caller's API decides which of them are tried.

use serde_json::{Value, json};

use super::{BUFFER_LIMIT, MISSING_FLAG_TIMEOUT_MS};
use crate::harness::backends::Backends;
use crate::harness::cluster::Cluster;
use crate::harness::config::{Config, NO_MATCH};

/// The upstream names of the only model: at the first backend of each schema, and at the second.
pub(crate) const UPSTREAM: [&str; 2] =
    ["arn:aws:b:r:1:inference-profile/one-v1:0", "second \u{fc}"];

/// The schemas, each with the paths of its second backend.
const SCHEMAS: [(&str, &str, &str); 5] = [
    ("openai", "path_prefix", "/two/v1"),
    (
        "azure-openai",
        "path_template",
        "/openai/deployments/{model}{operation}",
    ),
    ("anthropic", "path_prefix", "/two"),
    (
        "gemini",
        "path_template",
        "/v1/projects/p/locations/l/publishers/google/models/{model}{operation}",
    ),
    ("bedrock", "path_prefix", "/two"),
];

/// Returns the path at the second backend of a schema, for a call with this operation at this model.
pub(crate) fn second_path(schema: &str, operation: &str, model: &str) -> String {
    match schema {
        "openai" => format!("/two/v1{operation}"),
        "azure-openai" => format!("/openai/deployments/{model}{operation}"),
        "anthropic" => format!("/two{operation}"),
        "gemini" => {
            format!("/v1/projects/p/locations/l/publishers/google/models/{model}{operation}")
        }
        _ => format!("/two/model/{model}{operation}"),
    }
}

pub(crate) fn config(backends: &Backends) -> Config {
    let mut config = Config::new(document())
        .buffer_limit(BUFFER_LIMIT as u64)
        .websockets()
        .unmatched_cluster(
            Cluster::new(NO_MATCH)
                .to(backends.address(NO_MATCH))
                .plain(),
        );
    for (schema, ..) in SCHEMAS {
        for name in [format!("echo-{schema}"), format!("echo-{schema}-two")] {
            config = config.cluster(Cluster::new(&name).to(backends.address(&name)));
        }
        let dead = Cluster::new(&format!("dead-{schema}")).to(backends.address("dead"));
        config = config.cluster(dead);
    }
    config
}

fn document() -> Value {
    json!({
        "aliases": {"an old name": "one"},
        "backends": backends(),
        "routes": routes(),
        "defaults": {
            "missing_flag_timeout_ms": MISSING_FLAG_TIMEOUT_MS,
            "cooldown": {"enabled": false},
            "fallback": {"on_failure": {
                "server_error": "next", "connect_failure": "next", "incomplete": "next",
            }},
        },
    })
}

fn backends() -> Vec<Value> {
    let mut all = vec![];
    for (schema, field, path) in SCHEMAS {
        let model = |name| json!({"name": "m", "upstream_name": name});
        all.push(json!({
            "name": format!("echo-{schema}"), "schema": schema, "labels": {"region": "us"}, "models": [
                model(UPSTREAM[0]),
                {"name": "small", "context_window": 2_000, "capabilities": []},
                {"name": "somewhere"},
                {"name": "in-eu", "labels": {"region": "eu"}},
            ],
        }));
        all.push(json!({
            "name": format!("echo-{schema}-two"), "schema": schema, "models": [
                model(UPSTREAM[1]), {"name": "large", "context_window": 50_000, "capabilities": ["images"]},
            ], field: path,
        }));
        all.push(json!({
            "name": format!("dead-{schema}"), "schema": schema, "labels": {"region": "eu"},
            "models": [model("m"), {"name": "somewhere"}],
        }));
    }
    all
}

/// Returns targets of each schema but Azure's, which would compete with OpenAI's.
fn targets(names: &[&str]) -> Vec<Value> {
    let schemas = SCHEMAS
        .iter()
        .filter(|(schema, ..)| *schema != "azure-openai");
    let each = schemas.flat_map(|(schema, ..)| {
        names
            .iter()
            .map(move |name| json!({"backend": name.replace("SCHEMA", schema), "model": "m"}))
    });
    each.collect()
}

fn routes() -> Vec<Value> {
    let route = |name: &str, targets: Vec<Value>| json!({"name": name, "match": {"model": name}, "targets": targets});
    let azure = |name: &str| vec![json!({"backend": name, "model": "m"})];
    let mut all = vec![
        route("one", targets(&["echo-SCHEMA"])),
        route("chain", targets(&["echo-SCHEMA", "echo-SCHEMA-two"])),
        route("dead", targets(&["dead-SCHEMA"])),
        route("azure", azure("echo-azure-openai")),
        route("azure-deployments", azure("echo-azure-openai-two")),
        // An ARN from the caller, and a name with slashes.
        json!({
            "name": "by-name", "match": {"model": ["arn:*", "org/*"]}, "targets": targets(&["echo-SCHEMA"]),
        }),
    ];
    for (schema, ..) in SCHEMAS {
        let home = format!("echo-{schema}-two");
        let pinned = json!({
            "name": format!("pinned-{schema}"), "match": {"model": format!("pinned-{schema}")}, "stored_at": home,
            "targets": [{"backend": format!("echo-{schema}"), "model": "m"}, {"backend": home, "model": "m"}],
        });
        all.push(pinned);
    }
    all.extend(checked());
    all.extend(passing());
    all
}

/// Returns the routes whose targets may take some requests but not others.
fn checked() -> Vec<Value> {
    let schemas = || {
        let all = SCHEMAS.iter().map(|(schema, ..)| *schema);
        all.filter(|schema| *schema != "azure-openai")
    };
    let small = |schema| json!({"backend": format!("echo-{schema}"), "model": "small"});
    let large = |schema| json!({"backend": format!("echo-{schema}-two"), "model": "large"});
    let both: Vec<Value> = schemas()
        .flat_map(|schema| [small(schema), large(schema)])
        .collect();
    let alone: Vec<Value> = schemas().map(small).collect();
    let somewhere: Vec<Value> = schemas()
        .flat_map(|schema| [format!("dead-{schema}"), format!("echo-{schema}")])
        .map(|backend| json!({"backend": backend}))
        .collect();
    vec![
        json!({"name": "checked", "match": {"model": "checked"}, "targets": both}),
        json!({"name": "checked-alone", "match": {"model": "checked-alone"}, "targets": alone}),
        json!({
            "name": "eu", "match": {"model": ["somewhere", "in-eu"]}, "require": {"region": "eu"}, "targets": somewhere,
        }),
    ]
}

fn passing() -> Vec<Value> {
    let pass = |name: &str, condition: Value, backend: &str| json!({"name": name, "match": condition, "pass_through": true, "targets": [{"backend": backend}]});
    vec![
        pass(
            "websockets",
            json!({"path": "/v1/realtime", "headers": {"upgrade": "websocket"}}),
            "echo-openai",
        ),
        pass("files", json!({"path": "/v1/files*"}), "echo-openai-two"),
        pass(
            "azure-files",
            json!({"path": "/openai/v1/files*"}),
            "echo-azure-openai",
        ),
        pass(
            "gemini-files",
            json!({"path": ["/upload/v1beta/files", "/v1beta/files*"]}),
            "echo-gemini",
        ),
        pass(
            "stored-completions",
            json!({"path": "/v1/chat/completions*", "method": "GET"}),
            "echo-openai",
        ),
        pass("nobody-there", json!({"path": "/v1/dead"}), "dead-openai"),
    ]
}
