//! Makes one request and checks its answer.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::document::{DEADLINE_MS, HOLDS, MAX_ATTEMPTS, MODEL};
use crate::random::Random;

/// How late an answer may be on a busy machine.
const SLACK: Duration = Duration::from_secs(3);
/// The limit for streamed answers. An answer that takes longer must contain a silence above the idle limit, and Envoy
/// closes broken HTTP/1.1 connections only a second or two later.
const STREAM_LIMIT: Duration = Duration::from_secs(12);

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChaosRequest {
    pub(crate) is_openai: bool,
    pub(crate) hold: &'static str,
    pub(crate) stream: bool,
    /// When the client leaves in the middle of the answer, if it does.
    pub(crate) leaves: Option<Duration>,
    /// The number of bytes in the prompt.
    pub(crate) talk: usize,
}

impl ChaosRequest {
    pub(crate) fn random(random: &mut Random) -> Self {
        let hold = random.pick(&HOLDS);
        let stream = random.percent(70);
        let leaves = if random.percent(4) {
            Some(Duration::from_millis(random.below(400)))
        } else if hold == "none" && !stream {
            // The router does not follow an answer that is neither held nor streamed. If its backend falls silent in
            // the middle, only Envoy's own idle timeout ends it.
            Some(STREAM_LIMIT)
        } else {
            None
        };
        Self {
            is_openai: random.percent(60),
            hold,
            stream,
            leaves,
            talk: random.pick(&[100, 100, 1000, 10_000, 100_000]),
        }
    }

    fn api(&self) -> &'static str {
        if self.is_openai {
            "openai"
        } else {
            "anthropic"
        }
    }

    fn path(&self) -> &'static str {
        if self.is_openai {
            "/v1/chat/completions"
        } else {
            "/v1/messages"
        }
    }
}

/// How a request ended. Any other end is a fault of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// A complete, correct answer.
    Whole,
    /// An error with its own status, in the caller's format.
    Refused(u16),
    /// A stream that ends with an error event.
    ErrorEvent,
    /// Status 200 with an error object.
    ErrorBody,
    /// Status 200 with a body that is not JSON.
    Unreadable,
    /// The answer broke off after its headers.
    Broken,
    /// The client left.
    Left,
}

/// The end of a request.
pub(crate) struct RequestResult {
    pub(crate) outcome: Outcome,
    /// The number of attempts, as the answer's headers report it.
    pub(crate) attempts: usize,
    /// The failed attempts, as the answer's headers report them: `backend=failure, …`
    pub(crate) failures: String,
}

/// What is known about an answer at its end.
struct RawAnswer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
    broken: Option<String>,
}

/// Makes a request. An error is a complaint about the gateway.
pub(crate) async fn make(
    client: &reqwest::Client,
    address: std::net::SocketAddr,
    id: &str,
    ask: ChaosRequest,
) -> Result<RequestResult, String> {
    let messages = json!([{"role": "user", "content": "a ".repeat(ask.talk / 2)}]);
    let body = json!({
        "model": format!("{}-{}", ask.hold, ask.api()), "max_tokens": 16, "stream": ask.stream, "messages": messages,
    });
    let request = client
        .post(format!("http://{address}{}", ask.path()))
        .header("content-type", "application/json")
        .header("anthropic-version", "2023-06-01")
        .header("x-test-id", id)
        .body(body.to_string());
    let asked = Instant::now();
    let exchange = exchange(request, asked);
    let limit = Duration::from_millis(DEADLINE_MS) + SLACK + STREAM_LIMIT;
    let got = tokio::time::timeout(ask.leaves.unwrap_or(limit), exchange).await;
    let Ok(got) = got else {
        if ask.leaves.is_none() {
            return Err(format!("{id} ({ask:?}) never ends"));
        }
        return Ok(RequestResult {
            outcome: Outcome::Left,
            attempts: 0,
            failures: String::new(),
        });
    };
    got.and_then(|got| judge(&got, ask))
        .map_err(|reason| format!("{id} ({ask:?}) after {:?}: {reason}", asked.elapsed()))
}

async fn exchange(request: reqwest::RequestBuilder, asked: Instant) -> Result<RawAnswer, String> {
    let response = request.send().await;
    let mut response = response.map_err(|error| format!("no answer: {error:?}"))?;
    let waited = asked.elapsed();
    if waited > Duration::from_millis(DEADLINE_MS) + SLACK {
        return Err(format!("the deadline has long passed: {waited:?}"));
    }
    let mut got = RawAnswer {
        status: response.status().as_u16(),
        headers: response
            .headers()
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.to_string(), value)
            })
            .collect(),
        body: vec![],
        broken: None,
    };
    let begun = Instant::now();
    loop {
        match response.chunk().await {
            Ok(Some(piece)) => got.body.extend_from_slice(&piece),
            Ok(None) => break,
            Err(error) => {
                got.broken = Some(format!("{error:?}"));
                break;
            }
        }
    }
    let lasted = begun.elapsed();
    if lasted > STREAM_LIMIT {
        return Err(format!("it went on for {lasted:?}"));
    }
    Ok(got)
}

