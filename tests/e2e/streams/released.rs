//! Trials of streams that are already being sent to the client, when no other attempt is possible: a broken stream must
//! not look complete.

use std::io::Read;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::{alone, falling_back, first, hear, only_the_first, scripted};
use crate::fleet::SharedEnvoy;
use crate::fleet::policy::{VirtualModel, at, fine, model};
use crate::harness::scripted::{content, finish, half, usage};
use crate::harness::stream::{StreamedAnswer, events};
use crate::harness::{Api, Case, Protocol, Suite};

/// Faults whose streams pass byte for byte and end as they should.
const PASSING: [&str; 10] = [
    "end-finished",
    "malformed-3",
    "error-after-3",
    "crlf",
    "bytewise",
    "headers-80",
    "reasoning",
    "pings-3",
    "large-300",
    "words-40",
];

/// Scripts that end too early but look complete to HTTP.
const SCRIPTED: [&str; 8] = [
    "half-an-event",
    "no-blank-line",
    "until-close",
    "until-close-finished",
    "trailers",
    "trailers-first",
    "trailers-finished",
    "with-length",
];

/// Faults of an HTTP/2 backend; `second` is one.
const OVER_HTTP2: [&str; 4] = ["cut-3", "end-3", "end-length-3", "end-finished"];

pub(super) fn add(suite: &mut Suite) {
    for protocol in Protocol::ALL {
        suite.on(
            "streams::released::from_a_backend_over_http2",
            SharedEnvoy::Policy { workers: 2 },
            protocol,
            over_http2,
        );
    }
    for fault in PASSING {
        let name = format!("streams::released::{}_passes", fault.replace('-', "_"));
        super::add_both(suite, &name, move |case, api| passes(case, api, fault));
    }
    super::add_both(
        suite,
        "streams::released::a_length_is_told_where_nothing_is_left_out",
        with_length,
    );
    for fault in ["cut-3", "cut-length-3", "reset-3", "end-length-3"] {
        let name = format!("streams::released::{}_is_broken", fault.replace('-', "_"));
        super::add_both(suite, &name, move |case, api| breaks(case, api, fault));
    }
    super::add_both(
        suite,
        "streams::released::an_unfinished_end_gets_an_error_event",
        unfinished,
    );
    super::add_both(
        suite,
        "streams::released::an_end_in_the_middle_of_an_event_gets_one_too",
        half_an_event,
    );
    super::add_both(
        suite,
        "streams::released::the_end_of_the_connection_is_one_too",
        until_close,
    );
    super::add_both(
        suite,
        "streams::released::an_end_with_trailers_is_broken_unless_finished",
        trailers,
    );
    super::add_both(
        suite,
        "streams::released::a_stall_ends_at_the_idle_limit",
        stall,
    );
    super::add_both(
        suite,
        "streams::released::a_stall_after_the_finish_too",
        stall_after_the_finish,
    );
    super::add_both(
        suite,
        "streams::released::malformed_events_are_dropped_where_asked",
        malformed_dropped,
    );
    super::add_both(suite, "streams::released::compressed_passes_unread", gzip);
    super::add_both(
        suite,
        "streams::released::no_limit_of_an_attempt_ends_it",
        longer_than_an_attempt,
    );
    super::add_both(
        suite,
        "streams::released::too_many_headers",
        too_many_headers,
    );
}

pub(super) fn virtuals() -> Vec<VirtualModel> {
    let mut all = vec![];
    for fault in PASSING.into_iter().chain([
        "cut-3",
        "cut-length-3",
        "reset-3",
        "end-3",
        "end-length-3",
        "gzip",
        "headers-100",
    ]) {
        all.extend(falling_back(&format!("passing-{fault}"), fault, &json!({})));
    }
    for script in SCRIPTED {
        all.extend(scripted(&format!("scripted-{script}"), script));
    }
    let idle = json!({"idle_timeout_ms": 1500});
    for fault in ["stall-3", "stall-finished"] {
        all.extend(falling_back(&format!("passing-{fault}"), fault, &idle));
    }
    let drop = json!({"malformed_events": "drop"});
    for fault in ["malformed-0", "malformed-3", "crlf", "bytewise"] {
        all.extend(falling_back(&format!("dropping-{fault}"), fault, &drop));
        all.extend(alone(&format!("dropping-alone-{fault}"), fault, &drop));
    }
    for fault in OVER_HTTP2 {
        let targets = [at("second", fault), fine("openai")];
        all.push(VirtualModel::new(&format!("over-http2-{fault}"), targets));
    }
    let short = json!({"attempt_timeout_ms": 1000, "deadline_ms": 1200});
    let fault = "slow-words-250";
    all.extend(falling_back(&format!("passing-{fault}"), fault, &short));
    all
}

