//! The fallback policy of a route: what happens when an attempt fails, and within which limits.

use super::failure::Failure;
use crate::health::CooldownPolicy;
use crate::wire::{Reader, Writer};

/// What the router does about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureAction {
    /// Pass the answer on to the caller as it is.
    Pass,
    /// Try the next target at once.
    Next,
    /// Try the same target once more, then the next one.
    Retry,
    /// Try the same target once more after the time it asks for, if that is within the patience; otherwise try the
    /// next one.
    Wait,
    /// Try the next target whose model has a larger context window.
    LargerWindow,
}

impl FailureAction {
    /// All actions, with their names in the document.
    pub const ALL: [(&'static str, FailureAction); 5] = [
        ("pass", FailureAction::Pass),
        ("next", FailureAction::Next),
        ("retry", FailureAction::Retry),
        ("wait", FailureAction::Wait),
        ("larger_window", FailureAction::LargerWindow),
    ];
}

/// What a failure means for the target's cooldown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CooldownEffect {
    /// The failure does not affect the cooldown.
    None,
    /// The failure counts: several of them open a cooldown.
    Count,
    /// The failure opens a cooldown at once.
    Open,
}

impl CooldownEffect {
    /// All values, with their names in the document.
    pub const ALL: [(&'static str, CooldownEffect); 3] = [
        ("none", CooldownEffect::None),
        ("count", CooldownEffect::Count),
        ("open", CooldownEffect::Open),
    ];
}

/// What follows one kind of failure: a row of the table of verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureRule {
    /// What the router does.
    pub action: FailureAction,
    /// What the failure means for the target's cooldown.
    pub cooldown: CooldownEffect,
}

/// How much of an answer is held back, so that another target can still answer if it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Nothing is held: the answer is passed on as it arrives.
    None,
    /// A streamed answer is held up to its first content token; any other answer is held whole.
    FirstToken,
    /// The whole answer is held.
    Complete,
}

impl Hold {
    /// All values, with their names in the document.
    pub const ALL: [(&'static str, Hold); 3] = [
        ("none", Hold::None),
        ("first_token", Hold::FirstToken),
        ("complete", Hold::Complete),
    ];
}

/// The fallback policy of a route. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FallbackPolicy {
    /// How much of an answer is held; `None` means [`Hold::FirstToken`] if there is more than one target, else
    /// [`Hold::None`].
    pub hold: Option<Hold>,
    /// The maximum number of bytes held; a larger answer is passed on.
    pub hold_limit_bytes: u32,
    /// The time until the first byte of an answer must go to the client, over all attempts.
    pub deadline_ms: u32,
    /// The time limit of one attempt, until its answer can be passed on.
    pub attempt_timeout_ms: u32,
    /// The time limit of a held stream, from the beginning of the attempt until its first content token; 0: no limit.
    pub first_token_timeout_ms: u32,
    /// The time limit between two pieces of a streamed answer.
    pub idle_timeout_ms: u32,
    /// The longest wait that a backend may ask for and that the router still waits out.
    pub patience_ms: u32,
    /// The maximum number of attempts at a request; 0: one for each target and two more.
    pub max_attempts: u32,
    /// Whether stream events that are not JSON are dropped instead of passed on.
    pub drop_malformed_events: bool,
    /// One rule for each of [`Failure::ALL`], in that order.
    pub rules: [FailureRule; Failure::ALL.len()],
}

const fn rule(failure: Failure) -> FailureRule {
    let (action, cooldown) = match failure {
        Failure::RateLimited => (FailureAction::Wait, CooldownEffect::Open),
        Failure::Unauthorized => (FailureAction::Next, CooldownEffect::Open),
        Failure::ServerError | Failure::ConnectFailure | Failure::Reset => {
            (FailureAction::Retry, CooldownEffect::Count)
        }
        Failure::Unavailable
        | Failure::NoAnswer
        | Failure::LateFirstToken
        | Failure::Incomplete => (FailureAction::Next, CooldownEffect::Count),
        Failure::ContextLength => (FailureAction::LargerWindow, CooldownEffect::None),
        Failure::ContentPolicy | Failure::Rejected => (FailureAction::Pass, CooldownEffect::None),
    };
    FailureRule { action, cooldown }
}

impl Default for FallbackPolicy {
    fn default() -> Self {
        let mut rules = [rule(Failure::Rejected); Failure::ALL.len()];
        for (cell, failure) in rules.iter_mut().zip(Failure::ALL) {
            *cell = rule(*failure);
        }
        FallbackPolicy {
            hold: None,
            hold_limit_bytes: 768 * 1024,
            deadline_ms: 600_000,
            attempt_timeout_ms: 120_000,
            first_token_timeout_ms: 0,
            idle_timeout_ms: 300_000,
            patience_ms: 2_500,
            max_attempts: 0,
            drop_malformed_events: false,
            rules,
        }
    }
}

impl FallbackPolicy {
    /// Returns the rule for a failure.
    pub fn rule(&self, failure: Failure) -> FailureRule {
        let at = Failure::ALL.iter().position(|known| *known == failure);
        at.and_then(|at| self.rules.get(at).copied())
            .unwrap_or(rule(failure))
    }

    /// Replaces the rule for a failure.
    pub fn set_rule(&mut self, failure: Failure, rule: FailureRule) {
        for (cell, known) in self.rules.iter_mut().zip(Failure::ALL) {
            if *known == failure {
                *cell = rule;
            }
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        let hold = self.hold.unwrap_or(Hold::None);
        out.name(&Hold::ALL, hold);
        for number in [
            self.hold_limit_bytes,
            self.deadline_ms,
            self.attempt_timeout_ms,
            self.first_token_timeout_ms,
            self.idle_timeout_ms,
            self.patience_ms,
            self.max_attempts,
        ] {
            out.number(number);
        }
        out.byte(self.drop_malformed_events.into());
        for rule in &self.rules {
            out.name(&FailureAction::ALL, rule.action);
            out.name(&CooldownEffect::ALL, rule.cooldown);
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut policy = FallbackPolicy {
            hold: Some(from.name(&Hold::ALL)?),
            hold_limit_bytes: from.number()?,
            deadline_ms: from.number()?,
            attempt_timeout_ms: from.number()?,
            first_token_timeout_ms: from.number()?,
            idle_timeout_ms: from.number()?,
            patience_ms: from.number()?,
            max_attempts: from.number()?,
            drop_malformed_events: from.byte()? != 0,
            ..FallbackPolicy::default()
        };
        for rule in &mut policy.rules {
            rule.action = from.name(&FailureAction::ALL)?;
            rule.cooldown = from.name(&CooldownEffect::ALL)?;
        }
        Some(policy)
    }
}

pub(super) fn write_cooldown(policy: &CooldownPolicy, out: &mut Writer) {
    out.number(policy.failures);
    for number in [
        policy.window_ms,
        policy.base_ms,
        policy.max_ms,
        policy.lease_ms,
    ] {
        out.long(number);
    }
}

pub(super) fn read_cooldown(from: &mut Reader<'_>) -> Option<CooldownPolicy> {
    Some(CooldownPolicy {
        failures: from.number()?,
        window_ms: from.long()?,
        base_ms: from.long()?,
        max_ms: from.long()?,
        lease_ms: from.long()?,
    })
}
