//! Trials of requests that are not model calls and pass through.

use std::time::{Duration, Instant};

use llm_router::schema::Schema;

use super::on_both;
use super::sample::is_error;
use crate::fleet::BUFFER_LIMIT;
use crate::harness::echo::EchoInstruction;
use crate::harness::{Case, Suite};

pub(crate) fn add(suite: &mut Suite) {
    on_both(suite, "apis::files_pass", files_pass);
    on_both(
        suite,
        "apis::a_large_body_is_not_held",
        a_large_body_is_not_held,
    );
    on_both(suite, "apis::there_is_one_attempt", there_is_one_attempt);
    on_both(suite, "apis::what_no_route_takes", what_no_route_takes);
    on_both(suite, "apis::calls_do_not_pass", calls_do_not_pass);
}

/// Any method and body passes, with the backend's own prefix and without the caller's key.
async fn files_pass(case: Case) {
    for (method, path, backend, there) in [
        (
            "POST",
            "/v1/files?x=1",
            "echo-openai-two",
            "/two/v1/files?x=1",
        ),
        (
            "GET",
            "/v1/files/file-1/content",
            "echo-openai-two",
            "/two/v1/files/file-1/content",
        ),
        (
            "DELETE",
            "/v1/files/file-1?key=client-secret",
            "echo-openai-two",
            "/two/v1/files/file-1",
        ),
        (
            "PUT",
            "/openai/v1/files/x?api-version=preview",
            "echo-azure-openai",
            "/openai/v1/files/x?api-version=preview",
        ),
        (
            "POST",
            "/upload/v1beta/files?key=client-secret&alt=json",
            "echo-gemini",
            "/upload/v1beta/files?alt=json",
        ),
        ("PATCH", "/v1beta/files/x", "echo-gemini", "/v1beta/files/x"),
        (
            "GET",
            "/v1/chat/completions",
            "echo-openai",
            "/v1/chat/completions",
        ),
        (
            "GET",
            "/v1/chat/completions/id",
            "echo-openai",
            "/v1/chat/completions/id",
        ),
    ] {
        let call = case
            .request(method, path)
            .header("authorization", "Bearer client-secret")
            .header("x-goog-api-key", "client-secret")
            .header("content-encoding", "br")
            .header("content-type", "text/odd");
        let call = if method == "GET" {
            call
        } else {
            call.piece(b"\x00 no JSON \xff".as_slice())
        };
        let expected = call.bytes();
        let seen = call.send().await.only_at(backend);
        assert_eq!(
            (seen.0.method.as_str(), seen.0.path.as_str()),
            (method, there)
        );
        assert!(seen.0.body == expected);
        assert!(!seen.has_anywhere("client-secret"), "{path}");
    }
}

/// A body that passes may exceed Envoy's buffer, and arrives while it is still being sent.
async fn a_large_body_is_not_held(case: Case) {
    const PAUSE: Duration = Duration::from_millis(700);
    let part = vec![b'x'; BUFFER_LIMIT + 1];
    let call = case
        .request("POST", "/v1/files")
        .piece(part.clone())
        .pause(PAUSE)
        .piece(part.clone());
    let begun = Instant::now();
    let answer = call.send_on(&mut case.connect().await).await;
    assert!(begun.elapsed() >= PAUSE);
    let seen = answer.only_at("echo-openai-two");
    assert_eq!(seen.0.body.len(), 2 * part.len());
    assert!(
        seen.0.at.duration_since(begun) < PAUSE,
        "it came only after {:?}",
        seen.0.at.duration_since(begun)
    );
    // The same body in a model call is held, and therefore refused.
    let body = format!(
        "{{\"model\":\"one\",\"x\":\"{}\"}}",
        "x".repeat(2 * BUFFER_LIMIT)
    );
    let answer = case.post("/v1/embeddings", body).send().await;
    is_error(&answer, Schema::OpenAi, 413, "request_too_large");
}

/// There is one attempt, and its result goes to the caller.
async fn there_is_one_attempt(case: Case) {
    for status in [500, 503, 429, 404] {
        let answer = case
            .get("/v1/files/x")
            .header("x-test-answer", EchoInstruction::status(status).header())
            .send()
            .await;
        answer.is(status).went_to(&["echo-openai-two"]);
        assert_eq!(answer.body, b"{}");
    }
    let stream = EchoInstruction::events(&["data: {\"error\":{\"code\":429}}\n\n", "data: x"]);
    let answer = case
        .get("/v1/files/x")
        .header("x-test-answer", stream.header())
        .send()
        .await;
    answer.is(200).went_to(&["echo-openai-two"]);
    assert_eq!(answer.body, stream.pieces.concat().into_bytes());
    let answer = case.get("/v1/dead").send().await;
    is_error(&answer, Schema::OpenAi, 503, "upstream_unreachable");
}

/// Each case has its own code, in the caller's format.
async fn what_no_route_takes(case: Case) {
    for (method, path, schema, code) in [
        (
            "GET",
            "/v1/responses/resp-1",
            Schema::OpenAi,
            "stored_state_not_routed",
        ),
        (
            "DELETE",
            "/v1/responses/resp-1",
            Schema::OpenAi,
            "stored_state_not_routed",
        ),
        (
            "POST",
            "/v1/conversations",
            Schema::OpenAi,
            "stored_state_not_routed",
        ),
        (
            "GET",
            "/openai/v1/batches",
            Schema::AzureOpenAi,
            "stored_state_not_routed",
        ),
        (
            "GET",
            "/v1beta/cachedContents/x",
            Schema::Gemini,
            "stored_state_not_routed",
        ),
        (
            "GET",
            "/async-invoke/x",
            Schema::Bedrock,
            "stored_state_not_routed",
        ),
        ("POST", "/v1beta/corpora2", Schema::Gemini, "path_not_found"),
        (
            "POST",
            "/model/x/unknown",
            Schema::Bedrock,
            "path_not_found",
        ),
        ("GET", "/v1/unknown", Schema::OpenAi, "path_not_found"),
    ] {
        let answer = case.request(method, path).send().await;
        is_error(&answer, schema, 404, code);
        answer.went_nowhere();
    }
    let answer = case
        .get("/v1/messages/batches/x")
        .header("anthropic-version", "2023-06-01")
        .send()
        .await;
    is_error(&answer, Schema::Anthropic, 404, "stored_state_not_routed");
}

/// A route that passes everything below a path does not take model calls there.
async fn calls_do_not_pass(case: Case) {
    let answer = case.chat("nobody").send().await;
    is_error(&answer, Schema::OpenAi, 404, "model_not_found");
    case.chat("one").send().await.only_at("echo-openai");
    // Nor does it take paths in which a lenient server may see a model call or another path.
    for (method, path) in [
        ("POST", "/v1/files/..%2fchat/completions"),
        ("POST", "/v1/files/..%2F..%2Fv1%2Fchat%2Fcompletions"),
        ("DELETE", "/v1/files/..%2Fassistants/asst-1"),
        ("GET", "/v1/files/..%5Cx"),
    ] {
        let answer = case.request(method, path).send().await;
        is_error(&answer, Schema::OpenAi, 404, "path_not_found");
        answer.went_nowhere();
    }
    // The backend's answer would contain its key.
    let answer = case.request("TRACE", "/v1/files/x").send().await;
    is_error(&answer, Schema::OpenAi, 405, "method_not_allowed");
    answer.went_nowhere();
}
