//! Tests of streams as providers send them.

use super::*;

#[expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
#[path = "stream_cuts_tests.rs"]
mod cuts;

#[expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
#[path = "stream_large_tests.rs"]
mod large;

/// Everything that a reader reports.
fn state(reader: &StreamReader) -> (bool, bool, Option<Failure>, bool, u32) {
    (
        reader.has_content(),
        reader.is_finished(),
        reader.error(),
        reader.is_between_events(),
        reader.malformed(),
    )
}

fn read(api: Api, stream: &str) -> StreamReader {
    let mut reader = StreamReader::new(api);
    reader.push(stream.as_bytes());
    reader
}

/// Events with one line of data each.
fn events(data: &[&str]) -> String {
    data.iter()
        .map(|data| format!("data: {data}\n\n"))
        .collect()
}

/// Content, finished.
const OPENAI: [(&[&str], bool, bool); 32] = [
    (&[], false, false),
    (
        &[
            r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}"#,
        ],
        false,
        false,
    ),
    (
        &[
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]}"#,
        ],
        false,
        false,
    ),
    (
        &[
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[],"audio":{}},"finish_reason":""}]}"#,
        ],
        false,
        false,
    ),
    (
        &[r#"{"choices":[{"index":0,"delta":{},"finish_reason":null}]}"#],
        false,
        false,
    ),
    (
        &[r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#],
        false,
        false,
    ),
    (
        &[r#"{"choices":null,"usage":null,"error":null}"#],
        false,
        false,
    ),
    (
        &[
            r#"{"choices":[{"index":0,"finish_reason":null,"content_filter_offsets":{"check_offset":1},"content_filter_results":{"hate":{"filtered":false}}}]}"#,
        ],
        false,
        false,
    ),
    (
        &[r#"{"choices":[{"index":0,"delta":{"content":" "},"finish_reason":null}]}"#],
        true,
        false,
    ),
    (
        &[r#"{ "choices" : [ { "delta" : { "content" : "\"finish_reason\":\"stop\"" } } ] }"#],
        true,
        false,
    ),
    (
        &[r#"{"choices":[{"index":0,"delta":{"content":"\"error\":{}"},"finish_reason":null}]}"#],
        true,
        false,
    ),
    (
        &[r#"{"choices":[{"index":0,"delta":{"content":[{"type":"thinking"}]}}]}"#],
        true,
        false,
    ),
    (
        &[r#"{"choices":[{"index":0,"delta":{"reasoning":"x"}}]}"#],
        true,
        false,
    ),
    (
        &[r#"{"choices":[{"index":0,"delta":{"reasoning_content":"x"}}]}"#],
        true,
        false,
    ),
    (
        &[
            r#"{"choices":[{"index":0,"delta":{"reasoning":"","reasoning_details":[{"text":"x"}]}}]}"#,
        ],
        true,
        false,
    ),
    (
        &[r#"{"choices":[{"index":0,"delta":{"refusal":"x"}}]}"#],
        true,
        false,
    ),
    (
        &[
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":""}}]}}]}"#,
        ],
        true,
        false,
    ),
    (
        &[r#"{"choices":[{"index":0,"delta":{"function_call":{"name":"f"}}}]}"#],
        true,
        false,
    ),
    (
        &[r#"{"choices":[{"index":0,"delta":{"audio":{"id":"x"}}}]}"#],
        true,
        false,
    ),
    (
        &[r#"{"object":"text_completion","choices":[{"text":"","index":0,"finish_reason":null}]}"#],
        false,
        false,
    ),
    (
        &[
            r#"{"object":"text_completion","choices":[{"text":"x","index":0,"finish_reason":null}]}"#,
        ],
        true,
        false,
    ),
    (
        &[r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#],
        false,
        true,
    ),
    (&["[DONE]"], false, false),
    (&[r#"{"choices":[]}"#, "[DONE]"], false, false),
    (
        &[
            r#"{"choices":[{"delta":{"role":"assistant"}}]}"#,
            " [DONE] ",
        ],
        false,
        true,
    ),
    (
        &[
            r#"{"choices":[{"index":0,"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":1,"delta":{}}]}"#,
        ],
        false,
        false,
    ),
    (
        &[
            r#"{"choices":[{"index":1,"delta":{}},{"index":0,"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"finish_reason":"length","index":1}]}"#,
        ],
        false,
        true,
    ),
    (
        &[r#"{"choices":[{"index":126,"finish_reason":"stop"}]}"#],
        false,
        true,
    ),
    (
        &[
            r#"{"choices":[{"index":127,"finish_reason":"stop"},{"index":0,"finish_reason":"stop"}]}"#,
        ],
        false,
        false,
    ),
    (
        &[
            r#"{"choices":[{"index":4294967296,"finish_reason":"stop"}]}"#,
            "[DONE]",
        ],
        false,
        true,
    ),
    (&["1", "[]", "null", "\"x\"", "[1,{}]"], false, false),
    (
        &[r#"{"choices":[{"index":null,"delta":null,"finish_reason":"stop"}]}"#],
        false,
        true,
    ),
];

#[test]
fn openai() {
    for (data, content, finished) in OPENAI {
        let reader = read(Api::ChatCompletions, &events(data));
        assert_eq!(
            state(&reader),
            (content, finished, None, true, 0),
            "{data:?}"
        );
    }
}

/// Content, finished.
const ANTHROPIC: [(&str, bool, bool); 19] = [
    (
        r#"{"type":"message_start","message":{"id":"msg_1","type":"message","content":[],"stop_reason":null,"usage":{}}}"#,
        false,
        false,
    ),
    (r#"{"type":"ping"}"#, false, false),
    (
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        false,
        false,
    ),
    (
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        false,
        false,
    ),
    (
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"x"}}"#,
        true,
        false,
    ),
    (
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"x","name":"f","input":{}}}"#,
        true,
        false,
    ),
    (
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"x","name":"web_search","input":{}}}"#,
        true,
        false,
    ),
    (
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"mcp_tool_use","id":"x"}}"#,
        true,
        false,
    ),
    (
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"x"}}"#,
        true,
        false,
    ),
    (
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}"#,
        false,
        false,
    ),
    (
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}"#,
        true,
        false,
    ),
    (
        r#"{"delta":{"thinking":"x","type":"thinking_delta"},"index":0,"type":"content_block_delta"}"#,
        true,
        false,
    ),
    (
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":""}}"#,
        false,
        false,
    ),
    (
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}}"#,
        true,
        false,
    ),
    (
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"cited_text":"x"}}}"#,
        true,
        false,
    ),
    (
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"x"}}"#,
        true,
        false,
    ),
    (
        r#"{"type":"message_delta","delta":{"stop_reason":null},"usage":{"output_tokens":1}}"#,
        false,
        false,
    ),
    (
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":1}}"#,
        false,
        true,
    ),
    (r#"{"type":"message_stop"}"#, false, true),
];

