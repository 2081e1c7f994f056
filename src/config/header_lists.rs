//! Header hygiene: which of a client's headers must not reach a provider.

use super::backend::read_header_name;
use super::condition::read_pattern;
use super::reader::Node;
use crate::routing::Pattern;

/// Headers that carry a caller's credentials: for a provider, for a cloud's gateway, or for a proxy in front of this
/// one. Sorted; a `*` at the end matches anything.
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

/// Headers about the caller, or about the network between the caller and this proxy. Sorted, as above.
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

/// Headers that only Envoy or the router itself sets and reads. Sorted, as above.
pub const INTERNAL_HEADERS: [&str; 2] = ["x-envoy-*", "x-llm-router-*"];

/// Headers that a request needs to be sent at all or its body to be read: `allow_headers` never has to name them.
/// Sorted, as above.
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

/// Whether this header carries a caller's credentials.
pub fn is_credential_header(name: &str) -> bool {
    CREDENTIALS.contains(name)
}

/// Whether this header reaches a backend only if `allow_headers` names it exactly.
pub fn is_private_header(name: &str) -> bool {
    PRIVATE.contains(name)
}

/// Whether only Envoy or the router itself sets and reads this header.
pub fn is_internal_header(name: &str) -> bool {
    INTERNAL.contains(name)
}

static CREDENTIALS: NameList = NameList::of(&CREDENTIAL_HEADERS);
static PRIVATE: NameList = NameList::of(&PRIVATE_HEADERS);
static INTERNAL: NameList = NameList::of(&INTERNAL_HEADERS);
static NEEDED: NameList = NameList::of(&NEEDED_HEADERS);

/// A backend's `allow_headers`: which of a client's headers may reach it, apart from those that never may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHeaders(Option<Vec<Pattern>>);

impl AllowedHeaders {
    /// Whether this header may reach the backend. Not called for credentials and internal headers, which are already
    /// removed.
    pub fn allows(&self, name: &str) -> bool {
        let Some(patterns) = &self.0 else {
            return !is_private_header(name);
        };
        let fits = |pattern: &Pattern| pattern.matches(name.as_bytes());
        if is_private_header(name) {
            // A pattern does not allow private headers: its author may not have thought of them.
            let mut exact = patterns.iter().filter(|one| one.as_exact().is_some());
            return exact.any(fits);
        }
        name.starts_with(':') || NEEDED.contains(name) || patterns.iter().any(fits)
    }

    /// Whether the backend has an `allow_headers` list.
    pub fn is_list(&self) -> bool {
        self.0.is_some()
    }
}

/// A sorted list of names. Every header of every request is looked up in three of them, and most headers are in none.
struct NameList {
    list: &'static [&'static str],
    /// One bit for each hash of the beginning of a name in the list.
    beginnings: [u64; 4],
}

impl NameList {
    #[expect(clippy::indexing_slicing, reason = "it runs when it is compiled")]
    const fn of(list: &'static [&'static str]) -> Self {
        let mut beginnings = [0; 4];
        let mut rest = list;
        while let [name, others @ ..] = rest {
            let (name, is_open) = literal(name);
            assert!(
                !is_open || name.len() >= 5 || (name.len() >= 3 && name[0] != b'x'),
                "what begins so has several hashes"
            );
            let (word, bit) = beginning(name);
            beginnings[word] |= bit;
            rest = others;
        }
        NameList { list, beginnings }
    }

    /// Whether the list has this name.
    fn contains(&self, name: &str) -> bool {
        let name = name.as_bytes();
        let (word, bit) = beginning(name);
        let known = self.beginnings.get(word);
        known.is_some_and(|known| known & bit != 0) && self.finds(name)
    }

    fn finds(&self, name: &[u8]) -> bool {
        // Only the last entry that sorts before or equal to the name can match it: within a list, no pattern matches
        // the beginning of another entry. A test ensures this.
        let after = self.list.partition_point(|known| literal(known).0 <= name);
        let last = after.checked_sub(1).and_then(|at| self.list.get(at));
        last.is_some_and(|known| match literal(known) {
            (prefix, true) => name.starts_with(prefix),
            (all, false) => all == name,
        })
    }
}

/// Hashes the first three bytes of a name, or the first three behind its `x-`: the index of one of four words, and one
/// bit of that word.
const fn beginning(name: &[u8]) -> (usize, u64) {
    let (a, b, c) = match name {
        [b'x', b'-', a, b, c, ..] | [a, b, c, ..] => (*a, *b, *c),
        [a, b] => (*a, *b, 0),
        [a] => (*a, 0, 0),
        [] => (0, 0, 0),
    };
    let hash = a ^ b.wrapping_mul(3) ^ c.wrapping_mul(7);
    ((hash >> 6) as usize, 1 << (hash & 63))
}

/// Splits an entry into the name without its `*`, and whether it has one.
const fn literal(known: &str) -> (&[u8], bool) {
    match known.as_bytes() {
        [prefix @ .., b'*'] => (prefix, true),
        all => (all, false),
    }
}

/// Reads a backend's `allow_headers`; `removed` is its `remove_headers`.
pub(super) fn read_allowed(node: &Node<'_>, removed: &[String]) -> AllowedHeaders {
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
                "\"{written}\" cannot be allowed: the name is reserved for Envoy or the router, and what clients send \
                 under it is always removed; to send a value of your own, use set_headers with another name"
            ));
        } else if pattern.as_exact().is_some_and(is_credential_header) {
            node.error(format!(
                "\"{written}\" cannot be allowed: it is a credential. For the gateway's own key, use Envoy's \
                 credential_injector; for the caller's key, use `forward_client_credentials: true`"
            ));
        }
        if removed.contains(&name) {
            node.error("is also in remove_headers: remove it from one of the two");
        }
        if patterns.contains(&pattern) {
            node.error("is given twice: remove one");
        }
        patterns.push(pattern);
    }
    AllowedHeaders(Some(patterns))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTS: [&NameList; 4] = [&CREDENTIALS, &PRIVATE, &INTERNAL, &NEEDED];

    /// [`NameList::finds`] relies on this.
    #[test]
    fn the_lists_are_in_order() {
        for list in LISTS {
            let literals: Vec<&str> = list
                .list
                .iter()
                .map(|name| name.trim_end_matches('*'))
                .collect();
            for pair in literals.windows(2) {
                assert!(pair[0] < pair[1], "{pair:?}");
            }
            for (at, pattern) in list.list.iter().enumerate() {
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
            for known in list.list {
                let (name, is_open) = match known.strip_suffix('*') {
                    Some(prefix) => (format!("{prefix}anything"), true),
                    None => ((*known).to_owned(), false),
                };
                assert!(list.contains(&name), "{name}");
                assert_eq!(list.contains(&format!("{name}0")), is_open, "{name}0");
                assert!(!list.contains(&format!("0{name}")), "0{name}");
            }
            for other in ["", "a", "zz", "x", "x-stainless-lang", "content"] {
                assert!(!list.contains(other), "{other}");
            }
        }
    }
}
