//! Envoy's configuration, with a route for each API and each way to hold answers.

use serde_json::{Value, json};

use crate::backends::{BACKENDS, Backends};
use crate::harness::cluster::Cluster;
use crate::harness::config::{Config, NO_MATCH};

/// The ways to hold answers.
pub(crate) const HOLDS: [&str; 3] = ["none", "first_token", "complete"];

/// The maximum number of attempts: enough to try each target twice.
pub(crate) const MAX_ATTEMPTS: usize = 8;

/// The deadline of a request, in milliseconds.
pub(crate) const DEADLINE_MS: u64 = 30_000;
const IDLE_TIMEOUT_MS: u64 = 1500;
const ATTEMPT_TIMEOUT_MS: u64 = 4000;

/// The backends' name for their only model.
pub(crate) const MODEL: &str = "any";

fn document() -> Value {
    let backends: Vec<Value> = BACKENDS
        .iter()
        .map(|(name, schema, _)| {
            json!({"name": name, "schema": schema, "host": format!("{name}.test"), "models": [{"name": MODEL}]})
        })
        .collect();
    let mut routes = vec![];
    for api in ["openai", "anthropic"] {
        let targets: Vec<Value> = BACKENDS
            .iter()
            .filter(|(_, schema, _)| *schema == api)
            .map(|(name, ..)| json!({"backend": name, "model": MODEL}))
            .collect();
        for hold in HOLDS {
            let model = format!("{hold}-{api}");
            routes.push(json!({
                "name": model, "match": {"model": model}, "targets": targets, "fallback": {"hold": hold},
            }));
        }
    }
    json!({
        "backends": backends,
        "routes": routes,
        "defaults": {
            "response_headers": true,
            // Short, so that the failing backends get some requests.
            "cooldown": {"base_ms": 200, "max_ms": 1000},
            "fallback": {
                "max_attempts": MAX_ATTEMPTS,
                "deadline_ms": DEADLINE_MS,
                "attempt_timeout_ms": ATTEMPT_TIMEOUT_MS,
                "idle_timeout_ms": IDLE_TIMEOUT_MS,
            },
        },
    })
}

pub(crate) fn config(backends: &Backends) -> Config {
    let stray = Cluster::new(NO_MATCH).plain();
    let config = Config::new(document())
        .buffer_limit(16 * 1024 * 1024)
        .unmatched_cluster(stray);
    BACKENDS.iter().fold(config, |config, (name, ..)| {
        let cluster = Cluster::new(name).to(backends.address(name)).retry_budget();
        config.cluster(if *name == "green" {
            cluster.http2()
        } else {
            cluster
        })
    })
}
