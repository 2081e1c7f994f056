//! The key by which health refers to a target.

use crate::hash;

/// A target: a stable hash (FNV-1a, 64 bits) of its backend's name and its model entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TargetKey(u64);

impl TargetKey {
    /// Returns the key of a backend's target, from the entry of the backend's models (a name or a pattern) that
    /// stands for it.
    pub fn new(backend: &str, model_entry: &str) -> Self {
        Self(hash::hash_names(&[backend, model_entry]))
    }

    /// Returns the key as a number, to be stored with an attempt.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Restores a key from the number that [`TargetKey::bits`] returned.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}
