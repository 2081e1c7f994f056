//! Loads a YAML or JSON file into a tree whose values know their places in the file.

mod error_site;
mod loader;
mod messages;
mod scalar;

use granit_parser::Marker;

pub(super) use self::loader::load as parse;
use self::scalar::Scalar;
use crate::config::Tree;

/// A line and a column, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Position {
    fn of(marker: &Marker) -> Position {
        Position {
            line: marker.line().max(1),
            column: marker.col().saturating_add(1),
        }
    }
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct LocatedNode {
    pub(super) place: Position,
    pub(super) kind: NodeKind,
}

#[derive(Clone, Debug)]
pub(super) enum NodeKind {
    /// A value that is neither a list nor a map.
    Scalar(Scalar),
    List(Vec<LocatedNode>),
    Map(Vec<Entry>),
}

/// A name, its place, and its value.
type Entry = (String, Position, LocatedNode);

/// Why a file cannot be parsed as YAML or JSON, or is not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SourceError {
    pub(super) place: Position,
    pub(super) message: String,
}

impl LocatedNode {
    /// Creates a null value.
    pub(super) const fn null(place: Position) -> LocatedNode {
        let kind = NodeKind::Scalar(Scalar::NULL);
        LocatedNode { place, kind }
    }

    /// Returns the plain value, as Envoy reads it.
    pub(super) fn tree(&self) -> Tree {
        self.tree_of(&|scalar| scalar.tree.clone())
    }

    /// Returns the plain value, as it is in JSON that was converted from the YAML.
    pub(super) fn tree_in_json(&self) -> Tree {
        self.tree_of(&Scalar::in_json)
    }

    fn tree_of(&self, scalar: &impl Fn(&Scalar) -> Tree) -> Tree {
        match &self.kind {
            NodeKind::Scalar(one) => scalar(one),
            NodeKind::List(items) => {
                Tree::List(items.iter().map(|item| item.tree_of(scalar)).collect())
            }
            NodeKind::Map(entries) => {
                let entries = entries.iter();
                let entries = entries.map(|(name, _, value)| (name.clone(), value.tree_of(scalar)));
                Tree::Map(entries.collect())
            }
        }
    }

    /// Returns the warning about a scalar that Envoy reads differently from what it looks like.
    pub(super) fn misreading(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar(scalar) => scalar.misreading.as_deref(),
            _ => None,
        }
    }

    /// Returns the first place that is nested more than `levels` deep.
    pub(super) fn deeper_than(&self, levels: usize) -> Option<Position> {
        let Some(levels) = levels.checked_sub(1) else {
            return (!matches!(self.kind, NodeKind::Scalar(_))).then_some(self.place);
        };
        let values = self.entries().iter().map(|(_, _, value)| value);
        let mut values = values.chain(self.items());
        values.find_map(|value| value.deeper_than(levels))
    }

    /// Returns the value of a field.
    pub(super) fn get(&self, name: &str) -> Option<&LocatedNode> {
        let mut entries = self.entries().iter();
        entries
            .find(|(known, _, _)| known == name)
            .map(|(_, _, value)| value)
    }

    /// Returns the value at a path of field names.
    pub(super) fn at(&self, names: &[&str]) -> Option<&LocatedNode> {
        names.iter().try_fold(self, |node, name| node.get(name))
    }

    pub(super) fn entries(&self) -> &[Entry] {
        match &self.kind {
            NodeKind::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn items(&self) -> &[LocatedNode] {
        match &self.kind {
            NodeKind::List(items) => items,
            _ => &[],
        }
    }

    /// Whether it is a map.
    pub(super) fn is_map(&self) -> bool {
        matches!(self.kind, NodeKind::Map(_))
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar(Scalar {
                tree: Tree::Text(text),
                ..
            }) => Some(text),
            _ => None,
        }
    }

    /// Returns a whole number that is text to Envoy because of its size, as it is written.
    pub(super) fn wide_number(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar(scalar) => scalar.wide_number(),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match &self.kind {
            NodeKind::Scalar(scalar) => scalar.tree.number(),
            _ => None,
        }
    }

    pub(super) fn is_true(&self) -> bool {
        matches!(&self.kind, NodeKind::Scalar(scalar) if scalar.tree == Tree::Bool(true))
    }

    /// Visits all values in it with their paths, starting with itself.
    pub(super) fn walk<'a>(&'a self, path: &str, visit: &mut impl FnMut(&str, &'a LocatedNode)) {
        visit(path, self);
        for (name, _, value) in self.entries() {
            let dot = if path.is_empty() { "" } else { "." };
            value.walk(&format!("{path}{dot}{name}"), visit);
        }
        for (index, item) in self.items().iter().enumerate() {
            item.walk(&format!("{path}[{index}]"), visit);
        }
    }

    /// Returns the place that an error's path names, such as `routes[3].targets[0]`, or the nearest one that exists.
    pub(super) fn find(&self, path: &str, wants_name: bool) -> Position {
        self.find_from(path, self.place, wants_name)
    }

    /// `name` is the place of this value's name, which stands for maps and lists.
    fn find_from(&self, path: &str, name: Position, wants_name: bool) -> Position {
        let path = path.strip_prefix('.').unwrap_or(path);
        if path.is_empty() {
            let is_scalar = matches!(self.kind, NodeKind::Scalar(_));
            return if is_scalar && !wants_name {
                self.place
            } else {
                name
            };
        }
        if let Some((index, rest)) = index(path) {
            return match self.items().get(index) {
                Some(item) => item.find_from(rest, item.place, wants_name),
                None => name,
            };
        }
        // Names may contain dots: take the longest that fits.
        let entries = self.entries().iter();
        let fitting = entries.filter_map(|(known, place, value)| {
            let rest = path.strip_prefix(known.as_str())?;
            let ends = rest.is_empty() || rest.starts_with(['.', '[']);
            ends.then_some((known.len(), rest, *place, value))
        });
        match fitting.max_by_key(|(length, ..)| *length) {
            Some((_, rest, place, value)) => value.find_from(rest, place, wants_name),
            None => name,
        }
    }

    /// Merges what `<<` refers to into the maps, as all readers but Envoy do.
    pub(super) fn merged(self) -> LocatedNode {
        let kind = match self.kind {
            NodeKind::Map(entries) => NodeKind::Map(merged(entries)),
            NodeKind::List(items) => {
                NodeKind::List(items.into_iter().map(LocatedNode::merged).collect())
            }
            scalar => scalar,
        };
        LocatedNode { kind, ..self }
    }

    /// Changes every place.
    pub(super) fn map_places(mut self, change: &impl Fn(Position) -> Position) -> LocatedNode {
        self.place = change(self.place);
        self.kind = match self.kind {
            NodeKind::Scalar(scalar) => NodeKind::Scalar(scalar),
            NodeKind::List(items) => NodeKind::List(
                items
                    .into_iter()
                    .map(|item| item.map_places(change))
                    .collect(),
            ),
            NodeKind::Map(entries) => NodeKind::Map(
                entries
                    .into_iter()
                    .map(|(name, place, value)| (name, change(place), value.map_places(change)))
                    .collect(),
            ),
        };
        self
    }
}

