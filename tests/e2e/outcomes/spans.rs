//! Trials of the spans of requests as a collector receives them: which tags they have, however a request ends.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::{logged, on_both};
use crate::fleet::outcomes::{COLLECTOR, SPAN_ID, SPANS_AT};
use crate::harness::{Call, Case, Suite};

pub(crate) fn add(suite: &mut Suite) {
    on_both(suite, "outcomes::spans::whole", whole);
    on_both(suite, "outcomes::spans::broken_off", broken_off);
    on_both(suite, "outcomes::spans::client_gone", client_gone);
    on_both(suite, "outcomes::spans::without_body", without_body);
    on_both(suite, "outcomes::spans::answered_here", answered_here);
}

fn chat(case: &Case, model: &str, stream: bool) -> Call {
    let messages = json!([{"role": "user", "content": "canary-prompt"}]);
    let body = json!({"model": model, "stream": stream, "messages": messages});
    let call = case.post("/v1/chat/completions?note=canary-query", body.to_string());
    call.header("authorization", "Bearer canary-key")
}

/// Returns the tags that a span has from the decision on, whatever happens to the request.
fn decided<'t>(model: &'t str, route: &'t str) -> Vec<(&'t str, &'t str)> {
    vec![
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.request.model", model),
        ("llm_router.route", route),
        ("llm_router.decision", "ordered"),
    ]
}

/// Returns the tags that a span has from the answer's headers on.
fn answering<'t>(
    backend: &'t str,
    attempts: &'t str,
    failures: &'t str,
) -> Vec<(&'t str, &'t str)> {
    vec![
        ("llm_router.backend", backend),
        ("llm_router.attempts", attempts),
        ("llm_router.failures", failures),
    ]
}

/// The tags that are known only at the end.
const AT_END: [&str; 4] = [
    "llm_router.end",
    "gen_ai.response.model",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
];

async fn whole(case: Case) {
    for (model, route, backend, attempts, failures) in [
        ("words-4", "all", "one", "1", "-"),
        ("retried", "retried", "two", "2", "one=unavailable"),
        ("held", "held", "one", "1", "-"),
    ] {
        for stream in [false, true] {
            let heard = chat(&case, model, stream).listen().await;
            let (_, seen) = heard.answer.attempts().pop().expect("a backend got it");
            let (input, output) = seen.0.answer.counted().expect("the backend counts");
            let span = span(&case, &heard.answer.id).await;
            span.has(&decided(model, route));
            span.has(&answering(backend, attempts, failures));
            span.has(&[
                ("llm_router.end", "complete"),
                ("gen_ai.usage.input_tokens", &input.to_string()),
                ("gen_ai.usage.output_tokens", &output.to_string()),
            ]);
            assert!(span.get("gen_ai.response.model").is_some(), "{span:?}");
        }
    }
}

async fn broken_off(case: Case) {
    for (model, route, end) in [
        ("cut-3", "all", "cut"),
        ("reset-3", "all", "cut"),
        ("stall-3", "impatient", "stalled"),
    ] {
        let heard = chat(&case, model, true).listen().await;
        assert!(heard.broken.is_some(), "{model}");
        let span = span(&case, &heard.answer.id).await;
        span.has(&decided(model, route));
        span.has(&answering("one", "1", "-"));
        span.lacks(&AT_END);
        logged(&case, &heard.answer.id).await.says(&[("end", end)]);
    }
}

async fn client_gone(case: Case) {
    for (model, has_headers) in [("slow-words-100", true), ("slow-headers-3000", false)] {
        let call = chat(&case, model, true);
        let id = call.id.clone();
        let left = tokio::time::timeout(Duration::from_millis(700), call.listen()).await;
        assert!(left.is_err(), "{model}");
        let span = span(&case, &id).await;
        span.has(&decided(model, "all"));
        if has_headers {
            span.has(&answering("one", "1", "-"));
        } else {
            span.lacks(&["llm_router.backend", "llm_router.attempts"]);
        }
        span.lacks(&AT_END);
        let line = logged(&case, &id).await;
        line.says(&[("end", "client_gone"), ("backend", "one")]);
    }
}

