//! The health that all workers share: one value of shared data, changed by compare-and-swap.

use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;

use super::ledger::AttemptCounters;
use crate::health::{Health, HealthStore};

/// The key of the value. All VMs with the same `vm_id` share it.
const HEALTH: &str = "llm.health";

/// How often a change is tried while other workers write first. After that the change is dropped, which loses one
/// failure among many.
const TRIES: usize = 16;

/// Access to the shared health, and the tally that counts the cooldowns that begin.
#[derive(Clone, Default)]
pub(super) struct SharedHealth(Option<Rc<AttemptCounters>>);

impl SharedHealth {
    /// Creates the access; `None` if no cooldowns are counted.
    pub(super) fn counted_by(counters: Option<Rc<AttemptCounters>>) -> Self {
        SharedHealth(counters)
    }

    /// Creates the value, so that compare-and-swap has something to compare with.
    pub(super) fn prepare() {
        if let Ok((_, None)) = hostcalls::get_shared_data(HEALTH)
            && let Err(status) = hostcalls::set_shared_data(HEALTH, Some(b""), None)
        {
            log::warn!("host call failed: set_shared_data: {status:?}");
        }
    }
}

/// Reads the current health.
pub(super) fn read_health() -> Health {
    let mut health = Health::default();
    SharedHealth::default().change(&mut |known| {
        health = std::mem::take(known);
        false
    });
    health
}

impl HealthStore for SharedHealth {
    fn change(&self, change: &mut dyn FnMut(&mut Health) -> bool) {
        for _ in 0..TRIES {
            let (bytes, cas) = match hostcalls::get_shared_data(HEALTH) {
                Ok(found) => found,
                Err(status) => {
                    log::warn!("host call failed: get_shared_data: {status:?}");
                    (None, None)
                }
            };
            let before = bytes.unwrap_or_default();
            let mut health = Health::decode(&before);
            if !change(&mut health) {
                return;
            }
            match hostcalls::set_shared_data(HEALTH, Some(&health.encode()), cas) {
                Err(Status::CasMismatch) => {}
                Ok(()) => {
                    let before = Health::decode(&before);
                    let begun = health.cooldowns_since(&before);
                    if let Some(counters) = &self.0 {
                        begun.for_each(|target| counters.metrics.record_cooldown(target));
                    }
                    return;
                }
                Err(status) => {
                    log::warn!("host call failed: set_shared_data: {status:?}");
                    return;
                }
            }
        }
    }
}
