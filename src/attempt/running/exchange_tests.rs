//! A simulated exchange around one attempt: the backend's answer arrives as events, Envoy does as it is told, and the
//! client gets what is released.

use super::super::*;
use crate::attempt::test_plans::{NOW, NoHeaders, Store, plan};
use crate::attempt::{FallbackPolicy, Refusal, begin};
use crate::schema::{Api, ErrorCode, error_event};

pub(super) type Headers = &'static [(&'static str, &'static str)];

pub(super) const SSE: Headers = &[("content-type", "text/event-stream; charset=utf-8")];
pub(super) const JSON: Headers = &[("content-type", "application/json")];

/// What happens to an attempt.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// The headers of an answer with a body.
    Head(u32, Headers),
    /// The headers of an answer without a body.
    Only(u32, Headers),
    /// A piece of the body.
    Piece(String),
    /// The last piece of the body.
    Last(String),
    Trailers,
    /// A timer fires this many milliseconds later.
    After(u64),
    /// The attempt ends.
    Done,
    /// The attempt ends without ever having had a connection.
    NoConnection,
}
pub(super) use Event::{After, Done, Head, Last, NoConnection, Only, Piece, Trailers};

/// A request under way, with the part of the answer that Envoy has.
pub(super) struct Exchange {
    pub(super) running: RunningAttempt,
    pub(super) store: Store,
    pub(super) now: u64,
    /// What the client has received.
    pub(super) client: String,
    /// Whether the client has received anything.
    pub(super) is_released: bool,
    pub(super) next_attempt: Option<NextAttempt>,
    held: Vec<u8>,
}

impl Exchange {
    pub(super) fn new(plan: Plan) -> Self {
        Exchange {
            running: RunningAttempt::new(plan, NOW),
            store: Store::default(),
            now: NOW,
            client: String::new(),
            is_released: false,
            next_attempt: None,
            held: Vec::new(),
        }
    }

    pub(super) fn with(targets: &str, change: impl FnOnce(&mut FallbackPolicy)) -> Self {
        let mut plan = plan(targets);
        change(&mut plan.policy);
        Exchange::new(plan)
    }

    pub(super) fn play(&mut self, events: &[Event]) -> String {
        let steps = events.iter().map(|event| self.event(event));
        steps.collect::<Vec<_>>().join("; ")
    }

    pub(super) fn event(&mut self, event: &Event) -> String {
        let action = match event {
            Head(status, headers) => self.head(*status, headers, false),
            Only(status, headers) => self.head(*status, headers, true),
            Piece(text) => self.body(text, false),
            Last(text) => self.body(text, true),
            Trailers => {
                let held = std::mem::take(&mut self.held);
                let read = |start: usize, length: usize| some(&held, start, length);
                let moment = self.store.at(self.now);
                let action = self.running.on_trailers(&read, || moment);
                self.held = held;
                action
            }
            After(ms) => {
                self.now += ms;
                self.running.on_time(self.store.at(self.now))
            }
            Done | NoConnection => {
                let no_connection = matches!(event, NoConnection);
                let next_attempt = self.running.on_done(no_connection, self.store.at(self.now));
                let Some(next_attempt) = next_attempt else {
                    return "nothing".to_owned();
                };
                let told = target_of(&next_attempt);
                self.next_attempt = Some(next_attempt);
                return format!("left {told}");
            }
        };
        self.take(action)
    }

