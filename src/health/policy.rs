//! The settings of cooldowns, and their lengths.

/// How cooldowns open and grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CooldownPolicy {
    /// How many counted failures open a cooldown: from 1 to [`CooldownPolicy::MAX_FAILURES`]; larger numbers count
    /// as that.
    pub failures: u32,
    /// The time within which all of these failures must fall, in milliseconds.
    pub window_ms: u64,
    /// The length of the first cooldown, in milliseconds. Each further one is twice as long.
    pub base_ms: u64,
    /// The length of the longest cooldown before jitter, in milliseconds.
    pub max_ms: u64,
    /// For how long only one request may try a target whose cooldown is over, in milliseconds. A request that takes
    /// longer is not stopped, but another one may then try the target too.
    pub lease_ms: u64,
}

impl Default for CooldownPolicy {
    /// Three failures in 30 s; cooldowns of 1 s, 2 s, 4 s … 60 s; leases of 10 s.
    ///
    /// The first cooldown is short, so that one opened by mistake goes unnoticed; it takes seven openings to reach
    /// the longest. A lease lasts about as long as most models take to begin their answer.
    fn default() -> Self {
        Self {
            failures: 3,
            window_ms: 30_000,
            base_ms: 1_000,
            max_ms: 60_000,
            lease_ms: 10_000,
        }
    }
}

impl CooldownPolicy {
    /// The maximum number of failures that are counted.
    pub const MAX_FAILURES: u32 = 64;

    /// The length of the longest possible cooldown in milliseconds, whatever the policy or a backend says.
    pub const MAX_COOLDOWN_MS: u64 = 86_400_000;

    /// Returns how long the level of a finished cooldown is remembered, in milliseconds: twice the longest cooldown.
    pub fn memory_ms(&self) -> u64 {
        self.max_ms.saturating_mul(2)
    }

    /// Returns the length of the `level`th cooldown in a row, counted from 0: 80 % to 120 % of its nominal length, by
    /// 64 random bits, so that workers and machines do not return in step.
    pub(super) fn period_ms(&self, level: u8, random: u64) -> u64 {
        let doubled = 1_u64.checked_shl(level.into()).unwrap_or(u64::MAX);
        let period = self.base_ms.saturating_mul(doubled).min(self.max_ms);
        let fifth = period / 5;
        let width = fifth.saturating_mul(2).saturating_add(1);
        period
            .saturating_sub(fifth)
            .saturating_add(random.checked_rem(width).unwrap_or(0))
    }
}
