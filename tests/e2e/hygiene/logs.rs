//! Trials of what access logs show of headers that do not reach the backend.

use std::time::Duration;

use crate::fleet::SharedEnvoy;
use crate::harness::{Case, Protocol, Suite};

pub(super) fn add(suite: &mut Suite) {
    suite.on(
        "hygiene::access_logs",
        SharedEnvoy::Logging,
        Protocol::Http1,
        access_logs,
    );
}

/// The request ID is removed from the request before the log is written; docs/envoy.md says what to log instead.
async fn access_logs(case: Case) {
    let id = "id-of-the-client";
    let answer = case.chat("smart").header("x-request-id", id).send().await;
    answer.only_at("openai");
    let marker = format!("kept={id} ");
    let mut line = None;
    // Envoy flushes its log every ten seconds, or sooner.
    for _ in 0..300 {
        let log = case.envoy.log();
        line = log
            .lines()
            .find(|line| line.contains(&marker))
            .map(str::to_owned);
        if line.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let line = line.unwrap_or_else(|| panic!("no line with {marker}{}", case.envoy.log_tail()));
    assert!(line.contains(" header=- "), "{line}");
    assert!(line.contains(" stream=- "), "{line}");
    assert!(line.contains(" proto=- "), "{line}");
}
