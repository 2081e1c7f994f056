//! Tests that events that are too large to be held report the same as equal ones that are held.

use proptest::prelude::*;

use super::*;
use crate::schema::sse::MAX_EVENT_BYTES;

/// API, name and data: the events of other tests, and events that are large in practice.
fn all() -> Vec<(Api, &'static str, &'static str)> {
    let openai = OPENAI.iter().flat_map(|(data, ..)| *data);
    let openai = openai.map(|data| (Api::ChatCompletions, "", *data));
    let anthropic = ANTHROPIC
        .iter()
        .map(|(data, ..)| (Api::Messages, "x", *data));
    openai.chain(anthropic).chain(LARGE).collect()
}

const LARGE: [(Api, &str, &str); 42] = [
    (
        Api::ChatCompletions,
        "",
        r#"{"id":"1","model":"gpt-5.5","choices":[{"index":0,"delta":{"role":"assistant","content":"a\u00e9\n"},"logprobs":{"content":[{"token":"a","logprob":-1.5e-3,"top_logprobs":[]}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":12,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":5}}}"#,
    ),
    (
        Api::ChatCompletions,
        "",
        r#"{"choices":[{"finish_reason":null,"index":2,"message":{"tool_calls":[{"function":{"arguments":"{}"}}],"content":[1, 2]}},{"index":0,"text":"x","finish_reason":"length"}]}"#,
    ),
    (
        Api::ChatCompletions,
        "",
        r#"{"choices":[],"usage":{"prompt_tokens":1},"model":"a\u002db"}"#,
    ),
    (
        Api::ChatCompletions,
        "",
        r#"{"error":{"message":"This model's maximum context length is 1","metadata":{"raw":"x","provider_name":"y"},"code":400}}"#,
    ),
    (
        Api::ChatCompletions,
        "",
        r#"{"error":"Too Many tokens","error_type":"validation"}"#,
    ),
    (
        Api::ChatCompletions,
        "",
        r#"{"object":"error","message":"x","code":"rate_limit_exceeded"}"#,
    ),
    (
        Api::ChatCompletions,
        "",
        r#"{"error":{"code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"},"param":[{}]}}"#,
    ),
    (Api::ChatCompletions, "error", r#"{"detail":"x"}"#),
    (Api::ChatCompletions, "error", "Bad Gateway"),
    (
        Api::ChatCompletions,
        "",
        r#"[{"error":{"code":503,"status":"UNAVAILABLE"}}]"#,
    ),
    (Api::ChatCompletions, "", " [DONE]  "),
    (Api::ChatCompletions, "", "[DONE]]"),
    (
        Api::Completions,
        "",
        r#"{"object":"text_completion","choices":[{"text":"x","index":0,"logprobs":null,"finish_reason":"stop"}]}"#,
    ),
    (
        Api::Responses,
        "response.created",
        r#"{"type":"response.created","response":{"id":"resp_1","error":null,"instructions":"be good","model":"gpt-5.5","output":[],"tools":[{"type":"function","parameters":{"type":"object","required":["a"]}}],"usage":null}}"#,
    ),
    (
        Api::Responses,
        "response.completed",
        r#"{"response":{"id":"resp_1","error":null,"instructions":"be good","model":"gpt-5.5","output":[{"type":"message","content":[{"type":"output_text","text":"hi","annotations":[]}]}],"usage":{"input_tokens":37,"input_tokens_details":{"cached_tokens":3},"output_tokens":11,"output_tokens_details":{"reasoning_tokens":4}}},"sequence_number":9,"type":"response.completed"}"#,
    ),
    (
        Api::Responses,
        "response.completed",
        r#"{"response":{"usage":{"input_tokens":37}}}"#,
    ),
    (
        Api::Responses,
        "response.incomplete",
        r#"{"type":"response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"}}}"#,
    ),
    (
        Api::Responses,
        "response.failed",
        r#"{"type":"response.failed","response":{"instructions":"be good","error":{"code":"rate_limit_exceeded","message":"x"}}}"#,
    ),
    (
        Api::Responses,
        "error",
        r#"{"type":"error","code":"server_error","message":"x","param":null}"#,
    ),
    (
        Api::Responses,
        "response.output_text.delta",
        r#"{"type":"response.output_text.delta","delta":"hi"}"#,
    ),
    (
        Api::Responses,
        "response.output_text.done",
        r#"{"type":"response.output_text.done","text":"hi"}"#,
    ),
    (
        Api::Responses,
        "",
        r#"{"type":"response.output_item.done","item":{"type":"message","content":[{"text":"hi"}]}}"#,
    ),
    (
        Api::Responses,
        "",
        r#"{"type":"response.image_generation_call.partial_image","partial_image_b64":"AA=="}"#,
    ),
    (
        Api::ImageGenerations,
        "",
        r#"{"type":"image_generation.partial_image","b64_json":"AA=="}"#,
    ),
    (
        Api::ImageGenerations,
        "image_generation.completed",
        r#"{"type":"image_generation.completed","b64_json":"AA==","usage":{"input_tokens":50,"output_tokens":50,"input_tokens_details":{"text_tokens":10}}}"#,
    ),
    (
        Api::ImageEdits,
        "",
        r#"{"b64_json":"AA==","type":"image_edit.completed"}"#,
    ),
    (
        Api::Speech,
        "",
        r#"{"type":"speech.audio.delta","audio":"AA=="}"#,
    ),
    (
        Api::Speech,
        "",
        r#"{"type":"speech.audio.done","usage":{"input_tokens":1,"output_tokens":2}}"#,
    ),
    (
        Api::Transcriptions,
        "",
        r#"{"type":"transcript.text.segment","text":"hi","speaker":"A"}"#,
    ),
    (
        Api::Transcriptions,
        "",
        r#"{"type":"transcript.text.done","text":"hi","logprobs":[{"token":"hi","bytes":[1]}],"usage":{"type":"tokens","input_tokens":14,"output_tokens":3}}"#,
    ),
    (
        Api::Messages,
        "message_start",
        r#"{"type":"message_start","message":{"id":"msg_1","model":"claude-sonnet-5-5","content":[],"usage":{"input_tokens":25,"cache_read_input_tokens":100,"cache_creation":{"a":1},"output_tokens":1}}}"#,
    ),
    (
        Api::Messages,
        "content_block_start",
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"web_search_tool_result","content":[{"encrypted_content":"x"}]}}"#,
    ),
    (
        Api::Messages,
        "content_block_delta",
        r#"{"index":0,"delta":{"citation":{ "cited_text" : "x" },"type":"citations_delta"}}"#,
    ),
    (
        Api::Messages,
        "message_delta",
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}"#,
    ),
    (
        Api::Messages,
        "error",
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
    ),
    (
        Api::StreamGenerateContent,
        "",
        r#"{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AA=="}},{"text":"hi","thought":true}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":2,"promptTokensDetails":[{"modality":"TEXT"}]},"modelVersion":"gemini-3-pro"}"#,
    ),
    (
        Api::StreamGenerateContent,
        "",
        r#"{"candidates":[{"content":{"parts":[{"text":""},{"thought":true},{"functionCall":{}}]}},{"index":1,"finishReason":"STOP","groundingMetadata":{"a":["b"]}}]}"#,
    ),
    (
        Api::StreamGenerateContent,
        "",
        r#"{"promptFeedback":{"safetyRatings":[{"category":"x"}],"blockReason":"SAFETY"}}"#,
    ),
    (
        Api::StreamGenerateContent,
        "",
        r#"{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED","details":[{"@type":"x","violations":[]}]}}"#,
    ),
    (
        Api::StreamGenerateContent,
        "",
        r#"[{"error":{"code":400,"message":"input token count 2 exceeds the maximum"}}]"#,
    ),
    (Api::StreamGenerateContent, "", ""),
    (
        Api::StreamGenerateContent,
        "",
        r#"{"candidates":{"index":1},"error":[],"usageMetadata":[1]}"#,
    ),
];

