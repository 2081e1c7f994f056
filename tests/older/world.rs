//! One older Envoy with backends of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use llm_router::demo::backend::{Backend, FaultSwitch, RecordedRequest, Recorder};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};

use crate::OlderEnvoy;
use crate::config::{self, Selection};
use crate::document::{self, BACKENDS};
use crate::harness::cluster::Cluster;
use crate::harness::config::{Config, NO_MATCH};
use crate::harness::envoy::{Envoy, Programs};

/// The parts of a setup beside the document.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) selection: Selection,
    pub(crate) kind: &'static str,
    pub(crate) route: Value,
    pub(crate) retry_policy: Value,
    /// Whether members that fail are ejected for a while.
    pub(crate) ejects: bool,
    /// Whether the clusters have the backend role.
    pub(crate) backend_role: bool,
}

impl Setup {
    pub(crate) fn usual() -> Self {
        Self {
            selection: Selection::ClusterHeader,
            kind: "aggregate",
            route: json!({"route.auto_host_rewrite": true}),
            retry_policy: previous_priorities(),
            ejects: false,
            backend_role: true,
        }
    }
}

/// Each further attempt goes to a member that has not been tried.
pub(crate) fn previous_priorities() -> Value {
    json!({"retry_priority": {"name": "envoy.retry_priorities.previous_priorities", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
        "update_frequency": 1,
    }}})
}

/// One older Envoy with backends of its own.
pub(crate) struct World {
    pub(crate) envoy: Envoy,
    /// Whether this Envoy can select another cluster for a retry.
    pub(crate) reselects: bool,
    recorders: BTreeMap<&'static str, Arc<Recorder>>,
    switches: BTreeMap<&'static str, FaultSwitch>,
    addresses: BTreeMap<&'static str, SocketAddr>,
    client: reqwest::Client,
    requests: AtomicU64,
    /// Bound but never listening.
    _dead: TcpSocket,
}

impl World {
    pub(crate) async fn start(older: &OlderEnvoy, name: &str, setup: &Setup) -> Self {
        let programs = &older.programs;
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let dead = TcpSocket::new_v4().expect("a socket");
        dead.bind(loopback).expect("a port");
        let mut addresses = BTreeMap::from([("dead", dead.local_addr().expect("an address"))]);
        let (mut recorders, mut switches) = (BTreeMap::new(), BTreeMap::new());
        for name in BACKENDS {
            let backend = Backend::recording(name);
            recorders.insert(name, backend.recorder());
            switches.insert(name, backend.switch());
            let listener = TcpListener::bind(loopback).await.expect("a port");
            addresses.insert(name, listener.local_addr().expect("an address"));
            tokio::spawn(backend.serve(listener));
        }
        let mut config = render(programs, setup, &addresses);
        if !older.reselects() {
            config::drop_refresh(&mut config);
        }
        let envoy = Envoy::start_with(programs, name, 1, &config)
            .await
            .unwrap_or_else(|reason| panic!("{reason}"));
        let client = reqwest::Client::builder()
            .no_proxy()
            .retry(reqwest::retry::never())
            .timeout(Duration::from_secs(20))
            .build()
            .expect("a client");
        Self {
            envoy,
            reselects: older.reselects(),
            recorders,
            switches,
            addresses,
            client,
            requests: AtomicU64::new(0),
            _dead: dead,
        }
    }

    /// Selects a backend's fault, or none.
    pub(crate) fn switch(&self, name: &str, fault: Option<&str>) {
        self.switches[name].set(fault).expect("a known fault");
    }

    /// Creates a small request for this model.
    pub(crate) fn ask(&self, model: &str) -> TestRequest<'_> {
        let id = self.requests.fetch_add(1, Ordering::Relaxed).to_string();
        TestRequest {
            world: self,
            id,
            body: json!({"model": model, "messages": [{"role": "user", "content": "Hello"}]}),
            headers: vec![],
        }
    }

    /// Returns the content that a backend answers to a streaming request when it is asked directly.
    pub(crate) async fn directly(&self, backend: &str, request: &RecordedRequest) -> String {
        let url = format!("http://{}{}", self.addresses[backend], request.path);
        let asked = self.client.post(url).header("host", &request.authority);
        let answer = asked.body(request.body.clone()).send().await;
        let answer = answer.expect("the backend answers").text().await;
        content(&answer.expect("to its end"))
    }

    /// Returns what the only backend that was asked saw.
    pub(crate) fn recorded(&self, ask: &TestRequest<'_>) -> RecordedRequest {
        let mut requests = self.requests(&ask.id);
        assert_eq!(requests.len(), 1);
        requests.remove(0).1
    }

    fn requests(&self, id: &str) -> Vec<(&'static str, RecordedRequest)> {
        let mut all: Vec<_> = self
            .recorders
            .iter()
            .flat_map(|(name, recorder)| {
                let requests = recorder.requests(id).into_iter();
                requests.map(move |request| (*name, request))
            })
            .collect();
        all.sort_by_key(|(_, request)| request.at);
        all
    }
}

