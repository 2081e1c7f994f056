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
    ChangeKind, CurrentHeaders, Failure, HeaderWrite, Moment, NextAttempt, PassThroughPlan, Plan,
    Refusal, ResponseAction, ResponseBody, ResponseHead, RunningAttempt, begin,
};
use crate::config;
use crate::request::StreamingEdit;
use crate::schema::Schema;
use crate::telemetry;

/// The state that all attempts on one cluster share.
#[derive(Default)]
struct ClusterState {
    /// The name of the backend that the cluster belongs to.
    backend: String,
    mismatches: Counter,
    unauthorized: Counter,
    mismatch_reported: Cell<bool>,
    /// When a refused key was last logged, in Unix milliseconds.
    refused_key_logged_at: Cell<u64>,
    /// Whether the body of a held answer has ever arrived.
    has_held_body: Cell<bool>,
    missing_flag_reported: Cell<bool>,
    random: Random,
    timers: Timers<TimedAttempt>,
}

/// How long a held answer's body may take if none has ever arrived, in milliseconds.
const NO_BODY_MS: u64 = 10_000;

/// The minimum time between two log lines about a refused key, in milliseconds.
const REFUSED_KEY_LOG_PERIOD_MS: u64 = 60_000;

/// An attempt that is checked on a timer.
#[derive(Clone)]
struct TimedAttempt {
    running: Rc<RefCell<RunningAttempt>>,
    health: SharedHealth,
}

impl ClusterState {
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
    fn give_up_holding(
        &self,
        running: &RefCell<RunningAttempt>,
        action: ResponseAction,
        now: u64,
    ) -> ResponseAction {
        if self.has_held_body.get() || !matches!(action, ResponseAction::Hold) {
            return action;
        }
        let mut running = running.borrow_mut();
        if !running.waits_for_body_since(now.saturating_sub(NO_BODY_MS)) {
            return action;
        }
        if !self.missing_flag_reported.replace(true) {
            log::error!(
                "llm-router: no body of a held answer of \"{}\" arrived for {} s. If the backend is not that slow, \
                 set `allow_on_headers_stop_iteration: true` in the plugin config of the llm_backend filter of its \
                 cluster: without it, answers cannot be held",
                self.backend,
                NO_BODY_MS / 1000
            );
        }
        running.stop_holding()
    }