/// The beginning of an answer, so that `[DONE]` ends it.
const BEGUN: &str = "data: {\"choices\":[{\"delta\":{}}]}\n\n";

fn lines(name: &str, data: &str) -> String {
    let data = data.replace('\n', "\ndata: ");
    match name {
        "" => format!("data: {data}\n\n"),
        _ => format!("event: {name}\ndata: {data}\n\n"),
    }
}

/// The whole state, except the sample of the content.
fn known(state: &StreamState) -> String {
    let known = format!("{state:?}");
    let (before, sample) = known.split_once("kept: ").unwrap();
    let (_, sample) = sample.split_once(" bytes: ").unwrap();
    let (bytes, after) = sample.split_once(", from").unwrap();
    let (_, after) = after.split_once('}').unwrap();
    format!("{before}{bytes}{after}")
}

/// The whole state after an event that is held.
fn of_held(api: Api, lines: &[u8]) -> String {
    assert!(lines.len() <= MAX_EVENT_BYTES);
    let mut reader = read(api, BEGUN);
    reader.push(lines);
    known(&reader.state)
}

/// The whole state after an event that arrives in these parts and is not held, whatever its size.
fn of_followed<'a>(api: Api, parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut reader = read(api, BEGUN);
    let mut large = LargeEvent::new();
    for part in parts {
        large.push(part);
    }
    reader.state.large(&large);
    known(&reader.state)
}

