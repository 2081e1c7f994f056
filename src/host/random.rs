//! Random bits without a host call for each.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// Gives 64 bits at a time. They are a Weyl sequence: whoever uses them mixes them.
#[derive(Debug, Default)]
pub(super) struct Random(Cell<u64>);

impl Random {
    /// Begins elsewhere than every other worker.
    pub(super) fn seed(&self) {
        // The hasher's keys are the host's randomness.
        self.0.set(RandomState::new().hash_one(0));
    }

    pub(super) fn next(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        self.0.get()
    }
}
