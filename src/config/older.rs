//! The older mode, for Envoys that cannot select another cluster for a retry.
//!
//! The chosen cluster goes into a request header. Fallback is left to aggregate clusters, whose members must all accept
//! the same request.

use std::sync::Arc;

use super::backend::{Backend, read_changed_header};
use super::model::Model;
use super::reader::{Fields, Node};
use super::requirements::TargetRequirements;
use super::targets::{Strategy, Target};
use crate::attempt::FallbackPolicy;
use crate::routing::{Pattern, check_requirements};

/// Reads the name of the header for the chosen cluster, in lower case.
pub(super) fn read_cluster_header(node: &Node<'_>, backends: &[Arc<Backend>]) -> Option<String> {
    let name = read_changed_header(node, node.name()?)?;
    for backend in backends {
        let mut set = backend.set_headers.iter().map(|(name, _)| name);
        if set.any(|set| *set == name) || backend.remove_headers.contains(&name) {
            node.error(format!(
                "backend \"{}\" sets or removes this header, but it is reserved for the router and never reaches a \
                 backend",
                backend.name
            ));
        }
    }
    Some(name)
}

/// Refuses a policy that would lose a piece of an answer: Envoys without the fix lose the data that follows when a
/// timer lets an answer go.
pub(super) fn check_policy(fields: &Fields<'_>, policy: &FallbackPolicy) {
    if policy.first_token_timeout_ms > 0 {
        fields.error(
            "has a first_token_timeout_ms (here or in `defaults.fallback`), which cannot be used with \
             `defaults.cluster_header`: the Envoy versions that need this header lose a piece of an answer whose \
             first token is late. Remove it",
        );
    }
}

/// What reading a route's `aggregate_cluster` needs to know.
pub(super) struct AggregateContext<'a> {
    /// Whether the document has a `cluster_header`.
    pub(super) is_older: bool,
    pub(super) groups: &'a [Strategy],
    pub(super) requirements: &'a TargetRequirements,
    pub(super) targets: &'a [Target],
    pub(super) backends: &'a [Arc<Backend>],
}

/// Reads the name of the aggregate cluster whose members are the route's targets.
pub(super) fn read_aggregate(node: &Node<'_>, context: &AggregateContext<'_>) -> Option<String> {
    let name = node.name()?;
    if !context.is_older {
        node.error(
            "is only for Envoy before 1.39, together with `defaults.cluster_header`; without that, each target is \
             tried at the cluster of its own backend. Remove it",
        );
    }
    let is = |backend: &&Arc<Backend>| backend.name == name || backend.cluster == name;
    if let Some(backend) = context.backends.iter().find(is) {
        node.error(format!(
            "\"{name}\" is already the name or the cluster of backend \"{}\": choose another name for the aggregate \
             cluster",
            backend.name
        ));
    }
    if context.groups.contains(&Strategy::Weighted) {
        node.error(
            "an aggregate cluster tries its members in its own order: remove either `strategy: weighted` or \
             aggregate_cluster",
        );
    }
    let mut targets = context.targets.iter();
    let first = targets.next()?;
    for target in targets {
        for what in differences(context.requirements, first, target) {
            node.error(format!(
                "{} and {} differ in {what}, but a request is adapted only once for all members of an aggregate \
                 cluster: make them the same, or remove aggregate_cluster, so that only the first target that is not \
                 cooling down is used",
                first.place, target.place
            ));
        }
    }
    Some(name.to_owned())
}

/// Returns the fields in which a request to one target would differ from a request to the other.
fn differences(requirements: &TargetRequirements, one: &Target, other: &Target) -> Vec<String> {
    let (a, b) = (&one.backend, &other.backend);
    let quoted = |value: &str| format!("\"{value}\"");
    let mut found = Vec::new();
    if let (Some(name), Some(other_name)) = (upstream_name(one), upstream_name(other)) {
        if name != other_name {
            found.push(format!(
                "the model's upstream name ({} and {})",
                quoted(name),
                quoted(other_name)
            ));
        }
    } else if one.model.is_some() != other.model.is_some() {
        found.push("whether they name a `model`".to_owned());
    } else if !same(&served(requirements, a), &served(requirements, b)) {
        found.push("the models that their backends serve".to_owned());
    }
    found.extend(unlike(one, other));
    if a.schema != b.schema {
        found.push(format!(
            "schema ({} and {})",
            quoted(a.schema.name()),
            quoted(b.schema.name())
        ));
    }
    if a.host != b.host {
        let host = |backend: &Backend| backend.host.as_deref().map_or("none".to_owned(), quoted);
        found.push(format!(
            "host ({} and {}; with none, the route's `auto_host_rewrite` gives each member its own)",
            host(a),
            host(b)
        ));
    }
    // If `path_prefix` is not set, the prefix is the schema's.
    if a.schema == b.schema && a.path != b.path {
        found.push("path_prefix or path_template".to_owned());
    }
    if !same(&a.set_headers, &b.set_headers) {
        found.push("set_headers".to_owned());
    }
    if !same(&a.remove_headers, &b.remove_headers) {
        found.push("remove_headers".to_owned());
    }
    if a.allow_headers != b.allow_headers {
        found.push("allow_headers".to_owned());
    }
    if a.forward_client_credentials != b.forward_client_credentials {
        found.push("forward_client_credentials".to_owned());
    }
    if one.parameters != other.parameters {
        found.push("parameters".to_owned());
    }
    found
}

fn upstream_name(target: &Target) -> Option<&str> {
    target.backend.upstream_name(target.model.as_deref()?)
}

/// Returns the model fields that could keep a request from one target but not from the other. Compares the models that
/// the targets name, or all models of the same name at both backends.
fn unlike(one: &Target, other: &Target) -> Vec<String> {
    let mut pairs: Vec<(&Model, &Model)> = Vec::new();
    if let (Some(name), Some(other_name)) = (&one.model, &other.model) {
        let entries = one.backend.model(name).zip(other.backend.model(other_name));
        pairs.extend(entries);
    } else {
        for model in &one.backend.models {
            let mut others = other.backend.models.iter();
            let same_name = others.find(|other| other.name == model.name);
            pairs.extend(same_name.map(|other| (model, other)));
        }
    }
    let differ = |is: fn(&Model, &Model) -> bool| pairs.iter().any(|(a, b)| !is(a, b));
    let fields = [
        (
            differ(|a, b| a.context_window == b.context_window),
            "context_window",
        ),
        (
            differ(|a, b| a.max_output_tokens == b.max_output_tokens),
            "max_output_tokens",
        ),
        (
            differ(|a, b| a.capabilities == b.capabilities),
            "capabilities",
        ),
    ];
    let unlike = fields.into_iter().filter(|(differ, _)| *differ);
    unlike.map(|(_, what)| what.to_owned()).collect()
}

/// Returns the models that a backend serves, each with its upstream name and whether it meets the route's requirements.
fn served<'b>(
    requirements: &TargetRequirements,
    backend: &'b Backend,
) -> Vec<(&'b Pattern, Option<&'b str>, bool)> {
    let models = backend.models.iter();
    let models = models.map(|model| {
        let upstream_name = model.upstream_name.as_deref();
        (
            &model.name,
            upstream_name,
            check_requirements(requirements, model).is_ok(),
        )
    });
    models.collect()
}

/// Whether both have the same items in any order. Assumes that no item occurs twice. Sorting would add 25 KB to the
/// module.
fn same<T: PartialEq>(some: &[T], others: &[T]) -> bool {
    some.len() == others.len() && some.iter().all(|one| others.contains(one))
}

#[cfg(test)]
#[path = "older_tests.rs"]
mod tests;
