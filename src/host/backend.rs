//! The backend role: an upstream HTTP filter on each backend's cluster, with one context per attempt.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType, MapType};

use super::calls::{self, Counter};
use super::health::SharedHealth;
use super::ledger;
use super::page;
use super::random::Random;
use super::timers::Timers;
use super::{NEXT, PLAN, RETRY};
use crate::attempt::{
    Body, ChangeKind, CurrentHeaders, Failure, Head, HeaderWrite, Left, Moment, Passage, Plan,
    Refusal, Running, Step, begin,
};
use crate::config;
use crate::request::StreamingEdit;
use crate::schema::Schema;
use crate::telemetry;

/// The state that all attempts on one cluster share.
#[derive(Default)]
struct Cluster {
    /// The name of the backend that the cluster belongs to.
    backend: String,
    mismatches: Counter,
    unauthorized: Counter,
    reported: Cell<bool>,
    /// When a refused key was last logged, in Unix milliseconds.
    complained_at: Cell<u64>,
    /// Whether the body of a held answer has ever arrived.
    holds: Cell<bool>,
    reported_flag: Cell<bool>,
    random: Random,
    timers: Timers<Waiting>,
}

/// How long a held answer's body may take if none has ever arrived, in milliseconds.
const NO_BODY_MS: u64 = 10_000;

/// The minimum time between two log lines about a refused key, in milliseconds.
const COMPLAINT_PERIOD_MS: u64 = 60_000;

/// An attempt that is checked on a timer.
#[derive(Clone)]
struct Waiting {
    running: Rc<RefCell<Running>>,
    health: SharedHealth,
}

impl Cluster {
    fn moment<'m>(&self, health: &'m SharedHealth) -> Moment<'m> {
        self.moment_at(calls::now(), health)
    }

    fn moment_at<'m>(&self, now: u64, health: &'m SharedHealth) -> Moment<'m> {
        Moment {
            now,
            random: self.random.next(),
            health,
        }
    }

    /// Releases an answer whose body does not arrive, if no held answer's body ever has. Without the flag that the
    /// message names, Envoy keeps the body back.
    fn give_up_holding(&self, running: &RefCell<Running>, step: Step, now: u64) -> Step {
        if self.holds.get() || !matches!(step, Step::Hold) {
            return step;
        }
        let mut running = running.borrow_mut();
        if !running.waits_for_body_since(now.saturating_sub(NO_BODY_MS)) {
            return step;
        }
        if !self.reported_flag.replace(true) {
            log::error!(
                "llm-router: no body of a held answer of \"{}\" arrived for {} s. If the backend is not that slow, \
                 set `allow_on_headers_stop_iteration: true` in the plugin config of the llm_backend filter of its \
                 cluster: without it, answers cannot be held",
                self.backend,
                NO_BODY_MS / 1000
            );
        }
        running.let_pass()
    }

    /// Logs a refused key, which only the operator can mend.
    fn complain(&self, failure: Option<Failure>, now: u64) {
        if failure != Some(Failure::Unauthorized) {
            return;
        }
        self.unauthorized.increment();
        if now.saturating_sub(self.complained_at.get()) >= COMPLAINT_PERIOD_MS {
            self.complained_at.set(now);
            log::error!(
                "llm-router: backend \"{}\" rejects the gateway's key (401 or 403): check the secret that \
                 credential_injector adds on its cluster",
                self.backend
            );
        }
    }
}

#[derive(Default)]
pub(super) struct BackendRoot {
    cluster: Rc<Cluster>,
}

impl Context for BackendRoot {}

impl RootContext for BackendRoot {
    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn on_configure(&mut self, _size: usize) -> bool {
        match config::backend_name(&calls::configuration()) {
            Ok(backend) => {
                self.cluster = Rc::new(Cluster {
                    backend,
                    mismatches: Counter::define(telemetry::BACKEND_MISMATCH),
                    unauthorized: Counter::define(telemetry::UNAUTHORIZED),
                    ..Cluster::default()
                });
                self.cluster.random.seed();
                SharedHealth::prepare();
                true
            }
            Err(errors) => super::refuse(&errors),
        }
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Attempt {
            context_id,
            cluster: Rc::clone(&self.cluster),
            state: State::Beginning,
            is_timed: Cell::new(false),
            under_way: None,
            health: SharedHealth::default(),
        }))
    }

    fn on_tick(&mut self) {
        let waiting = self.cluster.timers.tick();
        if waiting.is_empty() {
            return;
        }
        let now = calls::now();
        for (context_id, Waiting { running, health }) in waiting {
            let moment = self.cluster.moment_at(now, &health);
            let step = running.borrow_mut().on_time(moment);
            let step = self.cluster.give_up_holding(&running, step, moment.now);
            if matches!(step, Step::Hold) {
                continue;
            }
            if hostcalls::set_effective_context(context_id).is_err() {
                self.cluster.timers.remove(context_id);
                continue;
            }
            let failure = running.borrow_mut().take_failure();
            self.cluster.complain(failure, moment.now);
            match step {
                Step::Hold | Step::Replace(_) => {}
                Step::Wait(left) => leave(&left),
                Step::Pass => calls::resume_response(),
                Step::Retry(left) => {
                    ask_for_retry(left.as_ref());
                    calls::resume_response();
                }
                Step::Answer(left, answer) => {
                    leave(&left);
                    ledger::answer(running.borrow().ticket(), &answer);
                    calls::send(&answer);
                }
                Step::Reset => calls::reset_response(),
            }
        }
    }
}

