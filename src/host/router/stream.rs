//! The router role's state machine for one request: Envoy's callbacks, and what each of them does.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType};

use super::Worker;
use crate::attempt::{Plan, UnretriedReason};
use crate::config::Document;
use crate::host::body_watch::WatchedRequest;
use crate::host::effects::{forward_pass_through, forward_routed, report, write_report};
use crate::host::page::CountedRequest;
use crate::host::{PLAN, RETRY, calls, ledger};
use crate::request::Headers;
use crate::routing::{AfterHeaders, PendingRequest, receive_headers};
use crate::schema::{Answer, ErrorCode, Schema, WebSocket};
use crate::telemetry::{Outcome, OutcomeBuilder, Stage, WrittenFields, caller_of, decisions};

/// How far a request has come.
pub(super) enum RequestState {
    /// The headers have not arrived yet.
    Arriving,
    /// The router is waiting for the body, which decides where the request goes.
    AwaitingBody(PendingRequest),
    /// The request was sent on to a backend.
    Routed(InFlightRequest),
    /// The router has answered the request itself.
    Answered,
    /// The router has served its own page; such requests are not counted.
    Served,
    /// The router has answered that the body is too large. If Envoy's own limit is the same, Envoy has just reached
    /// it too, and its answer then takes the place of this one.
    TooLarge(Answer),
}

#[derive(Clone)]
pub(super) struct InFlightRequest {
    pub(super) schema: Schema,
    /// The route's name, if response headers report it.
    pub(super) route: Option<String>,
    /// Whether an attempt whose status is no error may still fail.
    holds: bool,
}

