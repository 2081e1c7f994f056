//! A trial with a mixed load: the access log matches what the backends have counted.

use serde_json::json;
use tokio::task::JoinSet;

use super::{logged, on_both};
use crate::harness::{Case, Suite};

pub(crate) fn add(suite: &mut Suite) {
    on_both(suite, "outcomes::sums", sums);
}

/// The load does not depend on the machine's speed: its routes have no short limits, and it limits how many requests are
/// in flight.
async fn sums(case: Case) {
    let mut told = (0, 0);
    let mut counted = (0, 0);
    for round in 0..8 {
        let mut calls = JoinSet::new();
        for (model, stream) in [
            ("words-3", false),
            ("words-11", true),
            ("retried", true),
            ("retried", false),
            ("held", true),
            ("dead", false),
            ("failing", true),
            ("reasoning", true),
        ] {
            let text = format!("canary-prompt {}", "x".repeat(round * 7));
            let messages = json!([{"role": "user", "content": text}]);
            let body =
                json!({"model": model, "stream": stream, "max_tokens": 9, "messages": messages});
            for path in ["/v1/chat/completions", "/v1/messages"] {
                // Only the last route has an Anthropic target.
                let is_everywhere = model.starts_with("words") || model == "reasoning";
                if is_everywhere || path == "/v1/chat/completions" {
                    calls.spawn(case.post(path, body.to_string()).listen());
                }
            }
        }
        for heard in calls.join_all().await {
            let line = logged(&case, &heard.answer.id).await;
            told.0 += line.number("usage.input_tokens").unwrap_or(0);
            told.1 += line.number("usage.output_tokens").unwrap_or(0);
            for (_, seen) in heard.answer.attempts() {
                let (input, output) = seen.0.answer.counted().unwrap_or_default();
                counted.0 += input;
                counted.1 += output;
            }
        }
    }
    assert!(told.1 > 500, "{told:?}");
    assert_eq!(told, counted);
}
