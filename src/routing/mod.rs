//! Compiled routes → a decision: which route, and the plan of attempts.

mod condition;
mod decision;
mod dry_run;
mod eligibility;
mod flow;
mod left_out;
mod passing;
mod pattern;
mod refused;
mod steering;
mod strategy;

pub use condition::{
    Amount, Bounds, Condition, ContentCondition, Fact, FieldTest, Scalar, Subject,
};
pub use decision::{Candidate, Decision, Undecided, decide};
pub(crate) use eligibility::meets;
pub(crate) use flow::is_only_first;
pub use flow::{Arrival, BodyChange, Pending, Routed, arrive};
pub use left_out::LeftOut;
pub use passing::Passed;
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
pub(crate) use passing::passing_subject;
pub use pattern::Pattern;
pub use refused::Refused;

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
mod tests;