pub(super) struct RouterStream {
    pub(super) context_id: u32,
    pub(super) document: Option<Rc<Document>>,
    pub(super) worker: Rc<Worker>,
    pub(super) state: RequestState,
    counted: Option<CountedRequest>,
    pub(super) outcome_builder: OutcomeBuilder,
    /// Which fields of the outcome are in filter state already.
    pub(super) written_fields: WrittenFields,
    pub(super) outcome: Option<Outcome>,
    /// The number by which its attempts find their request in the ledger; `None` if there can be no attempts.
    pub(super) ticket: Option<u64>,
    /// Follows the backend's frames in a WebSocket session.
    pub(super) session: Option<WebSocket>,
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
            // Unreachable: Envoy creates no request contexts until it has accepted a configuration.
            return Action::Continue;
        };
        let document = document.as_ref();
        let headers = Headers::new(calls::request_headers());
        if self.worker.page.serve(&headers) {
            self.state = RequestState::Served;
            return Action::Pause;
        }
        let headers = self.worker.page.without_secret(headers);
        let caller = crate::host::caller::caller(document, &headers);
        let source = document.telemetry.caller.as_ref();
        self.outcome_builder.partial.caller =
            source.and_then(|source| caller_of(source, &headers, &caller));
        match receive_headers(document, headers, caller, || self.worker.moment()) {
            AfterHeaders::Answer(answer) => self.answer(&answer),
            AfterHeaders::PassThrough(passed) => {
                self.outcome_builder.partial.decision = decisions::PASS_THROUGH;
                self.outcome_builder.partial.route = Some(passed.route.clone());
                self.state = RequestState::Routed(InFlightRequest {
                    schema: passed.schema,
                    route: document.response_headers.then(|| passed.route.clone()),
                    holds: false,
                });
                self.counted = self.worker.page.begin();
                forward_pass_through(&passed);
                self.write_fields(Stage::Decided);
                Action::Continue
            }
            AfterHeaders::AwaitBody(pending) => {
                let watched = WatchedRequest {
                    context_id: self.context_id,
                    header_bytes: pending.header_bytes(),
                    schema: pending.schema(),
                };
                self.outcome_builder.partial.api = Some(pending.api());
                self.state = RequestState::AwaitingBody(pending);
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
            RequestState::AwaitingBody(pending) => {
                self.worker.watch.confirm_setting();
                let document = self.document.as_deref();
                let came = u64::try_from(size).unwrap_or(u64::MAX);
                self.outcome_builder.partial.request_bytes = came;
                let too_large = document.and_then(|document| pending.too_large(document, came));
                if let Some(answer) = too_large {
                    calls::send(&answer);
                    self.outcome_builder.answered(&answer);
                    self.state = RequestState::TooLarge(answer);
                    Action::Pause
                } else if end_of_stream {
                    self.decide(size)
                } else {
                    Action::Pause
                }
            }
            RequestState::Answered | RequestState::Served | RequestState::TooLarge(_) => {
                Action::Pause
            }
            RequestState::Routed(_) => {
                // The body of a pass-through request arrives piece by piece.
                let more = u64::try_from(size).unwrap_or(u64::MAX);
                self.outcome_builder.partial.request_bytes = self
                    .outcome_builder
                    .partial
                    .request_bytes
                    .saturating_add(more);
                Action::Continue
            }
            RequestState::Arriving => Action::Continue,
        }
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        // No API uses request trailers, and some servers merge them into the headers, where they could smuggle in a
        // key or another header that a backend must not see.
        calls::remove_request_trailers();
        match self.state {
            // The body ended with the trailers, so its own callback never saw `end_of_stream`.
            RequestState::AwaitingBody(_) => {
                self.worker.watch.confirm_setting();
                self.decide(usize::MAX)
            }
            RequestState::Answered | RequestState::Served | RequestState::TooLarge(_) => {
                Action::Pause
            }
            _ => Action::Continue,
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        self.worker.deadlines.end(self.context_id);
        self.outcome_builder.is_whole = end_of_stream;
        let action = self.take_answer(end_of_stream);
        if action == Action::Continue {
            self.detect_separate_vms();
            if end_of_stream {
                self.conclude();
            } else {
                self.write_attempt_fields();
            }
        }
        action
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let more = u64::try_from(size).unwrap_or(u64::MAX);
        self.outcome_builder.partial.response_bytes = self
            .outcome_builder
            .partial
            .response_bytes
            .saturating_add(more);
        if let Some(session) = &mut self.session {
            session.push(size, calls::response_body);
        }
        if end_of_stream {
            self.outcome_builder.is_whole = true;
            self.conclude();
        }
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        self.outcome_builder.is_whole = true;
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

pub(super) fn code_details() -> Vec<u8> {
    calls::property(&["response", "code_details"]).unwrap_or_default()
}

/// Returns the error code for an answer that Envoy generated itself.
pub(super) fn envoys_code(status: u32, details: &[u8]) -> Option<ErrorCode> {
    let is_error = status >= 400;
    is_error
        .then(|| ErrorCode::from_envoy(status, &String::from_utf8_lossy(details)))
        .flatten()
}

/// Whether Envoy did not make the attempt that was to follow one without an answer.
fn is_dropped(plan: &Plan, code: Option<ErrorCode>) -> bool {
    // All other codes end the whole request, or an attempt that has not begun.
    let is_an_attempts = matches!(
        code,
        Some(ErrorCode::UpstreamUnreachable | ErrorCode::UpstreamReset)
    );
    is_an_attempts && plan.expects_another_attempt()
}

/// Reads the plan back as the attempts have left it.
fn plan() -> Option<Plan> {
    Plan::decode(&calls::property(&[PLAN])?)
}

impl RouterStream {
    pub(super) fn new(context_id: u32, document: Option<Rc<Document>>, worker: Rc<Worker>) -> Self {
        RouterStream {
            context_id,
            document,
            worker,
            state: RequestState::Arriving,
            counted: None,
            outcome_builder: OutcomeBuilder::default(),
            written_fields: WrittenFields::default(),
            outcome: None,
            ticket: None,
            session: None,
        }
    }

    /// Takes the headers of an answer that will not be retried any more.
    fn take_answer(&mut self, end_of_stream: bool) -> Action {
        match &self.state {
            RequestState::AwaitingBody(pending) => {
                let schema = pending.schema();
                let status = calls::response_status().unwrap_or(0);
                let code = envoys_code(status, &code_details());
                code.map_or(Action::Continue, |code| {
                    self.answer(&code.answer(schema, code.default_message()))
                })
            }
            RequestState::Routed(request) => {
                let request = request.clone();
                if self.is_passing() {
                    self.finish_passing(&request)
                } else {
                    self.finish(&request, end_of_stream)
                }
            }
            RequestState::TooLarge(answer) => {
                let answer = answer.clone();
                // The response code details are the same for both answers, so tell them apart by the content type.
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

    /// Finishes the headers of an answer to a request that was sent on.
    fn finish(&mut self, request: &InFlightRequest, end_of_stream: bool) -> Action {
        let status = calls::response_status().unwrap_or(0);
        self.outcome_builder.partial.status = u16::try_from(status).unwrap_or(0);
        // The retry mark is still present if the retry that it asked for could not be made. An answer that is neither
        // an error nor held can only carry the mark if it is empty.
        let may_be_marked = status >= 400 || request.holds || end_of_stream;
        let is_marked = may_be_marked && calls::response_header(RETRY).is_some();
        if is_marked {
            calls::remove_header(MapType::HttpResponseHeaders, RETRY);
        }
        if status < 400 && request.route.is_none() && !is_marked {
            return Action::Continue;
        }
        let details = code_details();
        let code = envoys_code(status, &details);
        let is_told = code.is_some() || request.route.is_some() || is_marked;
        let mut plan = if is_told { plan() } else { None };
        if code == Some(ErrorCode::UpstreamTimeout) {
            self.ticket.into_iter().for_each(ledger::time_is_up);
            plan.iter_mut().for_each(Plan::time_is_up);
        }
        if let (Some(code), Some(plan)) = (code, &mut plan) {
            self.record_upstream_failure(code, plan);
        }
        let is_dropped = is_marked || plan.as_ref().is_some_and(|plan| is_dropped(plan, code));
        let unretried = is_dropped.then(|| self.count_unretried());
        // A held answer that broke off must not look complete.
        let is_cut = is_marked && status < 400 && plan.as_ref().is_some_and(Plan::is_cut);
        let code = code.or(is_cut.then_some(ErrorCode::UpstreamIncomplete));
        if is_marked
            && !is_cut
            && let Some(plan) = &mut plan
        {
            plan.retract_last_failure();
        }
        let answered = details == b"via_upstream" && code.is_none();
        let route = request.route.clone();
        let report = route.map(|route| {
            let attempts = plan.as_ref().map(|plan| plan.report(answered));
            report(route, attempts.unwrap_or_default(), unretried)
        });
        if let Some(code) = code {
            let mut answer = code.answer(request.schema, code.default_message());
            answer.headers.extend(report.unwrap_or_default());
            return self.answer(&answer);
        }
        if let Some(report) = report {
            write_report(report);
        }
        Action::Continue
    }

    /// Reports the last attempt, which ended without an answer, to the targets' health. Envoy has given up, so no
    /// later attempt will do it.
    fn record_upstream_failure(&self, code: ErrorCode, plan: &mut Plan) {
        let is_upstreams = matches!(
            code,
            ErrorCode::UpstreamUnreachable | ErrorCode::UpstreamReset | ErrorCode::UpstreamTimeout
        );
        if is_upstreams {
            plan.record_last_failure(self.worker.moment());
        }
    }

    /// Counts an attempt that Envoy did not make, and returns the reason.
    fn count_unretried(&self) -> UnretriedReason {
        let flags = calls::integer_property(&["response", "flags"]);
        let reason = UnretriedReason::from_response_flags(flags.unwrap_or(0));
        let counters = self.worker.unretried.get();
        for (known, counter) in UnretriedReason::ALL.into_iter().zip(counters) {
            if known == reason {
                counter.increment();
            }
        }
        reason
    }

    pub(super) fn answer(&mut self, answer: &Answer) -> Action {
        self.outcome_builder.answered(answer);
        self.state = RequestState::Answered;
        calls::send(answer);
        Action::Pause
    }

    /// Routes the request. The body is complete, and its buffer has at most `size` bytes.
    fn decide(&mut self, size: usize) -> Action {
        let (RequestState::AwaitingBody(pending), Some(document)) = (&self.state, &self.document)
        else {
            return Action::Continue;
        };
        let began_at = calls::clock();
        let body = if size == 0 {
            Vec::new()
        } else {
            calls::request_body(size)
        };
        let moment = self.worker.moment_at(calls::millis(began_at));
        match pending.route_with_telemetry(document, &body, moment, &mut self.outcome_builder) {
            Ok(routed) => {
                let schema = pending.schema();
                let route = document.response_headers.then(|| routed.route.name.clone());
                let holds = routed.holds_answer;
                self.state = RequestState::Routed(InFlightRequest {
                    schema,
                    route,
                    holds,
                });
                self.counted = self.worker.page.begin();
                let deadlines = &self.worker.deadlines;
                deadlines.begin(self.context_id, routed.deadline_at, schema);
                self.ticket = Some(routed.ticket);
                ledger::open(routed.ticket, &self.worker.counters);
                forward_routed(&routed);
                let took = calls::clock().saturating_sub(began_at).as_micros();
                self.outcome_builder.partial.decision_us = u64::try_from(took).unwrap_or(u64::MAX);
                self.write_fields(Stage::Decided);
                Action::Continue
            }
            Err(answer) => self.answer(&answer),
        }
    }
}
