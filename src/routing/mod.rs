//! Routing: finds the route that takes a request, and makes the plan of its attempts.

mod condition;
mod decision;
mod dry_run;
mod eligibility;
mod flow;
mod index;
mod left_out;
mod passing;
mod pattern;
mod refused;
mod rendezvous;
#[cfg(test)]
mod statistics;
mod steering;
mod sticky;
mod strategy;

pub use condition::{
    Amount, Bounds, ClaimPattern, Condition, ContentCondition, Fact, FieldTest, MeshPattern,
    Period, Scalar, Subject, WEEKDAYS,
};
pub(crate) use decision::drawn_route;
pub use decision::{Candidate, Decision, Undecided, decide};
pub(crate) use eligibility::meets;
pub(crate) use flow::is_only_first;
pub use flow::{Arrival, BodyChange, Pending, Routed, arrive};
pub use index::Index;
pub use left_out::LeftOut;
pub use passing::Passed;
pub(crate) use passing::{at, is_unrouted, passing_subject};
pub use pattern::Pattern;
pub use refused::Refused;
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
pub(crate) use sticky::percent;
pub use sticky::{Key, KeySource, Share, Sticky, USER_FIELDS};
pub use strategy::Choice;

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
mod tests;

#[cfg(test)]
mod choice_tests;