/// Returns the entries of a map with those of the maps merged into it; its own take precedence.
fn merged(entries: Vec<Entry>) -> Vec<Entry> {
    let (merging, own): (Vec<_>, Vec<_>) = entries
        .into_iter()
        .map(|(name, place, value)| (name, place, value.merged()))
        .partition(|(name, _, value)| {
            let mut items = value.items().iter();
            let is_list = matches!(value.kind, NodeKind::List(_)) && items.all(LocatedNode::is_map);
            name == "<<" && (value.is_map() || is_list)
        });
    let mut all = own;
    for (_, _, value) in merging {
        let maps = match value.kind {
            NodeKind::List(maps) => maps,
            _ => vec![value],
        };
        for entry in maps.iter().flat_map(LocatedNode::entries) {
            if !all.iter().any(|(name, ..)| *name == entry.0) {
                all.push(entry.clone());
            }
        }
    }
    all
}

/// Splits `[3].rest` into the number and the rest.
fn index(path: &str) -> Option<(usize, &str)> {
    let (number, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod messages_tests;

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
a: &one
  - x: 1
    y.z: [p, q]
  - {x: 'two'}
b: *one
# é in front
c: {é: true, d: null}
---
e: 5
";

    fn place(line: usize, column: usize) -> Position {
        Position { line, column }
    }

    #[test]
    fn values_know_where_they_stand() {
        let documents = parse(TEXT).unwrap();
        assert_eq!(documents.len(), 2);
        let first = &documents[0];
        for (path, name, expected) in [
            ("", false, place(1, 1)),
            ("a", false, place(1, 1)),
            ("a[0].x", false, place(2, 8)),
            ("a[0].x", true, place(2, 5)),
            ("a[0].y.z", false, place(3, 5)),
            ("a[0].y.z[1]", false, place(3, 14)),
            ("a[1].x", false, place(4, 9)),
            ("a[1]", false, place(4, 5)),
            ("a[1].nothing.here", false, place(4, 5)),
            ("a[7]", false, place(1, 1)),
            ("c.d", false, place(7, 17)),
        ] {
            assert_eq!(first.find(path, name), expected, "{path} {name}");
        }
        assert_eq!(documents[1].find("e", false), place(9, 4));
        let tree: Tree = serde_saphyr::from_str("{é: true, d: null}").unwrap();
        assert_eq!(first.get("c").unwrap().tree(), tree);
        assert_eq!(
            first.get("b").unwrap().tree(),
            first.get("a").unwrap().tree()
        );
    }
}
