//! What is no call of a model: no attempt of ours sees more than its headers, so that Envoy is asked what came of it.

use proxy_wasm::types::Action;

use super::stream::{OnItsWay, RouterStream, code_details, envoys_code};
use crate::host::calls;
use crate::host::written::{report, write_report};
use crate::schema::{ErrorCode, WebSocket};
use crate::telemetry::{Attempted, Came, decisions, report_passed};

const SWITCHING_PROTOCOLS: u32 = 101;

impl RouterStream {
    /// Whether it is no call of a model, and on its way.
    pub(super) fn is_passing(&self) -> bool {
        self.noted.known.decision == decisions::PASS_THROUGH
    }

    /// An answer to it has come to its last stop.
    pub(super) fn finish_passing(&mut self, way: &OnItsWay) -> Action {
        let status = calls::response_status().unwrap_or(0);
        self.noted.known.status = u16::try_from(status).unwrap_or(0);
        let details = if status < 400 {
            Vec::new()
        } else {
            code_details()
        };
        let code = envoys_code(status, &details);
        // What the backend role answers has none, and that is all that it can have against it.
        let is_refused = status >= 400 && details.is_empty();
        let came = match code.or(is_refused.then_some(ErrorCode::BackendMismatch)) {
            Some(error) => Came::Error(error),
            None => Came::Answer(status),
        };
        self.note_passed(came);
        if status == SWITCHING_PROTOCOLS {
            let protocol = calls::response_header("upgrade").unwrap_or_default();
            let is_session = protocol.eq_ignore_ascii_case(b"websocket");
            self.session = is_session.then(WebSocket::default);
        }
        let report = way.route.clone().map(|route| {
            let attempt = self.noted.known.attempts.last();
            report(route, report_passed(attempt, came), None)
        });
        if let Some(code) = code {
            let mut answer = code.answer(way.schema, code.own_message());
            answer.headers.extend(report.unwrap_or_default());
            return self.answer(&answer);
        }
        if let Came::Error(code) = came {
            self.noted.known.error = Some(code.name());
        }
        if let Some(report) = report {
            write_report(report);
        }
        Action::Continue
    }

    /// Notes what became of the attempt, if Envoy says that it has made one, and at which cluster.
    pub(super) fn note_passed(&mut self, came: Came) {
        let Some(document) = &self.document else {
            return;
        };
        let is_made = calls::integer_property(&["upstream", "request_attempt_count"])
            .is_some_and(|count| count > 0);
        let cluster = if is_made {
            calls::property(&["xds", "cluster_name"])
        } else {
            None
        };
        let mut backends = document.backends.iter();
        let backend = cluster
            .and_then(|cluster| backends.find(|backend| backend.cluster.as_bytes() == cluster));
        let attempt = backend.and_then(|backend| Attempted::passed(backend, came));
        self.noted.known.attempts = attempt.into_iter().collect();
    }
}
