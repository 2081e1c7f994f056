//! The document of the Envoy that logs the outcome of every request.

use llm_router::telemetry::FIELDS;
use serde_json::{Map, Value, json};

use super::MISSING_FLAG_TIMEOUT_MS;
use crate::harness::backends::Backends;
use crate::harness::cluster::Cluster;
use crate::harness::config::{Config, NO_MATCH};
use crate::harness::files;

/// The backends: name, schema, the demo backend behind it, and whether it is asked for usage.
const BACKENDS: [(&str, &str, &str, bool); 10] = [
    ("one", "openai", "openai", true),
    ("two", "openai", "second", true),
    ("azure", "azure-openai", "azure-east", true),
    ("silent", "openai", "bare", false),
    ("claude", "anthropic", "anthropic", true),
    ("gemini", "gemini", "claude-two", true),
    ("bedrock", "bedrock", "byok", true),
    ("scripted", "openai", "scripted", true),
    ("scripted-gemini", "gemini", "scripted", true),
    ("written", "openai", "echo-openai-two", true),
];

/// The prices of all models for a million tokens, in dollars: input and output.
pub(crate) const PRICES: (u64, u64) = (2, 8);

pub(crate) fn config(backends: &Backends) -> Config {
    let mut config = Config::new(document())
        .buffer_limit(super::BUFFER_LIMIT as u64)
        .websockets()
        .change_manager(|manager| {
            manager["access_log"] = json!([access_log()]);
            manager["tracing"] = tracing();
        })
        .unmatched_cluster(
            Cluster::new(COLLECTOR)
                .to(backends.address(COLLECTOR))
                .plain(),
        )
        .unmatched_cluster(
            Cluster::new(NO_MATCH)
                .to(backends.address(NO_MATCH))
                .plain(),
        );
    for (name, _, demo, _) in BACKENDS {
        config = config.cluster(Cluster::new(name).to(backends.address(demo)));
    }
    config
        .cluster(Cluster::new("dead").to(backends.address("dead")))
        .cluster(Cluster::new("lent").to(backends.address("echo-openai-two")))
        .cluster(Cluster::new("hollow"))
        .hop("astray", "one")
        .hop("lost", "no-such-cluster")
}

/// The backend that receives the spans, in place of OpenTelemetry's collector.
pub(crate) const COLLECTOR: &str = "echo-openai";

/// The path at which it receives them.
pub(crate) const SPANS_AT: &str = "/v1/traces";

/// The tag by which a trial finds the span of its request.
pub(crate) const SPAN_ID: &str = "test.id";

/// Returns the tracing settings of docs/telemetry.md.
fn tracing() -> Value {
    let docs = include_str!("../../../docs/telemetry.md");
    let (_, example) = docs.split_once("```yaml\ntracing:\n").expect("an example");
    let (example, _) = example.split_once("```").expect("the example ends");
    let mut tracing = files::yaml(example).expect("the example is YAML");
    let tags = tracing["custom_tags"].as_array_mut().expect("a list");
    tags.push(json!({"tag": SPAN_ID, "request_header": {"name": "x-test-id"}}));
    tracing["provider"] = json!({
        "name": "envoy.tracers.opentelemetry",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
            "service_name": "router",
            "http_service": {"http_uri": {
                "uri": format!("http://collector{SPANS_AT}"), "cluster": COLLECTOR, "timeout": "5s",
            }},
        },
    });
    tracing
}

/// One line of JSON for each request.
fn access_log() -> Value {
    let fields = FIELDS.map(|field| {
        let value = format!("%FILTER_STATE(wasm.{}:PLAIN)%", field.name);
        (field.name.replacen("llm.", "", 1), Value::from(value))
    });
    let mut format: Map<String, Value> = fields.into_iter().collect();
    for (name, value) in [
        ("id", "%REQ(X-TEST-ID)%"),
        ("status", "%RESPONSE_CODE%"),
        ("flags", "%RESPONSE_FLAGS%"),
        ("details", "%RESPONSE_CODE_DETAILS%"),
        ("received", "%BYTES_RECEIVED%"),
        ("sent", "%BYTES_SENT%"),
    ] {
        format.insert(name.to_owned(), value.into());
    }
    json!({
        "name": "envoy.access_loggers.stderr",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StderrAccessLog",
            "log_format": {"json_format": format},
        },
    })
}

