//! Trials of Envoy without `allow_on_headers_stop_iteration`, where no body ever reaches the filter; and of slow
//! clients, which must not be mistaken for that.

use std::time::{Duration, Instant};

use crate::fleet::{MISSING_FLAG_TIMEOUT_MS, SharedEnvoy};
use crate::harness::{Api, Case, Protocol, Suite};

/// The setting that the error and the log must name.
const SETTING: &str = "allow_on_headers_stop_iteration";
const COUNTER: &str = "wasmcustom.llm_router.missing_envoy_setting";
const LIMIT: Duration = Duration::from_millis(MISSING_FLAG_TIMEOUT_MS);
/// Much longer than the limit.
const LONG_PAUSE: Duration = Duration::from_millis(3 * MISSING_FLAG_TIMEOUT_MS);

pub(crate) fn add(suite: &mut Suite) {
    for workers in [1, 2] {
        for protocol in Protocol::ALL {
            let which = SharedEnvoy::WithoutFlag { workers };
            suite.on(
                "flag::missing_is_an_error",
                which,
                protocol,
                missing_is_an_error,
            );
            suite.on(
                "flag::missing_is_logged_once_and_counted",
                which,
                protocol,
                missing_is_logged_once_and_counted,
            );
            suite.on(
                "flag::missing_is_not_seen_before_a_byte_comes",
                which,
                protocol,
                not_seen_before_a_byte_comes,
            );
            suite.on(
                "flag::missing_does_not_matter_without_a_body",
                which,
                protocol,
                without_a_body,
            );
        }
    }
    suite.matrix("flag::slow_clients_byte_by_byte", slow_clients_byte_by_byte);
    suite.matrix("flag::slow_clients_with_a_pause", slow_clients_with_a_pause);
}

async fn missing_is_an_error(case: Case) {
    for api in Api::ALL {
        let start = Instant::now();
        let answer = case.ask(api, "smart").send().await;
        let elapsed = start.elapsed();
        answer
            .is_error(api, 500, "missing_envoy_setting")
            .went_nowhere();
        assert!(
            answer.json()["error"]["message"]
                .as_str()
                .unwrap_or_default()
                .contains(SETTING)
        );
        assert!(elapsed >= LIMIT, "too early: {elapsed:?}");
        assert!(
            elapsed < LIMIT + Duration::from_secs(2),
            "too late: {elapsed:?}"
        );
    }
    // In pieces with a pause longer than the limit: what arrives before the pause is enough.
    let call = case.chat("smart").pause(LONG_PAUSE).piece(" ");
    let answer = call.send_on(&mut case.connect().await).await;
    answer
        .is_error(Api::OpenAi, 500, "missing_envoy_setting")
        .went_nowhere();
}

async fn missing_is_logged_once_and_counted(case: Case) {
    let before = case.envoy.stat(COUNTER).await.unwrap_or(0);
    for _ in 0..4 {
        // Each on a connection of its own, so that more than one worker gets some.
        let answer = case.chat("smart").send_on(&mut case.connect().await).await;
        answer.is_error(Api::OpenAi, 500, "missing_envoy_setting");
    }
    // Other trials increase the counter too.
    let after = case.envoy.stat(COUNTER).await.unwrap_or(0);
    assert!(
        after >= before + 4,
        "{COUNTER} went from {before} to {after}"
    );
    let log = case.envoy.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(SETTING)).collect();
    assert!(
        !lines.is_empty(),
        "nothing was logged\n{}",
        case.envoy.log_tail()
    );
    assert!(
        lines.len() <= case.envoy.workers,
        "logged more than once per worker: {lines:#?}"
    );
    assert!(
        lines.iter().all(|line| line.contains("[error]")),
        "not as an error: {lines:#?}"
    );
}

async fn not_seen_before_a_byte_comes(case: Case) {
    let mut call = case.chat("smart");
    let body = call.bytes();
    call.body.clear();
    let start = Instant::now();
    let answer = call
        .pause(LONG_PAUSE)
        .piece(body)
        .send_on(&mut case.connect().await)
        .await;
    // The setting is missing here too, but only the late body shows it.
    answer.is_error(Api::OpenAi, 500, "missing_envoy_setting");
    assert!(
        start.elapsed() >= LONG_PAUSE,
        "a slow client was tripped after {:?}",
        start.elapsed()
    );
}

async fn without_a_body(case: Case) {
    case.get("/v1/models").send().await.is(200);
    case.get("/v1/models/smart").send().await.is(200);
    case.get("/v1/chat/completions")
        .send()
        .await
        .is_error(Api::OpenAi, 405, "method_not_allowed");
    case.post("/v1/chat/completions", "")
        .send()
        .await
        .is_error(Api::OpenAi, 400, "empty_body");
}

async fn slow_clients_byte_by_byte(case: Case) {
    let mut call = case.chat("fast");
    let body = call.bytes();
    let (most, last) = body.split_at(body.len() - 6);
    call.body.clear();
    let mut call = call.piece(most);
    for byte in last {
        call = call.pause(Duration::from_millis(300)).piece([*byte]);
    }
    let answer = call.send_on(&mut case.connect().await).await;
    assert_eq!(answer.only_at("openai").model(), "gpt-4o-mini-2024-07-18");
}

async fn slow_clients_with_a_pause(case: Case) {
    // Pauses before the first byte and in the middle. The sizes of the headers matter, because the filter computes from
    // them whether a body has arrived.
    for before in [0, 1, 20] {
        let mut call = case.chat("fast");
        let body = call.bytes();
        let (start, end) = body.split_at(before);
        call.body.clear();
        for (name, value) in [
            ("cookie", b"a=1".as_slice()),
            ("cookie", b"b=2; c=3"),
            ("x-twice", b"1"),
            ("x-twice", b"\xff\xfe"),
            ("x-empty", b""),
            ("x-llm-router-odd", b"gone"),
            ("x-envoy-odd", b"gone"),
        ] {
            call = call.header(name, value);
        }
        let call = call.piece(start).pause(LONG_PAUSE).piece(end);
        let answer = call.send_on(&mut case.connect().await).await;
        assert_eq!(answer.only_at("openai").model(), "gpt-4o-mini-2024-07-18");
    }
}
