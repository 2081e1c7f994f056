//! The storage of the health that workers share.

use super::cooldown::Health;

/// The health that all workers share, wherever it is stored.
pub trait HealthStore {
    /// Changes the health. `change` gets the current health and returns whether it has changed it. If another worker
    /// has written in the meantime, `change` is called again.
    fn change(&self, change: &mut dyn FnMut(&mut Health) -> bool);
}

/// Stores nothing, so that no target is ever failing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHealthStore;

impl HealthStore for NoHealthStore {
    fn change(&self, change: &mut dyn FnMut(&mut Health) -> bool) {
        change(&mut Health::default());
    }
}
