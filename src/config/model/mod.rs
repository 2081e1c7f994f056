//! The models of a backend: names, limits, capabilities, prices and labels.

mod capability;
mod labels;
mod prices;

use hashbrown::HashSet;

pub use capability::Capability;
pub use labels::{Labels, RequiredLabel};
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
    /// The name that the backend uses; `None`: the same.
    pub upstream_name: Option<String>,
    /// How many tokens fit in the context window, including the answer's; 0: not known.
    pub context_window: u32,
    /// The maximum number of tokens in an answer; 0: not known.
    pub max_output_tokens: u32,
    /// What the model can do; `None`: not known.
    pub capabilities: Option<Vec<Capability>>,
    /// What the model costs.
    pub prices: Prices,
    /// The model's own labels, and those of its backend that the model does not override.
    pub labels: Labels,
    /// The key under which all workers share this target's health.
    pub key: TargetKey,
}

impl Model {
    /// Returns the name that the backend uses; `None` for a pattern, which stands for many names.
    pub fn exact_upstream_name(&self) -> Option<&str> {
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

/// Refuses a pattern that can never match because earlier entries take everything that it would take.
fn check_reached(node: &Node<'_>, name: &Pattern, before: &[Model]) {
    if name.as_exact().is_none()
        && let Some(before) = before.iter().position(|model| model.name.covers(name))
    {
        // What the document says of such a model, such as its labels, would have no effect.
        node.error(format!(
            "\"{name}\" is never used: the pattern models[{before}] already matches all of its models; put \"{name}\" \
             before it"
        ));
    }
}
