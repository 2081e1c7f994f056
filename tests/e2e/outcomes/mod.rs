//! Trials of the outcomes of requests, as Envoy's access log shows them.

mod answers;
mod ends;
mod oversized;
mod passing;
pub(crate) mod sockets;
mod spans;
mod sums;
mod vms;
mod written;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::fleet::SharedEnvoy;
use crate::harness::world::World;
use crate::harness::{Case, Protocol, Suite};

const ENVOY: SharedEnvoy = SharedEnvoy::Outcomes { workers: 2 };

pub(crate) fn add(suite: &mut Suite, world: &Arc<World>) {
    answers::add(suite);
    ends::add(suite);
    oversized::add(suite);
    passing::add(suite, world);
    sockets::add(suite);
    spans::add(suite);
    sums::add(suite);
    vms::add(suite, world);
    written::add(suite);
}

fn on_both<Run>(suite: &mut Suite, name: &str, scenario: fn(Case) -> Run)
where
    Run: Future<Output = ()> + 'static,
{
    for protocol in Protocol::ALL {
        suite.on(name, ENVOY, protocol, scenario);
    }
}

/// The access log's line for a request.
#[derive(Debug)]
pub(crate) struct Logged(Value);

impl Logged {
    /// Returns the value of a field, if it is set.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        match &self.0[name] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name).map(|value| {
            value
                .parse()
                .unwrap_or_else(|_| panic!("{name}: {}", self.0))
        })
    }

    /// Compares the line with expected names and values; `-` means that a field is not set.
    #[track_caller]
    pub(crate) fn says(&self, expected: &[(&str, &str)]) -> &Self {
        for (name, value) in expected {
            let told = self.get(name);
            let told = told.as_deref().unwrap_or("-");
            assert_eq!(told, *value, "{name}: {:#}", self.0);
        }
        self
    }
}

/// Waits for the access log's line of a request.
pub(crate) async fn logged(case: &Case, id: &str) -> Logged {
    let marker = format!("\"id\":\"{id}\"");
    for _ in 0..200 {
        let log = case.envoy.log();
        if let Some(line) = log.lines().find(|line| line.contains(&marker)) {
            return Logged(serde_json::from_str(line).expect("a line of JSON"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing is logged of {id}\n{}", case.envoy.log_tail());
}
