//! Target: what arrives from a backend or from filter state never causes a panic, and an answer that passes is
//! unchanged.
//!
//! The first line of the input makes the choices; the rest is the answer.

use llm_router::attempt::{Failure, PassThroughPlan, Plan};
use llm_router::schema::{
    JsonAnswer, classify_json_answer, failure_of_answer, failure_of_error_object, retry_after,
};

use super::bytes::Bytes;
use super::exchange::{World, exchange};
use super::json::{self, ParsedJson};
use super::splice::DOCUMENT;

pub fn run(input: &[u8]) {
    read_state(input);
    let (mut choices, answer) = Bytes::before_line_feed(input);
    read_body(answer);
    read_headers(answer);
    let request = choices.pick(&REQUESTS);
    let (headers, body) = super::document::read_request(request.as_bytes());
    let sent = exchange(&DOCUMENT, headers, body, &mut World::new(choices, answer));
    assert!(!sent.is_empty(), "a good request");
}

const REQUESTS: [&str; 9] = [
    "POST /v1/chat/completions\n\n{\"model\":\"small\",\"stream\":true}",
    "POST /v1/chat/completions\n\n{\"model\":\"small\"}",
    "POST /v1/messages\n\n{\"model\":\"claude-x\",\"stream\":true}",
    "POST /v1/responses\n\n{\"model\":\"complete-x\",\"stream\":true}",
    "POST /v1/chat/completions\n\n{\"model\":\"drop-x\",\"stream\":true}",
    "POST /v1/chat/completions\n\n{\"model\":\"wait-x\",\"stream\":true}",
    "POST /v1beta/models/flash:streamGenerateContent?alt=sse\n\n{}",
    "POST /model/nova/converse-stream\n\n{}",
    "POST /v1/chat/completions\nx-llm-router-no-fallback: true\nx-llm-router-deadline-ms: 1000\n\n{\"model\":\"wait-x\"}",
];

/// State that decodes is what was encoded.
fn read_state(bytes: &[u8]) {
    if let Some(plan) = Plan::decode(bytes) {
        let again = Plan::decode(&plan.encode()).expect("a plan");
        assert_eq!(again, plan);
        let _ = (plan.report(true), plan.cluster().len());
    }
    if let Some(passage) = PassThroughPlan::decode(bytes) {
        assert_eq!(PassThroughPlan::decode(&passage.encode()), Some(passage));
    }
}

fn read_body(body: &[u8]) {
    let whole = classify_json_answer(body);
    match json::read(String::from_utf8_lossy(body).as_bytes()) {
        ParsedJson::Valid(_) => assert_ne!(whole, JsonAnswer::Broken),
        ParsedJson::Invalid => assert_eq!(whole, JsonAnswer::Broken),
        ParsedJson::LimitReached => {}
    }
    if let JsonAnswer::Error(failure) = whole {
        assert_eq!(failure_of_error_object(body), Some(failure));
    }
    for status in [400, 401, 403, 404, 408, 413, 429, 500, 503, 529, 599] {
        let failure = failure_of_answer(status, body);
        assert!(status != 429 || failure == Failure::RateLimited);
    }
}

const HEADERS: [&str; 9] = [
    "retry-after",
    "retry-after-ms",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset",
    "ratelimit-reset",
    "anthropic-ratelimit-tokens-reset",
    "anthropic-ratelimit-tokens-remaining",
];

/// Whatever the headers say, a wait is at most one day.
fn read_headers(value: &[u8]) {
    let mut values = value.split(|byte| *byte == b'\n');
    let first = values.next().unwrap_or_default();
    let second = values.next().unwrap_or_default();
    for name in HEADERS {
        for now in [0, 1_750_000_000_000, u64::MAX] {
            let header = |asked: &str| {
                if asked == name {
                    Some(first.to_vec())
                } else {
                    asked.contains("remaining").then(|| second.to_vec())
                }
            };
            let wait = retry_after(header, now);
            assert!(wait.is_none_or(|wait| wait <= 86_400_000));
        }
    }
}
