//! Answers as they are sent: what is sent, when, and how the answer ends.

use std::io::Write as _;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::api::{self, Api, Operation};
use super::call::{Call, Refusal};
use super::clock::{http_date, time_in};
use super::connection::Breaker;
use super::event::{Event, StreamPart, up_to_tokens};
use super::fault::{ApiError, DeclaredLength, EarlyStop, Ending, Fault, RetryAdvice, StopPoint};
use super::record::ProgressRecorder;
use super::reply::Reply;
use super::scripted_body::{BodyStep, ScriptedBody};

/// The pause between two events of a streamed answer.
const WORD_INTERVAL: Duration = Duration::from_millis(20);

/// The pause before a connection breaks, so that what was sent has left.
const BEFORE_BREAK: Duration = Duration::from_millis(20);

/// The reasoning of every answer.
const THOUGHT: &str = "Somebody greets me, so I think of a greeting.";

/// An answer that is being built.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    /// The `content-length`, which need not match the body.
    length: Option<usize>,
    steps: Vec<BodyStep>,
    /// The tokens that the backend counts for the answer: input and output.
    counted: Option<(u64, u64)>,
}

impl Answer {
    /// Returns the answer to a request that is refused.
    pub(crate) fn refusal(refusal: &Refusal) -> Answer {
        let Refusal {
            api,
            status,
            message,
        } = refusal;
        if matches!(*status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            // HTTP allows no body with these.
            return Answer::bare(*status);
        }
        Answer::error(*api, *status, &api.error(*status, message))
    }

    /// Returns the answer to a request, with this fault if it is one that has an answer at all.
    pub(crate) fn to(name: &str, call: &Call, reply: Reply, fault: Option<&Fault>) -> Answer {
        let reply = said_by(reply, fault);
        match fault {
            Some(Fault::Status(status, advice)) => {
                let mut answer = Answer::refusal(&Refusal {
                    api: call.api,
                    status: *status,
                    message: format!(
                        "Demo backend {name:?} was asked for status {}.",
                        status.as_u16()
                    ),
                });
                for (name, value) in advice
                    .iter()
                    .flat_map(|advice| advice_headers(call.api, advice))
                {
                    answer.insert(HeaderName::from_static(name), &value);
                }
                answer
            }
            Some(Fault::Refuse(failure)) => Answer::error(
                call.api,
                StatusCode::BAD_REQUEST,
                &call.api.failure(*failure),
            ),
            Some(Fault::EmptyBody) => Answer::body(StatusCode::OK, "application/json", ""),
            // Flush first: otherwise the server knows that nothing follows, and sends a length.
            Some(Fault::EmptyStream) => Answer::stream(call.operation, vec![BodyStep::Flush]),
            _ => {
                let mut answer = if call.stream {
                    streamed(call, &reply, fault)
                } else {
                    whole(call, &reply, fault)
                };
                answer.counted = Some((reply.input_tokens, reply.output_tokens));
                match fault {
                    Some(Fault::Headers(count)) => answer.add_headers(*count),
                    Some(Fault::Gzip) => answer.compress(),
                    Some(Fault::Bytewise) => answer.split(),
                    _ => {}
                }
                answer
            }
        }
    }

