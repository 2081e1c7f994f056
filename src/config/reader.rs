//! Reads a [`Tree`] field by field and collects every error with its path, instead of stopping at the first.

use std::cell::RefCell;
use std::fmt::Write as _;

use serde_json::Value;

use super::error::{ConfigError, suggestion};
use super::tree::Tree;

/// The errors found so far in one document.
#[derive(Debug, Default)]
pub(crate) struct Errors(RefCell<Vec<ConfigError>>);

impl Errors {
    pub(crate) fn push(&self, path: &str, message: impl Into<String>) {
        self.0.borrow_mut().push(ConfigError::new(path, message));
    }

    pub(crate) fn into_vec(self) -> Vec<ConfigError> {
        self.0.into_inner()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

/// One value of the document, with its path.
#[derive(Clone)]
pub(crate) struct Node<'a> {
    pub(crate) path: String,
    tree: &'a Tree,
    errors: &'a Errors,
}

impl<'a> Node<'a> {
    pub(crate) fn root(tree: &'a Tree, errors: &'a Errors) -> Self {
        Node {
            path: String::new(),
            tree,
            errors,
        }
    }

    /// Reports an error at this path.
    pub(crate) fn error(&self, message: impl Into<String>) {
        self.errors.push(&self.path, message);
    }

    fn wrong_kind(&self, expected: &str) {
        self.error(format!("must be {expected}, not {}", self.tree.kind()));
    }

    fn child(&self, name: &str, tree: &'a Tree) -> Node<'a> {
        let path = if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        };
        Node {
            path,
            tree,
            errors: self.errors,
        }
    }

    /// Returns the value.
    pub(crate) fn tree(&self) -> &'a Tree {
        self.tree
    }

    pub(crate) fn is_scalar(&self) -> bool {
        !matches!(self.tree, Tree::List(_) | Tree::Map(_))
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self.tree, Tree::Map(_))
    }

    /// Returns the entries of a map whose names the user chooses; a name that occurs twice is an error.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Node<'a>)> {
        let Tree::Map(entries) = self.tree else {
            self.wrong_kind("a map");
            return Vec::new();
        };
        let mut seen = hashbrown::HashSet::new();
        let mut nodes = Vec::with_capacity(entries.len());
        for (name, tree) in entries {
            let node = self.child(name, tree);
            if seen.insert(name.as_str()) {
                nodes.push((name.as_str(), node));
            } else {
                node.error("is given twice: remove one");
            }
        }
        nodes
    }

    /// Reads a map whose field names are all known; any other name is an error.
    pub(crate) fn fields(&self, known: &'static [&'static str]) -> Fields<'a> {
        let mut fields = self.entries();
        fields.retain(|(name, node)| {
            let is_known = known.contains(name);
            if *name == "<<" {
                node.error("Envoy does not support merge keys (`<<`): write the fields out, or use an alias for the \
                            whole value");
            } else if !is_known {
                node.error(format!(
                    "unknown field{}",
                    match suggestion(name, known.iter().copied()).as_str() {
                        "" => format!("; expected one of {}", known.join(", ")),
                        close => close.to_owned(),
                    }
                ));
            }
            is_known
        });
        Fields {
            path: self.path.clone(),
            errors: self.errors,
            is_map: self.is_map(),
            fields,
        }
    }

    /// Returns the items of a list.
    pub(crate) fn list(&self) -> Vec<Node<'a>> {
        let Tree::List(items) = self.tree else {
            self.wrong_kind("a list");
            return Vec::new();
        };
        items
            .iter()
            .enumerate()
            .map(|(index, tree)| {
                let mut path = self.path.clone();
                // Writing to a String cannot fail.
                let _ = write!(path, "[{index}]");
                Node {
                    path,
                    tree,
                    errors: self.errors,
                }
            })
            .collect()
    }

    /// Returns the items of a list that must not be empty.
    pub(crate) fn non_empty_list(&self) -> Vec<Node<'a>> {
        if matches!(self.tree, Tree::List(items) if items.is_empty()) {
            self.error("must not be empty");
        }
        self.list()
    }

    /// Returns the items of a list; a single value counts as a list with one item.
    pub(crate) fn one_or_many(&self) -> Vec<Node<'a>> {
        if self.is_scalar() {
            return vec![Node {
                path: self.path.clone(),
                tree: self.tree,
                errors: self.errors,
            }];
        }
        self.non_empty_list()
    }

    /// Reads text, possibly empty, without control characters.
    pub(crate) fn text(&self) -> Option<&'a str> {
        let Tree::Text(text) = self.tree else {
            self.wrong_kind(match self.tree {
                // YAML reads some text without quotes as a number or a boolean.
                Tree::Number(_) | Tree::Bool(_) => "text (put it in quotes)",
                _ => "text",
            });
            return None;
        };
        if let Some(char) = text.chars().find(|char| char.is_control()) {
            let which = match char {
                '\n' => "a line end".to_owned(),
                '\t' => "a tab".to_owned(),
                other => format!("U+{:04X}", u32::from(other)),
            };
            self.error(format!(
                "must not contain control characters, but contains {which}: remove it"
            ));
            return None;
        }
        Some(text)
    }

    /// Reads text that must not be empty.
    pub(crate) fn name(&self) -> Option<&'a str> {
        let text = self.text()?;
        if text.is_empty() {
            self.error("must not be empty");
            return None;
        }
        Some(text)
    }

    /// Reads text that must not be empty, or a number or boolean as text.
    pub(crate) fn scalar(&self) -> Option<String> {
        match self.tree {
            Tree::Text(_) => self.name().map(str::to_owned),
            Tree::Number(_) | Tree::Bool(_) => Some(Value::from(self.tree).to_string()),
            _ => {
                self.wrong_kind("text, a number, true or false");
                None
            }
        }
    }

    /// Reads a boolean.
    pub(crate) fn boolean(&self) -> Option<bool> {
        let Tree::Bool(value) = self.tree else {
            self.wrong_kind("true or false");
            return None;
        };
        Some(*value)
    }

    /// Reads any number. Envoy turns numbers with decimals in its own YAML into text, so such text is read as the
    /// number.
    pub(crate) fn number(&self) -> Option<f64> {
        let Some(value) = self.tree.number() else {
            self.wrong_kind("a number");
            return None;
        };
        if !value.is_finite() {
            self.error("must be a number");
            return None;
        }
        Some(value)
    }

    /// Reads a whole number between two bounds, both included.
    pub(crate) fn integer(&self, least: u32, most: u32) -> Option<u32> {
        let Some(value) = self.tree.number() else {
            self.wrong_kind("a whole number");
            return None;
        };
        let whole = whole(value, least, most);
        if whole.is_none() {
            self.error(format!("must be a whole number from {least} to {most}"));
        }
        whole
    }

    /// Reads a number from 0 to `most`, in `unit`, with at most `decimals` decimals. Returns it in units of the last
    /// decimal.
    pub(crate) fn decimal(&self, most: u32, decimals: u8, unit: &str) -> Option<u64> {
        let value = self.number()?;
        let scaled = value * 10_f64.powi(decimals.into());
        let whole = scaled.round();
        // A decimal fraction has no exact binary representation.
        let is_whole = (scaled - whole).abs() < 1e-3;
        if !is_whole || value < 0.0 || value > f64::from(most) {
            self.error(format!(
                "must be a number of {unit}, from 0 to {most} with at most {decimals} decimals"
            ));
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::as_conversions,
            reason = "whole and between two u64, as was just seen"
        )]
        Some(whole as u64)
    }
}

