//! The backends, which fail at random, and the requests that reach them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use llm_router::demo::backend::{Backend, Recorder};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

use crate::random::Random;

/// The backends of each API: cluster, API, and whether it never fails.
pub(crate) const BACKENDS: [(&str, &str, bool); 7] = [
    ("red", "openai", false),
    // Over HTTP/2, where one broken connection breaks many answers.
    ("green", "openai", false),
    ("blue", "openai", false),
    ("steady", "openai", true),
    ("red-claude", "anthropic", false),
    ("green-claude", "anthropic", false),
    ("steady-claude", "anthropic", true),
];

/// The faults of a failing backend, most of which look like answers.
const FAULTS: [&str; 44] = [
    "status-500",
    "status-502",
    "status-503",
    "status-529",
    "status-504",
    "status-429",
    "status-429-retry-after-ms-150",
    "status-429-retry-after-4",
    "status-429-reset-300",
    "status-503-retry-after-0.2",
    "status-401",
    "status-403",
    "every-3-status-503",
    "every-2-reset",
    "hang",
    "reset",
    "close",
    "reset-headers",
    "close-headers",
    "cut-0",
    "cut-3",
    "cut-8",
    "cut-length-3",
    "reset-2",
    "end-0",
    "end-2",
    "end-9",
    "end-length-2",
    "end-finished",
    "stall-0",
    "stall-2",
    "stall-finished",
    "malformed-2",
    "error-first",
    "error-first-overloaded",
    "error-first-rate_limit",
    "error-after-2",
    "empty-stream",
    "empty-body",
    "slow-headers-1500",
    "slow-token-800",
    "slow-words-60",
    "pings-20",
    "gzip",
];

/// One backend.
pub(crate) struct UnsteadyBackend {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    backend: Backend,
    pub(crate) recorder: Arc<Recorder>,
    serving: Mutex<Option<JoinHandle<()>>>,
    /// Bound but never listening, so that nobody else gets the port while the backend is down.
    _port: TcpSocket,
}

impl UnsteadyBackend {
    fn new(name: &'static str) -> Self {
        let port = socket(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        let backend = Backend::recording(name);
        Self {
            name,
            address: port.local_addr().expect("an address"),
            recorder: backend.recorder(),
            backend,
            serving: Mutex::default(),
            _port: port,
        }
    }

    /// Starts serving, with this fault if there is one.
    fn revive(&self, fault: Option<&str>) {
        self.backend.switch().set(fault).expect("a fault");
        let mut serving = self.serving.lock().expect("no thread panics with it");
        if serving.is_some() {
            return;
        }
        let listener: TcpListener = socket(self.address)
            .and_then(|socket| socket.listen(1024))
            .expect("its port is its own");
        let backend = self.backend.clone();
        *serving = Some(tokio::spawn(async move {
            // It ends when the task does.
            let _ = backend.serve(listener).await;
        }));
    }

    /// Breaks all connections and refuses new ones.
    async fn kill(&self) {
        let serving = self
            .serving
            .lock()
            .expect("no thread panics with it")
            .take();
        if let Some(serving) = serving {
            serving.abort();
            // Only then is the listener closed.
            let _ = serving.await;
        }
    }
}

fn socket(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// All backends.
pub(crate) struct Backends(Vec<Arc<UnsteadyBackend>>);

impl Backends {
    pub(crate) fn start() -> Self {
        let all = BACKENDS.map(|(name, ..)| Arc::new(UnsteadyBackend::new(name)));
        for backend in &all {
            backend.revive(None);
        }
        Self(all.into())
    }

    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        let found = self.0.iter().find(|backend| backend.name == name);
        found.expect("a backend of that name").address
    }

    /// Takes what the backends received of a request: backend and body of each attempt.
    pub(crate) fn take(&self, test_id: &str) -> Vec<(&'static str, Vec<u8>)> {
        let of = |backend: &Arc<UnsteadyBackend>| {
            let requests = backend.recorder.take(test_id);
            let name = backend.name;
            requests
                .into_iter()
                .map(move |request| (name, request.body))
        };
        self.0.iter().flat_map(of).collect()
    }

    /// Returns the number of requests whose attempts have not been taken.
    pub(crate) fn kept(&self) -> usize {
        self.0.iter().map(|backend| backend.recorder.kept()).sum()
    }

    /// Kills, revives and changes all but the steady backends, in the same order at the same times for the same seed.
    /// At the end, all of them work again.
    pub(crate) async fn inject_faults(&self, seed: u64, time: Duration) {
        let unsteady: Vec<&Arc<UnsteadyBackend>> = self
            .0
            .iter()
            .zip(BACKENDS)
            .filter(|(_, (_, _, is_steady))| !is_steady)
            .map(|(backend, _)| backend)
            .collect();
        let mut random = Random::new(seed);
        let end = tokio::time::Instant::now() + time;
        while tokio::time::Instant::now() < end {
            let backend = random.pick(&unsteady);
            match random.below(10) {
                0..3 => backend.revive(None),
                3..5 => backend.kill().await,
                _ => backend.revive(Some(random.pick(&FAULTS))),
            }
            tokio::time::sleep(Duration::from_millis(40 + random.below(260))).await;
        }
        for backend in unsteady {
            backend.revive(None);
        }
    }
}