    fn head(&mut self, status: u32, headers: Headers, end_of_stream: bool) -> ResponseAction {
        let header = |name: &str| {
            let found = headers.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.as_bytes().to_vec())
        };
        let head = crate::attempt::ResponseHead {
            status,
            end_of_stream,
            header: &header,
        };
        let moment = self.store.at(self.now);
        self.running.on_headers(&head, || moment)
    }

    fn body(&mut self, piece: &str, end_of_stream: bool) -> ResponseAction {
        self.held.extend_from_slice(piece.as_bytes());
        let held = std::mem::take(&mut self.held);
        let body = ResponseBody {
            size: held.len(),
            end_of_stream,
            read: &|start, length| some(&held, start, length),
        };
        let moment = self.store.at(self.now);
        let action = self.running.on_body(&body, || moment);
        self.held = held;
        action
    }

    /// Does what Envoy does with this action.
    fn take(&mut self, action: ResponseAction) -> String {
        match action {
            ResponseAction::Hold => return "hold".to_owned(),
            ResponseAction::Wait(next_attempt) => {
                let told = target_of(&next_attempt);
                self.next_attempt = Some(next_attempt);
                return format!("wait {told}");
            }
            _ => {}
        }
        let held = std::mem::take(&mut self.held);
        match action {
            ResponseAction::Pass => {
                self.is_released = true;
                self.client.push_str(std::str::from_utf8(&held).unwrap());
                "pass".to_owned()
            }
            ResponseAction::Replace(with) => {
                self.is_released = true;
                self.client.push_str(std::str::from_utf8(&with).unwrap());
                "replace".to_owned()
            }
            ResponseAction::Retry(next_attempt) => {
                self.next_attempt = next_attempt.or(self.next_attempt.take());
                format!("retry {}", target_of(self.next_attempt.as_ref().unwrap()))
            }
            ResponseAction::Answer(_, answer) => {
                let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
                format!(
                    "{} {}",
                    answer.status,
                    body["error"]["code"].as_str().unwrap()
                )
            }
            ResponseAction::Reset => "reset".to_owned(),
            ResponseAction::Hold | ResponseAction::Wait(_) => unreachable!(),
        }
    }

    /// Makes the attempt that Envoy makes from what was written.
    pub(super) fn next(&mut self) -> Result<(), Refusal> {
        let plan = Plan::decode(&self.next_attempt.take().unwrap().plan).unwrap();
        let backend = plan.target().unwrap().backend.clone();
        let adaptation = begin(plan, &backend, &NoHeaders, || self.store.at(self.now))?;
        self.running = adaptation.running;
        self.held.clear();
        Ok(())
    }

    pub(super) fn health(&self, target: usize) -> String {
        let key = self.running.plan.targets[target].key;
        self.store.state(key, self.now)
    }
}

/// The target of the next attempt; `-` if there is none.
fn target_of(next_attempt: &NextAttempt) -> String {
    let plan = Plan::decode(&next_attempt.plan).unwrap();
    assert_eq!(plan.cluster(), next_attempt.cluster);
    match plan.gave_up {
        true => "-".to_owned(),
        false => next_attempt.cluster.clone(),
    }
}

/// A part of a buffer; empty if the buffer is shorter.
fn some(buffer: &[u8], start: usize, length: usize) -> Vec<u8> {
    let rest = buffer.get(start..).unwrap_or_default();
    rest.get(..length).unwrap_or_default().to_vec()
}

pub(super) fn piece(text: &str) -> Event {
    Piece(text.to_owned())
}

pub(super) fn last(text: &str) -> Event {
    Last(text.to_owned())
}

pub(super) const PING: &str = ": ping\n\n";
pub(super) const ROLE: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
pub(super) const TOKEN: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n";
pub(super) const STOP: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
pub(super) const DONE: &str = "data: [DONE]\n\n";
pub(super) const ERROR: &str =
    "data: {\"error\":{\"message\":\"x\",\"type\":\"overloaded_error\"}}\n\n";
pub(super) const ODD: &str = "data: {\"choices\":[{\"delta\":{\"con\n\n";
pub(super) const LENGTH: Headers = &[SSE[0], ("content-length", "999")];

pub(super) fn held(hold: Hold) -> impl Fn(&mut FallbackPolicy) {
    move |policy| {
        policy.hold = Some(hold);
        policy.hold_limit_bytes = 1_024;
        policy.first_token_timeout_ms = 5_000;
    }
}

pub(super) fn incomplete() -> String {
    let code = ErrorCode::UpstreamIncomplete;
    let event = error_event(code, Api::ChatCompletions, code.default_message());
    String::from_utf8(event).unwrap()
}