    /// Converts the answer to a response. Its body may break the connection, and reports its progress to the watch.
    pub(crate) fn respond(self, breaker: Breaker, watch: ProgressRecorder) -> Response {
        let mut headers = self.headers;
        if let Some(counted) = self.counted {
            watch.count(counted);
        }
        if let Some(length) = self.length {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        let body = Body::new(ScriptedBody::new(self.steps, breaker, watch));
        (self.status, headers, body).into_response()
    }

    /// Creates an answer without headers and body.
    pub(crate) fn bare(status: StatusCode) -> Answer {
        Answer {
            status,
            headers: HeaderMap::new(),
            length: None,
            steps: Vec::new(),
            counted: None,
        }
    }

    pub(crate) fn json(status: StatusCode, body: &Value) -> Answer {
        Answer::body(status, "application/json", body.to_string())
    }

    fn error(api: Api, status: StatusCode, body: &Value) -> Answer {
        let mut answer = Answer::json(status, body);
        if let Some((name, value)) = api.error_header(status) {
            answer.insert(HeaderName::from_static(name), value);
        }
        answer
    }

    pub(crate) fn body(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Answer {
        let body = body.into();
        let mut answer = Answer::bare(status);
        answer.insert(header::CONTENT_TYPE, content_type);
        answer.length = Some(body.len());
        answer.send(body);
        answer
    }

    fn stream(operation: Operation, steps: Vec<BodyStep>) -> Answer {
        let mut answer = Answer::bare(StatusCode::OK);
        answer.insert(header::CONTENT_TYPE, operation.stream_type());
        answer.insert(header::CACHE_CONTROL, "no-cache");
        answer.steps = steps;
        answer
    }

    fn send(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        if !bytes.is_empty() {
            self.steps.push(BodyStep::Send(bytes));
        }
    }

    fn insert(&mut self, name: HeaderName, value: &str) {
        // All of these values are visible ASCII.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }

    fn sent(&self) -> usize {
        self.steps.iter().fold(0, |sum, step| match step {
            BodyStep::Send(bytes) => sum.saturating_add(bytes.len()),
            _ => sum,
        })
    }

    fn end(&mut self, ending: Ending) {
        let last = match ending {
            Ending::Clean => return,
            Ending::Fin => BodyStep::Close,
            Ending::Rst => BodyStep::Reset,
            Ending::Silence => BodyStep::Silence,
        };
        self.steps.push(BodyStep::Wait(BEFORE_BREAK));
        self.steps.push(last);
    }

    fn add_headers(&mut self, count: usize) {
        for number in 0..count {
            if let Ok(name) = HeaderName::try_from(format!("x-demo-{number}")) {
                self.insert(name, "demo");
            }
        }
    }

    /// Splits the body into chunks of one byte, each sent before the next is available.
    fn split(&mut self) {
        self.steps = std::mem::take(&mut self.steps)
            .into_iter()
            .flat_map(|step| match step {
                BodyStep::Send(bytes) => bytes
                    .iter()
                    .flat_map(|byte| {
                        [
                            BodyStep::Send(Bytes::copy_from_slice(&[*byte])),
                            BodyStep::Flush,
                        ]
                    })
                    .collect(),
                step => vec![step],
            })
            .collect();
    }

    /// Compresses the body so that each step's bytes can be decoded without those of the next.
    fn compress(&mut self) {
        // Writing to a vector does not fail.
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        for step in &mut self.steps {
            if let BodyStep::Send(bytes) = step {
                let _ = encoder.write_all(bytes);
                let _ = encoder.flush();
                *bytes = Bytes::from(std::mem::take(encoder.get_mut()));
            }
        }
        self.send(encoder.finish().unwrap_or_default());
        self.insert(header::CONTENT_ENCODING, "gzip");
        self.length = self.length.map(|_| self.sent());
    }
}

/// Returns the reply with the changes of a fault that concerns its content.
fn said_by(reply: Reply, fault: Option<&Fault>) -> Reply {
    match fault {
        Some(Fault::Words(words)) => {
            let words: Vec<String> = (1..=*words).map(|word| format!("word{word}")).collect();
            reply.saying(words.join(" "))
        }
        Some(Fault::Large(kib)) => {
            // Each of these is one piece of a stream.
            let piece = format!("{} ", "x".repeat(1023));
            reply.saying(piece.repeat(*kib))
        }
        Some(Fault::Reasoning) => Reply {
            reasoning: Some(THOUGHT.to_owned()),
            ..reply
        },
        _ => reply,
    }
}

fn advice_headers(api: Api, advice: &RetryAdvice) -> Vec<(&'static str, String)> {
    match advice {
        RetryAdvice::Seconds(seconds) => vec![("retry-after", seconds.clone())],
        RetryAdvice::Milliseconds(millis) => vec![("retry-after-ms", millis.to_string())],
        RetryAdvice::Date(seconds) => {
            let date = http_date(time_in(Duration::from_secs(*seconds)));
            vec![("retry-after", date)]
        }
        RetryAdvice::Reset(millis) => api.exhausted(Duration::from_millis(*millis)),
    }
}

fn whole(call: &Call, reply: &Reply, fault: Option<&Fault>) -> Answer {
    let whole = api::whole(call, reply);
    let kind = whole.content_type;
    let body = Bytes::from(whole.body);
    let mut answer = match fault {
        Some(Fault::ErrorFirst(failure)) => {
            return Answer::json(StatusCode::OK, &call.api.failure(*failure));
        }
        Some(Fault::ErrorAfter(_)) => {
            return Answer::json(StatusCode::OK, &call.api.failure(ApiError::Server));
        }
        Some(Fault::Malformed(_)) => Answer::body(StatusCode::OK, kind, "{\"broken"),
        Some(Fault::Bytewise) => Answer {
            length: None,
            ..Answer::body(StatusCode::OK, kind, body)
        },
        Some(Fault::Stop(stop)) => {
            let sent = match stop.at {
                StopPoint::Headers => 0,
                StopPoint::Tokens(_) | StopPoint::Finish => body.len() / 2,
                StopPoint::Terminator => body.len(),
            };
            let answer = Answer::body(StatusCode::OK, kind, body.slice(..sent));
            stopped(answer, *stop, body.len())
        }
        _ => Answer::body(StatusCode::OK, kind, body),
    };
    if kind != "application/json" || matches!(call.api, Api::Gemini | Api::Bedrock) {
        // Clients of these APIs drop unknown fields, and answers that are not JSON have no fields.
        answer.insert(HeaderName::from_static("x-demo"), &reply.demo.to_string());
    }
    answer
}

/// Returns what is sent of an answer that stops, with its length and its ending.
fn stopped(mut answer: Answer, stop: EarlyStop, full: usize) -> Answer {
    answer.length = match stop.length {
        DeclaredLength::Absent => None,
        DeclaredLength::Sent => Some(answer.sent()),
        DeclaredLength::Full => Some(full),
    };
    answer.end(stop.ending);
    answer
}

fn streamed(call: &Call, reply: &Reply, fault: Option<&Fault>) -> Answer {
    let operation = call.operation;
    let mut events = api::events(call, reply);
    match fault {
        Some(Fault::ErrorFirst(failure)) => {
            events = vec![operation.error_event(*failure, true)];
        }
        Some(Fault::ErrorAfter(tokens)) => {
            events.truncate(up_to_tokens(&events, *tokens));
            events.push(operation.error_event(ApiError::Server, false));
        }
        Some(Fault::Malformed(tokens)) => {
            let at = up_to_tokens(&events, *tokens);
            events.insert(at, Event::new(StreamPart::Token, operation.malformed()));
        }
        Some(Fault::Pings(count)) => {
            let pings = vec![Event::new(StreamPart::Opening, operation.ping()); *count];
            events.splice(..0, pings);
        }
        Some(Fault::Crlf) => {
            for event in &mut events {
                event.end_lines_with_crlf();
            }
        }
        Some(Fault::Stop(stop)) => {
            let full = events
                .iter()
                .fold(0_usize, |sum, event| sum.saturating_add(event.bytes.len()));
            match stop.at {
                StopPoint::Headers => events.clear(),
                StopPoint::Tokens(tokens) => events.truncate(up_to_tokens(&events, tokens)),
                StopPoint::Finish => events.retain(|event| event.part <= StreamPart::Finish),
                StopPoint::Terminator => events.retain(|event| event.part < StreamPart::Terminator),
            }
            return stopped(Answer::stream(operation, paced(events, fault)), *stop, full);
        }
        _ => {}
    }
    Answer::stream(operation, paced(events, fault))
}

/// Returns the events with the pauses between them.
fn paced(events: Vec<Event>, fault: Option<&Fault>) -> Vec<BodyStep> {
    let mut steps = Vec::new();
    let mut previous = None;
    for event in events {
        let pause = pause(fault, previous, event.part);
        if !pause.is_zero() {
            steps.push(BodyStep::Wait(pause));
        }
        previous = Some(event.part);
        steps.push(BodyStep::Send(Bytes::from(event.bytes)));
    }
    steps
}

fn pause(fault: Option<&Fault>, previous: Option<StreamPart>, part: StreamPart) -> Duration {
    let token = part == StreamPart::Token;
    let next_token = token && previous == Some(StreamPart::Token);
    match (fault, previous) {
        (Some(Fault::Large(_) | Fault::Bytewise), _) => Duration::ZERO,
        (Some(Fault::SlowToken(time)), _) if token && !next_token => *time,
        (Some(Fault::SlowToken(_)), _) if part == StreamPart::Opening => Duration::ZERO,
        (Some(Fault::SlowWords(time)), _) if next_token => *time,
        (_, None) => Duration::ZERO,
        _ => WORD_INTERVAL,
    }
}
