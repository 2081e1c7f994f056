//! Routes: reading them, and refusing those that could never do what they say.

use std::sync::Arc;

use hashbrown::HashSet;

use super::backend::Backend;
use super::demands::{self, Demands};
use super::error::suggestion;
use super::fields;
use super::model::Model;
use super::older;
use super::reader::{Fields, Node};
use crate::attempt::Policy;
use crate::routing::{Condition, LeftOut, Pattern, Subject, meets};
use crate::schema::Api;

/// A rule: which requests it takes and where they may go.
#[derive(Clone, Debug)]
pub struct Route {
    /// What logs and errors call it.
    pub name: String,
    /// Which requests it takes.
    pub condition: Condition,
    /// What it asks of its targets.
    pub demands: Demands,
    /// How the plan is made of the targets.
    pub strategy: Strategy,
    /// Where a request may go.
    pub targets: Vec<Target>,
    /// Whether it takes what is no call of a model, and nothing else.
    pub pass_through: bool,
    /// The backend where that is stored which its requests name; `None`: its only one, if it has one.
    pub stored_at: Option<String>,
    /// The cluster that has all targets as members, where Envoy cannot go from one target's cluster to the next one's.
    pub aggregate_cluster: Option<String>,
    /// What happens when an attempt fails.
    pub policy: Policy,
}

/// How a plan is made of a route's targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// In the order of the document.
    Ordered,
    /// Drawn by weight, one after the other.
    Weighted,
}

impl Strategy {
    /// All of them, with their names in the document.
    pub const ALL: [(&'static str, Strategy); 2] = [
        ("ordered", Strategy::Ordered),
        ("weighted", Strategy::Weighted),
    ];
}

/// A backend and one of its models.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where.
    pub backend: Arc<Backend>,
    /// Which of its models, by the name that routes use; `None`: the one that the client asked for.
    pub model: Option<String>,
    /// How often, relative to the other targets.
    pub weight: u32,
}

/// How many targets a route may have. Its plan travels with every request, and the attempts are counted in a byte.
const MAX_TARGETS: usize = 64;

