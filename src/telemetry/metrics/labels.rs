//! By what metrics are told apart, and how that is written into their names.

use crate::attempt::Failure;
use crate::schema::ErrorCode;
use crate::telemetry::{Attempted, End, decisions};

/// What tells the series of a metric apart. Some are several labels, which only go together in some ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// The route.
    Route,
    /// Route, backend and model.
    Target,
    /// Backend and model.
    Place,
    /// Who sent the request.
    Caller,
    /// The class of the status.
    Status,
    /// By what targets were chosen.
    Decision,
    /// The stable code of an error.
    Error,
    /// How an answer ended.
    End,
    /// What became of an attempt.
    Verdict,
    /// Why an attempt failed.
    Reason,
    /// All types of tokens.
    TokenType,
    /// Tokens in and out.
    Direction,
}

/// All names of labels.
pub const LABEL_NAMES: [&str; 11] = [
    "route", "backend", "model", "caller", "status", "decision", "error", "end", "verdict",
    "reason", "type",
];

/// Statuses by their class; the first: there was none.
pub(super) const STATUSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// The types of tokens, in the order of [`crate::schema::Usage`].
pub(super) const TOKEN_TYPES: [&str; 5] = [
    "input",
    "cached_input",
    "cache_write",
    "output",
    "reasoning",
];

/// Those of which the others are parts.
pub(super) const DIRECTIONS: [&str; 2] = ["input", "output"];

/// By what targets were chosen, or why that was not done; the last: it was answered by an error, which is told by its code.
pub(super) const DECISIONS: [&str; 7] = [
    "ordered",
    "drawn",
    "sticky",
    decisions::PASS_THROUGH,
    decisions::ANSWERED,
    decisions::NONE,
    "refused",
];

/// What becomes of attempts that do not fail.
const NO_FAILURES: [&str; 2] = [Attempted::ACCEPTED, Attempted::ABANDONED];

impl Label {
    /// The names of its labels.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Label::Route => &["route"],
            Label::Target => &["route", "backend", "model"],
            Label::Place => &["backend", "model"],
            Label::Caller => &["caller"],
            Label::Status => &["status"],
            Label::Decision => &["decision"],
            Label::Error => &["error"],
            Label::End => &["end"],
            Label::Verdict => &["verdict"],
            Label::Reason => &["reason"],
            Label::TokenType | Label::Direction => &["type"],
        }
    }

    /// Where a name is among the closed values; `None`: not at all.
    pub(super) fn position(self, name: &str) -> Option<usize> {
        let failure = || {
            let mut failures = Failure::ALL.iter();
            failures.position(|failure| failure.name() == name)
        };
        match self {
            Label::Error => {
                let mut codes = ErrorCode::ALL.iter();
                codes.position(|code| code.name() == name)
            }
            Label::Verdict => {
                let mut others = NO_FAILURES.iter();
                let found = others.position(|other| *other == name);
                found.or_else(|| Some(failure()?.saturating_add(NO_FAILURES.len())))
            }
            Label::Reason => failure(),
            Label::Decision => {
                let mut decisions = DECISIONS.iter();
                let found = decisions.position(|decision| *decision == name);
                Some(found.unwrap_or(DECISIONS.len().saturating_sub(1)))
            }
            _ => None,
        }
    }

    /// Its values, where they are the same for every document.
    pub(super) fn closed_values(self) -> Vec<&'static str> {
        let failures = || Failure::ALL.iter().map(|failure| failure.name());
        match self {
            Label::Route | Label::Target | Label::Place | Label::Caller => Vec::new(),
            Label::Status => STATUSES.to_vec(),
            Label::Decision => DECISIONS.to_vec(),
            Label::Error => ErrorCode::ALL.iter().map(|code| code.name()).collect(),
            Label::End => End::ALL.iter().map(|(name, _)| *name).collect(),
            Label::Verdict => NO_FAILURES.into_iter().chain(failures()).collect(),
            Label::Reason => failures().collect(),
            Label::TokenType => TOKEN_TYPES.to_vec(),
            Label::Direction => DIRECTIONS.to_vec(),
        }
    }
}

/// Labels as they stand in a name: `[route=chat][status=2xx]`.
pub(super) fn write<'a>(names: &[&str], values: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for (name, value) in names.iter().zip(values) {
        out.extend(["[", name, "="]);
        // Envoy drops one there.
        let (value, end) = match value.strip_suffix('.') {
            Some(value) => (value, "_]"),
            None => (value, "]"),
        };
        out.extend(value.chars().map(|char| match char {
            // They would end it.
            '[' | ']' => '_',
            char if char.is_control() => '_',
            char => char,
        }));
        out.push_str(end);
    }
    out
}

/// What takes a label out of a name, for Envoy's `stats_tags`: its first group goes from the name, its second one is the
/// value. Not bound to the name's beginning, which takes Envoy longer to search.
pub fn tag_regex(label: &str) -> String {
    format!(r"(\[{label}=([^\]]*)\])")
}