fn document() -> Value {
    let (input, output) = PRICES;
    let any = json!({"name": "*", "prices": {"input": input, "output": output}});
    let backend = |name: &str, schema: &str, asks: bool| json!({"name": name, "schema": schema, "ask_for_usage": asks, "models": [any]});
    let mut all: Vec<Value> = BACKENDS
        .iter()
        .map(|(name, schema, _, asks)| backend(name, schema, *asks))
        .collect();
    all.extend(["dead", "hollow", "astray", "lost"].map(|name| backend(name, "openai", true)));
    let mut lent = backend("lent", "openai", true);
    lent["forward_client_credentials"] = json!(true);
    all.push(lent);
    let everywhere =
        ["one", "claude", "gemini", "bedrock"].map(|backend| json!({"backend": backend}));
    let passing = |name: &str, backend: &str| {
        json!({"name": name, "match": {"path": format!("/v1/{name}*")}, "pass_through": true,
        "targets": [{"backend": backend}]})
    };
    let route = |name: &str, targets: &[(&str, &str)]| {
        let target = |(backend, model): &(&str, &str)| match *model {
            "" => json!({"backend": backend}),
            model => json!({"backend": backend, "model": model}),
        };
        let targets: Vec<Value> = targets.iter().map(target).collect();
        json!({"name": name, "match": {"model": format!("{name}*")}, "targets": targets})
    };
    let oversized = |hold: &str| {
        let targets = ["scripted", "scripted-gemini", "one", "gemini"];
        let targets = targets.map(|backend| json!({"backend": backend}));
        json!({"name": hold, "match": {"model": format!("{hold}-oversized-*")},
            "targets": targets, "fallback": {"hold": hold}})
    };
    json!({
        "backends": all,
        "routes": [
            passing("files", "one"),
            passing("raw", "scripted"),
            passing("echoed", "written"),
            passing("lent", "lent"),
            passing("void", "dead"),
            passing("hollow", "hollow"),
            passing("astray", "astray"),
            passing("lost", "lost"),
            route("retried", &[("one", "status-503"), ("two", "words-5")]),
            route("dead", &[("dead", ""), ("two", "words-5")]),
            route("failing", &[("one", "status-500"), ("two", "status-503")]),
            route("held", &[("one", "words-7"), ("two", "words-9")]),
            route("broken", &[("one", "end-3"), ("two", "words-4")]),
            route("first-fails", &[("one", "status-503"), ("two", "hang")]),
            {"name": "half", "match": {"model": "half"}, "targets": [{"backend": "one", "model": "stall-1"}],
                "fallback": {"hold": "complete"}},
            {"name": "hurried", "match": {"model": "hurried"}, "targets": [{"backend": "one", "model": "hang"}],
                "fallback": {"attempt_timeout_ms": 400}},
            {"name": "breaks", "match": {"model": "breaks"}, "targets": [{"backend": "one", "model": "reset"}],
                "fallback": {"max_attempts": 1}},
            route("silent", &[("silent", "")]),
            {"name": "azure", "match": {"headers": {"x-at": "azure"}}, "targets": [{"backend": "azure"}]},
            {"name": "silent-too", "match": {"headers": {"x-at": "silent"}}, "targets": [{"backend": "silent"}]},
            {"name": "oversized", "match": {"model": "oversized-*"}, "targets": [
                {"backend": "scripted"}, {"backend": "scripted-gemini"},
            ], "fallback": {"hold": "none"}},
            oversized("first_token"),
            oversized("complete"),
            {"name": "written", "match": {"headers": {"x-at": "written"}}, "targets": [{"backend": "written"}]},
            {"name": "gone", "match": {"model": "nobody"}, "targets": [{"backend": "claude"}]},
            // Only this route has short limits: on a busy machine, any route with short limits would exceed them.
            {"name": "impatient", "match": {"model": ["stall-*", "hang"]}, "targets": everywhere, "fallback": {
                "idle_timeout_ms": 1_000, "deadline_ms": 5_000,
            }},
            {"name": "all", "match": {"model": "*"}, "targets": everywhere},
        ],
        "defaults": {
            "missing_flag_timeout_ms": MISSING_FLAG_TIMEOUT_MS,
            "cooldown": {"enabled": false},
            "telemetry": {"caller": {"header": "x-team"}},
            "fallback": {"on_failure": {
                "server_error": "next", "connect_failure": "next", "incomplete": "next",
            }},
        },
    })
}