/// Converts to a whole number between two bounds, both included.
fn whole(value: f64, least: u32, most: u32) -> Option<u32> {
    let is_between = value >= f64::from(least) && value <= f64::from(most);
    if value.fract() != 0.0 || !is_between {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::as_conversions,
        reason = "whole and between two u32, as was just seen"
    )]
    Some(value as u32)
}

/// The fields of one map whose field names are known.
pub(crate) struct Fields<'a> {
    path: String,
    errors: &'a Errors,
    is_map: bool,
    fields: Vec<(&'a str, Node<'a>)>,
}

impl<'a> Fields<'a> {
    /// Returns a field that may be absent.
    pub(crate) fn optional(&self, name: &str) -> Option<&Node<'a>> {
        self.fields
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, node)| node)
    }

    /// Reads a field; returns the type's default if the field is absent.
    pub(crate) fn or_default<T: Default>(
        &self,
        name: &str,
        read: impl FnOnce(&Node<'a>) -> T,
    ) -> T {
        self.optional(name).map(read).unwrap_or_default()
    }

    /// Returns the fields of a nested map; of an absent map, no fields.
    pub(crate) fn fields(&self, name: &str, known: &'static [&'static str]) -> Fields<'a> {
        self.optional(name).map_or_else(
            || Fields {
                path: format!("{}.{name}", self.path),
                errors: self.errors,
                is_map: false,
                fields: Vec::new(),
            },
            |node| node.fields(known),
        )
    }

    /// Returns a field that must be present.
    pub(crate) fn required(&self, name: &str) -> Option<&Node<'a>> {
        let field = self.optional(name);
        // A value that is not a map has already reported its error.
        if field.is_none() && self.is_map {
            self.errors.push(&self.path, format!("`{name}` is missing"));
        }
        field
    }

    /// Whether the map has no fields.
    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Reports an error at a path within the map.
    pub(crate) fn error_at(&self, path: &str, message: impl Into<String>) {
        self.errors.push(&format!("{}.{path}", self.path), message);
    }

    /// Reports an error of the map as a whole.
    pub(crate) fn error(&self, message: impl Into<String>) {
        self.errors.push(&self.path, message);
    }
}
