//! Tests of the content of requests of schemas other than OpenAI's, and of forms.

use serde_json::json;

use super::super::*;
use super::{check, facts};
use crate::request::{BodyKind, ModelRequirement, scan_form};

#[test]
fn responses() {
    check(
        Api::Responses,
        &[
            (
                json!({"instructions": "be brief", "input": "hi", "max_output_tokens": 5}),
                &[
                    "max 5",
                    "turns 1",
                    "system be brief",
                    "last hi",
                    "user hi",
                    "all be brief|hi",
                ],
            ),
            (
                json!({"input": [
                    {"role": "developer", "content": "be brief"},
                    {"type": "message", "role": "user", "content": [
                        {"type": "input_text", "text": "look"},
                        {"type": "input_image", "image_url": "https://a.example/b.png"},
                        {"type": "input_file", "file_data": "data:"}
                    ]},
                    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
                    {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
                    {"type": "function_call_output", "call_id": "c", "output": "found"}
                ], "tools": [{"type": "web_search"}], "text": {"format": {"type": "json_schema", "name": "a"}}}),
                &[
                    "tools",
                    "tool_results",
                    "images",
                    "files",
                    "json_schema",
                    "turns 1",
                    "system be brief",
                    "last look",
                    "user look",
                    "all be brief|look|hm|look|{}|found",
                ],
            ),
            (
                json!({"input": [
                    {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": "data:"}},
                    {"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]},
                    {"role": "assistant", "content": [{"type": "output_text", "text": "yes"}]}
                ]}),
                &["tool_results", "images", "audio", "turns 1", "all yes"],
            ),
        ],
    );
}

#[test]
fn gemini() {
    check(
        Api::GenerateContent,
        &[
            (
                json!({"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"maxOutputTokens": 7}}),
                &["max 7", "turns 1", "last hi", "user hi", "all hi"],
            ),
            (
                json!({"systemInstruction": {"parts": [{"text": "be brief"}]}, "contents": [
                    {"role": "user", "parts": [{"text": "look"}, {"inlineData": {"mimeType": "image/png", "data": "AA=="}}]},
                    {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"a": 1}}}]},
                    {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"found": "it"}}}]}
                ], "tools": [{"functionDeclarations": []}], "generationConfig": {"responseJsonSchema": {"type": "object"}}}),
                &[
                    "tools",
                    "tool_results",
                    "images",
                    "json_schema",
                    "turns 1",
                    "system be brief",
                    "last look",
                    "user look",
                    r#"all be brief|look|look|{"a":1}|{"found":"it"}"#,
                ],
            ),
            // In snake case, with a single content instead of a list.
            (
                json!({"system_instruction": {"parts": {"text": "be brief"}}, "contents": {"role": "user", "parts":
                    {"file_data": {"mime_type": "AUDIO/mp3", "file_uri": "u"}}},
                    "generation_config": {"response_schema": {"type": "STRING"}, "max_output_tokens": 7}}),
                &[
                    "audio",
                    "json_schema",
                    "max 7",
                    "turns 1",
                    "system be brief",
                    "all be brief",
                ],
            ),
            (
                json!({"contents": [{"parts": [{"inlineData": {"mimeType": "application/pdf"}}]}]}),
                &["files", "turns 1"],
            ),
        ],
    );
    check(
        Api::GeminiCountTokens,
        &[(
            json!({"generateContentRequest": {"contents": [{"parts": [{"text": "hi"}]}], "tools": [{"googleSearch": {}}]}}),
            &["tools", "turns 1", "last hi", "user hi", "all hi"],
        )],
    );
}

