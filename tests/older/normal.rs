//! Trials of how older Envoys handle a configuration for Envoys that can select another cluster for a retry.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use libtest_mimic::Trial;
use serde_json::json;

use crate::OlderEnvoy;
use crate::config::Selection;
use crate::document::BACKENDS;
use crate::harness::files;
use crate::harness::tls::Authority;
use crate::world::{Setup, World, content, render};

const NAME: &str = "older::the_normal_mode";

pub(crate) fn add(trials: &mut Vec<Trial>, envoy: &OlderEnvoy) {
    let setup = Setup {
        selection: Selection::Matcher,
        retry_policy: json!({}),
        ..Setup::usual()
    };
    trials.push(envoy.trial("older::metrics", setup.clone(), metrics));
    let older = envoy.clone();
    let full = format!("older::the_example_loads [{}]", envoy.version);
    trials.push(Trial::test(full, move || {
        the_example_loads(&older);
        Ok(())
    }));
    trials.push(envoy.trial("older::released_by_time", setup.clone(), late));
    if envoy.reselects() {
        trials.push(envoy.trial(NAME, setup, works));
    } else {
        let envoy = envoy.clone();
        let full = format!("{NAME} [{}]", envoy.version);
        trials.push(Trial::test(full, move || {
            is_refused(&envoy, &setup);
            Ok(())
        }));
    }
}

async fn works(world: World) {
    world.switch("broken", Some("status-503"));
    let answer = world.ask("pooled").send().await;
    answer.is(200, &["broken", "well"]);
    let keys: Vec<_> = answer
        .requests
        .iter()
        .map(|(_, request)| crate::world::SeenRequest(request).values("x-key").join(" "))
        .collect();
    assert_eq!(keys, ["key-of-broken", "key-of-well"]);
}

fn is_refused(envoy: &OlderEnvoy, setup: &Setup) {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let addresses: BTreeMap<_, _> = BACKENDS.iter().map(|name| (*name, anywhere)).collect();
    let addresses = addresses.into_iter().chain([("dead", anywhere)]).collect();
    let programs = &envoy.programs;
    let config = render(programs, setup, &addresses);
    let file = programs.write(&format!("normal-{}", envoy.version), &config);
    let (accepted, printed) = programs.validate(&file, &programs.directory);
    assert!(
        !accepted && printed.contains("'refresh_cluster_on_retry'"),
        "{printed}"
    );
}

/// A held answer whose first token is late is released if there is no other target. Envoys without the fix lose the
/// data that follows, which is why the older mode refuses such a limit.
async fn late(world: World) {
    let answer = world.ask("late").field("stream", json!(true)).send().await;
    let whole = world
        .directly("two", answer.is(200, &["two"]).seen().0)
        .await;
    let (_, without_first) = whole.split_once(' ').expect("several words");
    let expected = if world.reselects {
        &whole
    } else {
        without_first
    };
    assert_eq!(content(&answer.text), expected);
}

/// The names of the module's counters among Envoy's.
async fn metrics(world: World) {
    let stats = world.envoy.admin("/stats").await.expect("it answers");
    let ours = "wasmcustom.llm_router.unauthorized: 0";
    let line = stats.lines().find(|line| line.ends_with(ours));
    let line = line.unwrap_or_else(|| panic!("no counter\n{stats}"));
    let expected = if world.reselects {
        "wasmcustom."
    } else {
        "cluster."
    };
    assert!(line.starts_with(expected), "{line}");
}

fn the_example_loads(envoy: &OlderEnvoy) {
    let programs = &envoy.programs;
    let ca = programs.directory.join(format!("ca-{}.pem", envoy.version));
    std::fs::write(&ca, Authority::new().pem()).expect("a CA is written");
    let text = files::read(&files::root().join("envoy/older.yaml"));
    let name = format!("older-{}.yaml", envoy.version);
    let (accepted, printed) = programs.validate_example(&name, &text, &ca, &programs.directory);
    assert!(accepted, "it is refused\n{printed}");
}
