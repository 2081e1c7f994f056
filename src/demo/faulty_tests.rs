//! Tests of faults other than stopping early, and of unusual answers, as they arrive over the network.

use std::io::Read as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flate2::read::GzDecoder;
use serde_json::Value;

use super::test_client::{ANTHROPIC, ConnectionEnd, OPENAI, TestBackend, for_both};

#[tokio::test]
async fn refusals_tell_when_to_come_again() {
    let served = TestBackend::start().await;
    for_both(async |path| {
        let seen = served.whole(path, "status-429-retry-after-0.5").await;
        assert_eq!(seen.status(), 429);
        assert_eq!(seen.header("retry-after"), Some("0.5"));
        assert!(seen.json()["error"]["message"].is_string());
        let seen = served.stream(path, "status-503-retry-after-ms-20").await;
        assert_eq!(seen.status(), 503);
        assert_eq!(seen.header("retry-after-ms"), Some("20"));
        assert_eq!(seen.header("retry-after"), None);
        let seen = served.whole(path, "status-503-retry-date-2").await;
        let date = seen.header("retry-after").unwrap();
        assert!(date.ends_with(" GMT") && date.len() == 29, "{date}");
    })
    .await;
    let seen = served.whole(OPENAI, "status-429-reset-1500").await;
    assert_eq!(seen.header("x-ratelimit-remaining-requests"), Some("0"));
    assert_eq!(seen.header("x-ratelimit-reset-requests"), Some("1.5s"));
    let seen = served.whole(ANTHROPIC, "status-429-reset-2000").await;
    assert_eq!(
        seen.header("anthropic-ratelimit-requests-remaining"),
        Some("0")
    );
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let times: Vec<String> = (1..=4)
        .map(|seconds| {
            let time = Duration::from_secs(now.as_secs() + seconds);
            super::clock::rfc3339(time)
        })
        .collect();
    let time = seen.header("anthropic-ratelimit-requests-reset").unwrap();
    assert!(times.contains(&time.to_owned()), "{time}");
}

#[tokio::test]
async fn refusals_in_the_apis_own_words() {
    let served = TestBackend::start().await;
    for (model, code, words) in [
        (
            "context-length",
            "context_length_exceeded",
            "prompt is too long: 208310 tokens > 200000 maximum",
        ),
        (
            "content-policy",
            "content_policy_violation",
            "Output blocked by content filtering policy",
        ),
    ] {
        let openai = served.whole(OPENAI, model).await;
        assert_eq!(openai.status(), 400);
        assert_eq!(openai.json()["error"]["code"], code);
        let anthropic = served.stream(ANTHROPIC, model).await;
        assert_eq!(anthropic.status(), 400);
        let error = anthropic.json()["error"].clone();
        assert_eq!(error["type"], "invalid_request_error");
        assert_eq!(error["message"], words);
    }
}

#[tokio::test]
async fn errors_that_begin_with_200() {
    let served = TestBackend::start().await;
    for (model, openai, anthropic) in [
        ("error-first", "server_error", "api_error"),
        ("error-first-server", "server_error", "api_error"),
        ("error-first-rate_limit", "requests", "rate_limit_error"),
        (
            "error-first-overloaded",
            "service_unavailable_error",
            "overloaded_error",
        ),
        (
            "error-first-auth",
            "invalid_request_error",
            "authentication_error",
        ),
        (
            "error-first-invalid",
            "invalid_request_error",
            "invalid_request_error",
        ),
    ] {
        for (path, kind) in [(OPENAI, openai), (ANTHROPIC, anthropic)] {
            let streamed = served.stream(path, model).await;
            assert_eq!((streamed.status(), streamed.complete), (200, true));
            let events = streamed.events();
            assert_eq!(events.len(), 1);
            assert_eq!(events[0]["error"]["type"], kind, "{model}");
            assert_eq!(
                streamed.text().starts_with("event: error\n"),
                path == ANTHROPIC
            );
            let whole = served.whole(path, model).await;
            assert_eq!((whole.status(), whole.complete), (200, true));
            assert_eq!(whole.json()["error"]["type"], kind, "{model}");
        }
    }
}

