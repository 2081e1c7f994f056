//! Trials of the errors that callers get, each in the format of its API.

use llm_router::schema::{Api, Schema};

use super::sample::{Kind, at, call, encoded, is_error, path};
use crate::harness::Case;

/// Errors of the router itself and of Envoy.
pub(super) async fn in_its_format(case: Case, api: Api) {
    let schema = api.schema();
    for kind in Kind::of(api) {
        let answer = call(&case, api, *kind, "nobody").send().await;
        is_error(&answer, schema, 404, "model_not_found");
        answer.went_nowhere();
        let answer = call(&case, api, *kind, "dead").send().await;
        is_error(&answer, schema, 503, "upstream_unreachable");
        answer.went_nowhere();
    }
    let answer = case.request("PUT", &path(api, "one")).send().await;
    is_error(&answer, schema, 405, "method_not_allowed");
}

/// A model name never leads to another path.
pub(super) async fn no_way_by_a_model(case: Case) {
    for model in ["..", ".", "../x", "org/../../files", "\u{0}", "a\n"] {
        let model = encoded(model).replace('.', "%2E");
        for (path, schema) in [
            (
                format!("/v1beta/models/x%2F{model}:generateContent"),
                Schema::Gemini,
            ),
            (format!("/model/x%2F{model}/converse"), Schema::Bedrock),
            (
                format!("/openai/deployments/x%2F{model}/embeddings"),
                Schema::AzureOpenAi,
            ),
        ] {
            let answer = at(&case, &path, Kind::Json, "{}").send().await;
            is_error(&answer, schema, 400, "invalid_model");
            answer.went_nowhere();
        }
    }
    // An encoded path does not belong to another API.
    for path in [
        "/v1/chat%2Fcompletions",
        "/v1%2Fchat/completions",
        "/model/one%2Fconverse",
        "/v1beta/models/one%3AgenerateContent",
    ] {
        let answer = at(&case, path, Kind::Json, "{\"model\":\"one\"}")
            .send()
            .await;
        assert!(
            matches!(answer.status, 404 | 405),
            "{path}{}",
            answer.describe()
        );
        answer.went_nowhere();
    }
}

pub(super) async fn lists_of_models(case: Case) {
    for (path, list, name) in [
        ("/openai/v1/models", "/data", "/data/0/id"),
        (
            "/openai/models?api-version=2024-10-21",
            "/data",
            "/data/0/status",
        ),
        (
            "/v1beta/models?pageSize=10",
            "/models",
            "/models/0/displayName",
        ),
    ] {
        let answer = case.get(path).send().await;
        answer.is(200).went_nowhere();
        let body = answer.json();
        let models = body.pointer(list).and_then(|list| list.as_array());
        assert!(models.is_some_and(|models| models.len() > 3), "{body}");
        assert!(
            body.pointer(name).is_some_and(|name| name.is_string()),
            "{body}"
        );
    }
    let answer = case.get("/v1beta/models/one").send().await;
    assert_eq!(answer.is(200).json()["name"], "models/one");
    let answer = case
        .get("/v1/models/one")
        .header("x-goog-api-key", "x")
        .send()
        .await;
    assert_eq!(answer.is(200).json()["name"], "models/one");
    let answer = case.get("/v1beta/models/nobody").send().await;
    is_error(&answer, Schema::Gemini, 404, "model_not_found");
    let answer = case.get("/openai/models/one").send().await;
    assert_eq!(answer.is(200).json()["id"], "one");
}
