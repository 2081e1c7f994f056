//! The label values that follow from a document.

use hashbrown::HashMap;

use super::labels::{self, Label};
use crate::config::{Backend, Document, Route, Target};
use crate::hash;
use crate::health::TargetKey;
use crate::routing::Subject;

/// The label value for everything that is not counted separately: callers that the document does not name, models
/// that only match one of its patterns, and whatever exceeds the limits.
pub const OTHER: &str = "other";

/// The label value for requests that no route took.
const NONE: &str = "none";

/// How many routes are counted separately: the first ones of the document.
pub const MAX_ROUTES: usize = 128;

/// How many targets (routes with a backend and a model) are counted separately: the first ones of the document.
pub const MAX_TARGETS: usize = 256;

/// How many models of backends are counted separately: the first ones of the document.
pub const MAX_PLACES: usize = 256;

/// The maximum number of targets times callers. A document with more is refused, because it names its callers itself.
pub const MAX_SHARES: usize = 1_024;

/// Combinations of values, as they are written, and their indexes.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    written: Vec<String>,
    places: HashMap<u64, usize>,
}

impl Values {
    /// Adds a combination, unless it exists or there are `max` already. A combination that was not added counts as
    /// the last one.
    fn add(&mut self, label: Label, values: &[&str], max: usize) {
        let key = hash::names(values);
        if self.written.len() < max && !self.places.contains_key(&key) {
            self.places.insert(key, self.written.len());
            self.written
                .push(labels::write(label.names(), values.iter().copied()));
        }
    }

    /// Adds the combination that stands for all others, as the last one.
    fn end(&mut self, label: Label) {
        let names = label.names();
        self.written
            .push(labels::write(names, names.iter().map(|_| OTHER)));
    }

    fn find(&self, values: &[&str]) -> Option<usize> {
        self.places.get(&hash::names(values)).copied()
    }

    /// The index of the last combination.
    fn last(&self) -> usize {
        self.written.len().saturating_sub(1)
    }

    pub(super) fn written(&self) -> &[String] {
        &self.written
    }
}

/// The values of all labels.
#[derive(Clone, Debug)]
pub(super) struct Names {
    routes: Values,
    targets: Values,
    places: Values,
    callers: Values,
    /// The targets that can cool down, with the indexes of their backends and models.
    keys: Vec<(TargetKey, usize)>,
}

impl Names {
    pub(super) fn of(document: &Document) -> Names {
        let mut names = Names {
            routes: Values::default(),
            targets: Values::default(),
            places: Values::default(),
            callers: callers(&document.telemetry.callers),
            keys: Vec::new(),
        };
        for route in &document.routes {
            names.routes.add(Label::Route, &[&route.name], MAX_ROUTES);
        }
        names.routes.add(Label::Route, &[NONE], usize::MAX);
        names.routes.end(Label::Route);
        names.targets = targets(&document.routes);
        for backend in &document.backends {
            for (_, model) in entries(backend) {
                let place = [backend.name.as_str(), model];
                names.places.add(Label::Place, &place, MAX_PLACES);
            }
        }
        for (backend, model) in document.routes.iter().flat_map(of_route) {
            names
                .places
                .add(Label::Place, &[backend, model], MAX_PLACES);
        }
        names.places.end(Label::Place);
        for backend in &document.backends {
            for (key, model) in entries(backend) {
                names.keys.push((key, names.place(&backend.name, model)));
            }
        }
        names
    }

    pub(super) fn values(&self, label: Label) -> Option<&Values> {
        match label {
            Label::Route => Some(&self.routes),
            Label::Target => Some(&self.targets),
            Label::Place => Some(&self.places),
            Label::Caller => Some(&self.callers),
            _ => None,
        }
    }

    pub(super) fn route(&self, name: Option<&str>) -> usize {
        let found = self.routes.find(&[name.unwrap_or(NONE)]);
        found.unwrap_or(self.routes.last())
    }

    pub(super) fn target(&self, route: &str, backend: &str, model: &str) -> usize {
        let exact = self.targets.find(&[route, backend, model]);
        let found = exact.or_else(|| self.targets.find(&[route, backend, OTHER]));
        found.unwrap_or(self.targets.last())
    }

    pub(super) fn place(&self, backend: &str, model: &str) -> usize {
        let exact = self.places.find(&[backend, model]);
        let found = exact.or_else(|| self.places.find(&[backend, OTHER]));
        found.unwrap_or(self.places.last())
    }

    pub(super) fn caller(&self, name: Option<&str>) -> usize {
        let found = name.and_then(|name| self.callers.find(&[name]));
        found.unwrap_or(self.callers.last())
    }

    /// The targets that can cool down, with the indexes of their backends and models.
    pub(super) fn keys(&self) -> &[(TargetKey, usize)] {
        &self.keys
    }

    pub(super) fn place_of(&self, key: TargetKey) -> Option<usize> {
        let mut keys = self.keys.iter();
        keys.find(|(known, _)| *known == key)
            .map(|(_, place)| *place)
    }
}

/// Returns how many series a metric by target and caller has, not counting the one for targets that are not counted
/// separately.
pub fn shares(routes: &[Route], named: &[String]) -> usize {
    let targets = targets(routes).last();
    targets.saturating_mul(callers(named).written.len())
}

fn callers(named: &[String]) -> Values {
    let mut values = Values::default();
    for name in named {
        values.add(Label::Caller, &[name], usize::MAX);
    }
    values.end(Label::Caller);
    values
}

fn targets(routes: &[Route]) -> Values {
    let mut values = Values::default();
    for route in routes {
        for (backend, model) in of_route(route) {
            let target = [route.name.as_str(), backend, model];
            values.add(Label::Target, &target, MAX_TARGETS);
        }
    }
    values.end(Label::Target);
    values
}

/// Returns the backends and models of a route.
fn of_route(route: &Route) -> Vec<(&str, &str)> {
    let targets = route.targets.iter();
    let of_target = |target| models(route, target).into_iter();
    targets.flat_map(of_target).collect()
}

/// Returns the models that requests can reach at a target, under their upstream names.
fn models<'d>(route: &Route, target: &'d Target) -> Vec<(&'d str, &'d str)> {
    let backend = &target.backend;
    let mut models: Vec<&str> = match &target.model {
        Some(model) => backend.upstream_name(model).into_iter().collect(),
        None => {
            let may_come = |name: &str| {
                let subject = Subject {
                    model: Some(name),
                    ..Subject::default()
                };
                route.condition.evaluate(&subject) != Some(false)
            };
            let entries = backend.models.iter().zip(entries(backend));
            let reached = entries.filter(|(entry, _)| backend.may_be_asked(entry, may_come));
            reached.map(|(_, (_, model))| model).collect()
        }
    };
    if route.pass_through {
        models.push(OTHER);
    }
    let backend = backend.name.as_str();
    models.into_iter().map(|model| (backend, model)).collect()
}

/// Returns a backend's models under their upstream names. Models that match a pattern are counted as one.
fn entries(backend: &Backend) -> Vec<(TargetKey, &str)> {
    let entries = backend.models.iter();
    entries
        .map(|entry| (entry.key, entry.called().unwrap_or(OTHER)))
        .collect()
}