#[tokio::test]
async fn errors_in_the_middle() {
    let served = TestBackend::start().await;
    for_both(async |path| {
        let seen = served.stream(path, "error-after-2").await;
        assert_eq!(seen.tokens().len(), 2);
        assert!(seen.events().last().unwrap()["error"].is_object());
        assert!(!seen.finished() && !seen.terminated() && seen.complete);
        assert!(served.whole(path, "error-after-2").await.json()["error"].is_object());

        let seen = served.stream(path, "malformed-2").await;
        assert!(seen.works());
        let data = seen.data();
        let broken = data.iter().position(|data| data == "{\"broken").unwrap();
        assert!(data[broken - 1].contains("from "));
        assert!(data[broken + 1].contains("demo "));
        let whole = served.whole(path, "malformed-2").await;
        assert_eq!((whole.text().as_str(), whole.complete), ("{\"broken", true));
    })
    .await;
}

#[tokio::test]
async fn answers_without_anything() {
    let served = TestBackend::start().await;
    for_both(async |path| {
        for seen in [
            served.stream(path, "empty-stream").await,
            served.whole(path, "empty-stream").await,
        ] {
            assert!(seen.header("content-type").unwrap().starts_with("text/"));
            assert_eq!(seen.header("transfer-encoding"), Some("chunked"));
            assert_eq!((seen.body.len(), seen.complete), (0, true));
        }
        for seen in [
            served.stream(path, "empty-body").await,
            served.whole(path, "empty-body").await,
        ] {
            assert_eq!(seen.header("content-type"), Some("application/json"));
            assert_eq!(seen.header("content-length"), Some("0"));
            assert_eq!((seen.status(), seen.complete), (200, true));
        }
    })
    .await;
}

#[tokio::test]
async fn answers_that_take_their_time() {
    let served = TestBackend::start().await;
    let wait = Duration::from_millis(200);
    for_both(async |path| {
        for seen in [
            served.whole(path, "slow-headers-200").await,
            served.stream(path, "slow-headers-200").await,
            served.whole(path, "slow-token-200").await,
        ] {
            assert!(seen.works());
            assert!(seen.first_byte >= wait, "{:?}", seen.first_byte);
        }
        let seen = served.stream(path, "slow-token-200").await;
        assert!(seen.works());
        assert!(seen.first_token >= wait, "{:?}", seen.first_token);
        assert!(seen.first_token >= seen.first_byte + wait / 2);
        let seen = served.stream(path, "slow-words-40").await;
        let pauses = u32::try_from(seen.tokens().len() - 1).unwrap();
        assert!(seen.works());
        assert!(seen.took >= Duration::from_millis(40) * pauses);
        assert!(served.whole(path, "slow-words-40").await.works());
    })
    .await;
}

#[tokio::test]
async fn answers_of_any_size() {
    let served = TestBackend::start().await;
    for_both(async |path| {
        let content = |body: Value| {
            let openai = body["choices"][0]["message"]["content"].as_str();
            let text = openai.or(body["content"][0]["text"].as_str());
            text.unwrap().to_owned()
        };
        let seen = served.stream(path, "words-3").await;
        assert!(seen.works());
        assert_eq!(seen.tokens(), ["word1 ", "word2 ", "word3"]);
        let seen = served.whole(path, "words-3").await;
        assert_eq!(content(seen.json()), "word1 word2 word3");
        assert!(served.stream(path, "words-0").await.works());

        let seen = served.stream(path, "large-300").await;
        assert!(seen.works());
        // Without pauses: with them, 300 tokens would take six seconds.
        assert!(seen.took < Duration::from_secs(5), "{:?}", seen.took);
        let tokens = seen.tokens();
        assert_eq!(tokens.len(), 300);
        assert!(tokens.iter().all(|token| token.len() == 1024));
        let seen = served.whole(path, "large-300").await;
        assert!(seen.works());
        assert_eq!(content(seen.json()).len(), 300 * 1024);
    })
    .await;
}

#[tokio::test]
async fn pings_come_first() {
    let served = TestBackend::start().await;
    for (path, ping) in [
        (OPENAI, ": ping\n\n"),
        (ANTHROPIC, "event: ping\ndata: {\"type\":\"ping\"}\n\n"),
    ] {
        let seen = served.stream(path, "pings-3").await;
        assert!(seen.works());
        assert!(seen.text().starts_with(&ping.repeat(3)));
        assert!(seen.first_token >= Duration::from_millis(60));
        assert!(served.whole(path, "pings-3").await.works());
    }
}

#[tokio::test]
async fn answers_with_many_headers() {
    let served = TestBackend::start().await;
    for_both(async |path| {
        for seen in [
            served.whole(path, "headers-80").await,
            served.stream(path, "headers-80").await,
        ] {
            assert!(seen.works());
            assert_eq!(seen.head.matches("x-demo-").count(), 80);
            assert_eq!(seen.header("x-demo-79"), Some("demo"));
        }
    })
    .await;
}