async fn passes(case: Case, api: Api, fault: &'static str) {
    let heard = hear(&case, api, &format!("passing-{fault}")).await;
    let expected = only_the_first(&heard, api).await;
    heard.is_whole().says(&expected);
    let seen = heard.answer.attempts().remove(0).1;
    let late = heard.ended - seen.0.answer.ended().expect("it has ended");
    assert!(
        late < Duration::from_millis(1000),
        "it ended {late:?} after the backend"
    );
    let is_there = heard.answer.header("x-demo-79").is_some();
    assert_eq!(is_there, fault == "headers-80", "the backend's headers");
}

async fn breaks(case: Case, api: Api, fault: &'static str) {
    let heard = hear(&case, api, &format!("passing-{fault}")).await;
    heard.is_broken();
    let expected = only_the_first(&heard, api).await;
    // What was sent before arrives, with nothing after it.
    let tokens = tokens(&heard.text());
    let mut sent = self::tokens(&String::from_utf8_lossy(&expected));
    if fault == "end-length-3" && tokens.len() < sent.len() {
        // The last piece arrives together with the answer's end. The filter withholds that end, so the client may not
        // get the piece.
        sent.truncate(tokens.len());
    }
    assert_eq!(tokens, sent, "{}", heard.answer.describe());
    assert!(!heard.text().contains("upstream_"), "{}", heard.text());
}

/// Returns the text of the events with content.
fn tokens(text: &str) -> Vec<Value> {
    let of = |event: Value| {
        event
            .pointer("/choices/0/delta/content")
            .or(event.pointer("/delta/text"))
            .cloned()
    };
    events(text).into_iter().filter_map(of).collect()
}

/// Asserts that the answer is complete to HTTP, with what the backend sent and one error event after it.
#[track_caller]
pub(super) fn is_ended_by_our_error(heard: &StreamedAnswer, api: Api, said: &[u8]) {
    heard.is_whole();
    let text = heard.text();
    let start = match api {
        Api::OpenAi => "data: {\"error\":",
        Api::Anthropic => "event: error\ndata: {",
    };
    assert_eq!(text.matches(start).count(), 1, "{text}");
    let at = text.find(start).expect("it is there");
    let (before, event) = text.split_at(at);
    assert!(event.ends_with("}\n\n"), "{event}");
    let event = events(event).remove(0);
    let (code, format) = match api {
        Api::OpenAi => ("/error/code", event.get("type").is_none()),
        Api::Anthropic => ("/error/details/error_code", event["type"] == "error"),
    };
    assert_eq!(
        event.pointer(code),
        Some(&Value::from("upstream_incomplete"))
    );
    assert!(format, "not in the caller's format: {event}");
    let mut without = said.to_vec();
    if !said.is_empty() && !said.ends_with(b"\n\n") {
        without.extend_from_slice(b"\n\n");
    }
    assert_eq!(before.len(), without.len(), "{text}");
}

/// Asserts that the answer broke off this long after its last piece.
pub(super) async fn ended_by_silence(heard: &StreamedAnswer, api: Api, limit: Duration) {
    let seen = heard.answer.only_at(first(api));
    // The client may notice it before the backend does.
    let deadline = Instant::now() + Duration::from_secs(2);
    while seen.0.answer.left().is_none() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let left = seen.0.answer.left().expect("the backend was left");
    let (last, _) = heard.pieces.last().expect("some of it came");
    let silent = left.saturating_duration_since(*last);
    // The filter checks every 50 ms, or later on a busy machine.
    assert!(
        silent + Duration::from_millis(50) >= limit && silent < limit + Duration::from_millis(700),
        "broken off after {silent:?} of silence"
    );
    // Over HTTP/1.1, Envoy closes the connection up to a second later (`delayed_close_timeout`).
    let noticed = heard.ended.saturating_duration_since(left);
    assert!(noticed < Duration::from_millis(2500), "after {noticed:?}");
}

async fn unfinished(case: Case, api: Api) {
    let heard = hear(&case, api, "passing-end-3").await;
    let expected = only_the_first(&heard, api).await;
    is_ended_by_our_error(&heard, api, &expected);
}

/// The usage event that the router has requested is removed, which makes the stream shorter than the backend's length
/// says; and an incomplete last event may be completed.
async fn with_length(case: Case, api: Api) {
    let leaves_out = api == Api::OpenAi;
    for asks in [false, true] {
        let ask = |name: &str| {
            let model = model(&case, &api.model(name));
            case.ask_streamed_for(api, &model, asks).listen()
        };
        let heard = ask("scripted-with-length").await;
        let is_left_out = leaves_out && !asks;
        let usage = if is_left_out { "" } else { usage(api) };
        let said = [content(api), usage, finish(api)].concat();
        assert_eq!(heard.is_whole().text(), said);
        let is_told = heard.answer.header("content-length").is_some();
        assert_eq!(is_told, !is_left_out);
        if is_left_out {
            let heard = ask("passing-end-length-3").await;
            let expected = only_the_first(&heard, api).await;
            is_ended_by_our_error(&heard, api, &expected);
        }
    }
}

