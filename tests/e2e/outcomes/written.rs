//! Trials with hand-written answers: the different ways in which servers report their usage.

use serde_json::json;

use super::{Logged, logged, on_both};
use crate::fleet::outcomes::PRICES;
use crate::harness::echo::EchoInstruction;
use crate::harness::stream::StreamedAnswer;
use crate::harness::{Case, Suite};

pub(crate) fn add(suite: &mut Suite) {
    on_both(suite, "outcomes::ways_of_counting", ways_of_counting);
    on_both(suite, "outcomes::not_believed", not_believed);
    on_both(suite, "outcomes::models_of_answers", models_of_answers);
    on_both(suite, "outcomes::unnamed_answers", unnamed_answers);
}

const JSON: &str = "application/json";

/// Returns an answer with this usage and this model, as they are written.
fn whole(model: &str, usage: &str) -> String {
    format!(
        r#"{{"model":"{model}","choices":[{{"index":0,"message":{{"content":"Reykjav\u00edk"}},"finish_reason":"stop"}}],"usage":{usage}}}"#
    )
}

/// Makes a call with this answer, and returns the result.
async fn answered(
    case: &Case,
    stream: bool,
    content_type: &str,
    pieces: &[&str],
) -> (StreamedAnswer, Logged) {
    let answer = EchoInstruction {
        content_type: content_type.to_owned(),
        ..EchoInstruction::events(pieces)
    };
    let body = json!({"model": "any", "stream": stream,
        "messages": [{"role": "user", "content": "canary-prompt"}]});
    let call = case
        .post("/v1/chat/completions", body.to_string())
        .header("x-at", "written")
        .header("x-test-answer", answer.header());
    let heard = call.listen().await;
    let line = logged(case, &heard.answer.id).await;
    line.says(&[("backend", "written"), ("verdict", "accepted")]);
    (heard, line)
}

/// Cache and reasoning counts, included in the other counts or separate; numbers in any notation.
async fn ways_of_counting(case: Case) {
    for (usage, input, cached, output) in [
        (
            r#"{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010,"prompt_tokens_details":{"cached_tokens":900},"cache_read_input_tokens":900,"cache_creation_input_tokens":90}"#,
            1000,
            "900",
            10,
        ),
        (
            r#"{"prompt_tokens":10120,"completion_tokens":1499,"total_tokens":14428,"prompt_tokens_details":{"cached_tokens":128},"completion_tokens_details":{"reasoning_tokens":2809}}"#,
            10120,
            "128",
            4308,
        ),
        (
            r#"{"prompt_tokens":100.0,"completion_tokens":5e1,"cached_tokens":"40"}"#,
            100,
            "40",
            50,
        ),
    ] {
        let (_, line) = answered(&case, false, JSON, &[&whole("m", usage)]).await;
        let (told_input, told_output) = (input.to_string(), output.to_string());
        line.says(&[
            ("usage.input_tokens", told_input.as_str()),
            ("usage.cache_read.input_tokens", cached),
            ("usage.output_tokens", told_output.as_str()),
            ("usage.estimated", "false"),
        ]);
        let (input_price, output_price) = PRICES;
        let millionths = input * input_price + output * output_price;
        let cost = format!("0.{millionths:06}");
        line.says(&[("cost_usd", cost.trim_end_matches('0'))]);
    }
}

/// Impossible usage is not reported; there is an estimate instead, which has a cost.
async fn not_believed(case: Case) {
    for usage in [
        r#"{"prompt_tokens":-100,"completion_tokens":50}"#,
        r#"{"prompt_tokens":99999999999999999999999,"completion_tokens":50}"#,
        r#"{"prompt_tokens":281474976710656,"completion_tokens":281474976710656}"#,
        r#"{"completion_tokens":50}"#,
    ] {
        let (_, line) = answered(&case, false, JSON, &[&whole("m", usage)]).await;
        line.says(&[("usage.estimated", "true")]);
        for name in ["usage.input_tokens", "usage.output_tokens"] {
            let told = line.number(name).unwrap_or(0);
            assert!((1..500).contains(&told), "{name} {told} {usage}");
        }
        let cost = line.get("cost_usd").unwrap_or_default();
        assert!(cost.starts_with("0.00"), "{cost} {usage}");
    }
}

/// A model's name may become part of a line of text, which it must not end.
async fn models_of_answers(case: Case) {
    let usage = r#"{"prompt_tokens":9,"completion_tokens":1}"#;
    for (model, told) in [
        ("maker/model:1", "maker/model:1"),
        (r"evil\nLINE model=fake", "-"),
        (r"evil\u001b[31m", "-"),
    ] {
        let whole = whole(model, usage);
        let (_, line) = answered(&case, false, JSON, &[&whole]).await;
        line.says(&[("response.model", told), ("usage.input_tokens", "9")]);
        let event = format!("data: {whole}\n\n");
        let pieces = [event.as_str(), "data: [DONE]\n\n"];
        let (_, line) = answered(&case, true, "text/event-stream", &pieces).await;
        line.says(&[("response.model", told), ("usage.input_tokens", "9")]);
    }
}

/// An answer without a content type is recognised by how it begins.
async fn unnamed_answers(case: Case) {
    let usage = r#"{"prompt_tokens":9,"completion_tokens":4}"#;
    let whole = whole("m", usage);
    let (before, after) = whole.split_at(20);
    let events = [
        r#"{"model":"m","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}"#,
        r#"{"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        &format!(r#"{{"model":"m","choices":[],"usage":{usage}}}"#),
        "[DONE]",
    ]
    .map(|data| format!("data: {data}\n\n"));
    let [content, stop, counts, done] = events.each_ref().map(String::as_str);
    let told = [
        ("usage.input_tokens", "9"),
        ("usage.output_tokens", "4"),
        ("usage.estimated", "false"),
        ("end", "complete"),
    ];
    for kind in ["", "text/plain; charset=utf-8"] {
        for stream in [false, true] {
            let (heard, line) = answered(&case, stream, kind, &[before, after]).await;
            line.says(&told);
            assert_eq!(heard.answer.body, whole.as_bytes(), "{kind} {stream}");
        }
        let pieces = [content, stop, counts, done];
        let (heard, line) = answered(&case, true, kind, &pieces).await;
        line.says(&told);
        let body = String::from_utf8(heard.answer.body).expect("text");
        assert_eq!(body, [content, stop, done].concat(), "{kind}");
        // Neither format: it passes unchanged.
        let (heard, line) = answered(&case, true, kind, &["no", "thing"]).await;
        line.says(&[("usage.estimated", "true"), ("end", "complete")]);
        assert_eq!(heard.answer.body, b"nothing", "{kind}");
    }
}
