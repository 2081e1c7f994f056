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
pub const MAX_BACKEND_MODELS: usize = 256;

/// The maximum number of targets times callers. A document with more is refused, because it names its callers itself.
pub const MAX_TARGET_CALLERS: usize = 1_024;

/// Combinations of values, as they are written, and their indexes.
#[derive(Clone, Debug, Default)]
pub(super) struct LabelIndex {
    written: Vec<String>,
    indexes: HashMap<u64, usize>,
}

impl LabelIndex {
    /// Adds a combination, unless it exists or there are `max` already. A combination that was not added counts as
    /// the last one.
    fn add(&mut self, label: Label, values: &[&str], max: usize) {
        let key = hash::hash_names(values);
        if self.written.len() < max && !self.indexes.contains_key(&key) {
            self.indexes.insert(key, self.written.len());
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
        self.indexes.get(&hash::hash_names(values)).copied()
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
pub(super) struct LabelValues {
    routes: LabelIndex,
    targets: LabelIndex,
    backend_models: LabelIndex,
    callers: LabelIndex,
    /// The targets that can cool down, with the indexes of their backends and models.
    keys: Vec<(TargetKey, usize)>,
}

impl LabelValues {
    pub(super) fn for_document(document: &Document) -> LabelValues {
        let mut names = LabelValues {
            routes: LabelIndex::default(),
            targets: LabelIndex::default(),
            backend_models: LabelIndex::default(),
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
                let backend_model = [backend.name.as_str(), model];
                names
                    .backend_models
                    .add(Label::BackendModel, &backend_model, MAX_BACKEND_MODELS);
            }
        }
        for (backend, model) in document.routes.iter().flat_map(route_targets) {
            names
                .backend_models
                .add(Label::BackendModel, &[backend, model], MAX_BACKEND_MODELS);
        }
        names.backend_models.end(Label::BackendModel);
        for backend in &document.backends {
            for (key, model) in entries(backend) {
                names
                    .keys
                    .push((key, names.backend_model(&backend.name, model)));
            }
        }
        names
    }

    pub(super) fn values(&self, label: Label) -> Option<&LabelIndex> {
        match label {
            Label::Route => Some(&self.routes),
            Label::Target => Some(&self.targets),
            Label::BackendModel => Some(&self.backend_models),
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

    pub(super) fn backend_model(&self, backend: &str, model: &str) -> usize {
        let exact = self.backend_models.find(&[backend, model]);
        let found = exact.or_else(|| self.backend_models.find(&[backend, OTHER]));
        found.unwrap_or(self.backend_models.last())
    }

    pub(super) fn caller(&self, name: Option<&str>) -> usize {
        let found = name.and_then(|name| self.callers.find(&[name]));
        found.unwrap_or(self.callers.last())
    }

    /// The targets that can cool down, with the indexes of their backends and models.
    pub(super) fn keys(&self) -> &[(TargetKey, usize)] {
        &self.keys
    }

    pub(super) fn backend_model_of(&self, key: TargetKey) -> Option<usize> {
        let mut keys = self.keys.iter();
        keys.find(|(known, _)| *known == key)
            .map(|(_, backend_model)| *backend_model)
    }
}

/// Returns how many series a metric by target and caller has, not counting the one for targets that are not counted
/// separately.
pub fn target_caller_series(routes: &[Route], named: &[String]) -> usize {
    let targets = targets(routes).last();
    targets.saturating_mul(callers(named).written.len())
}

fn callers(named: &[String]) -> LabelIndex {
    let mut values = LabelIndex::default();
    for name in named {
        values.add(Label::Caller, &[name], usize::MAX);
    }
    values.end(Label::Caller);
    values
}

fn targets(routes: &[Route]) -> LabelIndex {
    let mut values = LabelIndex::default();
    for route in routes {
        for (backend, model) in route_targets(route) {
            let target = [route.name.as_str(), backend, model];
            values.add(Label::Target, &target, MAX_TARGETS);
        }
    }
    values.end(Label::Target);
    values
}

/// Returns the backends and models of a route.
fn route_targets(route: &Route) -> Vec<(&str, &str)> {
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
        .map(|entry| (entry.key, entry.exact_upstream_name().unwrap_or(OTHER)))
        .collect()
}
