//! The base of all scenarios: backends in this process, Envoys beside it, clients, and records of what both ends saw.

pub(crate) mod answer;
pub(crate) mod backends;
pub(crate) mod case;
pub(crate) mod cluster;
pub(crate) mod config;
pub(crate) mod discarding;
pub(crate) mod echo;
pub(crate) mod envoy;
pub(crate) mod files;
pub(crate) mod http1;
pub(crate) mod identities;
pub(crate) mod oversized;
pub(crate) mod paced;
pub(crate) mod scripted;
pub(crate) mod stream;
pub(crate) mod suite;
pub(crate) mod tls;
pub(crate) mod wire;
pub(crate) mod world;

pub(crate) use answer::{Answer, SeenRequest};
pub(crate) use case::{Api, Call, Case, Protocol};
pub(crate) use suite::Suite;
