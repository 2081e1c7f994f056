//! Warnings about valid documents that are probably not what their authors meant.

use super::report::Finding;
use super::source::LocatedNode;
use crate::attempt::{Failure, FailureAction};
use crate::config::{Backend, Document, PageAccess, Prices, Route, Target};
use crate::routing::{ExclusionReason, KeySource, Subject, check_requirements};
use crate::schema::Api;

/// Returns all warnings about a document without errors.
pub(super) fn find(document: &Document, located: &LocatedNode) -> Vec<Finding> {
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
        let message = "has no effect: it applies to routes without a `sticky` of their own, and none of these has \
                       `strategy: weighted` or `percent`";
        add("defaults.sticky".to_owned(), message.to_owned());
    }
    callers(document, &mut add);
    if !document.mesh_gateways.is_empty() && !document.caller_parts.mesh {
        add(
            "defaults.mesh_gateways".to_owned(),
            "has no effect, because no route matches `mesh`: add such a route, or remove this field".to_owned(),
        );
    }
    findings
}

/// Warns about backends that no route uses, and about unused models.
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
            "no route uses the backend \"{}\" as a target: add it to a route, or remove it",
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
                           client's model matches its name";
            add(format!("{path}.models[{index}].name"), message.to_owned());
        }
    }
}

/// Warns about scalars that Envoy reads differently from what they look like. The document may have errors.
pub(super) fn misreading(located: &LocatedNode) -> Vec<Finding> {
    let mut findings = Vec::new();
    located.walk("", &mut |path, node| {
        // Text and numbers are both valid here, so a wide number must say which it is.
        let is_of_body = path.contains(".parameters.") || path.starts_with("tests[");
        let wide = node.wide_number().filter(|_| is_of_body);
        let wide = wide.map(|written| {
            format!(
                "Envoy reads `{written}` as text, like all whole numbers of more than 32 bits: write {written}.0 if \
                 you mean the number, or quote it: '{written}'"
            )
        });
        if let Some(message) = node.misreading().map(str::to_owned).or(wide) {
            findings.push(Finding::warning(node.place, path, message));
        }
    });
    findings
}

/// Warns about prices that are missing although others are set, and about prices that are probably mixed up.
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
        // The models that a pattern stands for have different prices.
        let is_one = model.name.as_exact().is_some();
        if are_some_known && is_one && *prices == Prices::default() {
            let message = "the model has no `prices`, but others do: its cost is unknown (which is not the same as \
                           free), and routes with `max_prices` never use it. For a model that costs nothing, write \
                           `prices: {input: 0, output: 0}`";
            add(format!("{path}.name"), message.to_owned());
        }
        if prices.input.is_some() && prices.cached_input > prices.input {
            let message = "is more than `input`: cached input should cost less, or the same";
            add(format!("{path}.prices.cached_input"), message.to_owned());
        }
    }
}

/// Whether this route may take a request for this model.
fn may_take(route: &Route, model: &str) -> bool {
    let subject = Subject {
        model: Some(model),
        ..Subject::default()
    };
    route.condition.evaluate(&subject) != Some(false)
}

/// Warns about a route whose targets all speak different APIs: each request has one target and no fallback.
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
            "speaks a different API (`schema: {}`) than \"{}\" (`{}`), and a request only goes to targets that speak \
             its own API: no target of this route is a fallback for another one. If this is intended, write one route \
             for each API, by its `path`",
            other.backend.schema.name(),
            first.backend.name,
            first.backend.schema.name()
        );
        add(format!("{path}.{}.backend", other.place), message);
    }
}

/// Warns about callers that are listed although there are no metrics by caller, or whose header no request has.
fn callers(document: &Document, add: &mut impl FnMut(String, String)) {
    let telemetry = &document.telemetry;
    if !telemetry.metrics && !telemetry.callers.is_empty() {
        let message = "has no effect with `metrics: false`: it only says which callers have their own metrics";
        add("defaults.telemetry.callers".to_owned(), message.to_owned());
    }
    let page = document.page.as_ref();
    if let Some(PageAccess::Secret { header, .. }) = page.map(|page| &page.access) {
        secret_header(document, header, add);
    }
}

/// Warns about settings that read the header with the page's secret, which the filter removes from every request.
fn secret_header(document: &Document, header: &str, add: &mut impl FnMut(String, String)) {
    let mut tell = |path: String, so: &str| {
        let message = format!(
            "is the header with the page's secret, which is removed from every request: {so}"
        );
        add(path, message);
    };
    let is_its = |source: &KeySource| *source == KeySource::Header(header.to_owned());
    if document.telemetry.caller.as_ref().is_some_and(is_its) {
        let path = "defaults.telemetry.caller";
        tell(path.to_owned(), "no caller would ever have a name");
    }
    for (index, route) in document.routes.iter().enumerate() {
        if route.condition.asks_for_header(header) {
            let path = format!("routes[{index}].match.headers.{header}");
            tell(path, "this route never matches");
        }
        if route.has_own_sticky && route.sticky.sources().iter().any(is_its) {
            tell(format!("routes[{index}].sticky"), "it never yields a key");
        }
    }
    let mut routes = document.routes.iter();
    let sticky = routes.find(|route| !route.has_own_sticky);
    if sticky.is_some_and(|route| route.sticky.sources().iter().any(is_its)) {
        tell("defaults.sticky".to_owned(), "it never yields a key");
    }
}

/// Warns about a key source that no choice uses.
fn idle_sticky(route: &Route, path: &str, add: &mut impl FnMut(String, String)) {
    if route.has_own_sticky && !route.sticky.sources().is_empty() && !route.has_choice() {
        let message = "has no effect: only `strategy: weighted` and `percent` use a key, and the route has neither";
        add(format!("{path}.sticky"), message.to_owned());
    }
}

/// Warns about targets without a known context window: a prompt that was too long for another target never goes there.
fn unknown_windows(route: &Route, path: &str, add: &mut impl FnMut(String, String)) {
    if route.policy.rule(Failure::ContextLength).action != FailureAction::LargerWindow {
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
                "the model has no `context_window`, but others of this route do: a prompt that was too long for one \
                 of them never goes to this target. Set the context_window of the model at the backend \"{}\"",
                target.backend.name
            );
            add(format!("{path}.{}.model", target.place), message);
        }
    }
}

/// Warns about models that a route leaves out because the one price that it limits is missing.
fn unknown_prices(route: &Route, path: &str, add: &mut impl FnMut(String, String)) {
    for (index, target) in route.targets.iter().enumerate() {
        // For a model that a target names, this is already an error.
        if target.model.is_some() {
            continue;
        }
        for model in &target.backend.models {
            let may_come = model
                .name
                .as_exact()
                .is_none_or(|name| may_take(route, name));
            let is_priced = model.prices != Prices::default();
            if let Err(ExclusionReason::PriceUnknown(which)) =
                check_requirements(&route.requirements, model)
                && may_come
                && is_priced
            {
                let message = format!(
                    "the model \"{}\" of the backend \"{}\" has prices, but none for {which}, which the route limits: \
                     the route never uses it",
                    model.name, target.backend.name
                );
                add(format!("{path}.targets[{index}].backend"), message);
            }
        }
    }
}
