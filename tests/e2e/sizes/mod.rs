//! Trials of large bodies: larger than the document allows, than Envoy keeps for retries, or than usual.

mod overload;

use std::time::{Duration, Instant};

use serde_json::json;

use crate::fleet::SharedEnvoy;
use crate::fleet::sizes::{DOCUMENTS_LIMIT, LARGE, RETRY_BUFFER, faults};
use crate::harness::{Answer, Api, Call, Case, Protocol, Suite};

pub(crate) fn add(suite: &mut Suite) {
    overload::add(suite);
    for protocol in Protocol::ALL {
        let small = SharedEnvoy::SmallRetryBuffer { tells: true };
        let name = "sizes::over_the_documents_limit";
        suite.on(name, small, protocol, over_the_documents_limit);
        let name = "sizes::too_large_for_a_retry";
        suite.on(name, small, protocol, too_large_for_a_retry);
        suite.on("sizes::no_retry_left", small, protocol, no_retry_left);
        let quiet = SharedEnvoy::SmallRetryBuffer { tells: false };
        let name = "sizes::nothing_is_told_where_it_is_not_wanted";
        suite.on(name, quiet, protocol, nothing_told);
        let name = "sizes::images_of_twenty_megabytes";
        suite.on(name, SharedEnvoy::Large, protocol, images);
        let name = "sizes::over_both_limits";
        suite.on(name, SharedEnvoy::Large, protocol, over_both_limits);
    }
}

/// Returns a chat request for this model with a body of this many bytes.
fn sized(case: &Case, model: &str, stream: bool, bytes: usize) -> Call {
    let body = |filler: String| {
        let content = json!([{"role": "user", "content": filler}]);
        json!({"model": model, "stream": stream, "messages": content}).to_string()
    };
    let filler = bytes.saturating_sub(body(String::new()).len());
    case.post("/v1/chat/completions", body("x".repeat(filler)))
}

async fn over_the_documents_limit(case: Case) {
    let is_refused = |answer: &Answer, api| {
        answer
            .is_error(api, 413, "request_too_large")
            .went_nowhere();
        let message = &answer.json()["error"]["message"];
        let limit = DOCUMENTS_LIMIT.to_string();
        assert!(message.as_str().unwrap().contains(&limit), "{message}");
    };
    for api in Api::ALL {
        for chunked in [false, true] {
            // The answer does not wait for a body that nobody will read.
            let started = Instant::now();
            let mut call = case.ask(api, "openai-status-503");
            if chunked {
                call = call.chunked();
                for _ in 0..=DOCUMENTS_LIMIT / 65_536 {
                    call = call.piece(vec![b' '; 65_536]);
                }
            }
            let call = call
                .pause(Duration::from_secs(20))
                .piece(vec![b' '; DOCUMENTS_LIMIT]);
            let answer = call.send_on(&mut case.connect().await).await;
            is_refused(&answer, api);
            assert!(
                started.elapsed() < Duration::from_secs(10),
                "chunked: {chunked}"
            );
        }
    }
    // Exact to the byte.
    let model = "openai-status-503";
    let answer = sized(&case, model, false, DOCUMENTS_LIMIT).send().await;
    answer.is(503);
    is_refused(
        &sized(&case, model, false, DOCUMENTS_LIMIT + 1).send().await,
        Api::OpenAi,
    );
}

/// Envoy and the filter notice at the same moment that the body is too large, and the filter's answer is sent.
async fn over_both_limits(case: Case) {
    for api in Api::ALL {
        let mut call = case.ask(api, "openai-status-503").chunked();
        for _ in 0..LARGE / 65_536 * 5 / 4 {
            call = call.piece(vec![b' '; 65_536]);
        }
        let answer = call.send_on(&mut case.connect().await).await;
        answer
            .is_error(api, 413, "request_too_large")
            .went_nowhere();
        let message = &answer.json()["error"]["message"];
        let is_told = message.as_str().unwrap().contains(&LARGE.to_string());
        assert!(is_told, "{message}");
    }
}

