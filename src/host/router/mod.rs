//! The router role: a downstream HTTP filter with one context per request. This module holds the state that all
//! requests of a worker share.

mod outcome;
mod passing;
mod stream;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use hashbrown::HashMap;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use super::body_watch::{BodyWatch, WatchedRequest};
use super::calls::{self, Counter};
use super::deadlines::Deadlines;
use super::health::SharedHealth;
use super::ledger::AttemptCounters;
use super::page::LivePage;
use super::random::Random;
use crate::attempt::{Moment, UnretriedReason};
use crate::config::Document;
use crate::schema::{Answer, ErrorCode};
use crate::telemetry::{self, Outcome};
use stream::RouterStream;

/// How late a passed deadline or a missing Envoy setting may be noticed.
const TICK: Duration = Duration::from_millis(100);

/// The state that all requests of a worker share.
struct Worker {
    watch: BodyWatch,
    random: Random,
    /// Requests whose answer has not begun yet.
    deadlines: Deadlines,
    missing_setting: Cell<Counter>,
    deadline_exceeded: Cell<Counter>,
    unretried: Cell<[Counter; UnretriedReason::ALL.len()]>,
    reported: Cell<bool>,
    /// Whether this VM cannot see the attempts, because the backend role runs in another VM.
    has_separate_vms: Cell<bool>,
    page: LivePage,
    counters: Rc<AttemptCounters>,
    health: SharedHealth,
    /// Errors that were answered outside of the request's own callbacks, by context id.
    answered: RefCell<HashMap<u32, ErrorCode>>,
}

impl Default for Worker {
    fn default() -> Self {
        let counters = Rc::<AttemptCounters>::default();
        Worker {
            health: SharedHealth::counted_by(Some(Rc::clone(&counters))),
            counters,
            watch: BodyWatch::default(),
            random: Random::default(),
            deadlines: Deadlines::default(),
            missing_setting: Cell::default(),
            deadline_exceeded: Cell::default(),
            unretried: Cell::default(),
            reported: Cell::default(),
            has_separate_vms: Cell::default(),
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

    /// Records the outcome of a finished request. Called once per request, in the request's own context.
    fn record(&self, outcome: &Outcome) {
        self.counters.metrics.record(outcome);
        log::debug!("llm-router: {} {}", outcome.decision, outcome.end.name());
        self.page.record(outcome);
    }

    /// Takes the error that this request was answered outside of its own callbacks, if any.
    fn take_answered(&self, context_id: u32) -> Option<ErrorCode> {
        self.answered.borrow_mut().remove(&context_id)
    }

    /// Answers a request outside of its own callbacks. The request's context must be the effective one.
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
        self.worker.page.flush();
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
        let counters = UnretriedReason::ALL
            .map(|reason| Counter::define(telemetry::unretried_counter(reason)));
        worker.unretried.set(counters);
        worker.counters.metrics.define(&document);
        log::info!(
            "llm-router: {} backends, {} routes",
            document.backends.len(),
            document.routes.len()
        );
        let document = Rc::new(document);
        worker
            .page
            .configure(&document, &worker.counters, worker.random.next());
        self.document = Some(document);
        true
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        let document = self.document.clone();
        let worker = Rc::clone(&self.worker);
        Some(Box::new(RouterStream::new(context_id, document, worker)))
    }

    fn on_tick(&mut self) {
        if let Some(document) = &self.document {
            let metrics = &self.worker.counters.metrics;
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
                let answer = code.answer(schema, code.default_message());
                self.worker.answer(context_id, &answer);
            }
        }
    }
}

impl RouterRoot {
    /// Answers a request whose body Envoy holds back. The request's context must be the effective one.
    fn report_missing_setting(&self, watched: WatchedRequest) {
        self.worker.watch.end(watched.context_id);
        if !self.worker.reported.replace(true) {
            log::error!(
                "llm-router: Envoy holds request bodies back, so requests are answered with 500: set \
                 `allow_on_headers_stop_iteration: true` in the plugin config of the llm_router filter"
            );
        }
        self.worker.missing_setting.get().increment();
        let message = "The gateway is misconfigured: without `allow_on_headers_stop_iteration: true` in the plugin \
                       config of the llm_router filter, Envoy never passes it the request body.";
        let answer = ErrorCode::MissingEnvoySetting.answer(watched.schema, message);
        self.worker.answer(watched.context_id, &answer);
    }
}