/// Returns the content of a streamed answer.
pub(crate) fn content(events: &str) -> String {
    events
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|event| {
            let content = event.pointer("/choices/0/delta/content")?;
            Some(content.as_str()?.to_owned())
        })
        .collect()
}

/// A request.
pub(crate) struct TestRequest<'w> {
    world: &'w World,
    id: String,
    pub(crate) body: Value,
    headers: Vec<(&'static str, &'static str)>,
}

impl TestRequest<'_> {
    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn field(mut self, name: &str, value: Value) -> Self {
        self.body[name] = value;
        self
    }

    /// Sends the request and reads the answer's headers.
    pub(crate) async fn open(&self) -> reqwest::Response {
        let url = format!("http://{}/v1/chat/completions", self.world.envoy.address);
        let mut request = self.world.client.post(url).header("x-test-id", &self.id);
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        let answer = request.json(&self.body).send().await;
        answer
            .unwrap_or_else(|error| panic!("no answer: {error:?}\n{}", self.world.envoy.log_tail()))
    }

    pub(crate) async fn send(self) -> Answer {
        let response = self.open().await;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.expect("the answer ends");
        Answer {
            status,
            headers,
            text,
            requests: self.world.requests(&self.id),
            log: self.world.envoy.log_tail(),
        }
    }
}

/// A complete answer, and what the backends saw.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
    pub(crate) requests: Vec<(&'static str, RecordedRequest)>,
    log: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn is(&self, status: u16, backends: &[&str]) -> &Self {
        let seen: Vec<&str> = self.requests.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            (self.status, &seen[..]),
            (status, backends),
            "{}\n{:?}\n{}",
            self.text,
            self.headers,
            self.log
        );
        self
    }

    /// Returns what the last backend saw.
    #[track_caller]
    pub(crate) fn seen(&self) -> SeenRequest<'_> {
        SeenRequest(&self.requests.last().expect("a backend saw it").1)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What a backend saw.
pub(crate) struct SeenRequest<'r>(pub(crate) &'r RecordedRequest);

impl SeenRequest<'_> {
    pub(crate) fn model(&self) -> String {
        let body: Value = serde_json::from_slice(&self.0.body).expect("a JSON body");
        body["model"].as_str().expect("a model").to_owned()
    }

    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let of_name = self.0.headers.iter().filter(|(known, _)| known == name);
        let values = of_name.map(|(_, value)| std::str::from_utf8(value).expect("text"));
        values.collect()
    }
}

/// Renders the configuration of a setup.
pub(crate) fn render(
    programs: &Programs,
    setup: &Setup,
    addresses: &BTreeMap<&'static str, SocketAddr>,
) -> Value {
    let document = document::document(!matches!(setup.selection, Selection::Matcher));
    let mut base = Config::new(document).buffer_limit(4 * 1024 * 1024);
    let pools = document::POOLS.map(|(name, _)| (name, None));
    let members = addresses
        .iter()
        .map(|(name, address)| (*name, Some(*address)));
    for (name, address) in members.chain(pools) {
        let mut cluster = Cluster::new(name).injects("x-key", &format!("key-of-{name}"));
        if let Some(address) = address {
            cluster = cluster.to(address);
        }
        if !setup.backend_role {
            cluster = cluster.plain();
        }
        base = base.cluster(cluster);
    }
    base = base.unmatched_cluster(Cluster::new(NO_MATCH).plain());
    let mut config = base.render(&programs.wasm);
    for (name, members) in document::POOLS {
        config::add_pool(&mut config, name, setup.kind, &members);
    }
    for name in addresses.keys() {
        config::name_host(&mut config, name);
        if setup.ejects {
            config::eject(&mut config, name);
        }
    }
    config::select(
        &mut config,
        setup.selection,
        &setup.route,
        &setup.retry_policy,
    );
    config
}
