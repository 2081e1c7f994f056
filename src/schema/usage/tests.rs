//! Tests of answers of each API as in their references, cut at every position.

use proptest::prelude::*;

use super::*;
use crate::schema::{Api, StreamReader};

/// Input, cached input, written to the cache, output, reasoning.
type Expected = [Option<u64>; 5];

fn counts(usage: Usage) -> Expected {
    [
        usage.input,
        usage.cached_input,
        usage.cache_write,
        usage.output,
        usage.reasoning,
    ]
}

const fn told<const N: usize>(counts: [u64; N]) -> Expected {
    let mut all = [None; 5];
    let places: &[usize] = match N {
        1 => &[0],
        2 => &[0, 3],
        _ => &[0, 1, 2, 3, 4],
    };
    let mut at = 0;
    while at < N {
        all[places[at]] = Some(counts[at]);
        at += 1;
    }
    all
}

/// Whole answers: body, counts, model.
fn whole() -> Vec<(&'static str, Expected, Option<&'static str>)> {
    vec![
        (
            r#"{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-5.5-2026-01-01","choices":[{"index":0,"message":{"role":"assistant","content":"{\"usage\":{\"prompt_tokens\":1}} \"model\":\"x\"","model":"y","usage":{"prompt_tokens":3}},"finish_reason":"stop"}],"usage":{"prompt_tokens":1117,"completion_tokens":46,"total_tokens":1163,"prompt_tokens_details":{"cached_tokens":1024,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":30,"accepted_prediction_tokens":0}}}"#,
            [Some(1117), Some(1024), None, Some(46), Some(30)],
            Some("gpt-5.5-2026-01-01"),
        ),
        (
            r#"{"usage" : { "prompt_tokens" : 5 , "completion_tokens" : null, "prompt_cache_hit_tokens": 2, "prompt_cache_miss_tokens": 3 } , "model" : "deep\u0073eek" }"#,
            [Some(5), Some(2), None, None, None],
            Some("deepseek"),
        ),
        (
            r#"{"id":"resp_1","object":"response","model":"gpt-5.5","output":[{"type":"message","content":[{"type":"output_text","text":"hi"}]}],"usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":4},"output_tokens":87,"output_tokens_details":{"reasoning_tokens":9},"total_tokens":123}}"#,
            [Some(36), Some(4), None, Some(87), Some(9)],
            Some("gpt-5.5"),
        ),
        (
            r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-2e-3]}],"model":"text-embedding-4","usage":{"prompt_tokens":8,"total_tokens":8}}"#,
            told([8]),
            Some("text-embedding-4"),
        ),
        (
            r#"{"created":1,"data":[{"b64_json":"AAAA"}],"usage":{"total_tokens":100,"input_tokens":50,"output_tokens":50,"input_tokens_details":{"text_tokens":10,"image_tokens":40}}}"#,
            told([50, 50]),
            None,
        ),
        (
            r#"{"text":"Hello","usage":{"type":"duration","seconds":27}}"#,
            told([]),
            None,
        ),
        (
            r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-5-5","content":[{"type":"tool_use","input":{"usage":{"input_tokens":7}}}],"stop_reason":"end_turn","usage":{"input_tokens":10,"cache_creation_input_tokens":20,"cache_read_input_tokens":300,"cache_creation":{"ephemeral_5m_input_tokens":20},"output_tokens":4}}"#,
            [Some(330), Some(300), Some(20), Some(4), None],
            Some("claude-sonnet-5-5"),
        ),
        (
            r#"{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":12,"cachedContentTokenCount":2,"candidatesTokenCount":3,"toolUsePromptTokenCount":5,"thoughtsTokenCount":40,"totalTokenCount":60},"modelVersion":"gemini-3-flash"}"#,
            [Some(17), Some(2), None, Some(43), Some(40)],
            Some("gemini-3-flash"),
        ),
        (
            r#"{"candidates":[{"finishReason":"MAX_TOKENS"}],"usageMetadata":{"promptTokenCount":12,"thoughtsTokenCount":40}}"#,
            [Some(12), None, None, Some(40), Some(40)],
            None,
        ),
        // A Gemini stream without `alt=sse`.
        (
            r#"[{"candidates":[{"content":{"parts":[{"text":"h"}]}}],"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":1},"modelVersion":"gemini-3-flash"},
{"candidates":[{"content":{"parts":[{"text":"i"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":3},"modelVersion":"gemini-3-flash"}]"#,
            told([12, 3]),
            Some("gemini-3-flash"),
        ),
        (
            r#"{"metrics":{"latencyMs":5},"output":{"message":{"content":[{"text":"hi"}],"role":"assistant"}},"stopReason":"end_turn","usage":{"cacheReadInputTokens":100,"cacheWriteInputTokens":10,"inputTokens":30,"outputTokens":628,"totalTokens":768}}"#,
            [Some(140), Some(100), Some(10), Some(628), None],
            None,
        ),
        (r#"{"usage":[1],"model":5}"#, told([]), None),
        (
            r#"{"usage":null,"error":{"usage":{"prompt_tokens":1}}}"#,
            told([]),
            None,
        ),
        (
            r#"{"usage":{"prompt_tokens":-1,"completion_tokens":1.5}}"#,
            told([]),
            None,
        ),
        (
            r#"{"usage":{"prompt_tokens":99999999999999999999}}"#,
            told([]),
            None,
        ),
        ("", told([]), None),
    ]
}

#[test]
fn whole_answers_cut_everywhere() {
    for (body, expected, model) in whole() {
        for cut in 0..=body.len() {
            let mut reader = UsageReader::new(b"application/json; charset=utf-8").unwrap();
            let (before, after) = body.as_bytes().split_at(cut);
            reader.push(before);
            reader.push(after);
            assert_eq!(counts(reader.usage()), expected, "{body} {cut}");
            assert_eq!(reader.model(), model, "{body} {cut}");
        }
        let mut reader = UsageReader::new(b"application/json").unwrap();
        for byte in body.as_bytes() {
            reader.push(&[*byte]);
        }
        assert_eq!(counts(reader.usage()), expected, "{body}");
    }
}

/// Streams: API, text, counts, model.
fn streams() -> Vec<(Api, &'static str, Expected, Option<&'static str>)> {
    vec![
        (
            Api::ChatCompletions,
            "data: {\"id\":\"1\",\"model\":\"gpt-5.5\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\\"usage\\\":\"}}],\"usage\":null}\n\ndata: {\"model\":\"gpt-5.5\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":12,\"completion_tokens_details\":{\"reasoning_tokens\":5}}}\n\ndata: [DONE]\n\n",
            [Some(9), None, None, Some(12), Some(5)],
            Some("gpt-5.5"),
        ),
        // Each event has the counts so far.
        (
            Api::ChatCompletions,
            "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}\r\n\r\n: comment\r\n\r\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\r\n\r\n",
            told([9, 2]),
            None,
        ),
        (
            Api::Responses,
            "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"model\":\"gpt-5.5\",\"usage\":null}}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"output\":[{\"usage\":{\"input_tokens\":1}}],\"model\":\"gpt-5.5\",\"usage\":{\"input_tokens\":37,\"input_tokens_details\":{\"cached_tokens\":3},\"output_tokens\":11,\"output_tokens_details\":{\"reasoning_tokens\":0}}}}\n\n",
            [Some(37), Some(3), None, Some(11), Some(0)],
            Some("gpt-5.5"),
        ),
        (
            Api::Transcriptions,
            "data: {\"type\":\"transcript.text.delta\",\"delta\":\"hi\"}\n\ndata: {\"type\":\"transcript.text.done\",\"text\":\"hi\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":14,\"output_tokens\":3}}\n\n",
            told([14, 3]),
            None,
        ),
        (
            Api::Messages,
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude-sonnet-5-5\",\"content\":[],\"usage\":{\"input_tokens\":25,\"cache_read_input_tokens\":100,\"cache_creation_input_tokens\":0,\"output_tokens\":1}}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":15}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            [Some(125), Some(100), Some(0), Some(15), None],
            Some("claude-sonnet-5-5"),
        ),
        (
            Api::StreamGenerateContent,
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"h\"}]}}],\"usageMetadata\":{\"promptTokenCount\":8,\"totalTokenCount\":8},\"modelVersion\":\"gemini-3-pro\"}\r\n\r\ndata: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"i\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":8,\"candidatesTokenCount\":2,\"thoughtsTokenCount\":7},\"modelVersion\":\"gemini-3-pro\"}\r\n\r\n",
            [Some(8), None, None, Some(9), Some(7)],
            Some("gemini-3-pro"),
        ),
    ]
}

#[test]
fn streams_cut_everywhere() {
    for (api, text, expected, model) in streams() {
        for cut in 0..=text.len() {
            let mut reader = StreamReader::new(api);
            let (before, after) = text.as_bytes().split_at(cut);
            reader.push(before);
            reader.push(after);
            reader.end();
            assert_eq!(counts(reader.usage()), expected, "{text} {cut}");
            assert_eq!(reader.model(), model, "{text} {cut}");
        }
    }
}

#[test]
fn events_that_are_too_large_to_be_held() {
    let padding = "x".repeat(200_000);
    let text = format!(
        "event: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":{{\"output\":[{{\"text\":\"{padding}\"}}],\
         \"usage\":{{\"input_tokens\":37,\"output_tokens\":11}},\"model\":\"gpt-5.5\"}}}}\n\n"
    );
    for size in [1, 7, 4_096, 70_000, text.len()] {
        let mut reader = StreamReader::new(Api::Responses);
        for chunk in text.as_bytes().chunks(size) {
            reader.push(chunk);
        }
        reader.end();
        assert_eq!(counts(reader.usage()), told([37, 11]), "{size}");
        assert_eq!(reader.model(), Some("gpt-5.5"), "{size}");
    }
}

/// A frame, with headers and checksums that are not read.
fn frame(payload: &[u8]) -> Vec<u8> {
    let headers = b"\x0b:event-type\x07\x00\x05chunk";
    let total = u32::try_from(16 + headers.len() + payload.len()).unwrap();
    let mut frame = total.to_be_bytes().to_vec();
    frame.extend(u32::try_from(headers.len()).unwrap().to_be_bytes());
    frame.extend([1, 2, 3, 4]);
    frame.extend_from_slice(headers);
    frame.extend_from_slice(payload);
    frame.extend([5, 6, 7, 8]);
    frame
}

#[test]
fn aws_event_streams_cut_everywhere() {
    let converse = [
        frame(br#"{"role":"assistant"}"#),
        frame(br#"{"contentBlockIndex":0,"delta":{"text":"hi"}}"#),
        frame(b""),
        frame(br#"{"stopReason":"end_turn"}"#),
        frame(br#"{"metrics":{"latencyMs":1},"usage":{"inputTokens":5,"outputTokens":7,"cacheReadInputTokens":2,"totalTokens":14}}"#),
    ]
    .concat();
    // {"type":"message_start","message":{"model":"claude","usage":{"input_tokens":3,"output_tokens":1}}} and
    // {"type":"message_delta","usage":{"output_tokens":9}}
    let invoke = [
        frame(br#"{"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdGFydCIsIm1lc3NhZ2UiOnsibW9kZWwiOiJjbGF1ZGUiLCJ1c2FnZSI6eyJpbnB1dF90b2tlbnMiOjMsIm91dHB1dF90b2tlbnMiOjF9fX0=","p":"abc"}"#),
        frame(br#"{"bytes":"eyJ0eXBlIjoibWVzc2FnZV9kZWx0YSIsInVzYWdlIjp7Im91dHB1dF90b2tlbnMiOjl9fQ=="}"#),
    ]
    .concat();
    for (bytes, expected, model) in [
        (converse, [Some(7), Some(2), None, Some(7), None], None),
        (invoke, told([3, 9]), Some("claude")),
    ] {
        for cut in 0..=bytes.len() {
            let mut reader = UsageReader::new(b"application/vnd.amazon.eventstream").unwrap();
            let (before, after) = bytes.split_at(cut);
            reader.push(before);
            reader.push(after);
            assert_eq!(counts(reader.usage()), expected, "{cut}");
            assert_eq!(reader.model(), model, "{cut}");
        }
    }
}

#[test]
fn headers_of_bedrock() {
    let mut reader = UsageReader::new(b"application/json").unwrap();
    reader.read_headers(&|name| match name {
        "x-amzn-bedrock-input-token-count" => Some(b"31".to_vec()),
        "x-amzn-bedrock-output-token-count" => Some(b" 7 ".to_vec()),
        _ => None,
    });
    reader.push(br#"{"generation":"hi","prompt_token_count":31}"#);
    assert_eq!(counts(reader.usage()), told([31, 7]));
}

#[test]
fn other_answers_say_nothing() {
    for kind in ["audio/mpeg", "text/html", "text/event-stream"] {
        assert!(UsageReader::new(kind.as_bytes()).is_none(), "{kind}");
    }
}

/// An answer without a content type is JSON if it begins as JSON.
#[test]
fn answers_that_do_not_say_what_they_are() {
    let body = r#" {"model":"m","usage":{"prompt_tokens":5,"completion_tokens":7}}"#;
    for kind in ["", "text/plain", "Text/Plain; charset=utf-8"] {
        for cut in 0..=body.len() {
            let mut reader = UsageReader::new(kind.as_bytes()).unwrap();
            let (before, after) = body.as_bytes().split_at(cut);
            reader.push(before);
            reader.push(after);
            assert_eq!(counts(reader.usage()), told([5, 7]), "{kind} {cut}");
            assert!(reader.is_of_use());
        }
        let mut reader = UsageReader::new(kind.as_bytes()).unwrap();
        reader.push(b"so: ");
        reader.push(body.as_bytes());
        assert_eq!(counts(reader.usage()), told([]), "{kind}");
        assert!(!reader.is_of_use());
    }
}

/// The model is also written to text logs.
#[test]
fn models_that_are_not_told() {
    let long = "m".repeat(300);
    for (written, expected) in [
        ("gpt-5.5", Some("gpt-5.5")),
        (r"org/mod\u00e8le:1", Some("org/modèle:1")),
        ("", None),
        (r"evil\\nLINE model=fake", Some(r"evil\nLINE model=fake")),
        (r"evil\nLINE model=fake", None),
        (r"evil\u001b[31m", None),
        (r"evil\u0085", None),
        (r"a\ud800", None),
        ("../other", None),
        (&long, None),
    ] {
        let body = format!(r#"{{"model":"{written}"}}"#);
        let mut reader = UsageReader::new(b"application/json").unwrap();
        reader.push(body.as_bytes());
        let mut stream = StreamReader::new(Api::ChatCompletions);
        stream.push(format!("data: {body}\n\n").as_bytes());
        assert_eq!(reader.model(), expected, "{written}");
        assert_eq!(stream.model(), expected, "{written}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(chunks: Vec<Vec<u8>>) {
        for kind in ["application/json", "application/vnd.amazon.eventstream"] {
            let mut reader = UsageReader::new(kind.as_bytes()).unwrap();
            for chunk in &chunks {
                reader.push(chunk);
            }
            let _ = (reader.usage(), reader.model());
        }
    }
}

fn read(body: &str, cut: usize) -> UsageReader {
    let mut reader = UsageReader::new(b"application/json").unwrap();
    let (before, after) = body.split_at(cut);
    reader.push(before.as_bytes());
    reader.push(after.as_bytes());
    reader
}

#[test]
fn errors_behind_a_status_that_is_none() {
    for (body, is_error) in [
        (r#"{"error":{"message":"x","code":500}}"#, true),
        (r#"{ "error" : [ { } ] }"#, true),
        (r#"{"error":"no"}"#, true),
        (r#"{"error":true}"#, true),
        (r#"{"id":"x","choices":[],"error":{"code":1}}"#, true),
        (r#"[{"error":{"code":1}}]"#, true),
        (r#"{"type":"error"}"#, true),
        (r#"{"object":"error","message":"x"}"#, true),
        (
            r#"{"error":null,"output":[{"x":1}],"type":"response"}"#,
            false,
        ),
        (r#"{"error":false,"a":"b"}"#, false),
        (r#"{"error": "" ,"a":"b"}"#, false),
        (r#"{"error": { } ,"a":{"b":"c"}}"#, false),
        (r#"{"error":[ ],"a":[1]}"#, false),
        (
            r#"{"choices":[{"error":{"code":1},"type":"error"}]}"#,
            false,
        ),
        (r#"{"content":"{\"error\":{\"code\":1}}"}"#, false),
        (r#"{"message":{"error":{"code":1}}}"#, false),
    ] {
        for cut in 0..=body.len() {
            assert_eq!(read(body, cut).is_error(), is_error, "{body} {cut}");
        }
    }
}

#[test]
fn text_of_answers() {
    for (body, bytes) in [
        (
            r#"{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}]}"#,
            5,
        ),
        (
            r#"{"choices":[{"message":{"content":null,"audio":{"data":"AAAA","transcript":"hi"}}}]}"#,
            2,
        ),
        (
            r#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":"{\"a\":1}"}}]}}]}"#,
            7,
        ),
        (
            r#"{"content":[{"type":"thinking","thinking":"abc","signature":"xyz"},{"type":"text","text":"de"}]}"#,
            5,
        ),
        (
            r#"{"content":[{"type":"tool_use","name":"f","input":{"place":"Rome","a":[{"b":"c"}]}}],"stop":"x"}"#,
            12,
        ),
        (
            r#"{"candidates":[{"content":{"parts":[{"inlineData":{"data":"AAAA"}},{"text":"abc"}]}}]}"#,
            3,
        ),
        (
            r#"{"instructions":"long","output":[{"type":"message","content":[{"type":"output_text","text":"abc"}]}]}"#,
            3,
        ),
        (r#"{"choices":[{"text":"\u043f\u0440\n"}]}"#, 5),
        (
            r#"{"data":[{"b64_json":"AAAAAAAA"}],"usage":{"text":"x"}}"#,
            0,
        ),
    ] {
        for cut in 0..=body.len() {
            assert_eq!(read(body, cut).text_bytes(), Some(bytes), "{body} {cut}");
        }
    }
    let unread = UsageReader::new(b"text/plain").unwrap();
    assert_eq!(unread.text_bytes(), None);
}
