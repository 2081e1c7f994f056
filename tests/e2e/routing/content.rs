//! Trials of conditions on the content of a body; a later route takes what each does not match.

use serde_json::{Value, json};

use crate::harness::{Call, Case, Suite};

pub(crate) fn add(suite: &mut Suite) {
    suite.matrix("routing::by_fields_of_the_body", by_fields_of_the_body);
    suite.matrix("routing::by_tools_and_turns", by_tools_and_turns);
    suite.matrix("routing::by_images_of_any_api", by_images_of_any_api);
    suite.matrix("routing::by_words_of_the_prompt", by_words_of_the_prompt);
    suite.matrix(
        "routing::by_the_size_of_the_prompt",
        by_the_size_of_the_prompt,
    );
}

fn with(case: &Case, model: &str, fields: &Value) -> Call {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    case.post("/v1/chat/completions", body.to_string())
}

async fn by_fields_of_the_body(case: Case) {
    for (fields, backend) in [
        (
            json!({"temperature": 0.5, "metadata": {"team": "ads"}}),
            "azure-east",
        ),
        (
            json!({"temperature": 0.6, "metadata": {"team": "ads"}}),
            "openai",
        ),
        (
            json!({"temperature": 0.5, "metadata": {"team": "sales"}}),
            "openai",
        ),
        (
            json!({"temperature": "0.5", "metadata": {"team": "ads"}}),
            "openai",
        ),
        (json!({}), "openai"),
    ] {
        with(&case, "by-field", &fields)
            .send()
            .await
            .only_at(backend);
    }
}

async fn by_tools_and_turns(case: Case) {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let user = json!({"role": "user", "content": "hi"});
    let result = json!({"role": "tool", "tool_call_id": "c", "content": "1"});
    for (fields, backend) in [
        (
            json!({"tools": tools, "messages": [user, user]}),
            "azure-east",
        ),
        (
            json!({"tools": tools, "messages": [user, result]}),
            "openai",
        ),
        (json!({"tools": [], "messages": [user, user]}), "openai"),
    ] {
        with(&case, "by-tools", &fields)
            .send()
            .await
            .only_at(backend);
    }
}

async fn by_images_of_any_api(case: Case) {
    let image = json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]);
    let fields = json!({"messages": [{"role": "user", "content": image}]});
    with(&case, "by-images", &fields)
        .send()
        .await
        .only_at("azure-east");
    with(&case, "by-images", &json!({}))
        .send()
        .await
        .only_at("openai");
    let source = json!({"type": "base64", "media_type": "image/png", "data": "AA=="});
    for (block, backend) in [
        (json!({"type": "image", "source": source}), "claude-two"),
        (json!({"type": "text", "text": "image"}), "anthropic"),
    ] {
        let body = json!({"model": "by-images", "max_tokens": 1, "messages": [{"role": "user", "content": [block]}]});
        let call = case.post("/v1/messages", body.to_string());
        call.send().await.only_at(backend);
    }
}

async fn by_words_of_the_prompt(case: Case) {
    for (text, backend) in [
        (r"I want a R\u0045FUND!", "azure-east"),
        ("refunded", "openai"),
    ] {
        // Exactly as written here, with escapes.
        let body = format!(
            r#"{{"model": "by-words", "messages": [{{"role": "user", "content": "refund"}}, {{"role": "user", "content": "{text}"}}]}}"#
        );
        let call = case.post("/v1/chat/completions", body);
        call.send().await.only_at(backend);
    }
}

async fn by_the_size_of_the_prompt(case: Case) {
    const MEGABYTE: usize = 1 << 20;
    let text = "some words, ".repeat(MEGABYTE / 12);
    for (text, backend) in [
        (format!("{text}needle"), "azure-east"),
        (text.clone(), "second"),
        ("needle".to_owned(), "openai"),
    ] {
        let fields = json!({"messages": [{"role": "user", "content": text}]});
        with(&case, "by-size", &fields)
            .send()
            .await
            .only_at(backend);
    }
}
