//! Reads text with `serde_json`, as a second opinion.

use llm_router::config::Tree;

/// The result of the other reader.
pub enum ParsedJson {
    /// The text is JSON; objects have all of their fields, in order.
    Valid(Tree),
    /// The reader gave up because of a limit that is not part of the grammar.
    LimitReached,
    /// The text is not JSON.
    Invalid,
}

pub fn read(text: &[u8]) -> ParsedJson {
    match serde_json::from_slice(text) {
        Ok(tree) => ParsedJson::Valid(tree),
        Err(error) => {
            let why = error.to_string();
            // Half of a surrogate pair, a number that does not fit into an `f64`, 128 levels.
            let limits = ["surrogate", "hex escape", "out of range", "recursion limit"];
            if limits.iter().any(|limit| why.contains(limit)) {
                ParsedJson::LimitReached
            } else {
                ParsedJson::Invalid
            }
        }
    }
}

/// Writes the tree as JSON without white space.
pub fn write(tree: &Tree, out: &mut String) {
    match tree {
        Tree::Null => out.push_str("null"),
        Tree::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Tree::Number(value) => out.push_str(&quoted(value)),
        Tree::Text(text) => out.push_str(&quoted(text)),
        Tree::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                write(item, out);
            }
            out.push(']');
        }
        Tree::Map(entries) => {
            out.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                out.push_str(&quoted(key));
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

fn quoted<T: Into<serde_json::Value> + Clone>(value: &T) -> String {
    value.clone().into().to_string()
}

/// Returns the values under a name in an object.
pub fn values<'t>(tree: &'t Tree, name: &str) -> Vec<&'t Tree> {
    match tree {
        Tree::Map(entries) => entries
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value)
            .collect(),
        _ => Vec::new(),
    }
}

/// Counts the keys of an object that a case-insensitive reader takes for this name.
pub fn count_alike(tree: &Tree, name: &str) -> usize {
    let fold = |key: &str| key.to_lowercase().replace('ſ', "s");
    match tree {
        Tree::Map(entries) => entries.iter().filter(|(key, _)| fold(key) == name).count(),
        _ => 0,
    }
}
