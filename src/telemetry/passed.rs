//! What Envoy tells of a request that is no call of a model → what became of its one attempt.

use super::outcome::Attempted;
use crate::attempt::Failure;
use crate::config::Backend;
use crate::schema::{ErrorCode, failure_of_answer};

/// What the caller got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// The backend's answer, with this status.
    Answer(u32),
    /// An error of the gateway's.
    Error(ErrorCode),
    /// Nothing: it has not waited.
    Nothing,
}

impl Attempted {
    /// The attempt at what is no call of a model, if this can have come of one.
    pub fn passed(backend: &Backend, came: Came) -> Option<Attempted> {
        let verdict = match came {
            Came::Nothing => Self::ABANDONED,
            Came::Answer(..400) => Self::ACCEPTED,
            Came::Answer(status) => match failure_of_answer(status, b"") {
                Failure::Unauthorized if backend.forward_client_credentials => Failure::Rejected,
                failure => failure,
            }
            .name(),
            Came::Error(code) => verdict_of(code)?,
        };
        Some(Attempted {
            backend: backend.name.clone(),
            verdict,
            ..Attempted::default()
        })
    }
}

/// What response headers tell of it.
pub fn report_passed(attempt: Option<&Attempted>, came: Came) -> Vec<(&'static str, String)> {
    let attempts = usize::from(attempt.is_some()).to_string();
    let mut report = vec![("x-llm-router-attempts", attempts)];
    match (attempt, came) {
        (Some(attempt), Came::Answer(_)) => {
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

/// Whether an answer that has begun broke off by what Envoy says of it in `response.code_details`: because of the backend, or by
/// a timer of Envoy's. Otherwise it was the caller who left.
///
/// Source: Envoy's `StreamInfo::ResponseCodeDetails`.
pub fn is_cut(details: &[u8]) -> bool {
    const TIMERS: [&[u8]; 3] = [
        b"response_timeout",
        b"stream_idle_timeout",
        b"max_duration_timeout",
    ];
    // `via_upstream` is none of them: nothing of an answer is missing then, as far as Envoy knows.
    details.starts_with(b"upstream_") || TIMERS.contains(&details)
}

/// What an error of the gateway's says of the attempt; `None`: there was none.
fn verdict_of(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::UpstreamUnreachable => Failure::ConnectFailure.name(),
        ErrorCode::UpstreamReset => Failure::Reset.name(),
        ErrorCode::UpstreamTimeout => Failure::NoAnswer.name(),
        ErrorCode::ProxyError => Failure::ServerError.name(),
        // The rest of the request did not come.
        ErrorCode::RequestTimeout => Attempted::ABANDONED,
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
        for (came, verdict, headers) in [
            (Came::Answer(101), "accepted", "attempts: 1, backend: b"),
            (Came::Answer(304), "accepted", "attempts: 1, backend: b"),
            (Came::Answer(404), "rejected", "attempts: 1, backend: b"),
            (Came::Answer(401), "unauthorized", "attempts: 1, backend: b"),
            (Came::Answer(429), "rate_limited", "attempts: 1, backend: b"),
            (Came::Answer(529), "unavailable", "attempts: 1, backend: b"),
            (Came::Nothing, "abandoned", "attempts: 1"),
            (
                Came::Error(Code::RequestTimeout),
                "abandoned",
                "attempts: 1",
            ),
            (
                Came::Error(Code::UpstreamTimeout),
                "no_answer",
                "attempts: 1, failures: b=no_answer",
            ),
            (
                Came::Error(Code::UpstreamReset),
                "reset",
                "attempts: 1, failures: b=reset",
            ),
            (
                Came::Error(Code::UpstreamUnreachable),
                "connect_failure",
                "attempts: 1, failures: b=connect_failure",
            ),
            (
                Came::Error(Code::ProxyError),
                "server_error",
                "attempts: 1, failures: b=server_error",
            ),
            (Came::Error(Code::NoHealthyUpstream), "", "attempts: 0"),
            (Came::Error(Code::UpstreamOverflow), "", "attempts: 0"),
            (Came::Error(Code::BackendMismatch), "", "attempts: 0"),
        ] {
            let attempt = Attempted::passed(&backend(false).backends[0], came);
            let told = attempt.as_ref().map_or("", |attempt| attempt.verdict);
            assert_eq!(told, verdict, "{came:?}");
            let report = report_passed(attempt.as_ref(), came).into_iter();
            let report: Vec<_> = report
                .map(|(name, value)| {
                    let name = name.strip_prefix("x-llm-router-").unwrap();
                    format!("{name}: {value}")
                })
                .collect();
            assert_eq!(report.join(", "), headers, "{came:?}");
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

    /// It says nothing of the gateway's.
    #[test]
    fn the_callers_key_is_refused() {
        for status in [401, 403] {
            let attempt =
                Attempted::passed(&backend(true).backends[0], Came::Answer(status)).unwrap();
            assert_eq!(attempt.verdict, "rejected");
        }
    }
}
