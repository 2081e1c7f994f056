//! The backend role: an upstream HTTP filter on each backend's cluster, one context per attempt.

use std::cell::Cell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType, MapType};

use super::calls::{self, Counter};
use super::{NEXT, PLAN, RETRY};
use crate::attempt::{ChangeKind, CurrentHeaders, HeaderWrite, Plan, Verdict, begin, judge};
use crate::config;
use crate::request::StreamingEdit;
use crate::schema::{ErrorCode, Schema};
use crate::telemetry;

/// What all attempts on one cluster share.
#[derive(Default)]
struct Cluster {
    /// The name of the backend whose cluster it is.
    backend: String,
    mismatches: Counter,
    reported: Cell<bool>,
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
                    reported: Cell::new(false),
                });
                true
            }
            Err(errors) => super::refuse(&errors),
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Attempt {
            cluster: Rc::clone(&self.cluster),
            state: State::Beginning,
        }))
    }
}

/// How far an attempt has come.
enum State {
    /// Its request has not been seen.
    Beginning,
    /// No plan is known for it: it came here by a route that is none of ours, and passes as it is.
    Unplanned,
    /// Its request is on its way.
    Sent {
        edit: Option<StreamingEdit>,
        /// The plan with the attempt that follows if this one fails; `None` too as soon as that is decided.
        next: Option<Plan>,
    },
    /// It was refused here.
    Refused,
}

struct Attempt {
    cluster: Rc<Cluster>,
    state: State,
}

impl Context for Attempt {
    fn on_done(&mut self) -> bool {
        // It ends without an answer (no connection, reset, time is up): Envoy asks the matcher again after this.
        if let State::Sent {
            next: Some(next), ..
        } = &self.state
        {
            leave(next);
        }
        true
    }
}

impl HttpContext for Attempt {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let Some(bytes) = calls::property(&[PLAN]) else {
            self.state = State::Unplanned;
            return Action::Continue;
        };
        let Some(plan) = Plan::decode(&bytes) else {
            return self.refuse(Schema::OpenAi, "");
        };
        let schema = plan.schema();
        let adaptation = match begin(plan, &self.cluster.backend, &EnvoyHeaders) {
            Ok(adaptation) => adaptation,
            Err(mismatch) => return self.refuse(schema, &mismatch.planned),
        };
        write_headers(&adaptation.headers);
        self.state = State::Sent {
            edit: adaptation.body,
            next: adaptation.next,
        };
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, _end_of_stream: bool) -> Action {
        match &mut self.state {
            State::Sent {
                edit: Some(edit), ..
            } => {
                if let Some(chunk) = edit.chunk(size) {
                    let mut beginning = if chunk.keep == 0 {
                        Vec::new()
                    } else {
                        calls::body(chunk.keep)
                    };
                    beginning.extend_from_slice(chunk.insert);
                    let replaced = chunk.keep.saturating_add(chunk.drop);
                    calls::replace_body(BufferType::HttpRequestBody, replaced, &beginning);
                }
                Action::Continue
            }
            State::Refused => Action::Pause,
            _ => Action::Continue,
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        // Not the state as a whole: the rest of the body may still be passing.
        let State::Sent { next, .. } = &mut self.state else {
            return Action::Continue;
        };
        let next = next.take();
        let map = MapType::HttpResponseHeaders;
        // Without another target nothing depends on the verdict, and the status is not asked for.
        if let Some(next) = next
            && calls::response_status().map(judge) == Some(Verdict::NextTarget)
        {
            leave(&next);
            calls::set_header(map, RETRY, b"next-target");
        } else {
            // The mark is ours alone: a backend that sends it must not cause attempts at others.
            calls::remove_header(map, RETRY);
        }
        Action::Continue
    }
}

/// Leaves word of the next attempt where the route's matcher and the backend role will look.
fn leave(next: &Plan) {
    calls::set_state(PLAN, &next.encode());
    calls::set_state(NEXT, next.cluster().as_bytes());
}

/// The headers of the attempt whose callback this is.
struct EnvoyHeaders;

impl CurrentHeaders for EnvoyHeaders {
    fn all(&self) -> Vec<(String, Vec<u8>)> {
        calls::request_headers()
    }

    fn value(&self, name: &str) -> Option<Vec<u8>> {
        calls::request_header(name)
    }

    fn is_retry(&self) -> bool {
        // Not known is not trusted.
        calls::integer_property(&["upstream", "request_attempt_count"]) != Some(1)
    }
}

fn write_headers(write: &HeaderWrite) {
    let map = MapType::HttpRequestHeaders;
    match write {
        HeaderWrite::Change(changes) => {
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
    /// Refuses an attempt that was planned for another backend, before any of it or of our key leaves.
    fn refuse(&mut self, schema: Schema, planned: &str) -> Action {
        self.state = State::Refused;
        self.cluster.mismatches.increment();
        let here = &self.cluster.backend;
        if !self.cluster.reported.replace(true) {
            log::error!(
                "llm-router: attempts planned for backend \"{planned}\" come out at the cluster of \"{here}\", and \
                 are answered 500: the route's matcher must send each `wasm.llm.next` to the cluster of that name, \
                 and each cluster's llm_backend filter must name that cluster's backend"
            );
        }
        let message = "The gateway is not set up right: it sent this request to another backend than planned.";
        calls::send(&ErrorCode::BackendMismatch.answer(schema, message));
        Action::Pause
    }
}
