//! The attempt of a pass-through request, from what Envoy reports about it.

use super::outcome::AttemptSummary;
use crate::attempt::Failure;
use crate::config::Backend;
use crate::schema::{ErrorCode, failure_of_answer};

/// What the caller got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassThroughResult {
    /// The backend's answer with this status.
    Answer(u32),
    /// An error that Envoy or the filter generated.
    Error(ErrorCode),
    /// Nothing, because the caller did not wait.
    Nothing,
}

impl AttemptSummary {
    /// Returns the attempt of a pass-through request; `None` if the result means that there was none.
    pub fn passed(backend: &Backend, result: PassThroughResult) -> Option<AttemptSummary> {
        let verdict = match result {
            PassThroughResult::Nothing => Self::ABANDONED,
            PassThroughResult::Answer(..400) => Self::ACCEPTED,
            PassThroughResult::Answer(status) => match failure_of_answer(status, b"") {
                Failure::Unauthorized if backend.forward_client_credentials => Failure::Rejected,
                failure => failure,
            }
            .name(),
            PassThroughResult::Error(code) => verdict_of(code)?,
        };
        Some(AttemptSummary {
            backend: backend.name.clone(),
            verdict,
            ..AttemptSummary::default()
        })
    }
}

/// Returns the response headers that report the attempt.
pub fn report_passed(
    attempt: Option<&AttemptSummary>,
    result: PassThroughResult,
) -> Vec<(&'static str, String)> {
    let attempts = usize::from(attempt.is_some()).to_string();
    let mut report = vec![("x-llm-router-attempts", attempts)];
    match (attempt, result) {
        (Some(attempt), PassThroughResult::Answer(_)) => {
            report.push(("x-llm-router-backend", attempt.backend.clone()));
        }
        (Some(attempt), _) if attempt.is_failure() => {
            let failed = format!("{}={}", attempt.backend, attempt.verdict);
            report.push(("x-llm-router-failures", failed));
        }
        _ => {}
    }
    report
}

/// Whether `response.code_details` says that the backend or one of Envoy's timers broke off an answer that had begun. If
/// not, the caller disconnected.
///
/// Source: Envoy's `StreamInfo::ResponseCodeDetails`.
pub fn is_cut(details: &[u8]) -> bool {
    const TIMERS: [&[u8]; 3] = [
        b"response_timeout",
        b"stream_idle_timeout",
        b"max_duration_timeout",
    ];
    // `via_upstream` does not count: as far as Envoy knows, the answer is complete.
    details.starts_with(b"upstream_") || TIMERS.contains(&details)
}

/// Returns the verdict that follows from an error of the gateway; `None` if there was no attempt.
fn verdict_of(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::UpstreamUnreachable => Failure::ConnectFailure.name(),
        ErrorCode::UpstreamReset => Failure::Reset.name(),
        ErrorCode::UpstreamTimeout => Failure::NoAnswer.name(),
        ErrorCode::ProxyError => Failure::ServerError.name(),
        // The caller did not send the rest of the request.
        ErrorCode::RequestTimeout => AttemptSummary::ABANDONED,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Document;

    fn backend(own_key: bool) -> Document {
        Document::of_yaml(&format!(
            "backends: [{{name: b, schema: openai, models: [{{name: m}}], forward_client_credentials: {own_key}}}]
routes: [{{name: r, match: {{model: '*'}}, targets: [{{backend: b}}]}}]"
        ))
        .unwrap()
    }

    #[test]
    fn what_comes_of_an_attempt() {
        use ErrorCode as Code;
        for (result, verdict, headers) in [
            (
                PassThroughResult::Answer(101),
                "accepted",
                "attempts: 1, backend: b",
            ),
            (
                PassThroughResult::Answer(304),
                "accepted",
                "attempts: 1, backend: b",
            ),
            (
                PassThroughResult::Answer(404),
                "rejected",
                "attempts: 1, backend: b",
            ),
            (
                PassThroughResult::Answer(401),
                "unauthorized",
                "attempts: 1, backend: b",
            ),
            (
                PassThroughResult::Answer(429),
                "rate_limited",
                "attempts: 1, backend: b",
            ),
            (
                PassThroughResult::Answer(529),
                "unavailable",
                "attempts: 1, backend: b",
            ),
            (PassThroughResult::Nothing, "abandoned", "attempts: 1"),
            (
                PassThroughResult::Error(Code::RequestTimeout),
                "abandoned",
                "attempts: 1",
            ),
            (
                PassThroughResult::Error(Code::UpstreamTimeout),
                "no_answer",
                "attempts: 1, failures: b=no_answer",
            ),
            (
                PassThroughResult::Error(Code::UpstreamReset),
                "reset",
                "attempts: 1, failures: b=reset",
            ),
            (
                PassThroughResult::Error(Code::UpstreamUnreachable),
                "connect_failure",
                "attempts: 1, failures: b=connect_failure",
            ),
            (
                PassThroughResult::Error(Code::ProxyError),
                "server_error",
                "attempts: 1, failures: b=server_error",
            ),
            (
                PassThroughResult::Error(Code::NoHealthyUpstream),
                "",
                "attempts: 0",
            ),
            (
                PassThroughResult::Error(Code::UpstreamOverflow),
                "",
                "attempts: 0",
            ),
            (
                PassThroughResult::Error(Code::BackendMismatch),
                "",
                "attempts: 0",
            ),
        ] {
            let attempt = AttemptSummary::passed(&backend(false).backends[0], result);
            let told = attempt.as_ref().map_or("", |attempt| attempt.verdict);
            assert_eq!(told, verdict, "{result:?}");
            let report = report_passed(attempt.as_ref(), result).into_iter();
            let report: Vec<_> = report
                .map(|(name, value)| {
                    let name = name.strip_prefix("x-llm-router-").unwrap();
                    format!("{name}: {value}")
                })
                .collect();
            assert_eq!(report.join(", "), headers, "{result:?}");
        }
    }

    #[test]
    fn who_broke_an_answer_off() {
        for (details, expected) in [
            (
                "upstream_reset_after_response_started{connection_termination}",
                true,
            ),
            ("upstream_max_stream_duration_reached", true),
            ("response_timeout", true),
            ("stream_idle_timeout", true),
            ("max_duration_timeout", true),
            ("downstream_remote_disconnect", false),
            ("http2.remote_reset", false),
            ("via_upstream", false),
            ("", false),
        ] {
            assert_eq!(is_cut(details.as_bytes()), expected, "{details}");
        }
    }

    /// A rejected key of the caller's says nothing about the gateway's key.
    #[test]
    fn the_callers_key_is_refused() {
        for status in [401, 403] {
            let attempt = AttemptSummary::passed(
                &backend(true).backends[0],
                PassThroughResult::Answer(status),
            )
            .unwrap();
            assert_eq!(attempt.verdict, "rejected");
        }
    }
}
