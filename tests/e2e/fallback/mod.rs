//! Trials of what happens after a failed attempt.

use std::time::Duration;

use serde_json::json;

use crate::fleet::SharedEnvoy;
use crate::fleet::document::DEPLOYMENT;
use crate::harness::{Api, Case, Protocol, SeenRequest, Suite};

/// Failures with an answer, after which the filter tries the next target.
const ANSWERED: [&str; 4] = ["status-429", "status-500", "status-503", "status-529"];
/// Failures without an answer.
const UNANSWERED: [&str; 3] = ["reset", "close", "hang"];

pub(crate) fn add(suite: &mut Suite) {
    for failure in ANSWERED.into_iter().chain(UNANSWERED) {
        suite.matrix(
            &format!("fallback::past_{}", failure.replace('-', "_")),
            move |case| past(case, failure),
        );
    }
    suite.matrix("fallback::past_a_dead_port", past_a_dead_port);
    suite.matrix(
        "fallback::not_past_the_callers_own_mistakes",
        not_past_the_callers_own_mistakes,
    );
    suite.matrix(
        "fallback::the_last_answer_reaches_the_client",
        the_last_answer_reaches_the_client,
    );
    suite.matrix(
        "fallback::not_where_envoy_has_none_left",
        not_where_envoy_has_none_left,
    );
    suite.matrix("fallback::past_two_of_three", past_two_of_three);
    suite.matrix(
        "fallback::to_another_model_of_the_same_backend",
        to_another_model_of_the_same_backend,
    );
    suite.matrix("fallback::of_a_streaming_request", of_a_streaming_request);
    suite.matrix("fallback::of_a_big_body", of_a_big_body);
    suite.matrix(
        "fallback::not_for_a_client_that_has_left",
        not_for_a_client_that_has_left,
    );
    for protocol in Protocol::ALL {
        suite.on(
            "fallback::with_a_document_that_is_a_string",
            SharedEnvoy::Text,
            protocol,
            with_a_string,
        );
    }
}

/// Asserts that the second target got the request as if it had been the first.
#[track_caller]
fn assert_adapted(api: Api, seen: &SeenRequest) {
    match api {
        Api::OpenAi => {
            assert_eq!(seen.model(), DEPLOYMENT);
            assert_eq!(
                seen.0.path,
                "/openai/deployments/my%20deployment%2F%C3%BC%3F/chat/completions?api-version=2024-10-21"
            );
            assert_eq!(seen.0.authority, "example.openai.azure.test");
        }
        Api::Anthropic => {
            assert_eq!(seen.model(), "claude-two-sonnet");
            assert_eq!(seen.0.path, "/anthropic/v1/messages");
            assert_eq!(seen.0.authority, "two.anthropic.test");
        }
    }
    seen.has_its_length();
}

fn second_target(api: Api) -> &'static str {
    match api {
        Api::OpenAi => "azure-east",
        Api::Anthropic => "claude-two",
    }
}

fn first_target(api: Api) -> &'static str {
    match api {
        Api::OpenAi => "openai",
        Api::Anthropic => "anthropic",
    }
}

async fn past(case: Case, failure: &'static str) {
    for api in Api::ALL {
        let answer = case
            .ask(api, &api.model(&format!("{failure}-then-next")))
            .send()
            .await;
        answer.is(200);
        let seen = answer.went_to(&[first_target(api), second_target(api)]);
        assert_eq!(seen[0].model(), failure);
        seen[0].has_its_length();
        assert_adapted(api, &seen[1]);
    }
}

async fn past_a_dead_port(case: Case) {
    for api in Api::ALL {
        let answer = case.ask(api, &api.model("dead-then-next")).send().await;
        assert_adapted(api, &answer.only_at(second_target(api)));
    }
}

async fn not_past_the_callers_own_mistakes(case: Case) {
    for api in Api::ALL {
        for status in [400, 404] {
            let answer = case
                .ask(api, &api.model(&format!("status-{status}-then-next")))
                .send()
                .await;
            answer.is(status).went_to(&[first_target(api)]);
            assert_is_the_backends_own(&answer.json(), api, first_target(api));
        }
    }
}

/// Demo backends name themselves in their errors, and never use the router's codes.
#[track_caller]
fn assert_is_the_backends_own(body: &serde_json::Value, api: Api, backend: &str) {
    let message = body["error"]["message"].as_str().unwrap_or_default();
    assert!(
        message.contains(&format!("Demo backend \"{backend}\"")),
        "not the backend's own answer: {body}"
    );
    assert_eq!(
        body.get("type").is_some(),
        api == Api::Anthropic,
        "not in its own format: {body}"
    );
}

