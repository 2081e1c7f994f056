//! The headers for a backend: which of the client's and Envoy's headers it does not get, and which replace them.

use super::adaptation::HeaderChange;
use crate::config::{
    AllowedHeaders, Backend, is_credential_header, is_internal_header, is_private_header,
};
use crate::request::Headers;

const PATH: &str = ":path";
const AUTHORITY: &str = ":authority";

/// Headers that Envoy's router may add after the router role has seen the request, under names of its own.
const WRITTEN_BY_ENVOY: [&str; 5] = [
    "x-envoy-attempt-count",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-is-timeout-retry",
    "x-envoy-original-host",
    "x-envoy-original-path",
];

/// Tracing headers, which Envoy's own tracing rewrites for each attempt. They are sent on unless a list of allowed
/// headers omits them; then they are removed, whoever wrote them.
const TRACING: [&str; 8] = [
    "b3",
    "traceparent",
    "tracestate",
    "x-b3-flags",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-spanid",
    "x-b3-traceid",
];

/// The header in which browsers send their key, because the WebSocket API lets them set no other header.
pub(super) const SUBPROTOCOL: &str = "sec-websocket-protocol";

/// The prefixes of the subprotocols in which OpenAI accepts a key and its owner.
pub const CREDENTIAL_SUBPROTOCOLS: [&str; 3] = [
    "openai-insecure-api-key.",
    "openai-organization.",
    "openai-project.",
];

/// Returns the subprotocols that a client offers, without credentials; `None` if there were no credentials among
/// them.
fn clean_subprotocols(headers: &Headers) -> Option<Vec<u8>> {
    let is_credential = |offered: &&[u8]| {
        let starts = |prefix: &&str| {
            let start = offered.get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
        };
        CREDENTIAL_SUBPROTOCOLS.iter().any(starts)
    };
    let offered = headers
        .values(SUBPROTOCOL)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii);
    let all: Vec<&[u8]> = offered.collect();
    let is_kept = |offered: &&[u8]| !offered.is_empty() && !is_credential(offered);
    let kept = all.iter().copied().filter(is_kept);
    let kept: Vec<&[u8]> = kept.collect();
    all.iter().any(is_credential).then(|| kept.join(&b", "[..]))
}

/// Returns the client's headers that are sent only to backends that allow them by name, each once.
pub(super) fn private_headers(headers: &Headers) -> Vec<&str> {
    distinct(headers, is_private_header)
}

/// Returns the client's headers that do not go to a backend, each once. Credentials and internal headers are not
/// included, because the router role has already removed them.
fn unwanted<'h>(
    allowed: &AllowedHeaders,
    headers: &'h Headers,
    private: &[&'h str],
) -> Vec<&'h str> {
    if !allowed.is_list() {
        return private.to_vec();
    }
    let mut names = distinct(headers, |name| {
        let is_gone = is_credential_header(name) || is_internal_header(name);
        !is_gone && !allowed.allows(name)
    });
    for name in TRACING {
        if !allowed.allows(name) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Returns the headers that Envoy has added, or may have added if its headers are not known.
pub(super) fn written_by_envoy(found: Option<&[(String, Vec<u8>)]>) -> Vec<&'static str> {
    let mut names = WRITTEN_BY_ENVOY.to_vec();
    if let Some(found) = found {
        names.retain(|name| found.iter().any(|(known, _)| known == name));
    }
    names
}

fn distinct(headers: &Headers, is_one: impl Fn(&str) -> bool) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in headers.iter() {
        if is_one(name) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Returns the changes from the client's headers, without the credentials that the router role removed, to the
/// headers for this backend. Headers that are already right are not written again. Applying the changes twice has the
/// same effect as applying them once.
pub(super) fn changes(
    backend: &Backend,
    path: &str,
    headers: &Headers,
    private: &[&str],
) -> Vec<HeaderChange> {
    let mut changes = Vec::new();
    if headers.text(PATH) != Some(path) {
        changes.push(HeaderChange::set(PATH, path.as_bytes()));
    }
    if let Some(host) = &backend.host
        && headers.text(AUTHORITY) != Some(host)
    {
        changes.push(HeaderChange::set(AUTHORITY, host.as_bytes()));
    }
    let unwanted = unwanted(&backend.allow_headers, headers, private);
    let present = backend.remove_headers.iter().map(String::as_str);
    let present = present.filter(|name| headers.contains(name) && !unwanted.contains(name));
    let gone = unwanted.iter().copied().chain(present);
    changes.extend(gone.map(HeaderChange::remove));
    for (name, value) in &backend.set_headers {
        // If a header has several values, Envoy's set operation replaces only one of them.
        if headers.values(name).nth(1).is_some() {
            changes.push(HeaderChange::remove(name));
        }
        changes.push(HeaderChange::set(name, value.as_bytes()));
    }
    if backend.forward_client_credentials {
        let mut names: Vec<&str> = Vec::new();
        for (name, value) in headers
            .iter()
            .filter(|(name, _)| is_credential_header(name))
        {
            if !names.contains(&name) {
                names.push(name);
                changes.push(HeaderChange::remove(name));
            }
            changes.push(HeaderChange::add(name, value));
        }
    } else if let Some(kept) = clean_subprotocols(headers) {
        changes.push(HeaderChange::remove(SUBPROTOCOL));
        if !kept.is_empty() {
            changes.push(HeaderChange::add(SUBPROTOCOL, &kept));
        }
    }
    changes
}
