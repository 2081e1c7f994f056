//! Tests of errors as providers word them.

use proptest::prelude::*;

use super::*;

use Failure::{
    ContentPolicy, ContextLength, RateLimited, Rejected, ServerError, Unauthorized, Unavailable,
};

#[test]
fn by_status() {
    for (status, expected) in [
        (429, RateLimited),
        (401, Unauthorized),
        (403, Unauthorized),
        (503, Unavailable),
        (504, Unavailable),
        (529, Unavailable),
        (500, ServerError),
        (502, ServerError),
        (599, ServerError),
        (400, Rejected),
        (402, Rejected),
        (404, Rejected),
        (413, Rejected),
        (422, Rejected),
        (302, ServerError),
    ] {
        for body in ["", "<html>", "{", "[]", r#"{"error":{"message":"No."}}"#] {
            assert_eq!(
                failure_of_answer(status, body.as_bytes()),
                expected,
                "{status} {body}"
            );
        }
    }
}

const CONTEXT: [&str; 20] = [
    r#"{"error":{"message":"Your input exceeds the context window of this model. Please adjust your input and try again.","type":"invalid_request_error","param":"input","code":"context_length_exceeded"}}"#,
    r#"{"error":{"message":"This model's maximum context length is 4097 tokens. However, your messages resulted in 4294 tokens.","type":"invalid_request_error","param":"messages","code":null}}"#,
    r#"{"error":{"message":"This model\u0027s maximum context length is 4097 tokens."}}"#,
    r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 209353 tokens > 199999 maximum"},"request_id":"req_1"}"#,
    r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, decrease input length or `max_tokens` and try again"}}"#,
    r#"[{"error":{"code":400,"message":"The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).","errors":[{"message":"x","domain":"global","reason":"badRequest"}],"status":"INVALID_ARGUMENT"}}]"#,
    r#"{"error":{"code":400,"message":"The input token count exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
    r#"{"message":"Input is too long for requested model."}"#,
    r#"{"message":"The model returned the following errors: too many total text bytes: 10 > 9"}"#,
    r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 4431 tokens (3431 in the messages, 1000 in the completion).","type":"BadRequestError","param":null,"code":400}"#,
    r#"{"error":{"message":"The decoder prompt (length 2136) is longer than the maximum model length of 2048.","type":"BadRequestError","param":null,"code":400}}"#,
    r#"{"object":"error","message":"The input (61709 tokens) is longer than the model's context length (40960 tokens).","type":"BadRequestError","param":null,"code":400}"#,
    r#"{"error":{"code":400,"message":"request (9 tokens) does not fit","type":"exceed_context_size_error","n_prompt_tokens":14429,"n_ctx":8192}}"#,
    r#"{"object":"error","message":"Prompt contains 32900 tokens and 0 draft tokens, too large for model with 32768 maximum context length","type":"invalid_request_error","param":null,"code":"3051"}"#,
    r#"{"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 2019 `inputs` tokens and 30 `max_new_tokens`","error_type":"validation"}"#,
    r#"{"error":"Input validation error: `inputs` must have less than 4096 tokens. Given: 4545"}"#,
    r#"{"code":"invalid","error":"This model's maximum prompt length is 131072 but the request contains 136973 tokens."}"#,
    r#"{"error":{"message":"Provider returned error","code":413,"metadata":{"raw":"{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Prompt is too long\"}}","provider_name":"Google"}}}"#,
    r#"{"message":"too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000."}"#,
    // Cut off.
    r#"{"error":{"message":"This model's MAXIMUM CONTEXT LENGTH is 40"#,
];

const POLICY: [&str; 8] = [
    r#"{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter","status":400}}"#,
    r#"{"error":{"message":"x","code":null,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"hate":{"filtered":true}}}}}"#,
    r#"{"type":"error","error":{"details":null,"type":"invalid_request_error","message":"Output blocked by content filtering policy"},"request_id":null}"#,
    r#"{"error":{"message":"Invalid prompt: your prompt was flagged as potentially violating our usage policy.","type":"invalid_request_error","param":null,"code":"invalid_prompt"}}"#,
    r#"{"error":{"code":"content_policy_violation","message":"Your request was rejected as a result of our safety system."}}"#,
    r#"{"error":{"code":"moderation_blocked","message":"x","type":"image_generation_user_error"}}"#,
    r#"{"error":{"message":"Content Exists Risk","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#,
    r#"{"error":{"code":403,"message":"x","metadata":{"reasons":["violence"],"flagged_input":"x","provider_name":"OpenAI"}}}"#,
];

