//! The router role: a downstream HTTP filter, one context per request.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use hashbrown::HashMap;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, MapType};

use super::calls::{self, Counter};
use super::deadlines::Deadlines;
use super::health::SharedHealth;
use super::ledger::{self, Tally};
use super::page::{LivePage, UnderWay};
use super::random::Random;
use super::watch::{Watch, Watched};
use super::written::{let_through, report, send_on_its_way, write_report};
use super::{PLAN, RETRY};
use crate::attempt::{Moment, Plan, Unretried};
use crate::config::Document;
use crate::request::Headers;
use crate::routing::{Arrival, Pending, arrive};
use crate::schema::{Answer, ErrorCode, Schema};
use crate::telemetry::{self, Noted, Outcome, Over, Stage, Telling, caller_of, decisions};

/// How late a deadline, or a setting that is missing, can be noticed.
const TICK: Duration = Duration::from_millis(100);

/// What all requests of a worker share.
struct Worker {
    watch: Watch,
    random: Random,
    /// Requests of which no answer has begun.
    deadlines: Deadlines,
    missing_setting: Cell<Counter>,
    deadline_exceeded: Cell<Counter>,
    unretried: Cell<[Counter; Unretried::ALL.len()]>,
    reported: Cell<bool>,
    /// Whether attempts have been made that are not seen here.
    is_apart: Cell<bool>,
    page: LivePage,
    tally: Rc<Tally>,
    health: SharedHealth,
    /// What was answered beside a request's own callbacks.
    answered: RefCell<HashMap<u32, ErrorCode>>,
}

impl Default for Worker {
    fn default() -> Self {
        let tally = Rc::<Tally>::default();
        Worker {
            health: SharedHealth::counted_by(Some(Rc::clone(&tally))),
            tally,
            watch: Watch::default(),
            random: Random::default(),
            deadlines: Deadlines::default(),
            missing_setting: Cell::default(),
            deadline_exceeded: Cell::default(),
            unretried: Cell::default(),
            reported: Cell::default(),
            is_apart: Cell::default(),
            page: LivePage::default(),
            answered: RefCell::default(),
        }
    }
}

impl Worker {
    fn moment(&self) -> Moment<'_> {
        self.moment_at(calls::now())
    }

    fn moment_at(&self, now: u64) -> Moment<'_> {
        Moment {
            now,
            random: self.random.next(),
            health: &self.health,
        }
    }

    /// A request is over, and this is what became of it: called once for each, in its own context.
    fn record(&self, outcome: &Outcome) {
        self.tally.metrics.record(outcome);
        log::debug!("llm-router: {} {}", outcome.decision, outcome.end.name());
        self.page.record(outcome);
    }

    /// What this request was answered beside its own callbacks.
    fn take_answered(&self, context_id: u32) -> Option<ErrorCode> {
        self.answered.borrow_mut().remove(&context_id)
    }

    /// A request is answered beside its own callbacks; its context must be the effective one.
    fn answer(&self, context_id: u32, answer: &Answer) {
        if let Some(code) = answer.code {
            self.answered.borrow_mut().insert(context_id, code);
        }
        calls::send(answer);
    }
}

#[derive(Default)]
pub(super) struct RouterRoot {
    document: Option<Rc<Document>>,
    worker: Rc<Worker>,
}

impl Context for RouterRoot {
    fn on_done(&mut self) -> bool {
        self.worker.page.hand_over();
        true
    }
}

