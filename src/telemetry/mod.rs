//! What the router measures, and the names under which it reports it: outcomes, metrics and log fields.

mod cost;
mod fields;
pub mod metrics;
mod outcome;
mod outcome_builder;
mod passed;

use crate::attempt::UnretriedReason;
pub use cost::{cost, dollars};
pub use fields::{FIELDS, OutcomeField, Stage, WrittenFields, operation};
pub use outcome::{AnswerEnd, AttemptSummary, MAX_CALLER_BYTES, Outcome};
pub use outcome_builder::{
    OfferedTarget, OutcomeBuilder, RequestTimes, caller_name, caller_of, decisions,
};
pub use passed::{PassThroughResult, is_cut, report_passed};

/// Counter: requests answered 500 because Envoy held their bodies back (`allow_on_headers_stop_iteration` is
/// missing).
pub const MISSING_ENVOY_SETTING: &str = "llm_router.missing_envoy_setting";

/// Counter: attempts refused because they arrived at a different backend's cluster than the plan says.
pub const BACKEND_MISMATCH: &str = "llm_router.backend_mismatch";

/// Counter: answers with status 401 or 403, with which backends refuse the gateway's keys.
pub const UNAUTHORIZED: &str = "llm_router.unauthorized";

/// Counter: requests answered 504 at their deadline.
pub const DEADLINE_EXCEEDED: &str = "llm_router.deadline_exceeded";

/// Counter: retries that Envoy did not make because the request's body was too large for its buffer.
pub const UNRETRIED_BODY_TOO_LARGE: &str = "llm_router.unretried.body_too_large";

/// Counter: retries that Envoy did not make because of a circuit breaker.
pub const UNRETRIED_CIRCUIT_BREAKER: &str = "llm_router.unretried.circuit_breaker";

/// Returns the counter of retries that Envoy did not make for this reason.
pub const fn unretried_counter(reason: UnretriedReason) -> &'static str {
    match reason {
        UnretriedReason::BodyTooLarge => UNRETRIED_BODY_TOO_LARGE,
        UnretriedReason::CircuitBreaker => UNRETRIED_CIRCUIT_BREAKER,
    }
}

/// The names of all plain metrics. Metrics with labels are in [`metrics`].
pub const METRICS: [&str; 6] = [
    MISSING_ENVOY_SETTING,
    BACKEND_MISMATCH,
    UNAUTHORIZED,
    DEADLINE_EXCEEDED,
    UNRETRIED_BODY_TOO_LARGE,
    UNRETRIED_CIRCUIT_BREAKER,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_in_the_docs_is_the_code() {
        let docs = include_str!("../../docs/metrics.md");
        let (_, table) = docs.split_once("<!-- table: plain metrics -->\n").unwrap();
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let documented: Vec<&str> = rows.filter_map(|row| row.split('`').nth(1)).collect();
        assert_eq!(documented, METRICS);
    }
}
