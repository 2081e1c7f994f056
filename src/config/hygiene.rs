//! Which of a client's headers are no provider's business.

use super::backend::read_header_name;
use super::condition::read_pattern;
use super::reader::Node;
use crate::routing::Pattern;

/// Headers in which a caller identifies itself: to a provider, to a cloud's gateway, or to the proxy before this one.
/// In order; a `*` at the end stands for any.
pub const CREDENTIAL_HEADERS: [&str; 46] = [
    "api-key",
    "apikey",
    "authorization",
    "cf-access-*",
    "cookie",
    "dpop",
    "helicone-auth",
    "ocp-apim-subscription-key",
    "openai-organization",
    "openai-project",
    "private-token",
    "proxy-authorization",
    "remote-user",
    "x-access-token",
    "x-amz-algorithm",
    "x-amz-content-sha256",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature*",
    "x-amz-signedheaders",
    "x-amzn-mtls-*",
    "x-amzn-oidc-*",
    "x-api-key",
    "x-api-token",
    "x-apikey",
    "x-auth-email",
    "x-auth-key",
    "x-auth-request-*",
    "x-auth-token",
    "x-authorization",
    "x-csrf-token",
    "x-forwarded-access-token",
    "x-goog-api-key",
    "x-goog-authenticated-user-*",
    "x-goog-iap-jwt-assertion",
    "x-id-token",
    "x-litellm-api-key",
    "x-ms-client-principal*",
    "x-ms-token-*",
    "x-portkey-api-key",
    "x-remote-user",
    "x-user-token",
    "x-vault-token",
    "x-xsrf-token",
];

/// Headers that tell of the caller, or of the network between it and this proxy. In order, as above.
pub const PRIVATE_HEADERS: [&str; 36] = [
    "baggage",
    "cdn-loop",
    "cf-*",
    "client-cert",
    "client-cert-chain",
    "client-ip",
    "cloudfront-*",
    "correlation-context",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded",
    "forwarded-for",
    "from",
    "origin",
    "ot-baggage-*",
    "proxy-client-ip",
    "referer",
    "ssl-client-*",
    "true-client-ip",
    "uberctx-*",
    "via",
    "wl-proxy-client-ip",
    "x-appengine-*",
    "x-arr-clientcert",
    "x-azure-*",
    "x-client-cert",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded",
    "x-forwarded-*",
    "x-goog-user-project",
    "x-original-forwarded-for",
    "x-original-host",
    "x-real-ip",
    "x-request-id",
    "x-ssl-client-*",
];

/// Headers that Envoy or the router itself sets and reads. In order, as above.
pub const INTERNAL_HEADERS: [&str; 2] = ["x-envoy-*", "x-llm-router-*"];

