//! The errors of a document: all are reported at once, each with its path and what to do about it.

use std::fmt;

/// One error of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    path: String,
    message: String,
}

impl ConfigError {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        ConfigError {
            path: path.into(),
            message: message.into(),
        }
    }

    /// Returns the path of the error in the document, such as `routes[3].targets[0].backend`; empty for the document as
    /// a whole.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns what is wrong and what to do about it.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            out.write_str(&self.message)
        } else {
            write!(out, "{}: {}", self.path, self.message)
        }
    }
}

impl std::error::Error for ConfigError {}

/// Returns ` did you mean "x"?` with a leading comma if a known name is close to what was written; otherwise an empty
/// string.
pub(crate) fn suggestion<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    // A third of the letters may differ: "opnai" suggests "openai", but "foo" does not suggest "gpt".
    let limit = written.chars().count().max(3) / 3;
    known
        .into_iter()
        .map(|name| (distance(written, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| format!(", did you mean \"{name}\"?"))
        .unwrap_or_default()
}

/// Returns how many letters have to be added, removed, replaced or swapped with their neighbour (Damerau–Levenshtein
/// distance, optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let width = b.len().saturating_add(1);
    let mut before: Vec<usize> = vec![0; width];
    let mut row: Vec<usize> = (0..width).collect();
    let mut last = None;
    for (i, from) in a.chars().enumerate() {
        let mut next = Vec::with_capacity(width);
        next.push(i.saturating_add(1));
        for (j, to) in b.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX);
            let replaced = at(&row, j).saturating_add(usize::from(from != *to));
            let removed = at(&row, j.saturating_add(1)).saturating_add(1);
            let added = at(&next, j).saturating_add(1);
            let mut best = replaced.min(removed).min(added);
            if let (Some(last), Some(k)) = (last, j.checked_sub(1))
                && last == *to
                && b.get(k) == Some(&from)
            {
                best = best.min(at(&before, k).saturating_add(1));
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(from);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_letters() {
        for (a, b, expected) in [
            ("", "", 0),
            ("openai", "openai", 0),
            ("opnai", "openai", 1),
            ("poenai", "openai", 1),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn suggests_only_what_is_close() {
        assert_eq!(
            suggestion("opnai", ["anthropic", "openai"]),
            ", did you mean \"openai\"?"
        );
        assert_eq!(suggestion("mistral", ["anthropic", "openai"]), "");
    }
}
