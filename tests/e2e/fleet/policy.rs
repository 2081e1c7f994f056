//! The document of the Envoys with the complete policy, including cooldowns.
//!
//! A cooldown belongs to one model entry of one backend, and many trials run at the same time. So each scenario has a
//! virtual model and model entries of its own, for each kind of client, and does not affect other scenarios. How a
//! target fails is the entry's upstream name; the table in [`llm_router::demo::backend`] explains the names.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{BUFFER_LIMIT, INJECTED, MISSING_FLAG_TIMEOUT_MS, policy_streams};
use crate::harness::backends::Backends;
use crate::harness::cluster::Cluster;
use crate::harness::config::{Config, NO_MATCH};
use crate::harness::tls;
use crate::harness::{Api, Case, Protocol};
use crate::verdicts;

/// The backends and their schemas; each has the name of its cluster, here and in the harness.
const BACKENDS: [(&str, &str); 8] = [
    ("openai", "openai"),
    ("azure-east", "openai"),
    // Over HTTP/2.
    ("second", "openai"),
    ("bare", "openai"),
    ("keyed", "openai"),
    ("keyed-other", "openai"),
    ("anthropic", "anthropic"),
    ("claude-two", "anthropic"),
];

/// Backends under other names: their schemas, and the harness's backends behind them.
const OTHERS: [(&str, &str, &str); 6] = [
    ("scripted-openai", "openai", "scripted"),
    ("scripted-anthropic", "anthropic", "scripted"),
    ("dead-openai", "openai", "dead"),
    ("dead-anthropic", "anthropic", "dead"),
    // Here, Envoy's circuit breaker prevents any retry.
    ("last-word", "openai", "openai"),
    // Its certificate is for another name than Envoy expects.
    ("tls-other-name", "openai", "tls-other-name"),
];

/// A model that only one scenario uses.
#[derive(Clone)]
pub(crate) struct VirtualModel {
    name: String,
    targets: Vec<Target>,
    fallback: Value,
    stored_at: Option<String>,
}

impl VirtualModel {
    pub(crate) fn new(name: &str, targets: impl Into<Vec<Target>>) -> Self {
        Self {
            name: name.to_owned(),
            targets: targets.into(),
            fallback: json!({}),
            stored_at: None,
        }
    }

    /// Sets the route's `stored_at`.
    pub(crate) fn stored_at(mut self, backend: &str) -> Self {
        self.stored_at = Some(backend.to_owned());
        self
    }

    /// Sets the route's own `fallback`.
    pub(crate) fn fallback(mut self, fallback: Value) -> Self {
        self.fallback = fallback;
        self
    }
}

/// One target of a virtual model.
#[derive(Clone)]
pub(crate) struct Target {
    backend: String,
    fault: String,
    context_window: Option<u32>,
    /// The target whose model entry this one shares: of another scenario or of this one, by its index.
    same_as: Option<(Option<String>, usize)>,
}

/// Creates a target at this backend with this upstream model name. `once-…` applies once for each Envoy and kind of
/// client.
pub(crate) fn at(backend: &str, fault: &str) -> Target {
    Target {
        backend: backend.to_owned(),
        fault: fault.to_owned(),
        context_window: None,
        same_as: None,
    }
}

/// Creates a target that works.
pub(crate) fn fine(backend: &str) -> Target {
    at(backend, "works")
}

/// The backend whose [`FaultSwitch`](llm_router::demo::backend::FaultSwitch) belongs to one scenario: see [`switched`].
pub(crate) const SWITCHED: &str = "switched";

/// A backend over HTTP/2 that belongs to one scenario, because a broken connection breaks all requests on it.
pub(crate) const BREAKING: &str = "breaking";

impl Target {
    pub(crate) fn window(mut self, tokens: u32) -> Self {
        self.context_window = Some(tokens);
        self
    }

    /// Shares the model entry of an earlier target at the same backend.
    pub(crate) fn same_as(mut self, target: usize) -> Self {
        self.same_as = Some((None, target));
        self
    }

    /// Shares the model entry of the first target of another scenario at the same backend.
    pub(crate) fn same_as_of(mut self, model: &str) -> Self {
        self.same_as = Some((Some(model.to_owned()), 0));
        self
    }
}

/// Returns the name of a virtual model for the case.
pub(crate) fn model(case: &Case, name: &str) -> String {
    format!("{name}-{}", case.protocol)
}

/// Returns the harness's backend that `switched` stands for in the case.
pub(crate) fn switched(workers: usize, protocol: Protocol) -> &'static str {
    match (workers, protocol) {
        (1, Protocol::Http1) => "switched-1-h1",
        (1, Protocol::Http2) => "switched-1-h2",
        (_, Protocol::Http1) => "switched-2-h1",
        (_, Protocol::Http2) => "switched-2-h2",
    }
}

fn virtuals() -> Vec<VirtualModel> {
    let mut all = verdicts::virtuals();
    all.extend(policy_streams::virtuals());
    all
}

/// The routes, and the model entries by backend.
#[derive(Default)]
struct Entries {
    routes: Vec<Value>,
    models: BTreeMap<String, Vec<Value>>,
    turns: usize,
}

