//! Reads a target's `parameters`, which change fields of the body, and refuses contradictory changes.

use super::fields;
use super::reader::{Fields, Node};
use super::tree::Tree;
use crate::request::{Bound, Clamp, ParameterChanges, is_one_field};

/// Fields that a document must not change: those that routes read, and those that carry the prompt.
const CORE: [(&str, &[&str]); 3] = [
    (
        "the target's `model` sets the model, and the route's `match` can match `stream`",
        &["model", "stream"],
    ),
    (
        "it contains the prompt, which the router never changes",
        &[
            "messages",
            "input",
            "inputs",
            "prompt",
            "contents",
            "content",
            "requests",
            "system",
            "systemInstruction",
            "instructions",
        ],
    ),
    (
        "it refers to state that one provider has stored, which decides where the request goes",
        &[
            "previous_response_id",
            "conversation",
            "container",
            "cachedContent",
        ],
    ),
];

/// How many fields a target may change. The difference from the first target's body travels with every request.
const MAX_CHANGES: usize = 64;

/// How deeply a field may be nested.
const MAX_PARTS: usize = 8;

/// A kind of change, in the order in which changes are applied.
#[derive(Clone, Copy, PartialEq)]
enum ChangeKind {
    RenamedFrom,
    RenamedTo,
    Remove,
    Set,
    Default,
    Clamp,
}

impl ChangeKind {
    fn name(self) -> &'static str {
        match self {
            ChangeKind::RenamedFrom | ChangeKind::RenamedTo => "rename",
            ChangeKind::Remove => "remove",
            ChangeKind::Set => "set",
            ChangeKind::Default => "default",
            ChangeKind::Clamp => "clamp",
        }
    }

    /// Whether one field may have both changes, this one first.
    fn goes_with(self, later: ChangeKind) -> bool {
        matches!(
            (self, later),
            (
                ChangeKind::RenamedTo,
                ChangeKind::Default | ChangeKind::Clamp
            ) | (ChangeKind::Default, ChangeKind::Clamp)
        )
    }
}

/// Reads the changes of one target.
pub(super) fn read(node: &Node<'_>) -> ParameterChanges {
    let fields = node.fields(fields::PARAMETERS);
    if is_empty_map(node) {
        node.error("must not be empty: add a change, or remove the field");
    }
    let mut reader = ParametersReader::default();
    for (name, read) in [
        (
            "rename",
            ParametersReader::rename as fn(&mut ParametersReader, &Node<'_>),
        ),
        ("remove", ParametersReader::remove),
        ("set", ParametersReader::set),
        ("default", ParametersReader::default_to),
        ("clamp", ParametersReader::clamp),
    ] {
        if let Some(node) = fields.optional(name) {
            read(&mut reader, node);
        }
    }
    if reader.known.len() > MAX_CHANGES {
        node.error(format!("changes more than {MAX_CHANGES} fields"));
    }
    reader.check_defaults(&fields);
    reader.changes
}

#[derive(Default)]
struct ParametersReader {
    /// The fields read so far, with their changes.
    known: Vec<(String, ChangeKind)>,
    defaults: Vec<(String, f64)>,
    clamps: Vec<(String, Clamp)>,
    changes: ParameterChanges,
}

impl ParametersReader {
    /// Records a change of a field. Returns `None` if the change is not possible; the error has then been reported.
    fn note<'a>(&mut self, node: &Node<'_>, path: &'a str, change: ChangeKind) -> Option<&'a str> {
        check_name(node, path)?;
        for (known, earlier) in &self.known {
            if let Some((one, other)) = spelled_twice(known, path) {
                node.error(format!(
                    "\"{one}\" and \"{other}\" are two spellings of the same field: use one of them everywhere"
                ));
                return None;
            }
            match relation(known, path) {
                PathRelation::None => continue,
                PathRelation::Same if earlier.goes_with(change) => continue,
                PathRelation::Same => node.error(format!(
                    "\"{known}\" is also under `{}`, which contradicts `{}`: remove one of the two",
                    earlier.name(),
                    change.name(),
                )),
                PathRelation::Inside => node.error(format!(
                    "\"{known}\" (under `{}`) and \"{path}\" overlap, because one contains the other: change either \
                     the whole object or fields in it",
                    earlier.name(),
                )),
            }
            return None;
        }
        self.known.push((path.to_owned(), change));
        Some(path)
    }

    fn rename(&mut self, node: &Node<'_>) {
        for (old, node) in node.entries() {
            let Some(new) = node.name() else { continue };
            let parent = |path: &str| path.rsplit_once('.').map(|(parent, _)| parent.to_owned());
            if relation(old, new) == PathRelation::Same {
                node.error(format!(
                    "renames \"{old}\" to itself, which is not needed: other changes find a field in any spelling, \
                     and give it the name that they use. Remove it"
                ));
            } else if parent(old) != parent(new) {
                node.error(format!(
                    "\"{old}\" and \"{new}\" are not in the same object: a field can be renamed, but not moved"
                ));
            } else if self.note(&node, old, ChangeKind::RenamedFrom).is_some()
                && self.note(&node, new, ChangeKind::RenamedTo).is_some()
            {
                let name = new.rsplit('.').next().unwrap_or(new);
                self.changes.rename(old, name);
            }
        }
    }

    fn remove(&mut self, node: &Node<'_>) {
        for node in node.non_empty_list() {
            let path = node.name();
            if let Some(path) = path.and_then(|path| self.note(&node, path, ChangeKind::Remove)) {
                self.changes.remove(path);
            }
        }
    }

    fn set(&mut self, node: &Node<'_>) {
        for (path, node) in node.entries() {
            if self.note(&node, path, ChangeKind::Set).is_some()
                && let Some(value) = read_value(&node)
            {
                self.changes.set(path, value);
            }
        }
    }

    fn default_to(&mut self, node: &Node<'_>) {
        for (path, node) in node.entries() {
            if matches!(node.tree(), Tree::Null) {
                node.error("null counts as absent and cannot be a default: give it a value");
            }
            if self.note(&node, path, ChangeKind::Default).is_some()
                && let Some(value) = read_value(&node)
            {
                if let Tree::Number(number) = node.tree() {
                    self.defaults.push((path.to_owned(), *number));
                }
                self.changes.default_to(path, value);
            }
        }
    }

    fn clamp(&mut self, node: &Node<'_>) {
        for (path, node) in node.entries() {
            let clamp = read_clamp(&node);
            if self.note(&node, path, ChangeKind::Clamp).is_some()
                && let Some(clamp) = clamp
            {
                self.clamps.push((path.to_owned(), clamp.clone()));
                self.changes.clamp(path, clamp);
            }
        }
    }

    /// Refuses a default that is outside of the field's own `clamp` bounds.
    fn check_defaults(&self, fields: &Fields<'_>) {
        for (path, number) in &self.defaults {
            let mut clamps = self.clamps.iter();
            let clamp = clamps.find(|(known, _)| relation(known, path) == PathRelation::Same);
            let is_out = clamp.is_some_and(|(_, clamp)| {
                let below = clamp.min.as_ref().is_some_and(|min| *number < min.number);
                let above = clamp.max.as_ref().is_some_and(|max| *number > max.number);
                below || above
            });
            if is_out {
                fields.error(format!(
                    "the default of \"{path}\" is outside its bounds under `clamp`: change one of the two"
                ));
            }
        }
    }
}

/// How two field paths relate to each other.
#[derive(PartialEq)]
enum PathRelation {
    None,
    Same,
    /// One field contains the other.
    Inside,
}

fn relation(one: &str, other: &str) -> PathRelation {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        return match (one.next(), other.next()) {
            (None, None) => PathRelation::Same,
            (Some(one), Some(other)) if is_one_field(one.as_bytes(), other.as_bytes()) => continue,
            (Some(_), Some(_)) => PathRelation::None,
            _ => PathRelation::Inside,
        };
    }
}

