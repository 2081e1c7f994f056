//! What a document may say, but hardly means.

use super::report::Finding;
use super::source::Located;
use crate::attempt::{Action, Failure};
use crate::config::{Backend, Document, PageAccess, Prices, Route, Target};
use crate::routing::{KeySource, LeftOut, Subject, meets};
use crate::schema::Api;

/// All of them, of a document that has no errors.
pub(super) fn find(document: &Document, located: &Located) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |path: String, message: String| {
        findings.push(Finding::warning(located.find(&path, false), &path, message));
    };
    for (index, backend) in document.backends.iter().enumerate() {
        let path = format!("backends[{index}]");
        unused(document, backend, &path, &mut add);
        prices(document, backend, &path, &mut add);
    }
    for (index, route) in document.routes.iter().enumerate() {
        mixed_apis(route, &format!("routes[{index}]"), &mut add);
        unknown_windows(route, &format!("routes[{index}]"), &mut add);
        unknown_prices(route, &format!("routes[{index}]"), &mut add);
        idle_sticky(route, &format!("routes[{index}]"), &mut add);
    }
    let is_its = |route: &&Route| !route.has_own_sticky && route.has_choice();
    if document.has_sticky && !document.routes.iter().any(|route| is_its(&route)) {
        let message = "no route has a choice that could stick by this: none without a `sticky` of its own has \
                       `strategy: weighted` or `percent`";
        add("defaults.sticky".to_owned(), message.to_owned());
    }
    callers(document, &mut add);
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
        let is_used = of_models.iter().any(|(route, target)| match &target.model {
            Some(wanted) => {
                let entry = backend.model(wanted);
                entry.is_some_and(|entry| std::ptr::eq(entry, model))
            }
            None => backend.may_be_asked(model, |name| may_take(route, name)),
        });
        if !is_used {
            let message = "no route sends requests to this model: no target names it, and no route that keeps the \
                           client's model takes its name";
            add(format!("{path}.models[{index}].name"), message.to_owned());
        }
    }
}

/// Scalars that are not, to Envoy, what they look like, in a document that may have errors.
pub(super) fn odd(located: &Located) -> Vec<Finding> {
    let mut findings = Vec::new();
    located.walk("", &mut |path, node| {
        // Text and numbers stand here alike, and say which they are.
        let is_of_body = path.contains(".parameters.") || path.starts_with("tests[");
        let wide = node.wide_number().filter(|_| is_of_body);
        let wide = wide.map(|written| {
            format!(
                "Envoy reads `{written}` as text, as it does all whole numbers of more than 32 bits: write {written}.0 if the \
                 number is meant, or quote it: '{written}'"
            )
        });
        if let Some(message) = node.odd().map(str::to_owned).or(wide) {
            findings.push(Finding::warning(node.place, path, message));
        }
    });
    findings
}

