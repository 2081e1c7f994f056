//! The ailing targets, and what attempts change about them.

use super::policy::CooldownPolicy;
use super::target::TargetKey;

/// How many targets can ail at a time. Of more, the one that has not changed for longest counts as healthy.
pub(super) const MOST_ENTRIES: usize = 4096;

/// How far the clocks of two workers may seem apart: one may have read it and come to write later than another. What
/// began later than that after now began before the clock was set back.
const SKEW_MS: u64 = 1_000;

/// How a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing is against it.
    Healthy,
    /// It is to be left alone.
    Cooling {
        /// Until when, in milliseconds since the epoch.
        until_ms: u64,
    },
    /// Its cooldown is over, and nobody tries it: half open.
    Due,
    /// One request tries it.
    Probing {
        /// How long that request alone may, in milliseconds since the epoch.
        until_ms: u64,
    },
}

/// How bad a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// It counts towards a cooldown.
    Counted,
    /// It opens a cooldown at once.
    AtOnce,
    /// It opens a cooldown at once, which takes at least as long as the backend said (milliseconds since the epoch,
    /// and at most [`CooldownPolicy::LONGEST_MS`] from now).
    Until(u64),
}

/// An attempt that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What was tried.
    pub target: TargetKey,
    /// When it was begun, in milliseconds since the epoch.
    pub sent_ms: u64,
    /// Now.
    pub now_ms: u64,
}

/// The ailing targets, the one that changed last at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    pub(super) ailing: Vec<(TargetKey, Ailment)>,
}

/// What ails a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ailment {
    /// The times of counted failures.
    Counting(Vec<u64>),
    Open(Open),
}

/// A cooldown and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Open {
    /// How many cooldowns came before it.
    pub(super) level: u8,
    pub(super) cooling: Span,
    /// Empty if nobody has it.
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

    /// A span that a clock set back would prolong is over.
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

    /// A failure's effect on it; `None` if it has none.
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
    /// A failure's effect on a target with this ailment, or none yet; `None` if it has no effect.
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

    /// Forgets what is too old; `false` if nothing is left.
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
    /// Whether no target ails.
    pub fn is_empty(&self) -> bool {
        self.ailing.is_empty()
    }

    /// Whether anything is held against the target, a counted failure included, so that a success has to be written.
    pub fn is_ailing(&self, target: TargetKey) -> bool {
        self.ailment(target).is_some()
    }

    /// How the target is.
    pub fn state(&self, target: TargetKey, now_ms: u64, policy: &CooldownPolicy) -> State {
        match self.ailment(target) {
            Some(Ailment::Open(open)) => open.state(now_ms, policy),
            Some(Ailment::Counting(_)) | None => State::Healthy,
        }
    }

    /// Whether the target may be tried now. If it is due, this takes its lease, and is to be written; if it is healthy,
    /// nothing changes.
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

    /// A failed attempt. Whether anything changed, which is then to be written. `random` is 64 random bits.
    pub fn fail(&mut self, ended: Ended, blow: Blow, policy: &CooldownPolicy, random: u64) -> bool {
        self.prune(ended.now_ms, policy);
        let before = self.ailment(ended.target);
        let Some(after) = Ailment::fail(before, ended, blow, policy, random) else {
            return false;
        };
        self.put(ended.target, after, ended.now_ms, policy);
        true
    }

    /// An attempt that did not fail: its target is healthy, unless a cooldown opened since it was sent. Whether
    /// anything changed, which is then to be written.
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

    /// The targets of which a cooldown has begun between that and this.
    pub fn cooldowns_since(&self, before: &Health) -> impl Iterator<Item = TargetKey> {
        let begun = self.ailing.iter().filter(|(target, now)| {
            match (now, before.ailment(*target)) {
                // One that is only prolonged, or leased, is of the same level and began before the other's end.
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

    /// Sets a target's ailment, as the last that changed.
    fn put(&mut self, target: TargetKey, ailment: Ailment, now_ms: u64, policy: &CooldownPolicy) {
        self.ailing.retain(|(one, _)| *one != target);
        self.prune(now_ms, policy);
        if self.ailing.len() >= MOST_ENTRIES {
            self.ailing.remove(0);
        }
        self.ailing.push((target, ailment));
    }
}
