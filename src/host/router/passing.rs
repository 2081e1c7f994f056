//! Outcomes of pass-through requests. The backend role sees no more than the request's headers, so the router role asks
//! Envoy what happened to the attempt.

use proxy_wasm::types::Action;

use super::stream::{InFlightRequest, RouterStream, code_details, envoys_code};
use crate::host::calls;
use crate::host::effects::{report, write_report};
use crate::schema::{ErrorCode, WebSocket};
use crate::telemetry::{AttemptSummary, PassThroughResult, decisions, report_passed};

const SWITCHING_PROTOCOLS: u32 = 101;

/// Returns the cluster of the attempt; `None` if Envoy has made none.
fn attempted_cluster() -> Option<Vec<u8>> {
    let attempts = calls::integer_property(&["upstream", "request_attempt_count"])?;
    let is_made = attempts > 0;
    is_made.then(|| calls::property(&["xds", "cluster_name"]))?
}

impl RouterStream {
    /// Whether the request passes through and was sent on.
    pub(super) fn is_passing(&self) -> bool {
        self.outcome_builder.partial.decision == decisions::PASS_THROUGH
    }

    /// Records that the caller disconnected before there was an answer.
    pub(super) fn note_abandoned(&mut self) {
        self.note_passed(PassThroughResult::Nothing, attempted_cluster());
    }

    /// Handles the headers of the answer to a pass-through request, whether from the backend or from Envoy.
    pub(super) fn finish_passing(&mut self, request: &InFlightRequest) -> Action {
        let status = calls::response_status().unwrap_or(0);
        self.outcome_builder.partial.status = u16::try_from(status).unwrap_or(0);
        let details = if status < 400 {
            Vec::new()
        } else {
            code_details()
        };
        let code = envoys_code(status, &details);
        let cluster = attempted_cluster();
        // Answers of wasm filters have no details. If an attempt was made, the answer is the backend role's, whose only
        // reason to refuse such a request is the wrong cluster. Otherwise, another filter behind this one has answered.
        let is_refused = status >= 400 && details.is_empty() && cluster.is_some();
        let result = match code.or(is_refused.then_some(ErrorCode::BackendMismatch)) {
            Some(error) => PassThroughResult::Error(error),
            None => PassThroughResult::Answer(status),
        };
        self.note_passed(result, cluster);
        if status == SWITCHING_PROTOCOLS {
            let protocol = calls::response_header("upgrade").unwrap_or_default();
            let is_session = protocol.eq_ignore_ascii_case(b"websocket");
            self.session = is_session.then(WebSocket::default);
        }
        let report = request.route.clone().map(|route| {
            let attempt = self.outcome_builder.partial.attempts.last();
            report(route, report_passed(attempt, result), None)
        });
        if let Some(code) = code {
            let mut answer = code.answer(request.schema, code.default_message());
            answer.headers.extend(report.unwrap_or_default());
            return self.answer(&answer);
        }
        if let PassThroughResult::Error(code) = result {
            self.outcome_builder.partial.error = Some(code.name());
        }
        if let Some(report) = report {
            write_report(report);
        }
        Action::Continue
    }

    /// Records the result of an attempt at the backend of this cluster, if there was an attempt.
    fn note_passed(&mut self, result: PassThroughResult, cluster: Option<Vec<u8>>) {
        let Some(document) = &self.document else {
            return;
        };
        let mut backends = document.backends.iter();
        let backend = cluster
            .and_then(|cluster| backends.find(|backend| backend.cluster.as_bytes() == cluster));
        let attempt = backend.and_then(|backend| AttemptSummary::passed(backend, result));
        self.outcome_builder.partial.attempts = attempt.into_iter().collect();
    }
}
