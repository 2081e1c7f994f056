//! Trials of what shares a VM and what does not: two listeners with documents of their own, and roles with VMs of their
//! own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{ENVOY, logged};
use crate::harness::cluster::Cluster;
use crate::harness::config::{Config, NO_MATCH};
use crate::harness::envoy::Envoy;
use crate::harness::world::World;
use crate::harness::{Call, Case, Protocol, Suite};

pub(crate) fn add(suite: &mut Suite, world: &Arc<World>) {
    for (name, scenario) in [
        (
            "outcomes::vms::two_listeners_count_by_their_own_documents",
            two_listeners as fn(&Arc<World>),
        ),
        ("outcomes::vms::roles_in_different_vms", apart),
    ] {
        let world = Arc::clone(world);
        suite.plain(name, move || scenario(&world));
    }
}

pub(super) fn start(world: &Arc<World>, name: &str, config: &Config) -> Case {
    let envoy = Envoy::start(&world.programs, name, 1, config);
    let envoy = world.runtime.block_on(envoy);
    Case {
        world: Arc::clone(world),
        envoy: Arc::new(envoy.unwrap_or_else(|reason| panic!("{reason}"))),
        protocol: Protocol::Http1,
    }
}

/// Waits until a metric of the module has this value.
fn counts(case: &Case, name: &str, expected: u64) {
    let name = format!("wasmcustom.llm_router_{name}");
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let told = case.world.runtime.block_on(case.envoy.stat(&name));
        if told == Some(expected) {
            return;
        }
        assert!(Instant::now() < deadline, "{name}: {told:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Returns the document of one listener. All of its names are its own, except for the backend `both`.
fn document(name: &str) -> Value {
    let own = format!("only-{name}");
    let any = json!([{"name": "*"}]);
    json!({
        "backends": [
            {"name": "both", "schema": "openai", "models": any},
            {"name": own, "schema": "openai", "models": [{"name": "status-503"}]},
        ],
        "routes": [
            {"name": format!("{name}-falls"), "match": {"model": "falls"}, "targets": [
                {"backend": own, "model": "status-503"}, {"backend": "both", "model": "words-3"},
            ]},
            {"name": format!("{name}-all"), "match": {"model": "*"}, "targets": [{"backend": "both"}]},
        ],
        "defaults": {
            "cooldown": {"failures": 1, "base_ms": 300_000, "max_ms": 300_000},
            "telemetry": {"caller": {"header": "x-team"}, "callers": [format!("team-{name}")]},
            "page": {"path": "/status", "public": true},
        },
    })
}

fn two_listeners(world: &Arc<World>) {
    let to = |cluster: &str| Cluster::new(cluster).to(world.backends.address("openai"));
    let config = Config::new(document("a"))
        .cluster(to("both"))
        .cluster(to("only-a"))
        .cluster(to("only-b"))
        .unmatched_cluster(to(NO_MATCH).plain())
        .change(|config| {
            let listeners = config["static_resources"]["listeners"].as_array_mut();
            let listeners = listeners.expect("a list");
            let mut second = listeners[0].clone();
            second["name"] = json!("second");
            let place = "/filter_chains/0/filters/0/typed_config/http_filters";
            let filters = second.pointer_mut(place).and_then(Value::as_array_mut);
            let router = filters.expect("a list").iter_mut();
            let mut router = router.filter(|filter| filter["name"] == "llm_router");
            let router = router.next().expect("the router");
            router["typed_config"]["config"]["configuration"]["value"] = document("b");
            listeners.push(second);
        });
    let case = start(world, "outcomes-two-listeners", &config);
    let addresses = addresses(&case);
    let call = |name: &str, model: &str| -> Call {
        let address = addresses[usize::from(name == "b")];
        let call = case.chat(model).header("x-team", format!("team-{name}"));
        call.by(address)
    };
    for (name, times) in [("a", 2), ("b", 3)] {
        for _ in 0..times {
            let answer = world.runtime.block_on(call(name, "words-4").send());
            assert_eq!(answer.status, 200);
        }
        let answer = world.runtime.block_on(call(name, "falls").send());
        assert_eq!(answer.status, 200);
    }
    for (name, times) in [("a", 2), ("b", 3)] {
        counts(
            &case,
            &format!("requests_total[route={name}-all][status=2xx]"),
            times,
        );
        counts(
            &case,
            &format!("requests_total[route={name}-falls][status=2xx]"),
            1,
        );
        let caller = format!("caller_requests_total[caller=team-{name}][status=2xx]");
        counts(&case, &caller, times + 1);
        // The backend role, which has no document, has started the cooldown.
        let target = format!("[backend=only-{name}][model=status-503]");
        counts(&case, &format!("cooldowns_total{target}"), 1);
        counts(&case, &format!("target_cooling{target}"), 1);
    }
    counts(
        &case,
        "attempts_total[backend=both][model=other][verdict=accepted]",
        5,
    );
    under_way(&case, &addresses, call("a", "slow-headers-2500"));
}

/// A request in progress is counted once, by the listener that accepted it.
fn under_way(case: &Case, addresses: &[SocketAddr], call: Call) {
    let runtime = &case.world.runtime;
    let sent = runtime.spawn(call.send());
    std::thread::sleep(Duration::from_millis(1200));
    for address in addresses {
        let page = case.get("/status.json").by(*address).send();
        let page = runtime.block_on(page);
        let page: Value = serde_json::from_slice(&page.body).expect("JSON");
        assert_eq!(page["totals"]["in_flight"], 1, "{page:#}");
        let targets = page["targets"].as_array().expect("a list").iter();
        let attempts: u64 = targets.filter_map(|one| one["in_flight"].as_u64()).sum();
        assert_eq!(attempts, 1, "{page:#}");
    }
    let answer = runtime.block_on(sent).expect("it is answered");
    assert_eq!(answer.status, 200);
}

/// Returns the addresses of the listeners, in their order.
fn addresses(case: &Case) -> Vec<SocketAddr> {
    let text = case.envoy.admin("/listeners?format=json");
    let text = case.world.runtime.block_on(text).expect("Envoy answers");
    let listeners: Value = serde_json::from_str(&text).expect("JSON");
    let all = listeners["listener_statuses"].as_array().expect("a list");
    let all = all.iter().map(|one| {
        let port = one.pointer("/local_address/socket_address/port_value");
        let port = port.and_then(Value::as_u64).expect("a port");
        let port = u16::try_from(port).expect("a port");
        (
            one["name"] == "second",
            SocketAddr::from(([127, 0, 0, 1], port)),
        )
    });
    let mut all: Vec<(bool, SocketAddr)> = all.collect();
    all.sort();
    all.into_iter().map(|(_, address)| address).collect()
}

/// Gives the backend role another VM than the router role's.
fn separate(config: &mut Value) {
    match config {
        Value::Object(fields) => {
            if fields.get("root_id") == Some(&json!("llm_backend")) {
                fields["vm_config"]["vm_id"] = json!("another");
            }
            fields.values_mut().for_each(separate);
        }
        Value::Array(items) => items.iter_mut().for_each(separate),
        _ => {}
    }
}

/// Requests work, and what is not known about them is not reported.
fn apart(world: &Arc<World>) {
    let config = ENVOY.config(&world.backends).change(separate);
    let case = start(world, "outcomes-apart", &config);
    let body = |model: &str, stream: bool| {
        let messages = json!([{"role": "user", "content": "canary-prompt"}]);
        json!({"model": model, "stream": stream, "messages": messages}).to_string()
    };
    for (model, stream, status, end) in [
        ("words-4", false, 200, "complete"),
        ("words-4", true, 200, "complete"),
        ("retried", false, 200, "complete"),
        ("failing", false, 503, "complete"),
        ("cut-3", true, 200, "cut"),
    ] {
        let call = case.post("/v1/chat/completions", body(model, stream));
        let heard = world.runtime.block_on(call.listen());
        assert_eq!(heard.answer.status, status, "{model}");
        let line = world.runtime.block_on(logged(&case, &heard.answer.id));
        line.says(&[
            ("decision", "ordered"),
            ("request.model", model),
            ("end", end),
            ("error.type", "-"),
        ]);
        unknown(&line);
    }
    let call = case.post("/v1/chat/completions", body("slow-headers-3000", true));
    let id = call.id.clone();
    let left = async { tokio::time::timeout(Duration::from_millis(500), call.listen()).await };
    assert!(world.runtime.block_on(left).is_err());
    let line = world.runtime.block_on(logged(&case, &id));
    unknown(line.says(&[("end", "client_gone")]));
    counts(&case, "requests_total[route=all][status=2xx]", 3);
    counts(&case, "answers_total[route=all][end=cut]", 1);
    counts(
        &case,
        "attempts_total[backend=one][model=other][verdict=accepted]",
        0,
    );
    let complaints = case.envoy.log().matches("the same `vm_id`").count();
    assert_eq!(complaints, 1, "the one worker says so once");
}

/// Asserts that nothing is reported about attempts, or that only attempts know.
fn unknown(line: &super::Logged) {
    for name in [
        "attempts",
        "failures",
        "backend",
        "target.model",
        "verdict",
        "response.model",
        "usage.input_tokens",
        "usage.output_tokens",
        "usage.estimated",
        "cost_usd",
        "first_token_ms",
    ] {
        line.says(&[(name, "-")]);
    }
}
