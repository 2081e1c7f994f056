//! The state of ailing targets, and how the ends of attempts change it.

use super::policy::CooldownPolicy;
use super::target::TargetKey;

/// How many targets can be ailing at a time. If there are more, the one that has not changed for the longest time
/// counts as healthy.
pub(super) const MOST_ENTRIES: usize = 4096;

/// How far apart the clocks of two workers may seem: one may have read its clock earlier than another and write
/// later. A time that lies further in the future was noted before the clock was set back.
const SKEW_MS: u64 = 1_000;

/// The state of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
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
pub enum Blow {
    /// The failure counts towards a cooldown.
    Counted,
    /// The failure opens a cooldown at once.
    AtOnce,
    /// The failure opens a cooldown at once, which lasts at least as long as the backend asked (milliseconds since
    /// the epoch, and at most [`CooldownPolicy::LONGEST_MS`] from now).
    Until(u64),
}

/// An attempt that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The target that was tried.
    pub target: TargetKey,
    /// When the attempt began, in milliseconds since the epoch.
    pub sent_ms: u64,
    /// The current time, in milliseconds since the epoch.
    pub now_ms: u64,
}

/// The ailing targets; the one that changed last is at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    pub(super) ailing: Vec<(TargetKey, Ailment)>,
}

/// What is recorded against a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ailment {
    /// The times of counted failures.
    Counting(Vec<u64>),
    Open(Open),
}

/// A cooldown, and the lease that may follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Open {
    /// How many cooldowns came before it in a row.
    pub(super) level: u8,
    pub(super) cooling: Span,
    /// The lease of the request that probes the target; empty if there is none.
    pub(super) lease: Span,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) since_ms: u64,
    pub(super) until_ms: u64,
}

impl Span {
    fn of(now_ms: u64, length_ms: u64) -> Self {
        let length = length_ms.min(CooldownPolicy::LONGEST_MS);
        Self {
            since_ms: now_ms,
            until_ms: now_ms.saturating_add(length),
        }
    }

    fn until(now_ms: u64, until_ms: u64) -> Self {
        Self::of(now_ms, until_ms.saturating_sub(now_ms))
    }

    /// Whether the span is running. A span that a clock set back would prolong counts as over.
    fn runs(self, now_ms: u64) -> bool {
        now_ms < self.until_ms && self.has_begun(now_ms)
    }

    fn has_begun(self, now_ms: u64) -> bool {
        self.since_ms <= now_ms.saturating_add(SKEW_MS)
    }
}

impl Open {
    fn state(&self, now_ms: u64, policy: &CooldownPolicy) -> State {
        let end = self.cooling.until_ms.max(self.lease.until_ms);
        if self.cooling.runs(now_ms) {
            State::Cooling {
                until_ms: self.cooling.until_ms,
            }
        } else if self.lease.runs(now_ms) {
            State::Probing {
                until_ms: self.lease.until_ms,
            }
        } else if end.abs_diff(now_ms) <= policy.memory_ms() {
            State::Due
        } else {
            State::Healthy
        }
    }

    /// Whether the attempt was under way when this cooldown opened.
    fn outdates(&self, ended: Ended) -> bool {
        ended.sent_ms < self.cooling.since_ms && self.cooling.has_begun(ended.now_ms)
    }

    /// Returns the cooldown after a failure; `None` if the failure has no effect.
    fn fail(self, ended: Ended, blow: Blow, policy: &CooldownPolicy, random: u64) -> Option<Open> {
        let now = ended.now_ms;
        if !self.cooling.runs(now) && !self.outdates(ended) {
            let level = self.level.saturating_add(1);
            return Some(Self::opened(level, blow, now, policy, random));
        }
        let Blow::Until(told) = blow else {
            return None;
        };
        let cooling = Span::until(now, told);
        (cooling.until_ms > self.cooling.until_ms.max(now)).then_some(Open { cooling, ..self })
    }

    fn opened(level: u8, blow: Blow, now_ms: u64, policy: &CooldownPolicy, random: u64) -> Self {
        let period = policy.period_ms(level, random);
        let told = match blow {
            Blow::Until(told) => told.saturating_sub(now_ms),
            Blow::Counted | Blow::AtOnce => 0,
        };
        Self {
            level,
            cooling: Span::of(now_ms, period.max(told)),
            lease: Span::default(),
        }
    }
}

impl Ailment {
    /// Returns the ailment after a failure of a target with this ailment, if any; `None` if the failure has no
    /// effect.
    fn fail(
        before: Option<&Ailment>,
        ended: Ended,
        blow: Blow,
        policy: &CooldownPolicy,
        random: u64,
    ) -> Option<Ailment> {
        let earlier = match before {
            Some(Ailment::Open(open)) => {
                return open.fail(ended, blow, policy, random).map(Ailment::Open);
            }
            Some(Ailment::Counting(times)) => times.as_slice(),
            None => &[],
        };
        let needed = policy.failures.min(CooldownPolicy::MOST_FAILURES);
        let mut times = earlier.to_vec();
        times.push(ended.now_ms);
        let enough = times.len() >= usize::try_from(needed).unwrap_or(usize::MAX);
        Some(if enough || blow != Blow::Counted {
            Ailment::Open(Open::opened(0, blow, ended.now_ms, policy, random))
        } else {
            Ailment::Counting(times)
        })
    }

