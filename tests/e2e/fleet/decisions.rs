//! The document with the whole routing language.

use serde_json::Value;

use super::BUFFER_LIMIT;
use crate::harness::backends::Backends;
use crate::harness::cluster::Cluster;
use crate::harness::config::{Config, NO_MATCH};
use crate::harness::files;

pub(crate) fn document() -> Value {
    files::yaml(include_str!("decisions.yaml")).expect("YAML")
}

pub(crate) fn config(backends: &Backends) -> Config {
    let unmatched = Cluster::new(NO_MATCH).to(backends.address(NO_MATCH));
    let mut config = Config::new(document())
        .buffer_limit(BUFFER_LIMIT as u64)
        .unmatched_cluster(unmatched.plain());
    let document = document();
    for backend in document["backends"].as_array().expect("a list") {
        let name = backend["name"].as_str().expect("a name");
        config = config.cluster(Cluster::new(name).to(backends.address(name)));
    }
    config
}
