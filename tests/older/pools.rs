//! Trials of several targets behind one aggregate cluster.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::OlderEnvoy;
use crate::config::HEADER;
use crate::world::{Answer, Setup, World, content};

/// The faults of the first member, and what the client may see instead of an answer.
const FAULTS: [&str; 7] = [
    "status-500",
    "status-503",
    "status-429",
    "status-401",
    "reset",
    "hang",
    "error-first-overloaded",
];

pub(crate) fn add(trials: &mut Vec<Trial>, envoy: &OlderEnvoy) {
    let composite = Setup {
        kind: "composite",
        retry_policy: json!({}),
        ..Setup::usual()
    };
    let by_health = Setup {
        ejects: true,
        retry_policy: json!({}),
        ..Setup::usual()
    };
    let neither = Setup {
        retry_policy: json!({}),
        ..Setup::usual()
    };
    let routers_alone = Setup {
        backend_role: false,
        route: json!({"request_headers_to_remove": [HEADER]}),
        retry_policy: merged(
            crate::world::previous_priorities(),
            json!({"retry_on": "5xx,reset,connect-failure"}),
        ),
        ..Setup::usual()
    };
    trials.extend([
        envoy.trial("older::an_aggregate_falls_back", Setup::usual(), falls_back),
        envoy.trial("older::a_composite_falls_back", composite, falls_back),
        envoy.trial(
            "older::an_aggregate_falls_back_by_health",
            by_health,
            ejected,
        ),
        envoy.trial("older::an_aggregate_alone_tries_its_first", neither, stays),
        envoy.trial("older::a_pools_streams", Setup::usual(), streams),
        envoy.trial("older::a_pool_has_one_key", Setup::usual(), one_key),
        envoy.trial("older::a_pools_members_have_hosts", Setup::usual(), hosts),
        envoy.trial(
            "older::what_is_stored_stays_at_home",
            Setup::usual(),
            stored,
        ),
        envoy.trial(
            "older::a_pool_without_the_backend_role",
            routers_alone,
            router_alone,
        ),
    ]);
}

fn merged(mut one: Value, other: Value) -> Value {
    if let (Some(one), Value::Object(other)) = (one.as_object_mut(), other) {
        one.extend(other);
    }
    one
}

/// Asserts that the header with the cluster reaches no member in any attempt.
fn is_clean(answer: &Answer) {
    for (backend, request) in &answer.requests {
        let leaked = request.headers.iter().any(|(name, _)| name == HEADER);
        assert!(!leaked, "the cluster's header reached {backend}");
        assert_eq!(request.path, "/members/v1/chat/completions");
    }
}

async fn falls_back(world: World) {
    for fault in FAULTS {
        world.switch("broken", Some(fault));
        let answer = world.ask("pooled").header(HEADER, "two").send().await;
        answer.is(200, &["broken", "well"]);
        is_clean(&answer);
        assert_eq!(answer.seen().model(), "shared");
        assert_eq!(answer.header("x-llm-router-backend"), Some("pool"));
        assert_eq!(answer.header("x-llm-router-attempts"), Some("2"), "{fault}");
    }
    world.switch("broken", Some("status-400"));
    // An error of the request itself goes to the caller.
    world.ask("pooled").send().await.is(400, &["broken"]);
    world.ask("dead-pool").send().await.is(200, &["well"]);
    // The other members fail too.
    world.switch("broken", Some("status-503"));
    world.switch("well", Some("status-529"));
    world
        .ask("pooled")
        .send()
        .await
        .is(529, &["broken", "well"]);
}

async fn ejected(world: World) {
    world.switch("broken", Some("status-503"));
    // Whether the second attempt is made after the failure was noticed is a matter of milliseconds.
    let answer = world.ask("pooled").send().await;
    assert!(answer.requests.len() == 2 && answer.requests[0].0 == "broken");
    let deadline = Instant::now() + Duration::from_secs(5);
    while world.ask("pooled").send().await.requests[0].0 == "broken" {
        assert!(Instant::now() < deadline, "it is never left alone");
    }
    world.ask("pooled").send().await.is(200, &["well"]);
}

/// Without any setting that leads to another member.
async fn stays(world: World) {
    world.switch("broken", Some("status-503"));
    let answer = world.ask("pooled").send().await;
    answer.is(503, &["broken", "broken"]);
}

async fn streams(world: World) {
    for fault in ["empty-stream", "error-first", "reset-0", "status-503"] {
        world.switch("broken", Some(fault));
        let answer = world
            .ask("pooled")
            .field("stream", json!(true))
            .send()
            .await;
        answer.is(200, &["broken", "well"]);
        is_clean(&answer);
        let whole = world.directly("well", answer.seen().0).await;
        assert_eq!(content(&answer.text), whole);
    }
    // Nothing follows once the client has received a token.
    world.switch("broken", Some("end-3"));
    let answer = world
        .ask("pooled")
        .field("stream", json!(true))
        .send()
        .await;
    answer.is(200, &["broken"]);
    assert!(
        answer.text.contains("upstream_incomplete"),
        "{}",
        answer.text
    );
}

async fn one_key(world: World) {
    world.switch("broken", Some("status-503"));
    let answer = world.ask("pooled").send().await;
    answer.is(200, &["broken", "well"]);
    for (_, request) in &answer.requests {
        let seen = crate::world::SeenRequest(request);
        // The aggregate cluster's key: upstream filters of members do not run.
        assert_eq!(seen.values("x-key"), ["key-of-pool"]);
    }
}

async fn hosts(world: World) {
    world.switch("broken", Some("status-503"));
    let answer = world.ask("pooled").send().await;
    answer.is(200, &["broken", "well"]);
    let hosts: Vec<&str> = answer
        .requests
        .iter()
        .map(|(_, request)| request.authority.as_str())
        .collect();
    assert_eq!(hosts, ["broken.member", "well.member"]);
}

/// A request that refers to stored state goes to the own cluster of the backend that has it.
async fn stored(world: World) {
    let ask = || world.ask("pooled-the-other-way");
    ask().send().await.is(200, &["broken"]);
    let answer = ask()
        .field("previous_response_id", json!("resp_1"))
        .send()
        .await;
    answer.is(200, &["well"]);
    is_clean(&answer);
    assert_eq!(answer.seen().values("x-key"), ["key-of-well"]);
}

async fn router_alone(world: World) {
    world.switch("broken", Some("status-503"));
    let answer = world.ask("pooled").send().await;
    answer.is(200, &["broken", "well"]);
    assert_eq!(answer.seen().model(), "shared");
    assert!(answer.seen().values(HEADER).is_empty());
}
