//! Trials of `GET /v1/models` and `GET /v1/models/{id}`, which the filter answers itself.

use serde_json::Value;

use crate::harness::{Answer, Api, Case, Suite};

/// Virtual models, models of a backend, and a name that looks like a longer path.
const SOME: [&str; 4] = ["fast", "smart", "gpt-4o-mini", "org/model/with-slashes"];

pub(crate) fn add(suite: &mut Suite) {
    suite.matrix("routing::models_are_listed", models_are_listed);
    suite.matrix(
        "routing::models_are_listed_for_anthropic",
        models_are_listed_for_anthropic,
    );
    suite.matrix("routing::one_model_is_described", one_model_is_described);
    suite.matrix(
        "routing::an_unknown_model_is_not_described",
        an_unknown_model_is_not_described,
    );
}

fn ids(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let data = body["data"].as_array().cloned().unwrap_or_default();
    data.iter()
        .filter_map(|model| model["id"].as_str())
        .map(str::to_owned)
        .collect()
}

fn assert_complete(ids: &[String], answer: &Answer) {
    for expected in SOME {
        assert!(
            ids.iter().any(|id| id == expected),
            "{expected} is missing{}",
            answer.describe()
        );
    }
    assert!(
        !ids.iter().any(|id| id.contains('*')),
        "a pattern is no model{}",
        answer.describe()
    );
    let mut unique = ids.to_vec();
    unique.sort();
    unique.dedup();
    assert_eq!(
        unique.len(),
        ids.len(),
        "a model twice{}",
        answer.describe()
    );
}

async fn models_are_listed(case: Case) {
    for path in ["/v1/models", "/v1/models?limit=1000"] {
        let answer = case.get(path).send().await;
        answer.is(200).went_nowhere();
        assert_eq!(answer.json()["object"], "list");
        for model in answer.json()["data"]
            .as_array()
            .cloned()
            .unwrap_or_default()
        {
            assert_eq!(model["object"], "model");
            assert!(
                model["created"].is_u64() && model["owned_by"].is_string(),
                "{model}"
            );
        }
        assert_complete(&ids(&answer), &answer);
    }
}

async fn models_are_listed_for_anthropic(case: Case) {
    let answer = case
        .get("/v1/models")
        .header("anthropic-version", "2023-06-01")
        .send()
        .await;
    answer.is(200).went_nowhere();
    let ids = ids(&answer);
    let body = answer.json();
    for model in body["data"].as_array().cloned().unwrap_or_default() {
        assert_eq!(model["type"], "model");
        assert!(
            model["display_name"].is_string() && model["created_at"].is_string(),
            "{model}"
        );
    }
    assert_eq!(body["has_more"], false);
    assert_eq!(body["first_id"].as_str(), ids.first().map(String::as_str));
    assert_eq!(body["last_id"].as_str(), ids.last().map(String::as_str));
    assert!(
        ids.iter().any(|id| id == "claude-sonnet-4-5"),
        "{}",
        answer.describe()
    );
}

async fn one_model_is_described(case: Case) {
    let slashes = [
        "/v1/models/org/model/with-slashes",
        "/v1/models/org%2Fmodel%2fwith-slashes",
    ];
    let paths = [
        ("fast", "/v1/models/fast"),
        ("gpt-4o-mini", "/v1/models/gpt-4o-mini?x=y"),
    ];
    let all = paths
        .into_iter()
        .chain(slashes.map(|path| ("org/model/with-slashes", path)));
    for (id, path) in all {
        let answer = case.get(path).send().await;
        answer.is(200).went_nowhere();
        assert_eq!(answer.json()["id"], id);
        assert_eq!(answer.json()["object"], "model");
        let answer = case
            .get(path)
            .header("anthropic-version", "2023-06-01")
            .send()
            .await;
        answer.is(200).went_nowhere();
        assert_eq!(answer.json()["id"], id);
        assert_eq!(answer.json()["type"], Value::from("model"));
    }
}

async fn an_unknown_model_is_not_described(case: Case) {
    for path in ["/v1/models/nobody-knows", "/v1/models/org/model"] {
        let answer = case.get(path).send().await;
        answer
            .is_error(Api::OpenAi, 404, "model_not_found")
            .went_nowhere();
        let answer = case
            .get(path)
            .header("anthropic-version", "2023-06-01")
            .send()
            .await;
        answer
            .is_error(Api::Anthropic, 404, "model_not_found")
            .went_nowhere();
    }
}