async fn without_body(case: Case) {
    let answer = chat(&case, "status-204", false).send().await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    let of_call = span(&case, &answer.id).await;
    of_call.has(&decided("status-204", "all"));
    of_call.has(&answering("one", "1", "-"));
    of_call.has(&[("llm_router.end", "complete")]);
    logged(&case, &answer.id)
        .await
        .says(&[("end", "complete"), ("attempts", "1")]);
    for (method, path, decision, end) in [
        ("HEAD", "/v1/files", "pass_through", "complete"),
        ("HEAD", "/v1/nothing", "path_not_found", "none"),
    ] {
        let answer = case.request(method, path).send().await;
        assert!(answer.body.is_empty());
        span(&case, &answer.id)
            .await
            .has(&[("llm_router.decision", decision), ("llm_router.end", end)]);
    }
}

/// Requests refused before any attempt, and requests that the router gives up after an attempt.
async fn answered_here(case: Case) {
    let broken = case.post("/v1/chat/completions", "{").send().await;
    span(&case, &broken.id).await.has(&[
        ("gen_ai.operation.name", "chat"),
        ("llm_router.decision", "invalid_json"),
        ("error.type", "invalid_json"),
        ("llm_router.end", "none"),
        ("llm_router.attempts", "0"),
    ]);
    for (model, route, error) in [
        ("hang", "impatient", "deadline_exceeded"),
        ("close", "all", "upstream_reset"),
    ] {
        let answer = chat(&case, model, true).send().await;
        let span = span(&case, &answer.id).await;
        span.has(&decided(model, route));
        span.has(&[("error.type", error), ("llm_router.end", "none")]);
        let line = logged(&case, &answer.id).await;
        line.says(&[("error.type", error), ("backend", "one")]);
        let attempts = line.get("attempts").expect("they are known");
        let failures = line.get("failures").unwrap_or("-".to_owned());
        span.has(&answering("one", &attempts, &failures));
    }
}

/// The tags of a span.
#[derive(Debug)]
struct Span(BTreeMap<String, String>);

impl Span {
    /// `-` counts as not set.
    fn get(&self, tag: &str) -> Option<&str> {
        let value = self.0.get(tag).map(String::as_str);
        value.filter(|value| *value != "-")
    }

    #[track_caller]
    fn has(&self, expected: &[(&str, &str)]) {
        for (tag, value) in expected {
            assert_eq!(self.get(tag).unwrap_or("-"), *value, "{tag}: {self:#?}");
        }
    }

    #[track_caller]
    fn lacks(&self, tags: &[&str]) {
        for tag in tags {
            assert_eq!(self.get(tag), None, "{tag}: {self:#?}");
        }
    }
}

/// Waits for the span of a request, which must not contain anything from the prompt or the answer.
async fn span(case: &Case, id: &str) -> Span {
    for _ in 0..400 {
        let taken = case.world.backends.taken(COLLECTOR, SPANS_AT);
        let mut spans = taken.iter().flat_map(|bytes| spans(bytes));
        if let Some((span, bytes)) = spans.find(|(span, _)| span.get(SPAN_ID) == Some(id)) {
            for private in ["canary-prompt", "canary-key", "canary-query"] {
                let mut windows = bytes.windows(private.len());
                assert!(
                    !windows.any(|window| window == private.as_bytes()),
                    "{private}"
                );
            }
            return span;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("there is no span of {id}{}", case.envoy.log_tail());
}

/// Returns the spans of an `ExportTraceServiceRequest`, each with its own bytes.
fn spans(request: &[u8]) -> Vec<(Span, &[u8])> {
    // `resource_spans`, `scope_spans`, `spans`.
    let scopes = parts(request, 1).into_iter().flat_map(|one| parts(one, 2));
    let spans = scopes.flat_map(|scope| parts(scope, 2));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    spans
        .map(|span| {
            // `attributes`, each with a `key` and a `value`, which is an `AnyValue` with a `string_value`.
            let tags = parts(span, 9).into_iter().filter_map(|attribute| {
                let key = text(parts(attribute, 1).first()?);
                let value = parts(parts(attribute, 2).first()?, 1);
                Some((key, text(value.first()?)))
            });
            (Span(tags.collect()), span)
        })
        .collect()
}

/// Returns the length-delimited fields of a protobuf message that have this number.
fn parts(mut message: &[u8], number: u64) -> Vec<&[u8]> {
    let mut found = vec![];
    while let Some(key) = varint(&mut message) {
        let length = match key & 7 {
            0 => {
                varint(&mut message);
                continue;
            }
            1 => 8,
            2 => varint(&mut message).unwrap_or(0),
            _ => 4,
        };
        let length = usize::try_from(length).expect("it fits");
        let (part, rest) = message.split_at_checked(length).expect("it is whole");
        message = rest;
        if key == number << 3 | 2 {
            found.push(part);
        }
    }
    found
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
