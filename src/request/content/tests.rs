//! Tests of the content that is found in requests of every schema.

use serde_json::json;

use super::*;
use crate::request::{BodyKind, ModelRequirement, scan};

fn content<'a>(api: Api, body: &'a [u8]) -> Content<'a> {
    scan(body, ModelRequirement::Optional).unwrap();
    Content::new(api, &BodyKind::Json, body)
}

/// Lists what is found: the facts, the number of user messages, and the text of each part.
fn facts(content: &Content<'_>) -> Vec<String> {
    let mut facts: Vec<String> = [
        (content.has_tools(), "tools"),
        (content.has_tool_results(), "tool_results"),
        (content.has_images(), "images"),
        (content.has_audio(), "audio"),
        (content.has_files(), "files"),
        (content.wants_json_schema(), "json_schema"),
    ]
    .into_iter()
    .filter(|(is, _)| *is)
    .map(|(_, name)| name.to_owned())
    .collect();
    if let Some(most) = content.max_output_tokens(&ParameterChanges::default()) {
        facts.push(format!("max {most}"));
    }
    facts.push(format!("turns {}", content.turns()));
    for (name, part) in [
        ("system", PromptPart::System),
        ("last", PromptPart::LastUser),
        ("user", PromptPart::User),
        ("all", PromptPart::All),
    ] {
        let text = content.text(part);
        if !text.is_empty() {
            facts.push(format!("{name} {}", text.replace('\n', "|")));
        }
    }
    facts
}

fn check(api: Api, table: &[(serde_json::Value, &[&str])]) {
    for (body, expected) in table {
        let bytes = serde_json::to_vec(body).unwrap();
        let pretty = serde_json::to_vec_pretty(body).unwrap();
        for (bytes, is_compact) in [(bytes, true), (pretty, false)] {
            let found = facts(&content(api, &bytes));
            // White space in tool arguments is text.
            let is_counted = |fact: &&&str| {
                !fact.starts_with("turns 0") && (is_compact || !fact.starts_with("all"))
            };
            let found: Vec<&str> = found.iter().map(String::as_str).collect();
            let found: Vec<&&str> = found.iter().filter(is_counted).collect();
            let expected: Vec<&&str> = expected.iter().filter(is_counted).collect();
            assert_eq!(found, expected, "{body}");
        }
    }
}

#[test]
fn chat_completions() {
    check(
        Api::ChatCompletions,
        &[
            (json!({}), &[]),
            (json!({"messages": []}), &[]),
            (
                json!({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9}),
                &["max 9", "turns 1", "last hi", "user hi", "all hi"],
            ),
            (
                json!({"messages": [
                    {"role": "system", "content": "be brief"},
                    {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
                    {"role": "assistant", "content": "yes", "tool_calls": [
                        {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{\"a\": 1}"}},
                        {"id": "d", "type": "custom", "custom": {"name": "run", "input": "ls"}}
                    ]},
                    {"role": "tool", "tool_call_id": "c", "content": "found"},
                    {"role": "user", "name": "ann", "content": "three"}
                ], "tools": [{"type": "function"}], "max_tokens": 9, "max_completion_tokens": 8}),
                &[
                    "tools",
                    "tool_results",
                    "max 8",
                    "turns 2",
                    "system be brief",
                    "last three",
                    "user one|two|three",
                    r#"all be brief|one|two|yes|look|{"a": 1}|run|ls|found|three"#,
                ],
            ),
            (
                json!({"messages": [{"role": "user", "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                    {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
                    {"type": "file", "file": {"file_id": "f"}}
                ]}], "response_format": {"type": "json_schema", "json_schema": {"name": "a"}}}),
                &["images", "audio", "files", "json_schema", "turns 1"],
            ),
            (
                json!({"messages": [
                    {"role": "developer", "content": "be brief"},
                    {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}], "audio": {"id": "audio_1"}},
                    {"role": "function", "name": "f", "content": "1"}
                ], "functions": [{"name": "f"}], "response_format": {"type": "json_object"}}),
                &[
                    "tools",
                    "tool_results",
                    "audio",
                    "system be brief",
                    "all be brief|no|1",
                ],
            ),
            // Every value has the wrong type.
            (
                json!({"messages": "hi", "tools": [], "max_tokens": "9"}),
                &[],
            ),
            (
                json!({"messages": [1, null, [], "a", {"role": 1, "content": {"type": 2, "text": 3}}], "tools": null,
                    "max_tokens": -1, "response_format": ["json_schema"]}),
                &[],
            ),
        ],
    );
}

