//! What is told of targets that are left out, and of aliases.

use super::*;

const DOCUMENT: &str = "
aliases: {old: smart}
backends:
- {name: local, schema: openai, models: [{name: m, context_window: 1000, capabilities: []}]}
- {name: claude, schema: anthropic, models: [{name: m}]}
routes:
- {name: r, match: {model: smart}, targets: [{backend: local, model: m}, {backend: claude, model: m}]}
";

fn explained(body: &str) -> Explained {
    let tree: crate::config::Tree = serde_saphyr::from_str(DOCUMENT).unwrap();
    let document = Document::compile(&tree).unwrap();
    let request = GoldenRequest {
        path: GoldenRequest::PATH.to_owned(),
        method: "POST".to_owned(),
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
        caller: Caller::default(),
    };
    explain(&document, &request, 0)
}

fn text(explained: &Explained) -> String {
    anstream::adapter::strip_str(&shown::text(explained)).to_string()
}

#[test]
fn what_is_left_out_where_none_is_left() {
    let body = r#"{"model": "smart", "max_tokens": 999, "messages": [{"role": "user", "content": "What is it?"}]}"#;
    let explained = explained(body);
    let text = text(&explained);
    let (_, left_out) = text.split_once("left out\n").unwrap();
    assert!(
        left_out.starts_with("  local/m: prompt_too_long: about "),
        "{text}"
    );
    assert!(
        left_out
            .contains(" tokens and 999 for the answer, window 1000\n  claude/m: schema_mismatch\n"),
        "{text}"
    );
    assert!(
        text.contains("answer 400 context_length_exceeded"),
        "{text}"
    );
    assert_eq!(explained.routes[0].result, "taken");
    let told = serde_json::to_value(&explained).unwrap();
    assert_eq!(told["left_out"][1]["reason"], "schema_mismatch");
    assert_eq!(told["left_out"][1].get("detail"), None);
}

#[test]
fn what_a_name_stands_for() {
    let explained = explained(r#"{"model": "old", "stream": true}"#);
    let text = text(&explained);
    let first = text.lines().next().unwrap();
    assert!(
        first.ends_with(", model \"old\" (alias of \"smart\"), streamed"),
        "{text}"
    );
    assert_eq!(explained.plan.len(), 1);
    let told = serde_json::to_value(&explained).unwrap();
    assert_eq!(
        (&told["model"], &told["alias_of"]),
        (&"old".into(), &"smart".into())
    );
}
