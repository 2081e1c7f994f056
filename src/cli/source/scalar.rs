//! Reads scalars the way Envoy does. Its YAML differs from YAML 1.2: `no` is false, `010` is 8, and only whole numbers
//! of 32 bits stay numbers; all others become text.

use crate::config::Tree;

/// A scalar as it is written.
#[derive(Clone, Debug)]
pub(super) struct RawScalar<'a> {
    pub(super) text: &'a str,
    /// Whether it is neither quoted nor in a block.
    pub(super) is_plain: bool,
    /// Its tag, such as `!!str`. Envoy ignores it, except that quotes have no effect next to it.
    pub(super) tag: Option<String>,
}

/// A scalar as Envoy hands it to the filter.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Scalar {
    pub(in crate::cli) tree: Tree,
    /// The number that other readers see, if Envoy reads it as text.
    number: Option<f64>,
    /// The warning, if other readers see something else.
    pub(in crate::cli) misreading: Option<String>,
}

impl Scalar {
    pub(in crate::cli) const NULL: Scalar = Scalar {
        tree: Tree::Null,
        number: None,
        misreading: None,
    };

    pub(super) fn read(written: &RawScalar<'_>) -> Scalar {
        let tree = read(written);
        let number = match &tree {
            Tree::Text(text) if written.is_plain && looks_like_a_number(text) => {
                text.parse().ok().filter(|number: &f64| number.is_finite())
            }
            _ => None,
        };
        let misreading = misreading(written, &tree);
        Scalar {
            tree,
            number,
            misreading,
        }
    }

