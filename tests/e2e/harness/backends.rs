//! The backends, all in this process: recording demo backends, the same behind TLS, one that paces its answer, and
//! addresses where nothing answers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use llm_router::demo::backend::{Backend, FaultSwitch, RecordedRequest, Recorder};
use tokio::net::{TcpListener, TcpSocket};

use super::identities::Identities;
use super::tls::Authority;
use super::{discarding, echo, paced, scripted};

/// The demo backends, by the names of their clusters.
const DEMO: [&str; 14] = [
    "openai",
    "azure-east",
    "second",
    "bare",
    "anthropic",
    "claude-two",
    "keyed",
    "keyed-other",
    "keyed-oddly",
    "byok",
    "switched-1-h1",
    "switched-1-h2",
    "switched-2-h1",
    "switched-2-h2",
];

/// The backends that accept any request: two of each schema.
const ECHO: [&str; 10] = [
    "echo-openai",
    "echo-openai-two",
    "echo-azure-openai",
    "echo-azure-openai-two",
    "echo-anthropic",
    "echo-anthropic-two",
    "echo-gemini",
    "echo-gemini-two",
    "echo-bedrock",
    "echo-bedrock-two",
];

/// The demo backends behind TLS: cluster, the name in the certificate, and whether Envoy trusts the CA.
const TLS: [(&str, &str, bool); 4] = [
    ("tls-right", "backend.test", true),
    ("tls-wildcard", "*.backend.test", true),
    ("tls-other-name", "other.test", true),
    ("tls-other-ca", "backend.test", false),
];

/// The backends and their addresses.
pub(crate) struct Backends {
    addresses: BTreeMap<&'static str, SocketAddr>,
    recorders: BTreeMap<&'static str, Arc<Recorder>>,
    switches: BTreeMap<&'static str, FaultSwitch>,
    echoed: echo::Echoed,
    /// The identities of callers.
    pub(crate) identities: Identities,
    /// The file with the CA that Envoy trusts.
    pub(crate) trusted_ca: PathBuf,
    /// The first bytes of each connection to the matcher's `on_no_match`.
    strays: Arc<Mutex<Vec<String>>>,
    tls_connections: BTreeMap<&'static str, Arc<AtomicUsize>>,
    /// Bound but never listening: connections are refused, and nobody else can get the port.
    _dead: TcpSocket,
}

impl Backends {
    pub(crate) async fn start(directory: &Path) -> Self {
        let dead = TcpSocket::new_v4().expect("a socket");
        dead.bind(loopback()).expect("a port");
        let trusted_ca = directory.join("ca.pem");
        let mut backends = Self {
            addresses: BTreeMap::from([("dead", dead.local_addr().expect("an address"))]),
            recorders: BTreeMap::new(),
            switches: BTreeMap::new(),
            echoed: Arc::default(),
            identities: Identities::new(directory, &crate::fleet::callers::CHAINS),
            trusted_ca,
            strays: Arc::default(),
            tls_connections: BTreeMap::new(),
            _dead: dead,
        };
        for name in DEMO {
            let (backend, listener) = backends.add(name).await;
            tokio::spawn(backend.serve(listener));
        }
        for name in ECHO {
            let listener = backends.listen(name).await;
            tokio::spawn(echo::serve(listener, name, Arc::clone(&backends.echoed)));
        }
        backends.start_tls().await;
        let listener = backends.listen("paced").await;
        tokio::spawn(paced::serve(listener));
        let listener = backends.listen("discarding").await;
        tokio::spawn(discarding::serve(listener));
        let listener = backends.listen("scripted").await;
        tokio::spawn(scripted::serve(listener));
        let listener = backends.listen(super::config::NO_MATCH).await;
        tokio::spawn(collect_strays(listener, Arc::clone(&backends.strays)));
        backends
    }

    async fn start_tls(&mut self) {
        let (trusted, unknown) = (Authority::new(), Authority::new());
        std::fs::write(&self.trusted_ca, trusted.pem()).expect("the CA is written");
        for (name, in_certificate, known) in TLS {
            let acceptor = if known { &trusted } else { &unknown }.acceptor(in_certificate);
            let (backend, listener) = self.add(name).await;
            let backend = Arc::new(backend);
            let connections = Arc::clone(self.tls_connections.entry(name).or_default());
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::Relaxed);
                    let (acceptor, backend) = (acceptor.clone(), Arc::clone(&backend));
                    tokio::spawn(async move {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            let _ = backend.serve_connection(stream).await;
                        }
                    });
                }
            });
        }
    }

    async fn add(&mut self, name: &'static str) -> (Backend, TcpListener) {
        let backend = Backend::recording(name);
        self.recorders.insert(name, backend.recorder());
        self.switches.insert(name, backend.switch());
        (backend, self.listen(name).await)
    }

    async fn listen(&mut self, name: &'static str) -> TcpListener {
        let listener = TcpListener::bind(loopback()).await.expect("a port");
        self.addresses
            .insert(name, listener.local_addr().expect("an address"));
        listener
    }

    /// Returns the address of the backend with this name.
    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        *self
            .addresses
            .get(name)
            .unwrap_or_else(|| panic!("no backend is called {name}"))
    }

    /// Returns the switch that selects a backend's fault. Only for a backend that a single trial uses at a time.
    pub(crate) fn switch(&self, name: &str) -> &FaultSwitch {
        self.switches
            .get(name)
            .unwrap_or_else(|| panic!("no backend is called {name}"))
    }

    /// Returns what reached any backend of the request with this `x-test-id`, in the order of arrival.
    pub(crate) fn requests(&self, test_id: &str) -> Vec<(&'static str, RecordedRequest)> {
        let mut all: Vec<_> = self
            .recorders
            .iter()
            .flat_map(|(name, recorder)| {
                recorder
                    .requests(test_id)
                    .into_iter()
                    .map(move |request| (*name, request))
            })
            .collect();
        let is_of = |request: &RecordedRequest| {
            let mut headers = request.headers.iter();
            headers.any(|(name, value)| name == "x-test-id" && value == test_id.as_bytes())
        };
        let echoed = self.echoed.lock().expect("no thread panics with it");
        all.extend(echoed.iter().filter(|(_, request)| is_of(request)).cloned());
        all.sort_by_key(|(_, request)| request.at);
        all
    }

    /// Returns the bodies that an accept-all backend received at this path, from any sender.
    pub(crate) fn taken(&self, backend: &str, path: &str) -> Vec<Vec<u8>> {
        let echoed = self.echoed.lock().expect("no thread panics with it");
        let is_it = |name: &str, request: &RecordedRequest| name == backend && request.path == path;
        let taken = echoed.iter().filter(|(name, request)| is_it(name, request));
        taken.map(|(_, request)| request.body.clone()).collect()
    }

    /// Returns what arrived where the matcher sends unknown clusters.
    pub(crate) fn strays(&self) -> Vec<String> {
        self.strays
            .lock()
            .expect("no thread panics with it")
            .clone()
    }

    /// Returns how many connections to this backend behind TLS have begun.
    pub(crate) fn tls_connections(&self, name: &str) -> usize {
        self.tls_connections
            .get(name)
            .map_or(0, |connections| connections.load(Ordering::Relaxed))
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn collect_strays(listener: TcpListener, strays: Arc<Mutex<Vec<String>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let mut head = [0; 512];
        let read = match stream.readable().await {
            Ok(()) => stream.try_read(&mut head).unwrap_or(0),
            Err(_) => 0,
        };
        let head = String::from_utf8_lossy(head.get(..read).unwrap_or_default()).into_owned();
        strays.lock().expect("no thread panics with it").push(head);
    }
}
