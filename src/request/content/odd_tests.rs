//! Tests of odd bodies: escapes, fields that occur twice, and arbitrary JSON.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::*;
use super::content;

#[test]
fn escapes_hide_nothing() {
    let body = br#"{"mess\u0061ges": [{"r\u006fle": "us\u0065r", "content": [
        {"type": "te\u0078t", "text": "a\ud83d\ude00\ud800\u00e9\n\"\\"},
        {"type": "im\u0061ge_url", "image_url": {}}
    ]}], "t\u006fols": [1], "response_format": {"type": "json_\u0073chema"}}"#;
    let content = content(Api::ChatCompletions, body);
    assert_eq!(
        content.text(PromptPart::LastUser),
        "a\u{1f600}\u{fffd}é\n\"\\"
    );
    assert_eq!(
        content.prompt_bytes(),
        content.text(PromptPart::All).len() as u64
    );
    assert!(content.has_images() && content.has_tools() && content.wants_json_schema());
}

#[test]
fn of_two_fields_of_a_name_the_last_one_counts() {
    let body = br#"{"messages": [{"role": "user", "content": "one"}], "tools": [1], "temperature": 1,
        "messages": [{"role": "system", "content": "no", "role": "user", "c\u006fntent": "two"}], "tools": [], "temper\u0061ture": 2}"#;
    let content = content(Api::ChatCompletions, body);
    assert_eq!(content.text(PromptPart::All), "two");
    assert_eq!(content.turns(), 1);
    assert!(!content.has_tools());
    assert_eq!(content.field("temperature"), Some(&b"2"[..]));
}

#[test]
fn a_type_makes_no_result_of_a_message_with_a_role() {
    let body = br#"{"messages": [{"role": "user", "type": "x_output", "content": "one"}]}"#;
    for api in [Api::ChatCompletions, Api::Messages, Api::Responses] {
        let body = match api {
            Api::Responses => {
                &br#"{"input": [{"role": "user", "type": "x_output", "content": "one"}]}"#[..]
            }
            _ => body,
        };
        let content = content(api, body);
        assert_eq!(content.text(PromptPart::LastUser), "one", "{api:?}");
        assert!(!content.has_tool_results(), "{api:?}");
    }
}

#[test]
fn a_byte_order_mark_moves_nothing() {
    let body =
        b"\xef\xbb\xbf{\"messages\": [{\"role\": \"user\", \"content\": \"one\"}], \"seed\": 1}";
    let content = content(Api::ChatCompletions, body);
    assert_eq!(content.text(PromptPart::User), "one");
    assert_eq!(content.field("seed"), Some(&b"1"[..]));
}

#[test]
fn paths() {
    let body = br#"{"a": {"b": {"c": 1}, "b.c": 2}, "l": [{"x": 1}, {"x": [2, 3]}, 4, [{"x": 5}]], "n": null, "a.b": 6, "camelCase": 1}"#;
    let content = content(Api::ChatCompletions, body);
    for (path, expected) in [
        ("a", r#"{"b": {"c": 1}, "b.c": 2}"#),
        ("a.b", r#"{"c": 1}"#),
        ("a.b.c", "1"),
        ("l.x", "1"),
        ("n", "null"),
    ] {
        let found = content
            .field(path)
            .map(|value| std::str::from_utf8(value).unwrap());
        assert_eq!(found, Some(expected), "{path}");
    }
    for path in ["", "b", "a.c", "a.b.c.d", "l.y", "n.x", "A", "camel_case"] {
        assert_eq!(content.field(path), None, "{path}");
    }
    let mut all = Vec::new();
    content.any_value("l.x", &mut |value| {
        all.push(value.number());
        false
    });
    assert_eq!(all, [Some(1.0), None]);
}

#[test]
fn openings_tell_conversations_apart_and_nothing_else() {
    let opening = |body: &str| content(Api::Messages, body.as_bytes()).opening();
    let first = r#"{"system": "s", "tools": [{"name": "a b"}], "messages": [{"role": "user", "content": "hi"}]}"#;
    // Compare with a fixed number: another one would move every conversation to other targets.
    assert_eq!(opening(first), Some(FIRST));
    for same in [
        // White space, escapes, and the order of fields.
        r#"{"messages":[{"content":"h\u0069","role":"user"}],"tools":[ {"name" : "a b"} ],"system":"s"}"#,
        // Blocks instead of a string, and cache markers.
        r#"{"system": [{"type": "text", "text": "s", "cache_control": {}}], "tools": [{"name": "a b"}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {}}]}], "max_tokens": 1}"#,
        // Later messages.
        r#"{"system": "s", "tools": [{"name": "a b"}], "messages": [{"role": "user", "content": "hi"},
            {"role": "assistant", "content": "yes"}, {"role": "user", "content": "more"}, {"role": "system", "content": "more"}]}"#,
    ] {
        assert_eq!(opening(same), Some(FIRST), "{same}");
    }
    for other in [
        first.replace("\"s\"", "\"t\""),
        first.replace("a b", "ab"),
        first.replace("hi", "ho"),
        r#"{"system": "shi", "tools": [{"name": "a b"}], "messages": []}"#.to_owned(),
    ] {
        assert!(
            opening(&other).is_some_and(|number| number != FIRST),
            "{other}"
        );
    }
    let image = |data: &str| {
        let block = json!({"type": "image", "source": {"type": "base64", "data": data}, "cache_control": {"a": data.len()}});
        opening(&json!({"messages": [{"role": "user", "content": [block]}]}).to_string())
    };
    assert_ne!(image("AAAA"), image("BBBB"));
    assert_ne!(image(&"A".repeat(8000)), image(&"A".repeat(8004)));
    assert_eq!(opening("{}"), None);
}

