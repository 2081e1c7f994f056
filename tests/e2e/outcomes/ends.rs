//! Trials of how requests end: after retries, with errors, cut, stalled, and without their client.

use std::time::Duration;

use serde_json::json;

use super::{logged, on_both};
use crate::harness::echo::EchoInstruction;
use crate::harness::{Case, Suite};

pub(crate) fn add(suite: &mut Suite) {
    on_both(suite, "outcomes::fallback", fallback);
    on_both(suite, "outcomes::ends_of_streams", ends_of_streams);
    on_both(suite, "outcomes::answered_here", answered_here);
    on_both(suite, "outcomes::client_gone", client_gone);
    on_both(suite, "outcomes::parts", parts);
    on_both(suite, "outcomes::nothing_to_bill", nothing_to_bill);
    on_both(suite, "outcomes::pictures", pictures);
}

fn body(model: &str, stream: bool) -> String {
    let messages = json!([{"role": "user", "content": "canary-prompt"}]);
    json!({"model": model, "stream": stream, "messages": messages}).to_string()
}

async fn fallback(case: Case) {
    for stream in [false, true] {
        for (model, failures, backend, verdict, usage) in [
            ("retried", "one=unavailable", "two", "accepted", true),
            ("dead", "dead=connect_failure", "two", "accepted", true),
            ("held", "-", "one", "accepted", true),
            (
                "failing",
                "one=server_error,two=unavailable",
                "two",
                "unavailable",
                false,
            ),
            ("broken", "one=incomplete", "two", "accepted", true),
        ] {
            // A stream is not retried once its first token has passed.
            if model == "broken" && stream {
                continue;
            }
            let call = case.post("/v1/chat/completions", body(model, stream));
            let heard = call.listen().await;
            let line = logged(&case, &heard.answer.id).await;
            let attempts = if failures == "-" { 1 } else { 2 };
            line.says(&[
                ("route", model),
                ("failures", failures),
                ("backend", backend),
                ("verdict", verdict),
                ("attempts", &attempts.to_string()),
                ("end", "complete"),
                ("status", &heard.answer.status.to_string()),
            ]);
            assert_eq!(line.get("usage.input_tokens").is_some(), usage, "{model}");
            assert_eq!(line.get("cost_usd").is_some(), usage, "{model}");
        }
    }
}

async fn ends_of_streams(case: Case) {
    for (model, end) in [
        ("words-3", "complete"),
        ("end-3", "no_terminator"),
        ("error-after-3", "in_band_error"),
        ("cut-3", "cut"),
        ("reset-3", "cut"),
        ("stall-3", "stalled"),
    ] {
        let heard = case
            .post("/v1/chat/completions", body(model, true))
            .listen()
            .await;
        let line = logged(&case, &heard.answer.id).await;
        line.says(&[("end", end), ("verdict", "accepted"), ("error.type", "-")]);
        let is_estimated = model != "words-3";
        line.says(&[("usage.estimated", &is_estimated.to_string())]);
    }
}

async fn answered_here(case: Case) {
    for (path, body, status, decision, error) in [
        (
            "/v1/chat/completions",
            "{".to_owned(),
            "400",
            "invalid_json",
            "invalid_json",
        ),
        (
            "/v1/chat/completions",
            body("nobody", false),
            "400",
            "api_not_supported",
            "api_not_supported",
        ),
        (
            "/v1/nothing",
            body("x", false),
            "404",
            "path_not_found",
            "path_not_found",
        ),
    ] {
        let answer = case.post(path, body).send().await;
        let line = logged(&case, &answer.id).await;
        line.says(&[
            ("decision", decision),
            ("error.type", error),
            ("end", "none"),
            ("attempts", "0"),
            ("status", status),
            ("cost_usd", "-"),
            ("usage.estimated", "-"),
        ]);
    }
    let answer = case.get("/v1/models").send().await;
    let line = logged(&case, &answer.id).await;
    line.says(&[
        ("decision", "answered"),
        ("error.type", "-"),
        ("end", "complete"),
    ]);
    // No answer before the deadline.
    let answer = case
        .post("/v1/chat/completions", body("hang", false))
        .send()
        .await;
    let line = logged(&case, &answer.id).await;
    line.says(&[
        ("decision", "ordered"),
        ("error.type", "deadline_exceeded"),
        ("end", "none"),
        ("attempts", "1"),
    ]);
}

