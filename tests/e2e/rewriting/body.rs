//! Trials of bodies: every byte stays unchanged except for the model's name, and the length is correct.

use std::time::Duration;

use crate::harness::{Case, Suite};

/// Returns a body with oddities that a JSON library would normalize, around a model in these bytes. It has no lone
/// surrogates, because the demo backends refuse them: see `input::byte_exact`.
pub(crate) fn odd_body(model: &str) -> Vec<u8> {
    [
        b" \r\n{\t\"messages\" : [ {\"content\":\"\\u0041\\/\\ud83d\\ude00 \xc3\xbc \\\"model\\\":\\\"no\\\"\", \"model\": \"nested\"} ],\n"
            .as_slice(),
        b" \"temperature\":1.0E+2, \"seed\": 123456789012345678901234567890 ,\"z\":-0.0,\"nul\":\"\\u0000\",\r\n\"model\"  :\n ",
        model.as_bytes(),
        b" , \"a\":{\"b\":{}} ,\"\":null,\"a\":1e-999}\n\n \t",
    ]
    .concat()
}

pub(crate) fn add(suite: &mut Suite) {
    suite.matrix("rewriting::only_the_model_changes", only_the_model_changes);
    suite.matrix("rewriting::escaped_model_names", escaped_model_names);
    suite.matrix(
        "rewriting::nothing_changes_where_the_name_is_the_same",
        nothing_changes,
    );
    suite.matrix("rewriting::a_length_is_kept", a_length_is_kept);
    suite.matrix(
        "rewriting::bodies_without_a_length",
        bodies_without_a_length,
    );
    suite.matrix(
        "rewriting::a_client_that_asks_before_it_sends",
        a_client_that_asks_before_it_sends,
    );
    suite.matrix(
        "rewriting::every_attempt_starts_from_the_clients_body",
        every_attempt_starts_from_the_clients_body,
    );
}

async fn only_the_model_changes(case: Case) {
    // Longer, shorter, and not ASCII.
    for (model, backend, name) in [
        ("fast", "openai", "\"gpt-4o-mini-2024-07-18\""),
        (
            "untouched-very-fast",
            "openai",
            "\"gpt-4o-mini-2024-07-18\"",
        ),
        ("at-azure", "azure-east", "\"my deployment/\u{fc}?\""),
        ("at-bare", "bare", "\"gpt-4o\""),
    ] {
        let answer = case
            .post("/v1/chat/completions", odd_body(&format!("\"{model}\"")))
            .send()
            .await;
        let seen = answer.only_at(backend);
        assert_eq!(text(&seen.0.body), text(&odd_body(name)));
        assert!(seen.0.body == odd_body(name));
        seen.has_its_length();
    }
}

async fn escaped_model_names(case: Case) {
    for spelled in [r#""f\u0061st""#, r#""\u0066\u0061\u0073\u0074""#] {
        let answer = case
            .post("/v1/chat/completions", odd_body(spelled))
            .send()
            .await;
        assert_eq!(
            text(&answer.only_at("openai").0.body),
            text(&odd_body("\"gpt-4o-mini-2024-07-18\""))
        );
    }
}

async fn nothing_changes(case: Case) {
    let answer = case
        .post("/v1/chat/completions", odd_body("\"gpt-4o\""))
        .send()
        .await;
    let seen = answer.only_at("openai");
    assert_eq!(text(&seen.0.body), text(&odd_body("\"gpt-4o\"")));
    seen.has_its_length();
}

/// A body that is sent in several pieces with its length arrives with a length.
async fn a_length_is_kept(case: Case) {
    for (model, backend, name) in [
        ("fast", "openai", "gpt-4o-mini-2024-07-18"),
        (
            "openai-status-500-then-next",
            "azure-east",
            "my deployment/\u{fc}?",
        ),
        (
            "openai-dead-then-next",
            "azure-east",
            "my deployment/\u{fc}?",
        ),
        ("gpt-4o", "openai", "gpt-4o"),
    ] {
        let body = odd_body(&format!("\"{model}\""));
        let (start, end) = body.split_at(body.len() / 2);
        let call = case
            .post("/v1/chat/completions", start)
            .pause(Duration::from_millis(20))
            .piece(end);
        let answer = call.send_on(&mut case.connect().await).await;
        answer.is(200);
        let seen = answer.attempts().pop().expect("an attempt");
        assert_eq!(seen.0, backend);
        assert_eq!(
            text(&seen.1.0.body),
            text(&odd_body(&format!("\"{name}\"")))
        );
        seen.1.has_its_length();
    }
}

async fn bodies_without_a_length(case: Case) {
    for (model, backend, name) in [
        ("fast", "openai", "gpt-4o-mini-2024-07-18"),
        (
            "openai-status-500-then-next",
            "azure-east",
            "my deployment/\u{fc}?",
        ),
    ] {
        let body = odd_body(&format!("\"{model}\""));
        let mut call = case.post("/v1/chat/completions", "").chunked();
        for piece in body.chunks(50) {
            call = call.piece(piece).pause(Duration::from_millis(1));
        }
        let answer = call.send_on(&mut case.connect().await).await;
        answer.is(200);
        let seen = answer.attempts().pop().expect("an attempt");
        assert_eq!(seen.0, backend);
        assert_eq!(
            text(&seen.1.0.body),
            text(&odd_body(&format!("\"{name}\"")))
        );
        // Envoy may have added a length by then, but it must be correct and the only framing.
        if seen.1.header("content-length").is_some() {
            seen.1.has_its_length();
        }
    }
}

/// As curl does from 1 MiB on.
async fn a_client_that_asks_before_it_sends(case: Case) {
    let body = odd_body("\"fast\"");
    let call = case
        .post("/v1/chat/completions", "")
        .header("expect", "100-continue");
    let call = call.pause(Duration::from_millis(50)).piece(body);
    let seen = call
        .send_on(&mut case.connect().await)
        .await
        .only_at("openai");
    assert_eq!(
        text(&seen.0.body),
        text(&odd_body("\"gpt-4o-mini-2024-07-18\""))
    );
    seen.has_its_length();
}

async fn every_attempt_starts_from_the_clients_body(case: Case) {
    let answer = case
        .post("/v1/chat/completions", odd_body("\"two-models\""))
        .send()
        .await;
    let seen = answer.is(200).went_to(&["openai", "openai"]);
    assert_eq!(text(&seen[0].0.body), text(&odd_body("\"status-500\"")));
    assert_eq!(
        text(&seen[1].0.body),
        text(&odd_body("\"gpt-4o-mini-2024-07-18\""))
    );
    seen.iter().for_each(|attempt| {
        attempt.has_its_length();
    });
}

/// For failure messages: the bodies of these tests are text.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
