//! Trials of model calls: where each is sent, and what arrives at the backend.

use llm_router::schema::{Api, ModelLocation, Schema};

use super::sample::{Kind, at, backend, body, call, encoded, path};
use crate::fleet::apis::{UPSTREAM, second_path};
use crate::harness::Case;
use crate::harness::echo::EchoInstruction;

/// A call goes by its model, wherever the model is, to a backend that speaks the call's API.
pub(super) async fn routed(case: Case, api: Api) {
    for kind in Kind::of(api) {
        for model in ["one", "org/some model", "arn:aws:x:y/z"] {
            let seen = call(&case, api, *kind, model).send().await;
            let seen = seen.only_at(&backend(api, ""));
            assert_eq!(seen.0.path, path(api, UPSTREAM[0]), "{model}");
            assert_eq!(seen.0.method, "POST");
            let content_type = seen.header("content-type");
            assert_eq!(content_type.as_deref(), Some(kind.content_type()));
        }
        if api.model_location() == ModelLocation::Path {
            // With an unencoded slash, as some clients send it.
            let path = path(api, "org/m").replace("%2F", "/");
            let seen = at(&case, &path, *kind, "{}").send().await;
            seen.only_at(&backend(api, ""));
        }
    }
}

/// Only the model's name changes, independently for each target.
pub(super) async fn rewritten(case: Case, api: Api) {
    for kind in Kind::of(api) {
        let first = backend(api, "");
        let failing = format!("x-test-answer-{first}");
        let answer = call(&case, api, *kind, "chain")
            .header(&failing, EchoInstruction::status(503).header())
            .send()
            .await;
        let second = backend(api, "-two");
        let seen = answer.is(200).went_to(&[&first, &second]);
        for (seen, name) in seen.iter().zip(UPSTREAM) {
            let expected = body(api, *kind, name);
            assert!(
                seen.0.body == expected,
                "{}\nis not\n{}",
                String::from_utf8_lossy(&seen.0.body),
                String::from_utf8_lossy(&expected)
            );
            seen.has_its_length();
        }
        assert_eq!(seen[0].0.path, path(api, UPSTREAM[0]));
        let there = second_path(api.schema().name(), api.operation(), &encoded(UPSTREAM[1]));
        assert_eq!(seen[1].0.path, there);
    }
}

/// Azure clients can reach other backends, and other clients Azure.
pub(super) async fn azure_and_openai(case: Case) {
    let apis = Api::ALL.iter().copied();
    for api in apis.filter(|api| api.schema() == Schema::OpenAi) {
        let operation = api.operation();
        for kind in Kind::of(api) {
            let own = body(api, *kind, "one");
            for prefix in ["/openai/v1", "/openai"] {
                let there = format!("{prefix}{operation}?api-version=2024-10-21&x=1");
                let seen = at(&case, &there, *kind, own.clone()).send().await;
                let seen = seen.only_at("echo-openai");
                assert_eq!(seen.0.path, format!("/v1{operation}?x=1"));
                assert!(seen.0.body == body(api, *kind, UPSTREAM[0]));
            }
            // If the path names the model, the body need not, and the path takes precedence.
            let deployment =
                format!("/openai/deployments/one{operation}?api-version=2024-10-21&x=1");
            let other = body(api, *kind, "nobody");
            let seen = at(&case, &deployment, *kind, other).send().await;
            let seen = seen.only_at("echo-openai");
            assert_eq!(seen.0.path, format!("/v1{operation}?x=1"));
            assert!(seen.0.body == body(api, *kind, UPSTREAM[0]));
            if *kind == Kind::Json {
                let call = at(&case, &deployment, *kind, kind.body(None));
                let seen = call.send().await.only_at("echo-openai");
                let inserted = format!(" {{\"model\":\"{}\",", UPSTREAM[0]);
                let expected = [inserted.as_bytes(), &kind.body(None)[2..]].concat();
                assert!(
                    seen.0.body == expected,
                    "{}",
                    String::from_utf8_lossy(&seen.0.body)
                );
                seen.has_its_length();
            }
            // Azure gets its own paths, with an API version only if the client sent one for such a path.
            let seen = call(&case, api, *kind, "azure").send().await;
            let seen = seen.only_at("echo-azure-openai");
            assert_eq!(seen.0.path, format!("/openai/v1{operation}"));
            let there = format!("/openai/deployments/azure-deployments{operation}?api-version=1");
            let named = body(api, *kind, "azure-deployments");
            let seen = at(&case, &there, *kind, named).send().await;
            let seen = seen.only_at("echo-azure-openai-two");
            let model = encoded(UPSTREAM[1]);
            let there = format!("/openai/deployments/{model}{operation}?api-version=1");
            assert_eq!(seen.0.path, there);
        }
    }
}

/// Some APIs have additional paths.
pub(super) async fn more_paths(case: Case) {
    for path in ["/v2/rerank", "/rerank"] {
        let body = body(Api::Rerank, Kind::Json, "one");
        let seen = at(&case, path, Kind::Json, body).send().await;
        assert_eq!(seen.only_at("echo-openai").0.path, "/v1/rerank");
    }
    let path = "/v1/models/one:streamGenerateContent?alt=sse";
    let seen = at(&case, path, Kind::Json, "{}").send().await;
    let upstream = encoded(UPSTREAM[0]);
    assert_eq!(
        seen.only_at("echo-gemini").0.path,
        format!("/v1/models/{upstream}:streamGenerateContent?alt=sse")
    );
}

/// Keys do not reach backends, including those that some APIs send in headers other than `authorization`.
pub(super) async fn keys_do_not_arrive(case: Case) {
    for (api, query, header) in [
        (
            Api::StreamGenerateContent,
            "?key=client-secret&alt=sse",
            "x-goog-api-key",
        ),
        (
            Api::GenerateContent,
            "?%6bey=client-secret",
            "x-goog-api-key",
        ),
        (Api::Messages, "", "x-api-key"),
        (Api::Converse, "", "authorization"),
        (Api::Embeddings, "?api-key=client-secret", "api-key"),
    ] {
        let mut call = call(&case, api, Kind::Json, "one").header(header, "client-secret");
        call.path.push_str(query);
        let seen = call.send().await.only_at(&backend(api, ""));
        assert!(!seen.has_anywhere("client-secret"), "{}", api.name());
        let keeps = query.contains("alt=sse");
        assert_eq!(seen.0.path.ends_with("?alt=sse"), keeps, "{}", seen.0.path);
    }
}
