//! How long cooldowns take.

/// How cooldowns open and grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CooldownPolicy {
    /// How many counted failures open a cooldown: from 1 to [`CooldownPolicy::MOST_FAILURES`], and what is beyond
    /// counts as these.
    pub failures: u32,
    /// The time within which all of these have to fall.
    pub window_ms: u64,
    /// How long the first cooldown takes; each one after it takes twice as long.
    pub base_ms: u64,
    /// The longest cooldown, before jitter.
    pub max_ms: u64,
    /// How long one request alone may try a target whose cooldown is over. A request that takes longer is not stopped:
    /// another one then tries too.
    pub lease_ms: u64,
}

impl Default for CooldownPolicy {
    /// Three failures in 30 s; cooldowns of 1 s, 2 s, 4 s … 60 s; leases of 10 s.
    ///
    /// The first is short, since a cooldown that was a mistake should not be noticed; it is seven openings from there
    /// to the longest. A lease is about how long most models take to begin their answer.
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
    /// The most failures that are counted.
    pub const MOST_FAILURES: u32 = 64;

    /// No cooldown is longer, whatever the policy or a backend says.
    pub const LONGEST_MS: u64 = 86_400_000;

    /// How long the level of a cooldown that is over is remembered: twice the longest cooldown.
    pub fn memory_ms(&self) -> u64 {
        self.max_ms.saturating_mul(2)
    }

    /// The time of the `level`th cooldown in a row, from 0 on: 80 % to 120 % of it by 64 random bits, so that workers and
    /// machines do not come back in step.
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