async fn half_an_event(case: Case, api: Api) {
    let heard = hear(&case, api, "scripted-half-an-event").await;
    let said = [content(api), half(api)].concat();
    is_ended_by_our_error(&heard, api, said.as_bytes());
    // The last event lacks only its blank line, without which clients would ignore it.
    let heard = hear(&case, api, "scripted-no-blank-line").await;
    let said = [content(api), finish(api)].concat();
    assert_eq!(heard.is_whole().text(), said);
}

async fn until_close(case: Case, api: Api) {
    let heard = hear(&case, api, "scripted-until-close").await;
    let said = [content(api), content(api)].concat();
    is_ended_by_our_error(&heard, api, said.as_bytes());
    let heard = hear(&case, api, "scripted-until-close-finished").await;
    let said = [content(api), finish(api)].concat();
    assert_eq!(heard.is_whole().text(), said);
    // The backend's claims in the router's own headers do not count.
    heard.answer.tells(Some(&api.model_of_script()), 1, &[]);
    assert_eq!(heard.answer.header("x-llm-router-unretried"), None);
}

async fn trailers(case: Case, api: Api) {
    for script in ["scripted-trailers", "scripted-trailers-first"] {
        let heard = hear(&case, api, script).await;
        heard.is_broken();
    }
    let heard = hear(&case, api, "scripted-trailers-finished").await;
    let said = [content(api), finish(api)].concat();
    assert_eq!(heard.is_whole().text(), said);
}

async fn stall(case: Case, api: Api) {
    let heard = hear(&case, api, "passing-stall-3").await;
    heard.is_broken();
    assert_eq!(
        tokens(&heard.text()).iter().filter(|it| *it != "").count(),
        3
    );
    ended_by_silence(&heard, api, Duration::from_millis(1500)).await;
}

async fn stall_after_the_finish(case: Case, api: Api) {
    let heard = hear(&case, api, "passing-stall-finished").await;
    heard.is_broken();
    let finished = match api {
        Api::OpenAi => "\"finish_reason\":\"stop\"",
        Api::Anthropic => "\"stop_reason\":\"end_turn\"",
    };
    assert!(heard.text().contains(finished), "{}", heard.text());
    ended_by_silence(&heard, api, Duration::from_millis(1500)).await;
}

async fn malformed_dropped(case: Case, api: Api) {
    for fault in ["malformed-0", "malformed-3", "crlf", "bytewise"] {
        for kind in ["dropping", "dropping-alone"] {
            let heard = hear(&case, api, &format!("{kind}-{fault}")).await;
            let all = only_the_first(&heard, api).await;
            let all = String::from_utf8(all).expect("text");
            let malformed = match api {
                Api::OpenAi => "data: {\"broken\n\n",
                Api::Anthropic => "event: content_block_delta\ndata: {\"broken\n\n",
            };
            let expected = all.replacen(malformed, "", 1);
            assert_eq!(expected.len() < all.len(), fault.starts_with("malformed"));
            heard.is_whole().says(expected.as_bytes());
        }
    }
}

async fn gzip(case: Case, api: Api) {
    let heard = hear(&case, api, "passing-gzip").await;
    heard.is_whole();
    assert_eq!(
        heard.answer.header("content-encoding").as_deref(),
        Some("gzip")
    );
    let expected = only_the_first(&heard, api).await;
    let unpacked = |bytes: &[u8]| {
        let mut text = String::new();
        let mut decoder = GzDecoder::new(bytes);
        // The checksum is verified: one changed byte would be an error.
        decoder.read_to_string(&mut text).expect("it is as it was");
        assert!(decoder.into_inner().is_empty(), "and nothing behind it");
        tokens(&text)
    };
    assert_eq!(unpacked(&heard.answer.body), unpacked(&expected));
}

async fn longer_than_an_attempt(case: Case, api: Api) {
    let heard = hear(&case, api, "passing-slow-words-250").await;
    let expected = only_the_first(&heard, api).await;
    heard.is_whole().says(&expected);
    let took = heard.ended - heard.asked;
    assert!(took > Duration::from_millis(1500), "{took:?}");
}

/// With the backend's own headers, there are more than Envoy accepts from a backend.
async fn too_many_headers(case: Case, api: Api) {
    let name = model(&case, &api.model("passing-headers-100"));
    let heard = case.ask_streamed(api, &name).listen().await;
    heard.is_whole().answer.is(200);
    let attempts = heard.answer.attempts();
    assert_eq!(attempts.last().expect("one").0, super::second(api));
}

async fn over_http2(case: Case) {
    for fault in OVER_HTTP2 {
        let name = model(&case, &format!("over-http2-{fault}"));
        let heard = case.ask_streamed(Api::OpenAi, &name).listen().await;
        let seen = heard.answer.only_at("second");
        let expected = heard.what_says("second", &seen).await;
        match fault {
            "end-3" => is_ended_by_our_error(&heard, Api::OpenAi, &expected),
            "end-finished" => {
                heard.is_whole().says(&expected);
            }
            _ => {
                heard.is_broken();
            }
        }
    }
}