/// How far an attempt has come.
enum State {
    /// Its request has not arrived yet.
    Beginning,
    /// There is no plan for it: it came by a route without the router role, and passes unchanged.
    Unplanned,
    /// It is a pass-through request: only its headers were adapted.
    Passing,
    /// Its request was sent on.
    Sent {
        edit: Option<StreamingEdit>,
        running: Rc<RefCell<Running>>,
    },
    /// The backend role has refused it.
    Refused,
}

struct Attempt {
    context_id: u32,
    cluster: Rc<Cluster>,
    state: State,
    /// Whether the attempt is checked on a timer.
    is_timed: Cell<bool>,
    under_way: Option<page::Attempt>,
    health: SharedHealth,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.cluster.timers.remove(self.context_id);
    }
}

impl Context for Attempt {
    fn on_done(&mut self) -> bool {
        // The attempt may end without an answer (no connection, a reset, a timeout). Envoy evaluates the matcher
        // again after this callback.
        let State::Sent { running, .. } = &self.state else {
            return true;
        };
        if running.borrow().may_end_unanswered() {
            let no_connection =
                || calls::property(TRANSPORT_FAILURE).is_some_and(|it| !it.is_empty());
            let left = running
                .borrow_mut()
                .on_done(no_connection(), self.cluster.moment(&self.health));
            if let Some(left) = left {
                leave(&left);
            }
        }
        running.borrow_mut().on_over();
        true
    }
}

/// The property that says why there was no connection, if that is why an attempt failed.
const TRANSPORT_FAILURE: &[&str] = &["upstream", "transport_failure_reason"];

impl HttpContext for Attempt {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let Some(bytes) = calls::property(&[PLAN]) else {
            self.state = State::Unplanned;
            return Action::Continue;
        };
        if let Some(passage) = Passage::decode(&bytes) {
            return self.pass(passage);
        }
        let Some(plan) = Plan::decode(&bytes) else {
            return self.refuse(Schema::OpenAi, &Refusal::Mismatch(String::new()), None);
        };
        let schema = plan.schema();
        let target = plan.target_key();
        let ticket = plan.ticket();
        let cluster = &self.cluster;
        let tally = ledger::tally(ticket);
        self.health = SharedHealth::counted_by(tally.clone());
        let moment = || cluster.moment(&self.health);
        let adaptation = match begin(plan, &cluster.backend, &EnvoyHeaders, moment) {
            Ok(adaptation) => adaptation,
            Err(refusal) => return self.refuse(schema, &refusal, Some(ticket)),
        };
        write_headers(&adaptation.headers);
        let running = Rc::new(RefCell::new(adaptation.running));
        ledger::add(ticket, &running);
        let target = tally.as_ref().zip(target);
        self.under_way = target.and_then(|(tally, target)| page::Attempt::begin(tally, target));
        self.state = State::Sent {
            edit: adaptation.body,
            running,
        };
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, _end_of_stream: bool) -> Action {
        match &mut self.state {
            State::Sent {
                edit: Some(edit), ..
            } => {
                if let Some(chunk) = edit.chunk(size) {
                    let needed = if chunk.needed == 0 {
                        Vec::new()
                    } else {
                        calls::body(chunk.needed)
                    };
                    let beginning = chunk.beginning(&needed);
                    calls::replace_body(BufferType::HttpRequestBody, chunk.replaced, &beginning);
                }
                Action::Continue
            }
            State::Refused => Action::Pause,
            _ => Action::Continue,
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        // Only the backend role may set the mark: a backend that sends it must not cause attempts at other backends.
        let unmark = || calls::remove_header(MapType::HttpResponseHeaders, RETRY);
        let State::Sent { running, .. } = &self.state else {
            if matches!(self.state, State::Passing) {
                unmark();
            }
            return Action::Continue;
        };
        unmark();
        let Some(status) = calls::response_status() else {
            return Action::Continue;
        };
        let head = Head {
            status,
            end_of_stream,
            header: &calls::response_header,
        };
        let step = running
            .borrow_mut()
            .on_headers(&head, || self.cluster.moment(&self.health));
        if running.borrow().drops_length() {
            calls::remove_header(MapType::HttpResponseHeaders, "content-length");
        }
        self.take(step, 0)
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let State::Sent { running, .. } = &self.state else {
            return Action::Continue;
        };
        if running.borrow_mut().passes_unread(end_of_stream) {
            return Action::Continue;
        }
        if running.borrow().is_held() {
            self.cluster.holds.set(true);
        }
        let body = Body {
            size,
            end_of_stream,
            read: &calls::response_body,
        };
        let step = running
            .borrow_mut()
            .on_body(&body, || self.cluster.moment(&self.health));
        self.take(step, size)
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        let State::Sent { running, .. } = &self.state else {
            return Action::Continue;
        };
        let step = running
            .borrow_mut()
            .on_trailers(&calls::response_body, || self.cluster.moment(&self.health));
        self.take(step, 0)
    }
}

