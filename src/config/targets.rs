//! Reads a route's targets and the groups that they form.

use std::sync::Arc;

use super::backend::Backend;
use super::error::suggestion;
use super::fallback::one_of;
use super::fields;
use super::reader::{Fields, Node};
use super::tree::Tree;
use crate::hash;
use crate::request::{INCLUDE_USAGE, ParameterChanges};
use crate::schema::Schema;

/// How a group's targets are ordered in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// In the order of the document.
    Ordered,
    /// By weight, one after the other: by the request's sticky key, or drawn at random.
    Weighted,
}

impl Strategy {
    /// All strategies, with their names in the document.
    pub const ALL: [(&'static str, Strategy); 2] = [
        ("ordered", Strategy::Ordered),
        ("weighted", Strategy::Weighted),
    ];
}

/// A backend and one of its models.
#[derive(Clone, Debug)]
pub struct Target {
    /// The backend.
    pub backend: Arc<Backend>,
    /// The model at the backend, by the name that routes use; `None`: the model that the client asked for.
    pub model: Option<String>,
    /// How often it is chosen, relative to the other targets of its group.
    pub weight: u32,
    /// The changes to the body's parameters for this target.
    pub parameters: ParameterChanges,
    /// The same changes with a request for a stream's usage added; `None`: the router does not ask for it, or the
    /// parameters already set it.
    pub parameters_with_usage: Option<ParameterChanges>,
    /// The index of its group among the strategies of the route.
    pub group: usize,
    /// The number that identifies it in sticky choices: a hash of the names of its backend and model, independent of
    /// its place.
    pub identity: u64,
    /// Its path within the route, such as `targets[3]`.
    pub place: String,
}

/// How many targets a route may have. The plan travels with every request, and attempts are counted in a byte.
const MAX_TARGETS: usize = 64;

/// A route's targets in order, and the strategies of their groups. Adjacent targets in the route's own list form a
/// group too.
#[derive(Debug)]
pub(super) struct Targets<'a> {
    backends: &'a [Arc<Backend>],
    pub(super) targets: Vec<Target>,
    pub(super) groups: Vec<Strategy>,
}

/// Reads the targets of a route with this strategy.
pub(super) fn read<'a>(
    node: &Node<'_>,
    backends: &'a [Arc<Backend>],
    strategy: Strategy,
) -> Targets<'a> {
    let mut read = Targets {
        backends,
        targets: Vec::new(),
        groups: Vec::new(),
    };
    let mut is_open = false;
    for (index, item) in node.non_empty_list().iter().enumerate() {
        let place = format!("targets[{index}]");
        if is_group(item) {
            read.read_group(item, strategy, &place);
            is_open = false;
        } else {
            if !is_open {
                read.groups.push(strategy);
                is_open = true;
            }
            read.read_target(item, strategy, place);
        }
    }
    if strategy == Strategy::Weighted {
        check_weights(node, &read.targets);
    }
    if read.targets.len() > MAX_TARGETS {
        node.error(format!("has more than {MAX_TARGETS} targets"));
    }
    read
}

/// Returns how many targets are written, whether valid or not.
pub(super) fn count(tree: &Tree) -> usize {
    let Tree::List(items) = tree else { return 0 };
    let each = items.iter().map(|item| match entry(item, "targets") {
        Some(targets) => count(targets),
        None => 1,
    });
    each.fold(0, usize::saturating_add)
}

fn entry<'a>(tree: &'a Tree, name: &str) -> Option<&'a Tree> {
    let Tree::Map(entries) = tree else {
        return None;
    };
    let mut entries = entries.iter();
    let found = entries.find(|(known, _)| known == name);
    found.map(|(_, tree)| tree)
}

fn is_group(node: &Node<'_>) -> bool {
    let mut names = fields::GROUP.iter();
    names.any(|name| entry(node.tree(), name).is_some())
}

fn check_weights(node: &Node<'_>, targets: &[Target]) {
    if !targets.is_empty() && targets.iter().all(|target| target.weight == 0) {
        node.error("the weights add up to 0: give at least one target a weight");
    }
}

