//! The state of failing targets, and how the ends of attempts change it.

use super::policy::CooldownPolicy;
use super::target::TargetKey;

/// How many targets can be failing at a time. If there are more, the one that has not changed for the longest time
/// counts as healthy.
pub(super) const MAX_ENTRIES: usize = 4096;

/// How far apart the clocks of two workers may seem: one may have read its clock earlier than another and write
/// later. A time that lies further in the future was noted before the clock was set back.
const SKEW_MS: u64 = 1_000;

/// The state of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// No cooldown is open.
    Healthy,
    /// The target should not be tried.
    Cooling {
        /// When its cooldown ends, in milliseconds since the epoch.
        until_ms: u64,
    },
    /// Its cooldown is over, and no request has tried it since: half open.
    Due,
    /// One request is trying it.
    Probing {
        /// Until when only that request may try it, in milliseconds since the epoch.
        until_ms: u64,
    },
}

/// How severe a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureSeverity {
    /// The failure counts towards a cooldown.
    Counted,
    /// The failure opens a cooldown at once.
    Immediate,
    /// The failure opens a cooldown at once, which lasts at least as long as the backend asked (milliseconds since
    /// the epoch, and at most [`CooldownPolicy::MAX_COOLDOWN_MS`] from now).
    Until(u64),
}

/// An attempt that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedAttempt {
    /// The target that was tried.
    pub target: TargetKey,
    /// When the attempt began, in milliseconds since the epoch.
    pub sent_ms: u64,
    /// The current time, in milliseconds since the epoch.
    pub now_ms: u64,
}

/// The failing targets; the one that changed last is at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    pub(super) records: Vec<(TargetKey, HealthRecord)>,
}

/// What is recorded against a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HealthRecord {
    /// The times of counted failures.
    Counting(Vec<u64>),
    Open(OpenCooldown),
}

/// A cooldown, and the lease that may follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenCooldown {
    /// How many cooldowns came before it in a row.
    pub(super) level: u8,
    pub(super) cooling: TimeSpan,
    /// The lease of the request that probes the target; empty if there is none.
    pub(super) lease: TimeSpan,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TimeSpan {
    pub(super) since_ms: u64,
    pub(super) until_ms: u64,
}

impl TimeSpan {
    fn starting_at(now_ms: u64, length_ms: u64) -> Self {
        let length = length_ms.min(CooldownPolicy::MAX_COOLDOWN_MS);
        Self {
            since_ms: now_ms,
            until_ms: now_ms.saturating_add(length),
        }
    }

    fn ending_at(now_ms: u64, until_ms: u64) -> Self {
        Self::starting_at(now_ms, until_ms.saturating_sub(now_ms))
    }

    /// Whether the span is running. A span that a clock set back would prolong counts as over.
    fn is_running(self, now_ms: u64) -> bool {
        now_ms < self.until_ms && self.has_begun(now_ms)
    }

    fn has_begun(self, now_ms: u64) -> bool {
        self.since_ms <= now_ms.saturating_add(SKEW_MS)
    }
}

impl OpenCooldown {
    fn state(&self, now_ms: u64, policy: &CooldownPolicy) -> TargetState {
        let end = self.cooling.until_ms.max(self.lease.until_ms);
        if self.cooling.is_running(now_ms) {
            TargetState::Cooling {
                until_ms: self.cooling.until_ms,
            }
        } else if self.lease.is_running(now_ms) {
            TargetState::Probing {
                until_ms: self.lease.until_ms,
            }
        } else if end.abs_diff(now_ms) <= policy.memory_ms() {
            TargetState::Due
        } else {
            TargetState::Healthy
        }
    }

    /// Whether the attempt was under way when this cooldown opened.
    fn outdates(&self, ended: EndedAttempt) -> bool {
        ended.sent_ms < self.cooling.since_ms && self.cooling.has_begun(ended.now_ms)
    }

    /// Returns the cooldown after a failure; `None` if the failure has no effect.
    fn fail(
        self,
        ended: EndedAttempt,
        severity: FailureSeverity,
        policy: &CooldownPolicy,
        random: u64,
    ) -> Option<OpenCooldown> {
        let now = ended.now_ms;
        if !self.cooling.is_running(now) && !self.outdates(ended) {
            let level = self.level.saturating_add(1);
            return Some(Self::opened(level, severity, now, policy, random));
        }
        let FailureSeverity::Until(asked) = severity else {
            return None;
        };
        let cooling = TimeSpan::ending_at(now, asked);
        (cooling.until_ms > self.cooling.until_ms.max(now))
            .then_some(OpenCooldown { cooling, ..self })
    }

    fn opened(
        level: u8,
        severity: FailureSeverity,
        now_ms: u64,
        policy: &CooldownPolicy,
        random: u64,
    ) -> Self {
        let period = policy.period_ms(level, random);
        let asked = match severity {
            FailureSeverity::Until(asked) => asked.saturating_sub(now_ms),
            FailureSeverity::Counted | FailureSeverity::Immediate => 0,
        };
        Self {
            level,
            cooling: TimeSpan::starting_at(now_ms, period.max(asked)),
            lease: TimeSpan::default(),
        }
    }
}

