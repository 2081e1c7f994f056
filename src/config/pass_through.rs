//! Checks pass-through routes, which take requests that are not model calls, and reads `stored_at` of routes whose
//! calls refer to stored state.

use super::error::suggestion;
use super::reachability::CONTRADICTORY;
use super::reader::{Fields, Node};
use super::route::Route;
use super::targets::Target;
use crate::routing::{Condition, ExclusionReason, Pattern};
use crate::schema::Api;

/// Reads the backend that has the stored state to which a route's requests refer.
pub(super) fn read_stored_at(node: &Node<'_>, targets: &[Target]) -> Option<String> {
    let written = node.name()?;
    let mut names = targets.iter().map(|target| target.backend.name.as_str());
    if !names.clone().any(|name| name == written) {
        let close = suggestion(written, names.clone());
        node.error(format!(
            "no target of this route has the backend \"{written}\"{}",
            match close.as_str() {
                "" => format!(
                    "; their backends are {}",
                    names.by_ref().collect::<Vec<_>>().join(", ")
                ),
                close => close.to_owned(),
            }
        ));
        return None;
    }
    Some(written.to_owned())
}

/// Refuses fields that have no effect on a pass-through route, and a match that no request can satisfy.
pub(super) fn check(node: &Node<'_>, fields: &Fields<'_>, route: &Route) {
    for (name, why_not) in [
        ("strategy", "there is only one target"),
        (
            "fallback",
            "there is only one attempt, and its answer passes unread",
        ),
        (
            "stored_at",
            "the only target already determines the backend",
        ),
        (
            "max_prices",
            "the tokens of requests that pass through are not counted",
        ),
    ] {
        if let Some(node) = fields.optional(name) {
            node.error(format!(
                "cannot be used with `pass_through: true`: {why_not}"
            ));
        }
    }
    if let Some(node) = fields.optional("targets") {
        check_targets(node);
    }
    if let Some(node) = fields.optional("require") {
        check_labels(node, route);
    }
    if route.condition.is_of_model_calls() {
        node.error(
            "a route with `pass_through: true` can match only what is known without the body (path, method, headers, \
             query, caller, time): the body is not read, so `model` and `stream` are unknown",
        );
    } else if route.condition.is_impossible() {
        node.error(CONTRADICTORY);
    } else if is_taken(&route.condition) {
        node.error(
            "no request can ever match this: a POST to such a path is a model call, which only routes without \
             `pass_through` take, and the router itself answers requests for model lists; to match another method at \
             the same path, add `method`",
        );
    }
}

fn check_targets(node: &Node<'_>) {
    let targets = node.list();
    if targets.len() > 1 {
        node.error(
            "a route with `pass_through: true` must have exactly one target, because there is no fallback",
        );
    }
    for target in targets {
        for name in ["model", "weight", "parameters", "targets"] {
            // Unknown fields are reported where targets are read.
            if let Some((_, node)) = target.entries().iter().find(|(field, _)| *field == name) {
                node.error("cannot be used with `pass_through: true`: remove it");
            }
        }
    }
}

/// Refuses a target whose backend lacks a required label. Labels of models do not count: it is not known which model is
/// used, if any.
fn check_labels(node: &Node<'_>, route: &Route) {
    for target in &route.targets {
        let labels = &target.backend.labels;
        for required in route
            .requirements
            .require
            .iter()
            .filter(|one| !one.is_met(labels))
        {
            let has = labels.get(&required.name);
            let reason = ExclusionReason::LabelMissing { required, has };
            node.error(format!(
                "its only target, backend \"{}\", can never be used ({reason}): add the label to the backend, or \
                 remove the route; labels of models do not count here, because requests that pass through are not \
                 model calls",
                target.backend.name
            ));
        }
    }
}

/// Whether every request that meets the condition is handled elsewhere: as a model call, or by the router itself.
fn is_taken(condition: &Condition) -> bool {
    let method = |method: &str| Condition::Method(vec![Pattern::Exact(method.to_owned())]);
    let exact = |path: &str| Pattern::Exact(path.to_owned());
    let lists = [
        "/v1/models",
        "/v1beta/models",
        "/openai/v1/models",
        "/openai/models",
    ];
    let lists = Condition::Path(lists.iter().map(|path| exact(path)).collect());
    let calls = Api::ALL.iter().any(|api| api.paths().covers(condition));
    // Upgrades are never model calls, whatever their path.
    let is_upgrade = condition.asks_for_header("upgrade");
    (calls && !is_upgrade && !condition.excludes(&method("POST")))
        || (lists.covers(condition) && !condition.excludes(&method("GET")))
}
