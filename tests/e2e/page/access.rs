//! Trials of who may see the page, and how it is served.

use super::{PATH, with_secret};
use crate::fleet::page::{HEADER, SECRET};
use crate::harness::{Answer, Api, Case};

pub(super) async fn none_by_default(case: Case) {
    for path in ["/llm-router", "/llm-router.json", "/llm-router?format=json"] {
        let answer = case.get(path).send().await;
        answer.is_error(Api::OpenAi, 404, "path_not_found");
    }
}

/// Returns all of the answer except for what differs each time.
fn parts(answer: &Answer) -> (u16, Vec<(String, Vec<u8>)>, String) {
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| name != "date");
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    (answer.status, headers, body)
}

pub(super) async fn who_gets_it(case: Case) {
    let unknown = parts(&case.get("/status/nothing").send().await);
    assert_eq!(unknown.0, 404);
    for suffix in ["", ".json", "?format=json"] {
        let path = format!("{PATH}{suffix}");
        for wrong in [
            vec![],
            vec![(HEADER, "")],
            vec![(HEADER, "wrong")],
            vec![(HEADER, SECRET.trim_start_matches('c'))],
            vec![(HEADER, SECRET), (HEADER, SECRET)],
            vec![("authorization", SECRET)],
        ] {
            let mut call = case.get(&path);
            for (name, value) in &wrong {
                call = call.header(name, *value);
            }
            assert_eq!(parts(&call.send().await), unknown, "{path} {wrong:?}");
        }
        let head = case.request("HEAD", &path).send().await;
        let unknown_head = case.request("HEAD", "/status/nothing").send().await;
        assert_eq!(parts(&head), parts(&unknown_head));
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let unknown = parts(&case.request(method, "/status/nothing").send().await);
        let call = with_secret(case.request(method, PATH));
        assert_eq!(parts(&call.send().await), unknown, "{method}");
    }
    html(&case).await;
    json(&case).await;
    // The secret does not reach a backend.
    let answer = with_secret(case.chat("words-3")).send().await;
    let seen = answer.only_at("openai");
    assert!(!seen.has_anywhere(SECRET) && seen.header(HEADER).is_none());
}

/// Asserts the headers that every answer with the page has.
fn is_guarded(answer: &Answer) {
    for (name, expected) in [
        ("cache-control", "no-store"),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        let value = answer.header(name);
        assert_eq!(
            value.as_deref(),
            Some(expected),
            "{name}{}",
            answer.describe()
        );
    }
    let policy = answer.header("content-security-policy").unwrap_or_default();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
}

async fn html(case: &Case) {
    let answer = with_secret(case.get(PATH)).send().await;
    answer.is(200);
    is_guarded(&answer);
    let kind = answer.header("content-type");
    assert_eq!(kind.as_deref(), Some("text/html; charset=utf-8"));
    let text = String::from_utf8(answer.body.clone()).unwrap();
    assert!(text.starts_with("<!doctype html>"), "{}", answer.describe());
    assert!(text.contains("\"name\":\"unused\""), "the routes are in it");
    // The data differs each time, so only the headers are compared, and not the length.
    let head = with_secret(case.request("HEAD", PATH)).send().await;
    head.is(200);
    is_guarded(&head);
    assert_eq!(head.header("content-type"), answer.header("content-type"));
    assert!(head.body.is_empty());
}

async fn json(case: &Case) {
    let answers = [
        with_secret(case.get(&format!("{PATH}.json"))),
        with_secret(case.get(&format!("{PATH}?format=json"))),
        with_secret(case.get(PATH)).header("accept", "application/json"),
    ];
    for call in answers {
        let answer = call.send().await;
        answer.is(200);
        is_guarded(&answer);
        let kind = answer.header("content-type");
        assert_eq!(kind.as_deref(), Some("application/json"));
        let routes = answer.json()["routes"].as_array().unwrap().len();
        assert!(routes >= 4, "{}", answer.describe());
    }
}
