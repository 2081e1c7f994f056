//! Tests of answers that stop early, as they arrive over the network.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use super::test_client::{ANTHROPIC, ConnectionEnd, OPENAI, TestBackend, for_both};

/// The ending that each name stands for: whether HTTP considers the body complete, and what ends the connection.
const STOPS: [(&str, bool, ConnectionEnd); 6] = [
    ("end-3", true, ConnectionEnd::Fin),
    ("end-length-3", true, ConnectionEnd::Fin),
    ("cut-3", false, ConnectionEnd::Fin),
    ("cut-length-3", false, ConnectionEnd::Fin),
    ("reset-3", false, ConnectionEnd::Rst),
    ("stall-3", false, ConnectionEnd::Open),
];

#[tokio::test]
async fn streams_that_stop_after_some_tokens() {
    let served = TestBackend::start().await;
    for_both(async |path| {
        for (model, complete, end) in STOPS {
            let seen = served.stream(path, model).await;
            assert_eq!(seen.status(), 200);
            assert_eq!(seen.tokens(), ["Hello ", "from ", "demo "], "{model}");
            assert!(!seen.finished() && !seen.terminated(), "{model}");
            assert_eq!((seen.complete, seen.end), (complete, end), "{model}");
        }
    })
    .await;
}

#[tokio::test]
async fn whole_answers_that_stop_in_the_middle() {
    let served = TestBackend::start().await;
    for_both(async |path| {
        let full = served.whole(path, "full-3").await.body.len();
        for (model, complete, end) in STOPS {
            let seen = served.whole(path, model).await;
            assert_eq!(seen.status(), 200);
            assert_eq!(seen.header("content-type"), Some("application/json"));
            assert!(
                seen.body.len() > full / 3 && seen.body.len() < full,
                "{model}"
            );
            assert!(serde_json::from_slice::<Value>(&seen.body).is_err());
            assert_eq!((seen.complete, seen.end), (complete, end), "{model}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_length_is_said_where_the_name_says_so() {
    let served = TestBackend::start().await;
    for_both(async |path| {
        let length = |seen: &super::test_client::ReceivedAnswer| -> Option<usize> {
            seen.header("content-length")?.parse().ok()
        };
        for model in ["end-3", "cut-3", "reset-3", "end-finished"] {
            assert_eq!(length(&served.whole(path, model).await), None, "{model}");
            assert_eq!(length(&served.stream(path, model).await), None, "{model}");
        }
        let full = served.stream(path, "cut-length-9999").await;
        assert_eq!(length(&full), Some(full.body.len() + rest_of_stream(path)));
        let cut = served.stream(path, "cut-length-0001").await;
        assert_eq!(length(&cut), length(&full));
    })
    .await;
}

/// Returns how many bytes follow the tokens in a stream of `cut-length-9999`.
fn rest_of_stream(path: &str) -> usize {
    if path == OPENAI {
        let finish = json!({
            "id": "chatcmpl-demo000000000000", "object": "chat.completion.chunk", "created": 1_700_000_000,
            "model": "cut-length-9999", "service_tier": "default", "system_fingerprint": "fp_demo",
            "choices": [{"index": 0, "delta": {}, "logprobs": null, "finish_reason": "stop"}],
        });
        format!("data: {finish}\n\ndata: [DONE]\n\n").len()
    } else {
        let finish = json!({
            "type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": 15},
        });
        format!(
            "event: content_block_stop\ndata: {}\n\nevent: message_delta\ndata: {finish}\n\n\
             event: message_stop\ndata: {}\n\n",
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_stop"}),
        )
        .len()
    }
}

#[tokio::test]
async fn no_token_means_what_comes_before_the_first_one() {
    let served = TestBackend::start().await;
    let seen = served.stream(OPENAI, "cut-0").await;
    assert_eq!(seen.data().len(), 1);
    assert!(seen.text().contains("\"role\":\"assistant\""));
    let seen = served.stream(ANTHROPIC, "cut-0").await;
    let kinds: Vec<Value> = seen.events().iter().map(|e| e["type"].clone()).collect();
    assert_eq!(kinds, ["message_start", "content_block_start", "ping"]);
}

#[tokio::test]
async fn connections_that_break_after_the_headers() {
    let served = TestBackend::start().await;
    for_both(async |path| {
        for stream in [false, true] {
            for (model, end) in [
                ("close-headers", ConnectionEnd::Fin),
                ("reset-headers", ConnectionEnd::Rst),
            ] {
                let body = json!({"model": model, "stream": stream});
                let seen = served.ask(path, body).await;
                assert_eq!(seen.status(), 200);
                assert!(seen.header("content-type").is_some());
                assert_eq!((seen.body.len(), seen.complete), (0, false));
                assert_eq!(seen.end, end, "{model}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn streams_that_lack_only_their_last_events() {
    let served = TestBackend::start().await;
    for_both(async |path| {
        let ended = served.stream(path, "end-finished").await;
        assert!(ended.finished() && !ended.terminated());
        assert_eq!((ended.complete, ended.end), (true, ConnectionEnd::Fin));
        assert!(served.whole(path, "end-finished").await.works());

        let stalled = served.stream(path, "stall-finished").await;
        assert!(stalled.finished() && !stalled.terminated());
        assert_eq!(
            (stalled.complete, stalled.end),
            (false, ConnectionEnd::Open)
        );
        assert_eq!(
            served.whole(path, "stall-finished").await.end,
            ConnectionEnd::Open
        );
    })
    .await;
    // The usage follows the finish reason, so only one of them has it.
    for (model, usages) in [("end-finished", 1), ("stall-finished", 0)] {
        let body =
            json!({"model": model, "stream": true, "stream_options": {"include_usage": true}});
        let seen = served.ask(OPENAI, body).await;
        let events = seen.events();
        let found = events.iter().filter(|event| event["usage"].is_object());
        assert_eq!(found.count(), usages, "{model}");
    }
}

#[tokio::test]
async fn http2_streams_break_too() {
    let served = TestBackend::start().await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    for (model, breaks) in [
        ("end-3", false),
        ("end-length-3", false),
        ("cut-3", true),
        ("cut-length-3", true),
        ("reset-3", true),
    ] {
        let mut answer = client
            .post(format!("http://{}{OPENAI}", served.address))
            .json(&json!({"model": model, "stream": true}))
            .send()
            .await
            .unwrap();
        let mut text = String::new();
        let broke = loop {
            match answer.chunk().await {
                Ok(Some(chunk)) => text.push_str(std::str::from_utf8(&chunk).unwrap()),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(
            text.contains("demo ") && !text.contains("backend"),
            "{text}"
        );
        assert_eq!(broke, breaks, "{model}");
    }
}

#[tokio::test]
async fn a_record_tells_what_became_of_the_answer() {
    let served = TestBackend::start().await;
    served.stream(OPENAI, "gpt-5.5").await;
    served.whole(OPENAI, "gpt-5.5").await;
    served.stream(OPENAI, "cut-1").await;
    served.whole(OPENAI, "reset").await;
    for request in served.recorder.requests("mine") {
        assert!(request.answer.ended().is_some_and(|at| at > request.at));
        assert_eq!(request.answer.left(), None);
    }
    let begun = |index: usize| served.recorder.requests("mine")[index].answer.begun();
    assert!(begun(0).is_some() && begun(2).is_some());
    assert_eq!(begun(3), None);
}

#[tokio::test]
async fn a_record_tells_that_the_client_left() {
    for (model, begins) in [
        ("hang", false),
        ("slow-headers-5000", false),
        ("stall-1", true),
        ("gpt-5.5", true),
    ] {
        let served = TestBackend::start().await;
        let body = json!({"model": model, "stream": true});
        let mut stream = served.connect(OPENAI, &body).await;
        if begins {
            stream.read_u8().await.unwrap();
        }
        while served.recorder.requests("mine").is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let answer = served.recorder.requests("mine").remove(0).answer;
        assert_eq!((answer.ended(), answer.left()), (None, None));
        drop(stream);
        let left = async {
            while answer.left().is_none() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(2), left)
            .await
            .unwrap();
        assert_eq!(answer.begun().is_some(), begins, "{model}");
        assert_eq!(answer.ended(), None);
    }
}