/// Every way in which the first attempt can fail, if Envoy does not make the second.
async fn unretried(case: &Case, first: &str, reached: &str, bytes: usize) -> Vec<Answer> {
    let mut answers = vec![];
    for (fault, _) in faults() {
        let stream = fault != "status-503";
        let call = sized(case, &format!("{first}-{fault}"), stream, bytes);
        let answer = call.send().await;
        let (status, code) = match fault {
            "status-503" => (503, "status_503"),
            "reset" => (503, "upstream_reset"),
            _ => (502, "upstream_incomplete"),
        };
        answer.is(status).went_to(&[reached]);
        if fault != "status-503" {
            answer.is_error(Api::OpenAi, status, code);
        }
        answers.push(answer);
    }
    answers
}

/// Asserts what the answers report about it.
#[track_caller]
fn tell(answers: &[Answer], first: &str, reason: &str) {
    for (answer, (fault, _)) in answers.iter().zip(faults()) {
        let told = answer.header("x-llm-router-unretried");
        assert_eq!(
            told.as_deref(),
            Some(reason),
            "{fault}{}",
            answer.describe()
        );
        match fault {
            "status-503" => answer.tells(Some(first), 1, &[]),
            "reset" => answer.tells(None, 1, &[&format!("{first}=reset")]),
            _ => answer.tells(None, 1, &[&format!("{first}=incomplete")]),
        };
    }
}

async fn count(case: &Case, reason: &str) -> u64 {
    let name = format!("wasmcustom.llm_router.unretried.{reason}");
    case.envoy.stat(&name).await.expect("it is counted")
}

async fn too_large_for_a_retry(case: Case) {
    let before = count(&case, "body_too_large").await;
    let answers = unretried(&case, "openai", "openai", RETRY_BUFFER * 2).await;
    tell(&answers, "openai", "body_too_large");
    let counted = count(&case, "body_too_large").await - before;
    assert!(counted >= answers.len() as u64, "{counted}");
    // A body that fits is sent again.
    for (fault, _) in faults() {
        let call = sized(&case, &format!("openai-{fault}"), true, RETRY_BUFFER / 2);
        let answer = call.send().await;
        answer.is(200).went_to(&["openai", "azure-east"]);
        assert_eq!(answer.header("x-llm-router-unretried"), None);
    }
}

async fn no_retry_left(case: Case) {
    let before = count(&case, "circuit_breaker").await;
    let answers = unretried(&case, "breaker", "bare", 1000).await;
    tell(&answers, "breaker", "circuit_breaker");
    let counted = count(&case, "circuit_breaker").await - before;
    assert!(counted >= answers.len() as u64, "{counted}");
}

/// The same answers without any report, and without the filter's retry header, which is checked for every answer.
async fn nothing_told(case: Case) {
    unretried(&case, "openai", "openai", RETRY_BUFFER * 2).await;
    unretried(&case, "breaker", "bare", 1000).await;
}

/// An image in base64, with one attempt, and with a failing attempt before it.
async fn images(case: Case) {
    const IMAGE: usize = 20_000_000;
    let image = format!("data:image/png;base64,{}", "iVBORw0K".repeat(IMAGE / 8));
    for (model, reached) in [
        ("breaker-status-503", vec!["bare"]),
        ("openai-status-503", vec!["openai", "azure-east"]),
    ] {
        let body = json!({"model": model, "messages": [{"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": image}},
        ]}]});
        let answer = case
            .post("/v1/chat/completions", body.to_string())
            .send()
            .await;
        let seen = answer.went_to(&reached);
        answer.is(if reached.len() == 1 { 503 } else { 200 });
        for seen in seen {
            seen.has_its_length();
            let url = &seen.json()["messages"][0]["content"][1]["image_url"]["url"];
            assert!(url.as_str() == Some(&image), "the image is another one");
        }
    }
}
