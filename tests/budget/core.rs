//! Counts the allocations of the core, from a request's headers to its first attempt. Allocations of the SDK around
//! each host call, and those of the host, are not included.

use allocation_counter::{AllocationInfo, measure, opt_out};
use llm_router::attempt::{CurrentHeaders, Moment, Plan, begin};
use llm_router::config::Document;
use llm_router::health::NoHealthStore;
use llm_router::request::{Caller, Headers};
use llm_router::routing::{AfterHeaders, receive_headers};

use super::exchange::{Scenario, body, document, request_headers};

const MOMENT: Moment<'_> = Moment {
    now: 0,
    random: 0,
    health: &NoHealthStore,
};

/// Returns the allocations of the router role, and those of the first attempt.
pub(crate) fn allocations(scenario: &Scenario) -> (AllocationInfo, AllocationInfo) {
    allocations_with(scenario, 0)
}

/// Returns the same for a request with additional headers.
pub(crate) fn allocations_with(
    scenario: &Scenario,
    more_headers: usize,
) -> (AllocationInfo, AllocationInfo) {
    let document = Document::load(document(scenario).as_bytes()).unwrap();
    let body = body(scenario.body, scenario.model);
    let mut headers = request_headers(body.len());
    for number in 0..more_headers {
        headers.push((format!("x-more-{number}"), b"a value".to_vec()));
    }
    let current = Envoy(headers.clone());
    let headers = Headers::new(headers);
    let mut left = None;
    let router = measure(|| {
        let AfterHeaders::AwaitBody(pending) =
            receive_headers(&document, headers, Caller::default(), || MOMENT)
        else {
            return;
        };
        left = pending
            .route(&document, &body, MOMENT)
            .ok()
            .map(|routed| (routed.plan, routed.cluster));
    });
    let (plan, cluster) = left.unwrap();
    let mut begun = false;
    let attempt = measure(|| {
        begun = Plan::decode(&plan)
            .is_some_and(|plan| begin(plan, &cluster, &current, || MOMENT).is_ok());
    });
    assert!(begun);
    (router, attempt)
}

/// What the SDK allocates for them does not count as the core's.
struct Envoy(Vec<(String, Vec<u8>)>);

impl CurrentHeaders for Envoy {
    fn all(&self) -> Vec<(String, Vec<u8>)> {
        let mut all = Vec::new();
        opt_out(|| all.clone_from(&self.0));
        all
    }

    fn value(&self, name: &str) -> Option<Vec<u8>> {
        let mut value = None;
        opt_out(|| {
            let header = self.0.iter().find(|(known, _)| known == name);
            value = header.map(|(_, value)| value.clone());
        });
        value
    }

    fn is_retry(&self) -> bool {
        false
    }
}
