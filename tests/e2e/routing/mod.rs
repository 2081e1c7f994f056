//! Trials of routing: which requests go where.

mod catalogue;
mod content;
mod generated;
mod matching;
mod sticky;
mod streaming;

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use crate::fleet::SharedEnvoy;
use crate::harness::{Api, Case, Protocol, Suite};

pub(crate) fn add(suite: &mut Suite) {
    suite.matrix("routing::fast_goes_to_its_target", fast_goes_to_its_target);
    suite.matrix("routing::anthropic_requests_too", anthropic_requests_too);
    suite.matrix("routing::concrete_models_by_name", concrete_models_by_name);
    suite.matrix(
        "routing::a_backend_for_a_pattern_of_models",
        a_backend_for_a_pattern_of_models,
    );
    suite.matrix(
        "routing::weights_spread_the_requests",
        weights_spread_the_requests,
    );
    suite.matrix(
        "routing::weight_zero_is_only_a_fallback",
        weight_zero_is_only_a_fallback,
    );
    suite.matrix(
        "routing::targets_of_another_api_are_left_out",
        targets_of_another_api_are_left_out,
    );
    suite.matrix("routing::api_not_supported", api_not_supported);
    suite.matrix("routing::model_not_found", model_not_found);
    for protocol in Protocol::ALL {
        suite.on(
            "routing::a_document_that_is_a_string",
            SharedEnvoy::Text,
            protocol,
            a_document_that_is_a_string,
        );
    }
    suite.matrix(
        "routing::requests_at_the_same_time_do_not_mix",
        requests_at_the_same_time_do_not_mix,
    );
    matching::add(suite);
    sticky::add(suite);
    generated::add(suite);
    content::add(suite);
    catalogue::add(suite);
    streaming::add(suite);
}

async fn fast_goes_to_its_target(case: Case) {
    let call = case
        .chat("fast")
        .header("x-mine", "kept")
        .header("user-agent", "tests/1");
    let answer = call.send().await;
    let seen = answer.only_at("openai");
    assert_eq!(seen.model(), "gpt-4o-mini-2024-07-18");
    assert_eq!(seen.0.method, "POST");
    assert_eq!(seen.0.path, "/v1/chat/completions");
    assert_eq!(seen.0.authority, "api.openai.test");
    assert_eq!(
        seen.header("content-type").as_deref(),
        Some("application/json")
    );
    assert_eq!(seen.header("x-mine").as_deref(), Some("kept"));
    assert_eq!(seen.header("user-agent").as_deref(), Some("tests/1"));
    let internal: Vec<_> = seen
        .0
        .headers
        .iter()
        .filter(|(name, _)| name.contains("llm"))
        .collect();
    assert!(
        internal.is_empty(),
        "internal names at the backend: {internal:?}"
    );
    // The answer is the backend's own, to this very request.
    let body = answer.json();
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["demo"]["backend"], "openai");
    assert_eq!(body["demo"]["body_bytes"], seen.0.body.len());
    assert_eq!(
        answer.header("content-type").as_deref(),
        Some("application/json")
    );
}

async fn anthropic_requests_too(case: Case) {
    let answer = case.messages("claude-sonnet-4-5").send().await;
    let seen = answer.only_at("anthropic");
    assert_eq!(seen.model(), "claude-sonnet-4-5");
    assert_eq!(seen.0.path, "/v1/messages");
    assert_eq!(seen.0.authority, "api.anthropic.test");
    assert_eq!(
        seen.header("anthropic-version").as_deref(),
        Some("2023-06-01")
    );
    assert_eq!(answer.json()["type"], "message");
}

async fn concrete_models_by_name(case: Case) {
    for (asked, upstream) in [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
        ("org/model/with-slashes", "org/model/with-slashes"),
    ] {
        let answer = case.chat(asked).send().await;
        assert_eq!(answer.only_at("openai").model(), upstream);
    }
}

async fn a_backend_for_a_pattern_of_models(case: Case) {
    let answer = case.chat("llama-3.3-70b").send().await;
    let seen = answer.only_at("second");
    assert_eq!(seen.model(), "llama-3.3-70b");
    assert_eq!(seen.0.version, "HTTP/2.0", "this cluster speaks HTTP/2");
}

async fn weights_spread_the_requests(case: Case) {
    const REQUESTS: u32 = 200;
    let mut seen = BTreeMap::<String, u32>::new();
    for _ in 0..REQUESTS {
        let answer = case.chat("spread").send().await;
        let backend = answer.is(200).json()["demo"]["backend"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        *seen.entry(backend).or_default() += 1;
    }
    let of = |backend| seen.get(backend).copied().unwrap_or(0);
    // 3 to 1: the mean is 150 and the standard deviation 6. This allows six of those in both directions, and all
    // requests must have gone to one of the two.
    assert!((113..=187).contains(&of("openai")), "{seen:?}");
    assert_eq!(of("openai") + of("second"), REQUESTS, "{seen:?}");
}

async fn weight_zero_is_only_a_fallback(case: Case) {
    for _ in 0..5 {
        case.chat("spread-past-a-dead-one")
            .send()
            .await
            .only_at("bare");
    }
}

async fn targets_of_another_api_are_left_out(case: Case) {
    case.chat("either-api").send().await.only_at("openai");
    let seen = case
        .messages("either-api")
        .send()
        .await
        .only_at("anthropic");
    assert_eq!(seen.model(), "claude-sonnet-4-5");
}

async fn api_not_supported(case: Case) {
    let answer = case.messages("fast").send().await;
    answer
        .is_error(Api::Anthropic, 400, "api_not_supported")
        .went_nowhere();
    let answer = case.chat("claude-sonnet-4-5").send().await;
    answer
        .is_error(Api::OpenAi, 400, "api_not_supported")
        .went_nowhere();
}

async fn model_not_found(case: Case) {
    for api in Api::ALL {
        // No route, and a route none of whose backends has the model.
        let unserved = if api == Api::OpenAi {
            "gpt-9"
        } else {
            "claude-9"
        };
        for model in ["nobody-knows", "Fast", unserved] {
            let answer = case.ask(api, model).send().await;
            answer.is_error(api, 404, "model_not_found").went_nowhere();
            assert!(
                answer.json()["error"]["message"]
                    .as_str()
                    .unwrap_or_default()
                    .contains(model)
            );
        }
    }
}

async fn a_document_that_is_a_string(case: Case) {
    let seen = case.chat("smart").send().await.only_at("openai");
    assert_eq!(seen.model(), "gpt-4o-2024-08-06");
    assert_eq!(seen.0.authority, "api.openai.test");
    case.chat("spread").send().await.only_at("openai");
    assert_eq!(
        case.messages("claude-next")
            .send()
            .await
            .only_at("anthropic")
            .model(),
        "claude-next"
    );
}

/// On one connection with HTTP/2: the state of one request's attempts does not affect other requests.
async fn requests_at_the_same_time_do_not_mix(case: Case) {
    let mut all = JoinSet::new();
    for _ in 0..10 {
        for (model, attempts) in [
            ("fast", ["openai"].as_slice()),
            ("second-fails", &["second", "openai"]),
            ("openai-status-503-then-next", &["openai", "azure-east"]),
            ("openai-dead-then-next", &["azure-east"]),
            ("at-bare", &["bare"]),
        ] {
            let call = case.chat(model);
            all.spawn(async move {
                call.send().await.is(200).went_to(attempts);
            });
        }
    }
    while let Some(done) = all.join_next().await {
        // A task only fails because of an assertion.
        if let Err(error) = done {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