fn leave(left: &Left) {
    calls::set_state(PLAN, &left.plan);
    calls::set_state(NEXT, left.cluster.as_bytes());
}

/// Marks the answer for a retry, and writes the next attempt where the route's matcher and the backend role will read
/// it.
fn ask_for_retry(left: Option<&Left>) {
    if let Some(left) = left {
        leave(left);
    }
    calls::set_header(MapType::HttpResponseHeaders, RETRY, b"next");
}

/// The headers of the attempt whose callback is running.
struct EnvoyHeaders;

impl CurrentHeaders for EnvoyHeaders {
    fn all(&self) -> Vec<(String, Vec<u8>)> {
        calls::request_headers()
    }

    fn value(&self, name: &str) -> Option<Vec<u8>> {
        calls::request_header(name)
    }

    fn is_retry(&self) -> bool {
        // An unknown count is treated as a retry.
        calls::integer_property(&["upstream", "request_attempt_count"]) != Some(1)
    }
}

fn write_headers(write: &HeaderWrite) {
    let map = MapType::HttpRequestHeaders;
    match write {
        HeaderWrite::Change(changes, gone) => {
            for name in gone {
                calls::remove_header(map, name);
            }
            for change in changes {
                match change.kind {
                    ChangeKind::Remove => calls::remove_header(map, &change.name),
                    ChangeKind::Set => calls::set_header(map, &change.name, &change.value),
                    ChangeKind::Add => calls::add_header(map, &change.name, &change.value),
                }
            }
        }
        HeaderWrite::Replace(headers) => calls::replace_request_headers(headers),
    }
}

impl Attempt {
    /// Executes a step. `size`: how many bytes of the answer's body Envoy has.
    fn take(&self, step: Step, size: usize) -> Action {
        let State::Sent { running, .. } = &self.state else {
            return Action::Continue;
        };
        let (failure, is_timed) = {
            let mut running = running.borrow_mut();
            (running.take_failure(), running.due_at().is_some())
        };
        if failure.is_some() {
            self.cluster.complain(failure, calls::now());
        }
        if self.is_timed.replace(is_timed) != is_timed {
            let timers = &self.cluster.timers;
            if is_timed {
                let waiting = Waiting {
                    running: Rc::clone(running),
                    health: self.health.clone(),
                };
                timers.add(self.context_id, waiting);
            } else {
                timers.remove(self.context_id);
            }
        }
        match step {
            Step::Pass => Action::Continue,
            Step::Replace(with) => {
                calls::replace_body(BufferType::HttpResponseBody, size, &with);
                Action::Continue
            }
            Step::Hold => Action::Pause,
            Step::Wait(left) => {
                leave(&left);
                Action::Pause
            }
            Step::Retry(left) => {
                ask_for_retry(left.as_ref());
                Action::Continue
            }
            Step::Answer(left, answer) => {
                leave(&left);
                ledger::answer(running.borrow().ticket(), &answer);
                calls::send(&answer);
                Action::Pause
            }
            Step::Reset => {
                calls::reset_response();
                Action::Pause
            }
        }
    }

    /// Adapts the headers of a pass-through request.
    fn pass(&mut self, passage: Passage) -> Action {
        let schema = passage.schema;
        match passage.begin(&self.cluster.backend) {
            Ok(headers) => {
                write_headers(&headers);
                self.state = State::Passing;
                Action::Continue
            }
            Err(refusal) => self.refuse(schema, &refusal, None),
        }
    }

    /// Refuses an attempt before any of it, or the gateway's key, leaves Envoy.
    fn refuse(&mut self, schema: Schema, refusal: &Refusal, ticket: Option<u64>) -> Action {
        self.state = State::Refused;
        if let Refusal::Mismatch(planned) = refusal {
            self.cluster.mismatches.increment();
            let here = &self.cluster.backend;
            if !self.cluster.reported.replace(true) {
                log::error!(
                    "llm-router: attempts planned for backend \"{planned}\" reach the cluster of \"{here}\" and are \
                     answered with 500: the route's matcher must map each `wasm.llm.next` to the cluster of that \
                     name, and the llm_backend filter of each cluster must name the backend of that cluster"
                );
            }
        }
        let code = refusal.code();
        let answer = code.answer(schema, code.own_message());
        if let Some(ticket) = ticket {
            ledger::answer(ticket, &answer);
        }
        calls::send(&answer);
        Action::Pause
    }
}
