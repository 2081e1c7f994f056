//! What all trials share: the runtime, the backends and the Envoys.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::runtime::Runtime;

use super::backends::Backends;
use super::envoy::{Envoy, Programs};
use crate::fleet::SharedEnvoy;

/// What all trials share. Dropping it stops every process that it started.
pub(crate) struct World {
    pub(crate) programs: Programs,
    pub(crate) backends: Backends,
    pub(crate) http1: reqwest::Client,
    pub(crate) http2: reqwest::Client,
    envoys: Mutex<BTreeMap<SharedEnvoy, Result<Arc<Envoy>, String>>>,
    requests: AtomicU64,
    /// Locked for writing by a trial during which no other may run.
    pub(crate) alone: RwLock<()>,
    // The last field, so that it is dropped last: the others may still need it.
    pub(crate) runtime: Runtime,
}

impl World {
    /// Starts the backends; an Envoy is started when the first trial asks for it.
    pub(crate) fn start(programs: Programs) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| format!("the runtime does not start: {error}"))?;
        let backends = runtime.block_on(Backends::start(&programs.directory));
        let client = || {
            reqwest::Client::builder()
                .no_proxy()
                .retry(reqwest::retry::never())
        };
        Ok(Self {
            programs,
            backends,
            http1: client()
                .http1_only()
                .build()
                .map_err(|error| error.to_string())?,
            http2: client()
                .http2_prior_knowledge()
                .build()
                .map_err(|error| error.to_string())?,
            envoys: Mutex::default(),
            requests: AtomicU64::new(0),
            alone: RwLock::new(()),
            runtime,
        })
    }

    /// Returns one of the shared Envoys. Must not be called from within the runtime, because it waits for the start.
    pub(crate) fn envoy(&self, which: SharedEnvoy) -> Result<Arc<Envoy>, String> {
        let mut envoys = self.envoys.lock().unwrap_or_else(PoisonError::into_inner);
        envoys
            .entry(which)
            .or_insert_with(|| {
                let config = which.config(&self.backends);
                let name = which.to_string().replace([' ', '='], "-");
                let start = Envoy::start(&self.programs, &name, which.workers(), &config);
                self.runtime.block_on(start).map(Arc::new)
            })
            .clone()
    }

    /// Returns the Envoys that this run has started.
    pub(crate) fn started(&self) -> Vec<Arc<Envoy>> {
        let envoys = self.envoys.lock().unwrap_or_else(PoisonError::into_inner);
        envoys.values().flatten().cloned().collect()
    }

    /// Returns a value for `x-test-id` that no other request has.
    pub(crate) fn next_test_id(&self) -> String {
        format!("request-{}", self.requests.fetch_add(1, Ordering::Relaxed))
    }
}
