//! Where what is known of targets is kept.

use super::cooldown::Health;

/// What all workers know, wherever it is kept.
pub trait HealthStore {
    /// Changes it: `change` is given what is known, and tells whether it changed that. Where another worker was faster,
    /// it is called again.
    fn change(&self, change: &mut dyn FnMut(&mut Health) -> bool);
}

/// Keeps nothing: no target ails.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMemory;

impl HealthStore for NoMemory {
    fn change(&self, change: &mut dyn FnMut(&mut Health) -> bool) {
        change(&mut Health::default());
    }
}
