//! Trials of each target's parameter changes, which leave every other byte unchanged.

use std::time::Duration;

use crate::fleet::document::DEPLOYMENT;
use crate::harness::{Api, Call, Case, SeenRequest, Suite};

pub(crate) fn add(suite: &mut Suite) {
    suite.matrix(
        "parameters::each_target_gets_its_own",
        each_target_gets_its_own,
    );
    suite.matrix(
        "parameters::in_bodies_without_a_length",
        in_bodies_without_a_length,
    );
    suite.matrix("parameters::of_a_big_body", of_a_big_body);
    suite.matrix("parameters::past_an_end_without_an_answer", past_an_end);
    suite.matrix("parameters::of_the_only_target", of_the_only_target);
    suite.matrix("parameters::in_any_spelling", in_any_spelling);
    suite.matrix("parameters::duplicate_field", duplicate_field);
}

/// Returns a client's body, with oddities that have to stay and with this text.
fn body(model: &str, text: &str) -> String {
    format!(
        " {{\t\"max_tokens\" : 9e3,\r\n\"model\":\"{model}\" , \"messages\":[{{\"content\":\"\\u0041\\/ü{text}\"}}],\
         \"temperature\":1.50 ,\"z\":-0.0, \"seed\":null}}\n"
    )
}

/// Returns the body for the route's first target.
fn first(model: &str, text: &str) -> String {
    format!(
        " {{\"reasoning\":{{\"effort\":\"low\"}},\t\"max_completion_tokens\" : 100,\r\n\"model\":\"{model}\" , \
         \"messages\":[{{\"content\":\"\\u0041\\/ü{text}\"}}],\"z\":-0.0, \"seed\":7}}\n"
    )
}

/// Returns the body for the second target.
fn second(model: &str, text: &str) -> String {
    format!(
        " {{\t\"max_tokens\" : 9e3,\r\n\"model\":\"{model}\" , \"messages\":[{{\"content\":\"\\u0041\\/ü{text}\"}}],\
         \"temperature\":1 ,\"z\":-0.0}}\n"
    )
}

/// Checks three attempts: two with changes, and one with what the client sent.
#[track_caller]
fn check(seen: &[SeenRequest], text: &str, has_length: bool) {
    let expected = [
        first("status-500", text),
        second("status-500", text),
        body(DEPLOYMENT, text),
    ];
    for (seen, expected) in seen.iter().zip(expected) {
        let arrived = String::from_utf8_lossy(&seen.0.body);
        // Do not print a large body.
        assert!(
            arrived == expected,
            "{:.300}\n{expected:.300}\n{} and {} bytes",
            arrived,
            arrived.len(),
            expected.len()
        );
        if has_length || seen.header("content-length").is_some() {
            seen.has_its_length();
        }
    }
}

const BACKENDS: [&str; 3] = ["openai", "second", "azure-east"];

fn call(case: &Case, body: String) -> Call {
    case.post("/v1/chat/completions", body)
}

async fn each_target_gets_its_own(case: Case) {
    let answer = call(&case, body("changed", "")).send().await;
    check(&answer.is(200).went_to(&BACKENDS), "", true);
}

async fn in_bodies_without_a_length(case: Case) {
    for length in [1, 50, 1000] {
        let mut call = call(&case, String::new()).chunked();
        for piece in body("changed", "").as_bytes().chunks(length) {
            call = call.piece(piece);
            if length > 1 {
                call = call.pause(Duration::from_millis(1));
            }
        }
        let answer = call.send_on(&mut case.connect().await).await;
        check(&answer.is(200).went_to(&BACKENDS), "", false);
    }
}

async fn of_a_big_body(case: Case) {
    let mut text = String::with_capacity(1_000_010);
    while text.len() < 1_000_000 {
        text.push_str(&format!("{:x} ", text.len()));
    }
    let answer = call(&case, body("changed", &text)).send().await;
    check(&answer.is(200).went_to(&BACKENDS), &text, true);
}

/// The backend role has not seen the answer of an attempt that ended without one.
async fn past_an_end(case: Case) {
    for (fault, backends) in [
        ("reset", &["openai", "azure-east"][..]),
        ("dead", &["azure-east"]),
    ] {
        let answer = call(&case, body(&format!("changed-{fault}"), ""))
            .send()
            .await;
        let seen = answer.is(200).went_to(backends).pop().expect("an attempt");
        let arrived = String::from_utf8_lossy(&seen.0.body);
        assert_eq!(arrived, second(DEPLOYMENT, ""), "{fault}");
        seen.has_its_length();
    }
}

async fn of_the_only_target(case: Case) {
    let answer = call(&case, body("changed-only", "")).send().await;
    let seen = answer.is(200).only_at("openai");
    let arrived = String::from_utf8_lossy(&seen.0.body);
    assert_eq!(arrived, first("gpt-4o", ""));
    seen.has_its_length();
    // Nothing of the mark is left.
    let answer = call(&case, "\u{feff}{\"model\":\"changed-only\"}".to_owned());
    let seen = answer.send().await.only_at("openai");
    let arrived = String::from_utf8_lossy(&seen.0.body);
    assert_eq!(
        arrived,
        r#"{"reasoning":{"effort":"low"},"seed":7,"model":"gpt-4o"}"#
    );
    seen.has_its_length();
}

async fn in_any_spelling(case: Case) {
    for name in [
        "Max_Tokens",
        r"max\u005ftokens",
        "maxTokens",
        "maxTo\u{212a}ens",
    ] {
        let sent = body("changed-only", "").replace("max_tokens", name);
        let seen = call(&case, sent).send().await.only_at("openai");
        let arrived = String::from_utf8_lossy(&seen.0.body);
        assert_eq!(arrived, first("gpt-4o", ""), "{name}");
    }
}

async fn duplicate_field(case: Case) {
    // For the first target, for a later one, and on the path to a field.
    for more in [
        r#""max_tokens":1,"max_tokens":2"#,
        r#""max_tokens":1,"Max\u005fTokens":2"#,
        r#""seed":1,"x":2,"SEED":3"#,
        r#""reasoning":{},"Reasoning":{}"#,
        r#""reasoning":{"effort":"a","x":1,"Effort":"b"}"#,
    ] {
        let answer = call(&case, format!(r#"{{"model":"changed",{more}}}"#))
            .send()
            .await;
        answer
            .is_error(Api::OpenAi, 400, "duplicate_field")
            .went_nowhere();
    }
}