fn judge(got: &RawAnswer, ask: ChaosRequest) -> Result<RequestResult, String> {
    let outcome = outcome(got, ask).map_err(|reason| {
        let body = String::from_utf8_lossy(&got.body);
        let tail: String = body
            .chars()
            .rev()
            .take(1500)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        format!("{reason}: {} {:?}\n…{tail}", got.status, got.headers)
    })?;
    let told = got.headers.get("x-llm-router-attempts");
    let told = told.and_then(|told| told.parse::<usize>().ok());
    let attempts = told.filter(|told| *told <= MAX_ATTEMPTS);
    let attempts = attempts.ok_or_else(|| format!("attempts as told: {told:?}"))?;
    // One target of each route never fails, and there are enough time and attempts for all of them.
    let may_fail = match ask.hold {
        "complete" => false,
        // An answer that is already being sent can break.
        "first_token" => ask.stream && matches!(outcome, Outcome::Broken | Outcome::ErrorEvent),
        _ => !matches!(outcome, Outcome::Refused(_)),
    };
    if outcome == Outcome::Whole || may_fail {
        let failures = got.headers.get("x-llm-router-failures");
        return Ok(RequestResult {
            outcome,
            attempts,
            failures: failures.cloned().unwrap_or_default(),
        });
    }
    Err(format!(
        "{outcome:?} although a target was well: {} {:?} {:?}\n{}",
        got.status,
        got.headers,
        got.broken,
        String::from_utf8_lossy(got.body.get(..got.body.len().min(1500)).unwrap_or_default()),
    ))
}

fn outcome(got: &RawAnswer, ask: ChaosRequest) -> Result<Outcome, String> {
    if got.status != 200 {
        let error = serde_json::from_slice::<Value>(&got.body);
        let error = error.map_err(|error| format!("an error that is no JSON: {error}"))?;
        if error["error"]["message"].is_string() && (error["type"] == "error") != ask.is_openai {
            return Ok(Outcome::Refused(got.status));
        }
        return Err("an error in another format".to_owned());
    }
    if got.broken.is_some() {
        return Ok(Outcome::Broken);
    }
    let unpacked = match got.headers.get("content-encoding").map(String::as_str) {
        Some("gzip") => unpacked(&got.body)?,
        _ => got.body.clone(),
    };
    let said = if ask.stream {
        streamed(&unpacked, ask)?
    } else {
        whole(&unpacked, ask)
    };
    let text = match said {
        ParsedAnswer::Text(text) => text,
        ParsedAnswer::Failure(outcome) => return Ok(outcome),
    };
    let backend = got.headers.get("x-llm-router-backend");
    let backend = backend.ok_or("nobody has answered it")?;
    let expected = format!(
        "Hello from demo backend {backend:?}. What reached me: POST {}, host {backend}.test, model {MODEL:?}.",
        ask.path()
    );
    if text == expected {
        Ok(Outcome::Whole)
    } else {
        Err("it looks whole, and is not".to_owned())
    }
}

enum ParsedAnswer {
    Text(String),
    Failure(Outcome),
}

fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut all = vec![];
    let read = GzDecoder::new(bytes).read_to_end(&mut all);
    read.map_err(|error| format!("packed so that it cannot be unpacked: {error}"))?;
    Ok(all)
}

/// Returns what a client concludes from a stream that is complete to HTTP.
fn streamed(bytes: &[u8], ask: ChaosRequest) -> Result<ParsedAnswer, String> {
    let text = String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string())?;
    let mut said = String::new();
    let mut is_finished = false;
    for data in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
        // Malformed events pass through, and clients skip them.
        let Ok(event) = serde_json::from_str::<Value>(data) else {
            continue;
        };
        if event.get("error").is_some_and(|error| !error.is_null()) {
            return Ok(ParsedAnswer::Failure(Outcome::ErrorEvent));
        }
        let (delta, reason) = if ask.is_openai {
            ("/choices/0/delta/content", "/choices/0/finish_reason")
        } else {
            ("/delta/text", "/delta/stop_reason")
        };
        said.push_str(
            event
                .pointer(delta)
                .and_then(Value::as_str)
                .unwrap_or_default(),
        );
        is_finished |= event.pointer(reason).is_some_and(Value::is_string);
    }
    if is_finished {
        Ok(ParsedAnswer::Text(said))
    } else {
        Err("cut, and it looks whole".to_owned())
    }
}

fn whole(bytes: &[u8], ask: ChaosRequest) -> ParsedAnswer {
    let Ok(answer) = serde_json::from_slice::<Value>(bytes) else {
        return ParsedAnswer::Failure(Outcome::Unreadable);
    };
    if answer.get("error").is_some_and(|error| !error.is_null()) {
        return ParsedAnswer::Failure(Outcome::ErrorBody);
    }
    let text = if ask.is_openai {
        "/choices/0/message/content"
    } else {
        "/content/0/text"
    };
    let text = answer.pointer(text).and_then(Value::as_str);
    ParsedAnswer::Text(text.unwrap_or_default().to_owned())
}

/// Returns a complaint about a request's attempts, as the backends saw them.
pub(crate) fn complaint(id: &str, attempts: &[(&'static str, Vec<u8>)]) -> Option<String> {
    let mut counts: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for (backend, body) in attempts {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let model = body["model"].as_str().unwrap_or_default().to_owned();
        *counts.entry((backend, model)).or_default() += 1;
    }
    let most = counts.values().max().copied().unwrap_or(0);
    (most > 2 || attempts.len() > MAX_ATTEMPTS)
        .then(|| format!("{id} had more attempts than the policy allows: {counts:?}"))
}
