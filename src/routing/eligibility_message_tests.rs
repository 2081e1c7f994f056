//! Tests of the errors that callers get when no target is left, and of model aliases.

use super::*;
use crate::schema::ErrorCode;

/// If no target is left, the error has the format of the caller's API.
#[test]
fn what_a_caller_is_told() {
    let words = " word".repeat(5_000);
    let long = [
        (
            CHAT,
            json!({"model": "one", "messages": [{"role": "user", "content": words}]}),
        ),
        (
            "/v1/messages",
            json!({"model": "one", "max_tokens": 100, "messages": [{"role": "user", "content": words}]}),
        ),
        (
            "/v1beta/models/one:generateContent",
            json!({"contents": [{"parts": [{"text": words}]}]}),
        ),
        (
            "/model/one/converse",
            json!({"messages": [{"role": "user", "content": [{"text": words}]}]}),
        ),
    ];
    let document = document();
    for ((path, body), place) in long.iter().zip([
        "/error/code",
        "/error/details/error_code",
        "/error/details/0/reason",
        "/code",
    ]) {
        let answer = ask(&document, path, body, false).unwrap_err();
        assert_eq!(answer.status, 400);
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        let code = told.pointer(place).unwrap().as_str().unwrap();
        assert_eq!(code.to_ascii_lowercase(), "context_length_exceeded");
        assert_eq!(told.get("decision"), None);
        let message = told.pointer("/error/message").or(told.get("message"));
        let message = message.unwrap().as_str().unwrap();
        assert!(
            message.starts_with("The prompt is too long: about "),
            "{message}"
        );
        assert!(
            message.ends_with("the maximum context length is 1000 tokens."),
            "{message}"
        );
        // Another router in front of this one, or any client that reads errors the same way, recognises the failure.
        assert_eq!(
            crate::schema::failure_of_answer(400, &answer.body),
            crate::attempt::Failure::ContextLength
        );
    }
    let image = json!({"model": "one", "messages": [{"role": "user", "content": [
        {"type": "image", "source": {"type": "url", "url": "https://example.org/secret.png"}},
    ]}]});
    let answer = ask(&document, "/v1/messages", &image, true).unwrap_err();
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        told,
        json!({
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "No target of the route \"one\" can take this request for \"one\": schema_mismatch, \
                            capability_missing (no images).",
                "details": {"error_code": "no_eligible_target"},
            },
            "decision": {
                "object": "llm_router.decision",
                "request": {"model": "one", "stream": false},
                "route": "one",
                "plan": [],
                "left_out": [
                    {"backend": "text", "model": "m", "reason": "schema_mismatch"},
                    {"backend": "claude", "model": "m", "reason": "capability_missing", "detail": "no images"},
                    {"backend": "gemini", "model": "m", "reason": "schema_mismatch"},
                    {"backend": "bedrock", "model": "m", "reason": "schema_mismatch"},
                ],
            },
        })
    );
}

/// Callers do not see labels and prices.
#[test]
fn what_a_caller_is_not_told() {
    let document = Document::of_yaml(
        "
backends:
- name: a
  schema: openai
  models:
  - {name: here, labels: {tier: hidden}, prices: {input: 1}}
  - {name: there, labels: {tier: shown}, prices: {input: 123}}
  - {name: fine, labels: {tier: shown}, prices: {input: 1}}
routes:
- {name: r, match: {model: '*'}, require: {tier: shown}, max_prices: {input: 77}, targets: [{backend: a}]}",
    )
    .unwrap();
    for (model, reason) in [("here", "label_missing"), ("there", "price_too_high")] {
        let answer = ask(&document, CHAT, &json!({"model": model}), false).unwrap_err();
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        let message = format!(
            "No target of the route \"r\" can take this request for \"{model}\": {reason}."
        );
        assert_eq!(told["error"]["message"], message);
        assert_eq!(told["error"]["code"], "no_eligible_target");
    }
    assert_eq!(
        ask(&document, CHAT, &json!({"model": "fine"}), false).unwrap(),
        "a"
    );
}

#[test]
fn another_name_for_a_model() {
    let document = document();
    let hello = json!({"model": "old", "messages": []});
    let answer = ask(&document, CHAT, &hello, true).unwrap_err();
    let decision: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        decision["request"],
        json!({"model": "old", "alias_of": "fast", "stream": false})
    );
    assert_eq!(decision["route"], "fast");
    for path in [
        "/v1beta/models/old%20one:generateContent",
        "/model/old%20one/converse",
    ] {
        let answer = ask(&document, path, &json!({}), false);
        assert!(
            ["gemini", "bedrock"].contains(&answer.unwrap().as_str()),
            "{path}"
        );
    }
    // The error has the caller's name for the model.
    let answer = ask(
        &document,
        "/v1/embeddings",
        &json!({"model": "old one"}),
        false,
    );
    assert!(answer.is_ok());
    let answer = ask(&document, "/v1/messages", &hello, false).unwrap_err();
    let told = String::from_utf8(answer.body).unwrap();
    assert!(
        told.contains("takes this request for \\\"old\\\""),
        "{told}"
    );
}

/// A pattern does not bypass what the document says of a model: its upstream name leads to the same entry.
#[test]
fn a_model_by_its_upstream_name() {
    let document = |others: &str| {
        let text = format!(
            "
backends:
- name: a
  schema: openai
  labels: {{region: eu}}
  models: [{{name: '*'}}, {{name: x, upstream_name: up-x, labels: {{region: us}}, context_window: 10}}{others}]
routes: [{{name: only, match: {{model: 'up-*'}}, require: {{region: eu}}, targets: [{{backend: a}}]}}]
defaults: {{allow_request_headers: [dry_run]}}
"
        );
        Document::of_yaml(&text).unwrap()
    };
    let asked = |document: &Document, model: &str| {
        let mut body = user("hello".into());
        body["model"] = model.into();
        ask(document, CHAT, &body, false).map_err(|answer| answer.code)
    };
    let plain = document("");
    assert_eq!(asked(&plain, "up-y"), Ok("a".to_owned()));
    assert_eq!(
        asked(&plain, "up-x"),
        Err(Some(ErrorCode::NoEligibleTarget))
    );
    // An entry with this exact name takes precedence.
    let own = document(", {name: up-x}");
    assert_eq!(asked(&own, "up-x"), Ok("a".to_owned()));
    let backend = &plain.backends[0];
    let entry = backend.model("up-x").unwrap();
    assert_eq!(entry.name.as_exact(), Some("x"));
    assert_eq!(entry.context_window, 10);
    assert_eq!(backend.upstream_name("up-x"), Some("up-x"));
    assert_ne!(entry.key, backend.model("up-y").unwrap().key);
    // Requests may ask for the entry by either name.
    assert!(backend.may_be_asked(entry, |name| name == "up-x"));
    assert!(backend.may_be_asked(entry, |name| name == "x"));
    assert!(!backend.may_be_asked(entry, |name| name == "up-y"));
    let other = &own.backends[0];
    assert!(!other.may_be_asked(&other.models[1], |name| name == "up-x"));
    // Without a pattern, no entry takes the upstream name.
    let without = Document::of_yaml(
        "
backends: [{name: a, schema: openai, models: [{name: x, upstream_name: up-x}]}]
routes: [{name: only, match: {model: x}, targets: [{backend: a}]}]
",
    )
    .unwrap();
    assert_eq!(without.backends[0].model("up-x"), None);
}