/// The client leaves at different points.
async fn client_gone(case: Case) {
    for (model, end, verdict) in [
        ("slow-words-100", "client_gone", "accepted"),
        ("slow-headers-3000", "client_gone", "abandoned"),
        ("hang", "client_gone", "abandoned"),
        // The stream is complete; the backend just has not closed it.
        ("stall-finished", "complete", "accepted"),
    ] {
        let call = case.post("/v1/chat/completions", body(model, true));
        let id = call.id.clone();
        let left = tokio::time::timeout(Duration::from_millis(700), call.listen()).await;
        assert!(left.is_err(), "{model}");
        let line = logged(&case, &id).await;
        line.says(&[("end", end), ("verdict", verdict), ("attempts", "1")]);
        assert_eq!(
            line.get("cost_usd").is_some(),
            verdict == "accepted",
            "{model}"
        );
    }
    let half = case.post("/v1/chat/completions", body("words-3", true));
    let id = half.id.clone();
    let wire = case.connect().await;
    wire.leave_halfway(&half.chunked())
        .await
        .expect("it is sent");
    let line = logged(&case, &id).await;
    line.says(&[
        ("end", "client_gone"),
        ("decision", "none"),
        ("attempts", "0"),
    ]);
}

/// The usage at the beginning of an answer that breaks off is not complete.
async fn parts(case: Case) {
    for (path, model, end) in [
        ("/v1/messages", "cut-40", "cut"),
        ("/v1/messages", "stall-40", "stalled"),
        ("/v1/messages", "end-40", "no_terminator"),
        (
            "/v1beta/models/cut-40:streamGenerateContent?alt=sse",
            "",
            "cut",
        ),
        ("/v1/chat/completions", "cut-40", "cut"),
    ] {
        let call = if model.is_empty() {
            case.post(path, CONTENTS)
        } else {
            case.post(path, body(model, true))
        };
        let line = logged(&case, &call.listen().await.answer.id).await;
        line.says(&[("end", end), ("usage.estimated", "true")]);
        let output = line.number("usage.output_tokens").unwrap_or(0);
        assert!((30..200).contains(&output), "{path}: {output}");
        assert!(line.number("usage.input_tokens") > Some(0), "{path}");
        assert!(line.get("cost_usd").is_some(), "{path}");
    }
    // Also if the caller leaves.
    for path in ["/v1/messages", "/v1/chat/completions"] {
        let call = case.post(path, body("slow-words-100", true));
        let id = call.id.clone();
        let left = tokio::time::timeout(Duration::from_millis(700), call.listen()).await;
        assert!(left.is_err(), "{path}");
        let line = logged(&case, &id).await;
        line.says(&[("end", "client_gone"), ("usage.estimated", "true")]);
        // At least a word or so has arrived, even on a busy machine.
        let output = line.number("usage.output_tokens");
        assert!(output > Some(1), "{path}: {output:?}");
    }
}

const CONTENTS: &str = r#"{"contents": [{"role": "user", "parts": [{"text": "canary-prompt"}]}]}"#;

/// Errors behind a successful status, and empty answers.
async fn nothing_to_bill(case: Case) {
    let error = EchoInstruction {
        pieces: vec![
            r#"{"error":{"mess"#.to_owned(),
            r#"age":"no","code":500}}"#.to_owned(),
        ],
        ..EchoInstruction::status(200)
    };
    let empty = |status| EchoInstruction {
        pieces: vec![],
        ..EchoInstruction::status(status)
    };
    for (answer, end) in [
        (error, "in_band_error"),
        (empty(200), "complete"),
        (empty(204), "complete"),
        (empty(304), "complete"),
        (EchoInstruction::status(302), "complete"),
    ] {
        let call = case
            .post("/v1/chat/completions", body("any", false))
            .header("x-at", "written")
            .header("x-test-answer", answer.header());
        let line = logged(&case, &call.send().await.id).await;
        line.says(&[
            ("end", end),
            ("verdict", "accepted"),
            ("usage.input_tokens", "-"),
            ("usage.output_tokens", "-"),
            ("cost_usd", "-"),
        ]);
    }
}

/// Images and audio are not counted as text.
async fn pictures(case: Case) {
    let picture = format!("data:image/png;base64,{}", "iVBORw0KGgo".repeat(20_000));
    let content = json!([{"type": "text", "text": "canary-prompt"}, {"type": "image_url", "image_url": {"url": picture}}]);
    let sound = format!(
        r#"{{"choices":[{{"message":{{"content":null,"audio":{{"data":"{}","transcript":"two words"}}}},"finish_reason":"stop"}}]}}"#,
        "A".repeat(4_000)
    );
    let answer = EchoInstruction {
        pieces: vec![sound],
        ..EchoInstruction::status(200)
    };
    let asked = json!({"model": "any", "messages": [{"role": "user", "content": content}]});
    let call = case
        .post("/v1/chat/completions", asked.to_string())
        .header("x-at", "written")
        .header("x-test-answer", answer.header());
    let line = logged(&case, &call.send().await.id).await;
    line.says(&[("usage.estimated", "true"), ("usage.output_tokens", "3")]);
    let input = line.number("usage.input_tokens").unwrap_or(0);
    assert!((10..100).contains(&input), "{input}");
}