impl Entries {
    fn add(&mut self, model: &VirtualModel, workers: usize, protocol: Protocol) {
        let name = format!("{}-{protocol}", model.name);
        let mut targets = vec![];
        for (index, target) in model.targets.iter().enumerate() {
            let (other, index) = target.same_as.clone().unwrap_or((None, index));
            let other = other.unwrap_or_else(|| model.name.clone());
            let entry = format!("{other}-{protocol}-{index}");
            let backend = match target.backend.as_str() {
                own @ (SWITCHED | BREAKING) => format!("{own}-{protocol}"),
                backend => backend.to_owned(),
            };
            targets.push(json!({"backend": backend, "model": entry}));
            if target.same_as.is_some() {
                continue;
            }
            let mut model = json!({"name": entry, "upstream_name": self.fault(target, workers)});
            if let Some(tokens) = target.context_window {
                model["context_window"] = json!(tokens);
            }
            self.models.entry(backend).or_default().push(model);
        }
        let mut route = json!({
            "name": name, "match": {"model": name}, "targets": targets, "fallback": model.fallback,
        });
        if let Some(backend) = &model.stored_at {
            route["stored_at"] = json!(backend);
        }
        self.routes.push(route);
    }

    /// Returns the upstream name of a target. Backends count the turns of a fault by its name, so each entry gets a
    /// name of its own; the period is longer than any trial.
    fn fault(&mut self, target: &Target, workers: usize) -> String {
        self.turns += 1;
        match target.fault.strip_prefix("once-") {
            Some(fault) => format!("every-{}-{fault}", 1_000_000 + self.turns * 10 + workers),
            None => target.fault.clone(),
        }
    }
}

fn document(workers: usize) -> Value {
    let mut entries = Entries::default();
    for protocol in Protocol::ALL {
        for model in virtuals() {
            entries.add(&model, workers, protocol);
        }
    }
    let mut backends = vec![];
    let mut add = |name: &str, schema: &str| {
        let mut models = entries.models.remove(name).unwrap_or_default();
        models.push(json!({"name": format!("only-{name}")}));
        backends.push(json!({"name": name, "schema": schema, "models": models}));
    };
    for (name, schema) in BACKENDS {
        add(name, schema);
    }
    for (name, schema, _) in OTHERS {
        add(name, schema);
    }
    for protocol in Protocol::ALL {
        add(&format!("{SWITCHED}-{protocol}"), "openai");
        add(&format!("{BREAKING}-{protocol}"), "openai");
    }
    assert!(
        entries.models.is_empty(),
        "no such backends: {:?}",
        entries.models.keys()
    );
    for backend in ["openai", "dead-openai"] {
        entries.routes.push(json!({
            "name": format!("passing-{backend}"), "match": {"path": format!("/v1/passing/{backend}")}, "pass_through": true,
            "targets": [{"backend": backend}],
        }));
    }
    json!({
        "backends": backends,
        "routes": entries.routes,
        "defaults": {
            "missing_flag_timeout_ms": MISSING_FLAG_TIMEOUT_MS,
            "response_headers": true,
            "allow_request_headers": ["no_fallback", "deadline", "dry_run"],
        },
    })
}

pub(super) fn config(backends: &Backends, workers: usize) -> Config {
    let to = |cluster: &str, backend: &str| {
        Cluster::new(cluster)
            .to(backends.address(backend))
            .retry_budget()
    };
    let mut config = Config::new(document(workers))
        .buffer_limit(BUFFER_LIMIT as u64)
        .unmatched_cluster(to(NO_MATCH, NO_MATCH).plain());
    for (name, _) in BACKENDS {
        let injected = INJECTED.iter().find(|(cluster, ..)| *cluster == name);
        let cluster = match (name, injected) {
            ("second", _) => to(name, name).http2(),
            (_, Some((_, header, value))) => to(name, name).injects(header, value),
            _ => to(name, name),
        };
        config = config.cluster(cluster);
    }
    for (name, _, backend) in OTHERS {
        let cluster = to(name, backend);
        config = config.cluster(match name {
            "last-word" => cluster.without_retries(),
            "tls-other-name" => cluster.transport_socket(tls::adapted(
                tls::verifying(),
                "backend.test",
                &backends.trusted_ca,
            )),
            _ => cluster,
        });
    }
    for protocol in Protocol::ALL {
        let name = format!("{SWITCHED}-{protocol}");
        config = config.cluster(to(&name, switched(workers, protocol)));
        let name = format!("{BREAKING}-{protocol}");
        config = config.cluster(to(&name, "bare").http2());
    }
    config
}

/// Returns the first target of an API's scenarios.
pub(crate) fn first(api: Api) -> &'static str {
    match api {
        Api::OpenAi => "openai",
        Api::Anthropic => "anthropic",
    }
}

/// Returns the second target of an API's scenarios.
pub(crate) fn second(api: Api) -> &'static str {
    match api {
        Api::OpenAi => "azure-east",
        Api::Anthropic => "claude-two",
    }
}