#[test]
fn context_length_and_content_policy() {
    for (bodies, expected) in [(&CONTEXT[..], ContextLength), (&POLICY[..], ContentPolicy)] {
        for body in bodies {
            for status in [400, 403, 413, 422] {
                assert_eq!(
                    failure_of_answer(status, body.as_bytes()),
                    expected,
                    "{body}"
                );
            }
            for (status, expected) in [(429, RateLimited), (500, ServerError)] {
                assert_eq!(
                    failure_of_answer(status, body.as_bytes()),
                    expected,
                    "{body}"
                );
            }
        }
    }
}

#[test]
fn what_only_looks_like_them() {
    for body in [
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: 10000 > 4096, which is the maximum allowed number of output tokens"}}"#,
        r#"{"message":"The maximum tokens you requested exceeds the model limit of 32768"}"#,
        r#"{"message":"Too many tokens, please wait before trying again."}"#,
        // An error that echoes what was sent.
        r#"{"error":{"message":"x","input":"prompt is too long","param":"content_filter"}}"#,
        r#"{"detail":[{"msg":"x","input":"maximum context length"}]}"#,
        "maximum context length",
    ] {
        assert_eq!(failure_of_answer(400, body.as_bytes()), Rejected, "{body}");
    }
}

#[test]
fn error_objects() {
    for (body, expected) in [
        (
            r#"{"error":{"type":"tokens","code":"rate_limit_exceeded","message":"Request too large"}}"#,
            RateLimited,
        ),
        (
            r#"{"error":{"type":"insufficient_quota","code":"insufficient_quota","message":"x"}}"#,
            RateLimited,
        ),
        (
            r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"x"}}"#,
            RateLimited,
        ),
        (
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"x"}}"#,
            RateLimited,
        ),
        (
            r#"{"__type":"com.amazon.coral.service#ThrottlingException","message":"Too many tokens, please wait before trying again."}"#,
            RateLimited,
        ),
        (
            r#"{"error":{"code":"429","message":"maximum context length"}}"#,
            RateLimited,
        ),
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Unavailable,
        ),
        (
            r#"[{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}]"#,
            Unavailable,
        ),
        (r#"{"error":{"message":"x","code":503}}"#, Unavailable),
        (r#"{"error":{"code":529}}"#, Unavailable),
        (
            r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            Unauthorized,
        ),
        (r#"{"error":{"message":"x","code":401}}"#, Unauthorized),
        (
            r#"{"type":"error","error":{"type":"permission_error","message":"x"}}"#,
            Unauthorized,
        ),
        (
            r#"{"object":"error","message":"x","type":"BadRequestError","param":null,"code":400}"#,
            Rejected,
        ),
        (r#"{"error":{"message":"x","code":404}}"#, Rejected),
        (
            r#"{"type":"error","error":{"type":"not_found_error","message":"x"}}"#,
            Rejected,
        ),
        (
            r#"{"error":{"code":500,"message":"the request exceeds the available context size.","type":"exceed_context_size_error"}}"#,
            ContextLength,
        ),
        (
            r#"{"error":{"code":400,"message":"prompt is too long"}}"#,
            ContextLength,
        ),
        (r#"{"error":{"code":502,"message":"x"}}"#, ServerError),
        (
            r#"{"error":{"message":"Compute error."},"message":"Compute error."}"#,
            ServerError,
        ),
        (r#"{"error":"out of memory"}"#, ServerError),
        (r#"{"error":true,"message":"x"}"#, ServerError),
        (
            r#"{"type":"error","error":{"type":"api_error","message":"x"}}"#,
            ServerError,
        ),
    ] {
        assert_eq!(
            failure_of_error_object(body.as_bytes()),
            Some(expected),
            "{body}"
        );
    }
    for body in [
        "",
        "[]",
        "[1]",
        "{}",
        "1",
        r#""error""#,
        r#"{"error":null}"#,
        r#"{"error":""}"#,
        r#"{"error":{}}"#,
        r#"{"error":false}"#,
        r#"{"object":"chat.completion","message":"maximum context length"}"#,
        r#"{"message":{"error":{"code":500}}}"#,
        r#"{"error":{"code":500}"#,
        r#"{"type":"message","content":[]}"#,
    ] {
        assert_eq!(failure_of_error_object(body.as_bytes()), None, "{body}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, status: u32) {
        let _ = (failure_of_answer(status, &bytes), failure_of_error_object(&bytes));
    }

    #[test]
    fn damaged_errors_never_panic(which in 0..CONTEXT.len(), cut in 0_usize..300, byte: u8) {
        let mut body = CONTEXT[which].as_bytes().to_vec();
        let at = cut.min(body.len() - 1);
        body[at] = byte;
        let _ = (failure_of_answer(400, &body), failure_of_error_object(&body));
        body.truncate(at);
        let _ = failure_of_answer(400, &body);
    }
}
