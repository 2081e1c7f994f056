//! What a document may say, but hardly means.

use super::report::Finding;
use super::source::Located;
use crate::attempt::{Action, Failure};
use crate::config::{Backend, Document, Route, Target};
use crate::routing::Subject;
use crate::schema::Api;

/// All of them, of a document that has no errors.
pub(super) fn find(document: &Document, located: &Located) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |path: String, message: String| {
        findings.push(Finding::warning(located.find(&path, false), &path, message));
    };
    for (index, backend) in document.backends.iter().enumerate() {
        unused(document, backend, &format!("backends[{index}]"), &mut add);
    }
    for (index, route) in document.routes.iter().enumerate() {
        mixed_apis(route, &format!("routes[{index}]"), &mut add);
        unknown_windows(route, &format!("routes[{index}]"), &mut add);
    }
    if !document.mesh_gateways.is_empty() && !document.caller_asks.mesh {
        add(
            "defaults.mesh_gateways".to_owned(),
            "no route asks for `mesh`: add such a route, or remove it".to_owned(),
        );
    }
    findings
}

/// A backend that no route uses, or models of it.
fn unused(
    document: &Document,
    backend: &Backend,
    path: &str,
    add: &mut impl FnMut(String, String),
) {
    let is_its = |target: &&Target| target.backend.name == backend.name;
    let routes = document.routes.iter();
    let targets: Vec<(&Route, &Target)> = routes
        .flat_map(|route| {
            let targets = route.targets.iter().filter(is_its);
            targets.map(move |target| (route, target))
        })
        .collect();
    if targets.is_empty() {
        let message = format!(
            "no route has the backend \"{}\" as a target: add it to one, or remove it",
            backend.name
        );
        return add(format!("{path}.name"), message);
    }
    let mut of_models = targets
        .iter()
        .filter(|(route, _)| !route.pass_through)
        .peekable();
    if of_models.peek().is_none() {
        return;
    }
    let of_models: Vec<_> = of_models.collect();
    for (index, model) in backend.models.iter().enumerate() {
        let name = model.name.as_exact();
        let is_used = of_models
            .iter()
            .any(|(route, target)| match (&target.model, name) {
                (Some(wanted), _) => {
                    let entry = backend.model(wanted);
                    entry.is_some_and(|entry| std::ptr::eq(entry, model))
                }
                (None, Some(name)) => may_take(route, name),
                (None, None) => true,
            });
        if !is_used {
            let message = "no route sends requests to this model: no target names it, and no route that keeps the \
                           client's model takes its name";
            add(format!("{path}.models[{index}].name"), message.to_owned());
        }
    }
}

/// Whether a request for this model may come to this route.
fn may_take(route: &Route, model: &str) -> bool {
    let subject = Subject {
        model: Some(model),
        ..Subject::default()
    };
    route.condition.evaluate(&subject) != Some(false)
}

/// Targets of named models at backends of different APIs, which never follow each other.
fn mixed_apis(route: &Route, path: &str, add: &mut impl FnMut(String, String)) {
    let speaks = |target: &Target| -> Vec<Api> {
        let apis = Api::ALL.iter().copied();
        apis.filter(|api| target.backend.schema.speaks(*api))
            .collect()
    };
    let mut named = route.targets.iter().enumerate();
    let Some((_, first)) = named.find(|(_, target)| target.model.is_some()) else {
        return;
    };
    let other = named.find(|(_, target)| target.model.is_some() && speaks(target) != speaks(first));
    if let Some((index, other)) = other {
        let message = format!(
            "speaks another API (`schema: {}`) than \"{}\" (`{}`), and neither is ever a fallback of the other: a request \
             goes only to those that speak its own",
            other.backend.schema.name(),
            first.backend.name,
            first.backend.schema.name()
        );
        add(format!("{path}.targets[{index}].backend"), message);
    }
}

/// Targets of which it is not known whether what was too long for another one fits.
fn unknown_windows(route: &Route, path: &str, add: &mut impl FnMut(String, String)) {
    if route.policy.row(Failure::ContextLength).action != Action::LargerWindow {
        return;
    }
    let window = |target: &Target| {
        let entry = target.backend.model(target.model.as_deref()?)?;
        Some(entry.context_window)
    };
    let mut windows = route.targets.iter().filter_map(window);
    if !windows.any(|window| window > 0) {
        return;
    }
    for (index, target) in route.targets.iter().enumerate() {
        if window(target) == Some(0) {
            let message = format!(
                "the model has no `context_window`, and others of this route do: a prompt that was too long for one of \
                 them never comes here. Write how many tokens fit into it at the backend \"{}\"",
                target.backend.name
            );
            add(format!("{path}.targets[{index}].model"), message);
        }
    }
}
