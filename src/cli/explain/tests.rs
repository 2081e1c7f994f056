//! Tests of what `explain` shows about targets that are left out, and about aliases.

use super::*;

const DOCUMENT: &str = "
aliases: {old: smart}
backends:
- {name: local, schema: openai, models: [{name: m, context_window: 1000, capabilities: []}]}
- {name: claude, schema: anthropic, models: [{name: m}]}
routes:
- {name: r, match: {model: smart}, targets: [{backend: local, model: m}, {backend: claude, model: m}]}
";

fn explanation(body: &str) -> Explanation {
    explained_by(DOCUMENT, &[], body, 0)
}

fn explained_by(document: &str, headers: &[(&str, &str)], body: &str, random: u64) -> Explanation {
    let tree: crate::config::Tree = serde_saphyr::from_str(document).unwrap();
    let document = Document::compile(&tree).unwrap();
    let headers = headers.iter();
    let headers = headers.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    let request = GoldenRequest {
        path: GoldenRequest::PATH.to_owned(),
        method: "POST".to_owned(),
        headers: headers.collect(),
        body: body.as_bytes().to_vec(),
        caller: Caller::default(),
        now: GoldenRequest::TIME,
    };
    explain(&document, &request, random)
}

fn text(explanation: &Explanation) -> String {
    anstream::adapter::strip_str(&text_output::text(explanation)).to_string()
}

#[test]
fn what_is_left_out_where_none_is_left() {
    let body = r#"{"model": "smart", "max_tokens": 999, "messages": [{"role": "user", "content": "What is it?"}]}"#;
    let explanation = explanation(body);
    let text = text(&explanation);
    let (_, left_out) = text.split_once("left out\n").unwrap();
    assert!(
        left_out.starts_with("  local/m: prompt_too_long: about "),
        "{text}"
    );
    assert!(
        left_out.contains(
            " tokens plus 999 for the answer, window 1000\n  claude/m: schema_mismatch\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("answer 400 context_length_exceeded"),
        "{text}"
    );
    assert_eq!(explanation.routes[0].result, "taken");
    let told = serde_json::to_value(&explanation).unwrap();
    assert_eq!(told["left_out"][1]["reason"], "schema_mismatch");
    assert_eq!(told["left_out"][1].get("detail"), None);
}

#[test]
fn what_a_name_stands_for() {
    let explanation = explanation(r#"{"model": "old", "stream": true}"#);
    let text = text(&explanation);
    let first = text.lines().next().unwrap();
    assert!(
        first.ends_with(", model \"old\" (alias of \"smart\"), streamed"),
        "{text}"
    );
    assert_eq!(explanation.plan.len(), 1);
    let told = serde_json::to_value(&explanation).unwrap();
    assert_eq!(
        (&told["model"], &told["alias_of"]),
        (&"old".into(), &"smart".into())
    );
}

/// Shows whether a share of the traffic takes a request or not, and by which key.
#[test]
fn shares() {
    let document = |condition: &str| {
        format!(
            "
backends: [{{name: a, schema: openai, models: [{{name: m}}]}}]
defaults: {{sticky: [{{header: x-user}}]}}
routes:
- {{name: some, match: {condition}, targets: [{{backend: a, model: m}}]}}
- {{name: rest, match: {{model: '*'}}, targets: [{{backend: a, model: m}}]}}
"
        )
    };
    let body = r#"{"model": "m", "messages": []}"#;
    let user: &[(&str, &str)] = &[("x-user", "ann")];
    let line = |condition: &str, headers: &[(&str, &str)], random: u64| {
        let explanation = explained_by(&document(condition), headers, body, random);
        let text = text(&explanation);
        let first = text.lines().nth(2).unwrap().trim().to_owned();
        let told = serde_json::to_value(&explanation).unwrap();
        let of_route = told["routes"][0]["drawn"] == true;
        assert_eq!(told["drawn"], of_route, "{told}");
        assert!(!text.contains("possible random orders"), "{text}");
        (first, of_route, told)
    };
    let half = "{model: m, percent: 50}";
    let (mut taken, mut failed) = (0, 0);
    for random in 0..20 {
        let (line, is_drawn, told) = line(half, &[], random);
        assert!(is_drawn, "{told}");
        let place = line
            .rsplit_once("drawn at ")
            .unwrap()
            .1
            .trim_end_matches(')');
        if place.parse::<f64>().unwrap() < 50.0 {
            assert_eq!(line, format!("some  taken (percent: 50, drawn at {place})"));
            assert_eq!(told["routes"][0]["wanted"], "percent: 50");
            taken += 1;
        } else {
            assert_eq!(
                line,
                format!("some  failed: percent: 50, but it is drawn at {place}")
            );
            failed += 1;
        }
    }
    assert!(taken > 0 && failed > 0);
    let (by_key, is_drawn, _) = line("{model: m, percent: 100}", user, 0);
    assert!(
        by_key.starts_with("some  taken (percent: 100, at "),
        "{by_key}"
    );
    assert!(by_key.ends_with(" by header x-user)"), "{by_key}");
    assert!(!is_drawn);
    // If the match holds without a share, no share takes the request.
    let (line_of, is_drawn, told) = line("{any: [{model: m}, {percent: 100}]}", &[], 0);
    assert_eq!((line_of.as_str(), is_drawn), ("some  taken", false));
    assert_eq!(told["routes"][0].get("seen"), None);
    let (line_of, is_drawn, _) = line("{any: [{model: x}, {percent: 100}]}", &[], 0);
    assert!(
        is_drawn && line_of.starts_with("some  taken (percent: 100, drawn at "),
        "{line_of}"
    );
    let (line_of, is_drawn, _) = line("{percent: 100, not: {percent: 0}}", &[], 0);
    assert!(is_drawn, "{line_of}");
    assert!(
        line_of.starts_with("some  taken (percent: 100 and not percent: 0, drawn at "),
        "{line_of}"
    );
}
