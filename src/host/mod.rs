//! The only code that names `proxy_wasm`: it turns Envoy's callbacks into events of the core, and the core's effects
//! into host calls.
//!
//! Two rules keep the VM alive, which carries all requests of a worker. Everything that a client or a backend sent is
//! read with the SDK's `_bytes` calls, because its text calls panic on bytes that are not UTF-8. And headers are
//! accessed only while Envoy has them: in their own callback, or later if that callback has returned `Pause`.

mod backend;
#[cfg(feature = "bench")]
mod bench;
mod body_watch;
mod caller;
mod calls;
mod deadlines;
mod effects;
mod health;
mod ledger;
mod metrics;
mod page;
mod random;
mod router;
mod timers;

use proxy_wasm::traits::{Context, RootContext};
use proxy_wasm::types::ContextType;

use crate::config::ConfigError;

/// The `root_id` of the downstream filter.
const ROUTER: &[u8] = b"llm_router";

/// The `root_id` of the upstream filter.
const BACKEND: &[u8] = b"llm_backend";

/// The `root_id` of the benchmark.
#[cfg(feature = "bench")]
const BENCH: &[u8] = b"llm_bench";

/// Filter state: the plan, from the router role to the backend role. Envoy names it `wasm.llm.plan`.
const PLAN: &str = "llm.plan";

/// Filter state: the cluster of the next attempt, for the route's matcher. Envoy names it `wasm.llm.next`.
const NEXT: &str = "llm.next";

/// The response header with which the backend role asks for the next attempt. The route's `retriable_headers` list
/// it.
const RETRY: &str = "x-llm-router-retry";

proxy_wasm::main! {{ start(); }}

/// Sets up the module. Called once, when the VM starts.
fn start() {
    proxy_wasm::set_root_context(|_| {
        // Not earlier: Envoy allows no host calls while the VM starts.
        calls::adopt_log_level();
        match calls::property(&["plugin_root_id"]).as_deref() {
            Some(ROUTER) => Box::new(router::RouterRoot::default()),
            Some(BACKEND) => Box::new(backend::BackendRoot::default()),
            #[cfg(feature = "bench")]
            Some(BENCH) => Box::new(bench::BenchRoot),
            _ => Box::new(UnknownRoot),
        }
    });
}

/// Logs the errors of a configuration, which Envoy then refuses.
fn refuse(errors: &[ConfigError]) -> bool {
    for error in errors {
        log::error!("llm-router configuration: {error}");
    }
    false
}

/// A plugin whose `root_id` is neither role's.
struct UnknownRoot;

impl Context for UnknownRoot {}

impl RootContext for UnknownRoot {
    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn on_configure(&mut self, _size: usize) -> bool {
        log::error!(
            "llm-router configuration: root_id must be \"llm_router\" (HTTP filter of the listener) or \
             \"llm_backend\" (upstream HTTP filter of a cluster)"
        );
        false
    }
}
