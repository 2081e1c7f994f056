//! What a route wants done when an attempt fails, and within which bounds.

use super::failure::Failure;
use crate::health::CooldownPolicy;
use crate::wire::{Reader, Writer};

/// What is done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The caller gets it as it is.
    Pass,
    /// The next target, at once.
    Next,
    /// The same target once more, then the next one.
    Retry,
    /// The same target once more, when it asks to be asked again, if that is within the patience; else the next one.
    Wait,
    /// The next target whose model has a larger window.
    LargerWindow,
}

impl Action {
    /// All of them, with their names in the document.
    pub const ALL: [(&'static str, Action); 5] = [
        ("pass", Action::Pass),
        ("next", Action::Next),
        ("retry", Action::Retry),
        ("wait", Action::Wait),
        ("larger_window", Action::LargerWindow),
    ];
}

/// What a failure means for the target's cooldown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cooldown {
    /// Nothing.
    None,
    /// It counts: several of them open a cooldown.
    Count,
    /// It opens a cooldown at once.
    Open,
}

impl Cooldown {
    /// All of them, with their names in the document.
    pub const ALL: [(&'static str, Cooldown); 3] = [
        ("none", Cooldown::None),
        ("count", Cooldown::Count),
        ("open", Cooldown::Open),
    ];
}

/// One row of the table of verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// What is done.
    pub action: Action,
    /// What it means for the target.
    pub cooldown: Cooldown,
}

/// How much of an answer is held back, so that its failure can still be answered by another target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Nothing: the answer is passed on as it comes.
    None,
    /// A streamed answer up to its first content token; another one whole.
    FirstToken,
    /// All of it.
    Complete,
}

impl Hold {
    /// All of them, with their names in the document.
    pub const ALL: [(&'static str, Hold); 3] = [
        ("none", Hold::None),
        ("first_token", Hold::FirstToken),
        ("complete", Hold::Complete),
    ];
}

/// The fallback policy of a route. Times are milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `None`: [`Hold::FirstToken`] where there is more than one target, else [`Hold::None`].
    pub hold: Option<Hold>,
    /// How many bytes of an answer are held at most; a larger one is passed on.
    pub hold_limit_bytes: u32,
    /// Until the first byte of an answer goes to the client, whatever is tried for it.
    pub deadline_ms: u32,
    /// For one attempt, until its answer can be passed on.
    pub attempt_timeout_ms: u32,
    /// For a held stream, from the attempt's beginning until its first content token; 0: no limit.
    pub first_token_timeout_ms: u32,
    /// Between two pieces of a streamed answer.
    pub idle_timeout_ms: u32,
    /// How long a backend may ask to be left alone and is still waited for.
    pub patience_ms: u32,
    /// How many attempts there are for a request; 0: one for each target and two more.
    pub max_attempts: u32,
    /// Whether events of a stream that are no JSON are left out instead of passed on.
    pub drop_malformed_events: bool,
    /// A row for each of [`Failure::ALL`], in that order.
    pub rows: [Row; Failure::ALL.len()],
}

const fn row(failure: Failure) -> Row {
    let (action, cooldown) = match failure {
        Failure::RateLimited => (Action::Wait, Cooldown::Open),
        Failure::Unauthorized => (Action::Next, Cooldown::Open),
        Failure::ServerError | Failure::ConnectFailure | Failure::Reset => {
            (Action::Retry, Cooldown::Count)
        }
        Failure::Unavailable
        | Failure::NoAnswer
        | Failure::LateFirstToken
        | Failure::Incomplete => (Action::Next, Cooldown::Count),
        Failure::ContextLength => (Action::LargerWindow, Cooldown::None),
        Failure::ContentPolicy | Failure::Rejected => (Action::Pass, Cooldown::None),
    };
    Row { action, cooldown }
}

impl Default for Policy {
    fn default() -> Self {
        let mut rows = [row(Failure::Rejected); Failure::ALL.len()];
        for (cell, failure) in rows.iter_mut().zip(Failure::ALL) {
            *cell = row(*failure);
        }
        Policy {
            hold: None,
            hold_limit_bytes: 768 * 1024,
            deadline_ms: 600_000,
            attempt_timeout_ms: 120_000,
            first_token_timeout_ms: 0,
            idle_timeout_ms: 300_000,
            patience_ms: 2_500,
            max_attempts: 0,
            drop_malformed_events: false,
            rows,
        }
    }
}

impl Policy {
    /// The row of a failure.
    pub fn row(&self, failure: Failure) -> Row {
        let at = Failure::ALL.iter().position(|known| *known == failure);
        at.and_then(|at| self.rows.get(at).copied())
            .unwrap_or(row(failure))
    }

    /// Changes the row of a failure.
    pub fn set_row(&mut self, failure: Failure, row: Row) {
        for (cell, known) in self.rows.iter_mut().zip(Failure::ALL) {
            if *known == failure {
                *cell = row;
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
        for row in &self.rows {
            out.name(&Action::ALL, row.action);
            out.name(&Cooldown::ALL, row.cooldown);
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut policy = Policy {
            hold: Some(from.name(&Hold::ALL)?),
            hold_limit_bytes: from.number()?,
            deadline_ms: from.number()?,
            attempt_timeout_ms: from.number()?,
            first_token_timeout_ms: from.number()?,
            idle_timeout_ms: from.number()?,
            patience_ms: from.number()?,
            max_attempts: from.number()?,
            drop_malformed_events: from.byte()? != 0,
            ..Policy::default()
        };
        for row in &mut policy.rows {
            row.action = from.name(&Action::ALL)?;
            row.cooldown = from.name(&Cooldown::ALL)?;
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
