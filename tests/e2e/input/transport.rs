//! Trials of odd headers, odd framing, and clients that misbehave.

use std::time::Duration;

use super::{refused, works};
use crate::fleet::BUFFER_LIMIT;
use crate::harness::{Api, Case, Protocol, Suite};

pub(crate) fn add(suite: &mut Suite) {
    suite.matrix("input::odd_header_bytes", odd_header_bytes);
    suite.matrix("input::one_byte_per_chunk", one_byte_per_chunk);
    suite.matrix("input::trailers", trailers);
    suite.matrix("input::client_gone_halfway", client_gone_halfway);
    suite.matrix("input::too_large", too_large);
    suite.matrix("input::internal_names", internal_names);
    suite.matrix("input::unknown_path", unknown_path);
    suite.matrix("input::wrong_method", wrong_method);
}

async fn odd_header_bytes(case: Case) {
    let odd = b"\xff\xfe \x80latin \xe9".as_slice();
    let mut wire = case.connect().await;
    // In headers that nobody reads, and in those that the filter uses: named by routes, set or removed by backends,
    // identifying the API, or credentials.
    let call = case
        .chat("smart")
        .header("x-odd", odd)
        .header("x-team", odd)
        .header("x-shared", odd)
        .header("x-wanted", odd);
    let call = call
        .header("anthropic-version", odd)
        .header("authorization", odd)
        .header("x-llm-router-odd", odd);
    let seen = call.send_on(&mut wire).await.only_at("openai");
    for name in [
        "x-odd",
        "x-team",
        "x-shared",
        "x-wanted",
        "anthropic-version",
    ] {
        assert_eq!(seen.values(name), [odd], "{name}");
    }
    assert!(seen.values("authorization").is_empty() && seen.values("x-llm-router-odd").is_empty());
    works(&case, &mut wire).await;
    // A later attempt uses what the first one saved.
    let answer = case
        .chat("second-fails")
        .header("x-wanted", odd)
        .header("x-shared", odd)
        .send_on(&mut wire)
        .await;
    let seen = answer.is(200).went_to(&["second", "openai"]);
    assert_eq!(seen[1].values("x-wanted"), [odd]);
    assert_eq!(seen[1].values("x-shared"), [odd]);
    // Where the filter answers itself.
    case.get("/v1/models")
        .header("anthropic-version", odd)
        .send_on(&mut wire)
        .await
        .is(200);
    works(&case, &mut wire).await;
}

async fn one_byte_per_chunk(case: Case) {
    let mut wire = case.connect().await;
    for (model, backend) in [
        ("fast", "openai"),
        ("openai-status-500-then-next", "azure-east"),
    ] {
        let mut call = case.chat(model);
        let body = call.bytes();
        call.body.clear();
        let mut call = call.chunked();
        for byte in &body {
            call = call.piece([*byte]);
        }
        let answer = call.send_on(&mut wire).await;
        let (last, seen) = answer.is(200).attempts().pop().expect("an attempt");
        assert_eq!(last, backend);
        let expected = String::from_utf8_lossy(&body).replace(model, &seen.model());
        assert_eq!(String::from_utf8_lossy(&seen.0.body), expected);
    }
    works(&case, &mut wire).await;
}

async fn trailers(case: Case) {
    let mut wire = case.connect().await;
    for (model, backend) in [
        ("fast", "openai"),
        ("openai-status-500-then-next", "azure-east"),
        ("at-second", "second"),
    ] {
        let answer = case
            .chat(model)
            .trailer("x-trailer", "at the end")
            .trailer("authorization", "Bearer client-secret")
            .send_on(&mut wire)
            .await;
        let (last, seen) = answer.is(200).attempts().pop().expect("an attempt");
        assert_eq!(last, backend);
        assert_eq!(seen.0.trailers, []);
        assert_ne!(seen.model(), model, "the body was not rewritten");
        works(&case, &mut wire).await;
    }
    // An error that is found at the trailers.
    let call = case
        .post("/v1/chat/completions", "{")
        .trailer("x-trailer", "1");
    refused(&case, Api::OpenAi, call, 400, "invalid_json").await;
}

/// On a cluster that nobody else uses, so that Envoy's own counter shows whether anything was forwarded: a backend
/// notices only complete requests.
async fn client_gone_halfway(case: Case) {
    let cluster = match case.protocol {
        Protocol::Http1 => "halfway-h1",
        Protocol::Http2 => "halfway-h2",
    };
    let count = format!("cluster.{cluster}.upstream_rq_total");
    let whole = || case.chat(&format!("at-{cluster}"));
    for chunked in [false, true] {
        // The JSON value is complete; only the request is not.
        let call = whole().pause(Duration::from_millis(50));
        let call = if chunked { call.chunked() } else { call };
        case.connect()
            .await
            .leave_halfway(&call)
            .await
            .expect("nobody answers half a request");
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        case.envoy.stat(&count).await,
        Some(0),
        "half a request was forwarded"
    );
    whole()
        .send_on(&mut case.connect().await)
        .await
        .only_at("openai");
    assert_eq!(
        case.envoy.stat(&count).await,
        Some(1),
        "{count} does not count what it should"
    );
}

