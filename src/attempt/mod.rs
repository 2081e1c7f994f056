//! One try at one target: the plan that the attempt belongs to, how the request is adapted, what happens to the
//! answer, and what follows if the attempt fails.

mod adaptation;
mod failure;
mod outgoing_headers;
mod pass_through;
mod plan;
mod plan_builder;
mod policy;
mod running;
mod unretried;
mod verdict;

pub use adaptation::{
    Adaptation, ChangeKind, CurrentHeaders, HeaderChange, HeaderWrite, Refusal, begin,
};
pub use failure::Failure;
pub use outgoing_headers::CREDENTIAL_SUBPROTOCOLS;
pub use pass_through::PassThroughPlan;
pub use plan::Plan;
pub(crate) use plan_builder::PlanInputs;
pub use policy::{CooldownEffect, FailureAction, FailureRule, FallbackPolicy, Hold};
pub use running::{
    AttemptReport, NextAttempt, ResponseAction, ResponseBody, ResponseHead, RunningAttempt,
};
pub use unretried::UnretriedReason;
pub use verdict::{Moment, Verdict};

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
mod test_plans;
#[cfg(test)]
mod tests;
