//! Trials of the verdict on each failure: which attempts follow, when, and what the caller is told.
//!
//! Each trial runs on an Envoy with the default policy; deviations are set by the scenario's own route. Every trial has
//! its own targets: see [`crate::fleet::policy`].

mod answers;
mod cooldowns;
mod deadlines;
mod error_answers;
mod failures;
mod rate_limits;
mod steering;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fleet::policy::{VirtualModel, first, model, second};
use crate::harness::wire::Wire;
use crate::harness::{Answer, Api, Call, Case, SeenRequest, Suite};

pub(crate) fn add(suite: &mut Suite) {
    rate_limits::add(suite);
    failures::add(suite);
    error_answers::add(suite);
    answers::add(suite);
    cooldowns::add(suite);
    deadlines::add(suite);
    steering::add(suite);
}

/// Returns the virtual models of these trials.
pub(crate) fn virtuals() -> Vec<VirtualModel> {
    [
        rate_limits::virtuals(),
        failures::virtuals(),
        error_answers::virtuals(),
        answers::virtuals(),
        cooldowns::virtuals(),
        deadlines::virtuals(),
        steering::virtuals(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How late a timed event may be on a busy machine.
const SLACK: Duration = Duration::from_millis(500);

/// The filter counts whole milliseconds.
const ROUNDING: Duration = Duration::from_millis(2);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Creates a request for a virtual model of the API.
fn ask(case: &Case, api: Api, name: &str) -> Call {
    case.ask(api, &model(case, &api.model(name)))
}

/// Creates a request for a virtual model that exists only for OpenAI's API.
fn chat(case: &Case, name: &str) -> Call {
    case.chat(&model(case, name))
}

/// Creates a request for a streamed answer of such a model.
fn stream(case: &Case, name: &str) -> Call {
    let body =
        json!({"model": model(case, name), "stream": true, "max_tokens": 16, "messages": []});
    case.post("/v1/chat/completions", body.to_string())
}

/// Makes one request on a connection of its own, so that any worker may get it.
async fn on_its_own(call: Call, case: &Case) -> Answer {
    call.send_on(&mut Wire::connect(case.envoy.address, case.protocol).await)
        .await
}

/// Returns the times between the arrivals of consecutive attempts.
fn gaps(seen: &[SeenRequest]) -> Vec<Duration> {
    seen.windows(2)
        .map(|pair| pair[1].0.at.duration_since(pair[0].0.at))
        .collect()
}

/// Asserts that something took this long, and hardly longer.
#[track_caller]
fn assert_takes(time: Duration, expected: Duration, what: &str) {
    assert!(
        time + ROUNDING >= expected && time <= expected + SLACK,
        "{what} took {time:?} where {expected:?} was expected"
    );
}

/// Asserts the same of an attempt that its limit has ended. Its time began when it left Envoy, possibly well before it
/// arrived.
#[track_caller]
fn assert_ends(time: Duration, limit: Duration, what: &str) {
    assert!(
        time + ms(150) >= limit && time <= limit + SLACK,
        "{what} took {time:?} where {limit:?} was the limit"
    );
}

/// Asserts that something happened without delay.
#[track_caller]
fn assert_at_once(time: Duration, what: &str) {
    assert_takes(time, Duration::ZERO, what);
}

/// Returns the backend's own answer to the request of this attempt, asked again without Envoy.
async fn own_answer(case: &Case, backend: &str, seen: &SeenRequest) -> (u16, Vec<u8>) {
    let url = format!(
        "http://{}{}",
        case.world.backends.address(backend),
        seen.0.path
    );
    let mut request = case.world.http1.post(url).body(seen.0.body.clone());
    for name in ["content-type", "anthropic-version"] {
        if let Some(value) = seen.header(name) {
            request = request.header(name, value);
        }
    }
    let response = request.send().await.expect("the backend answers");
    let status = response.status().as_u16();
    (status, response.bytes().await.expect("a body").to_vec())
}

/// Asserts that the client got the answer of the attempt's backend, byte for byte.
async fn assert_own(case: &Case, answer: &Answer, backend: &str, seen: &SeenRequest) {
    let (status, body) = own_answer(case, backend, seen).await;
    assert_eq!(answer.status, status, "the status{}", answer.describe());
    assert!(
        answer.body == body,
        "not the backend's own answer, which is {}{}",
        String::from_utf8_lossy(&body),
        answer.describe()
    );
    assert_eq!(
        answer.header("content-length"),
        Some(body.len().to_string()),
        "content-length{}",
        answer.describe()
    );
}

/// Returns the answer, and how long it took the client to get it.
async fn timed(call: Call) -> (Answer, Duration) {
    let begun = Instant::now();
    let answer = call.send().await;
    (answer, begun.elapsed())
}

/// Returns the body of a small request with additional fields.
fn with(case: &Case, name: &str, more: Value) -> Value {
    let mut body = json!({"model": model(case, name), "max_tokens": 16, "messages": []});
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}
