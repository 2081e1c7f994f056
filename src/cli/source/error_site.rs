//! A place in a file where something is wrong, and the text around it for an error message.

use super::scalar::quoted;
use super::{Position, SourceError};

/// The characters with which no plain text can begin in YAML, and what they begin instead.
const BEGINNINGS: [(char, &str); 10] = [
    ('*', "an alias"),
    ('&', "the name of an anchor"),
    ('!', "a tag"),
    ('|', "a block of text in the lines below"),
    ('>', "a block of text in the lines below"),
    ('{', "a map"),
    ('[', "a list"),
    ('%', "a directive"),
    ('-', "an item of a list"),
    ('?', "the name of a field"),
];

/// A place in a text at which something is wrong.
#[derive(Clone, Copy)]
pub(super) struct ErrorSite<'a> {
    pub(super) text: &'a str,
    pub(super) place: Position,
}

impl<'a> ErrorSite<'a> {
    pub(super) fn error(self, message: impl Into<String>) -> SourceError {
        SourceError {
            place: self.place,
            message: message.into(),
        }
    }

    pub(super) fn at(self, column: usize) -> Self {
        let line = self.place.line;
        let place = Position { line, column };
        ErrorSite { place, ..self }
    }

    pub(super) fn line_at(self, line: usize) -> &'a str {
        let line = line
            .checked_sub(1)
            .and_then(|above| self.text.lines().nth(above));
        line.unwrap_or_default()
    }

    pub(super) fn line(self) -> &'a str {
        self.line_at(self.place.line)
    }

    /// Returns the line from the place on.
    pub(super) fn rest(self) -> &'a str {
        let before = self.place.column.saturating_sub(1);
        let at = self.line().char_indices().nth(before).map(|(at, _)| at);
        at.and_then(|at| self.line().get(at..)).unwrap_or_default()
    }

    /// Returns what begins here and may have been meant as one text.
    pub(super) fn value(self) -> String {
        let rest = self.rest();
        let before = self.line().len().saturating_sub(rest.len());
        let before = self.line().get(..before).unwrap_or_default();
        let count = |char: char| before.matches(char).count();
        let is_inside = count('[') > count(']') || count('{') > count('}');
        let mut depth = 0_usize;
        let mut end = rest.len();
        let mut last = ' ';
        for (at, char) in rest.char_indices() {
            let is_comment = char == '#' && last == ' ' && at > 0;
            let is_end = match char {
                '[' | '{' => {
                    depth = depth.saturating_add(1);
                    false
                }
                ']' | '}' if depth > 0 => {
                    depth = depth.saturating_sub(1);
                    false
                }
                ']' | '}' | ',' => is_inside && depth == 0,
                _ => false,
            };
            if is_comment || is_end {
                end = at;
                break;
            }
            last = char;
        }
        rest.get(..end).unwrap_or_default().trim().to_owned()
    }

    /// Returns the error for text that needs quotes because of its first character.
    pub(super) fn unquoted(self, first: char, why: &str) -> SourceError {
        let begins = match BEGINNINGS.iter().find(|(known, _)| *known == first) {
            Some((_, what)) => format!("in YAML `{first}` begins {what}"),
            None => format!(
                "in YAML no plain value can begin with {}",
                quoted(&first.to_string())
            ),
        };
        let value = self.value();
        // The name of a field ends before its `:`.
        let text = value.split(": ").next().unwrap_or_default();
        self.error(format!(
            "{begins}{why}. If it is text, quote it: {}",
            quoted(text)
        ))
    }

    /// Returns the place of the first escape for which `is_it` holds, from here to the line `last`.
    pub(super) fn escape(self, last: usize, is_it: impl Fn(&str) -> bool) -> Option<Self> {
        let mut start = self.place.column.saturating_sub(1);
        for line in self.place.line..=last.max(self.place.line) {
            let chars: Vec<char> = self.line_at(line).chars().collect();
            let mut at = start;
            while let Some(char) = chars.get(at) {
                if *char == '\\' {
                    let rest: String = chars.iter().skip(at).take(12).collect();
                    if is_it(&rest) {
                        let place = Position {
                            line,
                            column: at.saturating_add(1),
                        };
                        return Some(ErrorSite { place, ..self });
                    }
                    at = at.saturating_add(1);
                }
                at = at.saturating_add(1);
            }
            start = 0;
        }
        None
    }

    /// Returns the first value in this line whose first character cannot begin text.
    pub(super) fn bad_beginning(self) -> Option<(Self, char)> {
        let line: Vec<char> = self.line().chars().collect();
        let mut is_value = true;
        for (at, char) in line.iter().enumerate() {
            let next = line.get(at.saturating_add(1)).copied().unwrap_or(' ');
            match char {
                ' ' => continue,
                ':' | '-' if next == ' ' => is_value = true,
                ',' | '[' | '{' => is_value = true,
                '#' if at == 0 => return None,
                '*' | '&' | '!' | '|' | '>' | '%' | '@' | '`' if is_value => {
                    return Some((self.at(at.saturating_add(1)), *char));
                }
                '"' | '\'' => return None,
                _ => is_value = false,
            }
        }
        None
    }

    /// Returns the first line from here on that is indented with a tab.
    pub(super) fn tab(self) -> Self {
        let lines = self.text.lines().enumerate();
        let lines = lines.skip(self.place.line.saturating_sub(1));
        let mut found = lines.filter_map(|(above, line)| {
            let before = line.chars().take_while(|char| *char == ' ').count();
            let is_tab = line.chars().nth(before) == Some('\t');
            is_tab.then(|| Position {
                line: above.saturating_add(1),
                column: before.saturating_add(1),
            })
        });
        let place = found.next().unwrap_or(self.place);
        ErrorSite { place, ..self }
    }
}
