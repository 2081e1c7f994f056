//! One try at one target: the plan that the attempt belongs to, how the request is adapted, what happens to the
//! answer, and what follows if the attempt fails.

mod adaptation;
mod failure;
mod making;
mod outgoing;
mod passage;
mod plan;
mod policy;
mod running;
mod unretried;
mod verdict;

pub use adaptation::{
    Adaptation, ChangeKind, CurrentHeaders, HeaderChange, HeaderWrite, Refusal, begin,
};
pub use failure::Failure;
pub(crate) use making::Terms;
pub use outgoing::CREDENTIAL_SUBPROTOCOLS;
pub use passage::Passage;
pub use plan::Plan;
pub use policy::{Action, Cooldown, Hold, Policy, Row};
pub use running::{Body, Head, Left, Report, Running, Step};
pub use unretried::Unretried;
pub use verdict::{Moment, Verdict};

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
mod test_plans;
#[cfg(test)]
mod tests;
