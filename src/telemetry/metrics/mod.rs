//! The metrics of a document, and what an outcome adds to them.
//!
//! Envoy lets a module name its metrics but gives them no labels. So the name contains the labels, as in
//! `llm_router_requests_total[route=chat][status=2xx]`, and Envoy's `stats_tags` extract them again ([`tag_regex`]).
//! All series are defined when a document is loaded, so that no request can create one.

mod definitions;
mod label_values;
mod labels;
mod record;

pub use definitions::{Definition, Definitions};
pub use label_values::{
    MAX_BACKEND_MODELS, MAX_ROUTES, MAX_TARGET_CALLERS, MAX_TARGETS, OTHER, target_caller_series,
};
pub use labels::{LABEL_NAMES, Label, tag_regex};
pub use record::{MetricSink, Recorder};

/// The kinds of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A value that only grows.
    Counter,
    /// A value that is set.
    Gauge,
    /// A distribution of values.
    Histogram,
}

impl MetricKind {
    /// The name that Prometheus has for this kind.
    pub const fn name(self) -> &'static str {
        match self {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        }
    }
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $variant:ident $kind:ident $name:literal [$($label:ident),*],)+) => {
        /// A metric with labels. docs/metrics.md describes each for users.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric {
            $($(#[$doc])* $variant,)+
        }

        impl Metric {
            /// All metrics.
            pub const ALL: &'static [Metric] = &[$(Metric::$variant,)+];

            /// The name, without labels.
            pub const fn name(self) -> &'static str {
                match self { $(Metric::$variant => $name,)+ }
            }

            /// The kind of metric.
            pub const fn kind(self) -> MetricKind {
                match self { $(Metric::$variant => MetricKind::$kind,)+ }
            }

            /// The labels of its series.
            pub const fn labels(self) -> &'static [Label] {
                match self { $(Metric::$variant => &[$(Label::$label),*],)+ }
            }
        }
    };
}

metrics! {
    /// Requests by the status that the caller got.
    Requests Counter "llm_router_requests_total" [Route, Status],
    /// Requests by how their targets were chosen.
    Decisions Counter "llm_router_decisions_total" [Route, Decision],
    /// Requests that were answered with one of the router's own errors.
    Errors Counter "llm_router_errors_total" [Route, Error],
    /// Answers by how they ended.
    Ends Counter "llm_router_answers_total" [Route, End],
    /// Requests by caller.
    CallerRequests Counter "llm_router_caller_requests_total" [Caller, Status],
    /// Attempts by verdict.
    Attempts Counter "llm_router_attempts_total" [BackendModel, Verdict],
    /// Attempts that followed a failed one at another target.
    Fallbacks Counter "llm_router_fallbacks_total" [Route, Reason],
    /// Cooldowns that have begun.
    Cooldowns Counter "llm_router_cooldowns_total" [BackendModel],
    /// Whether a target is in cooldown.
    Cooling Gauge "llm_router_target_cooling" [BackendModel],
    /// Tokens used.
    Tokens Counter "llm_router_tokens_total" [TokenType, Target, Caller],
    /// Tokens of answers that did not report their usage.
    EstimatedTokens Counter "llm_router_estimated_tokens_total" [Direction, Target, Caller],
    /// Cost in micro-dollars (US).
    Cost Counter "llm_router_cost_microdollars_total" [Target, Caller],
    /// Answers with tokens whose cost is not known.
    Unpriced Counter "llm_router_unpriced_answers_total" [BackendModel],
    /// Bytes of request bodies.
    RequestBytes Counter "llm_router_request_bytes_total" [Route],
    /// Bytes of answer bodies.
    ResponseBytes Counter "llm_router_response_bytes_total" [Route],
    /// Time that the router role took for its decision.
    DecisionTime Histogram "llm_router_decision_microseconds" [],
    /// Duration of attempts.
    AttemptTime Histogram "llm_router_attempt_milliseconds" [BackendModel],
    /// Duration of requests.
    Duration Histogram "gen_ai_client_operation_duration_milliseconds" [Target],
    /// Tokens of each answer.
    TokenUsage Histogram "gen_ai_client_token_usage" [Direction, Target],
    /// Time until the first token of a stream.
    FirstToken Histogram "gen_ai_server_time_to_first_token_milliseconds" [Target],
    /// Time for each further token of a stream.
    PerToken Histogram "gen_ai_server_time_per_output_token_microseconds" [Target],
}

impl Metric {
    /// The upper bounds of a histogram's buckets; empty for other kinds. They are the ones that OpenTelemetry
    /// recommends, in the units used here.
    pub const fn buckets(self) -> &'static [u64] {
        match self {
            Metric::DecisionTime => &[
                10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000,
            ],
            Metric::AttemptTime | Metric::Duration => &[
                10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_120, 10_240, 20_480, 40_960, 81_920,
                163_840, 327_680,
            ],
            Metric::TokenUsage => &[
                1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304,
            ],
            Metric::FirstToken => &[
                1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000,
                30_000,
            ],
            Metric::PerToken => &[
                1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 150_000, 200_000,
                300_000, 400_000, 500_000, 750_000, 1_000_000, 2_500_000,
            ],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod docs_tests;
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
#[path = "metrics_tests.rs"]
mod tests;
