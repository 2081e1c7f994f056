//! Decides which targets to avoid for a while because they failed: the pure arithmetic of cooldowns.
//!
//! All workers of an Envoy share one [`Health`] as bytes (shared data, written by compare-and-swap). It contains
//! failing targets only, so it is normally empty, and a request only has to read it. Time and randomness are
//! arguments.
//!
//! # The states of a target
//!
//! * **Healthy**: the target has no entry, or only some counted failures. [`CooldownPolicy::failures`] of them within
//!   [`CooldownPolicy::window_ms`], without a success in between, open a cooldown. [`FailureSeverity::Immediate`] and
//!   [`FailureSeverity::Until`] open one by themselves.
//! * **Cooling**: the target is tried only if no other target is left. Further failures change nothing, except that a
//!   backend may ask for a longer time.
//! * **Due**: the cooldown is over. One request takes the lease and tries the target.
//! * **Probing**: while that request holds the lease, the target is probing for all other requests. If the lease ends
//!   before that request has succeeded or failed, the target is due again.
//!
//! A success makes the target healthy and clears its entry. A failure while it is due or probing opens the next
//! cooldown, twice as long as the last. A target that nobody tried for [`CooldownPolicy::memory_ms`] after it became
//! due is healthy again.
//!
//! An attempt that began before a cooldown opened says nothing about that cooldown. Models answer slowly, so attempts
//! that were under way keep ending for longer than a cooldown lasts. They neither end the cooldown nor double it.

mod choice;
mod cooldown;
mod policy;
mod store;
mod target;
mod wire;

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
mod tests;

pub use choice::{TargetChoice, choose_target};
pub use cooldown::{EndedAttempt, FailureSeverity, Health, TargetState};
pub use policy::CooldownPolicy;
pub use store::{HealthStore, NoHealthStore};
pub use target::TargetKey;
