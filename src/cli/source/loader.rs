//! Builds the tree of a file from the parser's events.

use std::cell::OnceCell;
use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::scalar::{RawScalar, Scalar, quoted};
use super::{LocatedNode, NodeKind, Position, SourceError, messages};

/// The maximum number of values in a file; aliases count each time.
const MAX_VALUES: usize = 1_000_000;

/// Loads the documents of a file, or returns all errors up to the point where the parser gives up.
pub(in crate::cli) fn load(text: &str) -> Result<Vec<LocatedNode>, Vec<SourceError>> {
    let options = granit_parser::options! { emit_unresolved_aliases: true };
    let mut loader = Loader {
        text,
        documents: Vec::new(),
        open: Vec::new(),
        anchors: HashMap::new(),
        values: 0,
        errors: messages::lone_return(text).into_iter().collect(),
        is_json: OnceCell::new(),
    };
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => loader.event(event, span),
            Err(error) => {
                let error = messages::of(&error, text);
                // Report only one error for each line: a second is often a consequence of the first.
                let mut known = loader.errors.iter();
                if !known.any(|known| known.place.line == error.place.line) {
                    loader.errors.push(error);
                }
                break;
            }
        }
        if loader.values > MAX_VALUES {
            break;
        }
    }
    if loader.errors.is_empty() {
        Ok(loader.documents)
    } else {
        Err(loader.errors)
    }
}

struct Loader<'a> {
    text: &'a str,
    documents: Vec<LocatedNode>,
    /// The lists and maps that are not closed yet, the innermost last.
    open: Vec<OpenNode>,
    /// The values of anchors, each with the number of values in it. `None`: it is not closed yet.
    anchors: HashMap<usize, Option<(LocatedNode, usize)>>,
    values: usize,
    errors: Vec<SourceError>,
    /// Whether the file is JSON, and is read as such; if somebody has asked.
    is_json: OnceCell<bool>,
}

/// A list or a map that is not closed yet.
struct OpenNode {
    place: Position,
    anchor: usize,
    /// How many values precede it.
    before: usize,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<LocatedNode>),
    Map {
        entries: Vec<(String, Position, LocatedNode)>,
        /// A name whose value has not been read yet.
        name: Option<PendingName>,
    },
}

struct PendingName {
    text: String,
    place: Position,
    /// Whether Envoy leaves the entry out.
    is_ignored: bool,
}

impl Loader<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) {
        let place = Position::of(&span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(&text, style, anchor, tag.as_deref(), span);
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open(place, anchor, OpenKind::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, _) => {
                let of = OpenKind::Map {
                    entries: Vec::new(),
                    name: None,
                };
                self.open(place, anchor, of);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, place),
            Event::UnresolvedAlias(_) => {
                self.errors.push(messages::unknown_alias(self.text, place));
                self.add(LocatedNode::null(place), None);
            }
            _ => {}
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) {
        let is_nothing = style == ScalarStyle::Plain && span.is_empty();
        let tag = tag.map(shown);
        let written = RawScalar {
            text: if is_nothing { "" } else { text },
            is_plain: style == ScalarStyle::Plain,
            tag: tag.clone(),
        };
        let mut place = Position::of(&span.start);
        if is_nothing && (anchor > 0 || tag.is_some()) {
            // The anchor or tag is before this place.
            let error = messages::empty_property(self.text, place);
            place = error.place;
            self.errors.push(error);
        }
        if style == ScalarStyle::DoubleQuoted {
            let text = self.text;
            let is_json = || *self.is_json.get_or_init(|| is_json(text));
            self.errors
                .extend(messages::surrogates(text, &span, is_json));
        }
        self.values = self.values.saturating_add(1);
        let located = LocatedNode {
            place,
            kind: NodeKind::Scalar(Scalar::read(&written)),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, Some((located.clone(), 1)));
        }
        let name = PendingName {
            text: if written.text.is_empty() && is_nothing || written.is_plain && text == "~" {
                "null".to_owned()
            } else {
                text.to_owned()
            },
            place,
            is_ignored: tag.as_deref() == Some("!ignore"),
        };
        self.add(located, Some(name));
    }

    fn open(&mut self, place: Position, anchor: usize, kind: OpenKind) {
        let before = self.values;
        self.values = self.values.saturating_add(1);
        if anchor > 0 {
            self.anchors.insert(anchor, None);
        }
        self.open.push(OpenNode {
            place,
            anchor,
            before,
            kind,
        });
    }

    fn close(&mut self) {
        let Some(open) = self.open.pop() else { return };
        let kind = match open.kind {
            OpenKind::List(items) => NodeKind::List(items),
            OpenKind::Map { entries, .. } => NodeKind::Map(entries),
        };
        let located = LocatedNode {
            place: open.place,
            kind,
        };
        if open.anchor > 0 {
            let size = self.values.saturating_sub(open.before);
            self.anchors
                .insert(open.anchor, Some((located.clone(), size)));
        }
        self.add(located, None);
    }

    fn alias(&mut self, anchor: usize, place: Position) {
        match self.anchors.get(&anchor) {
            Some(Some((located, size))) => {
                self.values = self.values.saturating_add(*size);
                if self.values > MAX_VALUES {
                    let message = format!(
                        "the aliases expand this file to more than {MAX_VALUES} values: write the values out"
                    );
                    return self.errors.push(SourceError { place, message });
                }
                let located = LocatedNode {
                    place,
                    kind: located.kind.clone(),
                };
                let name = match &located.kind {
                    NodeKind::Scalar(scalar) => scalar.name().map(|text| PendingName {
                        text,
                        place,
                        is_ignored: false,
                    }),
                    _ => None,
                };
                self.add(located, name);
            }
            _ => {
                let message = "this alias is inside the value that it refers to and would never end: write the value \
                               out"
                    .to_owned();
                self.errors.push(SourceError { place, message });
                self.add(LocatedNode::null(place), None);
            }
        }
    }

    /// Adds a value to the innermost open list or map. `as_name` is the value as a field name, if it can be one.
    fn add(&mut self, located: LocatedNode, as_name: Option<PendingName>) {
        let Some(open) = self.open.last_mut() else {
            return self.documents.push(located);
        };
        match &mut open.kind {
            OpenKind::List(items) => items.push(located),
            OpenKind::Map { entries, name } => match name.take() {
                Some(name) if name.is_ignored => {}
                Some(name) => {
                    let mut known = entries.iter();
                    if let Some((_, first, _)) = known.find(|(known, ..)| *known == name.text) {
                        self.errors.push(twice(&name, *first));
                    }
                    entries.push((name.text, name.place, located));
                }
                None => {
                    let is_name = as_name.is_some();
                    *name = Some(as_name.unwrap_or(PendingName {
                        text: String::new(),
                        place: located.place,
                        is_ignored: true,
                    }));
                    if !is_name {
                        self.errors
                            .push(messages::no_name(self.text, located.place));
                    }
                }
            },
        }
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn shown(tag: &Tag) -> String {
    format!("{}{}", tag.original_handle(), tag.suffix())
}

fn twice(name: &PendingName, first: Position) -> SourceError {
    SourceError {
        place: name.place,
        message: format!(
            "{} is given twice, first in line {}: remove one of them (Envoy would silently use the last one)",
            quoted(&name.text),
            first.line
        ),
    }
}
