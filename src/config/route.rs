//! Reads the document's routes.

use std::sync::Arc;

use hashbrown::HashSet;

use super::backend::Backend;
use super::fallback::one_of;
use super::reader::{Fields, Node};
use super::requirements::{self, TargetRequirements};
use super::targets::{Strategy, Target};
use super::{condition, fields, older, reachability, sticky, targets};
use crate::attempt::FallbackPolicy;
use crate::prompt::share;
use crate::request::CallerParts;
use crate::routing::{Condition, KeySource, RouteIndex, Sticky};

/// A rule that says which requests it takes and which targets they may go to.
#[derive(Clone, Debug)]
pub struct Route {
    /// The name of the route in logs and errors.
    pub name: String,
    /// The requests that the route takes.
    pub condition: Condition,
    /// The route's requirements on its targets.
    pub requirements: TargetRequirements,
    /// The key sources of the route's sticky choices.
    pub sticky: Sticky,
    /// Whether the route sets `sticky` itself.
    pub has_own_sticky: bool,
    /// The strategy of each group of targets, in the order in which the plan uses them.
    pub groups: Vec<Strategy>,
    /// The targets, in the order of the document.
    pub targets: Vec<Target>,
    /// Whether the route takes only requests that are not model calls.
    pub pass_through: bool,
    /// The backend that has the stored state to which the route's requests refer; `None`: the route's only backend, if
    /// it has just one.
    pub stored_at: Option<String>,
    /// The aggregate cluster with all targets as members, for Envoys that cannot select another target's cluster for a
    /// retry.
    pub aggregate_cluster: Option<String>,
    /// What happens when an attempt fails.
    pub policy: FallbackPolicy,
}

impl Route {
    /// Whether any of the targets are chosen by weight.
    pub fn is_weighted(&self) -> bool {
        self.groups.contains(&Strategy::Weighted)
    }

    /// Whether the route chooses anything by a key or at random.
    pub fn has_choice(&self) -> bool {
        self.is_weighted() || self.condition.has_share()
    }
}

/// What reading a route needs to know of the rest of the document.
pub(super) struct RouteContext<'a> {
    pub(super) backends: &'a [Arc<Backend>],
    /// The policy of routes without their own `fallback`.
    pub(super) policy: &'a FallbackPolicy,
    pub(super) sticky: &'a Arc<[KeySource]>,
    /// Whether the document has a `cluster_header`, so that Envoy selects the cluster only once for each request.
    pub(super) is_older: bool,
}

pub(super) fn read_all(node: &Node<'_>, context: &RouteContext<'_>) -> Vec<Route> {
    let mut names = HashSet::new();
    let mut routes: Vec<Route> = Vec::new();
    // The path in the document of each route that could be read.
    let mut places: Vec<String> = Vec::new();
    for node in node.non_empty_list() {
        let fields = node.fields(fields::ROUTE);
        let Some(route) = read(&fields, context) else {
            continue;
        };
        if !names.insert(route.name.clone()) {
            node.error(format!(
                "another route is also called \"{}\": routes need unique names",
                route.name
            ));
        }
        if route.pass_through {
            super::pass_through::check(&node, &fields, &route);
        } else {
            reachability::check(&node, &fields, &route);
        }
        let mut earlier = routes.iter().zip(&places);
        if let Some((earlier, place)) = earlier.find(|(earlier, _)| {
            earlier.pass_through == route.pass_through && earlier.condition.covers(&route.condition)
        }) {
            node.error(format!(
                "can never be reached: {place} (\"{}\") already takes every request that it matches",
                earlier.name
            ));
        }
        places.push(node.path.clone());
        routes.push(route);
    }
    share_words(&mut routes);
    routes
}

/// Lets all routes that look at the same part of a prompt share one search for their words.
fn share_words(routes: &mut [Route]) {
    let mut found = Vec::new();
    for route in routes {
        route.condition.texts(&mut found);
    }
    share(found);
}

fn read(fields: &Fields<'_>, context: &RouteContext<'_>) -> Option<Route> {
    let name = fields.required("name").and_then(Node::name);
    // The fields below depend on whether this is a pass-through route.
    let pass_through = fields.optional("pass_through").map(Node::boolean);
    let is_passing = pass_through.flatten() == Some(true);
    let sources = read_sticky(fields, context.sticky, is_passing);
    let match_context = condition::MatchContext {
        route: name.unwrap_or_default(),
        sticky: &sources,
    };
    let condition = fields
        .required("match")
        .and_then(|node| condition::read(node, &match_context));
    let strategy = fields
        .optional("strategy")
        .and_then(|node| one_of(node, &Strategy::ALL))
        .unwrap_or(Strategy::Ordered);
    let targets = fields
        .required("targets")
        .map(|node| targets::read(node, context.backends, strategy));
    let (targets, groups) = targets
        .map(|read| (read.targets, read.groups))
        .unwrap_or_default();
    let requirements = requirements::read(fields, context.backends);
    let aggregate_cluster = fields.optional("aggregate_cluster").and_then(|node| {
        let context = older::AggregateContext {
            is_older: context.is_older,
            groups: &groups,
            requirements: &requirements,
            targets: &targets,
            backends: context.backends,
        };
        older::read_aggregate(node, &context)
    });
    let policy = read_policy(fields, context);
    let stored_at = fields
        .optional("stored_at")
        .and_then(|node| super::pass_through::read_stored_at(node, &targets));
    Some(Route {
        name: name?.to_owned(),
        condition: condition?,
        requirements,
        sticky: Sticky::new(name?, sources),
        has_own_sticky: fields.optional("sticky").is_some(),
        groups,
        targets,
        pass_through: pass_through.unwrap_or(Some(false))?,
        stored_at,
        aggregate_cluster,
        policy,
    })
}

/// Reads what the route does when an attempt fails.
fn read_policy(fields: &Fields<'_>, context: &RouteContext<'_>) -> FallbackPolicy {
    let policy = match fields.optional("fallback") {
        Some(node) => super::fallback::read_policy(node, context.policy),
        None => context.policy.clone(),
    };
    if context.is_older {
        older::check_policy(fields, &policy);
    }
    policy
}

/// Reads the sources in which the route looks for sticky keys.
fn read_sticky(
    fields: &Fields<'_>,
    default: &Arc<[KeySource]>,
    is_passing: bool,
) -> Arc<[KeySource]> {
    match fields.optional("sticky") {
        Some(node) => sticky::read(node, is_passing),
        None if is_passing => sticky::without_bodies(default),
        None => Arc::clone(default),
    }
}

/// Indexes the routes for model calls by the model names that they match.
pub(super) fn index(routes: &[Route]) -> RouteIndex {
    let conditions = routes.iter().map(|route| &route.condition);
    let numbered = conditions.enumerate().zip(routes);
    RouteIndex::new(
        numbered.filter_map(|(numbered, route)| (!route.pass_through).then_some(numbered)),
    )
}

/// Returns what the routes' conditions and sticky choices need to know about the caller.
pub(super) fn caller_parts(routes: &[Route]) -> CallerParts {
    let mut parts = CallerParts::default();
    for route in routes {
        route.condition.add_caller_parts(&mut parts);
        if route.has_choice() {
            let sources = route.sticky.sources().iter();
            sources.for_each(|source| source.add_caller_parts(&mut parts));
        }
    }
    parts
}
