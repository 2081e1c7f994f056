//! Reads a [`Tree`] field by field and keeps every error with its path, instead of stopping at the first.

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

/// One value of the document and where it stands.
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

    /// Notes an error here.
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

    /// The value as it stands there.
    pub(crate) fn tree(&self) -> &'a Tree {
        self.tree
    }

    pub(crate) fn is_scalar(&self) -> bool {
        !matches!(self.tree, Tree::List(_) | Tree::Map(_))
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self.tree, Tree::Map(_))
    }

    /// The entries of a map with names of the user's choosing; a name that stands twice is an error.
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

    /// A map whose names are all known; others are errors.
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

    /// The items of a list.
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

    /// The items of a list that must have some.
    pub(crate) fn non_empty_list(&self) -> Vec<Node<'a>> {
        if matches!(self.tree, Tree::List(items) if items.is_empty()) {
            self.error("must not be empty");
        }
        self.list()
    }

    /// A list, or one value standing for a list of itself.
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

    /// Text, possibly empty, without control characters.
    pub(crate) fn text(&self) -> Option<&'a str> {
        let Tree::Text(text) = self.tree else {
            self.wrong_kind(match self.tree {
                // YAML makes numbers and booleans of what was meant as text.
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

    /// Text that is not empty.
    pub(crate) fn name(&self) -> Option<&'a str> {
        let text = self.text()?;
        if text.is_empty() {
            self.error("must not be empty");
            return None;
        }
        Some(text)
    }

    /// Text that is not empty, or what YAML takes for a number or a boolean, as text.
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

    /// A boolean.
    pub(crate) fn boolean(&self) -> Option<bool> {
        let Tree::Bool(value) = self.tree else {
            self.wrong_kind("true or false");
            return None;
        };
        Some(*value)
    }

    /// Any number. Envoy makes text of what has decimals in its own YAML, so that here such text is the number.
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

    /// A whole number between two bounds, both included.
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

    /// A number of this unit, from 0 to `most` with at most so many decimals, in units of the last one.
    pub(crate) fn decimal(&self, most: u32, decimals: u8, unit: &str) -> Option<u64> {
        let value = self.number()?;
        let scaled = value * 10_f64.powi(decimals.into());
        let whole = scaled.round();
        // A decimal fraction is not exact in binary.
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

/// A whole number between two bounds, both included.
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

/// The known fields of one map.
pub(crate) struct Fields<'a> {
    path: String,
    errors: &'a Errors,
    is_map: bool,
    fields: Vec<(&'a str, Node<'a>)>,
}

impl<'a> Fields<'a> {
    /// A field that may be absent.
    pub(crate) fn optional(&self, name: &str) -> Option<&Node<'a>> {
        self.fields
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, node)| node)
    }

    /// What is read of a field; where it is absent, the default of what it is read as.
    pub(crate) fn or_default<T: Default>(
        &self,
        name: &str,
        read: impl FnOnce(&Node<'a>) -> T,
    ) -> T {
        self.optional(name).map(read).unwrap_or_default()
    }

    /// The known fields of a map that may be absent: then it has none.
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

    /// A field that must be there.
    pub(crate) fn required(&self, name: &str) -> Option<&Node<'a>> {
        let field = self.optional(name);
        // What is no map at all has had its error.
        if field.is_none() && self.is_map {
            self.errors.push(&self.path, format!("`{name}` is missing"));
        }
        field
    }

    /// Whether no field was written at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Notes an error on what stands at a path in the map.
    pub(crate) fn error_at(&self, path: &str, message: impl Into<String>) {
        self.errors.push(&format!("{}.{path}", self.path), message);
    }

    /// Notes an error on the map as a whole.
    pub(crate) fn error(&self, message: impl Into<String>) {
        self.errors.push(&self.path, message);
    }
}
