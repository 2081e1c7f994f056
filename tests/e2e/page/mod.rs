//! Trials of the status page that the filter serves itself: who may see it, and whether its data is correct.

mod access;
mod reload;
mod sums;

use std::sync::Arc;

use serde_json::Value;

use crate::fleet::SharedEnvoy;
use crate::fleet::page::{HEADER, SECRET};
use crate::harness::world::World;
use crate::harness::{Answer, Call, Case, Protocol, Suite};

/// The path of the page.
const PATH: &str = "/status/llm";

pub(crate) fn add(suite: &mut Suite, world: &Arc<World>) {
    reload::add(suite, world);
    suite.on(
        "page::none_by_default",
        SharedEnvoy::Text,
        Protocol::Http1,
        access::none_by_default,
    );
    for protocol in Protocol::ALL {
        suite.on(
            "page::who_gets_it",
            SharedEnvoy::Page { counts: false },
            protocol,
            access::who_gets_it,
        );
    }
    // Alone on its Envoy, because it compares counts.
    suite.on(
        "page::sums",
        SharedEnvoy::Page { counts: true },
        Protocol::Http1,
        sums::sums,
    );
}

/// Adds the secret to a request.
fn with_secret(call: Call) -> Call {
    call.header(HEADER, SECRET)
}

/// Reads the page on a connection of its own, so that any worker may serve it.
async fn read(case: &Case) -> Value {
    let call = with_secret(case.get(&format!("{PATH}.json")));
    let answer: Answer = call.send_on(&mut case.connect().await).await;
    answer.is(200).json()
}
