//! What the router role writes into requests and answers, as the core has decided.

use proxy_wasm::types::{BufferType, MapType};

use super::calls;
use super::{NEXT, PLAN};
use crate::attempt::Unretried;
use crate::routing::{Passed, Routed};

/// Sends a request on that is no call of a model. No limit of ours is set: what passes may take as long as it will, a file
/// or a conversation.
pub(super) fn let_through(passed: &Passed) {
    let map = MapType::HttpRequestHeaders;
    for name in &passed.remove_headers {
        calls::remove_header(map, name);
    }
    calls::set_header(map, "x-envoy-max-retries", b"0");
    let header = passed.cluster_header.as_deref();
    choose(&passed.cluster, header, &passed.passage);
}

pub(super) fn send_on_its_way(routed: &Routed<'_>) {
    let map = MapType::HttpRequestHeaders;
    for name in &routed.remove_headers {
        calls::remove_header(map, name);
    }
    let max_retries = routed.max_retries.to_string();
    calls::set_header(map, "x-envoy-max-retries", max_retries.as_bytes());
    let timeout = routed.attempt_timeout_ms.to_string();
    calls::set_header(
        map,
        "x-envoy-upstream-rq-per-try-timeout-ms",
        timeout.as_bytes(),
    );
    if let Some(edit) = &routed.body {
        calls::replace_body(BufferType::HttpRequestBody, edit.replaced, &edit.beginning);
        if let Some(length) = edit.content_length {
            calls::set_header(map, "content-length", length.to_string().as_bytes());
        }
    }
    choose(&routed.cluster, routed.cluster_header, &routed.plan);
}

/// Leaves word of the cluster, and of what the backend role shall do there. The last of all: what Envoy selects from now
/// on, it selects by what was just written.
fn choose(cluster: &str, cluster_header: Option<&str>, plan: &[u8]) {
    if let Some(name) = cluster_header {
        calls::set_header(MapType::HttpRequestHeaders, name, cluster.as_bytes());
    }
    calls::set_state(PLAN, plan);
    calls::set_state(NEXT, cluster.as_bytes());
    calls::clear_route_cache();
}

/// What answers tell of where they come from.
const REPORTED: [&str; 6] = [
    "x-llm-router-route",
    "x-llm-router-backend",
    "x-llm-router-model",
    "x-llm-router-attempts",
    "x-llm-router-failures",
    "x-llm-router-unretried",
];

/// Puts a report into an answer of a backend's, whose own word for it, a router's of its own perhaps, does not count.
pub(super) fn write_report(report: Vec<(&'static str, String)>) {
    let map = MapType::HttpResponseHeaders;
    for name in REPORTED {
        calls::remove_header(map, name);
    }
    for (name, value) in report {
        calls::add_header(map, name, value.as_bytes());
    }
}

/// Where an answer comes from, for its headers.
pub(super) fn report(
    route: String,
    attempts: Vec<(&'static str, String)>,
    unretried: Option<Unretried>,
) -> Vec<(&'static str, String)> {
    let mut report = vec![("x-llm-router-route", route)];
    report.extend(attempts);
    if let Some(unretried) = unretried {
        report.push(("x-llm-router-unretried", unretried.name().to_owned()));
    }
    report
}