#[test]
fn anthropic() {
    check(
        Api::Messages,
        &[
            (
                json!({"system": "be brief", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 100}),
                &[
                    "max 100",
                    "turns 1",
                    "system be brief",
                    "last hi",
                    "user hi",
                    "all be brief|hi",
                ],
            ),
            (
                json!({"messages": [
                    {"role": "user", "content": [
                        {"type": "text", "text": "look", "cache_control": {"type": "ephemeral"}},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
                    ]},
                    {"role": "assistant", "content": [
                        {"type": "thinking", "thinking": "hm", "signature": "s"},
                        {"type": "tool_use", "id": "t", "name": "look", "input": {"a": "b"}}
                    ]},
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [
                        {"type": "text", "text": "found"},
                        {"type": "document", "title": "doc", "source": {"type": "text", "data": "words"}}
                    ]}]}
                ], "system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                "tools": [{"name": "look"}], "output_config": {"format": {"type": "json_schema", "schema": {}}}}),
                &[
                    "tools",
                    "tool_results",
                    "images",
                    "files",
                    "json_schema",
                    "turns 1",
                    "system a|b",
                    "last look",
                    "user look",
                    r#"all a|b|look|hm|look|{"a":"b"}|found|doc|words"#,
                ],
            ),
            (
                json!({"messages": [{"role": "user", "content": [
                    {"type": "tool_result", "content": "found"},
                    {"type": "text", "text": "go on"}
                ]}], "mcp_servers": [{"url": "u"}]}),
                &[
                    "tools",
                    "tool_results",
                    "turns 1",
                    "last go on",
                    "user go on",
                    "all found|go on",
                ],
            ),
            (
                json!({"messages": [{"role": "user", "content": [{"type": "document", "source":
                    {"type": "content", "content": [{"type": "text", "text": "in"}, {"type": "image", "source": {}}]}}]}]}),
                &["images", "files", "turns 1", "last in", "user in", "all in"],
            ),
        ],
    );
}

#[path = "facts_tests.rs"]
mod facts_table;
#[path = "odd_tests.rs"]
mod odd;
#[path = "schemas_tests.rs"]
mod schemas;

/// Empty messages do not hide the ones before them.
#[test]
fn empty_messages() {
    let user = |content: serde_json::Value| json!({"role": "user", "content": content});
    let image = json!([{"type": "image_url", "image_url": {"url": "data:"}}]);
    for empty in [
        json!(""),
        json!(" \t\r\n"),
        json!("\u{a0}\u{3000}\u{2028}"),
        json!([]),
        json!(null),
        json!([""]),
        json!([{"type": "text", "text": ""}, {"type": "text", "text": " "}]),
    ] {
        let body = json!({"messages": [user(empty.clone()), user("hi".into()), user(empty)]});
        let bytes = body.to_string();
        let content = content(Api::ChatCompletions, bytes.as_bytes());
        assert_eq!(content.text(PromptPart::LastUser), "hi", "{body}");
        assert_eq!(content.turns(), 1, "{body}");
    }
    for (last, text) in [
        (json!("."), "."),
        (json!(" \u{e9} "), " \u{e9} "),
        (image, ""),
    ] {
        let body = json!({"messages": [user("hi".into()), user(last)]});
        let bytes = body.to_string();
        let content = content(Api::ChatCompletions, bytes.as_bytes());
        assert_eq!(content.text(PromptPart::LastUser), text, "{body}");
        assert_eq!(content.turns(), 2, "{body}");
    }
    // In any notation of white space, and next to tool results.
    for (api, body, turns) in [
        (
            Api::ChatCompletions,
            r#"{"messages": [{"role": "user", "content": "hi"}, {"role": "user", "content": "\u0020\u3000\n"}]}"#,
            1,
        ),
        (
            Api::Messages,
            r#"{"messages": [{"role": "user", "content": "hi"}, {"role": "user", "content": [
                {"type": "tool_result", "content": "found"}, {"type": "text", "text": " "}]}]}"#,
            1,
        ),
        (
            Api::Messages,
            r#"{"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"},
                {"type": "tool_result", "content": "found"}]}, {"role": "user", "content": []}]}"#,
            1,
        ),
        (
            Api::GenerateContent,
            r#"{"contents": [{"parts": [{"text": "hi"}]}, {"parts": [{"text": ""}]}, {"parts": []}, {}]}"#,
            1,
        ),
        (
            Api::Converse,
            r#"{"messages": [{"role": "user", "content": [{"text": "hi"}]}, {"role": "user", "content": [{"text": "\n"}]}]}"#,
            1,
        ),
        (Api::Responses, r#"{"input": "\t"}"#, 0),
        (Api::Completions, r#"{"prompt": " "}"#, 0),
    ] {
        let content = content(api, body.as_bytes());
        assert_eq!(content.turns(), turns, "{body}");
        let last = if turns > 0 { "hi" } else { "" };
        assert_eq!(content.text(PromptPart::LastUser), last, "{body}");
    }
}
