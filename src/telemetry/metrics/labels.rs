//! The labels of metrics, and how they are written into the metrics' names.

use crate::attempt::Failure;
use crate::schema::ErrorCode;
use crate::telemetry::{AnswerEnd, AttemptSummary, decisions};

/// A label of a metric. Some stand for several labels that only occur in certain combinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// The route.
    Route,
    /// Route, backend and model.
    Target,
    /// Backend and model.
    BackendModel,
    /// The caller of the request.
    Caller,
    /// The class of the status.
    Status,
    /// How the targets were chosen.
    Decision,
    /// The stable code of an error.
    Error,
    /// How an answer ended.
    End,
    /// The verdict on an attempt.
    Verdict,
    /// Why an attempt failed.
    Reason,
    /// All types of tokens.
    TokenType,
    /// Input and output tokens only.
    Direction,
}

/// The names of all labels.
pub const LABEL_NAMES: [&str; 11] = [
    "route", "backend", "model", "caller", "status", "decision", "error", "end", "verdict",
    "reason", "type",
];

/// The classes of statuses; the first one is for requests without a status.
pub(super) const STATUSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// The types of tokens, in the order of [`crate::schema::Usage`].
pub(super) const TOKEN_TYPES: [&str; 5] = [
    "input",
    "cached_input",
    "cache_write",
    "output",
    "reasoning",
];

/// The types of tokens that include the others.
pub(super) const DIRECTIONS: [&str; 2] = ["input", "output"];

/// How the targets were chosen, or why no targets were chosen. The last one is for requests that were answered with
/// an error; its code is another label.
pub(super) const DECISIONS: [&str; 7] = [
    "ordered",
    "drawn",
    "sticky",
    decisions::PASS_THROUGH,
    decisions::ANSWERED,
    decisions::NONE,
    "refused",
];

/// The verdicts on attempts that did not fail.
const NO_FAILURES: [&str; 2] = [AttemptSummary::ACCEPTED, AttemptSummary::ABANDONED];

impl Label {
    /// The names of the labels that this stands for.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Label::Route => &["route"],
            Label::Target => &["route", "backend", "model"],
            Label::BackendModel => &["backend", "model"],
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

    /// Returns the index of a name among the closed values; `None` if it is not one of them.
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

    /// Returns the values, if they are the same for every document.
    pub(super) fn closed_values(self) -> Vec<&'static str> {
        let failures = || Failure::ALL.iter().map(|failure| failure.name());
        match self {
            Label::Route | Label::Target | Label::BackendModel | Label::Caller => Vec::new(),
            Label::Status => STATUSES.to_vec(),
            Label::Decision => DECISIONS.to_vec(),
            Label::Error => ErrorCode::ALL.iter().map(|code| code.name()).collect(),
            Label::End => AnswerEnd::ALL.iter().map(|(name, _)| *name).collect(),
            Label::Verdict => NO_FAILURES.into_iter().chain(failures()).collect(),
            Label::Reason => failures().collect(),
            Label::TokenType => TOKEN_TYPES.to_vec(),
            Label::Direction => DIRECTIONS.to_vec(),
        }
    }
}

/// Formats labels as they appear in a metric's name: `[route=chat][status=2xx]`.
pub(super) fn write<'a>(names: &[&str], values: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for (name, value) in names.iter().zip(values) {
        out.extend(["[", name, "="]);
        // Envoy drops a dot at the end of a name.
        let (value, end) = match value.strip_suffix('.') {
            Some(value) => (value, "_]"),
            None => (value, "]"),
        };
        out.extend(value.chars().map(|char| match char {
            // Brackets would end the label.
            '[' | ']' => '_',
            char if char.is_control() => '_',
            char => char,
        }));
        out.push_str(end);
    }
    out
}

/// Returns the regex that removes a label from a metric's name, for Envoy's `stats_tags`: the first group is removed
/// from the name, the second one is the value. The regex is not anchored at the beginning of the name, because Envoy
/// takes longer to match an anchored one.
pub fn tag_regex(label: &str) -> String {
    format!(r"(\[{label}=([^\]]*)\])")
}
