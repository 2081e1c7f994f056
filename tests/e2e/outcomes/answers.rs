//! Trials of the outcomes of answers of each API, whole and streamed.

use llm_router::prompt::estimate;
use serde_json::{Value, json};

use super::{logged, on_both};
use crate::fleet::outcomes::PRICES;
use crate::harness::{Call, Case, Suite};

pub(crate) fn add(suite: &mut Suite) {
    on_both(suite, "outcomes::every_api", every_api);
    on_both(suite, "outcomes::usage_is_asked_for", usage_is_asked_for);
    on_both(suite, "outcomes::without_usage", without_usage);
    on_both(suite, "outcomes::first_token", first_token);
}

/// Returns the calls: API, path, body with the model (or the model in the path), and the backend that answers.
fn calls(model: &str) -> Vec<(&'static str, String, Value, &'static str)> {
    let messages = json!([{"role": "user", "content": "canary-prompt"}]);
    let contents = json!({"contents": [{"role": "user", "parts": [{"text": "canary-prompt"}]}]});
    let turns = json!({"messages": [{"role": "user", "content": [{"text": "canary-prompt"}]}]});
    let chat =
        |stream| json!({"model": model, "max_tokens": 9, "stream": stream, "messages": messages});
    let text =
        |field: &str, stream| json!({"model": model, field: "canary-prompt", "stream": stream});
    let mut all = vec![];
    for stream in [false, true] {
        all.push((
            "chat_completions",
            "/v1/chat/completions".to_owned(),
            chat(stream),
            "one",
        ));
        all.push((
            "messages",
            "/v1/messages".to_owned(),
            chat(stream),
            "claude",
        ));
        all.push((
            "responses",
            "/v1/responses".to_owned(),
            text("input", stream),
            "one",
        ));
        all.push((
            "completions",
            "/v1/completions".to_owned(),
            text("prompt", stream),
            "one",
        ));
    }
    all.push((
        "embeddings",
        "/v1/embeddings".to_owned(),
        json!({"model": model, "input": "canary-prompt"}),
        "one",
    ));
    let gemini = |operation: &str| format!("/v1beta/models/{model}:{operation}");
    all.push((
        "generate_content",
        gemini("generateContent"),
        contents.clone(),
        "gemini",
    ));
    all.push((
        "stream_generate_content",
        gemini("streamGenerateContent?alt=sse"),
        contents.clone(),
        "gemini",
    ));
    all.push((
        "stream_generate_content",
        gemini("streamGenerateContent"),
        contents,
        "gemini",
    ));
    let bedrock = |operation: &str| format!("/model/{model}/{operation}");
    all.push(("converse", bedrock("converse"), turns.clone(), "bedrock"));
    all.push((
        "converse_stream",
        bedrock("converse-stream"),
        turns,
        "bedrock",
    ));
    all
}

fn call(case: &Case, path: &str, body: &Value) -> Call {
    let separator = if path.contains('?') { '&' } else { '?' };
    case.post(
        &format!("{path}{separator}note=canary-query"),
        body.to_string(),
    )
    .header("authorization", "Bearer canary-key")
    .header("anthropic-version", "2023-06-01")
    .header("x-team", "search")
}

async fn every_api(case: Case) {
    for model in ["words-6", "crlf", "bytewise"] {
        for (api, path, body, backend) in calls(model) {
            let heard = call(&case, &path, &body).listen().await;
            assert_eq!(heard.answer.status, 200, "{api}");
            let (_, seen) = heard.answer.attempts().pop().expect("a backend got it");
            let (input, output) = seen.0.answer.counted().expect("the backend counts");
            let line = logged(&case, &heard.answer.id).await;
            // Embeddings have no output tokens.
            let is_embedding = api == "embeddings";
            let told = if is_embedding { 0 } else { output };
            let (input_price, output_price) = PRICES;
            let cost = input * input_price + told * output_price;
            line.says(&[
                ("route", "all"),
                ("decision", "ordered"),
                ("api", api),
                ("caller", "search"),
                ("request.model", model),
                ("backend", backend),
                ("target.model", model),
                ("verdict", "accepted"),
                ("attempts", "1"),
                ("failures", "-"),
                ("error.type", "-"),
                ("end", "complete"),
                ("usage.estimated", "false"),
                ("usage.input_tokens", &input.to_string()),
                ("cost_usd", &dollars(cost)),
            ]);
            if !is_embedding {
                line.says(&[("usage.output_tokens", &output.to_string())]);
            }
            assert!(line.number("first_token_ms").is_some(), "{api}");
            assert!(
                line.number("decision_us")
                    .is_some_and(|took| took < 1_000_000),
                "{api}"
            );
        }
    }
}