#[test]
fn bedrock() {
    check(
        Api::Converse,
        &[(
            json!({"system": [{"text": "be brief"}, {"guardContent": {"text": {"text": "or not"}}}], "messages": [
                {"role": "user", "content": [
                    {"text": "look"},
                    {"image": {"format": "png", "source": {"bytes": "AA=="}}},
                    {"document": {"name": "d", "source": {"bytes": "AA=="}}}
                ]},
                {"role": "assistant", "content": [
                    {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
                    {"toolUse": {"toolUseId": "t", "name": "look", "input": {"a": 1}}}
                ]},
                {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [{"text": "found"}, {"json": {"b": 2}}]}}]}
            ], "toolConfig": {"tools": [{"toolSpec": {}}]}, "inferenceConfig": {"maxTokens": 3},
            "outputConfig": {"textFormat": {"type": "json_schema", "structure": {}}}}),
            &[
                "tools",
                "tool_results",
                "images",
                "files",
                "json_schema",
                "max 3",
                "turns 1",
                "system be brief|or not",
                "last look",
                "user look",
                r#"all be brief|or not|look|hm|look|{"a":1}|found|{"b":2}"#,
            ],
        )],
    );
    // Documents that are text.
    check(
        Api::Converse,
        &[(
            json!({"messages": [{"role": "user", "content": [
                {"document": {"name": "d", "context": "a letter", "source": {"text": "dear all"}}},
                {"document": {"name": "e", "source": {"content": [{"text": "yours"}, {"text": "truly"}]}}}
            ]}]}),
            &[
                "files",
                "turns 1",
                "last a letter|dear all|yours|truly",
                "user a letter|dear all|yours|truly",
                "all a letter|dear all|yours|truly",
            ],
        )],
    );
    check(
        Api::Invoke,
        &[
            (
                json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 4, "system": "be brief",
                    "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}),
                &[
                    "max 4",
                    "turns 1",
                    "system be brief",
                    "last hi",
                    "user hi",
                    "all be brief|hi",
                ],
            ),
            // Models that use keys ignore the types, and models that use types ignore the keys.
            (
                json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "image": {"format": "png"}}]}]}),
                &["images", "turns 1", "last hi", "user hi", "all hi"],
            ),
            (
                json!({"messages": [{"role": "user", "content": [
                    {"type": "image", "source": {"type": "base64"}, "text": "hi", "video": {"format": "mp4"}}]}]}),
                &["images", "files", "turns 1", "last hi", "user hi", "all hi"],
            ),
            (
                json!({"messages": [
                    {"role": "user", "content": [{"type": "text", "text": "hi"}]},
                    {"role": "user", "content": [{"type": "x", "toolResult": {"content": [{"text": "ok"}]}}]},
                    {"role": "user", "content": [{"type": "tool_result", "content": "done"}]}]}),
                &[
                    "tool_results",
                    "turns 1",
                    "last hi",
                    "user hi",
                    "all hi|ok|done",
                ],
            ),
            (
                json!({"message": "hi", "preamble": "be brief", "chat_history": [{"role": "USER", "message": "so"}, {"role": "CHATBOT", "message": "yes"}],
                    "documents": [{"title": "a", "snippet": "b"}], "tool_results": [{"call": {"name": "f"}, "outputs": [{"text": "ok"}]}]}),
                &[
                    "tool_results",
                    "turns 2",
                    "system be brief",
                    "last hi",
                    "user so|hi",
                    "all be brief|so|yes|{\"snippet\":\"b\",\"title\":\"a\"}|hi|{\"call\":{\"name\":\"f\"},\"outputs\":[{\"text\":\"ok\"}]}",
                ],
            ),
            (
                json!({"query": "hi", "documents": ["a", "b"]}),
                &["turns 1", "last hi", "user hi", "all a|b|hi"],
            ),
            (
                json!({"inputs": [{"content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": "data:"}]}]}),
                &["images", "turns 1", "last hi", "user hi", "all hi"],
            ),
            (
                json!({"inputText": "hi", "textGenerationConfig": {"maxTokenCount": 4}}),
                &["max 4", "turns 1", "last hi", "user hi", "all hi"],
            ),
            (
                json!({"prompt": "hi", "max_gen_len": 4}),
                &["max 4", "turns 1", "last hi", "user hi", "all hi"],
            ),
            (
                json!({"schemaVersion": "messages-v1", "system": [{"text": "be brief"}], "inferenceConfig": {"max_new_tokens": 4},
                    "messages": [{"role": "user", "content": [{"text": "hi"}, {"video": {"format": "mp4"}}]}]}),
                &[
                    "files",
                    "max 4",
                    "turns 1",
                    "system be brief",
                    "last hi",
                    "user hi",
                    "all be brief|hi",
                ],
            ),
            (
                json!({"preamble": "be brief", "chat_history": [{"role": "USER", "message": "one"}, {"role": "CHATBOT", "message": "two"}],
                    "message": "three"}),
                &[
                    "turns 2",
                    "system be brief",
                    "last three",
                    "user one|three",
                    "all be brief|one|two|three",
                ],
            ),
        ],
    );
}

