//! Builds the tree of a file from the parser's events.

use std::cell::OnceCell;
use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::scalar::{Scalar, Written, quoted};
use super::{Kind, Located, Place, Unparsed, words};

/// The maximum number of values in a file; aliases count each time.
const MAX_VALUES: usize = 1_000_000;

/// Loads the documents of a file, or returns all errors up to the point where the parser gives up.
pub(in crate::cli) fn load(text: &str) -> Result<Vec<Located>, Vec<Unparsed>> {
    let options = granit_parser::options! { emit_unresolved_aliases: true };
    let mut loader = Loader {
        text,
        documents: Vec::new(),
        open: Vec::new(),
        anchors: HashMap::new(),
        values: 0,
        wrong: words::lone_return(text).into_iter().collect(),
        is_json: OnceCell::new(),
    };
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => loader.event(event, span),
            Err(error) => {
                let error = words::of(&error, text);
                // Report only one error for each line: a second is often a consequence of the first.
                let mut known = loader.wrong.iter();
                if !known.any(|known| known.place.line == error.place.line) {
                    loader.wrong.push(error);
                }
                break;
            }
        }
        if loader.values > MAX_VALUES {
            break;
        }
    }
    if loader.wrong.is_empty() {
        Ok(loader.documents)
    } else {
        Err(loader.wrong)
    }
}

struct Loader<'a> {
    text: &'a str,
    documents: Vec<Located>,
    /// The lists and maps that are not closed yet, the innermost last.
    open: Vec<Open>,
    /// The values of anchors, each with the number of values in it. `None`: it is not closed yet.
    anchors: HashMap<usize, Option<(Located, usize)>>,
    values: usize,
    wrong: Vec<Unparsed>,
    /// Whether the file is JSON, and is read as such; if somebody has asked.
    is_json: OnceCell<bool>,
}

/// A list or a map that is not closed yet.
struct Open {
    place: Place,
    anchor: usize,
    /// How many values precede it.
    before: usize,
    of: Of,
}

enum Of {
    List(Vec<Located>),
    Map {
        entries: Vec<(String, Place, Located)>,
        /// A name whose value has not been read yet.
        name: Option<Name>,
    },
}

struct Name {
    text: String,
    place: Place,
    /// Whether Envoy leaves the entry out.
    is_ignored: bool,
}

impl Loader<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) {
        let place = Place::of(&span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(&text, style, anchor, tag.as_deref(), span);
            }
            Event::SequenceStart(_, anchor, _) => self.open(place, anchor, Of::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => {
                let of = Of::Map {
                    entries: Vec::new(),
                    name: None,
                };
                self.open(place, anchor, of);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, place),
            Event::UnresolvedAlias(_) => {
                self.wrong.push(words::unknown_alias(self.text, place));
                self.add(Located::null(place), None);
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
        let written = Written {
            text: if is_nothing { "" } else { text },
            is_plain: style == ScalarStyle::Plain,
            tag: tag.clone(),
        };
        let mut place = Place::of(&span.start);
        if is_nothing && (anchor > 0 || tag.is_some()) {
            // The anchor or tag is before this place.
            let error = words::empty_property(self.text, place);
            place = error.place;
            self.wrong.push(error);
        }
        if style == ScalarStyle::DoubleQuoted {
            let text = self.text;
            let is_json = || *self.is_json.get_or_init(|| is_json(text));
            self.wrong.extend(words::surrogates(text, &span, is_json));
        }
        self.values = self.values.saturating_add(1);
        let located = Located {
            place,
            kind: Kind::Scalar(Scalar::read(&written)),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, Some((located.clone(), 1)));
        }
        let name = Name {
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

    fn open(&mut self, place: Place, anchor: usize, of: Of) {
        let before = self.values;
        self.values = self.values.saturating_add(1);
        if anchor > 0 {
            self.anchors.insert(anchor, None);
        }
        self.open.push(Open {
            place,
            anchor,
            before,
            of,
        });
    }

    fn close(&mut self) {
        let Some(open) = self.open.pop() else { return };
        let kind = match open.of {
            Of::List(items) => Kind::List(items),
            Of::Map { entries, .. } => Kind::Map(entries),
        };
        let located = Located {
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

    fn alias(&mut self, anchor: usize, place: Place) {
        match self.anchors.get(&anchor) {
            Some(Some((located, size))) => {
                self.values = self.values.saturating_add(*size);
                if self.values > MAX_VALUES {
                    let message = format!(
                        "the aliases expand this file to more than {MAX_VALUES} values: write the values out"
                    );
                    return self.wrong.push(Unparsed { place, message });
                }
                let located = Located {
                    place,
                    kind: located.kind.clone(),
                };
                let name = match &located.kind {
                    Kind::Scalar(scalar) => scalar.name().map(|text| Name {
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
                self.wrong.push(Unparsed { place, message });
                self.add(Located::null(place), None);
            }
        }
    }

    /// Adds a value to the innermost open list or map. `as_name` is the value as a field name, if it can be one.
    fn add(&mut self, located: Located, as_name: Option<Name>) {
        let Some(open) = self.open.last_mut() else {
            return self.documents.push(located);
        };
        match &mut open.of {
            Of::List(items) => items.push(located),
            Of::Map { entries, name } => match name.take() {
                Some(name) if name.is_ignored => {}
                Some(name) => {
                    let mut known = entries.iter();
                    if let Some((_, first, _)) = known.find(|(known, ..)| *known == name.text) {
                        self.wrong.push(twice(&name, *first));
                    }
                    entries.push((name.text, name.place, located));
                }
                None => {
                    let is_name = as_name.is_some();
                    *name = Some(as_name.unwrap_or(Name {
                        text: String::new(),
                        place: located.place,
                        is_ignored: true,
                    }));
                    if !is_name {
                        self.wrong.push(words::no_name(self.text, located.place));
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

fn twice(name: &Name, first: Place) -> Unparsed {
    Unparsed {
        place: name.place,
        message: format!(
            "{} is given twice, first in line {}: remove one of them (Envoy would silently use the last one)",
            quoted(&name.text),
            first.line
        ),
    }
}