/// Headers without which there is no request, or its body cannot be read: what a list of allowed headers never has to
/// name. In order, as above.
pub const NEEDED_HEADERS: [&str; 14] = [
    "accept",
    "accept-encoding",
    "anthropic-version",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "sec-websocket-*",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a caller identifies itself in this header.
pub fn is_credential_header(name: &str) -> bool {
    is_among(&CREDENTIAL_HEADERS, name)
}

/// Whether this header goes to a backend only where it is allowed by its name.
pub fn is_private_header(name: &str) -> bool {
    is_among(&PRIVATE_HEADERS, name)
}

/// Whether Envoy or the router itself sets and reads this header.
pub fn is_internal_header(name: &str) -> bool {
    is_among(&INTERNAL_HEADERS, name)
}

/// What of a client's headers may reach a backend, beside what it never may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed(Option<Vec<Pattern>>);

impl Allowed {
    /// Whether this header may. Credentials and internal headers are not asked for: they are gone by then.
    pub fn allows(&self, name: &str) -> bool {
        let Some(patterns) = &self.0 else {
            return !is_private_header(name);
        };
        let fits = |pattern: &Pattern| pattern.matches(name.as_bytes());
        if is_private_header(name) {
            // Whoever wrote a pattern need not have thought of these.
            let mut exact = patterns.iter().filter(|one| one.as_exact().is_some());
            return exact.any(fits);
        }
        name.starts_with(':') || is_among(&NEEDED_HEADERS, name) || patterns.iter().any(fits)
    }

    /// Whether there is a list.
    pub fn is_list(&self) -> bool {
        self.0.is_some()
    }
}

/// Whether a name stands in such a list.
fn is_among(list: &[&str], name: &str) -> bool {
    // What comes last before it, or is equal, is the only one that can fit: no pattern of a list fits what another one of
    // it begins with, which a test sees to.
    let name = name.as_bytes();
    let after = list.partition_point(|known| literal(known).0 <= name);
    let last = after.checked_sub(1).and_then(|at| list.get(at));
    last.is_some_and(|known| match literal(known) {
        (prefix, true) => name.starts_with(prefix),
        (all, false) => all == name,
    })
}

/// A name of a list without its `*`, and whether it has one.
fn literal(known: &str) -> (&[u8], bool) {
    match known.as_bytes() {
        [prefix @ .., b'*'] => (prefix, true),
        all => (all, false),
    }
}

/// Reads a backend's `allow_headers`; `removed` is its `remove_headers`.
pub(super) fn read_allowed(node: &Node<'_>, removed: &[String]) -> Allowed {
    let mut patterns = Vec::new();
    for node in node.list() {
        let Some(written) = node.name() else { continue };
        let Some(name) = read_header_name(&node, written) else {
            continue;
        };
        let Some(pattern) = read_pattern(&node, &name) else {
            continue;
        };
        let literal = name.trim_end_matches('*');
        if is_internal_header(literal) {
            node.error(format!(
                "\"{written}\" cannot be allowed: the name is Envoy's or the router's own, and what clients send under \
                 it is always removed; to send the backend a value of your own under another name, use set_headers"
            ));
        } else if pattern.as_exact().is_some_and(is_credential_header) {
            node.error(format!(
                "\"{written}\" cannot be allowed: it is a credential. For the gateway's own key use Envoy's \
                 credential_injector, for the caller's `forward_client_credentials: true`"
            ));
        }
        if removed.contains(&name) {
            node.error("is removed by remove_headers: take it out of one of the two");
        }
        if patterns.contains(&pattern) {
            node.error("stands there twice: remove one");
        }
        patterns.push(pattern);
    }
    Allowed(Some(patterns))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTS: [&[&str]; 4] = [
        &CREDENTIAL_HEADERS,
        &PRIVATE_HEADERS,
        &INTERNAL_HEADERS,
        &NEEDED_HEADERS,
    ];

    /// What [`is_among`] relies on.
    #[test]
    fn the_lists_are_in_order() {
        for list in LISTS {
            let literals: Vec<&str> = list.iter().map(|name| name.trim_end_matches('*')).collect();
            for pair in literals.windows(2) {
                assert!(pair[0] < pair[1], "{pair:?}");
            }
            for (at, pattern) in list.iter().enumerate() {
                let Some(prefix) = pattern.strip_suffix('*') else {
                    continue;
                };
                for other in &literals[at.saturating_add(1)..] {
                    assert!(!other.starts_with(prefix), "{pattern} covers {other}");
                }
            }
        }
    }

    #[test]
    fn each_name_is_found_and_no_neighbour() {
        for list in LISTS {
            for known in list {
                let (name, is_open) = match known.strip_suffix('*') {
                    Some(prefix) => (format!("{prefix}anything"), true),
                    None => ((*known).to_owned(), false),
                };
                assert!(is_among(list, &name), "{name}");
                assert_eq!(is_among(list, &format!("{name}0")), is_open, "{name}0");
                assert!(!is_among(list, &format!("0{name}")), "0{name}");
            }
            for other in ["", "a", "zz", "x", "x-stainless-lang", "content"] {
                assert!(!is_among(list, other), "{other}");
            }
        }
    }
}
