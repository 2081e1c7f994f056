//! Findings in a file, and their output for people and for programs.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::source::Position;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    Error,
    Warning,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    #[serde(flatten)]
    pub(super) place: Position,
    /// The path in the document or in Envoy's file; empty for the whole.
    pub(super) path: String,
    pub(super) message: String,
}

impl Finding {
    pub(super) fn error(place: Position, path: &str, message: impl Into<String>) -> Finding {
        Finding {
            severity: Severity::Error,
            place,
            path: path.to_owned(),
            message: message.into(),
        }
    }

    pub(super) fn warning(place: Position, path: &str, message: impl Into<String>) -> Finding {
        Finding {
            severity: Severity::Warning,
            ..Finding::error(place, path, message)
        }
    }

    /// Formats `file:line:column: path: message`, and the line with a marker below.
    pub(super) fn render(&self, file: &str, text: &str) -> String {
        let bold = Style::new().bold();
        let colour = match self.severity {
            Severity::Error => AnsiColor::Red,
            Severity::Warning => AnsiColor::Yellow,
        };
        let colour = Style::new().bold().fg_color(Some(colour.into()));
        let Position { line, column } = self.place;
        let mut out = format!("{bold}{}:{line}:{column}:{bold:#} ", shown(file));
        if self.severity == Severity::Warning {
            let _ = write!(out, "{colour}warning:{colour:#} ");
        }
        if !self.path.is_empty() {
            let _ = write!(out, "{colour}{}:{colour:#} ", shown(&self.path));
        }
        let _ = writeln!(out, "{}", shown(&self.message));
        let row = text.lines().nth(line.saturating_sub(1));
        if let Some(excerpt) = row.and_then(|row| Excerpt::of(row, column)) {
            let number = line.to_string();
            let margin = " ".repeat(number.len());
            let Excerpt {
                shown,
                before,
                width,
            } = excerpt;
            let indent = " ".repeat(before);
            let mark = "^".repeat(width);
            let _ = writeln!(out, "{margin} |\n{number} | {shown}");
            let _ = writeln!(out, "{margin} | {indent}{colour}{mark}{colour:#}");
        }
        out
    }
}

/// How many characters of a line are shown at most.
const WIDTH: usize = 100;

/// A part of a line.
struct Excerpt {
    shown: String,
    /// How many characters precede the marked ones.
    before: usize,
    /// How many characters are marked.
    width: usize,
}

impl Excerpt {
    fn of(row: &str, column: usize) -> Option<Excerpt> {
        let at = column.checked_sub(1)?;
        let is_short = row.chars().nth(WIDTH).is_none();
        let start = if is_short {
            0
        } else {
            at.saturating_sub(WIDTH / 2)
        };
        // No more of it is looked at: a line of JSON may be the whole file.
        let excerpt: String = row.chars().skip(start).take(WIDTH).collect();
        let shown = shown(&excerpt);
        let before = at.saturating_sub(start);
        let marked = shown.chars().skip(before);
        let width = match shown.chars().nth(before) {
            // Mark quoted text up to its end.
            Some(quote @ ('"' | '\'')) => {
                let inside = marked.skip(1).take_while(|char| *char != quote);
                inside.count().saturating_add(2)
            }
            _ => marked
                .take_while(|char| !char.is_whitespace() && !",:[]{}".contains(*char))
                .count(),
        };
        let rest = shown.chars().count().saturating_sub(before);
        Some(Excerpt {
            shown,
            before,
            width: width.min(rest).max(1),
        })
    }
}

/// Escapes text of a file for output to a terminal.
pub(super) fn shown(text: &str) -> String {
    let visible = |char: char| if char.is_control() { '\u{fffd}' } else { char };
    text.replace('\t', " ").chars().map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str, line: usize, column: usize) -> String {
        let finding = Finding::error(Position { line, column }, "a.b", "no");
        anstream::adapter::strip_str(&finding.render("f.yaml", text)).to_string()
    }

    #[test]
    fn the_line_is_shown_with_a_mark() {
        assert_eq!(
            rendered("x: 1\ny: [é, bad-one, c]\n", 2, 8),
            "f.yaml:2:8: a.b: no\n  |\n2 | y: [é, bad-one, c]\n  |        ^^^^^^^\n"
        );
        assert_eq!(
            rendered("y: 'a b'\n", 1, 4),
            "f.yaml:1:4: a.b: no\n  |\n1 | y: 'a b'\n  |    ^^^^^\n"
        );
        // A place that does not exist has no excerpt.
        assert_eq!(rendered("x: 1\n", 7, 1), "f.yaml:7:1: a.b: no\n");
        assert_eq!(rendered("", 1, 1), "f.yaml:1:1: a.b: no\n");
    }

    #[test]
    fn long_lines_are_cut_around_the_mark() {
        let text = format!("{}bad{}", "x".repeat(300) + " ", " y".repeat(300));
        let rendered = rendered(&text, 1, 302);
        let lines: Vec<&str> = rendered.lines().collect();
        assert_eq!(lines[2].chars().count(), WIDTH + 4);
        let mark = lines[3].find('^').unwrap();
        assert_eq!(lines[2].get(mark..mark + 3), Some("bad"));
    }

    #[test]
    fn nothing_steers_the_terminal() {
        let rendered = rendered("x: \u{1b}[31m\n", 1, 4);
        assert!(!rendered.contains('\u{1b}'), "{rendered:?}");
    }
}