    /// Returns the scalar as a field name, if it can be one.
    pub(super) fn name(&self) -> Option<String> {
        match &self.tree {
            Tree::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// Returns a whole number that is text only because of its size.
    pub(super) fn wide_number(&self) -> Option<&str> {
        match &self.tree {
            Tree::Text(text) if self.number.is_some() => {
                self.tree.wide_number().map(|_| text.as_str())
            }
            _ => None,
        }
    }

    /// Returns the value as it is in JSON converted from the YAML, which is what Istio hands over.
    pub(super) fn in_json(&self) -> Tree {
        match self.number {
            Some(number) => Tree::Number(number),
            None => self.tree.clone(),
        }
    }
}

/// Words that are booleans, each in lower case, in upper case, and with a capital.
const TRUE: [&str; 4] = ["true", "yes", "on", "y"];
const FALSE: [&str; 4] = ["false", "no", "off", "n"];

fn read(written: &RawScalar<'_>) -> Tree {
    let text = written.text;
    match &written.tag {
        None if !written.is_plain => return Tree::Text(text.to_owned()),
        None if matches!(text, "" | "~" | "null" | "Null" | "NULL") => return Tree::Null,
        // The tag `!` says that it is text, and Envoy follows it.
        Some(tag) if tag == "!" => return Tree::Text(text.to_owned()),
        _ => {}
    }
    if let Some(value) = boolean(text) {
        return Tree::Bool(value);
    }
    match integer(text) {
        Some(value) => match i32::try_from(value) {
            Ok(value) => Tree::Number(value.into()),
            Err(_) => Tree::Text(value.to_string()),
        },
        None => Tree::Text(text.to_owned()),
    }
}

fn boolean(text: &str) -> Option<bool> {
    let mut chars = text.chars();
    let first = chars.next()?;
    let rest = chars.as_str();
    let is_lower = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_upper = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_flexible =
        is_lower(text) || first.is_ascii_uppercase() && (is_lower(rest) || is_upper(rest));
    if !is_flexible {
        return None;
    }
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    match (is(&TRUE), is(&FALSE)) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// Parses a whole number of 64 bits: decimal, octal behind a `0`, or hexadecimal behind `0x`.
fn integer(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", text.get(1..)?),
        b'+' => ("", text.get(1..)?),
        _ => ("", text),
    };
    let hexadecimal = ["0x", "0X"]
        .iter()
        .find_map(|with| digits.strip_prefix(with));
    let (digits, radix) = match (hexadecimal, digits.strip_prefix('0')) {
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) if !digits.is_empty() => (digits, 8),
        _ => (digits, 10),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_number
        .then(|| i64::from_str_radix(&format!("{sign}{digits}"), radix).ok())
        .flatten()
}

/// Whether other readers take this text for a number.
fn looks_like_a_number(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    text.bytes().all(is_plain) && text.parse::<f64>().is_ok()
}

/// Returns the warning about a scalar that Envoy reads differently from what it looks like.
fn misreading(written: &RawScalar<'_>, tree: &Tree) -> Option<String> {
    let text = written.text;
    let in_quotes = quoted(text);
    let is_text = matches!(tree, Tree::Text(_));
    let reads = match tree {
        Tree::Text(text) => format!("the text {}", quoted(text)),
        other => serde_json::Value::from(other).to_string(),
    };
    if let Some(tag) = written.tag.as_ref().filter(|tag| *tag != "!") {
        return Some(format!(
            "Envoy ignores the tag `{tag}` and reads this as {reads}: remove the tag{}",
            if is_text {
                String::new()
            } else {
                format!(", and if you mean text, write {in_quotes}")
            }
        ));
    }
    if !written.is_plain || written.tag.is_some() {
        return None;
    }
    let instead = match tree {
        Tree::Bool(_) if !text.eq_ignore_ascii_case(&reads) => reads.clone(),
        // Other readers see a decimal number.
        Tree::Number(_) if has_leading_zero(text) => reads.clone(),
        Tree::Text(_) => number_in_other_words(text)?,
        _ => return None,
    };
    Some(format!(
        "Envoy reads `{text}` as {reads}: write {instead} if you mean that, or quote it: {in_quotes}"
    ))
}

fn has_leading_zero(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    digits.len() > 1 && digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.starts_with('0')
}

/// Returns the number that may have been meant by what Envoy reads as text, in a notation that Envoy reads as that
/// number.
fn number_in_other_words(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let plain = digits.replace('_', "");
    let radix = |with: [&str; 2], radix| {
        let digits = with.iter().find_map(|with| plain.strip_prefix(with))?;
        i64::from_str_radix(digits, radix).ok()
    };
    let number = radix(["0o", "0O"], 8)
        .or_else(|| radix(["0b", "0B"], 2))
        .or_else(|| radix(["0x", "0X"], 16));
    let begins = digits.starts_with(|char: char| char.is_ascii_digit());
    let is_decimal = begins && plain.bytes().all(|byte| byte.is_ascii_digit());
    let is_odd = is_decimal && (plain.len() != digits.len() || has_leading_zero(digits));
    let number = number.or_else(|| plain.parse().ok().filter(|_| is_odd))?;
    Some(format!("{sign}{number}"))
}

/// Quotes a text.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |char: char| char != '\'' && !char.is_control();
    if text.chars().all(is_plain) {
        return format!("'{text}'");
    }
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn scalar(text: &str) -> Scalar {
        Scalar::read(&RawScalar {
            text,
            is_plain: true,
            tag: None,
        })
    }

    /// The expected values are what Envoy made of these scalars; an end-to-end test compares them too.
    #[test]
    fn as_envoy_reads_them() {
        let table = include_str!("../../../tests/data/yaml/scalars.tsv");
        let mut count = 0;
        for line in table.lines() {
            count += 1;
            let (written, read) = line.split_once('\t').unwrap();
            let read: Tree = serde_json::from_str(read).unwrap();
            let documents = parse(&format!("k: {written}")).unwrap();
            assert_eq!(documents[0].get("k").unwrap().tree(), read, "{written}");
        }
        assert!(count > 70, "{count}");
        for text in ["0x-1", "--1", "+", "+-1", "-", "\u{ff11}"] {
            assert_eq!(scalar(text).tree, Tree::Text(text.into()), "{text}");
        }
    }

    #[test]
    fn tags_and_quotes() {
        for (tag, is_plain, text, expected) in [
            (None, false, "010", Tree::Text("010".into())),
            (Some("!"), true, "010", Tree::Text("010".into())),
            (Some("!!str"), true, "010", Tree::Number(8.0)),
            (Some("!!str"), false, "010", Tree::Number(8.0)),
            (Some("!!null"), true, "~", Tree::Text("~".into())),
            (Some("!x"), true, "", Tree::Text(String::new())),
        ] {
            let written = RawScalar {
                text,
                is_plain,
                tag: tag.map(str::to_owned),
            };
            let scalar = Scalar::read(&written);
            assert_eq!(scalar.tree, expected, "{written:?}");
            assert_eq!(
                scalar.misreading.is_some(),
                tag.is_some_and(|tag| tag != "!"),
                "{written:?}"
            );
        }
    }

    #[test]
    fn what_is_said_of_odd_ones() {
        for (text, expected) in [
            (
                "no",
                "Envoy reads `no` as false: write false if you mean that, or quote it: 'no'",
            ),
            (
                "010",
                "Envoy reads `010` as 8: write 8 if you mean that, or quote it: '010'",
            ),
            (
                "007",
                "Envoy reads `007` as 7: write 7 if you mean that, or quote it: '007'",
            ),
            (
                "0o10",
                "Envoy reads `0o10` as the text '0o10': write 8 if you mean that, or quote it: '0o10'",
            ),
            (
                "08",
                "Envoy reads `08` as the text '08': write 8 if you mean that, or quote it: '08'",
            ),
            (
                "1_000",
                "Envoy reads `1_000` as the text '1_000': write 1000 if you mean that, or quote it: '1_000'",
            ),
            (
                "-0b11",
                "Envoy reads `-0b11` as the text '-0b11': write -3 if you mean that, or quote it: '-0b11'",
            ),
        ] {
            assert_eq!(scalar(text).misreading.as_deref(), Some(expected));
        }
        for text in [
            "true", "FALSE", "0", "-0", "7", "+7", "0x10", "1e3", "0.5", "1:30", "~", "gpt", "_",
            "0x", "x_1",
        ] {
            assert_eq!(scalar(text).misreading, None, "{text}");
        }
    }

    #[test]
    fn in_json_numbers_are_numbers() {
        for (text, expected) in [
            ("0.5", Tree::Number(0.5)),
            ("1e3", Tree::Number(1000.0)),
            ("3000000000", Tree::Number(3e9)),
            ("1.2.3", Tree::Text("1.2.3".into())),
            ("1e999", Tree::Text("1e999".into())),
            ("7", Tree::Number(7.0)),
        ] {
            assert_eq!(scalar(text).in_json(), expected, "{text}");
        }
    }
}