    /// Forgets what is too old. Returns `false` if nothing is left.
    fn prune(&mut self, now_ms: u64, policy: &CooldownPolicy) -> bool {
        match self {
            Ailment::Counting(times) => {
                times.retain(|time| time.abs_diff(now_ms) <= policy.window_ms);
                !times.is_empty()
            }
            Ailment::Open(open) => open.state(now_ms, policy) != State::Healthy,
        }
    }
}

impl Health {
    /// Whether no target is ailing.
    pub fn is_empty(&self) -> bool {
        self.ailing.is_empty()
    }

    /// Whether anything is recorded against the target, including a counted failure, so that a success must be
    /// written.
    pub fn is_ailing(&self, target: TargetKey) -> bool {
        self.ailment(target).is_some()
    }

    /// Returns the state of the target.
    pub fn state(&self, target: TargetKey, now_ms: u64, policy: &CooldownPolicy) -> State {
        match self.ailment(target) {
            Some(Ailment::Open(open)) => open.state(now_ms, policy),
            Some(Ailment::Counting(_)) | None => State::Healthy,
        }
    }

    /// Returns whether the target may be tried now. If it is due, this takes its lease, and the change must be
    /// written; if it is healthy, nothing changes.
    pub fn lease(&mut self, target: TargetKey, now_ms: u64, policy: &CooldownPolicy) -> bool {
        match self.state(target, now_ms, policy) {
            State::Healthy => true,
            State::Cooling { .. } | State::Probing { .. } => false,
            State::Due => {
                if let Some(Ailment::Open(open)) = self.ailment(target) {
                    let lease = Span::of(now_ms, policy.lease_ms);
                    let leased = Ailment::Open(Open { lease, ..*open });
                    self.put(target, leased, now_ms, policy);
                }
                true
            }
        }
    }

    /// Records a failed attempt. Returns whether anything changed and must be written. `random`: 64 random bits.
    pub fn fail(&mut self, ended: Ended, blow: Blow, policy: &CooldownPolicy, random: u64) -> bool {
        self.prune(ended.now_ms, policy);
        let before = self.ailment(ended.target);
        let Some(after) = Ailment::fail(before, ended, blow, policy, random) else {
            return false;
        };
        self.put(ended.target, after, ended.now_ms, policy);
        true
    }

    /// Records a successful attempt: its target is healthy, unless a cooldown opened since the attempt began. Returns
    /// whether anything changed and must be written.
    pub fn succeed(&mut self, ended: Ended) -> bool {
        let heals = match self.ailment(ended.target) {
            Some(Ailment::Open(open)) => !open.outdates(ended),
            Some(Ailment::Counting(_)) => true,
            None => false,
        };
        if heals {
            self.ailing.retain(|(target, _)| *target != ended.target);
        }
        heals
    }

    /// Returns the targets whose cooldown has begun since `before`.
    pub fn cooldowns_since(&self, before: &Health) -> impl Iterator<Item = TargetKey> {
        let begun = self.ailing.iter().filter(|(target, now)| {
            match (now, before.ailment(*target)) {
                // A cooldown that was only prolonged or leased has the same level, and began before the earlier one's
                // end.
                (Ailment::Open(open), Some(Ailment::Open(earlier))) => {
                    open.level > earlier.level || open.cooling.since_ms > earlier.cooling.until_ms
                }
                (Ailment::Open(_), Some(Ailment::Counting(_)) | None) => true,
                (Ailment::Counting(_), _) => false,
            }
        });
        begun.map(|(target, _)| *target)
    }

    fn ailment(&self, target: TargetKey) -> Option<&Ailment> {
        let found = self.ailing.iter().find(|(one, _)| *one == target);
        found.map(|(_, ailment)| ailment)
    }

    fn prune(&mut self, now_ms: u64, policy: &CooldownPolicy) {
        self.ailing
            .retain_mut(|(_, ailment)| ailment.prune(now_ms, policy));
    }

    /// Sets a target's ailment and moves it to the end.
    fn put(&mut self, target: TargetKey, ailment: Ailment, now_ms: u64, policy: &CooldownPolicy) {
        self.ailing.retain(|(one, _)| *one != target);
        self.prune(now_ms, policy);
        if self.ailing.len() >= MOST_ENTRIES {
            self.ailing.remove(0);
        }
        self.ailing.push((target, ailment));
    }
}