impl Targets<'_> {
    fn read_group(&mut self, node: &Node<'_>, around: Strategy, place: &str) {
        let fields = node.fields(fields::GROUP);
        if around == Strategy::Weighted {
            fields.error(
                "a group is only allowed among targets that are tried in order: remove the route's `strategy: \
                 weighted`, or move the group's targets into the route's own list",
            );
        }
        let strategy = fields.required("strategy");
        if let Some(node) = strategy
            && one_of(node, &Strategy::ALL) == Some(Strategy::Ordered)
        {
            node.error(
                "a group must be `weighted`: put targets that are tried in order into the route's own list",
            );
        }
        let Some(node) = fields.required("targets") else {
            return;
        };
        self.groups.push(Strategy::Weighted);
        let first = self.targets.len();
        for (index, item) in node.non_empty_list().iter().enumerate() {
            if is_group(item) {
                item.error(
                    "groups cannot contain groups: move its targets into the outer group, or the group into the \
                     route's own list",
                );
                continue;
            }
            let place = format!("{place}.targets[{index}]");
            self.read_target(item, Strategy::Weighted, place);
        }
        check_weights(node, self.targets.get(first..).unwrap_or_default());
    }

    /// Reads one target of the current group.
    fn read_target(&mut self, node: &Node<'_>, strategy: Strategy, place: String) {
        let fields = node.fields(fields::TARGET);
        let weight = fields.optional("weight").and_then(|node| {
            if strategy == Strategy::Ordered {
                node.error("only `strategy: weighted` uses weights: remove the weight, or set the strategy");
            }
            node.integer(0, 1_000_000)
        });
        let parameters = fields.or_default("parameters", super::parameters::read);
        let Some((backend, model)) = read_place(&fields, self.backends) else {
            return;
        };
        let parameters_with_usage = with_usage(&backend, &parameters);
        self.targets.push(Target {
            identity: self.identity(&backend, model.as_deref()),
            backend,
            model,
            weight: weight.unwrap_or(1),
            parameters,
            parameters_with_usage,
            group: self.groups.len().saturating_sub(1),
            place,
        });
    }

    /// Returns the number that identifies the next target of the route.
    fn identity(&self, backend: &Arc<Backend>, model: Option<&str>) -> u64 {
        let is_same = |target: &&Target| {
            target.backend.name == backend.name && target.model.as_deref() == model
        };
        let names = [backend.name.as_str(), model.unwrap_or_default()];
        // A repetition of the same backend and model gets an identity of its own.
        match self.targets.iter().filter(is_same).count() {
            0 => hash::hash_names(&names),
            before => hash::hash_names(&[names[0], names[1], &before.to_string()]),
        }
    }
}

/// Adds the request for a stream's usage to the parameter changes; `None` if the router must not or need not ask for
/// it.
fn with_usage(backend: &Backend, parameters: &ParameterChanges) -> Option<ParameterChanges> {
    let may_ask =
        backend.ask_for_usage && matches!(backend.schema, Schema::OpenAi | Schema::AzureOpenAi);
    let mut parameters_with_usage = parameters.clone();
    let is_asked = may_ask && parameters_with_usage.set(INCLUDE_USAGE, b"true".to_vec());
    is_asked.then_some(parameters_with_usage)
}

fn read_place(
    fields: &Fields<'_>,
    backends: &[Arc<Backend>],
) -> Option<(Arc<Backend>, Option<String>)> {
    let model = fields.optional("model");
    let node = fields.required("backend")?;
    let written = node.name()?;
    let Some(backend) = backends.iter().find(|backend| backend.name == written) else {
        let names = backends.iter().map(|backend| backend.name.as_str());
        node.error(format!(
            "unknown backend \"{written}\"{}",
            match suggestion(written, names.clone()).as_str() {
                "" if backends.is_empty() => String::new(),
                "" => format!("; expected one of {}", names.collect::<Vec<_>>().join(", ")),
                close => close.to_owned(),
            }
        ));
        return None;
    };
    let model = match model {
        None => None,
        Some(node) => Some(read_target_model(node, backend)?),
    };
    Some((Arc::clone(backend), model))
}

fn read_target_model(node: &Node<'_>, backend: &Backend) -> Option<String> {
    let written = node.name()?;
    if written.contains('*') {
        node.error(
            "must be one model, not a pattern: omit it to keep the model that the client asked for",
        );
        return None;
    }
    if backend.upstream_name(written).is_none() {
        let names = backend.exact_models();
        node.error(format!(
            "backend \"{}\" has no model \"{written}\"{}",
            backend.name,
            match suggestion(written, names).as_str() {
                "" => "; add it to the backend's models".to_owned(),
                close => close.to_owned(),
            }
        ));
        return None;
    }
    Some(written.to_owned())
}
