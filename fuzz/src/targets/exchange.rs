//! Plays one request from its headers to the end of its last attempt, with what Envoy does between the two roles.

use std::cell::RefCell;

use llm_router::attempt::{
    Adaptation, ChangeKind, CurrentHeaders, HeaderWrite, Moment, NextAttempt, PassThroughPlan,
    Plan, Refusal, ResponseAction, ResponseBody, ResponseHead, RunningAttempt, begin,
};
use llm_router::config::Document;
use llm_router::health::{Health, HealthStore};
use llm_router::request::{Caller, Headers, StreamingEdit};
use llm_router::routing::{AfterHeaders, PassThroughRequest, RoutedRequest, receive_headers};
use llm_router::schema::Answer;

use super::bytes::Bytes;

pub type Pairs = Vec<(String, Vec<u8>)>;

/// The header in which a filter behind ours adds a backend's key.
const INJECTED: &str = "x-injected-key";

/// What a backend received.
pub struct Sent {
    pub backend: String,
    pub headers: Pairs,
    pub body: Vec<u8>,
    /// The model that the plan has for it.
    pub model: String,
}

/// The answers of backends, and the time.
pub struct World<'a> {
    pub choices: Bytes<'a>,
    pub answer: &'a [u8],
    health: Memory,
    now: u64,
}

impl<'a> World<'a> {
    pub fn new(choices: Bytes<'a>, answer: &'a [u8]) -> Self {
        World {
            choices,
            answer,
            health: Memory::default(),
            now: 1_750_000_000_000,
        }
    }

    fn moment(&self) -> Moment<'_> {
        Moment {
            now: self.now,
            random: self.now.rotate_left(17),
            health: &self.health,
        }
    }
}

#[derive(Default)]
struct Memory(RefCell<Health>);

impl HealthStore for Memory {
    fn change(&self, change: &mut dyn FnMut(&mut Health) -> bool) {
        change(&mut self.0.borrow_mut());
    }
}

struct Envoy<'a> {
    headers: &'a Pairs,
    is_retry: bool,
}

impl CurrentHeaders for Envoy<'_> {
    fn all(&self) -> Pairs {
        self.headers.clone()
    }

    fn value(&self, name: &str) -> Option<Vec<u8>> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }

    fn is_retry(&self) -> bool {
        self.is_retry
    }
}

/// Plays a request and returns what each attempt sent.
pub fn exchange(
    document: &Document,
    mut headers: Pairs,
    body: &[u8],
    world: &mut World<'_>,
) -> Vec<Sent> {
    headers.retain(|(name, _)| name != INJECTED);
    let pending = match receive_headers(
        document,
        Headers::new(headers.clone()),
        Caller::default(),
        || world.moment(),
    ) {
        AfterHeaders::Answer(answer) => {
            check_answer(&answer);
            return Vec::new();
        }
        AfterHeaders::PassThrough(passed) => return vec![pass(document, &passed, headers, body)],
        AfterHeaders::AwaitBody(pending) => pending,
    };
    let routed = match pending.route(document, body, world.moment()) {
        Ok(routed) => routed,
        Err(answer) => {
            check_answer(&answer);
            return Vec::new();
        }
    };
    let body = leave_downstream(&routed, &mut headers, body);
    let mut next_attempt = NextAttempt {
        plan: routed.plan.clone(),
        cluster: routed.cluster.clone(),
    };
    let mut sent = Vec::new();
    loop {
        let mut backends = document.backends.iter();
        let backend = backends.find(|backend| backend.cluster == next_attempt.cluster);
        // The backend role of an aggregate cluster has the cluster's name.
        let backend = backend.map_or(&next_attempt.cluster, |backend| &backend.name);
        let plan = Plan::decode(&next_attempt.plan).expect("a plan of ours");
        let envoy = Envoy {
            headers: &headers,
            is_retry: false,
        };
        let mut attempt = match begin(plan.clone(), backend, &envoy, || world.moment()) {
            Ok(attempt) => attempt,
            // After an attempt without an answer, Envoy retries whatever state was left.
            Err(Refusal::DeadlineExceeded | Refusal::GaveUp(_)) => break,
            Err(refusal) => panic!("{refusal:?}"),
        };
        let one = send(&plan, &mut attempt, &mut headers, &body, world);
        let key = (INJECTED.to_owned(), backend.clone().into_bytes());
        let keys = one.headers.iter().filter(|(name, _)| name == INJECTED);
        assert!(
            keys.into_iter().all(|one| *one == key),
            "a key of another backend's"
        );
        headers.push(key);
        sent.push(Sent {
            backend: backend.clone(),
            ..one
        });
        match play(&mut attempt.running, world) {
            Some(next) if sent.len() <= usize::try_from(routed.max_retries).expect("few") => {
                next_attempt = next
            }
            // Envoy makes no further attempts.
            _ => break,
        }
    }
    sent
}

