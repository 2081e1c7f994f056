//! Trials of a document that changes while requests are in progress. For a while Envoy has two configurations, each
//! with its own roots in every worker, and the page must still be consistent.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::read;
use crate::fleet::page::{config_of, document};
use crate::harness::envoy::Envoy;
use crate::harness::world::World;
use crate::harness::{Case, Protocol, Suite};

/// How soon Envoy must have the new configuration.
const LIMIT: Duration = Duration::from_secs(20);

/// How soon the page must show all of it.
const SOON: Duration = Duration::from_secs(2);

/// One word every 20 ms, which takes longer than the change and all requests made meanwhile.
const LONG: &str = "words-400";

pub(super) fn add(suite: &mut Suite, world: &Arc<World>) {
    let world = Arc::clone(world);
    suite.plain("page::after_a_reload", move || {
        let runtime = &world.runtime;
        runtime.block_on(after_a_reload(Arc::clone(&world)));
    });
}

/// Returns the document with one route more and one less.
fn changed() -> Value {
    let mut document = document();
    let routes = document["routes"].as_array_mut().unwrap();
    routes.retain(|route| route["name"] != "leaving");
    let added = json!({"name": "added", "match": {"model": "added"}, "targets": [{"backend": "openai", "model": "words-3"}]});
    routes.push(added);
    document
}

fn original() -> Value {
    let mut document = document();
    let leaving = json!({"name": "leaving", "match": {"model": "leaving"}, "targets": [{"backend": "openai", "model": "words-2"}]});
    document["routes"].as_array_mut().unwrap().push(leaving);
    document
}

/// The file in which Envoy looks for its listener.
struct ListenerFile {
    file: PathBuf,
}

impl ListenerFile {
    /// Moves the listener from a configuration into a file of its own.
    fn taken_out(config: &mut Value, file: PathBuf) -> Self {
        let listeners = config["static_resources"]["listeners"].take();
        config["node"] = json!({"id": "e2e", "cluster": "e2e"});
        config["dynamic_resources"] = json!({"lds_config": {
            "resource_api_version": "V3", "path_config_source": {"path": file},
        }});
        let this = Self { file };
        this.put(&listeners[0]);
        this
    }

    /// Replaces the file. Envoy notices files that are moved into place.
    fn put(&self, listener: &Value) {
        let mut resource = listener.clone();
        resource["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
        let new = self.file.with_extension("new");
        let response = json!({"resources": [resource]});
        std::fs::write(&new, response.to_string()).unwrap();
        std::fs::rename(&new, &self.file).unwrap();
    }
}

async fn start(world: &Arc<World>) -> (Case, ListenerFile) {
    let programs = &world.programs;
    let mut config = config_of(&world.backends, original()).render(&programs.wasm);
    let file = programs.directory.join("page-reload.listener.json");
    let discovered = ListenerFile::taken_out(&mut config, file);
    let envoy = Envoy::start_with(programs, "page-reload", 2, &config).await;
    let case = Case {
        world: Arc::clone(world),
        envoy: Arc::new(envoy.unwrap_or_else(|reason| panic!("{reason}"))),
        protocol: Protocol::Http1,
    };
    (case, discovered)
}

/// What was sent, and what its answers cost.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    requests: u64,
    output: u64,
}

impl Sent {
    fn and(self, other: Sent) -> Sent {
        Sent {
            requests: self.requests + other.requests,
            output: self.output + other.output,
        }
    }
}

/// Makes one request on a connection of its own, so that any worker may get it.
async fn ask(case: &Case, model: &str, stream: bool) -> Sent {
    let body = json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Go on."}]});
    let call = case.post("/v1/chat/completions", body.to_string());
    let answer = call.send_on(&mut case.connect().await).await;
    let attempts = answer.is(200).attempts();
    let counted = attempts
        .iter()
        .filter_map(|(_, seen)| seen.0.answer.counted());
    Sent {
        requests: 1,
        output: counted.map(|(_, output)| output).sum(),
    }
}

/// Makes requests until it is told to stop.
fn traffic(case: &Case, is_over: &Arc<AtomicBool>) -> JoinHandle<Sent> {
    let (case, is_over) = (case.clone(), Arc::clone(is_over));
    tokio::spawn(async move {
        let mut sent = Sent::default();
        while !is_over.load(Ordering::Relaxed) {
            sent = sent.and(ask(&case, "words-3", true).await);
        }
        sent
    })
}

