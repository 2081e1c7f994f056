//! Trials of verdicts about odd answers, and of request headers that affect answers.

use serde_json::json;

use super::{ask, assert_ends, assert_own, chat, first, gaps, ms, second, stream};
use crate::fleet::policy::{VirtualModel, at, fine};
use crate::harness::config::RETRY_HEADER;
use crate::harness::{Api, Case, Suite};

/// Incomplete whole answers: the backend's fault, the failure that is reported, and how often the backend is tried.
const BROKEN: [(&str, &str, usize); 8] = [
    ("cut-length-1", "incomplete", 1),
    ("cut-1", "incomplete", 1),
    ("reset-1", "incomplete", 1),
    ("close-headers", "reset", 2),
    ("end-1", "incomplete", 1),
    ("end-length-1", "incomplete", 1),
    ("malformed-1", "incomplete", 1),
    ("empty-body", "incomplete", 1),
];

pub(super) fn add(suite: &mut Suite) {
    suite.policy("verdicts::a_broken_whole_answer_is_a_failure", broken);
    suite.policy(
        "verdicts::of_broken_answers_only_an_error_is_clear",
        all_broken,
    );
    suite.policy("verdicts::a_silent_half_is_a_failure", silent_half);
    suite.policy("verdicts::answers_are_asked_for_in_plain", in_plain);
    suite.policy("verdicts::compressed_answers_pass", compressed);
    suite.policy("verdicts::many_headers", many_headers);
    suite.policy("verdicts::keys_end_with_their_target", keys);
    suite.policy(
        "verdicts::the_failed_answer_where_envoy_has_no_retries",
        no_retries,
    );
}

pub(super) fn virtuals() -> Vec<VirtualModel> {
    let mut all = vec![];
    for api in Api::ALL {
        let (first, second) = (first(api), second(api));
        for (fault, ..) in BROKEN {
            let targets = [at(first, fault), fine(second)];
            all.push(VirtualModel::new(&api.model(fault), targets));
        }
        let targets = [at(first, "empty-body"), at(second, "malformed-1")];
        all.push(VirtualModel::new(&api.model("all-broken"), targets));
        let targets = [at(first, "stall-1"), fine(second)];
        all.push(
            VirtualModel::new(&api.model("silent-half"), targets)
                .fallback(json!({"idle_timeout_ms": 500})),
        );
    }
    let next = fine("azure-east");
    all.extend([
        VirtualModel::new("plain", [at("openai", "status-503"), next.clone()]),
        VirtualModel::new("plain-alone", [fine("openai")]),
        VirtualModel::new("gzip", [at("openai", "gzip"), next.clone()]),
        VirtualModel::new("headers", [at("openai", "headers-60"), next.clone()]),
        VirtualModel::new("headers-over", [at("openai", "headers-100"), next.clone()]),
        VirtualModel::new(
            "keys",
            [at("keyed", "status-500"), fine("keyed-other"), next.clone()],
        ),
        VirtualModel::new(
            "keys-wait",
            [
                at("keyed", "status-429-retry-after-ms-300"),
                at("keyed-other", "status-503"),
                next.clone(),
            ],
        ),
        VirtualModel::new("dropped-503", [at("last-word", "status-503"), next.clone()]),
        VirtualModel::new("dropped-500", [at("last-word", "status-500"), next.clone()]),
        VirtualModel::new(
            "dropped-200",
            [at("last-word", "error-first-overloaded"), next],
        ),
    ]);
    all
}

async fn broken(case: Case) {
    for api in Api::ALL {
        for (fault, failure, tries) in BROKEN {
            let answer = ask(&case, api, fault).send().await;
            answer.is(200);
            let mut backends = vec![first(api); tries];
            backends.push(second(api));
            answer.went_to(&backends);
            let failure = format!("{}={failure}", first(api));
            answer.tells(Some(second(api)), tries + 1, &vec![failure.as_str(); tries]);
            let demo = &answer.json()["demo"];
            assert_eq!(demo["backend"], second(api), "{}", answer.describe());
        }
    }
}

async fn all_broken(case: Case) {
    for api in Api::ALL {
        let answer = ask(&case, api, "all-broken").send().await;
        answer.is_error(api, 502, "upstream_incomplete");
        answer.went_to(&[first(api), second(api)]);
        let failures = [first(api), second(api)].map(|backend| format!("{backend}=incomplete"));
        answer.tells(None, 2, &[&failures[0], &failures[1]]);
    }
}

