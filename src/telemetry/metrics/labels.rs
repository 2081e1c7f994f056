//! By what metrics are told apart, and how that is written into their names.

use crate::attempt::Failure;
use crate::schema::ErrorCode;
use crate::telemetry::End;

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

/// What decisions are called, and last what any other is.
pub(super) const DECISIONS: [&str; 7] = [
    "ordered", "drawn", "sticky", "passed", "dry_run", "refused", "other",
];

/// What became of an attempt that did not fail.
const ACCEPTED: &str = "accepted";

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

    /// Where a name is among the closed values.
    pub(super) fn position(self, name: &str) -> usize {
        let failure = || {
            let mut failures = Failure::ALL.iter();
            let found = failures.position(|failure| failure.name() == name);
            found.unwrap_or(Failure::ALL.len())
        };
        match self {
            Label::Error => {
                let mut codes = ErrorCode::ALL.iter();
                let found = codes.position(|code| code.name() == name);
                found.unwrap_or(ErrorCode::ALL.len())
            }
            Label::Verdict if name == ACCEPTED => 0,
            Label::Verdict => failure().saturating_add(1),
            Label::Reason => failure(),
            _ => {
                let mut decisions = DECISIONS.iter();
                let found = decisions.position(|decision| *decision == name);
                found.unwrap_or(DECISIONS.len().saturating_sub(1))
            }
        }
    }

    /// Its values, where they are the same for every document. What is not among them counts as the last one.
    pub(super) fn closed_values(self) -> Vec<&'static str> {
        let failures = || Failure::ALL.iter().map(|failure| failure.name());
        match self {
            Label::Route | Label::Target | Label::Place | Label::Caller => Vec::new(),
            Label::Status => STATUSES.to_vec(),
            Label::Decision => DECISIONS.to_vec(),
            Label::Error => {
                let codes = ErrorCode::ALL.iter().map(|code| code.name());
                codes.chain(["other"]).collect()
            }
            Label::End => End::ALL.iter().map(|(name, _)| *name).collect(),
            Label::Verdict => [ACCEPTED]
                .into_iter()
                .chain(failures())
                .chain(["other"])
                .collect(),
            Label::Reason => failures().chain(["other"]).collect(),
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
/// value. Names of others are not searched, since it begins with what only those of modules begin with.
pub fn tag_regex(label: &str) -> String {
    format!(r"^wasmcustom\..*?(\[{label}=([^\]]*)\])")
}