async fn the_last_answer_reaches_the_client(case: Case) {
    let answer = case.chat("all-503").send().await;
    answer.is(503).went_to(&["openai", "azure-east"]);
    assert_is_the_backends_own(&answer.json(), Api::OpenAi, "azure-east");
    // With a single target there is one attempt, whatever number Envoy's own retry policy has.
    for api in Api::ALL {
        for failure in ANSWERED {
            let answer = case.ask(api, &api.model(failure)).send().await;
            answer.is(failure.trim_start_matches("status-").parse().unwrap());
            answer.went_to(&[first_target(api)]);
            assert_is_the_backends_own(&answer.json(), api, first_target(api));
        }
    }
}

/// The filter asks for the next attempt and Envoy refuses. The answer goes to the client without the header by which
/// the filter asked; every trial checks that no answer has it.
async fn not_where_envoy_has_none_left(case: Case) {
    let answer = case.chat("last-word-fails").send().await;
    answer.is(500).went_to(&["openai"]);
    assert_is_the_backends_own(&answer.json(), Api::OpenAi, "openai");
}

async fn past_two_of_three(case: Case) {
    let answer = case.chat("two-failing").send().await;
    answer.is(200);
    let seen = answer.went_to(&["openai", "second"]);
    assert_eq!(seen[1].model(), "gpt-4o");
    assert_eq!(seen[1].0.path, "/api/openai/v1/chat/completions");
}

async fn to_another_model_of_the_same_backend(case: Case) {
    let answer = case.chat("two-models").send().await;
    answer.is(200);
    let seen = answer.went_to(&["openai", "openai"]);
    assert_eq!(seen[0].model(), "status-500");
    assert_eq!(seen[1].model(), "gpt-4o-mini-2024-07-18");
    for attempt in &seen {
        attempt.has_its_length();
        assert_eq!(attempt.0.path, "/v1/chat/completions");
        assert_eq!(attempt.0.authority, "api.openai.test");
    }
}

/// Returns the backends that see a request whose first attempt fails like this.
fn reached(failure: &str) -> &'static [&'static str] {
    match failure {
        "dead" => &["azure-east"],
        _ => &["openai", "azure-east"],
    }
}

async fn of_a_streaming_request(case: Case) {
    for failure in ["status-500", "reset", "dead"] {
        let body =
            json!({"model": format!("openai-{failure}-then-next"), "stream": true, "messages": []});
        let answer = case
            .post("/v1/chat/completions", body.to_string())
            .send()
            .await;
        answer.is(200);
        let seen = answer
            .went_to(reached(failure))
            .pop()
            .expect("the last attempt");
        assert_adapted(Api::OpenAi, &seen);
        assert_eq!(seen.json()["stream"], true);
        assert!(
            answer.body.ends_with(b"data: [DONE]\n\n"),
            "{}",
            answer.describe()
        );
    }
}

async fn of_a_big_body(case: Case) {
    let mut text = String::with_capacity(1_500_000);
    while text.len() < 1_500_000 {
        text.push_str(&format!("{:x} ", text.len()));
    }
    let body = |model: &str| {
        format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}], "model" :"{model}"}}"#)
    };
    for failure in ["status-500", "reset", "dead"] {
        let answer = case
            .post(
                "/v1/chat/completions",
                body(&format!("openai-{failure}-then-next")),
            )
            .send()
            .await;
        answer.is(200);
        let seen = answer
            .went_to(reached(failure))
            .pop()
            .expect("the last attempt");
        assert!(
            seen.0.body == body(DEPLOYMENT).into_bytes(),
            "the body of {failure} is not what it should be"
        );
        seen.has_its_length();
    }
}

async fn not_for_a_client_that_has_left(case: Case) {
    let call = case.chat("openai-hang-then-next");
    let mut wire = case.connect().await;
    let waiting = tokio::time::timeout(Duration::from_millis(300), wire.exchange(&call));
    assert!(
        waiting.await.is_err(),
        "nobody answers this within the limit"
    );
    drop(wire);
    // Longer than the limit of an attempt.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let attempts = case.world.backends.requests(&call.id);
    let backends: Vec<&str> = attempts.iter().map(|(backend, _)| *backend).collect();
    assert_eq!(backends, ["openai"]);
    case.chat("fast").send().await.only_at("openai");
}

async fn with_a_string(case: Case) {
    let seen = case.chat("smart").send().await.only_at("openai");
    assert_eq!(seen.model(), "gpt-4o-2024-08-06");
    seen.has_its_length();
}
