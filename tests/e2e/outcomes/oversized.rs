//! Trials of streams with events larger than the part of an event that the filter holds: they must work like any other.

use serde_json::{Value, json};

use super::{logged, on_both};
use crate::harness::oversized::pieces;
use crate::harness::stream::StreamedAnswer;
use crate::harness::{Case, Suite};

pub(crate) fn add(suite: &mut Suite) {
    on_both(suite, "outcomes::oversized::are_complete", are_complete);
    on_both(
        suite,
        "outcomes::oversized::errors_fall_back",
        errors_fall_back,
    );
}

/// Returns each stream, and the path at which this model is asked for it.
fn streams(model: &str) -> [(&'static str, String, Value); 4] {
    let text = |field: &str| json!({"model": model, field: "canary-prompt", "stream": true});
    let messages = json!([{"role": "user", "content": "canary-prompt"}]);
    [
        ("responses", "/v1/responses".to_owned(), text("input")),
        ("image", "/v1/images/generations".to_owned(), text("prompt")),
        (
            "chunk",
            "/v1/chat/completions".to_owned(),
            json!({"model": model, "messages": messages, "stream": true}),
        ),
        (
            "gemini",
            format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
            json!({"contents": [{"role": "user", "parts": [{"text": "canary-prompt"}]}]}),
        ),
    ]
}

async fn ask(case: &Case, path: &str, body: &Value) -> StreamedAnswer {
    case.post(path, body.to_string()).listen().await
}

/// Nothing is added or removed, no other target is tried, and the usage is known.
async fn are_complete(case: Case) {
    for hold in ["", "first_token-", "complete-"] {
        for framing in ["", "-length"] {
            for at in 0..streams("").len() {
                let (name, ..) = streams("").into_iter().nth(at).expect("a stream");
                let model = format!("{hold}oversized-{name}{framing}");
                let (_, path, body) = streams(&model).into_iter().nth(at).expect("a stream");
                let heard = ask(&case, &path, &body).await;
                assert_eq!(heard.answer.status, 200, "{model}");
                heard.is_whole();
                let expected = pieces(name).expect("the script").concat();
                let length = heard.answer.body.len();
                assert!(
                    heard.answer.body == expected.as_bytes(),
                    "{model}: {length}"
                );
                let line = logged(&case, &heard.answer.id).await;
                line.says(&[
                    ("end", "complete"),
                    ("attempts", "1"),
                    ("failures", "-"),
                    ("verdict", "accepted"),
                    ("usage.estimated", "false"),
                    ("usage.input_tokens", "37"),
                    ("usage.output_tokens", "11"),
                ]);
                // An event before the first token is not a token, whatever its size.
                if name == "responses" {
                    line.says(&[("response.model", "gpt-5.5")]);
                    let first = line.number("first_token_ms").unwrap_or(0);
                    assert!(first >= 45, "{model}: {first} ms");
                }
            }
        }
    }
}

/// A stream that begins with a large event and then fails.
async fn errors_fall_back(case: Case) {
    for hold in ["first_token", "complete"] {
        for framing in ["", "-length"] {
            let model = format!("{hold}-oversized-failed{framing}");
            let body = json!({"model": model, "input": "canary-prompt", "stream": true});
            let heard = ask(&case, "/v1/responses", &body).await;
            assert_eq!(heard.answer.status, 200, "{model}");
            let text = heard.is_whole().text();
            assert!(!text.contains("It broke."), "{model}");
            let line = logged(&case, &heard.answer.id).await;
            line.says(&[
                ("failures", "scripted=server_error"),
                ("backend", "one"),
                ("attempts", "2"),
                ("end", "complete"),
            ]);
        }
    }
    // Without another target, the error is passed on.
    let body = json!({"model": "oversized-failed", "input": "canary-prompt", "stream": true});
    let heard = ask(&case, "/v1/responses", &body).await;
    let expected = pieces("failed").expect("the script").concat();
    assert!(heard.is_whole().answer.body == expected.as_bytes());
    let line = logged(&case, &heard.answer.id).await;
    line.says(&[("end", "in_band_error"), ("attempts", "1")]);
}
