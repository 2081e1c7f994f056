//! Writes the core's decisions into requests and answers.

use proxy_wasm::types::{BufferType, MapType};

use super::calls;
use super::{NEXT, PLAN};
use crate::attempt::UnretriedReason;
use crate::routing::{PassThroughRequest, RoutedRequest};

/// Sends a pass-through request on. The router sets no time limit for it: a file or a realtime conversation may take
/// as long as it needs.
pub(super) fn forward_pass_through(passed: &PassThroughRequest) {
    let map = MapType::HttpRequestHeaders;
    for name in &passed.remove_headers {
        calls::remove_header(map, name);
    }
    calls::set_header(map, "x-envoy-max-retries", b"0");
    let header = passed.cluster_header.as_deref();
    write_destination(&passed.cluster, header, &passed.passage);
}

pub(super) fn forward_routed(routed: &RoutedRequest<'_>) {
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
    write_destination(&routed.cluster, routed.cluster_header, &routed.plan);
}

/// Writes the cluster, and what the backend role needs there. Must come last: from here on, Envoy selects by what was
/// just written.
fn write_destination(cluster: &str, cluster_header: Option<&str>, plan: &[u8]) {
    if let Some(name) = cluster_header {
        calls::set_header(MapType::HttpRequestHeaders, name, cluster.as_bytes());
    }
    calls::set_state(PLAN, plan);
    calls::set_state(NEXT, cluster.as_bytes());
    calls::clear_route_cache();
}

/// The response headers that report where an answer comes from.
const REPORTED: [&str; 6] = [
    "x-llm-router-route",
    "x-llm-router-backend",
    "x-llm-router-model",
    "x-llm-router-attempts",
    "x-llm-router-failures",
    "x-llm-router-unretried",
];

/// Writes a report into a backend's answer. Headers of these names that the backend sent, for example because it is a
/// router itself, are removed.
pub(super) fn write_report(report: Vec<(&'static str, String)>) {
    let map = MapType::HttpResponseHeaders;
    for name in REPORTED {
        calls::remove_header(map, name);
    }
    for (name, value) in report {
        calls::add_header(map, name, value.as_bytes());
    }
}

/// Returns the response headers that report where an answer comes from.
pub(super) fn report(
    route: String,
    attempts: Vec<(&'static str, String)>,
    unretried: Option<UnretriedReason>,
) -> Vec<(&'static str, String)> {
    let mut report = vec![("x-llm-router-route", route)];
    report.extend(attempts);
    if let Some(unretried) = unretried {
        report.push(("x-llm-router-unretried", unretried.name().to_owned()));
    }
    report
}
