//! Trials of streamed answers of each API.

use llm_router::schema::{Api, Schema, StreamSignal};

use super::sample::{Kind, at, backend, body, path};
use crate::harness::echo::EchoInstruction;
use crate::harness::{Answer, Call, Case};

/// Returns the events before any content, with content, and at the end.
fn events(api: Api) -> [&'static str; 3] {
    match api {
        Api::ChatCompletions => [
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n",
            "data: [DONE]\n\n",
        ],
        Api::Completions => [
            "data: {\"choices\":[{\"index\":0,\"text\":\"\"}]}\n\n",
            "data: {\"choices\":[{\"index\":0,\"text\":\"hi\"}]}\n\n",
            "data: [DONE]\n\n",
        ],
        Api::Responses => [
            "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"error\":null}}\n\n",
            "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\n\n",
            "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{}}\n\n",
        ],
        Api::ImageGenerations => [
            ": waiting\n\n",
            "data: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"AA==\"}\n\n",
            "data: {\"type\":\"image_generation.completed\",\"b64_json\":\"AA==\"}\n\n",
        ],
        Api::ImageEdits => [
            ": waiting\n\n",
            "data: {\"type\":\"image_edit.partial_image\",\"b64_json\":\"AA==\"}\n\n",
            "data: {\"type\":\"image_edit.completed\",\"b64_json\":\"AA==\"}\n\n",
        ],
        Api::Speech => [
            ": waiting\n\n",
            "data: {\"type\":\"speech.audio.delta\",\"audio\":\"AA==\"}\n\n",
            "data: {\"type\":\"speech.audio.done\"}\n\n",
        ],
        Api::Transcriptions => [
            ": waiting\n\n",
            "data: {\"type\":\"transcript.text.delta\",\"delta\":\"hi\"}\n\n",
            "data: {\"type\":\"transcript.text.done\",\"text\":\"hi\"}\n\n",
        ],
        Api::Messages => [
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ],
        Api::StreamGenerateContent => [
            "data: {\"usageMetadata\":{}}\n\n",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}]}}]}\n\n",
            "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n",
        ],
        // The router does not read this format.
        _ => ["\u{0}\u{1}", "{\"error\":\"\u{fc}\"}", "\u{0}"],
    }
}

/// Makes a call that asks for a stream.
fn asking(case: &Case, api: Api, kind: Kind, model: &str) -> Call {
    let body = match (api.stream_signal(), kind) {
        (StreamSignal::InBody, Kind::Json) => {
            format!("{{\"stream\":true,\"model\":\"{model}\"}}").into_bytes()
        }
        (StreamSignal::InBody, Kind::Form) => {
            let stream = b"--XX\r\nContent-Disposition: form-data; name=\"stream\"\r\n\r\ntrue\r\n";
            [stream.as_slice(), &body(api, kind, model)].concat()
        }
        (StreamSignal::InAnswer, _) => {
            format!("{{\"stream_format\":\"sse\",\"model\":\"{model}\"}}").into_bytes()
        }
        _ => body(api, kind, model),
    };
    let query = if api == Api::StreamGenerateContent {
        "?alt=sse"
    } else {
        ""
    };
    at(case, &format!("{}{query}", path(api, model)), kind, body)
}

/// Makes the call, with these answers of the first and the second backend.
async fn answered(
    call: Call,
    api: Api,
    first: &EchoInstruction,
    second: &EchoInstruction,
) -> Answer {
    let [one, two] = ["", "-two"].map(|which| format!("x-test-answer-{}", backend(api, which)));
    call.header(&one, first.header())
        .header(&two, second.header())
        .send()
        .await
}

pub(super) async fn streamed(case: Case, api: Api) {
    let [start, content, end] = events(api);
    let is_opaque = api.schema() == Schema::Bedrock;
    let stream = |pieces: &[&str]| {
        let mut stream = EchoInstruction::events(pieces);
        if is_opaque {
            stream.content_type = "application/vnd.amazon.eventstream".to_owned();
        }
        stream
    };
    let whole = stream(&[start, content, end]);
    let (first, second) = (backend(api, ""), backend(api, "-two"));
    for kind in Kind::of(api) {
        let ask = |model| asking(&case, api, *kind, model);
        // Unchanged.
        for model in ["one", "chain"] {
            let answer = answered(ask(model), api, &whole, &whole).await;
            answer.is(200).went_to(&[&first]);
            assert_eq!(text(&answer), [start, content, end].concat());
        }
        let failing = EchoInstruction::status(503);
        let answer = answered(ask("chain"), api, &failing, &whole).await;
        answer.is(200).went_to(&[&first, &second]);
        assert_eq!(text(&answer), [start, content, end].concat());
        if is_opaque {
            // A stream that breaks off is passed on unchanged.
            let answer = answered(ask("chain"), api, &stream(&[start]), &whole).await;
            answer.is(200).went_to(&[&first]);
            assert_eq!(text(&answer), start);
            continue;
        }
        // The stream ends before any content, so the next target is tried.
        let answer = answered(ask("chain"), api, &stream(&[start]), &whole).await;
        answer.is(200).went_to(&[&first, &second]);
        assert_eq!(text(&answer), [start, content, end].concat());
        // After content, the client gets an error in the API's format.
        let answer = answered(ask("chain"), api, &stream(&[start, content]), &whole).await;
        answer.is(200).went_to(&[&first]);
        let got = text(&answer);
        let error = got.strip_prefix(&[start, content].concat());
        let error = error.unwrap_or_else(|| panic!("{}", answer.describe()));
        assert!(
            error.to_lowercase().contains("upstream_incomplete") && error.ends_with("}\n\n"),
            "{}",
            answer.describe()
        );
        assert!(error.contains("\"error\""), "{}", answer.describe());
    }
    if api == Api::StreamGenerateContent {
        an_array(&case, api).await;
    }
}

/// Without `alt=sse`, Gemini streams one JSON array, which is not held to its end.
async fn an_array(case: &Case, api: Api) {
    let mut array = EchoInstruction::events(&["[{\"candidates\":[]}", ",\n{}", "]"]);
    array.content_type = "application/json".to_owned();
    let call = at(case, &path(api, "chain"), Kind::Json, "{}");
    let mut response = call.header("x-test-answer", array.header()).open().await;
    assert_eq!(response.status(), 200);
    let mut pieces = vec![];
    while let Some(piece) = response.chunk().await.expect("it goes on") {
        pieces.push(String::from_utf8_lossy(&piece).into_owned());
    }
    assert!(pieces.len() > 1, "held back: {pieces:?}");
    assert_eq!(pieces.concat(), array.pieces.concat());
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}
