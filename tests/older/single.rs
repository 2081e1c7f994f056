//! Trials of single targets, each at the cluster of its own backend.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use serde_json::json;

use crate::OlderEnvoy;
use crate::config::{HEADER, Selection};
use crate::world::{Answer, Setup, World, content};

pub(crate) fn add(trials: &mut Vec<Trial>, envoy: &OlderEnvoy) {
    let header_match = Setup {
        selection: Selection::HeaderMatch(&["one", "two"]),
        route: json!({}),
        ..Setup::usual()
    };
    let routers_alone = Setup {
        backend_role: false,
        route: json!({"request_headers_to_remove": [HEADER]}),
        ..Setup::usual()
    };
    trials.extend([
        envoy.trial("older::by_cluster_header", Setup::usual(), chosen),
        envoy.trial("older::by_header_match", header_match, chosen),
        envoy.trial(
            "older::without_the_backend_role",
            routers_alone,
            router_alone,
        ),
        envoy.trial("older::the_first_that_is_well", Setup::usual(), well),
        envoy.trial("older::streams", Setup::usual(), streams),
        envoy.trial("older::streams_are_followed", Setup::usual(), followed),
    ]);
}

/// Only the document selects the cluster.
async fn chosen(world: World) {
    for (model, backend, upstream_name) in
        [("at-one", "one", "m-of-one"), ("at-two", "two", "m-of-two")]
    {
        let other = if backend == "one" { "two" } else { "one" };
        for claims in [
            vec![],
            vec![other],
            vec!["no-such-cluster", other],
            vec![""],
        ] {
            let mut ask = world.ask(model);
            for claim in claims {
                ask = ask.header(HEADER, claim);
            }
            let answer = ask.send().await;
            let seen = answer.is(200, &[backend]).seen();
            assert_eq!(seen.model(), upstream_name);
            assert!(seen.values(HEADER).is_empty(), "{:?}", seen.0.headers);
            assert_eq!(seen.values("x-key"), [format!("key-of-{backend}")]);
        }
    }
    let answer = world
        .ask("at-one")
        .header("authorization", "Bearer mine")
        .send()
        .await;
    let seen = answer.is(200, &["one"]).seen();
    assert_eq!(seen.0.path, "/one/v1/chat/completions");
    assert_eq!(seen.values("x-one"), ["1"]);
    assert!(seen.values("authorization").is_empty());
}

async fn router_alone(world: World) {
    let answer = world.ask("at-one").header(HEADER, "two").send().await;
    let seen = answer.is(200, &["one"]).seen();
    assert_eq!(seen.model(), "m-of-one");
    assert!(seen.values(HEADER).is_empty());
    // The backend role would have made these changes.
    assert_eq!(seen.0.path, "/v1/chat/completions");
    assert!(seen.values("x-one").is_empty());
}

async fn well(world: World) {
    world.switch("sick", Some("status-503"));
    let ask = async || world.ask("first-that-is-well").send().await;
    // There is no next target until the first one is in cooldown.
    for _ in 0..3 {
        ask().await.is(503, &["sick"]);
    }
    ask().await.is(200, &["two"]);
}

async fn streams(world: World) {
    let answer = world.ask("at-one").field("stream", json!(true));
    let mut response = answer.open().await;
    let (mut pieces, mut text) = (vec![], vec![]);
    while let Some(piece) = response.chunk().await.expect("the stream goes on") {
        pieces.push(Instant::now());
        text.extend_from_slice(&piece);
    }
    let text = String::from_utf8(text).expect("text");
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let seen = world.recorded(&answer);
    assert_eq!(content(&text), world.directly("one", &seen).await);
    let took = pieces[pieces.len() - 1] - pieces[0];
    assert!(took > Duration::from_millis(40), "held back: {took:?}");
}

async fn followed(world: World) {
    let answer: Answer = world.ask("ends").field("stream", json!(true)).send().await;
    answer.is(200, &["two"]);
    assert!(
        answer.text.contains("upstream_incomplete"),
        "{}",
        answer.text
    );
}
