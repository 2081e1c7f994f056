//! Trials of every API in the table of `docs/apis.md`: each cell of a row names a trial here.

mod calls;
mod eligible;
mod errors;
mod passing;
mod sample;
mod stored;
mod streams;
mod websocket;

use llm_router::schema::{Api, ModelLocation, StreamSignal};

use crate::fleet::SharedEnvoy;
use crate::harness::{Case, Protocol, Suite};

const TABLE: &str = include_str!("../../../docs/apis.md");

const ENVOY: SharedEnvoy = SharedEnvoy::Apis { workers: 2 };

pub(crate) fn add(suite: &mut Suite) {
    for api in Api::ALL.iter().copied() {
        each(suite, "routed", api, calls::routed);
        each(suite, "rewritten", api, calls::rewritten);
        each(suite, "errors", api, errors::in_its_format);
        if api.stream_signal() != StreamSignal::Never {
            each(suite, "streamed", api, streams::streamed);
        }
        if api.model_location() != ModelLocation::Form {
            each(suite, "stored", api, stored::stored);
        }
    }
    on_both(suite, "apis::azure_and_openai", calls::azure_and_openai);
    on_both(suite, "apis::more_paths", calls::more_paths);
    on_both(suite, "apis::keys_do_not_arrive", calls::keys_do_not_arrive);
    on_both(suite, "apis::no_way_by_a_model", errors::no_way_by_a_model);
    on_both(suite, "apis::lists_of_models", errors::lists_of_models);
    eligible::add(suite);
    passing::add(suite);
    websocket::add(suite);
    let names = suite.names();
    suite.plain("apis::every_cell_of_the_table_has_its_trial", move || {
        every_cell_has_its_trial(&names)
    });
}

/// Adds a scenario of one API, for HTTP/1.1 and HTTP/2 clients.
fn each<Run>(suite: &mut Suite, what: &str, api: Api, scenario: fn(Case, Api) -> Run)
where
    Run: Future<Output = ()> + 'static,
{
    let name = format!("apis::{what}::{}", api.name());
    for protocol in Protocol::ALL {
        suite.on(&name, ENVOY, protocol, move |case| scenario(case, api));
    }
}

fn on_both<Run>(suite: &mut Suite, name: &str, scenario: fn(Case) -> Run)
where
    Run: Future<Output = ()> + 'static,
{
    for protocol in Protocol::ALL {
        suite.on(name, ENVOY, protocol, scenario);
    }
}

fn every_cell_has_its_trial(names: &[String]) {
    let cells = TABLE.split('`').skip(1).step_by(2);
    let named: Vec<&str> = cells.filter(|cell| cell.starts_with("apis::")).collect();
    let at_least = Api::ALL.len() * 3;
    assert!(
        named.len() >= at_least,
        "the table has lost names: {named:?}"
    );
    for trial in named {
        let is_there = names
            .iter()
            .any(|name| name.starts_with(&format!("{trial} [")));
        assert!(is_there, "no trial is called {trial}");
    }
}