impl HealthRecord {
    /// Returns the record of a target after a failure, from the record before it, if any; `None` if the failure has no
    /// effect.
    fn fail(
        before: Option<&HealthRecord>,
        ended: EndedAttempt,
        severity: FailureSeverity,
        policy: &CooldownPolicy,
        random: u64,
    ) -> Option<HealthRecord> {
        let earlier = match before {
            Some(HealthRecord::Open(open)) => {
                return open
                    .fail(ended, severity, policy, random)
                    .map(HealthRecord::Open);
            }
            Some(HealthRecord::Counting(times)) => times.as_slice(),
            None => &[],
        };
        let needed = policy.failures.min(CooldownPolicy::MAX_FAILURES);
        let mut times = earlier.to_vec();
        times.push(ended.now_ms);
        let enough = times.len() >= usize::try_from(needed).unwrap_or(usize::MAX);
        Some(if enough || severity != FailureSeverity::Counted {
            HealthRecord::Open(OpenCooldown::opened(
                0,
                severity,
                ended.now_ms,
                policy,
                random,
            ))
        } else {
            HealthRecord::Counting(times)
        })
    }

    /// Forgets what is too old. Returns `false` if nothing is left.
    fn prune(&mut self, now_ms: u64, policy: &CooldownPolicy) -> bool {
        match self {
            HealthRecord::Counting(times) => {
                times.retain(|time| time.abs_diff(now_ms) <= policy.window_ms);
                !times.is_empty()
            }
            HealthRecord::Open(open) => open.state(now_ms, policy) != TargetState::Healthy,
        }
    }
}

impl Health {
    /// Whether no target is failing.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether anything is recorded against the target, including a counted failure, so that a success must be
    /// written.
    pub fn has_failures(&self, target: TargetKey) -> bool {
        self.record(target).is_some()
    }

    /// Returns the state of the target.
    pub fn state(&self, target: TargetKey, now_ms: u64, policy: &CooldownPolicy) -> TargetState {
        match self.record(target) {
            Some(HealthRecord::Open(open)) => open.state(now_ms, policy),
            Some(HealthRecord::Counting(_)) | None => TargetState::Healthy,
        }
    }

    /// Returns whether the target may be tried now. If it is due, this takes its lease, and the change must be
    /// written; if it is healthy, nothing changes.
    pub fn lease(&mut self, target: TargetKey, now_ms: u64, policy: &CooldownPolicy) -> bool {
        match self.state(target, now_ms, policy) {
            TargetState::Healthy => true,
            TargetState::Cooling { .. } | TargetState::Probing { .. } => false,
            TargetState::Due => {
                if let Some(HealthRecord::Open(open)) = self.record(target) {
                    let lease = TimeSpan::starting_at(now_ms, policy.lease_ms);
                    let leased = HealthRecord::Open(OpenCooldown { lease, ..*open });
                    self.put(target, leased, now_ms, policy);
                }
                true
            }
        }
    }

    /// Records a failed attempt. Returns whether anything changed and must be written. `random`: 64 random bits.
    pub fn fail(
        &mut self,
        ended: EndedAttempt,
        severity: FailureSeverity,
        policy: &CooldownPolicy,
        random: u64,
    ) -> bool {
        self.prune(ended.now_ms, policy);
        let before = self.record(ended.target);
        let Some(after) = HealthRecord::fail(before, ended, severity, policy, random) else {
            return false;
        };
        self.put(ended.target, after, ended.now_ms, policy);
        true
    }

    /// Records a successful attempt: its target is healthy, unless a cooldown opened since the attempt began. Returns
    /// whether anything changed and must be written.
    pub fn succeed(&mut self, ended: EndedAttempt) -> bool {
        let heals = match self.record(ended.target) {
            Some(HealthRecord::Open(open)) => !open.outdates(ended),
            Some(HealthRecord::Counting(_)) => true,
            None => false,
        };
        if heals {
            self.records.retain(|(target, _)| *target != ended.target);
        }
        heals
    }

    /// Returns the targets whose cooldown has begun since `before`.
    pub fn cooldowns_since(&self, before: &Health) -> impl Iterator<Item = TargetKey> {
        let begun = self.records.iter().filter(|(target, now)| {
            match (now, before.record(*target)) {
                // A cooldown that was only prolonged or leased has the same level, and began before the earlier one's
                // end.
                (HealthRecord::Open(open), Some(HealthRecord::Open(earlier))) => {
                    open.level > earlier.level || open.cooling.since_ms > earlier.cooling.until_ms
                }
                (HealthRecord::Open(_), Some(HealthRecord::Counting(_)) | None) => true,
                (HealthRecord::Counting(_), _) => false,
            }
        });
        begun.map(|(target, _)| *target)
    }

    fn record(&self, target: TargetKey) -> Option<&HealthRecord> {
        let found = self.records.iter().find(|(one, _)| *one == target);
        found.map(|(_, record)| record)
    }

    fn prune(&mut self, now_ms: u64, policy: &CooldownPolicy) {
        self.records
            .retain_mut(|(_, record)| record.prune(now_ms, policy));
    }

    /// Sets a target's record and moves it to the end.
    fn put(
        &mut self,
        target: TargetKey,
        record: HealthRecord,
        now_ms: u64,
        policy: &CooldownPolicy,
    ) {
        self.records.retain(|(one, _)| *one != target);
        self.prune(now_ms, policy);
        if self.records.len() >= MAX_ENTRIES {
            self.records.remove(0);
        }
        self.records.push((target, record));
    }
}