/// `is_older`: the cluster is chosen once for a request, by a header.
pub(super) fn read_all(
    node: &Node<'_>,
    backends: &[Arc<Backend>],
    policy: &Policy,
    is_older: bool,
) -> Vec<Route> {
    let mut names = HashSet::new();
    let mut routes: Vec<Route> = Vec::new();
    // The place in the document of each route that could be read.
    let mut places: Vec<String> = Vec::new();
    for node in node.non_empty_list() {
        let fields = node.fields(fields::ROUTE);
        let Some(route) = read(&fields, backends, policy, is_older) else {
            continue;
        };
        if !names.insert(route.name.clone()) {
            node.error(format!(
                "there is another route \"{}\": give each its own name",
                route.name
            ));
        }
        if route.pass_through {
            super::pass_through::check(&node, &fields, &route);
        } else {
            check_possible(&node, &fields, &route);
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
    routes
}

fn read(
    fields: &Fields<'_>,
    backends: &[Arc<Backend>],
    policy: &Policy,
    is_older: bool,
) -> Option<Route> {
    let name = fields.required("name").and_then(Node::name);
    let condition = fields.required("match").and_then(super::condition::read);
    let strategy = fields
        .optional("strategy")
        .and_then(|node| super::fallback::one_of(node, &Strategy::ALL))
        .unwrap_or(Strategy::Ordered);
    let targets = fields
        .required("targets")
        .map(|node| read_targets(node, backends, strategy))
        .unwrap_or_default();
    let demands = demands::read(fields, backends);
    let aggregate_cluster = fields.optional("aggregate_cluster").and_then(|node| {
        let around = older::Surroundings {
            is_older,
            strategy,
            demands: &demands,
            targets: &targets,
            backends,
        };
        older::read_aggregate(node, &around)
    });
    let policy = match fields.optional("fallback") {
        Some(node) => super::fallback::read_policy(node, policy),
        None => policy.clone(),
    };
    let stored_at = fields
        .optional("stored_at")
        .and_then(|node| super::pass_through::read_stored_at(node, &targets));
    // What it takes is not known without this.
    let pass_through = match fields.optional("pass_through") {
        Some(node) => node.boolean()?,
        None => false,
    };
    if is_older {
        older::check_policy(fields, &policy);
    }
    Some(Route {
        name: name?.to_owned(),
        condition: condition?,
        demands,
        strategy,
        targets,
        pass_through,
        stored_at,
        aggregate_cluster,
        policy,
    })
}

fn read_targets(node: &Node<'_>, backends: &[Arc<Backend>], strategy: Strategy) -> Vec<Target> {
    let items = node.non_empty_list();
    if items.len() > MAX_TARGETS {
        node.error(format!("has more than {MAX_TARGETS} targets"));
    }
    let targets: Vec<Target> = items
        .iter()
        .filter_map(|node| read_target(&node.fields(fields::TARGET), backends, strategy))
        .collect();
    if strategy == Strategy::Weighted
        && !targets.is_empty()
        && targets.iter().all(|target| target.weight == 0)
    {
        node.error("the weights add up to 0: give one target at least a weight");
    }
    targets
}

fn read_target(
    fields: &Fields<'_>,
    backends: &[Arc<Backend>],
    strategy: Strategy,
) -> Option<Target> {
    let weight = fields.optional("weight").and_then(|node| {
        if strategy == Strategy::Ordered {
            node.error("only `strategy: weighted` has weights: remove it, or set the strategy");
        }
        node.integer(0, 1_000_000)
    });
    let model = fields.optional("model");
    let node = fields.required("backend")?;
    let written = node.name()?;
    let Some(backend) = backends.iter().find(|backend| backend.name == written) else {
        let names = backends.iter().map(|backend| backend.name.as_str());
        node.error(format!(
            "unknown backend \"{written}\"{}",
            match suggestion(written, names.clone()).as_str() {
                "" if backends.is_empty() => String::new(),
                "" => format!("; there are {}", names.collect::<Vec<_>>().join(", ")),
                close => close.to_owned(),
            }
        ));
        return None;
    };
    let model = match model {
        None => None,
        Some(node) => Some(read_target_model(node, backend)?),
    };
    Some(Target {
        backend: Arc::clone(backend),
        model,
        weight: weight.unwrap_or(1),
    })
}

fn read_target_model(node: &Node<'_>, backend: &Backend) -> Option<String> {
    let written = node.name()?;
    if written.contains('*') {
        node.error("must be one model, not a pattern: leave it out to keep the client's own");
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

/// Refuses a match that no request can satisfy and targets that no request can reach.
fn check_possible(node: &Node<'_>, fields: &Fields<'_>, route: &Route) {
    let apis: Vec<Api> = Api::ALL
        .iter()
        .copied()
        .filter(|api| {
            let post = Condition::Method(vec![Pattern::Exact("POST".to_owned())]);
            let calls = Condition::All(vec![post, api.paths()]);
            !route.condition.excludes(&calls)
        })
        .collect();
    if apis.is_empty() || route.condition.is_impossible() {
        node.error(
            "no request can ever match this: a route takes POST requests to paths of models, such as \
             /v1/chat/completions or /v1/messages (docs/apis.md has all), and all conditions of a match must hold \
             together; for other paths and methods there is `pass_through: true`",
        );
        return;
    }
    let Some(node) = fields.optional("targets") else {
        return;
    };
    let nodes = node.list();
    if nodes.len() != route.targets.len() {
        // Those that could not be read have had their errors.
        return;
    }
    let mut all_can = true;
    for (target, node) in route.targets.iter().zip(nodes) {
        if let Some(why_not) = why_never(route, target, &apis) {
            node.error(why_not);
            all_can = false;
        }
    }
    let mut names = Vec::new();
    route.condition.exact_models(&mut names);
    let unserved = |name: &&str| takes_model(route, name) && !serves(route, name);
    for name in names.into_iter().filter(unserved).filter(|_| all_can) {
        node.error(format!(
            "no target serves the model \"{name}\", which the route matches{}",
            if route.demands != Demands::default() {
                ", or none that the route lets it go to"
            } else {
                ""
            }
        ));
    }
}

/// Why no request of this route can ever go to one of its targets.
fn why_never(route: &Route, target: &Target, apis: &[Api]) -> Option<String> {
    let backend = &target.backend;
    if !apis.iter().any(|api| backend.schema.speaks(*api)) {
        return Some(format!(
            "backend \"{}\" does not speak the API of the path that the route asks for",
            backend.name
        ));
    }
    let mut models = backend.models.iter();
    let may_serve = models.any(|model| {
        let name = model.name.as_exact();
        name.is_none_or(|name| takes_model(route, name))
    });
    if target.model.is_none() && !may_serve && !backend.models.is_empty() {
        return Some(format!(
            "backend \"{}\" serves no model of a name that this route takes: say which `model` it is to use",
            backend.name
        ));
    }
    let reason = never_meets(route, target)?;
    Some(format!(
        "no request of this route can ever go to backend \"{}\" ({reason}): change what the route asks for, or what the \
         backend or its models say, or remove the target",
        backend.name
    ))
}

/// Why none of the models that a target may be asked for is one that the route lets its requests go to.
fn never_meets<'d>(route: &'d Route, target: &'d Target) -> Option<LeftOut<'d>> {
    let backend = &target.backend;
    if let Some(name) = &target.model {
        return meets(&route.demands, backend.model(name)?).err();
    }
    let may_come = |model: &&Model| {
        let name = model.name.as_exact();
        name.is_none_or(|name| takes_model(route, name))
    };
    let mut why_not = None;
    for model in backend.models.iter().filter(may_come) {
        why_not = Some(meets(&route.demands, model).err()?);
    }
    why_not
}

/// Whether some target of the route serves a request for this model.
pub(super) fn serves(route: &Route, model: &str) -> bool {
    let is_its = |target: &Target| {
        let entry = target.backend.model(model);
        entry.is_some_and(|entry| meets(&route.demands, entry).is_ok())
    };
    let mut targets = route.targets.iter();
    targets.any(|target| target.model.is_some() || is_its(target))
}

/// Whether a request for this model may come to this route.
fn takes_model(route: &Route, model: &str) -> bool {
    let subject = Subject {
        model: Some(model),
        ..Subject::default()
    };
    route.condition.evaluate(&subject) != Some(false)
}
