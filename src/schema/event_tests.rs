//! Tests of single events of responses, images, speech, transcriptions and Gemini.

use super::super::{Api, ErrorCode, Schema, StreamReader, error_event};
use crate::attempt::Failure;

/// Content, finished, error.
fn read(api: Api, data: &str) -> (bool, bool, Option<Failure>) {
    let mut reader = StreamReader::new(api);
    reader.push(format!("data: {data}\n\n").as_bytes());
    assert_eq!(reader.malformed(), 0, "{data}");
    (reader.has_content(), reader.is_finished(), reader.error())
}

const NOTHING: (bool, bool, Option<Failure>) = (false, false, None);
const CONTENT: (bool, bool, Option<Failure>) = (true, false, None);
const END: (bool, bool, Option<Failure>) = (false, true, None);

fn error(failure: Failure) -> (bool, bool, Option<Failure>) {
    (false, false, Some(failure))
}

#[test]
fn of_types() {
    for (data, expected) in [
        (
            r#"{"type":"response.created","response":{"status":"in_progress","error":null,"output":[]}}"#,
            NOTHING,
        ),
        (
            r#"{"type":"response.output_item.added","item":{"type":"message","content":[]}}"#,
            NOTHING,
        ),
        (
            r#"{"type":"response.output_text.delta","delta":""}"#,
            NOTHING,
        ),
        (
            r#"{"type":"response.output_text.delta","delta":"hi"}"#,
            CONTENT,
        ),
        (
            r#"{"type":"response.function_call_arguments.delta","delta":"{"}"#,
            CONTENT,
        ),
        (
            r#"{"type":"response.reasoning_summary_text.delta","delta":"hm"}"#,
            CONTENT,
        ),
        (
            r#"{"type":"response.image_generation_call.partial_image","partial_image_b64":"AA=="}"#,
            CONTENT,
        ),
        (
            r#"{"type":"response.output_text.done","text":"hi"}"#,
            NOTHING,
        ),
        (
            r#"{"type":"response.completed","response":{"error":null}}"#,
            END,
        ),
        (r#"{"type":"response.incomplete","response":{}}"#, END),
        (
            r#"{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"x"}}}"#,
            error(Failure::RateLimited),
        ),
        (
            r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"x"}}}"#,
            error(Failure::ServerError),
        ),
        (
            r#"{"type":"error","code":"rate_limit_exceeded","message":"x","param":null}"#,
            error(Failure::RateLimited),
        ),
        (
            r#"{"type":"image_generation.partial_image","b64_json":"AA=="}"#,
            CONTENT,
        ),
        (
            r#"{"type":"image_generation.completed","b64_json":"AA=="}"#,
            (true, true, None),
        ),
        (
            r#"{"type":"image_edit.completed","b64_json":"AA=="}"#,
            (true, true, None),
        ),
        (r#"{"type":"speech.audio.delta","audio":"AA=="}"#, CONTENT),
        (r#"{"type":"speech.audio.done","usage":{}}"#, END),
        (r#"{"type":"transcript.text.delta","delta":"hi"}"#, CONTENT),
        (
            r#"{"type":"transcript.text.segment","text":"hi","speaker":"A"}"#,
            CONTENT,
        ),
        (r#"{"type":"transcript.text.done","text":"hi"}"#, END),
        (r#"{"error":{"code":503}}"#, error(Failure::Unavailable)),
        // `[DONE]` without anything before it is not an answer.
        ("[DONE]", NOTHING),
    ] {
        assert_eq!(read(Api::Responses, data), expected, "{data}");
    }
}

#[test]
fn of_gemini() {
    for (data, expected) in [
        (r#"{"usageMetadata":{"promptTokenCount":1}}"#, NOTHING),
        (
            r#"{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"index":0}]}"#,
            NOTHING,
        ),
        (
            r#"{"candidates":[{"content":{"parts":[{"thought":true}]}}]}"#,
            NOTHING,
        ),
        (
            r#"{"candidates":[{"content":{"parts":[{"text":"hi"}],"role":"model"}}]}"#,
            CONTENT,
        ),
        (
            r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}}}]}}]}"#,
            CONTENT,
        ),
        (
            r#"{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP","index":0}]}"#,
            (true, true, None),
        ),
        (r#"{"candidates":[{"finishReason":"SAFETY"}]}"#, END),
        (
            r#"{"candidates":[{"finishReason":"STOP","index":0},{"index":1}]}"#,
            NOTHING,
        ),
        (r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#, END),
        (r#"{"promptFeedback":{"safetyRatings":[{}]}}"#, NOTHING),
        (
            r#"{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}"#,
            error(Failure::RateLimited),
        ),
    ] {
        assert_eq!(read(Api::StreamGenerateContent, data), expected, "{data}");
    }
}

/// Whatever the caller's API is, its readers recognise the router's own error events as errors.
#[test]
fn an_error_of_ours_is_one() {
    // Bedrock's streams have no such events.
    let apis = Api::ALL.iter().copied();
    for api in apis.filter(|api| api.schema() != Schema::Bedrock) {
        let code = ErrorCode::UpstreamIncomplete;
        let mut reader = StreamReader::new(api);
        reader.push(&error_event(code, api, code.default_message()));
        assert!(reader.error().is_some(), "{}", api.name());
        assert_eq!(reader.malformed(), 0);
    }
    let event = error_event(ErrorCode::ProxyError, Api::Responses, "No.");
    assert_eq!(
        String::from_utf8(event).unwrap(),
        "event: error\ndata: {\"code\":\"proxy_error\",\"error\":{\"code\":\"proxy_error\",\"message\":\"No.\",\"param\":null,\
         \"type\":\"server_error\"},\"message\":\"No.\",\"param\":null,\"type\":\"error\"}\n\n"
    );
    let event = error_event(ErrorCode::ProxyError, Api::StreamGenerateContent, "No.");
    let text = String::from_utf8(event).unwrap();
    assert!(text.starts_with(r#"data: {"error":{"code":500,"#), "{text}");
}
