//! The documents that the trials of `llm-router render envoy` use.

use serde_json::{Value, json};

/// A document, the options for rendering it, and the keys that must exist.
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) document: Value,
    pub(super) options: Vec<String>,
    pub(super) keys: Vec<&'static str>,
}

/// Names with a meaning in YAML, in templates or in file systems.
const ODD: [&str; 12] = [
    "yes",
    "1.5",
    "a: b # c",
    "- x",
    "{a}, [b]",
    "*star &anchor !tag",
    "it's \"quoted\" \\ %",
    "$document",
    "../../up",
    "\u{e9}\u{2028}\u{1f600}",
    "llm_router_no_match",
    "a=b",
];

pub(super) fn samples() -> Vec<Sample> {
    let of = |name, document, options: &[&str], keys: &[&'static str]| Sample {
        name,
        document,
        options: options.iter().map(|one| (*one).to_owned()).collect(),
        keys: keys.to_vec(),
    };
    vec![
        of("one backend", one(), &[], &["openai-key"]),
        of(
            "every schema",
            schemas(),
            &[],
            &[
                "openai-key",
                "azure-openai-key",
                "anthropic-key",
                "gemini-key",
                "bedrock-key",
            ],
        ),
        of(
            "routes with fallback",
            fallback(),
            &[
                "--endpoint=local=http://localhost:8000",
                "--endpoint=six=https://[::1]:8443",
                "--key=six=none",
                "--max-heap-bytes=1073741824",
            ],
            &["openai-key"],
        ),
        of(
            "passing through",
            passing(),
            &[
                "--key=openai=env:OPENAI_API_KEY",
                "--key=live=env:OPENAI_API_KEY",
            ],
            &[],
        ),
        of(
            "older mode",
            older(),
            &[
                "--endpoint=east=https://east.internal",
                "--endpoint=west=http://10.0.0.1:8000",
                "--key=llama=none",
            ],
            &["east-key"],
        ),
        of("decimals", decimals(), &[], &["openai-key"]),
        Sample {
            name: "odd names",
            document: odd(),
            options: ODD
                .iter()
                .map(|name| format!("--key={name}=none"))
                .collect(),
            keys: vec![],
        },
    ]
}

/// Returns a document with fractions, which Envoy turns into text, wherever a number is allowed.
fn decimals() -> Value {
    json!({
        "backends": [{
            "name": "openai",
            "schema": "openai",
            "host": "localhost",
            "models": [{"name": "a", "prices": {"input": 1.25, "output": 0.5}}],
        }],
        "routes": [{
            "name": "r",
            "match": {"model": "a", "percent": 2.5, "body": {"temperature": {"min": 0.1, "max": 1.5}}},
            "max_prices": {"input": 1.5},
            "targets": [{
                "backend": "openai",
                "parameters": {"clamp": {"temperature": {"min": 0.25, "max": 0.75}}},
            }],
        }],
    })
}

fn one() -> Value {
    json!({
        "backends": [{"name": "openai", "schema": "openai", "host": "api.openai.com", "models": [{"name": "*"}]}],
        "routes": [{"name": "all", "match": {"model": "*"}, "targets": [{"backend": "openai"}]}],
    })
}

fn schemas() -> Value {
    let names = ["openai", "azure-openai", "anthropic", "gemini", "bedrock"];
    let backend = |name: &str| {
        let host = format!("{name}.example");
        json!({"name": name, "schema": name, "host": host, "models": [{"name": "*"}]})
    };
    let targets: Vec<Value> = names.iter().map(|name| json!({"backend": name})).collect();
    json!({
        "backends": names.map(backend),
        "routes": [{"name": "all", "match": {"model": "*"}, "targets": targets}],
        "defaults": {"max_body_bytes": 33_554_432},
    })
}

fn fallback() -> Value {
    let models = json!([{"name": "gpt-5.5"}]);
    json!({
        "backends": [
            {"name": "openai", "schema": "openai", "host": "api.openai.com:443", "models": models},
            {"name": "local", "cluster": "vllm", "schema": "openai", "host": "vllm.internal", "models": models},
            {"name": "six", "schema": "openai", "models": models},
            {"name": "theirs", "schema": "openai", "host": "127.0.0.1", "forward_client_credentials": true,
             "models": models},
        ],
        "routes": [
            {"name": "smart", "match": {"model": "smart"}, "targets": [
                {"backend": "openai", "model": "gpt-5.5"}, {"backend": "six", "model": "gpt-5.5"},
            ], "fallback": {"hold": "complete", "hold_limit_bytes": 16_777_216}},
            {"name": "fast", "match": {"model": "fast"}, "strategy": "weighted", "targets": [
                {"backend": "local", "model": "gpt-5.5", "weight": 3}, {"backend": "theirs", "model": "gpt-5.5"},
            ], "fallback": {"deadline_ms": 900_001}},
        ],
    })
}

fn passing() -> Value {
    let models = json!([{"name": "*"}]);
    json!({
        "backends": [
            {"name": "openai", "schema": "openai", "host": "api.openai.com", "models": models},
            {"name": "live", "schema": "openai", "host": "api.openai.com", "models": models},
        ],
        "routes": [
            {"name": "files", "match": {"path": "/v1/files*"}, "pass_through": true, "targets": [{"backend": "openai"}]},
            {"name": "live", "match": {"path": "/v1/realtime", "headers": {"upgrade": "websocket"}},
             "pass_through": true, "targets": [{"backend": "live"}]},
            {"name": "all", "match": {"model": "*"}, "targets": [{"backend": "openai"}]},
        ],
    })
}

/// Two machines behind an aggregate cluster.
pub(super) fn older() -> Value {
    let machine = |name: &str| {
        let models = json!([{"name": "llama", "upstream_name": "gpt-4o"}]);
        json!({"name": name, "schema": "openai", "models": models})
    };
    json!({
        "backends": [machine("east"), machine("west")],
        "routes": [{"name": "llama", "match": {"model": "llama"}, "aggregate_cluster": "llama", "targets": [
            {"backend": "east", "model": "llama"}, {"backend": "west", "model": "llama"},
        ]}],
        "defaults": {"cluster_header": "x-llm-cluster"},
    })
}

fn odd() -> Value {
    let backend = |name: &str| {
        let models = json!([{"name": name.replace('*', "-")}]);
        json!({"name": name, "schema": "openai", "host": "backend.example", "models": models})
    };
    let route = |name: &str| {
        let targets = json!([{"backend": name}]);
        json!({"name": name, "match": {"model": name.replace('*', "-")}, "targets": targets})
    };
    json!({"backends": ODD.map(backend), "routes": ODD.map(route)})
}
