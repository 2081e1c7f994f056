//! The document of the Envoy with the status page.

use serde_json::{Value, json};

use super::MISSING_FLAG_TIMEOUT_MS;
use crate::harness::backends::Backends;
use crate::harness::cluster::Cluster;
use crate::harness::config::{Config, NO_MATCH};

/// The header with the page's secret.
pub(crate) const HEADER: &str = "x-page-secret";

/// The secret.
pub(crate) const SECRET: &str = "canary-secret-of-the-page";

/// How many failures open a cooldown of the dead target.
pub(crate) const FAILURES: u64 = 3;

/// The prices of all models for a million tokens, in dollars: input and output.
pub(crate) const PRICES: (u64, u64) = (2, 8);

pub(crate) fn config(backends: &Backends) -> Config {
    config_of(backends, document())
}

/// Returns the configuration with another document.
pub(crate) fn config_of(backends: &Backends, document: Value) -> Config {
    let to = |cluster: &str| Cluster::new(cluster).to(backends.address(cluster));
    Config::new(document)
        .cluster(to("openai"))
        .cluster(to("anthropic"))
        .cluster(to("dead"))
        .unmatched_cluster(to(NO_MATCH).plain())
}

pub(crate) fn document() -> Value {
    let (input, output) = PRICES;
    let models = json!([{"name": "*", "prices": {"input": input, "output": output}}]);
    json!({
        "backends": [
            {"name": "openai", "schema": "openai", "models": models},
            {"name": "anthropic", "schema": "anthropic", "models": models},
            {"name": "dead", "schema": "openai", "models": [{"name": "words-*"}]},
        ],
        "routes": [
            {"name": "plain", "match": {"model": "words-*"}, "targets": [{"backend": "openai"}, {"backend": "anthropic"}]},
            {"name": "again", "match": {"model": "again"}, "targets": [
                {"backend": "dead", "model": "words-3"}, {"backend": "openai", "model": "words-5"},
            ]},
            {"name": "failing", "match": {"model": "status-500"}, "targets": [{"backend": "openai"}]},
            {"name": "unused", "match": {"model": "unused"}, "targets": [{"backend": "openai"}]},
        ],
        "defaults": {
            "missing_flag_timeout_ms": MISSING_FLAG_TIMEOUT_MS,
            // The cooldown lasts longer than the trial.
            "cooldown": {"failures": FAILURES, "window_ms": 60_000, "base_ms": 300_000, "max_ms": 300_000},
            "fallback": {"max_attempts": 2},
            "telemetry": {"caller": {"header": "x-team"}},
            "page": {"path": "/status/llm", "secret_header": HEADER, "secret_sha256": sha256()},
        },
    })
}

/// Returns the SHA-256 of the secret, in hexadecimal digits.
fn sha256() -> String {
    let digest = llm_router::page::sha256(SECRET.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
