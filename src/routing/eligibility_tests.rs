//! Tests of what keeps a target out of a plan.

use serde_json::{Value, json};

use crate::attempt::Moment;
use crate::config::Document;
use crate::health::NoHealthStore;
use crate::request::{Caller, Headers};
use crate::routing::{AfterHeaders, receive_headers};
use crate::schema::Answer;

#[path = "eligibility_message_tests.rs"]
mod told;

const MOMENT: Moment<'_> = Moment {
    now: 0,
    random: 0,
    health: &NoHealthStore,
};

const DOCUMENT: &str = "
backends:
- name: text
  schema: openai
  models: [{name: m, context_window: 1000, max_output_tokens: 500, capabilities: []}]
- name: all
  schema: openai
  models: [{name: m, context_window: 10000, capabilities: [tools, images, audio, files, json_schema, reasoning]}]
- {name: unknown, schema: openai, models: [{name: m}]}
- name: claude
  schema: anthropic
  models: [{name: m, context_window: 1000, capabilities: [tools]}]
- name: gemini
  schema: gemini
  models: [{name: m, context_window: 1000, capabilities: [tools]}]
- name: bedrock
  schema: bedrock
  models: [{name: m, context_window: 1000, capabilities: [tools]}]
aliases: {old: fast, 'old one': m}
routes:
- {name: fast, match: {model: fast}, targets: [{backend: text, model: m}, {backend: all, model: m}, {backend: unknown, model: m}]}
- {name: one, match: {model: [one, m]}, targets: [{backend: text, model: m}, {backend: claude, model: m}, {backend: gemini, model: m}, {backend: bedrock, model: m}]}
defaults: {allow_request_headers: [dry_run]}
";

fn document() -> Document {
    Document::of_yaml(DOCUMENT).unwrap()
}

fn ask(document: &Document, path: &str, body: &Value, is_dry: bool) -> Result<String, Answer> {
    let mut headers = vec![
        (":path".to_owned(), path.as_bytes().to_vec()),
        (":method".to_owned(), b"POST".to_vec()),
        ("content-type".to_owned(), b"application/json".to_vec()),
    ];
    if is_dry {
        headers.push(("x-llm-router-dry-run".to_owned(), b"true".to_vec()));
    }
    let arrival = receive_headers(document, Headers::new(headers), Caller::default(), || {
        MOMENT
    });
    let AfterHeaders::AwaitBody(pending) = arrival else {
        panic!("{path} is a call");
    };
    let body = body.to_string();
    let routed = pending.route(document, body.as_bytes(), MOMENT)?;
    Ok(routed.cluster)
}

/// Returns the targets that the route `fast` leaves out, with the reasons.
fn left_out(path: &str, mut body: Value) -> Vec<String> {
    body["model"] = "fast".into();
    let answer = ask(&document(), path, &body, true).unwrap_err();
    assert_eq!(
        answer.status,
        200,
        "{path} {body} {}",
        String::from_utf8_lossy(&answer.body)
    );
    let decision: Value = serde_json::from_slice(&answer.body).unwrap();
    let left_out = decision["left_out"].as_array().unwrap().iter();
    left_out
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or("-");
            format!("{} {}: {}", text("backend"), text("reason"), text("detail"))
        })
        .collect()
}

fn user(content: Value) -> Value {
    json!({"messages": [{"role": "user", "content": content}]})
}

const CHAT: &str = "/v1/chat/completions";