#[test]
fn the_same_wherever_they_are_cut() {
    for (api, name, data) in all() {
        let lines = lines(name, data).replace('\n', "\r\n");
        let lines = lines.as_bytes();
        let held = of_held(api, lines);
        for cut in 0..lines.len() {
            let (a, b) = lines.split_at(cut);
            assert_eq!(of_followed(api, [a, b]), held, "{data} {cut}");
        }
        assert_eq!(of_followed(api, lines.chunks(1)), held, "{data}");
    }
}

/// Values that may be inserted between two others.
fn paddings() -> Vec<String> {
    let deep = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    vec![
        "\"pad\":0,".to_owned(),
        format!("\"type\":\"{}\",", "x".repeat(300)),
        format!("\"error\":null,\"{}\":[{{}}, 1.5],", "k".repeat(5000)),
        format!("\"pad\":\"{}\",", "\\u00e9x\\n".repeat(700)),
        format!("\"pad\":{{\"a\":{},\"choices\":[tru]}},", deep(50)),
        format!("\"pad\":{},", deep(600)),
        format!("\"delta\":{},", deep(600)),
        format!("\"index\":{},", "7".repeat(300)),
        " \t\r\n".repeat(50),
        format!("{{\"content\":\"{}\"}},", "x".repeat(2000)),
        "[],".to_owned(),
        "{ },".to_owned(),
        "\"\\u12\",".to_owned(),
        "00,".to_owned(),
        "\u{1}".to_owned(),
        "x".repeat(600),
    ]
}

