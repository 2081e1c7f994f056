//! Templates with places to fill in: `$name` within a line stands for a value, alone on a line for lines.

use std::fmt::Display;

use hashbrown::HashSet;

use super::yaml;

/// A template and the values for its places. Inserted text is not searched for places again.
pub(super) struct Template {
    text: &'static str,
    words: Vec<(&'static str, String)>,
    blocks: Vec<(&'static str, Vec<String>)>,
}

impl Template {
    pub(super) fn new(text: &'static str) -> Template {
        Template {
            text,
            words: Vec::new(),
            blocks: Vec::new(),
        }
    }

    /// Inserts text as a YAML scalar.
    pub(super) fn text(mut self, name: &'static str, text: &str) -> Template {
        self.words.push((name, yaml::scalar(text)));
        self
    }

    /// Inserts a number, or another single word of YAML.
    pub(super) fn word(mut self, name: &'static str, word: impl Display) -> Template {
        self.words.push((name, word.to_string()));
        self
    }

    /// Inserts text within a comment.
    pub(super) fn comment(mut self, name: &'static str, text: &str) -> Template {
        self.words.push((name, yaml::comment(text)));
        self
    }

    /// Inserts lines, possibly none, with the indentation of their place.
    pub(super) fn lines(mut self, name: &'static str, lines: Vec<String>) -> Template {
        self.blocks.push((name, lines));
        self
    }

    pub(super) fn fill(&self) -> Vec<String> {
        let mut out = Vec::new();
        for line in self.text.lines() {
            let place = line.trim_start().strip_prefix('$');
            let block = place.and_then(|place| {
                let mut blocks = self.blocks.iter();
                blocks.find(|(name, _)| *name == place)
            });
            match block {
                Some((_, lines)) => out.extend(indented(indent(line), lines)),
                None => out.push(self.fill_line(line)),
            }
        }
        out
    }

    fn fill_line(&self, line: &str) -> String {
        let mut out = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let is_of_name = |char: char| char.is_ascii_lowercase() || char == '_';
            let (name, behind) = match after.find(|char| !is_of_name(char)) {
                Some(end) => after.split_at(end),
                None => (after, ""),
            };
            let word = self.words.iter().find(|(known, _)| *known == name);
            match word {
                Some((_, word)) => out.push_str(word),
                None => out.extend(["$", name]),
            }
            rest = behind;
        }
        out + rest
    }
}

/// Returns the white space at the beginning of a line.
fn indent(line: &str) -> &str {
    let text = line.trim_start().len();
    line.split_at_checked(line.len().saturating_sub(text))
        .map_or("", |(indent, _)| indent)
}

fn indented(indent: &str, lines: &[String]) -> impl Iterator<Item = String> {
    lines.iter().map(move |line| match line.as_str() {
        "" => String::new(),
        line => format!("{indent}{line}"),
    })
}

/// Joins the lines of a file, with `inserted` at the only remaining place of this name.
pub(super) fn insert(lines: &[String], name: &str, inserted: &[String]) -> String {
    let mut out = String::new();
    for line in lines {
        let is_place = line.trim_start().strip_prefix('$') == Some(name);
        match is_place {
            true => out.extend(indented(indent(line), inserted).map(|line| line + "\n")),
            false => out.extend([line, "\n"]),
        }
    }
    out
}

/// Removes every comment that has already occurred before.
pub(super) fn once(lines: Vec<String>) -> Vec<String> {
    let is_comment = |line: &str| line.trim_start().starts_with('#');
    let mut said = HashSet::new();
    let mut kept = Vec::new();
    for run in lines.chunk_by(|one, next| is_comment(one) == is_comment(next)) {
        let is_of_comments = run.first().is_some_and(|line| is_comment(line));
        let text: Vec<&str> = run.iter().map(|line| line.trim_start()).collect();
        if !is_of_comments || said.insert(text.join("\n")) {
            kept.extend(run.iter().cloned());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_not_looked_at_again() {
        let template = Template::new("a: {$one, $two} $other\n  $three\n  $four\nb: $three\n")
            .text("one", "$two")
            .word("two", 2)
            .lines(
                "three",
                vec!["- $one".to_owned(), String::new(), "- x".to_owned()],
            )
            .lines("four", vec![]);
        let expected = [
            "a: {\"$two\", 2} $other",
            "  - $one",
            "",
            "  - x",
            "b: $three",
        ];
        assert_eq!(template.fill(), expected);
        let lines = template.fill();
        assert_eq!(insert(&lines[1..2], "one", &["y".to_owned()]), "  - $one\n");
        assert_eq!(
            insert(&["  $one".to_owned()], "one", &["y".to_owned()]),
            "  y\n"
        );
    }

    #[test]
    fn a_comment_is_said_once() {
        let lines = [
            "# a", "# b", "x: 1", "  # a", "  # b", "  y: 2", "# a", "z: 3",
        ];
        let kept = once(lines.map(str::to_owned).to_vec());
        assert_eq!(kept, ["# a", "# b", "x: 1", "  y: 2", "# a", "z: 3"]);
    }
}
