//! Tests of every operation of every API: whole, streamed, and with faults.

use serde_json::{Value, json};

use super::test_client::{ConnectionEnd, ReceivedAnswer, TestBackend};

/// A path, with MODEL where it names one, and the end of its stream.
struct Way {
    path: &'static str,
    end: &'static str,
}

/// Operations with streams for which the body asks.
const BY_BODY: [Way; 7] = [
    Way {
        path: "/v1/chat/completions",
        end: "data: [DONE]\n\n",
    },
    Way {
        path: "/v1/completions",
        end: "data: [DONE]\n\n",
    },
    Way {
        path: "/v1/responses",
        end: "\"type\":\"response.completed\"}\n\n",
    },
    Way {
        path: "/v1/images/generations",
        end: "\"type\":\"image_generation.completed\",",
    },
    Way {
        path: "/v1/images/edits",
        end: "\"type\":\"image_edit.completed\",",
    },
    Way {
        path: "/v1/audio/transcriptions",
        end: "\"type\":\"transcript.text.done\",",
    },
    Way {
        path: "/v1/messages",
        end: "\"type\":\"message_stop\"}\n\n",
    },
];

/// Operations with streams at a path of their own: the paths of the whole answer and of the stream.
const BY_PATH: [(&str, &str, &str); 4] = [
    (
        "/v1beta/models/MODEL:generateContent",
        "/v1beta/models/MODEL:streamGenerateContent?alt=sse",
        "\"finishReason\":\"STOP\"",
    ),
    (
        "/v1beta/models/MODEL:generateContent",
        "/v1beta/models/MODEL:streamGenerateContent",
        "\"finishReason\":\"STOP\"",
    ),
    (
        "/model/MODEL/converse",
        "/model/MODEL/converse-stream",
        "metadata",
    ),
    (
        "/model/MODEL/invoke",
        "/model/MODEL/invoke-with-response-stream",
        "chunk",
    ),
];

/// Operations without streams.
const WHOLE: [&str; 10] = [
    "/v1/responses/input_tokens",
    "/v1/responses/compact",
    "/v1/embeddings",
    "/v1/images/variations",
    "/v1/audio/translations",
    "/v1/moderations",
    "/v1/rerank",
    "/v1/messages/count_tokens",
    "/v1beta/models/MODEL:countTokens",
    "/v1beta/models/MODEL:batchEmbedContents",
];

/// Returns each operation that streams, with the paths of its two forms and its last event.
fn streaming() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let by_body = BY_BODY.iter().map(|way| (way.path, way.path, way.end));
    by_body.chain(BY_PATH)
}

fn text(seen: &ReceivedAnswer) -> String {
    String::from_utf8_lossy(&seen.body).into_owned()
}

/// Asks for a whole answer or a stream, by the path or the body.
async fn ask(served: &TestBackend, path: &str, model: &str, stream: bool) -> ReceivedAnswer {
    let path = path.replace("MODEL", model);
    let body = json!({"model": model, "stream": stream, "partial_images": 3});
    served.ask(&path, body).await
}

#[tokio::test]
async fn whole_answers_tell_what_came() {
    let served = TestBackend::start().await;
    let whole = streaming().map(|(path, ..)| path).chain(WHOLE);
    for path in whole {
        let seen = ask(&served, path, "m", false).await;
        assert!(
            seen.head.starts_with("HTTP/1.1 200"),
            "{path} {}",
            seen.head
        );
        let answer: Value = serde_json::from_slice(&seen.body).unwrap();
        let path = path.replace("MODEL", "m");
        assert_eq!(answer["demo"]["backend"], "tested", "{path}");
        assert_eq!(answer["demo"]["path"], path.as_str());
        assert_eq!(answer["demo"]["model"], "m", "{path}");
    }
}

#[tokio::test]
async fn what_is_no_json_tells_it_in_a_header() {
    let served = TestBackend::start().await;
    let seen = ask(&served, "/v1/audio/speech", "m", false).await;
    assert!(seen.head.contains("content-type: audio/mpeg"));
    assert!(seen.head.contains("x-demo: {\"backend\":\"tested\""));
}

#[tokio::test]
async fn streams_come_piece_by_piece_to_their_end() {
    let served = TestBackend::start().await;
    for (_, path, end) in streaming() {
        let seen = ask(&served, path, "m", true).await;
        assert!(seen.complete, "{path}");
        assert!(seen.chunks > 3, "{path}");
        assert!(text(&seen).contains(end), "{path} {}", text(&seen));
    }
}

#[tokio::test]
async fn a_growing_array_is_json_in_the_end() {
    let served = TestBackend::start().await;
    let path = "/v1beta/models/MODEL:streamGenerateContent";
    for model in ["m", "pings-2", "error-first", "error-after-2", "bytewise"] {
        let seen = ask(&served, path, model, true).await;
        assert!(seen.head.contains("content-type: application/json"));
        let chunks: Vec<Value> = serde_json::from_slice(&seen.body).unwrap();
        assert!(!chunks.is_empty(), "{model}");
    }
}

#[tokio::test]
async fn faults_are_the_same_in_every_api() {
    let served = TestBackend::start().await;
    for (whole, stream, end) in streaming() {
        for (path, streams) in [(whole, false), (stream, true)] {
            let refused = ask(&served, path, "status-429", streams).await;
            assert!(refused.head.starts_with("HTTP/1.1 429"), "{path}");
            let error: Value = serde_json::from_slice(&refused.body).unwrap();
            assert!(error.get("error").or(error.get("message")).is_some());

            let reset = ask(&served, path, "reset", streams).await;
            assert_eq!(
                (reset.end, reset.head.as_str()),
                (ConnectionEnd::Rst, ""),
                "{path}"
            );

            let cut = ask(&served, path, "cut-1", streams).await;
            assert_eq!(
                (cut.end, cut.complete),
                (ConnectionEnd::Fin, false),
                "{path}"
            );
            assert!(!cut.body.is_empty());
        }
        let failed = ask(&served, stream, "error-first", true).await;
        assert!(failed.complete && failed.head.starts_with("HTTP/1.1 200"));
        assert!(!text(&failed).contains(end), "{stream}");
        assert!(
            ["rror", "xception"]
                .iter()
                .any(|word| text(&failed).contains(word)),
            "{stream} {}",
            text(&failed)
        );
    }
}
