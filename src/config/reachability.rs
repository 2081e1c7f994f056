//! Refuses routes that cannot work: matches that no request can satisfy, and targets that no request can reach.

use super::Route;
use super::model::Model;
use super::reader::{Fields, Node};
use super::requirements::TargetRequirements;
use super::targets::{self, Target};
use crate::routing::{Condition, ExclusionReason, Pattern, Subject, check_requirements};
use crate::schema::Api;

/// The error for a match that no request can satisfy.
pub(super) const CONTRADICTORY: &str = "no request can ever match this: its conditions exclude each other, \
    and all conditions of a match must hold together";

/// Refuses a match that no request can satisfy, and targets that no request can reach.
pub(super) fn check(node: &Node<'_>, fields: &Fields<'_>, route: &Route) {
    let apis: Vec<Api> = Api::ALL
        .iter()
        .copied()
        .filter(|api| {
            let post = Condition::Method(vec![Pattern::Exact("POST".to_owned())]);
            let calls = Condition::All(vec![post, api.paths()]);
            !route.condition.excludes(&calls)
        })
        .collect();
    if route.condition.is_impossible() {
        node.error(CONTRADICTORY);
        return;
    }
    if apis.is_empty() {
        node.error(
            "no request can ever match this: a route takes POST requests to paths of model calls, such as \
             /v1/chat/completions or /v1/messages (docs/apis.md lists all); for other paths and methods use \
             `pass_through: true`",
        );
        return;
    }
    let Some(node) = fields.optional("targets") else {
        return;
    };
    if targets::count(node.tree()) != route.targets.len() {
        // Targets that could not be read have already reported their errors.
        return;
    }
    let mut all_can = true;
    for target in &route.targets {
        if let Some(why_not) = why_unreachable(route, target, &apis) {
            fields.error_at(&target.place, why_not);
            all_can = false;
        }
    }
    let mut names = Vec::new();
    route.condition.exact_models(&mut names);
    let unserved = |name: &&str| takes_model(route, name) && !serves(route, name);
    for name in names.into_iter().filter(unserved).filter(|_| all_can) {
        node.error(format!(
            "no target serves the model \"{name}\", which the route matches{}",
            if route.requirements != TargetRequirements::default() {
                ", or none that the route allows"
            } else {
                ""
            }
        ));
    }
}

/// Returns why no request of this route can ever go to the target; `None` if one can.
fn why_unreachable(route: &Route, target: &Target, apis: &[Api]) -> Option<String> {
    let backend = &target.backend;
    if !apis.iter().any(|api| backend.schema.speaks(*api)) {
        return Some(format!(
            "backend \"{}\" does not speak the API of the path that the route matches",
            backend.name
        ));
    }
    let mut models = backend.models.iter();
    let may_serve =
        models.any(|model| backend.may_be_asked(model, |name| takes_model(route, name)));
    if target.model.is_none() && !may_serve && !backend.models.is_empty() {
        return Some(format!(
            "backend \"{}\" serves no model whose name this route matches: set the `model` of the target",
            backend.name
        ));
    }
    let reason = why_unmet(route, target)?;
    Some(format!(
        "no request of this route can ever go to backend \"{}\" ({reason}): change what the route requires or what \
         the backend and its models declare, or remove the target",
        backend.name
    ))
}

/// Returns why none of the target's possible models meets the route's requirements; `None` if one does.
fn why_unmet<'d>(route: &'d Route, target: &'d Target) -> Option<ExclusionReason<'d>> {
    let backend = &target.backend;
    if let Some(name) = &target.model {
        return check_requirements(&route.requirements, backend.model(name)?).err();
    }
    let may_come = |model: &&Model| backend.may_be_asked(model, |name| takes_model(route, name));
    let mut why_not = None;
    for model in backend.models.iter().filter(may_come) {
        why_not = Some(check_requirements(&route.requirements, model).err()?);
    }
    why_not
}

/// Whether a target of the route serves requests for this model.
pub(super) fn serves(route: &Route, model: &str) -> bool {
    let is_its = |target: &Target| {
        let entry = target.backend.model(model);
        entry.is_some_and(|entry| check_requirements(&route.requirements, entry).is_ok())
    };
    let mut targets = route.targets.iter();
    targets.any(|target| target.model.is_some() || is_its(target))
}

/// Whether this route may take a request for this model.
fn takes_model(route: &Route, model: &str) -> bool {
    let subject = Subject {
        model: Some(model),
        ..Subject::default()
    };
    route.condition.evaluate(&subject) != Some(false)
}