/// Prices that are missing where others are there, or that are probably mixed up.
fn prices(
    document: &Document,
    backend: &Backend,
    path: &str,
    add: &mut impl FnMut(String, String),
) {
    let mut models = document.backends.iter().flat_map(|other| &other.models);
    let are_some_known = models.any(|model| model.prices != Prices::default());
    for (index, model) in backend.models.iter().enumerate() {
        let path = format!("{path}.models[{index}]");
        let prices = &model.prices;
        // What a pattern stands for costs this and that.
        let is_one = model.name.as_exact().is_some();
        if are_some_known && is_one && *prices == Prices::default() {
            let message = "the model has no `prices`, and others do: what it costs is not known, which is not free, and no \
                           route with `max_prices` sends anything there. For what costs nothing write `prices: {input: 0, \
                           output: 0}`";
            add(format!("{path}.name"), message.to_owned());
        }
        if prices.input.is_some() && prices.cached_input > prices.input {
            let message = "is more than `input`: what has been seen before costs less, or the same";
            add(format!("{path}.prices.cached_input"), message.to_owned());
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

/// A route of targets that speak different APIs, one target for each: nobody ever gets another one of them.
fn mixed_apis(route: &Route, path: &str, add: &mut impl FnMut(String, String)) {
    let speaks = |target: &Target| -> Vec<Api> {
        let apis = Api::ALL.iter().copied();
        apis.filter(|api| target.backend.schema.speaks(*api))
            .collect()
    };
    let named = route.targets.iter();
    let named: Vec<&Target> = named.filter(|target| target.model.is_some()).collect();
    let is_fallback = |target: &Target| {
        let alike = |other: &&&Target| speaks(other) == speaks(target);
        named.iter().filter(alike).count() > 1
    };
    if named.iter().any(|target| is_fallback(target)) {
        return;
    }
    if let [first, other, ..] = named.as_slice() {
        let message = format!(
            "speaks another API (`schema: {}`) than \"{}\" (`{}`), and a request goes only to targets that speak its own: no \
             target of this route is a fallback of another one. If that is meant, write a route for each, by its `path`",
            other.backend.schema.name(),
            first.backend.name,
            first.backend.schema.name()
        );
        add(format!("{path}.{}.backend", other.place), message);
    }
}

/// Callers that are named for metrics that there are not, or in a header that no request is known to have.
fn callers(document: &Document, add: &mut impl FnMut(String, String)) {
    let telemetry = &document.telemetry;
    if !telemetry.metrics && !telemetry.callers.is_empty() {
        let message =
            "has no effect: it is for metrics of their own, and `metrics: false` has none";
        add("defaults.telemetry.callers".to_owned(), message.to_owned());
    }
    let page = document.page.as_ref();
    if let Some(PageAccess::Secret { header, .. }) = page.map(|page| &page.access) {
        secret_header(document, header, add);
    }
}

/// What asks for the header with the page's secret, which is taken out of every request.
fn secret_header(document: &Document, header: &str, add: &mut impl FnMut(String, String)) {
    let mut tell = |path: String, so: &str| {
        let message = format!(
            "is the header with the page's secret, which is taken out of every request: {so}"
        );
        add(path, message);
    };
    let is_its = |source: &KeySource| *source == KeySource::Header(header.to_owned());
    if document.telemetry.caller.as_ref().is_some_and(is_its) {
        let path = "defaults.telemetry.caller";
        tell(path.to_owned(), "nobody has a name by it");
    }
    for (index, route) in document.routes.iter().enumerate() {
        if route.condition.asks_for_header(header) {
            let path = format!("routes[{index}].match.headers.{header}");
            tell(path, "this route takes none");
        }
        if route.has_own_sticky && route.sticky.sources().iter().any(is_its) {
            tell(format!("routes[{index}].sticky"), "nothing sticks by it");
        }
    }
    let mut routes = document.routes.iter();
    let sticky = routes.find(|route| !route.has_own_sticky);
    if sticky.is_some_and(|route| route.sticky.sources().iter().any(is_its)) {
        tell("defaults.sticky".to_owned(), "nothing sticks by it");
    }
}

/// A key that nothing is chosen by.
fn idle_sticky(route: &Route, path: &str, add: &mut impl FnMut(String, String)) {
    if route.has_own_sticky && !route.sticky.sources().is_empty() && !route.has_choice() {
        let message = "has no effect: only `strategy: weighted` and `percent` choose by a key, and the route has neither";
        add(format!("{path}.sticky"), message.to_owned());
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
    for target in &route.targets {
        if window(target) == Some(0) {
            let message = format!(
                "the model has no `context_window`, and others of this route do: a prompt that was too long for one of \
                 them never comes here. Write how many tokens fit into it at the backend \"{}\"",
                target.backend.name
            );
            add(format!("{path}.{}.model", target.place), message);
        }
    }
}

/// Models that keep out of a route because just the price is missing that it limits.
fn unknown_prices(route: &Route, path: &str, add: &mut impl FnMut(String, String)) {
    for (index, target) in route.targets.iter().enumerate() {
        // A model that a target names has had its error.
        if target.model.is_some() {
            continue;
        }
        for model in &target.backend.models {
            let may_come = model
                .name
                .as_exact()
                .is_none_or(|name| may_take(route, name));
            let is_priced = model.prices != Prices::default();
            if let Err(LeftOut::PriceUnknown(which)) = meets(&route.demands, model)
                && may_come
                && is_priced
            {
                let message = format!(
                    "the model \"{}\" of the backend \"{}\" has prices, but none for {which}, which the route limits: it is left \
                     out",
                    model.name, target.backend.name
                );
                add(format!("{path}.targets[{index}].backend"), message);
            }
        }
    }
}
