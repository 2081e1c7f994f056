//! Builds the list of models that clients can ask for by name.

use std::sync::Arc;

use super::aliases::Aliases;
use super::backend::Backend;
use super::reachability::serves;
use super::route::Route;
use crate::routing::Subject;
use crate::schema::Catalog;

/// Returns the virtual models in the order of the routes, then the backends' own models, then the aliases.
pub(super) fn catalog(routes: &[Route], backends: &[Arc<Backend>], aliases: &Aliases) -> Catalog {
    let mut catalog = Catalog::default();
    let owner = |name: &str| {
        let mut owners = backends.iter();
        let owner = owners.find(|backend| backend.exact_models().any(|model| model == name));
        owner.map_or("llm-router", |backend| &backend.name)
    };
    let mut add = |name: &str| {
        if can_be_asked_for(routes, name) {
            catalog.add(name, owner(name));
        }
    };
    for route in routes.iter().filter(|route| !route.pass_through) {
        let mut names = Vec::new();
        route.condition.exact_models(&mut names);
        names.into_iter().for_each(&mut add);
    }
    for backend in backends {
        backend.exact_models().for_each(&mut add);
    }
    for (alias, model) in aliases.iter() {
        catalog.add(alias, owner(model));
    }
    catalog
}

/// Whether a request for this model can be served by a route. The search ends at the first route that takes every such
/// request.
pub(super) fn can_be_asked_for(routes: &[Route], model: &str) -> bool {
    let subject = Subject {
        model: Some(model),
        ..Subject::default()
    };
    for route in routes.iter().filter(|route| !route.pass_through) {
        let takes = route.condition.evaluate(&subject);
        if takes != Some(false) && serves(route, model) {
            return true;
        }
        if takes == Some(true) {
            return false;
        }
    }
    false
}