    /// Logs a refused key, which only the operator can mend.
    fn log_refused_key(&self, failure: Option<Failure>, now: u64) {
        if failure != Some(Failure::Unauthorized) {
            return;
        }
        self.unauthorized.increment();
        if now.saturating_sub(self.refused_key_logged_at.get()) >= REFUSED_KEY_LOG_PERIOD_MS {
            self.refused_key_logged_at.set(now);
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
    cluster: Rc<ClusterState>,
}

impl Context for BackendRoot {}

impl RootContext for BackendRoot {
    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn on_configure(&mut self, _size: usize) -> bool {
        match config::backend_name(&calls::configuration()) {
            Ok(backend) => {
                self.cluster = Rc::new(ClusterState {
                    backend,
                    mismatches: Counter::define(telemetry::BACKEND_MISMATCH),
                    unauthorized: Counter::define(telemetry::UNAUTHORIZED),
                    ..ClusterState::default()
                });
                self.cluster.random.seed();
                SharedHealth::prepare();
                true
            }
            Err(errors) => super::refuse(&errors),
        }
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(AttemptContext {
            context_id,
            cluster: Rc::clone(&self.cluster),
            state: AttemptState::Beginning,
            is_timed: Cell::new(false),
            counted: None,
            health: SharedHealth::default(),
        }))
    }

    fn on_tick(&mut self) {
        let waiting = self.cluster.timers.tick();
        if waiting.is_empty() {
            return;
        }
        let now = calls::now();
        for (context_id, TimedAttempt { running, health }) in waiting {
            let moment = self.cluster.moment_at(now, &health);
            let action = running.borrow_mut().on_time(moment);
            let action = self.cluster.give_up_holding(&running, action, moment.now);
            if matches!(action, ResponseAction::Hold) {
                continue;
            }
            if hostcalls::set_effective_context(context_id).is_err() {
                self.cluster.timers.remove(context_id);
                continue;
            }
            let failure = running.borrow_mut().take_failure();
            self.cluster.log_refused_key(failure, moment.now);
            match action {
                ResponseAction::Hold | ResponseAction::Replace(_) => {}
                ResponseAction::Wait(next_attempt) => write_next_attempt(&next_attempt),
                ResponseAction::Pass => calls::resume_response(),
                ResponseAction::Retry(next_attempt) => {
                    ask_for_retry(next_attempt.as_ref());
                    calls::resume_response();
                }
                ResponseAction::Answer(next_attempt, answer) => {
                    write_next_attempt(&next_attempt);
                    ledger::answer(running.borrow().ticket(), &answer);
                    calls::send(&answer);
                }
                ResponseAction::Reset => calls::reset_response(),
            }
        }
    }
}

/// How far an attempt has come.
enum AttemptState {
    /// Its request has not arrived yet.
    Beginning,
    /// There is no plan for it: it came by a route without the router role, and passes unchanged.
    Unplanned,
    /// It is a pass-through request: only its headers were adapted.
    Passing,
    /// Its request was sent on.
    Sent {
        edit: Option<StreamingEdit>,
        running: Rc<RefCell<RunningAttempt>>,
    },
    /// The backend role has refused it.
    Refused,
}

struct AttemptContext {
    context_id: u32,
    cluster: Rc<ClusterState>,
    state: AttemptState,
    /// Whether the attempt is checked on a timer.
    is_timed: Cell<bool>,
    counted: Option<page::CountedAttempt>,
    health: SharedHealth,
}

impl Drop for AttemptContext {
    fn drop(&mut self) {
        self.cluster.timers.remove(self.context_id);
    }
}

impl Context for AttemptContext {
    fn on_done(&mut self) -> bool {
        // The attempt may end without an answer (no connection, a reset, a timeout). Envoy evaluates the matcher
        // again after this callback.
        let AttemptState::Sent { running, .. } = &self.state else {
            return true;
        };
        if running.borrow().may_end_unanswered() {
            let no_connection =
                || calls::property(TRANSPORT_FAILURE).is_some_and(|it| !it.is_empty());
            let next_attempt = running
                .borrow_mut()
                .on_done(no_connection(), self.cluster.moment(&self.health));
            if let Some(next_attempt) = next_attempt {
                write_next_attempt(&next_attempt);
            }
        }
        running.borrow_mut().on_context_end();
        true
    }
}

/// The property that says why there was no connection, if that is why an attempt failed.
const TRANSPORT_FAILURE: &[&str] = &["upstream", "transport_failure_reason"];

impl HttpContext for AttemptContext {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let Some(bytes) = calls::property(&[PLAN]) else {
            self.state = AttemptState::Unplanned;
            return Action::Continue;
        };
        if let Some(pass_through_plan) = PassThroughPlan::decode(&bytes) {
            return self.pass(pass_through_plan);
        }
        let Some(plan) = Plan::decode(&bytes) else {
            return self.refuse(Schema::OpenAi, &Refusal::Mismatch(String::new()), None);
        };
        let schema = plan.schema();
        let target = plan.target_key();
        let ticket = plan.ticket();
        let cluster = &self.cluster;
        let counters = ledger::counters(ticket);
        self.health = SharedHealth::counted_by(counters.clone());
        let moment = || cluster.moment(&self.health);
        let adaptation = match begin(plan, &cluster.backend, &EnvoyHeaders, moment) {
            Ok(adaptation) => adaptation,
            Err(refusal) => return self.refuse(schema, &refusal, Some(ticket)),
        };
        write_headers(&adaptation.headers);
        let running = Rc::new(RefCell::new(adaptation.running));
        ledger::add(ticket, &running);
        let target = counters.as_ref().zip(target);
        self.counted =
            target.and_then(|(counters, target)| page::CountedAttempt::begin(counters, target));
        self.state = AttemptState::Sent {
            edit: adaptation.body,
            running,
        };
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, _end_of_stream: bool) -> Action {
        match &mut self.state {
            AttemptState::Sent {
                edit: Some(edit), ..
            } => {
                if let Some(chunk) = edit.chunk(size) {
                    let needed = if chunk.needed == 0 {
                        Vec::new()
                    } else {
                        calls::request_body(chunk.needed)
                    };
                    let beginning = chunk.beginning(&needed);
                    calls::replace_body(BufferType::HttpRequestBody, chunk.replaced, &beginning);
                }
                Action::Continue
            }
            AttemptState::Refused => Action::Pause,
            _ => Action::Continue,
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        // Only the backend role may set the mark: a backend that sends it must not cause attempts at other backends.
        let unmark = || calls::remove_header(MapType::HttpResponseHeaders, RETRY);
        let AttemptState::Sent { running, .. } = &self.state else {
            if matches!(self.state, AttemptState::Passing) {
                unmark();
            }
            return Action::Continue;
        };
        unmark();
        let Some(status) = calls::response_status() else {
            return Action::Continue;
        };
        let head = ResponseHead {
            status,
            end_of_stream,
            header: &calls::response_header,
        };
        let action = running
            .borrow_mut()
            .on_headers(&head, || self.cluster.moment(&self.health));
        if running.borrow().drops_content_length() {
            calls::remove_header(MapType::HttpResponseHeaders, "content-length");
        }
        self.execute(action, 0)
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let AttemptState::Sent { running, .. } = &self.state else {
            return Action::Continue;
        };
        if running.borrow_mut().passes_unread(end_of_stream) {
            return Action::Continue;
        }
        if running.borrow().is_held() {
            self.cluster.has_held_body.set(true);
        }
        let body = ResponseBody {
            size,
            end_of_stream,
            read: &calls::response_body,
        };
        let action = running
            .borrow_mut()
            .on_body(&body, || self.cluster.moment(&self.health));
        self.execute(action, size)
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        let AttemptState::Sent { running, .. } = &self.state else {
            return Action::Continue;
        };
        let action = running
            .borrow_mut()
            .on_trailers(&calls::response_body, || self.cluster.moment(&self.health));
        self.execute(action, 0)
    }
}

fn write_next_attempt(next_attempt: &NextAttempt) {
    calls::set_state(PLAN, &next_attempt.plan);
    calls::set_state(NEXT, next_attempt.cluster.as_bytes());
}

/// Marks the answer for a retry, and writes the next attempt where the route's matcher and the backend role will read
/// it.
fn ask_for_retry(next_attempt: Option<&NextAttempt>) {
    if let Some(next_attempt) = next_attempt {
        write_next_attempt(next_attempt);
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

impl AttemptContext {
    /// Executes an action. `size`: how many bytes of the answer's body Envoy has.
    fn execute(&self, action: ResponseAction, size: usize) -> Action {
        let AttemptState::Sent { running, .. } = &self.state else {
            return Action::Continue;
        };
        let (failure, is_timed) = {
            let mut running = running.borrow_mut();
            (running.take_failure(), running.due_at().is_some())
        };
        if failure.is_some() {
            self.cluster.log_refused_key(failure, calls::now());
        }
        if self.is_timed.replace(is_timed) != is_timed {
            let timers = &self.cluster.timers;
            if is_timed {
                let waiting = TimedAttempt {
                    running: Rc::clone(running),
                    health: self.health.clone(),
                };
                timers.add(self.context_id, waiting);
            } else {
                timers.remove(self.context_id);
            }
        }
        match action {
            ResponseAction::Pass => Action::Continue,
            ResponseAction::Replace(with) => {
                calls::replace_body(BufferType::HttpResponseBody, size, &with);
                Action::Continue
            }
            ResponseAction::Hold => Action::Pause,
            ResponseAction::Wait(next_attempt) => {
                write_next_attempt(&next_attempt);
                Action::Pause
            }
            ResponseAction::Retry(next_attempt) => {
                ask_for_retry(next_attempt.as_ref());
                Action::Continue
            }
            ResponseAction::Answer(next_attempt, answer) => {
                write_next_attempt(&next_attempt);
                ledger::answer(running.borrow().ticket(), &answer);
                calls::send(&answer);
                Action::Pause
            }
            ResponseAction::Reset => {
                calls::reset_response();
                Action::Pause
            }
        }
    }

    /// Adapts the headers of a pass-through request.
    fn pass(&mut self, pass_through_plan: PassThroughPlan) -> Action {
        let schema = pass_through_plan.schema;
        match pass_through_plan.begin(&self.cluster.backend) {
            Ok(headers) => {
                write_headers(&headers);
                self.state = AttemptState::Passing;
                Action::Continue
            }
            Err(refusal) => self.refuse(schema, &refusal, None),
        }
    }

    /// Refuses an attempt before any of it, or the gateway's key, leaves Envoy.
    fn refuse(&mut self, schema: Schema, refusal: &Refusal, ticket: Option<u64>) -> Action {
        self.state = AttemptState::Refused;
        if let Refusal::Mismatch(planned) = refusal {
            self.cluster.mismatches.increment();
            let here = &self.cluster.backend;
            if !self.cluster.mismatch_reported.replace(true) {
                log::error!(
                    "llm-router: attempts planned for backend \"{planned}\" reach the cluster of \"{here}\" and are \
                     answered with 500: the route's matcher must map each `wasm.llm.next` to the cluster of that \
                     name, and the llm_backend filter of each cluster must name the backend of that cluster"
                );
            }
        }
        let code = refusal.code();
        let answer = code.answer(schema, code.default_message());
        if let Some(ticket) = ticket {
            ledger::answer(ticket, &answer);
        }
        calls::send(&answer);
        Action::Pause
    }
}
