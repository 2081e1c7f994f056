//! Tests of docs/matching.md: each example matches one of its two requests and not the other.

use std::fmt::Write;

use super::*;
use crate::doc_tables;

/// For each condition, in the short form of golden tests: a request that its example matches, and one that it does not.
const REQUESTS: &[(&str, &str, &str)] = &[
    ("model", "{model: gpt-5.5}", "{model: slow}"),
    (
        "path",
        "{model: m, path: /v1/embeddings}",
        "{model: m, path: /v1/completions}",
    ),
    (
        "method",
        "{method: GET, path: /v1/files/1}",
        "{method: DELETE, path: /v1/files/1}",
    ),
    (
        "headers",
        "{model: m, headers: {x-team: research}}",
        "{model: m, headers: {x-team: Research}}",
    ),
    (
        "query",
        "{model: m, path: \"/v1/chat/completions?x=1&beta=%6fn\"}",
        "{model: m, path: \"/v1/chat/completions?x=true&beta=off\"}",
    ),
    ("stream", "{model: m, stream: true}", "{model: m}"),
    (
        "body",
        "{model: m, body: {temperature: 0.5, metadata: {team: ads}}}",
        "{model: m, body: {temperature: 0.50001, metadata: {team: ads}}}",
    ),
    (
        "tools",
        "{model: m, body: {tools: [{type: function}]}}",
        "{model: m, body: {tools: []}}",
    ),
    (
        "tool_results",
        "{model: m, body: {messages: [{role: user, content: tool}]}}",
        "{model: m, body: {messages: [{role: tool, content: \"1\"}]}}",
    ),
    (
        "images",
        "{model: m, body: {messages: [{role: user, content: [{type: image_url, image_url: {url: \"data:\"}}]}]}}",
        "{model: m, body: {messages: [{role: user, content: image_url}]}}",
    ),
    (
        "audio",
        "{model: m, body: {messages: [{role: user, content: [{type: input_audio, input_audio: {}}]}]}}",
        "{model: m, body: {messages: [{role: user, content: input_audio}]}}",
    ),
    (
        "files",
        "{model: m, path: /v1/messages, body: {messages: [{role: user, content: [{type: document, source: {}}]}]}}",
        "{model: m, path: /v1/messages, body: {messages: [{role: user, content: [{type: image, source: {}}]}]}}",
    ),
    (
        "json_schema",
        "{model: m, path: /v1/responses, body: {input: hi, text: {format: {type: json_schema}}}}",
        "{model: m, path: /v1/responses, body: {input: hi, text: {format: {type: json_object}}}}",
    ),
    (
        "turns",
        "{model: m, body: {messages: [{role: user, content: a}, {role: user, content: b}, {role: user, content: c}]}}",
        "{model: m, body: {messages: [{role: user, content: a}, {role: user, content: b}, {role: tool, content: c}]}}",
    ),
    (
        "system_prompt",
        "{path: \"/v1beta/models/m:generateContent\", body: {systemInstruction: {parts: [{text: \"You are a coding\\nagent.\"}]}}}",
        "{path: \"/v1beta/models/m:generateContent\", body: {contents: [{parts: [{text: you are a coding agent}]}]}}",
    ),
    (
        "prompt",
        "{path: /model/m/converse, body: {messages: [{role: user, content: [{text: \"Refund, please!\"}]}]}}",
        "{path: /model/m/converse, body: {messages: [{role: user, content: [{text: Refunded}]}]}}",
    ),
    (
        "prompt_bytes",
        "{model: m, body: {messages: [{role: user, content: hello}]}}",
        "{model: m, body: {messages: [{role: user, content: LONG}]}}",
    ),
    (
        "prompt_tokens",
        "{model: m, body: {messages: [{role: user, content: LONG}]}}",
        "{model: m, body: {messages: [{role: user, content: hello}]}}",
    ),
    (
        "script",
        "{model: m, body: {messages: [{role: user, content: \"GPT-5 でできますか\"}]}}",
        "{model: m, body: {messages: [{role: user, content: \"can it 漢字\"}]}}",
    ),
    (
        "claims",
        "{model: m, claims: {sub: svc-1, realm_access: {roles: [user, admin]}}}",
        "{model: m, claims: {sub: svc-1, realm_access: {roles: [user]}}}",
    ),
    (
        "mesh",
        "{model: m, mesh: {trust_domain: a.example, namespace: prod, service_account: chat-1}}",
        "{model: m, mesh: {trust_domain: a.example, namespace: test, service_account: chat-1}}",
    ),
    (
        "time",
        "{model: m, time: \"2026-01-05T04:59:59Z\"}",
        "{model: m, time: \"2026-01-05T05:00:00Z\"}",
    ),
    (
        "percent",
        "{model: m, headers: {x-session: s-2}}",
        "{model: m, headers: {x-session: s-1}}",
    ),
    (
        "any",
        "{model: fast, body: {messages: [{role: user, content: LONG}]}}",
        "{model: m, body: {messages: [{role: user, content: LONG}]}}",
    ),
    (
        "all",
        "{model: m, stream: true, body: {functions: [{name: f}]}}",
        "{model: m, body: {functions: [{name: f}]}}",
    ),
    ("not", "{model: claude}", "{model: gpt-5.5}"),
];

const DOCUMENT: &str = "
backends:
- {name: openai, schema: openai, host: a.example, models: [{name: \"*\"}]}
- {name: anthropic, schema: anthropic, host: a.example, models: [{name: \"*\"}]}
- {name: gemini, schema: gemini, host: a.example, models: [{name: \"*\"}]}
- {name: bedrock, schema: bedrock, host: a.example, models: [{name: \"*\"}]}
enforce_tests: true
routes:
- name: example
";

/// Returns the fields that an example's route needs beside its match.
fn others(condition: &str) -> &'static str {
    match condition {
        "method" => "  pass_through: true\n  targets: [{backend: openai}]\n",
        "path" => "  targets: [{backend: openai}]\n",
        "percent" => "  sticky: [{header: x-session}]\n  targets: [{backend: openai}]\n",
        _ => {
            "  targets: [{backend: openai}, {backend: anthropic}, {backend: gemini}, {backend: bedrock}]\n"
        }
    }
}

#[test]
fn each_example_takes_the_one_and_not_the_other() {
    let docs = include_str!("../../docs/matching.md");
    let lines = doc_tables::lines(docs, "conditions").into_iter();
    let rows: Vec<Vec<&str>> = lines.map(doc_tables::quoted).collect();
    let documented: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(documented, fields::MATCH);
    let tried: Vec<&str> = REQUESTS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(tried, fields::MATCH);
    let long = "words and more words ".repeat(30);
    for (row, (name, taken, left)) in rows.iter().zip(REQUESTS) {
        let mut document = format!("{DOCUMENT}{}  match: {}\ntests:\n", others(name), row[1]);
        let refused = match *name {
            "method" => "error: stored_state_not_routed",
            _ => "error: model_not_found",
        };
        for (request, expected) in [(taken, "route: example"), (left, refused)] {
            let request = request.replace("LONG", &long);
            let _ = writeln!(
                document,
                "- {{name: \"{expected}\", request: {request}, expect: {{{expected}}}}}"
            );
        }
        let compiled = Document::of_yaml(&document);
        assert!(compiled.is_ok(), "{name}: {:#?}", compiled.err());
    }
}
