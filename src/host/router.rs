//! The router role: a downstream HTTP filter, one context per request.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType, MapType};

use super::calls::{self, Counter};
use super::watch::{Watch, Watched};
use super::{NEXT, PLAN, RETRY};
use crate::config::Document;
use crate::request::Headers;
use crate::routing::{Arrival, Pending, Routed, arrive};
use crate::schema::{Answer, ErrorCode, Schema};
use crate::telemetry;

/// What all requests of a worker share.
#[derive(Default)]
struct Worker {
    watch: Watch,
    /// The next 64 random bits are made of this.
    seed: Cell<u64>,
    missing_setting: Cell<Counter>,
    reported: Cell<bool>,
}

impl Worker {
    fn random(&self) -> u64 {
        // A Weyl sequence; whoever uses the bits mixes them.
        self.seed
            .set(self.seed.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        self.seed.get()
    }
}

#[derive(Default)]
pub(super) struct RouterRoot {
    document: Option<Rc<Document>>,
    worker: Rc<Worker>,
}

impl Context for RouterRoot {}

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
        let period = worker.watch.set_timeout(document.missing_flag_timeout);
        if let Err(status) = hostcalls::set_tick_period(period) {
            log::warn!("host call failed: set_tick_period: {status:?}");
        }
        // The hasher's keys are the host's randomness: every worker starts elsewhere.
        worker.seed.set(RandomState::new().hash_one(0));
        let counter = Counter::define(telemetry::MISSING_ENVOY_SETTING);
        worker.missing_setting.set(counter);
        log::info!(
            "llm-router: {} backends, {} routes",
            document.backends.len(),
            document.routes.len()
        );
        self.document = Some(Rc::new(document));
        true
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(RouterStream {
            context_id,
            document: self.document.clone(),
            worker: Rc::clone(&self.worker),
            state: State::Arriving,
        }))
    }

    fn on_tick(&mut self) {
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
        calls::send(&ErrorCode::MissingEnvoySetting.answer(watched.schema, message));
    }
}

/// How far a request has come.
enum State {
    /// Its headers have not been seen.
    Arriving,
    /// Its body decides.
    AwaitingBody(Pending),
    /// It is on its way.
    Routed(Schema),
    /// It has been answered here.
    Answered,
}

struct RouterStream {
    context_id: u32,
    document: Option<Rc<Document>>,
    worker: Rc<Worker>,
    state: State,
}

impl Drop for RouterStream {
    fn drop(&mut self) {
        self.worker.watch.end(self.context_id);
    }
}

impl Context for RouterStream {}

impl HttpContext for RouterStream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let Some(document) = &self.document else {
            // Envoy creates no request's context before a configuration was accepted.
            return Action::Continue;
        };
        match arrive(document, Headers::new(calls::request_headers())) {
            Arrival::Answer(answer) => self.answer(&answer),
            Arrival::AwaitBody(pending) => {
                let watched = Watched {
                    context_id: self.context_id,
                    header_bytes: pending.header_bytes(),
                    schema: pending.schema(),
                };
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
        match self.state {
            State::AwaitingBody(_) => {
                self.worker.watch.prove();
                if end_of_stream {
                    self.decide(size)
                } else {
                    Action::Pause
                }
            }
            State::Answered => Action::Pause,
            _ => Action::Continue,
        }
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        match self.state {
            // The body has ended, and its callback was never told so.
            State::AwaitingBody(_) => {
                self.worker.watch.prove();
                self.decide(usize::MAX)
            }
            State::Answered => Action::Pause,
            _ => Action::Continue,
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let schema = match &self.state {
            State::AwaitingBody(pending) => pending.schema(),
            State::Routed(schema) => *schema,
            _ => return Action::Continue,
        };
        let Some(status) = calls::response_status().filter(|status| *status >= 400) else {
            return Action::Continue;
        };
        // It is still there when the retry that it asked for was not to be had.
        calls::remove_header(MapType::HttpResponseHeaders, RETRY);
        let details = calls::property(&["response", "code_details"]).unwrap_or_default();
        let code = ErrorCode::of_envoy(status, &String::from_utf8_lossy(&details));
        match code {
            Some(code) => self.answer(&code.answer(schema, code.envoy_message())),
            None => Action::Continue,
        }
    }
}

impl RouterStream {
    fn answer(&mut self, answer: &Answer) -> Action {
        self.state = State::Answered;
        calls::send(answer);
        Action::Pause
    }

    /// The body is whole, and its buffer has at most `size` bytes.
    fn decide(&mut self, size: usize) -> Action {
        let (State::AwaitingBody(pending), Some(document)) = (&self.state, &self.document) else {
            return Action::Continue;
        };
        let body = if size == 0 {
            Vec::new()
        } else {
            calls::body(size)
        };
        match pending.route(document, &body, self.worker.random()) {
            Ok(routed) => {
                self.state = State::Routed(pending.schema());
                send_on_its_way(&routed);
                Action::Continue
            }
            Err(answer) => self.answer(&answer),
        }
    }
}

fn send_on_its_way(routed: &Routed<'_>) {
    let map = MapType::HttpRequestHeaders;
    for name in &routed.remove_headers {
        calls::remove_header(map, name);
    }
    let max_retries = routed.max_retries.to_string();
    calls::set_header(map, "x-envoy-max-retries", max_retries.as_bytes());
    if let Some(edit) = &routed.body {
        calls::replace_body(BufferType::HttpRequestBody, edit.replaced, &edit.beginning);
        if let Some(length) = edit.content_length {
            calls::set_header(map, "content-length", length.to_string().as_bytes());
        }
    }
    calls::set_state(PLAN, &routed.plan);
    calls::set_state(NEXT, routed.cluster.as_bytes());
    // The last of all: what Envoy selects from now on, it selects by what was just written.
    calls::clear_route_cache();
}
