//! Reads the claims of tokens that Envoy's `jwt_authn` filter has verified.

use std::borrow::Cow;

use serde_json::Value;

use crate::config::Tree;

/// The metadata namespace in which `jwt_authn` stores token payloads, each under a name that its provider configures
/// (`payload_in_metadata`).
pub const CLAIMS_NAMESPACE: &str = "envoy.filters.http.jwt_authn";

/// The claims of one verified token. Numbers are doubles, as in a `google.protobuf.Struct`.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims(Vec<(String, Tree)>);

impl Claims {
    /// Creates the claims from a token's payload; `None` if it is not a map.
    pub fn new(payload: Tree) -> Option<Claims> {
        match payload {
            Tree::Map(entries) => Some(Claims(entries)),
            _ => None,
        }
    }

    /// Returns the claims of all tokens in the filter's namespace.
    pub(super) fn all_in(namespace: Tree) -> Vec<Claims> {
        let Tree::Map(payloads) = namespace else {
            return Vec::new();
        };
        let payloads = payloads.into_iter();
        payloads
            .filter_map(|(_, payload)| Claims::new(payload))
            .filter(|claims| !claims.is_failure())
            .collect()
    }

    /// Whether this is the reason why a token was not verified (`failed_status_in_metadata`) instead of a payload.
    fn is_failure(&self) -> bool {
        let is_of_failure =
            |(name, _): &(String, Tree)| matches!(name.as_str(), "code" | "message");
        self.0.len() == 2 && self.0.iter().all(is_of_failure)
    }

    /// Returns the values of the claim at a dotted path as text; of a list, each item's. Empty if the claim does not
    /// exist or is not a scalar.
    pub fn values(&self, path: &str) -> Vec<Cow<'_, str>> {
        match find(&self.0, path) {
            Some(Tree::List(items)) => items.iter().filter_map(text).collect(),
            Some(one) => text(one).into_iter().collect(),
            None => Vec::new(),
        }
    }
}

/// Returns the value at a path. A claim's own name may contain dots, for instance if it is a URL, so longer names are
/// tried before shorter ones.
fn find<'t>(map: &'t [(String, Tree)], path: &str) -> Option<&'t Tree> {
    let named = |name: &str| {
        let mut entries = map.iter();
        entries
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    };
    if let Some(whole) = named(path) {
        return Some(whole);
    }
    let dots = path.rmatch_indices('.');
    dots.filter_map(|(at, _)| path.split_at_checked(at))
        .find_map(|(name, rest)| match named(name) {
            Some(Tree::Map(inner)) => find(inner, rest.strip_prefix('.')?),
            _ => None,
        })
}

/// Returns a scalar as text.
fn text(value: &Tree) -> Option<Cow<'_, str>> {
    match value {
        Tree::Text(text) => Some(text.into()),
        Tree::Bool(_) | Tree::Number(_) => match Value::from(value) {
            // JSON has no such number.
            Value::Null => None,
            value => Some(value.to_string().into()),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(payload: &str) -> Claims {
        Claims::new(serde_json::from_str(payload).unwrap()).unwrap()
    }

    #[test]
    fn values_by_path() {
        let claims = claims(
            r#"{
                "sub": "svc-1", "n": 7, "half": 1.5, "yes": true, "no": false, "nothing": null, "empty": [],
                "aud": ["a", 2, true, null, ["deep"], {"k": 1}],
                "realm_access": {"roles": ["admin", "user"], "inner": {"x": "deep"}},
                "https://example.com/roles": ["url"],
                "https://example.com/app": {"tier": "gold"},
                "a.b": "whole", "a": {"b": "parts", "c": "c"}, "a.d": {"e": "longer"}
            }"#,
        );
        for (path, expected) in [
            ("sub", &["svc-1"][..]),
            ("n", &["7"]),
            ("half", &["1.5"]),
            ("yes", &["true"]),
            ("no", &["false"]),
            ("aud", &["a", "2", "true"]),
            ("realm_access.roles", &["admin", "user"]),
            ("realm_access.inner.x", &["deep"]),
            ("https://example.com/roles", &["url"]),
            ("https://example.com/app.tier", &["gold"]),
            ("a.b", &["whole"]),
            ("a.c", &["c"]),
            ("a.d.e", &["longer"]),
        ] {
            assert_eq!(claims.values(path), expected, "{path}");
        }
        for none in [
            "",
            ".",
            "nope",
            "nothing",
            "empty",
            "realm_access",
            "realm_access.",
            "realm_access.roles.admin",
            "sub.x",
            "SUB",
            "aud.0",
        ] {
            assert!(claims.values(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn failures_are_no_tokens() {
        let namespace = r#"{"a": {"sub": "x"}, "f": {"code": 26, "message": "Jwt verification fails"}, "odd": 1}"#;
        let tokens = Claims::all_in(serde_json::from_str(namespace).unwrap());
        assert_eq!(tokens, [claims(r#"{"sub": "x"}"#)]);
        assert_eq!(Claims::all_in(Tree::Null), []);
    }

    #[test]
    fn no_map_has_no_claims() {
        for payload in ["[]", "1", "\"sub\"", "null"] {
            assert_eq!(Claims::new(serde_json::from_str(payload).unwrap()), None);
        }
    }
}
