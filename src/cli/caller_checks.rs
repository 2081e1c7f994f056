//! Checks whether Envoy verifies what a document needs to know about callers, as far as its file tells.

use super::embedded::either;
use super::envoy::{is_below, manager_of};
use super::report::Finding;
use super::source::LocatedNode;
use crate::config::Document;

/// Returns what is missing for the conditions on callers. `plugin` is the path of the document's plugin.
pub(super) fn check(document: &Document, plugin: &str, file: &LocatedNode) -> Vec<Finding> {
    let mut findings = Vec::new();
    if document.caller_parts.claims
        && let Some((path, manager)) = manager_of(file, plugin)
    {
        findings.extend(check_tokens(&path, manager, plugin));
    }
    if document.caller_parts.mesh {
        findings.extend(check_certificates(file, plugin));
    }
    findings
}

fn check_tokens(path: &str, manager: &LocatedNode, plugin: &str) -> Option<Finding> {
    let filters = either(manager, "http_filters", "httpFilters")?;
    let is_ours = |index: &usize| {
        let places = ["http_filters", "httpFilters"];
        let mut places = places
            .map(|name| format!("{path}.{name}[{index}]"))
            .into_iter();
        places.any(|place| is_below(plugin, &place))
    };
    let all = filters.items().iter().enumerate();
    let before = all.take_while(|(index, _)| !is_ours(index));
    let configs: Option<Vec<&LocatedNode>> = before
        .map(|(_, filter)| either(filter, "typed_config", "typedConfig"))
        .collect();
    // Configuration from elsewhere may be anything.
    let configs = configs?;
    let is_jwt_authn = |config: &&&LocatedNode| {
        let kind = config.get("@type").and_then(LocatedNode::text);
        kind.is_some_and(|kind| kind.ends_with(".JwtAuthentication"))
    };
    let Some(jwt_authn) = configs.iter().find(is_jwt_authn) else {
        return Some(Finding::warning(
            filters.place,
            &format!("{path}.http_filters"),
            "routes match claims, but there is no `envoy.filters.http.jwt_authn` before the filter: no request will \
             have a claim",
        ));
    };
    let providers = jwt_authn.get("providers")?;
    let leaves_payload = |(_, _, provider): &(String, _, LocatedNode)| {
        either(provider, "payload_in_metadata", "payloadInMetadata").is_some()
    };
    (!providers.entries().iter().any(leaves_payload)).then(|| {
        Finding::warning(
            providers.place,
            &format!("{path}.http_filters"),
            "routes match claims, but no provider has `payload_in_metadata`: no request will have a claim",
        )
    })
}

fn check_certificates(file: &LocatedNode, plugin: &str) -> Option<Finding> {
    let mut chain = None;
    file.walk("", &mut |path, node| {
        if node.get("filters").is_some() && is_below(plugin, path) {
            chain = Some((path.to_owned(), node));
        }
    });
    let (path, chain) = chain?;
    let Some(socket) = either(chain, "transport_socket", "transportSocket") else {
        return Some(Finding::warning(
            chain.place,
            &path,
            "routes match `mesh`, but the filter chain has no `transport_socket`: without TLS no caller has an \
             identity",
        ));
    };
    let path = format!("{path}.transport_socket");
    let mut finding = None;
    socket.walk(&path, &mut |path, node| {
        let how = either(node, "trust_chain_verification", "trustChainVerification");
        if let Some(how) = how.filter(|how| how.text() == Some("ACCEPT_UNTRUSTED")) {
            finding = Some(Finding::error(
                how.place,
                path,
                "routes match `mesh`, but with ACCEPT_UNTRUSTED anyone can create a certificate for any identity",
            ));
        }
    });
    finding
}
