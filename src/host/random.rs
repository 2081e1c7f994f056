//! Random bits without a host call for each number.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// Returns 64 bits at a time. They are a Weyl sequence, so their users must mix them.
#[derive(Debug, Default)]
pub(super) struct Random(Cell<u64>);

impl Random {
    /// Seeds the sequence, differently in every worker.
    pub(super) fn seed(&self) {
        // The hasher's keys come from the host's randomness.
        self.0.set(RandomState::new().hash_one(0));
    }

    pub(super) fn next(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        self.0.get()
    }
}
