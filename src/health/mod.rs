//! Which targets to leave alone for a while, because they failed: pure arithmetic of cooldowns.
//!
//! All workers of an Envoy share one [`Health`] as bytes (shared data, written by compare-and-swap). It holds ailing
//! targets only, so normally it is empty, and a request then costs it nothing but a look. Time and randomness are
//! arguments.
//!
//! # The life of a target
//!
//! * **Healthy**: not in there, or with some failures counted. [`CooldownPolicy::failures`] of them within
//!   [`CooldownPolicy::window_ms`], without a success in between, open a cooldown; [`Blow::AtOnce`] and [`Blow::Until`]
//!   do it alone.
//! * **Cooling**: it is only tried where no other target is left. Further failures change nothing, but a backend may
//!   say that it takes longer.
//! * **Due**: the cooldown is over. One request takes the lease and tries it; for the others it is
//! * **Probing** until that request ends or the lease does, after which it is due again.
//!
//! A success makes it healthy and forgets everything. A failure while it is due or probing opens the next cooldown, twice
//! as long as the last. One that nobody tried for [`CooldownPolicy::memory_ms`] after it was due is healthy again.
//!
//! An attempt says nothing about a cooldown that opened after it was sent: models answer slowly, so what was under way
//! then keeps ending for longer than a cooldown takes. It neither ends nor doubles it.

mod choice;
mod cooldown;
mod policy;
mod store;
mod target;
mod wire;

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
mod tests;

pub use choice::{Choice, choose};
pub use cooldown::{Blow, Ended, Health, State};
pub use policy::CooldownPolicy;
pub use store::{HealthStore, NoMemory};
pub use target::TargetKey;
