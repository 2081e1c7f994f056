//! One try at one target: the plan that it belongs to, how the request is adapted, and the verdict on its answer.

mod adaptation;
mod failure;
mod plan;
mod verdict;
mod wire;

pub use adaptation::{
    Adaptation, ChangeKind, CurrentHeaders, HeaderChange, HeaderWrite, Mismatch, begin,
};
pub use failure::Failure;
pub use plan::Plan;
pub use verdict::{Verdict, judge};

#[cfg(test)]
mod tests;