/// Returns the requests in the row of this route, or in the row without a name.
fn requests(page: &Value, route: Option<&str>) -> Option<u64> {
    let mut routes = page["routes"].as_array().unwrap().iter();
    let row = routes.find(|row| row["name"].as_str() == route)?;
    row["requests"].as_u64()
}

/// Reads the page until the condition holds, which has to be soon.
async fn soon(case: &Case, what: &str, limit: Duration, is_so: impl Fn(&Value) -> bool) -> Value {
    let asked = Instant::now();
    loop {
        let page = read(case).await;
        if is_so(&page) {
            return page;
        }
        assert!(
            asked.elapsed() < limit,
            "{what}: {page:#}{}",
            case.envoy.log_tail()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn after_a_reload(world: Arc<World>) {
    let (case, listener) = start(&world).await;
    let mut sent = Sent::default();
    for _ in 0..8 {
        sent = sent.and(ask(&case, "words-4", false).await);
        sent = sent.and(ask(&case, "leaving", true).await);
    }
    // A request that the old configuration begins and ends, and others all the time.
    let begun = case.clone();
    let long = tokio::spawn(async move { ask(&begun, LONG, true).await });
    let is_over = Arc::new(AtomicBool::new(false));
    let others = [traffic(&case, &is_over), traffic(&case, &is_over)];
    let is_on_its_way = |page: &Value| page["totals"]["in_flight"].as_u64() > Some(0);
    soon(&case, "the long one is on its way", SOON, is_on_its_way).await;

    put_changed(&case, &listener).await;
    let has_changed = |page: &Value| requests(page, Some("added")) == Some(0);
    soon(&case, "the new route", LIMIT, has_changed).await;
    assert!(
        !long.is_finished(),
        "the long one has to outlast the change"
    );
    let mut added = Sent::default();
    for _ in 0..6 {
        added = added.and(ask(&case, "added", true).await);
    }
    is_over.store(true, Ordering::Relaxed);
    for other in others {
        sent = sent.and(other.await.unwrap());
    }
    sent = sent.and(added);
    assert!(
        !long.is_finished(),
        "the long one has to outlast all others"
    );
    let all = sent.requests;
    let is_all =
        move |page: &Value| page["totals"]["requests"] == all && page["totals"]["in_flight"] == 1;
    soon(&case, "all but the long one", SOON, is_all).await;

    sent = sent.and(long.await.unwrap());
    let all = sent.requests;
    let is_all =
        move |page: &Value| page["totals"]["requests"] == all && page["totals"]["in_flight"] == 0;
    let page = soon(&case, "all", SOON, is_all).await;
    tells_the_truth(&page, sent, added);
    // Whichever worker serves it and however often it is read, also after the next ticks.
    for _ in 0..20 {
        tells_the_truth(&read(&case).await, sent, added);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[track_caller]
fn tells_the_truth(page: &Value, sent: Sent, added: Sent) {
    let totals = &page["totals"];
    for (name, expected) in [
        ("requests", sent.requests),
        ("answers", sent.requests),
        ("errors", 0),
        ("output_tokens", sent.output),
        ("in_flight", 0),
    ] {
        assert_eq!(totals[name], expected, "{name}: {totals:#}");
    }
    assert_eq!(requests(page, Some("added")), Some(added.requests));
    assert_eq!(requests(page, Some("leaving")), None, "the route is gone");
    // The requests of the removed route are still counted.
    assert_eq!(requests(page, None), Some(8));
    let plain = sent.requests - added.requests - 8;
    assert_eq!(requests(page, Some("plain")), Some(plain));
}

/// Replaces the document in the same listener.
async fn put_changed(case: &Case, listener: &ListenerFile) {
    let world = &case.world;
    let config = config_of(&world.backends, changed()).render(&world.programs.wasm);
    let stat = |name: &'static str| async move { case.envoy.stat(name).await };
    let modified = "listener_manager.listener_modified";
    assert_eq!(stat(modified).await, Some(0));
    listener.put(&config["static_resources"]["listeners"][0]);
    let asked = Instant::now();
    while stat(modified).await != Some(1) {
        assert!(asked.elapsed() < LIMIT, "{}", case.envoy.log_tail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
