//! The name of a target among the ailing ones.

use crate::hash;

/// Which target: a stable hash (FNV-1a, 64 bits) of its backend's name and of its model entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TargetKey(u64);

impl TargetKey {
    /// The target of a backend that this entry of its models (a name or a pattern) stands for.
    pub fn new(backend: &str, model_entry: &str) -> Self {
        Self(hash::names(&[backend, model_entry]))
    }

    /// As a number, to be kept with an attempt.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// From what [`TargetKey::bits`] gave.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}
