//! Trials of streamed answers, which arrive event by event and unchanged.

use std::time::Instant;

use serde_json::json;

use crate::harness::config::RETRY_HEADER;
use crate::harness::paced::{PAUSE, PIECES};
use crate::harness::{Answer, Case, Suite};

pub(crate) fn add(suite: &mut Suite) {
    suite.matrix(
        "routing::streams_arrive_piece_by_piece",
        streams_arrive_piece_by_piece,
    );
    suite.matrix("routing::streams_of_both_apis", streams_of_both_apis);
    suite.matrix(
        "routing::a_backend_cannot_ask_for_a_retry",
        a_backend_cannot_ask_for_a_retry,
    );
}

async fn streams_arrive_piece_by_piece(case: Case) {
    let mut response = case.chat("paced").open().await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["x-from"], "paced");
    assert!(
        !response.headers().contains_key(RETRY_HEADER),
        "the filter's own header, though from a backend"
    );
    let mut pieces = vec![];
    while let Some(piece) = response.chunk().await.expect("the stream goes on") {
        pieces.push((Instant::now(), piece));
    }
    let whole: Vec<u8> = pieces
        .iter()
        .flat_map(|(_, piece)| piece.to_vec())
        .collect();
    assert_eq!(whole, PIECES.concat(), "the stream was changed");
    let (first, last) = (pieces[0].0, pieces[pieces.len() - 1].0);
    // There are three pauses between them; one is allowed as tolerance.
    assert!(
        last - first >= PAUSE * 2,
        "held back: all of it came within {:?}",
        last - first
    );
}

async fn streams_of_both_apis(case: Case) {
    let body = |model: &str| {
        json!({"model": model, "max_tokens": 9, "stream": true, "messages": []}).to_string()
    };
    let events = |answer: &Answer| String::from_utf8(answer.body.clone()).expect("events are text");

    let answer = case.post("/v1/chat/completions", body("fast")).send().await;
    answer.only_at("openai");
    assert!(
        answer
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/event-stream"))
    );
    let text = events(&answer);
    assert!(
        text.starts_with("data: {") && text.ends_with("data: [DONE]\n\n"),
        "{text}"
    );
    assert!(text.matches("data: ").count() > 3, "{text}");

    let call = case
        .post("/v1/messages", body("claude-sonnet-4-5"))
        .header("anthropic-version", "2023-06-01");
    let answer = call.send().await;
    answer.only_at("anthropic");
    let text = events(&answer);
    assert!(
        text.starts_with("event: message_start\n") && text.contains("event: message_stop\n"),
        "{text}"
    );
}

/// The paced backend's answer has the header with which the filter asks for a retry.
async fn a_backend_cannot_ask_for_a_retry(case: Case) {
    let answer = case.chat("paced-then-next").send().await;
    answer.is(200).went_nowhere();
    assert_eq!(
        answer.header("x-from").as_deref(),
        Some("paced"),
        "{}",
        answer.describe()
    );
}
