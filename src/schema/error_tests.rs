//! Tests of errors in every format, and of the codes for Envoy's own answers.

use super::*;

#[test]
fn every_format() {
    let answer = ErrorCode::ModelNotFound.answer(Schema::OpenAi, "No \"x\".");
    assert_eq!(answer.status, 404);
    assert_eq!(
        String::from_utf8(answer.body).unwrap(),
        r#"{"error":{"code":"model_not_found","message":"No \"x\".","param":"model","type":"invalid_request_error"}}"#
    );
    let answer = ErrorCode::UpstreamTimeout.answer(Schema::Anthropic, "Late.");
    assert_eq!(answer.status, 504);
    assert_eq!(
        String::from_utf8(answer.body).unwrap(),
        r#"{"error":{"details":{"error_code":"upstream_timeout"},"message":"Late.","type":"timeout_error"},"type":"error"}"#
    );
    let answer = ErrorCode::ModelNotFound.answer(Schema::Gemini, "No.");
    assert_eq!(answer.headers, []);
    assert_eq!(
        String::from_utf8(answer.body).unwrap(),
        r#"{"error":{"code":404,"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"llm-router","reason":"MODEL_NOT_FOUND"}],"message":"No.","status":"NOT_FOUND"}}"#
    );
    let answer = ErrorCode::InvalidJson.answer(Schema::Bedrock, "No.");
    let kind = ("x-amzn-errortype", "ValidationException".to_owned());
    assert_eq!(answer.headers, [kind]);
    assert_eq!(
        String::from_utf8(answer.body).unwrap(),
        r#"{"code":"invalid_json","message":"No."}"#
    );
    let answer = ErrorCode::InvalidJson.answer(Schema::AzureOpenAi, "No.");
    assert_eq!(answer, ErrorCode::InvalidJson.answer(Schema::OpenAi, "No."));
}

#[test]
fn what_envoy_says() {
    for (status, details, code) in [
        (503, "no_healthy_upstream", ErrorCode::NoHealthyUpstream),
        (503, "cluster_not_found", ErrorCode::ClusterNotFound),
        (413, "request_payload_too_large", ErrorCode::RequestTooLarge),
        (
            503,
            "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}",
            ErrorCode::UpstreamUnreachable,
        ),
        (
            503,
            "upstream_reset_before_response_started{connection_timeout}",
            ErrorCode::UpstreamUnreachable,
        ),
        (
            503,
            "upstream_reset_before_response_started{connection_termination}",
            ErrorCode::UpstreamReset,
        ),
        (
            503,
            "upstream_reset_before_response_started{overflow}",
            ErrorCode::UpstreamOverflow,
        ),
        (504, "response_timeout", ErrorCode::UpstreamTimeout),
        (504, "upstream_per_try_timeout", ErrorCode::UpstreamTimeout),
        (408, "request_overall_timeout", ErrorCode::RequestTimeout),
        (
            401,
            "failed_to_inject_credential",
            ErrorCode::BackendKeyMissing,
        ),
        (500, "ext_proc_error", ErrorCode::ProxyError),
    ] {
        assert_eq!(
            ErrorCode::from_envoy(status, details),
            Some(code),
            "{details}"
        );
    }
}

#[test]
fn what_others_answer_is_left_alone() {
    for (status, details) in [
        (503, "via_upstream"),
        (500, ""),
        (429, "local_rate_limited"),
        (403, "ext_authz_denied"),
        (401, "jwt_authn_access_denied{Jwt_is_missing}"),
    ] {
        assert_eq!(ErrorCode::from_envoy(status, details), None, "{details}");
    }
}

/// docs/errors.md has every code with its status, and none that does not exist.
#[test]
fn the_table_in_the_docs_is_the_code() {
    let docs = include_str!("../../docs/errors.md");
    let rows: Vec<(&str, &str)> = docs
        .lines()
        .filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            Some((
                cells.next()?,
                cells.next()?.strip_prefix('`')?.strip_suffix('`')?,
            ))
        })
        .collect();
    let names: Vec<&str> = rows.iter().map(|(_, name)| *name).collect();
    let known: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(names, known);
    for (code, (status, _)) in ErrorCode::ALL.iter().zip(rows) {
        assert_eq!(code.status().to_string(), status, "{}", code.name());
    }
}