#[test]
fn what_is_no_conversation() {
    check(
        Api::Completions,
        &[
            (
                json!({"prompt": ["one", "two"], "suffix": "end", "max_tokens": 2}),
                &[
                    "max 2",
                    "turns 1",
                    "last one|two",
                    "user one|two",
                    "all one|two|end",
                ],
            ),
            (json!({"prompt": [1, 2, 3]}), &["turns 1"]),
        ],
    );
    check(
        Api::Embeddings,
        &[(
            json!({"input": ["a", "b"]}),
            &["turns 1", "last a|b", "user a|b", "all a|b"],
        )],
    );
    check(
        Api::Moderations,
        &[(
            json!({"input": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "u"}}]}),
            &["images", "turns 1", "last a", "user a", "all a"],
        )],
    );
    check(
        Api::ImageEdits,
        &[(
            json!({"prompt": "a", "images": [{"file_id": "f"}]}),
            &["images", "turns 1", "last a", "user a", "all a"],
        )],
    );
    check(
        Api::Speech,
        &[(
            json!({"input": "a", "instructions": "b", "voice": "c"}),
            &["turns 1", "system b", "last a", "user a", "all b|a"],
        )],
    );
    check(
        Api::Rerank,
        &[(
            json!({"query": "a", "documents": ["b", {"text": "c"}]}),
            &["turns 1", "last a", "user a", "all a|b|c"],
        )],
    );
    for api in [
        Api::Completions,
        Api::Embeddings,
        Api::Rerank,
        Api::Speech,
        Api::Moderations,
    ] {
        let body = br#"{"prompt": "a", "input": "a", "query": "a", "tools": [1]}"#;
        assert_eq!(Content::new(api, &BodyKind::Json, body).opening(), None);
    }
    let tokens = br#"{"prompt": [[1, 2], [3]]}"#;
    let content = Content::new(Api::Completions, &BodyKind::Json, tokens);
    assert_eq!(
        (content.prompt_tokens(), content.prompt_bytes()),
        (3 + 4, 0)
    );
}

#[test]
fn forms() {
    let body = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\n\x01{\"\r\n\
        --b\r\ncontent-disposition: form-data; name=\"prompt\"\r\n\r\na \\u0062 \"c\"\r\n\
        --b\r\ncontent-disposition: form-data; name=\"temperature\"\r\n\r\n0.50\r\n--b--\r\n";
    let kind = BodyKind::Form {
        boundary: b"b".to_vec(),
    };
    scan_form(b"b", body.as_bytes(), ModelRequirement::Optional).unwrap();
    for (api, medium) in [(Api::Transcriptions, "audio"), (Api::ImageEdits, "images")] {
        let content = Content::new(api, &kind, body.as_bytes());
        let text = r#"a \u0062 "c""#;
        let expected = [
            medium,
            "turns 1",
            &format!("last {text}"),
            &format!("user {text}"),
            &format!("all {text}"),
        ];
        assert_eq!(facts(&content), expected);
        assert_eq!(content.field("temperature"), Some(&b"0.50"[..]));
        assert_eq!(content.field("file"), None);
        assert_eq!(
            (content.opening(), content.prompt_bytes()),
            (None, text.len() as u64)
        );
        assert!(content.any_value("temperature", &mut |value| value.number() == Some(0.5)));
    }
}

/// In APIs without block types, a `type` hides nothing.
#[test]
fn a_type_that_means_nothing() {
    for kind in ["image", "tool_result", "document", "text", "tool_use"] {
        let expected: &[&str] = &["turns 1", "last secret", "user secret", "all secret"];
        let text = json!({"type": kind, "text": "secret"});
        for role in [json!({"role": "user"}), json!({})] {
            let mut message = role;
            message["type"] = format!("{kind}_output").into();
            message["parts"] = json!([text]);
            check(
                Api::GenerateContent,
                &[(json!({"contents": [message]}), expected)],
            );
        }
        let message = json!({"role": "user", "type": kind, "content": [text]});
        check(
            Api::Converse,
            &[
                (json!({"messages": [message]}), expected),
                (json!({"system": [text]}), &["system secret", "all secret"]),
            ],
        );
        let guarded = json!({"type": kind, "text": "x", "guardContent": {"text": {"text": "secret"}}, "reasoningContent": {}});
        check(
            Api::Converse,
            &[(
                json!({"messages": [{"role": "user", "content": [guarded]}]}),
                &["turns 1", "last x|secret", "user x|secret", "all x|secret"],
            )],
        );
    }
}
