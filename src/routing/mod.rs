//! Routing: finds the route that takes a request, and makes the plan of its attempts.

mod condition;
mod decision;
mod dry_run;
mod eligibility;
mod exclusion;
mod flow;
mod index;
mod pass_through;
mod pattern;
mod rejection;
mod rendezvous;
#[cfg(test)]
mod statistics;
mod steering;
mod sticky;
mod strategy;

pub use condition::{
    Bounds, ClaimPattern, Condition, ContentCondition, ContentFeature, ContentMeasure, FieldTest,
    FieldValue, MeshPattern, Period, Subject, WEEKDAYS,
};
pub(crate) use decision::drawn_route;
pub use decision::{Candidate, Decision, DecisionError, decide};
pub(crate) use eligibility::check_requirements;
pub use exclusion::ExclusionReason;
pub(crate) use flow::tries_only_first;
pub use flow::{AfterHeaders, BodyChange, PendingRequest, RoutedRequest, receive_headers};
pub use index::RouteIndex;
pub use pass_through::PassThroughRequest;
pub(crate) use pass_through::{at_moment, is_no_route_answer, pass_through_subject};
pub use pattern::Pattern;
pub use rejection::Rejection;
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
pub(crate) use sticky::percent;
pub use sticky::{KeySource, Sticky, StickyKey, TrafficShare, USER_FIELDS};
pub use strategy::Choice;

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
mod tests;

#[cfg(test)]
mod choice_tests;
