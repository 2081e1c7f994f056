//! The Envoys on which bodies are larger than something.

use serde_json::{Value, json};

use crate::harness::backends::Backends;
use crate::harness::cluster::Cluster;
use crate::harness::config::{Config, NO_MATCH};
use crate::harness::files;

/// The document's `max_body_bytes` where the buffer for retries is small.
pub(crate) const DOCUMENTS_LIMIT: usize = 512 * 1024;

/// What Envoy keeps there to send it again.
pub(crate) const RETRY_BUFFER: usize = 64 * 1024;

/// Both limits where bodies may be large.
pub(crate) const LARGE: u64 = 32 * 1024 * 1024;

/// What becomes of the first attempt, and the route's `fallback`.
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

/// A buffer for retries that is smaller than what bodies may be, and a cluster that has no retries.
pub(super) fn small_buffer(backends: &Backends, tells: bool) -> Config {
    let to = |cluster: &str, backend: &str| Cluster::new(cluster).to(backends.address(backend));
    Config::new(document(tells))
        .cluster(to("openai", "openai"))
        .cluster(to("breaker", "bare").without_retries())
        .cluster(to("azure-east", "azure-east"))
        .unmatched_cluster(to(NO_MATCH, NO_MATCH).plain())
        .change_manager(|manager| {
            // By HTTP/2 a body may wait that fits into this, or into the limit of a request.
            manager["http2_protocol_options"]["initial_stream_window_size"] = json!(1_048_576);
            manager["route_config"]["virtual_hosts"][0]["per_request_buffer_limit_bytes"] =
                json!(RETRY_BUFFER);
        })
}

/// Room for images.
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

/// The overload manager of envoy/providers.yaml, with a smaller heap.
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