impl RootContext for RouterRoot {
    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn on_configure(&mut self, _size: usize) -> bool {
        let document = match Document::load(&calls::configuration()) {
            Ok(document) => document,
            Err(errors) => return super::refuse(&errors),
        };
        let worker = &self.worker;
        let timeout = document.missing_flag_timeout;
        let period = TICK.min(timeout.checked_div(4).unwrap_or(timeout));
        worker.watch.set_timeout(timeout, period);
        if let Err(status) = hostcalls::set_tick_period(period) {
            log::warn!("host call failed: set_tick_period: {status:?}");
        }
        worker.random.seed();
        SharedHealth::prepare();
        let counter = Counter::define(telemetry::MISSING_ENVOY_SETTING);
        worker.missing_setting.set(counter);
        let counter = Counter::define(telemetry::DEADLINE_EXCEEDED);
        worker.deadline_exceeded.set(counter);
        let counters = Unretried::ALL.map(|reason| Counter::define(telemetry::unretried(reason)));
        worker.unretried.set(counters);
        worker.tally.metrics.define(&document);
        log::info!(
            "llm-router: {} backends, {} routes",
            document.backends.len(),
            document.routes.len()
        );
        let document = Rc::new(document);
        worker
            .page
            .configure(&document, &worker.tally, worker.random.next());
        self.document = Some(document);
        true
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(RouterStream {
            context_id,
            document: self.document.clone(),
            worker: Rc::clone(&self.worker),
            state: State::Arriving,
            under_way: None,
            noted: Noted::default(),
            telling: Telling::default(),
            outcome: None,
            ticket: None,
        }))
    }

    fn on_tick(&mut self) {
        if let Some(document) = &self.document {
            let metrics = &self.worker.tally.metrics;
            metrics.record_health(document, calls::now());
        }
        self.worker.page.tick();
        for watched in self.worker.watch.tick() {
            if hostcalls::set_effective_context(watched.context_id).is_err() {
                self.worker.watch.end(watched.context_id);
                continue;
            }
            let received = calls::integer_property(&["request", "total_size"])
                .and_then(|bytes| usize::try_from(bytes).ok());
            if received.is_some_and(|bytes| bytes > watched.header_bytes) {
                self.report_missing_setting(watched);
            }
        }
        for (context_id, schema) in self.worker.deadlines.take_due(calls::now) {
            if hostcalls::set_effective_context(context_id).is_ok() {
                self.worker.deadline_exceeded.get().increment();
                let code = ErrorCode::DeadlineExceeded;
                let answer = code.answer(schema, code.own_message());
                self.worker.answer(context_id, &answer);
            }
        }
    }
}

impl RouterRoot {
    /// Answers a request whose body is held back; its context must be the effective one.
    fn report_missing_setting(&self, watched: Watched) {
        self.worker.watch.end(watched.context_id);
        if !self.worker.reported.replace(true) {
            log::error!(
                "llm-router: Envoy holds request bodies back, and requests are answered 500: set \
                 `allow_on_headers_stop_iteration: true` in the plugin config of the llm_router filter"
            );
        }
        self.worker.missing_setting.get().increment();
        let message = "The gateway is not set up right: without `allow_on_headers_stop_iteration: true` in the \
                       plugin config of the llm_router filter, Envoy never gives it the request's body.";
        let answer = ErrorCode::MissingEnvoySetting.answer(watched.schema, message);
        self.worker.answer(watched.context_id, &answer);
    }
}

/// How far a request has come.
enum State {
    /// Its headers have not been seen.
    Arriving,
    /// Its body decides.
    AwaitingBody(Pending),
    /// It is on its way.
    Routed(OnItsWay),
    /// It has been answered here.
    Answered,
    /// It got the page, and counts for nothing.
    Served,
    /// It has been answered here that its body is too large. Where Envoy's limit is the same, it has just found so itself,
    /// and then its answer comes in the place of this one.
    TooLarge(Answer),
}

#[derive(Clone)]
struct OnItsWay {
    schema: Schema,
    /// The route's name, where answers tell it.
    route: Option<String>,
    /// Whether an answer that is no error may be one that failed.
    holds: bool,
}

struct RouterStream {
    context_id: u32,
    document: Option<Rc<Document>>,
    worker: Rc<Worker>,
    state: State,
    under_way: Option<UnderWay>,
    noted: Noted,
    /// What of its outcome Envoy has as filter state.
    telling: Telling,
    outcome: Option<Outcome>,
    /// By which its attempts are known, if any can be made.
    ticket: Option<u64>,
}

impl Drop for RouterStream {
    fn drop(&mut self) {
        self.worker.take_answered(self.context_id);
        if let Some(ticket) = self.ticket.take() {
            ledger::close(ticket);
        }
        self.worker.watch.end(self.context_id);
        self.worker.deadlines.end(self.context_id);
    }
}

impl Context for RouterStream {}

