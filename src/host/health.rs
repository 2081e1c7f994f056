//! What all workers know of targets: one value of shared data, changed by compare-and-swap.

use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;

use crate::health::{Health, HealthStore};

/// The key of the value. All VMs of one `vm_id` share it.
const HEALTH: &str = "llm.health";

/// How often a change is tried while other workers are faster. What is lost after that is one failure among many.
const TRIES: usize = 16;

pub(super) struct SharedHealth;

impl SharedHealth {
    /// Makes the value, so that there is something to compare with.
    pub(super) fn prepare() {
        if let Ok((_, None)) = hostcalls::get_shared_data(HEALTH)
            && let Err(status) = hostcalls::set_shared_data(HEALTH, Some(b""), None)
        {
            log::warn!("host call failed: set_shared_data: {status:?}");
        }
    }
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
                    begun.for_each(super::metrics::record_cooldown);
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
