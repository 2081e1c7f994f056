//! Plans and shared health for the tests of this module.

use std::cell::RefCell;

use super::adaptation::CurrentHeaders;
use super::plan::{Plan, PlannedTarget};
use super::policy::{FallbackPolicy, Hold};
use super::verdict::Moment;
use crate::health::{CooldownPolicy, Health, HealthStore, TargetKey, TargetState};
use crate::request::Edits;
use crate::schema::Api;

/// A day in 2025.
pub(super) const NOW: u64 = 1_750_000_000_000;

/// The health that all workers share, kept in memory.
#[derive(Default)]
pub(super) struct Store(RefCell<Health>);

impl HealthStore for Store {
    fn change(&self, change: &mut dyn FnMut(&mut Health) -> bool) {
        let mut health = self.0.borrow().clone();
        if change(&mut health) {
            *self.0.borrow_mut() = health;
        }
    }
}

impl Store {
    pub(super) fn at(&self, now: u64) -> Moment<'_> {
        Moment {
            now,
            // The jitter that shortens a cooldown by a fifth.
            random: 0,
            health: self,
        }
    }

    /// Returns a target's state: `well`, `counted`, `cooling 800` (milliseconds from now), `due` or `probing`.
    pub(super) fn state(&self, key: TargetKey, now: u64) -> String {
        let health = self.0.borrow();
        match health.state(key, now, &CooldownPolicy::default()) {
            TargetState::Healthy if health.has_failures(key) => "counted".to_owned(),
            TargetState::Healthy => "well".to_owned(),
            TargetState::Cooling { until_ms } => format!("cooling {}", until_ms - now),
            TargetState::Due => "due".to_owned(),
            TargetState::Probing { .. } => "probing".to_owned(),
        }
    }
}

fn planned(written: &str) -> PlannedTarget {
    let (name, window) = written.split_once(':').unwrap_or((written, "0"));
    let (backend, model) = name.split_once('/').unwrap_or((name, "m"));
    PlannedTarget {
        backend: backend.to_owned(),
        cluster: backend.to_owned(),
        model: model.to_owned(),
        key: TargetKey::new(backend, model),
        has_failures: false,
        context_window: window.parse().unwrap(),
        uses_caller_key: false,
        requests_usage: false,
        changes: Vec::new(),
        edits: Edits::default(),
    }
}

/// Builds a plan of targets written as `backend/model:window`; model and window are optional.
pub(super) fn plan(targets: &str) -> Plan {
    let targets: Vec<PlannedTarget> = targets.split(' ').map(planned).collect();
    let policy = FallbackPolicy {
        hold: Some(Hold::FirstToken),
        max_attempts: u32::try_from(targets.len()).unwrap() + 2,
        ..FallbackPolicy::default()
    };
    Plan {
        next: 0,
        gave_up: false,
        api: Api::ALL[0],
        stream: true,
        body_length: 0,
        deadline_at: NOW + u64::from(policy.deadline_ms),
        has_caller_deadline: false,
        policy,
        cooldown: Some(CooldownPolicy::default()),
        is_pool: false,
        targets,
        failed: Vec::new(),
        ticket: 0,
        headers: Vec::new(),
    }
}

/// A request whose headers do not matter.
pub(super) struct NoHeaders;

impl CurrentHeaders for NoHeaders {
    fn all(&self) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }

    fn value(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn is_retry(&self) -> bool {
        false
    }
}