#[test]
fn anthropic() {
    for (data, content, finished) in ANTHROPIC {
        let reader = read(Api::Messages, &format!("event: x\ndata: {data}\n\n"));
        assert_eq!(state(&reader), (content, finished, None, true, 0), "{data}");
    }
}

#[test]
fn errors() {
    for (api, stream, expected) in [
        (
            Api::ChatCompletions,
            "data: {\"error\":{\"message\":\"x\",\"code\":502},\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}\n\n",
            Failure::ServerError,
        ),
        (
            Api::ChatCompletions,
            "data: {\"error\":{\"message\":\"x\",\"type\":\"server_error\",\"code\":\"rate_limit_exceeded\"}}\n\n",
            Failure::RateLimited,
        ),
        (
            Api::ChatCompletions,
            "data: {\"object\":\"error\",\"message\":\"This model's maximum context length is 1\",\"code\":400}\n\n",
            Failure::ContextLength,
        ),
        (
            Api::ChatCompletions,
            "event: error\ndata: {\"code\":400,\"details\":\"x\"}\n\n",
            Failure::ServerError,
        ),
        (
            Api::ChatCompletions,
            "data: [{\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\"}}]\n\n",
            Failure::Unavailable,
        ),
        (
            Api::ChatCompletions,
            "data: {\"error\":\ndata: {\"code\":429}}\n\ndata: {\"error\":{\"code\":503}}\n\n",
            Failure::RateLimited,
        ),
        (
            Api::Messages,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
            Failure::Unavailable,
        ),
        (
            Api::Messages,
            "data: {\"type\":\"error\",\"error\":{\"type\":\"api_error\"}}\n\n",
            Failure::ServerError,
        ),
    ] {
        let reader = read(api, stream);
        assert_eq!(reader.error(), Some(expected), "{stream}");
        assert_eq!(reader.malformed(), 0);
    }
    // The data are not even JSON.
    let reader = read(Api::Messages, "event: error\ndata: Bad Gateway\n\n");
    assert_eq!(
        (reader.error(), reader.malformed()),
        (Some(Failure::ServerError), 1)
    );
}

fn error_of(api: Api) -> String {
    String::from_utf8(error_event(ErrorCode::ProxyError, api, "It\nbroke.")).unwrap()
}

#[test]
fn an_error_as_an_event() {
    assert_eq!(
        error_of(Api::ChatCompletions),
        "data: {\"error\":{\"code\":\"proxy_error\",\"message\":\"It\\nbroke.\",\"param\":null,\"type\":\"server_error\"}}\n\n"
    );
    assert_eq!(
        error_of(Api::Messages),
        "event: error\ndata: {\"error\":{\"details\":{\"error_code\":\"proxy_error\"},\"message\":\"It\\nbroke.\",\"type\":\"api_error\"},\"type\":\"error\"}\n\n"
    );
}