impl HttpContext for RouterStream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let Some(document) = self.document.clone() else {
            // Envoy creates no request's context before a configuration was accepted.
            return Action::Continue;
        };
        let document = document.as_ref();
        let headers = Headers::new(calls::request_headers());
        if self.worker.page.serve(&headers) {
            self.state = State::Served;
            return Action::Pause;
        }
        let headers = self.worker.page.without_secret(headers);
        let caller = super::caller::caller(document, &headers);
        let source = document.telemetry.caller.as_ref();
        self.noted.known.caller = source.and_then(|source| caller_of(source, &headers, &caller));
        match arrive(document, headers, caller, || self.worker.moment()) {
            Arrival::Answer(answer) => self.answer(&answer),
            Arrival::Pass(passed) => {
                self.noted.known.decision = decisions::PASS_THROUGH;
                self.noted.known.route = Some(passed.route.clone());
                self.state = State::Routed(OnItsWay {
                    schema: passed.schema,
                    route: document.response_headers.then(|| passed.route.clone()),
                    holds: false,
                });
                self.under_way = self.worker.page.begin();
                let_through(&passed);
                self.tell(Stage::Decided);
                Action::Continue
            }
            Arrival::AwaitBody(pending) => {
                let watched = Watched {
                    context_id: self.context_id,
                    header_bytes: pending.header_bytes(),
                    schema: pending.schema(),
                };
                self.noted.known.api = Some(pending.api());
                self.state = State::AwaitingBody(pending);
                if end_of_stream {
                    return self.decide(0);
                }
                self.worker.watch.begin(watched);
                Action::Pause
            }
        }
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        match &self.state {
            State::AwaitingBody(pending) => {
                self.worker.watch.prove();
                let document = self.document.as_deref();
                let came = u64::try_from(size).unwrap_or(u64::MAX);
                self.noted.known.request_bytes = came;
                let too_large = document.and_then(|document| pending.too_large(document, came));
                if let Some(answer) = too_large {
                    calls::send(&answer);
                    self.noted.answered(&answer);
                    self.state = State::TooLarge(answer);
                    Action::Pause
                } else if end_of_stream {
                    self.decide(size)
                } else {
                    Action::Pause
                }
            }
            State::Answered | State::Served | State::TooLarge(_) => Action::Pause,
            State::Routed(_) => {
                // What passes unread comes piece by piece.
                let more = u64::try_from(size).unwrap_or(u64::MAX);
                self.noted.known.request_bytes =
                    self.noted.known.request_bytes.saturating_add(more);
                Action::Continue
            }
            State::Arriving => Action::Continue,
        }
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        // No API has any, and some servers take them for headers: a key among them, or what a backend must not see.
        calls::remove_request_trailers();
        match self.state {
            // The body has ended, and its callback was never told so.
            State::AwaitingBody(_) => {
                self.worker.watch.prove();
                self.decide(usize::MAX)
            }
            State::Answered | State::Served | State::TooLarge(_) => Action::Pause,
            _ => Action::Continue,
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        self.worker.deadlines.end(self.context_id);
        self.noted.is_whole = end_of_stream;
        let action = self.take_answer(end_of_stream);
        if action == Action::Continue {
            self.look_for_attempts();
            if end_of_stream {
                self.conclude();
            } else {
                self.tell_attempts();
            }
        }
        action
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let more = u64::try_from(size).unwrap_or(u64::MAX);
        self.noted.known.response_bytes = self.noted.known.response_bytes.saturating_add(more);
        if end_of_stream {
            self.noted.is_whole = true;
            self.conclude();
        }
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        self.noted.is_whole = true;
        self.conclude();
        Action::Continue
    }

    fn on_log(&mut self) {
        self.conclude();
        if let Some(outcome) = self.outcome.take() {
            self.worker.record(&outcome);
        }
    }
}