/// Checks that an answer of the router is JSON.
fn check_answer(answer: &Answer) {
    assert!(matches!(answer.status, 200 | 400..600));
    serde_json::from_slice::<serde_json::Value>(&answer.body).expect("JSON");
}

fn pass(document: &Document, passed: &PassThroughRequest, mut headers: Pairs, body: &[u8]) -> Sent {
    headers.retain(|(name, _)| !passed.remove_headers.contains(name));
    let mut backends = document.backends.iter();
    let backend = backends
        .find(|backend| backend.cluster == passed.cluster)
        .expect("of the document");
    let passage = PassThroughPlan::decode(&passed.passage).expect("a passage of ours");
    assert_eq!(passage.encode(), passed.passage);
    let changes = passage.begin(&backend.name).expect("its backend");
    write(&mut headers, &changes);
    Sent {
        backend: backend.name.clone(),
        headers,
        body: body.to_vec(),
        model: String::new(),
    }
}

/// Applies the router role's effects to the request, and returns the body.
fn leave_downstream(routed: &RoutedRequest<'_>, headers: &mut Pairs, body: &[u8]) -> Vec<u8> {
    headers.retain(|(name, _)| !routed.remove_headers.contains(name));
    if let Some(name) = routed.cluster_header {
        set(headers, name, routed.cluster.as_bytes());
    }
    let Some(change) = &routed.body else {
        return body.to_vec();
    };
    let edited = [&change.beginning, &body[change.replaced..]].concat();
    if let Some(length) = change.content_length {
        assert_eq!(length, edited.len());
        set(headers, "content-length", length.to_string().as_bytes());
    }
    edited
}

/// Applies the backend role's effects, and returns what the backend receives.
fn send(
    plan: &Plan,
    attempt: &mut Adaptation,
    headers: &mut Pairs,
    body: &[u8],
    world: &mut World<'_>,
) -> Sent {
    write(headers, &attempt.headers);
    let body = match attempt.body.as_mut() {
        None => body.to_vec(),
        Some(edit) => stream(edit, &world.choices.cut(body)),
    };
    let report = plan.report(true);
    let model = report
        .iter()
        .find(|(name, _)| *name == "x-llm-router-model");
    let model = model.map(|(_, model)| model.clone());
    Sent {
        backend: String::new(),
        headers: headers.clone(),
        body,
        model: model.expect("a target"),
    }
}

/// Applies edits to a body in pieces.
pub fn stream(edit: &mut StreamingEdit, pieces: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        match edit.chunk(piece.len()) {
            None => out.extend_from_slice(piece),
            Some(edit) => {
                out.extend_from_slice(&edit.beginning(&piece[..edit.needed]));
                out.extend_from_slice(&piece[edit.replaced..]);
            }
        }
    }
    out
}

fn write(headers: &mut Pairs, how: &HeaderWrite) {
    let (changes, gone) = match how {
        HeaderWrite::Replace(all) => return headers.clone_from(all),
        HeaderWrite::Change(changes, gone) => (changes, gone),
    };
    headers.retain(|(name, _)| !gone.contains(&name.as_str()));
    for change in changes {
        match change.kind {
            ChangeKind::Remove => headers.retain(|(name, _)| *name != change.name),
            ChangeKind::Add => headers.push((change.name.clone(), change.value.clone())),
            ChangeKind::Set => set(headers, &change.name, &change.value),
        }
    }
}

fn set(headers: &mut Pairs, name: &str, value: &[u8]) {
    match headers.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value.to_vec(),
        None => headers.push((name.to_owned(), value.to_vec())),
    }
}

const STATUSES: [u32; 12] = [200, 429, 400, 500, 503, 401, 403, 404, 204, 302, 206, 529];
const HEADERS: [(&str, &str); 10] = [
    ("content-type", "text/event-stream"),
    ("content-type", "application/json; charset=utf-8"),
    ("content-type", "application/vnd.amazon.eventstream"),
    ("content-encoding", "gzip"),
    ("content-length", ""),
    ("retry-after", "2"),
    ("retry-after-ms", "1"),
    ("x-ratelimit-reset-requests", "1s"),
    ("retry-after", "Fri, 31 Dec 2027 23:59:59 GMT"),
    ("x-none", ""),
];

/// An answer as its client sees it.
struct Client<'a> {
    /// The bytes that have arrived and are held.
    held: Vec<u8>,
    is_held: bool,
    seen: Vec<u8>,
    /// All bytes that the backend has sent.
    sent: Vec<u8>,
    is_changed: bool,
    next_attempt: Option<NextAttempt>,
    is_over: bool,
    running: &'a mut RunningAttempt,
}