#[tokio::test]
async fn encoded_answers() {
    let served = TestBackend::start().await;
    for_both(async |path| {
        for (mut seen, streamed) in [
            (served.whole(path, "gzip").await, false),
            (served.stream(path, "gzip").await, true),
        ] {
            assert_eq!(seen.header("content-encoding"), Some("gzip"));
            assert!(seen.complete);
            assert_eq!(seen.chunks > 10, streamed);
            let mut plain = Vec::new();
            let mut decoder = GzDecoder::new(seen.body.as_slice());
            decoder.read_to_end(&mut plain).unwrap();
            seen.body = plain;
            assert!(seen.works());
        }
        // Only the fault compresses an answer, although all of these requests accept gzip.
        let plain = served.whole(path, "gpt-5.5").await;
        assert_eq!(plain.header("content-encoding"), None);
        assert!(plain.works());
    })
    .await;
}

#[tokio::test]
async fn thoughts_before_the_answer() {
    let served = TestBackend::start().await;
    let seen = served.stream(OPENAI, "reasoning").await;
    assert!(seen.works());
    let events = seen.events();
    let first = |field: &str| {
        events.iter().position(|event| {
            let text = event["choices"][0]["delta"][field].as_str();
            text.is_some_and(|text| !text.is_empty())
        })
    };
    assert!(first("reasoning_content").unwrap() < first("content").unwrap());
    let whole = served.whole(OPENAI, "reasoning").await.json();
    assert!(whole["choices"][0]["message"]["reasoning_content"].is_string());

    let seen = served.stream(ANTHROPIC, "reasoning").await;
    assert!(seen.works());
    let mut kinds: Vec<String> = seen
        .events()
        .iter()
        .filter_map(|event| {
            let kind = event["delta"]["type"].as_str();
            Some(kind.or(event["content_block"]["type"].as_str())?.to_owned())
        })
        .collect();
    kinds.dedup();
    assert_eq!(
        kinds,
        [
            "thinking",
            "thinking_delta",
            "signature_delta",
            "text",
            "text_delta"
        ]
    );
    let whole = served.whole(ANTHROPIC, "reasoning").await.json();
    assert_eq!(whole["content"][0]["type"], "thinking");
    assert_eq!(whole["content"][1]["type"], "text");
}

#[tokio::test]
async fn streams_framed_otherwise() {
    let served = TestBackend::start().await;
    for_both(async |path| {
        let mut seen = served.stream(path, "crlf").await;
        let text = seen.text();
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        seen.body = text.replace("\r\n", "\n").into_bytes();
        assert!(seen.works());
        for seen in [
            served.stream(path, "bytewise").await,
            served.whole(path, "bytewise").await,
        ] {
            assert!(seen.works());
            assert_eq!(seen.chunks, seen.body.len());
        }
    })
    .await;
}

#[tokio::test]
async fn faults_that_come_and_go() {
    let served = TestBackend::start().await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let seen = served.whole(OPENAI, "every-2-status-503").await;
        statuses.push(seen.status());
    }
    assert_eq!(statuses, [503, 200, 503, 200, 503]);
    for model in ["once-reset", "once-reset-headers"] {
        assert_eq!(served.whole(OPENAI, model).await.end, ConnectionEnd::Rst);
        assert!(served.whole(ANTHROPIC, model).await.works());
        assert!(served.whole(OPENAI, model).await.works());
    }
}

#[tokio::test]
async fn a_switch_rules_every_request() {
    let served = TestBackend::start().await;
    let switch = &served.switch;
    assert!(served.whole(OPENAI, "gpt-5.5").await.works());
    switch.set(Some("reset")).unwrap();
    for_both(async |path| {
        assert_eq!(served.whole(path, "gpt-5.5").await.end, ConnectionEnd::Rst);
    })
    .await;
    switch.set(Some("slow-headers-50")).unwrap();
    let seen = served.stream(ANTHROPIC, "status-503").await;
    assert!(seen.works() && seen.first_byte >= Duration::from_millis(50));
    switch.set(Some("once-status-500")).unwrap();
    assert_eq!(served.whole(OPENAI, "a").await.status(), 500);
    assert!(served.whole(OPENAI, "b").await.works());
    assert!(switch.set(Some("rest")).is_err());
    switch.set(None).unwrap();
    assert_eq!(served.whole(OPENAI, "status-503").await.status(), 503);
    assert!(served.whole(OPENAI, "gpt-5.5").await.works());
}