async fn too_large(case: Case) {
    for api in Api::ALL {
        for chunked in [false, true] {
            let mut call = case.ask(api, "fast");
            // Well above the limit: Envoy counts what it holds, and does not count the last bytes to arrive.
            for _ in 0..BUFFER_LIMIT / 65_536 * 3 / 2 {
                call = call.piece(vec![b' '; 65_536]);
            }
            let call = if chunked { call.chunked() } else { call };
            let answer = call.send_on(&mut case.connect().await).await;
            answer
                .is_error(api, 413, "request_too_large")
                .went_nowhere();
            works(&case, &mut case.connect().await).await;
        }
    }
    // Just below the limit, it passes.
    let call = case.chat("fast").piece(vec![b' '; BUFFER_LIMIT - 65_536]);
    call.send_on(&mut case.connect().await)
        .await
        .only_at("openai")
        .has_its_length();
}

async fn internal_names(case: Case) {
    const NAMES: [&str; 10] = [
        "x-llm-router-retry",
        "X-LLM-Router-Plan",
        "x-llm-router-",
        "x-envoy-made-up",
        "x-envoy-max-retries",
        "x-envoy-retry-on",
        "x-envoy-upstream-rq-timeout-ms",
        "x-envoy-upstream-rq-per-try-timeout-ms",
        "x-envoy-decorator-operation",
        "x-envoy-original-path",
    ];
    let mut wire = case.connect().await;
    // If they were obeyed, a limit of 1 ms and a retry after everything would show.
    for (model, status, attempts) in [
        ("fast", 200, vec!["openai"]),
        ("openai-status-500", 500, vec!["openai"]),
        (
            "openai-status-500-then-next",
            200,
            vec!["openai", "azure-east"],
        ),
    ] {
        let mut call = case.chat(model).header("x-llm-kept", "1");
        for name in NAMES {
            call = call.header(
                name,
                if name.ends_with("retry-on") {
                    "5xx"
                } else {
                    "1"
                },
            );
        }
        let answer = call.send_on(&mut wire).await;
        for seen in answer.is(status).went_to(&attempts) {
            for name in NAMES {
                assert_eq!(seen.header(name), None, "{name} reached the backend");
            }
            assert_eq!(
                seen.header("x-llm-kept").as_deref(),
                Some("1"),
                "only the prefixes are reserved"
            );
        }
    }
    works(&case, &mut wire).await;
}

async fn unknown_path(case: Case) {
    for path in [
        "/",
        "/v1",
        "/v1/embedding",
        "/v1/chat/completions/",
        "/v2/chat/completions",
        "/v1/Messages",
        "/v1/models/",
    ] {
        refused(&case, Api::OpenAi, case.get(path), 404, "path_not_found").await;
    }
    let call = case
        .get("/v1/embedding?x=1")
        .header("anthropic-version", "2023-06-01");
    refused(&case, Api::Anthropic, call, 404, "path_not_found").await;
    // With a body, which nobody reads.
    let answer = case
        .post("/v1/embedding", "{\"model\":\"fast\"}")
        .send()
        .await;
    answer
        .is_error(Api::OpenAi, 404, "path_not_found")
        .went_nowhere();
    works(&case, &mut case.connect().await).await;
}

async fn wrong_method(case: Case) {
    for (api, path, allowed) in [
        (Api::OpenAi, "/v1/chat/completions", "POST"),
        (Api::Anthropic, "/v1/messages", "POST"),
    ] {
        for method in ["GET", "DELETE", "PROPFIND"] {
            let answer = refused(
                &case,
                api,
                case.request(method, path),
                405,
                "method_not_allowed",
            )
            .await;
            assert_eq!(answer.header("allow").as_deref(), Some(allowed));
        }
        let answer = case
            .request("PUT", path)
            .piece("{\"model\":\"fast\"}")
            .send()
            .await;
        answer
            .is_error(api, 405, "method_not_allowed")
            .went_nowhere();
    }
    for path in ["/v1/models", "/v1/models/fast"] {
        let answer = case.post(path, "{}").send().await;
        answer
            .is_error(Api::OpenAi, 405, "method_not_allowed")
            .went_nowhere();
        let allowed = answer.header("allow").unwrap_or_default();
        assert!(
            allowed.split(", ").any(|method| method == "GET"),
            "allow: {allowed}"
        );
    }
}