async fn silent_half(case: Case) {
    for api in Api::ALL {
        let answer = ask(&case, api, "silent-half").send().await;
        answer.is(200);
        let seen = answer.went_to(&[first(api), second(api)]);
        assert_ends(gaps(&seen)[0], ms(500), "the silent half");
        let failure = format!("{}=incomplete", first(api));
        answer.tells(Some(second(api)), 2, &[&failure]);
    }
}

async fn in_plain(case: Case) {
    let coding = "gzip, br;q=0.5";
    let call = chat(&case, "plain").header("accept-encoding", coding);
    let answer = call.send().await;
    for seen in answer.is(200).went_to(&["openai", "azure-east"]) {
        assert_eq!(seen.header("accept-encoding").as_deref(), Some("identity"));
    }
    // Also if nothing is held, so that the usage in the answer can be read.
    for call in [chat(&case, "plain-alone"), stream(&case, "plain-alone")] {
        let call = call.header("accept-encoding", coding);
        let seen = call.send().await.only_at("openai");
        assert_eq!(seen.header("accept-encoding").as_deref(), Some("identity"));
    }
    // The client asked for no encoding here.
    let seen = chat(&case, "plain-alone").send().await.only_at("openai");
    assert_eq!(seen.header("accept-encoding"), None);
}

async fn compressed(case: Case) {
    for call in [chat(&case, "gzip"), stream(&case, "gzip")] {
        let answer = call.send().await;
        answer.only_at("openai");
        answer.tells(Some("openai"), 1, &[]);
        assert_eq!(answer.header("content-encoding").as_deref(), Some("gzip"));
        assert!(
            answer.body.starts_with(&[0x1f, 0x8b]),
            "{}",
            answer.describe()
        );
    }
}

/// By default, Envoy accepts 100 headers of an answer: an answer with more counts as a broken connection.
async fn many_headers(case: Case) {
    let answer = chat(&case, "headers").send().await;
    answer.only_at("openai");
    assert_eq!(answer.header("x-demo-59").as_deref(), Some("demo"));
    let answer = chat(&case, "headers-over").send().await;
    answer.is(200).went_to(&["openai", "openai", "azure-east"]);
    answer.tells(Some("azure-east"), 3, &["openai=reset", "openai=reset"]);
}

async fn keys(case: Case) {
    let secret = "key-of-keyed";
    for (name, tries) in [("keys", 2), ("keys-wait", 2)] {
        let call = chat(&case, name)
            .header("authorization", "Bearer client-secret")
            .header("x-api-key", "client-secret");
        let answer = call.send().await;
        let mut backends = vec!["keyed"; tries];
        backends.push("keyed-other");
        if name == "keys-wait" {
            backends.push("azure-east");
        }
        for (backend, seen) in backends.iter().zip(answer.is(200).went_to(&backends)) {
            assert!(!seen.has_anywhere("client-secret"), "{backend}");
            let (authorization, api_key) = match *backend {
                "keyed" => (Some(format!("Bearer {secret}")), None),
                "keyed-other" => (None, Some(format!("{secret}-other"))),
                _ => (None, None),
            };
            assert_eq!(seen.header("authorization"), authorization, "{backend}");
            assert_eq!(seen.header("x-api-key"), api_key, "{backend}");
        }
    }
}

/// The filter asks for the next attempt, and Envoy's circuit breaker refuses. The caller gets the failed answer without
/// the header by which the filter asked, and its headers report where it came from.
async fn no_retries(case: Case) {
    for (name, status) in [
        ("dropped-503", 503),
        ("dropped-500", 500),
        ("dropped-200", 200),
    ] {
        let answer = chat(&case, name).send().await;
        let seen = answer.is(status).went_to(&["openai"]);
        assert_own(&case, &answer, "openai", &seen[0]).await;
        assert_eq!(answer.header(RETRY_HEADER), None);
        answer.tells(Some("last-word"), 1, &[]);
        let model = answer.header("x-llm-router-model");
        assert_eq!(model, Some(seen[0].model()), "{}", answer.describe());
    }
    let answer = stream(&case, "dropped-200").send().await;
    answer.is(200).went_to(&["openai"]);
    answer.tells(Some("last-word"), 1, &[]);
    let body = String::from_utf8_lossy(&answer.body);
    assert!(body.contains("server_is_overloaded"), "{body}");
}