/// FNV-1a of `s\xff\xff[{"name":"a b"}]\xffhi\xff`.
const FIRST: u64 = 1_969_288_934_787_797_119;

/// Large hostile bodies are read in time linear in their size, and their nesting causes no recursion.
#[test]
fn huge_and_deep() {
    let deep = |open: &str, close: &str, times: usize| {
        format!(
            r#"{{"messages": {}1{}}}"#,
            open.repeat(times),
            close.repeat(times)
        )
    };
    let many = |item: &str| {
        format!(
            r#"{{"messages": [{item}{}]}}"#,
            format!(",{item}").repeat(50_000)
        )
    };
    let fields = (0..50_000)
        .map(|number| format!(r#""f{number}": 1,"#))
        .collect::<String>();
    for body in [
        deep("[", "]", 500),
        deep(r#"{"content":"#, "}", 500),
        deep(r#"[{"role":"user","content":"#, "}]", 250),
        deep(r#"[{"type":"tool_result","content":"#, "}]", 250),
        many(r#"{"role": "user"}"#),
        many(r#"{"role": "user", "content": "\u0061"}"#),
        many(r#"{"role": "user", "content": [{"type": "image"}]}"#),
        format!(
            r#"{{{fields}"messages": [], "messages": {}[]{}}}"#,
            "[".repeat(400),
            "]".repeat(400)
        ),
        format!(r#"{{"messages": [{{{fields}"role": "user", "content": "a"}}]}}"#),
    ] {
        let content = content(Api::ChatCompletions, body.as_bytes());
        super::facts(&content);
        content.opening();
        content.prompt_tokens();
        for path in ["f1", "f49999", "messages.content.content", "messages.role"] {
            content.any_value(path, &mut |value| value.is_null());
        }
    }
    let kept = many(r#"{"role": "user", "content": "a"}"#);
    assert_eq!(
        content(Api::ChatCompletions, kept.as_bytes()).turns(),
        50_001
    );
}

/// Generates arbitrary JSON, with the names that the code reads in every place.
fn values() -> impl Strategy<Value = Value> {
    let names = || {
        prop::sample::select(vec![
            "messages",
            "content",
            "role",
            "type",
            "text",
            "tools",
            "system",
            "input",
            "parts",
            "contents",
            "source",
            "data",
            "toolResult",
            "image",
            "image_url",
            "name",
            "output",
            "response_format",
            "max_tokens",
            "prompt",
        ])
    };
    let words = prop::sample::select(vec![
        "user",
        "system",
        "assistant",
        "tool",
        "text",
        "image_url",
        "document",
        "tool_result",
        "tool_use",
        "json_schema",
        "function_call_output",
        "a\"\\\n\u{1f600}",
        "",
    ]);
    let leaf = prop_oneof![
        words.prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(7, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((names(), inner), 0..6).prop_map(|fields| {
                let fields = fields.into_iter();
                Value::Object(
                    fields
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

/// Generates chat completions with typical fields, and values of wrong types.
fn chats() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(vec![
        "",
        " \n\u{a0}",
        "a",
        "two words",
        "\"\\\u{e9}\u{1f600}\n",
    ]);
    let part = prop_oneof![
        text.clone()
            .prop_map(|text| json!({"type": "text", "text": text})),
        Just(json!({"type": "image_url", "image_url": {"url": "data:"}})),
        Just(json!({"type": "input_audio", "input_audio": {}})),
        Just(json!({"type": "file", "file": {}})),
    ];
    let content = prop_oneof![
        text.prop_map(Value::from),
        prop::collection::vec(part, 0..3).prop_map(Value::from),
        Just(Value::Null),
    ];
    let role = prop::sample::select(vec![
        "system",
        "developer",
        "user",
        "assistant",
        "tool",
        "other",
    ]);
    let message =
        (role, content).prop_map(|(role, content)| json!({"role": role, "content": content}));
    let tools = prop::sample::select(vec![json!([]), json!([{"type": "function"}]), Value::Null]);
    let most = prop::sample::select(vec![json!(5), json!(5.0), json!("5"), json!(-5)]);
    (prop::collection::vec(message, 0..6), tools, most).prop_map(
        |(messages, tools, most)| json!({"messages": messages, "tools": tools, "max_tokens": most}),
    )
}

/// The same facts, read from a tree of values by the simplest possible code.
fn reference(body: &Value) -> Vec<String> {
    let messages = body["messages"].as_array().unwrap();
    let parts = |message: &Value| match &message["content"] {
        Value::String(text) => vec![json!({"type": "text", "text": text})],
        Value::Array(parts) => parts.clone(),
        _ => Vec::new(),
    };
    let texts = |messages: &[&Value]| {
        let parts = messages.iter().flat_map(|message| parts(message));
        let texts = parts.filter_map(|part| part["text"].as_str().map(str::to_owned));
        texts
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join("|")
            .replace('\n', "|")
    };
    let of = |roles: &[&str]| -> Vec<&Value> {
        let messages = messages.iter();
        messages
            .filter(|message| roles.contains(&message["role"].as_str().unwrap()))
            .collect()
    };
    let has = |kind: &str| {
        messages
            .iter()
            .flat_map(parts)
            .any(|part| part["type"] == kind)
    };
    let users = of(&["user"]);
    let is_something = |message: &&&Value| {
        let mut parts = parts(message).into_iter();
        parts.any(|part| {
            part["text"]
                .as_str()
                .is_none_or(|text| !text.trim().is_empty())
        })
    };
    let turns: Vec<&Value> = users.iter().filter(is_something).copied().collect();
    let last = turns.last().map(|last| vec![*last]).unwrap_or_default();
    let mut facts = Vec::new();
    for (is, name) in [
        (
            body["tools"]
                .as_array()
                .is_some_and(|tools| !tools.is_empty()),
            "tools",
        ),
        (!of(&["tool"]).is_empty(), "tool_results"),
        (has("image_url"), "images"),
        (has("input_audio"), "audio"),
        (has("file"), "files"),
    ] {
        facts.extend(is.then(|| name.to_owned()));
    }
    let most = body["max_tokens"].as_f64().filter(|most| *most >= 0.0);
    facts.extend(most.map(|most| format!("max {most}")));
    facts.push(format!("turns {}", turns.len()));
    for (name, text) in [
        ("system", texts(&of(&["system", "developer"]))),
        ("last", texts(&last)),
        ("user", texts(&users)),
        ("all", texts(&messages.iter().collect::<Vec<_>>())),
    ] {
        facts.extend((!text.is_empty()).then(|| format!("{name} {text}")));
    }
    facts
}

proptest! {
    #[test]
    fn no_json_panics(fields in prop::collection::vec(values(), 1..8)) {
        let names = ["messages", "input", "contents", "system", "prompt", "tools", "inputText", "response_format"];
        let fields = names.into_iter().zip(fields).map(|(name, value)| (name.to_owned(), value));
        let body = Value::Object(fields.collect()).to_string();
        for api in Api::ALL {
            let content = content(*api, body.as_bytes());
            let bytes = content.prompt_bytes();
            let text = content.text(PromptPart::All).len() as u64;
            prop_assert!(bytes <= text && text <= 2 * bytes + 1, "{} of {}", bytes, text);
            prop_assert!(content.text(PromptPart::LastUser).len() <= content.text(PromptPart::User).len());
            super::facts(&content);
            prop_assert_eq!(content.opening(), content.opening());
            content.prompt_tokens();
        }
    }

    #[test]
    fn no_bytes_panic(body: Vec<u8>) {
        for api in Api::ALL {
            let content = Content::new(*api, &BodyKind::Json, &body);
            super::facts(&content);
            content.opening();
            content.prompt_tokens();
        }
    }

    #[test]
    fn chat_completions_as_by_a_tree(body in chats()) {
        let bytes = body.to_string();
        prop_assert_eq!(super::facts(&content(Api::ChatCompletions, bytes.as_bytes())), reference(&body));
    }
}
