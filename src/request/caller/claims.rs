//! The claims of tokens that Envoy's `jwt_authn` has verified.

use std::borrow::Cow;

use serde_json::Value;

use crate::config::Tree;

/// Where `jwt_authn` leaves the payloads of tokens, each under a name of its provider's choosing (`payload_in_metadata`).
pub const CLAIMS_NAMESPACE: &str = "envoy.filters.http.jwt_authn";

/// The claims of one verified token. A number is what a `google.protobuf.Struct` has of it: a double.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims(Vec<(String, Tree)>);

impl Claims {
    /// From the payload of a token; `None` if it is no map.
    pub fn new(payload: Tree) -> Option<Claims> {
        match payload {
            Tree::Map(entries) => Some(Claims(entries)),
            _ => None,
        }
    }

    /// Of all tokens, from the filter's whole namespace.
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

    /// Whether it is why a token was not verified (`failed_status_in_metadata`), and no payload.
    fn is_failure(&self) -> bool {
        let is_of_failure =
            |(name, _): &(String, Tree)| matches!(name.as_str(), "code" | "message");
        self.0.len() == 2 && self.0.iter().all(is_of_failure)
    }

    /// The values of the claim at a dotted path, as text: of a list each one's. None, if it is not there, or no scalar.
    pub fn values(&self, path: &str) -> Vec<Cow<'_, str>> {
        match find(&self.0, path) {
            Some(Tree::List(items)) => items.iter().filter_map(text).collect(),
            Some(one) => text(one).into_iter().collect(),
            None => Vec::new(),
        }
    }
}

/// What stands at a path. A claim's own name may have dots, as that which is a URL: longer names go before shorter ones.
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

/// A scalar as text.
fn text(value: &Tree) -> Option<Cow<'_, str>> {
    match value {
        Tree::Text(text) => Some(text.into()),
        Tree::Bool(_) | Tree::Number(_) => match Value::from(value) {
            // What no JSON has.
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