/// Leaves a field of an outcome where access logs and traces find it.
fn leave((name, value): (&str, Cow<'_, str>)) {
    calls::set_state(name, value.as_bytes());
}

fn code_details() -> Vec<u8> {
    calls::property(&["response", "code_details"]).unwrap_or_default()
}

/// What an answer stands for that is Envoy's own.
fn envoys_code(details: &[u8]) -> Option<ErrorCode> {
    let status = calls::response_status().filter(|status| *status >= 400)?;
    ErrorCode::of_envoy(status, &String::from_utf8_lossy(details))
}

/// Whether Envoy has not made an attempt that was to follow one without an answer.
fn is_dropped(plan: &Plan, code: Option<ErrorCode>) -> bool {
    // Others end a request, or an attempt before it has begun.
    let is_an_attempts = matches!(
        code,
        Some(ErrorCode::UpstreamUnreachable | ErrorCode::UpstreamReset)
    );
    is_an_attempts && plan.wants_another()
}

/// The plan as the attempts have left it.
fn plan() -> Option<Plan> {
    Plan::decode(&calls::property(&[PLAN])?)
}

impl RouterStream {
    /// The headers of an answer have come to their last stop.
    fn take_answer(&mut self, end_of_stream: bool) -> Action {
        match &self.state {
            State::AwaitingBody(pending) => {
                let schema = pending.schema();
                let code = envoys_code(&code_details());
                code.map_or(Action::Continue, |code| {
                    self.answer(&code.answer(schema, code.own_message()))
                })
            }
            State::Routed(way) => {
                let way = way.clone();
                self.finish(&way, end_of_stream)
            }
            State::TooLarge(answer) => {
                let answer = answer.clone();
                // Its details do not tell which of the two it is.
                let kind = calls::response_header("content-type");
                if kind.as_deref() == Some(Answer::CONTENT_TYPE.as_bytes()) {
                    Action::Continue
                } else {
                    self.answer(&answer)
                }
            }
            _ => Action::Continue,
        }
    }

    /// An answer to a request that was sent on has come to its last stop.
    fn finish(&mut self, way: &OnItsWay, end_of_stream: bool) -> Action {
        let status = calls::response_status().unwrap_or(0);
        self.noted.known.status = u16::try_from(status).unwrap_or(0);
        // The mark is still there when the retry that it asked for was not to be had. What is neither an error nor held
        // can have it only if it is empty.
        let may_be_marked = status >= 400 || way.holds || end_of_stream;
        let is_marked = may_be_marked && calls::response_header(RETRY).is_some();
        if is_marked {
            calls::remove_header(MapType::HttpResponseHeaders, RETRY);
        }
        if status < 400 && way.route.is_none() && !is_marked {
            return Action::Continue;
        }
        let details = code_details();
        let code = envoys_code(&details);
        let is_told = code.is_some() || way.route.is_some() || is_marked;
        let mut plan = if is_told { plan() } else { None };
        if let (Some(code), Some(plan)) = (code, &mut plan) {
            self.tell_health(code, plan);
        }
        let is_dropped = is_marked || plan.as_ref().is_some_and(|plan| is_dropped(plan, code));
        let unretried = is_dropped.then(|| self.count_unretried());
        // What was held and broke off must not pass for whole.
        let is_cut = is_marked && status < 400 && plan.as_ref().is_some_and(Plan::is_cut);
        let code = code.or(is_cut.then_some(ErrorCode::UpstreamIncomplete));
        if is_marked
            && !is_cut
            && let Some(plan) = &mut plan
        {
            plan.take_back();
        }
        let answered = details == b"via_upstream" && code.is_none();
        let route = way.route.clone();
        let report = route.map(|route| report(route, plan.as_ref(), answered, unretried));
        if let Some(code) = code {
            let mut answer = code.answer(way.schema, code.own_message());
            answer.headers.extend(report.unwrap_or_default());
            return self.answer(&answer);
        }
        if let Some(report) = report {
            write_report(report);
        }
        Action::Continue
    }

    /// Envoy gave up: the last attempt ended without an answer, and no other one will say that it did.
    fn tell_health(&self, code: ErrorCode, plan: &mut Plan) {
        let is_upstreams = matches!(
            code,
            ErrorCode::UpstreamUnreachable | ErrorCode::UpstreamReset | ErrorCode::UpstreamTimeout
        );
        if is_upstreams {
            plan.tell_last(self.worker.moment());
        }
    }

    /// Why an attempt was not made.
    fn count_unretried(&self) -> Unretried {
        let flags = calls::integer_property(&["response", "flags"]);
        let reason = Unretried::of(flags.unwrap_or(0));
        let counters = self.worker.unretried.get();
        for (known, counter) in Unretried::ALL.into_iter().zip(counters) {
            if known == reason {
                counter.increment();
            }
        }
        reason
    }

    fn answer(&mut self, answer: &Answer) -> Action {
        self.noted.answered(answer);
        self.state = State::Answered;
        calls::send(answer);
        Action::Pause
    }

    /// Whether its outcome goes into filter state.
    fn tells(&self) -> bool {
        let document = self.document.as_ref();
        document.is_some_and(|document| document.telemetry.access_log)
    }

    /// Leaves what is known at this stage as filter state: whatever comes, Envoy's span has it.
    fn tell(&mut self, stage: Stage) {
        if self.tells() {
            self.telling.up_to(stage, &self.noted.known).for_each(leave);
        }
    }

    /// The answer that is passing is that of the last attempt, whatever comes of it.
    fn tell_attempts(&mut self) {
        if let Some(ticket) = self.ticket.filter(|_| self.tells()) {
            self.noted.attempts(&ledger::attempts(ticket), 0);
            self.tell(Stage::Answering);
        }
    }

    /// Notices that there were attempts of which nothing is known here.
    fn look_for_attempts(&mut self) {
        if self.ticket.is_none_or(ledger::has_attempts) {
            return;
        }
        let worker = &self.worker;
        if !worker.is_apart.get() && code_details() == b"via_upstream" {
            worker.is_apart.set(true);
            log::error!(
                "llm-router: nothing is known of the attempts at requests, and outcomes have no usage and no cost: give \
                 the llm_router filter and the llm_backend filters the same `vm_id`"
            );
        }
        self.noted.known.is_unseen = worker.is_apart.get();
    }

    /// The request is over: everything of it is known that ever will be. Where its answer passes to its end, that is before
    /// Envoy finishes the span; otherwise, Envoy says so when it logs.
    fn conclude(&mut self) {
        if self.outcome.is_some() || matches!(self.state, State::Served) {
            return;
        }
        let is_sent = self.ticket.is_some();
        let ended = self.ticket.take().map(ledger::close).unwrap_or_default();
        let answered = self.worker.take_answered(self.context_id);
        let mut noted = std::mem::take(&mut self.noted);
        if is_sent && ended.attempts.is_empty() && self.worker.is_apart.get() {
            noted.known.is_unseen = true;
            noted.is_cut = code_details().starts_with(b"upstream_reset");
        }
        let answered = answered.or(ended.answered).map(ErrorCode::name);
        noted.known.error = noted.known.error.or(answered);
        if noted.known.status == 0 {
            let status = calls::integer_property(&["response", "code"]);
            noted.known.status = status
                .and_then(|status| status.try_into().ok())
                .unwrap_or(0);
        }
        let ended_at = calls::now();
        let arrived = calls::integer_property(&["request", "time"]);
        let arrived_at = arrived.and_then(|nanos| u64::try_from(nanos / 1_000_000).ok());
        let over = Over {
            arrived_at: arrived_at.unwrap_or(ended_at),
            ended_at,
        };
        let outcome = noted.outcome(&ended.attempts, over);
        if self.tells() {
            self.telling.up_to(Stage::Over, &outcome).for_each(leave);
        }
        self.outcome = Some(outcome);
    }

    /// The body is whole, and its buffer has at most `size` bytes.
    fn decide(&mut self, size: usize) -> Action {
        let (State::AwaitingBody(pending), Some(document)) = (&self.state, &self.document) else {
            return Action::Continue;
        };
        let began_at = calls::clock();
        let body = if size == 0 {
            Vec::new()
        } else {
            calls::body(size)
        };
        let moment = self.worker.moment_at(calls::millis(began_at));
        match pending.route_noting(document, &body, moment, &mut self.noted) {
            Ok(routed) => {
                let schema = pending.schema();
                let route = document.response_headers.then(|| routed.route.name.clone());
                let holds = routed.holds;
                self.state = State::Routed(OnItsWay {
                    schema,
                    route,
                    holds,
                });
                self.under_way = self.worker.page.begin();
                let deadlines = &self.worker.deadlines;
                deadlines.begin(self.context_id, routed.deadline_at, schema);
                self.ticket = Some(routed.ticket);
                ledger::open(routed.ticket, &self.worker.tally);
                send_on_its_way(&routed);
                let took = calls::clock().saturating_sub(began_at).as_micros();
                self.noted.known.decision_us = u64::try_from(took).unwrap_or(u64::MAX);
                self.tell(Stage::Decided);
                Action::Continue
            }
            Err(answer) => self.answer(&answer),
        }
    }
}