/// Most of the resulting texts are not JSON.
#[test]
fn the_same_with_anything_put_in_anywhere() {
    for (api, name, data) in all() {
        for padding in paddings() {
            for (at, _) in data.char_indices() {
                // Insert the padding at this position: in long data, only before quotes, brackets and commas.
                let (before, after) = data.split_at(at);
                if data.len() > 80 && !after.starts_with(['"', '{', '[', '}', ']', ',']) {
                    continue;
                }
                let lines = lines(name, &format!("{before}{padding}{after}"));
                let lines = lines.as_bytes();
                assert_eq!(
                    of_followed(api, lines.chunks(997)),
                    of_held(api, lines),
                    "{padding:.20} at {at} of {data}",
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn the_same_where_they_are_damaged(
        which in 0..all().len(),
        changes in proptest::collection::vec((any::<u16>(), prop_oneof![
            Just("\""), Just("\\"), Just("{"), Just("}"), Just("["), Just("]"), Just(","), Just(":"),
            Just("1"), Just("-"), Just("e"), Just("null"), Just("true"), Just(" "), Just("\n"), Just("\r"),
            Just("\ndata"), Just("\ndata:"), Just("\nevent: error\ndata:"), Just("\n:"), Just("\\u00"), Just("é"), Just("\"error\":"),
        ], any::<bool>()), 0..5),
        size in 1_usize..40,
    ) {
        let (api, name, data) = all()[which];
        let mut text = lines(name, data).trim_end().to_owned().into_bytes();
        for (at, with, replaces) in changes {
            let at = usize::from(at) % (text.len() + 1);
            let end = (at + usize::from(replaces)).min(text.len());
            text.splice(at..end, with.bytes());
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        // One event of the text.
        let text = text.split("\n\n").next().unwrap_or_default();
        let text = text.replace("\r\r", "").replace("\r\n\r", "").replace("\n\r", "");
        let text = format!("{}\n\n", text.trim_start_matches([':', '\r', '\n']));
        if text.trim().is_empty() {
            return Ok(());
        }
        prop_assert_eq!(
            of_followed(api, text.as_bytes().chunks(size)),
            of_held(api, text.as_bytes()),
            "{}", text
        );
    }
}

/// What a reader reports, however much text there was.
fn told(reader: &StreamReader) -> impl PartialEq + std::fmt::Debug + use<> {
    let model = reader.model().map(str::to_owned);
    (state(reader), reader.usage(), model)
}

/// Whole events that padding makes too large to be held.
#[test]
fn the_same_with_padding_that_means_nothing() {
    let text = "x".repeat(MAX_EVENT_BYTES);
    let objects =
        r#"{"type":"response.failed","error":"e","usage":{"input_tokens":5}},"#.repeat(1500);
    for (api, name, data) in LARGE {
        let Some(inside) = data
            .strip_prefix('{')
            .and_then(|data| data.strip_suffix('}'))
        else {
            continue;
        };
        let mut expected = read(api, BEGUN);
        expected.push(lines(name, data).as_bytes());
        let expected = told(&expected);
        for (index, large) in [
            format!("{{\"pad\":\"{text}\",{inside}}}"),
            format!("{{{inside},\"pad\":\"{text}\"}}"),
            format!("{{\"pad\":[{objects}{{}}],{inside}}}"),
            format!("{{{inside},\"pad\":{{\"response\":[{objects}{{}}]}}}}"),
            data.replacen(
                "\"instructions\":\"",
                &format!("\"instructions\":\"{text}"),
                1,
            ),
            data.replacen("\"output\":[", &format!("\"output\":[{objects}"), 1)
                .replace(",]", "]"),
            data.replacen("\"delta\":\"", &format!("\"delta\":\"{text}"), 1),
            data.replacen("b64_json\":\"", &format!("b64_json\":\"{text}"), 1),
            data.replacen("\"data\":\"", &format!("\"data\":\"{text}"), 1),
            data.replacen("\"content\":\"", &format!("\"content\":\"{text}"), 1),
            format!("{{{}{inside}}}", " ".repeat(MAX_EVENT_BYTES)),
        ]
        .iter()
        .enumerate()
        {
            for size in [1000, 70_000, usize::MAX] {
                let mut reader = read(api, BEGUN);
                let stream = lines(name, large);
                let is_large = stream.len() > MAX_EVENT_BYTES;
                for chunk in stream.as_bytes().chunks(size) {
                    let passed = reader.push_filtered(chunk, false);
                    assert!(!is_large || !passed.is_empty() || chunk.len() < MAX_EVENT_BYTES);
                }
                assert_eq!(told(&reader), expected, "{index} {data}");
            }
        }
    }
}

/// The length of the text is known exactly, and a part of it is kept as a sample.
#[test]
fn the_length_of_content() {
    let text = "one two ".repeat(20_000);
    for (api, data) in [
        (
            Api::ChatCompletions,
            format!(r#"{{"choices":[{{"delta":{{"content":"{text}"}},"text":"{text}"}}]}}"#),
        ),
        (
            Api::Messages,
            format!(
                r#"{{"delta":{{"text":"{text}","a":[ "{text}" ]}},"type":"content_block_delta"}}"#
            ),
        ),
        (
            Api::Responses,
            format!(
                r#"{{"type":"response.output_text.delta","text":"{text}","delta":"{text}","item":"{text}"}}"#
            ),
        ),
        (
            Api::StreamGenerateContent,
            format!(
                r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}} , {{"text":"{text}"}}]}},"a":"{text}"}}]}}"#
            ),
        ),
    ] {
        let reader = read(api, &lines("", &data));
        // The brackets of the array do not count, but its content does.
        let quotes = if api == Api::Messages { 4 } else { 0 };
        let bytes = format!("bytes: {}", 2 * text.len() + quotes);
        let known = format!("{:?}", reader.state);
        assert!(known.contains(&bytes), "{}: {known}", api.name());
        let tokens = reader.content_tokens();
        assert!((70_000..100_000).contains(&tokens), "{tokens}");
    }
}

/// A hostile text takes no more than a bounded amount of memory.
#[test]
fn what_is_known_of_it_is_bounded() {
    for (hostile, is_json) in [
        (r#"{"choices":[{"index":1}]},"#, true),
        (r#"{"choices":["#, false),
        (r#"{"delta":"#, false),
        (r#"{ "type" : "x" } , "#, true),
        ("[ 1 , 2 ] , ", true),
        (r#""text","#, true),
        (r#"{"":1},"#, true),
        ("1234567890", false),
        ("1.", false),
        ("\\", false),
        ("[", false),
    ] {
        let mut large = LargeEvent::new();
        large.push(b"data: {\"choices\":[");
        for _ in 0..200_000 {
            large.push(hostile.as_bytes());
        }
        let (data, _) = large.data().unwrap();
        assert!(data.len() < 40_000, "{hostile}: {}", data.len());
        assert!(format!("{large:?}").len() < 1_000_000, "{hostile}");
        let mut reader = StreamReader::new(Api::ChatCompletions);
        reader.state.large(&large);
        assert_eq!(
            (reader.has_content(), reader.is_finished()),
            (is_json || reader.malformed() == 0, false),
            "{hostile}"
        );
    }
}
