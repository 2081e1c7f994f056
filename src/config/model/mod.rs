//! The models of a backend, and what is known of each.

mod capability;
mod labels;
mod prices;

use hashbrown::HashSet;

pub use capability::Capability;
pub use labels::{Labels, Required};
pub(super) use labels::{read_labels, read_required};
pub(super) use prices::read_max_prices;
pub use prices::{MaxPrices, Price, Prices};

use super::reader::Node;
use super::{condition, fields};
use crate::health::TargetKey;
use crate::request::MAX_MODEL_BYTES;
use crate::routing::Pattern;

/// A model of one backend.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The name that routes and clients use.
    pub name: Pattern,
    /// What the backend calls it; `None`: the same.
    pub upstream_name: Option<String>,
    /// How many tokens fit, the answer's among them; 0: not known.
    pub context_window: u32,
    /// How many tokens an answer can have; 0: not known.
    pub max_output_tokens: u32,
    /// What it can do; `None`: not known.
    pub capabilities: Option<Vec<Capability>>,
    /// What it costs.
    pub prices: Prices,
    /// Its own, and those of its backend that it has no other value for.
    pub labels: Labels,
    /// By which all workers know how it fares.
    pub key: TargetKey,
}

impl Model {
    /// What the backend calls it; `None`: a pattern stands for many.
    pub fn called(&self) -> Option<&str> {
        self.upstream_name.as_deref().or(self.name.as_exact())
    }
}

pub(super) fn read_all(node: &Node<'_>, backend: &str, labels: &Labels) -> Vec<Model> {
    let mut names = HashSet::new();
    let mut models: Vec<Model> = Vec::new();
    for node in node.non_empty_list() {
        let fields = node.fields(fields::MODEL);
        let Some(written) = fields.required("name").and_then(Node::name) else {
            continue;
        };
        let Some(name) = condition::read_pattern(&node, written) else {
            continue;
        };
        let upstream_name = fields
            .optional("upstream_name")
            .and_then(Node::name)
            .map(str::to_owned);
        if written.len() > MAX_MODEL_BYTES {
            node.error(format!(
                "the name of a model can have at most {MAX_MODEL_BYTES} bytes"
            ));
        }
        if upstream_name.is_some() && name.as_exact().is_none() {
            node.error(
                "a pattern cannot have an upstream_name: its models keep the name that the client used",
            );
        }
        if !names.insert(written) {
            node.error(format!(
                "another model of this backend is also called \"{written}\": remove one"
            ));
        } else {
            check_reached(&node, &name, &models);
        }
        let tokens = |name: &str| {
            let node = fields.optional(name)?;
            node.integer(1, 1_000_000_000)
        };
        let own = fields.optional("labels").map(read_labels);
        models.push(Model {
            name,
            upstream_name,
            context_window: tokens("context_window").unwrap_or(0),
            max_output_tokens: tokens("max_output_tokens").unwrap_or(0),
            capabilities: fields.optional("capabilities").map(capability::read_all),
            prices: fields.or_default("prices", prices::read_prices),
            labels: own.unwrap_or_default().over(labels),
            key: TargetKey::new(backend, written),
        });
    }
    models
}

/// Refuses a pattern of which all that it takes is taken before.
fn check_reached(node: &Node<'_>, name: &Pattern, before: &[Model]) {
    if name.as_exact().is_none()
        && let Some(before) = before.iter().position(|model| model.name.covers(name))
    {
        // What is said of it, labels for instance, would never count.
        node.error(format!(
            "\"{name}\" is never used: the pattern models[{before}] already matches all of its models; put \"{name}\" \
             before it"
        ));
    }
}