#[test]
fn what_a_request_needs() {
    let image = json!({"type": "image_url", "image_url": {"url": "https://example.org/a.png"}});
    let audio = json!({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}});
    let file = json!({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,"}});
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": {}}});
    let schema = json!({"type": "json_schema", "json_schema": {"name": "s", "schema": {}}});
    let with = |name: &str, value: Value| {
        let mut body = user("hello".into());
        body[name] = value;
        body
    };
    for (body, missing) in [
        (user("hello".into()), None),
        (user(json!([image])), Some("images")),
        (user(json!([audio])), Some("audio")),
        (user(json!([file])), Some("files")),
        (with("tools", json!([tool])), Some("tools")),
        (with("tools", json!([])), None),
        (with("response_format", schema), Some("json_schema")),
        (with("response_format", json!({"type": "text"})), None),
        (with("reasoning_effort", "low".into()), Some("reasoning")),
        (with("reasoning_effort", "none".into()), None),
        (with("reasoning_effort", Value::Null), None),
        (
            with("thinking", json!({"type": "enabled"})),
            Some("reasoning"),
        ),
        (with("thinking", json!({"type": "disabled"})), None),
    ] {
        let expected: Vec<String> = missing
            .iter()
            .map(|what| format!("text capability_missing: no {what}"))
            .collect();
        assert_eq!(left_out(CHAT, body.clone()), expected, "{body}");
    }
    // Other calls need no capability.
    let edit = json!({"image": "https://example.org/a.png", "prompt": "a hat"});
    assert_eq!(left_out("/v1/images/edits", edit), [""; 0]);
    // The field of the Responses API.
    let effort = json!({"input": "hello", "reasoning": {"effort": "high"}});
    assert_eq!(
        left_out("/v1/responses", effort),
        ["text capability_missing: no reasoning"]
    );
}

/// Returns a prompt of about so many tokens, by the router's own estimate.
fn prompt_of(tokens: u64) -> Value {
    let body = |words: usize| user(" word".repeat(words).into());
    let estimate = |body: &Value| {
        let text = body.to_string();
        let kind = crate::request::BodyKind::Json;
        let api = crate::schema::Api::ChatCompletions;
        crate::request::Content::new(api, &kind, text.as_bytes()).prompt_tokens()
    };
    let (mut fits, mut too_many) = (1, usize::try_from(tokens).unwrap() * 8);
    while too_many - fits > 1 {
        let words = (fits + too_many) / 2;
        if estimate(&body(words)) <= tokens {
            fits = words;
        } else {
            too_many = words;
        }
    }
    body(fits)
}

#[test]
fn what_fits() {
    for (tokens, answer, expected) in [
        (900, None, None),
        // An estimate of up to 15 % more than the window still counts as fitting.
        (1_140, None, None),
        (1_160, None, Some("prompt_too_long: about 11")),
        (700, Some(390), None),
        (700, Some(400), Some("prompt_too_long: about ")),
        (10, Some(500), None),
        (
            10,
            Some(501),
            Some("output_too_long: the request asks for 501 tokens, the limit is 500"),
        ),
        (
            5_000,
            Some(501),
            Some("output_too_long: the request asks for 501"),
        ),
    ] {
        let mut body = prompt_of(tokens);
        body["max_tokens"] = answer.map_or(Value::Null, Value::from);
        let left_out = left_out(CHAT, body);
        assert_eq!(
            left_out.len(),
            usize::from(expected.is_some()),
            "{tokens} {answer:?} {left_out:?}"
        );
        if let Some(expected) = expected {
            assert!(
                left_out[0].starts_with(&format!("text {expected}")),
                "{left_out:?}"
            );
        }
    }
    // A longer prompt does not fit the larger window either; the target whose window is not known stays in the plan.
    let left_out = left_out(CHAT, prompt_of(12_000));
    assert_eq!(left_out.len(), 2, "{left_out:?}");
    assert!(left_out[1].starts_with("all prompt_too_long: about 1"));
    assert!(left_out[1].ends_with(", window 10000"), "{left_out:?}");
}

/// The answer's length is the one that the target is sent, not the one that the caller asked for.
#[test]
fn how_long_an_answer_its_target_is_asked_for() {
    const RENAME: &str = "rename: {max_tokens: max_completion_tokens}";
    let config = |path: &str| format!("rename: {{generationConfig: {path}}}");
    let tokens = |most: u32| json!({"model": "m", "max_tokens": most, "messages": []});
    let gemini = |most: u32| json!({"generationConfig": {"maxOutputTokens": most}});
    let snake = |most: u32| json!({"generation_config": {"max_output_tokens": most}});
    let ours = "/v1beta/models/m:generateContent";
    for (parameters, path, body, fits) in [
        ("set: {seed: 1}".to_owned(), CHAT, tokens(501), false),
        (
            "clamp: {max_tokens: {max: 500}}".to_owned(),
            CHAT,
            tokens(501),
            true,
        ),
        (
            "clamp: {MaxTokens: {max: 500}}".to_owned(),
            CHAT,
            tokens(501),
            true,
        ),
        (
            "clamp: {max_tokens: {min: 501}}".to_owned(),
            CHAT,
            tokens(1),
            false,
        ),
        (
            "clamp: {max_tokens: {max: 501}}".to_owned(),
            CHAT,
            tokens(900),
            false,
        ),
        (
            "clamp: {other: {max: 500}}".to_owned(),
            CHAT,
            tokens(501),
            false,
        ),
        ("remove: [max_tokens]".to_owned(), CHAT, tokens(501), true),
        ("set: {max_tokens: 500}".to_owned(), CHAT, tokens(501), true),
        (
            "set: {max_tokens: 501}".to_owned(),
            CHAT,
            tokens(500),
            false,
        ),
        (
            "set: {max_completion_tokens: 501}".to_owned(),
            CHAT,
            tokens(500),
            false,
        ),
        (
            "default: {max_tokens: 501}".to_owned(),
            CHAT,
            tokens(500),
            true,
        ),
        (
            "default: {max_tokens: 501}".to_owned(),
            CHAT,
            json!({"model": "m"}),
            false,
        ),
        (
            "default: {max_tokens: 501}".to_owned(),
            CHAT,
            json!({"model": "m", "max_tokens": null}),
            false,
        ),
        (RENAME.to_owned(), CHAT, tokens(501), false),
        (
            format!("{RENAME}, clamp: {{max_completion_tokens: {{max: 500}}}}"),
            CHAT,
            tokens(501),
            true,
        ),
        // The target does not read that field.
        (
            "rename: {max_tokens: other}".to_owned(),
            CHAT,
            tokens(501),
            true,
        ),
        (
            "remove: [generationConfig]".to_owned(),
            ours,
            gemini(501),
            true,
        ),
        (
            "remove: [generationConfig.maxOutputTokens]".to_owned(),
            ours,
            gemini(501),
            true,
        ),
        (
            "remove: [generationConfig.topP]".to_owned(),
            ours,
            gemini(501),
            false,
        ),
        (
            "clamp: {generationConfig.maxOutputTokens: {max: 500}}".to_owned(),
            ours,
            gemini(501),
            true,
        ),
        (
            "default: {generationConfig.maxOutputTokens: 501}".to_owned(),
            ours,
            json!({}),
            false,
        ),
        (
            "set: {generationConfig: {maxOutputTokens: 501}}".to_owned(),
            ours,
            gemini(500),
            false,
        ),
        (config("other"), ours, gemini(501), true),
        ("remove: [seed]".to_owned(), ours, snake(501), false),
        (
            "clamp: {generationConfig.maxOutputTokens: {max: 500}}".to_owned(),
            ours,
            snake(501),
            true,
        ),
        (
            "remove: [generation_config.topP]".to_owned(),
            ours,
            snake(501),
            false,
        ),
    ] {
        let schema = if path == CHAT { "openai" } else { "gemini" };
        let document = Document::of_yaml(&format!(
            "
backends: [{{name: a, schema: {schema}, models: [{{name: m, max_output_tokens: 500}}]}}]
routes: [{{name: r, match: {{model: m}}, targets: [{{backend: a, parameters: {{{parameters}}}}}]}}]"
        ))
        .unwrap_or_else(|errors| panic!("{errors:?}"));
        let asked = ask(&document, path, &body, false);
        assert_eq!(asked.is_ok(), fits, "{parameters} {body}");
    }
}

#[test]
fn a_window_is_of_one_prompt() {
    let words = " word".repeat(20_000);
    for (path, body) in [
        ("/v1/embeddings", json!({"input": [words, words]})),
        ("/v1/completions", json!({"prompt": [words, words]})),
        ("/v1/responses/input_tokens", json!({"input": words})),
    ] {
        assert_eq!(left_out(path, body), [""; 0], "{path}");
    }
}
