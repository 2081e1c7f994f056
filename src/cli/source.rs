//! A YAML or JSON file as a tree whose every value knows where it stands.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use crate::config::Tree;

/// A line and a column, from 1 on; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    /// The beginning of a file.
    pub(super) const START: Place = Place { line: 1, column: 1 };

    fn of(location: Location) -> Place {
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).max(1);
        Place {
            line: count(location.line()),
            column: count(location.column()),
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Located {
    pub(super) place: Place,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Neither a list nor a map.
    Scalar(Tree),
    List(Vec<Located>),
    /// With the place of each name.
    Map(Vec<(String, Place, Located)>),
}

/// A file that is neither YAML nor JSON.
#[derive(Debug)]
pub(super) struct Unparsed {
    pub(super) place: Place,
    pub(super) message: String,
}

/// The documents of a YAML file, which are several where `---` stands between them.
pub(super) fn parse(text: &str) -> Result<Vec<Located>, Unparsed> {
    let parsed: Result<Vec<Spanned<Raw>>, _> = serde_saphyr::from_multiple(text);
    match parsed {
        Ok(documents) => Ok(documents.into_iter().map(located).collect()),
        Err(error) => Err(Unparsed {
            place: error.location().map_or(Place::START, Place::of),
            message: one_line(&error),
        }),
    }
}

/// The message alone: without the excerpt, which the report has of its own.
fn one_line(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.next().unwrap_or_default();
    // Its place is said before.
    let message = line.split(" at line ").next().unwrap_or_default();
    format!("no YAML: {message}")
}

impl Located {
    /// The plain value.
    pub(super) fn tree(&self) -> Tree {
        match &self.kind {
            Kind::Scalar(tree) => tree.clone(),
            Kind::List(items) => Tree::List(items.iter().map(Located::tree).collect()),
            Kind::Map(entries) => {
                let entries = entries.iter();
                Tree::Map(
                    entries
                        .map(|(name, _, value)| (name.clone(), value.tree()))
                        .collect(),
                )
            }
        }
    }

    /// The value of a field.
    pub(super) fn get(&self, name: &str) -> Option<&Located> {
        let mut entries = self.entries().iter();
        entries
            .find(|(known, _, _)| known == name)
            .map(|(_, _, value)| value)
    }

    /// The value at the end of a way of fields.
    pub(super) fn at(&self, names: &[&str]) -> Option<&Located> {
        names.iter().try_fold(self, |node, name| node.get(name))
    }

    pub(super) fn entries(&self) -> &[(String, Place, Located)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn items(&self) -> &[Located] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// Whether it is a map.
    pub(super) fn is_map(&self) -> bool {
        matches!(self.kind, Kind::Map(_))
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(Tree::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match &self.kind {
            Kind::Scalar(Tree::Number(number)) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn is_true(&self) -> bool {
        matches!(self.kind, Kind::Scalar(Tree::Bool(true)))
    }

    /// All values in it with their paths, itself first.
    pub(super) fn walk<'a>(&'a self, path: &str, visit: &mut impl FnMut(&str, &'a Located)) {
        visit(path, self);
        for (name, _, value) in self.entries() {
            let dot = if path.is_empty() { "" } else { "." };
            value.walk(&format!("{path}{dot}{name}"), visit);
        }
        for (index, item) in self.items().iter().enumerate() {
            item.walk(&format!("{path}[{index}]"), visit);
        }
    }

    /// Where that stands which an error's path names, as `routes[3].targets[0]`; the nearest that is there.
    pub(super) fn find(&self, path: &str, wants_name: bool) -> Place {
        self.find_from(path, self.place, wants_name)
    }

    /// `name`: where the name of this value stands, which is where a map or a list is known by.
    fn find_from(&self, path: &str, name: Place, wants_name: bool) -> Place {
        let path = path.strip_prefix('.').unwrap_or(path);
        if path.is_empty() {
            let is_scalar = matches!(self.kind, Kind::Scalar(_));
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
        // Names may have dots in them: the longest that fits.
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

    /// The same with every place changed.
    pub(super) fn map_places(mut self, change: &impl Fn(Place) -> Place) -> Located {
        self.place = change(self.place);
        self.kind = match self.kind {
            Kind::Scalar(tree) => Kind::Scalar(tree),
            Kind::List(items) => Kind::List(
                items
                    .into_iter()
                    .map(|item| item.map_places(change))
                    .collect(),
            ),
            Kind::Map(entries) => Kind::Map(
                entries
                    .into_iter()
                    .map(|(name, place, value)| (name, change(place), value.map_places(change)))
                    .collect(),
            ),
        };
        self
    }
}

/// The number at the beginning of `[3].rest`, and the rest.
fn index(path: &str) -> Option<(usize, &str)> {
    let (number, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((number.parse().ok()?, rest))
}

/// A value as the parser gives it.
enum Raw {
    Scalar(Tree),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn located(spanned: Spanned<Raw>) -> Located {
    let place = Place::of(spanned.referenced);
    let kind = match spanned.value {
        Raw::Scalar(tree) => Kind::Scalar(tree),
        Raw::List(items) => Kind::List(items.into_iter().map(located).collect()),
        Raw::Map(entries) => Kind::Map(
            entries
                .into_iter()
                .map(|(name, value)| (name.value, Place::of(name.referenced), located(value)))
                .collect(),
        ),
    };
    Located { place, kind }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

/// Scalars as [`Tree`] takes them.
macro_rules! scalars {
    ($($visit:ident $type:ty,)+) => {
        $(fn $visit<E: serde::de::Error>(self, value: $type) -> Result<Raw, E> {
            let deserializer = serde::de::IntoDeserializer::<E>::into_deserializer(value);
            Tree::deserialize(deserializer).map(Raw::Scalar)
        })+
    };
}

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Tree::Null))
    }

    scalars! {
        visit_bool bool,
        visit_i64 i64,
        visit_u64 u64,
        visit_f64 f64,
        visit_str &str,
        visit_string String,
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

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

    fn place(line: usize, column: usize) -> Place {
        Place { line, column }
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

    #[test]
    fn what_is_no_yaml() {
        let error = parse("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        assert!(error.place.line >= 2, "{error:?}");
        let error = parse("a: 1\na: 2\n").unwrap_err();
        assert_eq!(error.place.line, 2, "{error:?}");
        assert!(error.message.contains("duplicate"), "{error:?}");
    }
}
