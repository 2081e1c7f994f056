//! The Envoys for trials with large bodies.

use serde_json::{Value, json};

use crate::harness::backends::Backends;
use crate::harness::cluster::Cluster;
use crate::harness::config::{Config, NO_MATCH};
use crate::harness::files;

/// The document's `max_body_bytes` where the retry buffer is small.
pub(crate) const DOCUMENTS_LIMIT: usize = 512 * 1024;

/// How much of a body Envoy keeps there for retries.
pub(crate) const RETRY_BUFFER: usize = 64 * 1024;

/// Both limits where bodies may be large.
pub(crate) const LARGE: u64 = 32 * 1024 * 1024;

/// Returns the faults of the first attempt, each with the route's `fallback`.
pub(crate) fn faults() -> [(&'static str, Value); 5] {
    [
        ("status-503", json!({})),
        ("reset", json!({"on_failure": {"reset": "next"}})),
        ("end-2", json!({"hold": "complete"})),
        ("empty-stream", json!({"hold": "first_token"})),
        ("empty-body", json!({"hold": "none"})),
    ]
}

fn document(tells: bool) -> Value {
    let backends = ["openai", "breaker", "azure-east"]
        .map(|name| json!({"name": name, "schema": "openai", "models": [{"name": "*"}]}));
    let mut routes = vec![];
    for first in ["openai", "breaker"] {
        for (fault, fallback) in faults() {
            let name = format!("{first}-{fault}");
            routes.push(json!({
                "name": name, "match": {"model": name}, "fallback": fallback, "targets": [
                    {"backend": first, "model": fault}, {"backend": "azure-east", "model": "gpt-4o"},
                ],
            }));
        }
    }
    json!({
        "backends": backends,
        "routes": routes,
        "defaults": {
            "response_headers": tells, "max_body_bytes": DOCUMENTS_LIMIT, "cooldown": {"enabled": false},
        },
    })
}

/// Returns a configuration with a retry buffer smaller than bodies may be, and a cluster without retries.
pub(super) fn small_buffer(backends: &Backends, tells: bool) -> Config {
    let to = |cluster: &str, backend: &str| Cluster::new(cluster).to(backends.address(backend));
    Config::new(document(tells))
        .cluster(to("openai", "openai"))
        .cluster(to("breaker", "bare").without_retries())
        .cluster(to("azure-east", "azure-east"))
        .unmatched_cluster(to(NO_MATCH, NO_MATCH).plain())
        .change_manager(|manager| {
            // Over HTTP/2, Envoy buffers a body that fits into this window or into the limit of a request.
            manager["http2_protocol_options"]["initial_stream_window_size"] = json!(1_048_576);
            manager["route_config"]["virtual_hosts"][0]["per_request_buffer_limit_bytes"] =
                json!(RETRY_BUFFER);
        })
}

/// Returns a configuration that accepts large bodies, such as images.
pub(super) fn large(backends: &Backends) -> Config {
    let mut document = document(false);
    document["defaults"]["max_body_bytes"] = json!(LARGE);
    let to = |cluster: &str, backend: &str| Cluster::new(cluster).to(backends.address(backend));
    Config::new(document)
        .buffer_limit(LARGE)
        .cluster(to("openai", "openai"))
        .cluster(to("breaker", "bare").without_retries())
        .cluster(to("azure-east", "azure-east"))
        .unmatched_cluster(to(NO_MATCH, NO_MATCH).plain())
}

/// The heap of the Envoy that is overloaded.
pub(crate) const HEAP: u64 = 400 * 1024 * 1024;

/// Returns a configuration with the overload manager of envoy/providers.yaml and a smaller heap.
pub(super) fn overload(backends: &Backends) -> Config {
    let example = files::yaml(&files::read(&files::root().join("envoy/providers.yaml")));
    let example = example.expect("the example is YAML");
    let mut manager = example["overload_manager"].clone();
    let read_ahead = "per_connection_buffer_limit_bytes";
    let limit = example["static_resources"]["listeners"][0][read_ahead].clone();
    let monitors = manager["resource_monitors"].as_array_mut();
    let heap = monitors
        .expect("a list")
        .iter_mut()
        .find(|monitor| monitor["name"] == "envoy.resource_monitors.fixed_heap");
    heap.expect("a limit")["typed_config"]["max_heap_size_bytes"] = json!(HEAP);
    let document = json!({
        "backends": [{"name": "discarding", "schema": "openai", "models": [{"name": "*"}]}],
        "routes": [{"name": "all", "match": {"model": "*"}, "targets": [{"backend": "discarding"}]}],
    });
    let to = |cluster: &str| Cluster::new(cluster).to(backends.address(cluster));
    Config::new(document)
        .buffer_limit(LARGE)
        .cluster(to("discarding"))
        .unmatched_cluster(to(NO_MATCH).plain())
        .change(move |config| {
            config["overload_manager"] = manager.clone();
            config["static_resources"]["listeners"][0][read_ahead] = limit.clone();
        })
}
