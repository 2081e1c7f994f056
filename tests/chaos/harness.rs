//! The parts of the end-to-end tests' harness that this test uses.

#[path = "../e2e/harness/cluster.rs"]
pub(crate) mod cluster;
#[path = "../e2e/harness/config.rs"]
pub(crate) mod config;
#[path = "../e2e/harness/envoy.rs"]
pub(crate) mod envoy;