/// Plays an answer; returns the state for the next attempt, if there is to be one.
fn play(running: &mut RunningAttempt, world: &mut World<'_>) -> Option<NextAttempt> {
    let status = *world.choices.pick(&STATUSES);
    let answer = world.answer;
    let mut headers = Vec::new();
    for _ in 0..world.choices.below(4) {
        let (name, value) = *world.choices.pick(&HEADERS);
        let value = if name == "content-length" {
            answer.len().to_string()
        } else {
            value.to_owned()
        };
        headers.push((name, value));
    }
    let count = world.choices.below(4);
    let ending = world.choices.below(4);
    let lengths: Vec<usize> = (0..count)
        .map(|_| usize::from(world.choices.byte()))
        .collect();
    let mut client = Client {
        held: Vec::new(),
        is_held: false,
        seen: Vec::new(),
        sent: Vec::new(),
        is_changed: false,
        next_attempt: None,
        is_over: false,
        running,
    };
    if ending == 3 && count == 0 {
        return client
            .running
            .on_done(world.choices.is_set(), world.moment());
    }
    let head = ResponseHead {
        status,
        end_of_stream: answer.is_empty() && ending == 0,
        header: &|name| {
            let found = headers.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone().into_bytes())
        },
    };
    let action = client.running.on_headers(&head, || world.moment());
    client.take(action, b"");
    let mut rest = answer;
    for length in lengths.into_iter().map(Some).chain([None]) {
        let (piece, after) = rest.split_at(length.unwrap_or(usize::MAX).min(rest.len()));
        rest = after;
        client.time(world);
        client.body(piece, rest.is_empty() && ending == 0, world);
        if client.is_over {
            return client.next_attempt;
        }
    }
    client.finish(ending, world);
    client.next_attempt
}

impl Client<'_> {
    /// Applies an action to the bytes that have arrived.
    fn take(&mut self, action: ResponseAction, piece: &[u8]) {
        let come = [std::mem::take(&mut self.held).as_slice(), piece].concat();
        match action {
            ResponseAction::Hold => {
                self.held = come;
                self.is_held = true;
            }
            ResponseAction::Wait(next_attempt) => {
                self.held = come;
                self.is_held = true;
                self.next_attempt = Some(next_attempt);
            }
            ResponseAction::Pass => {
                self.seen.extend(come);
                self.is_held = false;
            }
            ResponseAction::Replace(with) => {
                self.seen.extend(with);
                self.is_held = false;
                self.is_changed = true;
            }
            ResponseAction::Retry(next_attempt) => {
                assert!(
                    self.seen.is_empty(),
                    "something has gone to the client already"
                );
                self.next_attempt = next_attempt.or(self.next_attempt.take());
                assert!(self.next_attempt.is_some(), "nothing says where to");
                self.is_over = true;
            }
            ResponseAction::Answer(_, answer) => {
                assert!(
                    self.seen.is_empty(),
                    "something has gone to the client already"
                );
                check_answer(&answer);
                self.next_attempt = None;
                self.is_over = true;
            }
            ResponseAction::Reset => {
                self.next_attempt = None;
                self.is_over = true;
            }
        }
    }

    fn time(&mut self, world: &mut World<'_>) {
        let passed = [0, 1, 300, 700, 3_000, 30_000, 90_000];
        world.now += *world.choices.pick(&passed);
        if self.is_over || self.running.due_at().is_none_or(|due| due > world.now) {
            return;
        }
        match self.running.on_time(world.moment()) {
            // Still held.
            ResponseAction::Hold => {}
            action => self.take(action, b""),
        }
    }

    fn body(&mut self, piece: &[u8], end_of_stream: bool, world: &World<'_>) {
        if self.is_over {
            return;
        }
        self.sent.extend_from_slice(piece);
        let all = if self.is_held {
            [&self.held, piece].concat()
        } else {
            piece.to_vec()
        };
        let read = |from: usize, count: usize| all[from..from + count].to_vec();
        let body = ResponseBody {
            size: all.len(),
            end_of_stream,
            read: &read,
        };
        let action = self.running.on_body(&body, || world.moment());
        self.take(action, piece);
        if end_of_stream {
            self.ended(world);
        }
    }

    /// Ends the answer in another way than with the body's last bytes.
    fn finish(&mut self, ending: usize, world: &mut World<'_>) {
        if self.is_over || ending == 0 {
            return;
        }
        if ending == 1 {
            let held = self.held.clone();
            let read = |from: usize, count: usize| held[from..from + count].to_vec();
            let action = self.running.on_trailers(&read, || world.moment());
            self.take(action, b"");
            self.ended(world);
        } else if self.seen.is_empty() {
            self.next_attempt = self
                .running
                .on_done(false, world.moment())
                .or(self.next_attempt.take());
        }
    }

    /// After its end, an answer is no longer held, or waits for a time.
    fn ended(&mut self, world: &World<'_>) {
        if self.is_over {
            return;
        }
        if self.is_held {
            // Only time can change anything now.
            let due = self.running.due_at().expect("held for ever");
            let later = Moment {
                now: due.max(world.now),
                ..world.moment()
            };
            let action = self.running.on_time(later);
            self.take(action, b"");
            assert!(self.is_over, "held for ever");
        } else if !self.is_changed {
            assert_eq!(self.seen, self.sent, "an answer was changed");
        }
    }
}