/// Formats millionths of a dollar in dollars.
fn dollars(millionths: u64) -> String {
    let text = format!("0.{millionths:06}");
    text.trim_end_matches('0').to_owned()
}

/// The usage event reaches only clients that asked for it.
async fn usage_is_asked_for(case: Case) {
    for (model, at, path) in [
        ("words-5", "", "/v1/chat/completions"),
        ("words-5", "azure", "/v1/chat/completions"),
        ("held", "", "/v1/chat/completions"),
        ("crlf", "", "/v1/chat/completions"),
        ("bytewise", "", "/v1/chat/completions"),
        ("words-5", "", "/v1/completions"),
    ] {
        for asks in [None, Some(false), Some(true)] {
            let mut body = json!({"model": model, "stream": true, "prompt": "x",
                "messages": [{"role": "user", "content": "canary-prompt"}]});
            if let Some(asks) = asks {
                body["stream_options"] = json!({"include_usage": asks});
            }
            let asked = call(&case, path, &body).header("x-at", at);
            let sent = asked.bytes();
            let heard = asked.listen().await;
            assert!(heard.broken.is_none());
            let text = String::from_utf8(heard.answer.body.clone()).expect("text");
            let is_told = text.contains("\"usage\":{");
            assert_eq!(is_told, asks == Some(true), "{model} {at} {asks:?}: {text}");
            assert!(text.trim_end().ends_with("data: [DONE]"), "{text}");
            let (_, seen) = heard.answer.attempts().pop().expect("a backend got it");
            let received: Value = serde_json::from_slice(&seen.0.body).expect("JSON");
            assert_eq!(received["stream_options"]["include_usage"], true);
            if asks == Some(true) && model != "held" {
                assert_eq!(seen.0.body, sent);
            }
            let (input, output) = seen.0.answer.counted().expect("the backend counts");
            let line = logged(&case, &heard.answer.id).await;
            line.says(&[
                ("stream", "true"),
                ("end", "complete"),
                ("usage.input_tokens", &input.to_string()),
                ("usage.output_tokens", &output.to_string()),
                ("usage.estimated", "false"),
            ]);
        }
    }
}

/// If an answer reports no usage, there is an estimate, which is marked as one.
async fn without_usage(case: Case) {
    for (model, at, stream) in [
        ("words-40", "silent", true),
        ("gzip", "", false),
        ("gzip", "", true),
    ] {
        let body = json!({"model": model, "stream": stream,
            "messages": [{"role": "user", "content": "canary-prompt"}]});
        let asked = call(&case, "/v1/chat/completions", &body).header("x-at", at);
        let heard = asked.listen().await;
        let (_, seen) = heard.answer.attempts().pop().expect("a backend got it");
        if at == "silent" {
            let received: Value = serde_json::from_slice(&seen.0.body).expect("JSON");
            assert_eq!(received["stream_options"], Value::Null);
        }
        let line = logged(&case, &heard.answer.id).await;
        line.says(&[("usage.estimated", "true"), ("verdict", "accepted")]);
        assert!(line.number("usage.input_tokens") > Some(0));
        assert!(line.number("usage.output_tokens") > Some(0));
        if at == "silent" {
            let words: Vec<String> = (1..=40).map(|word| format!("word{word}")).collect();
            let whole = estimate(&words.join(" "));
            let told = line.number("usage.output_tokens").unwrap_or(0);
            assert!(
                told.abs_diff(whole) * 100 <= whole * 15,
                "{told}, not {whole}"
            );
            // The prompt and the overhead of a message count, and nothing else in the body.
            let told = line.number("usage.input_tokens").unwrap_or(0);
            let prompt = estimate("canary-prompt");
            assert!(
                (prompt..prompt + 10).contains(&told),
                "{told}, not {prompt}"
            );
            line.says(&[("end", "complete")]);
        }
    }
}

async fn first_token(case: Case) {
    for (model, stream) in [
        ("slow-token-400", true),
        ("slow-headers-400", true),
        ("slow-headers-400", false),
    ] {
        let body = json!({"model": model, "stream": stream,
            "messages": [{"role": "user", "content": "canary-prompt"}]});
        let heard = call(&case, "/v1/chat/completions", &body).listen().await;
        let line = logged(&case, &heard.answer.id).await;
        let first = line.number("first_token_ms").unwrap_or(0);
        assert!((400..5_000).contains(&first), "{model}: {first}");
    }
}
