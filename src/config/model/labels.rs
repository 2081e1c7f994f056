//! Labels that a document gives to backends and models, and what routes require of them.

use crate::config::error::suggestion;
use crate::config::reader::Node;

/// Label names and values. What YAML reads as a number or a boolean is text here: `zdr: true` is `zdr: "true"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Vec<(String, String)>);

impl Labels {
    /// Returns the value of a label.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.0.iter();
        all.find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the names of all labels.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Returns these labels, and those of `others` whose names these do not have.
    pub(super) fn over(mut self, others: &Labels) -> Labels {
        for (name, value) in &others.0 {
            if self.get(name).is_none() {
                self.0.push((name.clone(), value.clone()));
            }
        }
        self
    }
}

/// A label that a route requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredLabel {
    /// The name of the label.
    pub name: String,
    /// The accepted values; a target must have one of them.
    pub values: Vec<String>,
}

impl RequiredLabel {
    /// Whether these labels meet the requirement.
    pub fn is_met(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.name);
        value.is_some_and(|value| self.values.iter().any(|wanted| wanted == value))
    }
}

pub(in crate::config) fn read_labels(node: &Node<'_>) -> Labels {
    let entries = node.entries().into_iter();
    Labels(
        entries
            .filter_map(|(name, node)| Some((read_name(&node, name)?, node.scalar()?)))
            .collect(),
    )
}

/// Reads a route's `require`; `known` has the names of all labels in the document.
pub(in crate::config) fn read_required(node: &Node<'_>, known: &[&str]) -> Vec<RequiredLabel> {
    let mut all = Vec::new();
    let entries = node.entries();
    if entries.is_empty() {
        node.error("must not be empty: add a label, or remove the field");
    }
    for (name, node) in entries {
        let values = node.one_or_many();
        let values: Vec<String> = values.iter().filter_map(Node::scalar).collect();
        if !known.contains(&name) {
            node.error(format!(
                "no backend and no model has a label \"{name}\"{}",
                match suggestion(name, known.iter().copied()).as_str() {
                    "" => "; add it to the `labels` of those that may serve these requests",
                    close => close,
                }
            ));
            continue;
        }
        // Values that cannot be read have already reported their errors.
        if values.is_empty() {
            continue;
        }
        all.push(RequiredLabel {
            name: name.to_owned(),
            values,
        });
    }
    all
}

fn read_name(node: &Node<'_>, name: &str) -> Option<String> {
    if name.is_empty() || name.chars().any(char::is_control) {
        node.error("is not a valid label name: it must not be empty or contain control characters");
        return None;
    }
    Some(name.to_owned())
}
