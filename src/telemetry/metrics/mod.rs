//! The metrics of a document, and what an outcome adds to them.
//!
//! Envoy lets a module name its metrics, and gives them no labels. So the labels stand in the name, as
//! `llm_router_requests_total[route=chat][status=2xx]`, and Envoy's `stats_tags` take them out of it again
//! ([`tag_regex`]). All of them are defined when a document is loaded, so that no request can make one.

mod definitions;
mod labels;
mod names;
mod record;

pub use definitions::{Definition, Definitions};
pub use labels::{LABEL_NAMES, Label, tag_regex};
pub use names::{MAX_PLACES, MAX_ROUTES, MAX_SHARES, MAX_TARGETS, OTHER, shares};
pub use record::{Recorder, Sink};

/// What kind of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It is set.
    Gauge,
    /// How its values are spread.
    Histogram,
}

impl Kind {
    /// What Prometheus calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $variant:ident $kind:ident $name:literal [$($label:ident),*],)+) => {
        /// A metric with labels. docs/metrics.md says it for users.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric {
            $($(#[$doc])* $variant,)+
        }

        impl Metric {
            /// All of them.
            pub const ALL: &'static [Metric] = &[$(Metric::$variant,)+];

            /// The name, without labels.
            pub const fn name(self) -> &'static str {
                match self { $(Metric::$variant => $name,)+ }
            }

            /// What kind it is.
            pub const fn kind(self) -> Kind {
                match self { $(Metric::$variant => Kind::$kind,)+ }
            }

            /// By what it is told apart.
            pub const fn labels(self) -> &'static [Label] {
                match self { $(Metric::$variant => &[$(Label::$label),*],)+ }
            }
        }
    };
}

metrics! {
    /// Requests by the status that the caller got.
    Requests Counter "llm_router_requests_total" [Route, Status],
    /// By what their targets were chosen.
    Decisions Counter "llm_router_decisions_total" [Route, Decision],
    /// Those that were answered by an error of the router's own.
    Errors Counter "llm_router_errors_total" [Route, Error],
    /// How answers ended.
    Ends Counter "llm_router_answers_total" [Route, End],
    /// Requests by who sent them.
    CallerRequests Counter "llm_router_caller_requests_total" [Caller, Status],
    /// Attempts.
    Attempts Counter "llm_router_attempts_total" [Place, Verdict],
    /// Attempts that followed one at another target.
    Fallbacks Counter "llm_router_fallbacks_total" [Route, Reason],
    /// Cooldowns that have begun.
    Cooldowns Counter "llm_router_cooldowns_total" [Place],
    /// Whether a target is left alone.
    Cooling Gauge "llm_router_target_cooling" [Place],
    /// Tokens.
    Tokens Counter "llm_router_tokens_total" [TokenType, Target, Caller],
    /// Tokens of answers that did not tell them.
    EstimatedTokens Counter "llm_router_estimated_tokens_total" [Direction, Target, Caller],
    /// Micro-dollars (US).
    Cost Counter "llm_router_cost_microdollars_total" [Target, Caller],
    /// Answers with tokens whose cost is not known.
    Unpriced Counter "llm_router_unpriced_answers_total" [Place],
    /// Bytes of requests' bodies.
    RequestBytes Counter "llm_router_request_bytes_total" [Route],
    /// Bytes of answers' bodies.
    ResponseBytes Counter "llm_router_response_bytes_total" [Route],
    /// What the router role took.
    DecisionTime Histogram "llm_router_decision_microseconds" [],
    /// What attempts took.
    AttemptTime Histogram "llm_router_attempt_milliseconds" [Place],
    /// What requests took.
    Duration Histogram "gen_ai_client_operation_duration_milliseconds" [Target],
    /// Tokens of each answer.
    TokenUsage Histogram "gen_ai_client_token_usage" [Direction, Target],
    /// Until the first token of a stream.
    FirstToken Histogram "gen_ai_server_time_to_first_token_milliseconds" [Target],
    /// For each further token of a stream.
    PerToken Histogram "gen_ai_server_time_per_output_token_microseconds" [Target],
}

impl Metric {
    /// Up to where each bucket of a histogram goes; none of other kinds. They are those that OpenTelemetry advises, in
    /// the units here.
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
