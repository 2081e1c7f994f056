//! Model aliases: other names by which clients may ask for a model.

use std::sync::Arc;

use super::backend::Backend;
use super::catalog::can_be_asked_for;
use super::error::suggestion;
use super::reader::Node;
use super::route::Route;
use crate::schema::is_model_name;

/// Maps each alias to the model that routes see in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases(Vec<(String, String)>);

impl Aliases {
    /// Returns the model that `name` is an alias of.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.iter();
        all.find(|(alias, _)| *alias == name)
            .map(|(_, model)| model)
    }

    /// Returns all aliases with their models, in the order of the document.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter();
        all.map(|(alias, model)| (alias.as_str(), model.as_str()))
    }
}

pub(super) fn read(node: &Node<'_>, routes: &[Route], backends: &[Arc<Backend>]) -> Aliases {
    let entries = node.entries();
    let mut aliases = Vec::new();
    for (alias, node) in &entries {
        let Some(model) = node.name() else { continue };
        if let Some(why_not) = why_not(alias, model, &entries, routes, backends) {
            node.error(why_not);
        }
        aliases.push(((*alias).to_owned(), model.to_owned()));
    }
    Aliases(aliases)
}

/// Returns why `alias` cannot stand for `model`; `None` if it can.
fn why_not(
    alias: &str,
    model: &str,
    entries: &[(&str, Node<'_>)],
    routes: &[Route],
    backends: &[Arc<Backend>],
) -> Option<String> {
    if !is_model_name(alias) || !is_model_name(model) || alias.contains('*') || model.contains('*')
    {
        return Some(
            "alias and model must both be exact names: no patterns, not empty, no control characters"
                .to_owned(),
        );
    }
    if entries.iter().any(|(other, _)| *other == model) {
        return Some(format!(
            "\"{model}\" is an alias itself: name the model that it stands for"
        ));
    }
    let matches = |route: &&Route| {
        let mut names = Vec::new();
        route.condition.exact_models(&mut names);
        names.contains(&alias)
    };
    if let Some(route) = routes.iter().find(matches) {
        return Some(format!(
            "the route \"{}\" matches \"{alias}\" by name, but routes only see the model that the alias stands for: \
             remove one of the two",
            route.name
        ));
    }
    let serves = |backend: &&Arc<Backend>| backend.exact_models().any(|known| known == alias);
    if let Some(backend) = backends.iter().find(serves) {
        return Some(format!(
            "backend \"{}\" has a model \"{alias}\", which requests could no longer ask for: remove one of the two, \
             or write a route for the name",
            backend.name
        ));
    }
    if routes.is_empty() || can_be_asked_for(routes, model) {
        return None;
    }
    let mut names = Vec::new();
    for route in routes {
        route.condition.exact_models(&mut names);
    }
    names.extend(backends.iter().flat_map(|backend| backend.exact_models()));
    Some(format!(
        "no route takes a request for \"{model}\"{}",
        match suggestion(model, names.into_iter().filter(|name| *name != model)).as_str() {
            "" => ", or none of its targets serves it",
            close => close,
        }
    ))
}
