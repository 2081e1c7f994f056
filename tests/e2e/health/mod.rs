//! Final checks after all trials: no VM has crashed, every Envoy still answers, and nothing was sent to the cluster for
//! unknown names.

use std::sync::Arc;

use crate::harness::envoy::Envoy;
use crate::harness::world::World;

/// Returns all complaints; none if everything is well.
pub(crate) fn complaints(world: &Arc<World>) -> Vec<String> {
    let mut complaints = vec![];
    let strays = world.backends.strays();
    if let Some(first) = strays.first() {
        let count = strays.len();
        complaints.push(format!(
            "{count} connections went to the matcher's on_no_match, the first with:\n{first}"
        ));
    }
    for envoy in world.started() {
        let found = world.runtime.block_on(of(&envoy));
        complaints.extend(
            found
                .into_iter()
                .map(|what| format!("Envoy {:?}: {what}\n{}", envoy.name, envoy.log_tail())),
        );
    }
    complaints
}

async fn of(envoy: &Envoy) -> Vec<String> {
    let mut complaints = vec![];
    // The SDK logs a panic as critical; Envoy reports when it has closed a VM because of it.
    for line in envoy.log().lines() {
        if line.contains("[critical]")
            || line.contains("panicked")
            || line.contains("Wasm VM failed")
        {
            complaints.push(format!("in its log: {line}"));
        }
        // Content of prompts, answers, keys and queries.
        if PRIVATE.iter().any(|private| line.contains(private)) {
            complaints.push(format!("in its log, and private: {line}"));
        }
    }
    match envoy.admin("/stats").await {
        Err(error) => complaints.push(format!("its admin interface does not answer: {error}")),
        Ok(stats) => complaints.extend(
            stats
                .lines()
                .filter(|line| is_failure(line))
                .map(str::to_owned),
        ),
    }
    let models = format!("http://{}/v1/models", envoy.address);
    // Several times, so that every worker gets some.
    for _ in 0..envoy.workers * 4 {
        let answer = reqwest::Client::new().get(&models).send().await;
        if !answer.as_ref().is_ok_and(|answer| answer.status() == 200) {
            complaints.push(format!("no longer answers /v1/models: {answer:?}"));
        }
    }
    complaints
}

/// Texts that must never be logged: planted in prompts, keys and query strings, and what demo backends answer.
const PRIVATE: [&str; 2] = ["canary-", "Hello from demo backend"];

/// Whether this is a counter of failed VMs that is not zero.
fn is_failure(line: &str) -> bool {
    let Some((name, value)) = line.split_once(": ") else {
        return false;
    };
    let of_wasm = name.starts_with("wasm.") || name.starts_with("wasm_filter.");
    let of_failure = ["fail", "crash", "error", "reload"]
        .iter()
        .any(|word| name.contains(word));
    of_wasm && of_failure && value.trim() != "0"
}
