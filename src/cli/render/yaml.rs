//! Writes plain values as YAML that every parser reads as the same values, whatever they contain.

use std::net::IpAddr;

use crate::config::Tree;

/// Text that some parsers read as something other than text.
const NO_TEXT: [&str; 12] = [
    "true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf", "infinity",
];

/// Writes text as a scalar on one line: unquoted where that is safe, otherwise in quotes.
pub(super) fn scalar(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    let starts = text.starts_with(|char: char| char.is_ascii_alphabetic() || "_/".contains(char));
    let is_word = starts && text.len() <= 128 && text.bytes().all(is_plain);
    let is_other = NO_TEXT.iter().any(|word| text.eq_ignore_ascii_case(word));
    let is_address = text
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_ipv4());
    if is_word && !is_other || is_address {
        return text.to_owned();
    }
    quoted(text)
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            char if may_stand(char) => out.push(char),
            // Every escaped character is in the Basic Multilingual Plane.
            char => out.push_str(&format!("\\u{:04x}", u32::from(char))),
        }
    }
    out.push('"');
    out
}

/// Whether no parser treats the character as a control character, a line end or a mark.
fn may_stand(char: char) -> bool {
    let is_line_end = matches!(char, '\u{2028}' | '\u{2029}');
    let is_mark = matches!(char, '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    !char.is_control() && !is_line_end && !is_mark
}

/// Writes text as part of a comment, which it cannot end.
pub(super) fn comment(text: &str) -> String {
    let shown = |char: char| match may_stand(char) {
        true => char,
        false => '\u{fffd}',
    };
    text.chars().map(shown).collect()
}

/// Writes a tree as the lines of a block.
pub(super) fn block(tree: &Tree) -> Vec<String> {
    match tree {
        Tree::List(items) if !items.is_empty() => items.iter().flat_map(item).collect(),
        Tree::Map(entries) if !entries.is_empty() => {
            let entries = entries.iter();
            entries
                .flat_map(|(name, value)| entry(name, value))
                .collect()
        }
        other => vec![flat(other)],
    }
}

fn item(value: &Tree) -> Vec<String> {
    let mut prefix = "- ";
    let lines = block(value).into_iter();
    let marked = lines.map(|line| format!("{}{line}", std::mem::replace(&mut prefix, "  ")));
    marked.collect()
}

fn entry(name: &str, value: &Tree) -> Vec<String> {
    let name = scalar(name);
    let lines = block(value);
    let indent = match value {
        Tree::List(items) if !items.is_empty() => "",
        Tree::Map(entries) if !entries.is_empty() => "  ",
        _ => return vec![format!("{name}: {}", lines.concat())],
    };
    let below = lines.into_iter().map(|line| format!("{indent}{line}"));
    std::iter::once(format!("{name}:")).chain(below).collect()
}

/// Writes a value that fits on one line.
fn flat(tree: &Tree) -> String {
    match tree {
        Tree::Text(text) => scalar(text),
        Tree::List(_) => "[]".to_owned(),
        Tree::Map(_) => "{}".to_owned(),
        // Envoy turns whole numbers of more than 32 bits into text; as written here, the filter reads them back as
        // numbers.
        Tree::Number(number) if number.fract() == 0.0 && number.abs() >= 2_147_483_648.0 => {
            format!("{number:.1}")
        }
        other => serde_json::Value::from(other).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_where_that_is_safe() {
        for (text, expected) in [
            ("openai", "openai"),
            ("gpt-5.5", "gpt-5.5"),
            ("/etc/ca.pem", "/etc/ca.pem"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "\"::1\""),
            ("No", "\"No\""),
            ("1e3", "\"1e3\""),
            ("0.5", "\"0.5\""),
            ("", "\"\""),
            ("a: b", "\"a: b\""),
            ("a # b", "\"a # b\""),
            ("*", "\"*\""),
            ("a\"\\\n\u{2028}é", "\"a\\\"\\\\\\u000a\\u2028é\""),
        ] {
            assert_eq!(scalar(text), expected);
        }
        assert_eq!(comment("a\nb\u{2028}é"), "a\u{fffd}b\u{fffd}é");
    }

    fn trees() -> impl Strategy<Value = Tree> {
        let text = prop_oneof![
            "[ -~]{0,12}",
            any::<String>(),
            proptest::sample::select(&NO_TEXT[..]).prop_map(str::to_owned),
        ];
        let scalar = prop_oneof![
            Just(Tree::Null),
            any::<bool>().prop_map(Tree::Bool),
            any::<i32>().prop_map(|number| Tree::Number(number.into())),
            (-1e9_f64..1e9).prop_map(Tree::Number),
            text.clone().prop_map(Tree::Text),
        ];
        scalar.prop_recursive(4, 32, 4, move |inner| {
            let entries = proptest::collection::btree_map(text.clone(), inner.clone(), 0..4);
            prop_oneof![
                proptest::collection::vec(inner, 0..4).prop_map(Tree::List),
                entries.prop_map(|entries| Tree::Map(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_block_is_read_as_what_it_was(tree in trees()) {
            let text = block(&tree).join("\n");
            let read: Tree = serde_saphyr::from_str(&text).unwrap();
            prop_assert_eq!(read, tree, "{}", text);
        }
    }
}
