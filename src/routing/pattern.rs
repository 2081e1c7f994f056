//! Patterns for names: exact, `prefix-*`, `*-suffix`, `*`.

use std::fmt;

/// A pattern for names. Letter case counts; at most one `*`, at the start or at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// `gpt-4o`: exactly this.
    Exact(String),
    /// `gpt-*`: names that begin with this.
    Prefix(String),
    /// `*-mini`: names that end with this.
    Suffix(String),
    /// `*`: any name.
    Any,
}

impl Pattern {
    /// Parses a pattern; `None` if a `*` is anywhere but at the start or the end.
    pub fn parse(text: &str) -> Option<Pattern> {
        let pattern = if text == "*" {
            Pattern::Any
        } else if let Some(prefix) = text.strip_suffix('*') {
            Pattern::Prefix(prefix.to_owned())
        } else if let Some(suffix) = text.strip_prefix('*') {
            Pattern::Suffix(suffix.to_owned())
        } else {
            Pattern::Exact(text.to_owned())
        };
        (!pattern.literal().contains('*')).then_some(pattern)
    }

    /// Whether a value matches. Takes bytes, because a header's value need not be text.
    pub fn matches(&self, value: &[u8]) -> bool {
        match self {
            Pattern::Exact(text) => value == text.as_bytes(),
            Pattern::Prefix(text) => value.starts_with(text.as_bytes()),
            Pattern::Suffix(text) => value.ends_with(text.as_bytes()),
            Pattern::Any => true,
        }
    }

    /// Returns the name, if only one name matches.
    pub fn as_exact(&self) -> Option<&str> {
        match self {
            Pattern::Exact(text) => Some(text),
            _ => None,
        }
    }

    /// Whether a value matches any of the patterns.
    pub(super) fn any_matches(patterns: &[Pattern], value: &[u8]) -> bool {
        patterns.iter().any(|pattern| pattern.matches(value))
    }

    fn literal(&self) -> &str {
        match self {
            Pattern::Exact(text) | Pattern::Prefix(text) | Pattern::Suffix(text) => text,
            Pattern::Any => "",
        }
    }

    /// Whether everything that matches `other` matches this pattern too.
    pub fn covers(&self, other: &Pattern) -> bool {
        match (self, other) {
            (Pattern::Any, _) => true,
            (_, Pattern::Exact(text)) => self.matches(text.as_bytes()),
            (Pattern::Prefix(wide), Pattern::Prefix(narrow)) => narrow.starts_with(wide.as_str()),
            (Pattern::Suffix(wide), Pattern::Suffix(narrow)) => narrow.ends_with(wide.as_str()),
            _ => false,
        }
    }

    /// Whether nothing can match both patterns.
    pub fn excludes(&self, other: &Pattern) -> bool {
        match (self, other) {
            (Pattern::Exact(text), pattern) | (pattern, Pattern::Exact(text)) => {
                !pattern.matches(text.as_bytes())
            }
            (Pattern::Prefix(a), Pattern::Prefix(b)) => {
                !a.starts_with(b.as_str()) && !b.starts_with(a.as_str())
            }
            (Pattern::Suffix(a), Pattern::Suffix(b)) => {
                !a.ends_with(b.as_str()) && !b.ends_with(a.as_str())
            }
            _ => false,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Exact(text) => out.write_str(text),
            Pattern::Prefix(text) => write!(out, "{text}*"),
            Pattern::Suffix(text) => write!(out, "*{text}"),
            Pattern::Any => out.write_str("*"),
        }
    }
}

/// Whether everything that matches a pattern of `narrow` matches a pattern of `wide`.
pub(super) fn any_covers(wide: &[Pattern], narrow: &[Pattern]) -> bool {
    narrow
        .iter()
        .all(|narrow| wide.iter().any(|wide| wide.covers(narrow)))
}

/// Whether nothing can match a pattern of `a` and a pattern of `b`.
pub(super) fn all_exclude(a: &[Pattern], b: &[Pattern]) -> bool {
    a.iter().all(|a| b.iter().all(|b| a.excludes(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn a_star_only_at_an_end() {
        for wrong in ["a*b", "*a*", "**", "*a*b"] {
            assert_eq!(Pattern::parse(wrong), None, "{wrong}");
        }
        for right in ["", "a", "a*", "*a", "*"] {
            assert_eq!(pattern(right).to_string(), right);
        }
    }

    #[test]
    fn relations_agree_with_matching() {
        let names: &[&[u8]] = &[b"", b"a", b"ab", b"abc", b"bc", b"c", b"bac", b"\xff"];
        let patterns = [
            "", "a", "ab", "abc", "a*", "ab*", "b*", "*c", "*bc", "*a", "*",
        ];
        for a in patterns.map(pattern) {
            for b in patterns.map(pattern) {
                for name in names {
                    let (in_a, in_b) = (a.matches(name), b.matches(name));
                    assert!(!(a.covers(&b) && in_b && !in_a), "{a} covers {b}: {name:?}");
                    assert!(
                        !(a.excludes(&b) && in_a && in_b),
                        "{a} excludes {b}: {name:?}"
                    );
                }
            }
        }
        assert!(pattern("a*").covers(&pattern("ab*")));
        assert!(pattern("*c").covers(&pattern("*bc")));
        assert!(pattern("a*").excludes(&pattern("b*")));
        assert!(!pattern("a*").excludes(&pattern("*c")));
    }
}