/// Returns the two spellings of a name, if both paths mean the same field up to there but spell it differently.
fn spelled_twice<'a>(one: &'a str, other: &'a str) -> Option<(&'a str, &'a str)> {
    let parts = one.split('.').zip(other.split('.'));
    let mut alike = parts.take_while(|(one, other)| is_one_field(one.as_bytes(), other.as_bytes()));
    alike.find(|(one, other)| one != other)
}

/// Refuses an invalid field name, and fields that must not be changed.
fn check_name(node: &Node<'_>, path: &str) -> Option<()> {
    let is_letter = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    let is_name = |part: &str| !part.is_empty() && part.bytes().all(is_letter);
    if path.split('.').count() > MAX_PARTS || !path.split('.').all(is_name) {
        node.error(format!(
            "\"{path}\" is not a valid field name: use printable ASCII without spaces, quotes and backslashes, and for a \
             field inside objects up to {MAX_PARTS} names separated by dots"
        ));
        return None;
    }
    let top = path.split('.').next().unwrap_or_default();
    for (why, names) in CORE {
        let mut names = names.iter();
        if names.any(|name| is_one_field(name.as_bytes(), top.as_bytes())) {
            node.error(format!("\"{top}\" cannot be changed here: {why}"));
            return None;
        }
    }
    Some(())
}

/// Returns a value as JSON text for the body.
fn read_value(node: &Node<'_>) -> Option<Vec<u8>> {
    check_value(node)?;
    Some(written(node.tree()))
}

fn written(tree: &Tree) -> Vec<u8> {
    tree.in_body().to_string().into_bytes()
}

fn check_value(node: &Node<'_>) -> Option<()> {
    match node.tree() {
        Tree::Number(number) if !number.is_finite() => {
            node.error("must be a number that JSON can express");
            None
        }
        Tree::List(_) => node.list().iter().try_for_each(check_value),
        // `entries` reports names that occur twice.
        Tree::Map(_) => {
            let entries = node.entries();
            entries.iter().try_for_each(|(_, node)| check_value(node))
        }
        _ => Some(()),
    }
}

/// Whether this is a map without entries.
fn is_empty_map(node: &Node<'_>) -> bool {
    matches!(node.tree(), Tree::Map(entries) if entries.is_empty())
}

fn read_clamp(node: &Node<'_>) -> Option<Clamp> {
    let fields = node.fields(fields::CLAMP);
    if is_empty_map(node) {
        node.error("must be {min: …, max: …} with at least one of the two");
    }
    let bound = |name| match fields.optional(name) {
        None => Some(None),
        Some(node) => read_bound(node).map(Some),
    };
    let (min, max) = (bound("min")?, bound("max")?);
    if let (Some(min), Some(max)) = (&min, &max)
        && min.number > max.number
    {
        fields.error("min is greater than max: swap them");
        return None;
    }
    Some(Clamp { min, max })
}

fn read_bound(node: &Node<'_>) -> Option<Bound> {
    let number = node.number()?;
    let written = written(&Tree::Number(number));
    Some(Bound { number, written })
}

#[cfg(test)]
#[path = "parameters_tests.rs"]
mod tests;
