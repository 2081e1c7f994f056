//! Conditions on the caller: claims of its token and its mesh identity.

use crate::request::{Claims, MeshIdentity};
use crate::routing::pattern::{Pattern, all_exclude, any_covers};

/// A claim and the patterns of which one of its values must match one.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimPattern {
    /// The path of the claim; names are separated by dots.
    pub path: String,
    /// The patterns; a value has to match any of them.
    pub values: Vec<Pattern>,
}

impl ClaimPattern {
    /// Whether the token has a matching claim.
    pub(super) fn matches(&self, token: &Claims) -> bool {
        let mut values = token.values(&self.path).into_iter();
        values.any(|value| Pattern::any_matches(&self.values, value.as_bytes()))
    }

    /// Whether every token that matches `other` matches this one too.
    pub(super) fn covers(&self, other: &ClaimPattern) -> bool {
        self.path == other.path && any_covers(&self.values, &other.values)
    }
}

/// Patterns for a mesh identity; a part that is `None` may have any value or be absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeshPattern {
    /// The trust domain.
    pub trust_domain: Option<Vec<Pattern>>,
    /// The namespace.
    pub namespace: Option<Vec<Pattern>>,
    /// The service account.
    pub service_account: Option<Vec<Pattern>>,
}

impl MeshPattern {
    /// Returns the parts, with their names in the document.
    pub(crate) fn parts(&self) -> [(&'static str, Option<&[Pattern]>); 3] {
        [
            ("trust_domain", self.trust_domain.as_deref()),
            ("namespace", self.namespace.as_deref()),
            ("service_account", self.service_account.as_deref()),
        ]
    }

    /// Whether an identity matches.
    pub(super) fn matches(&self, mesh: &MeshIdentity) -> bool {
        let values = [
            Some(mesh.trust_domain.as_str()),
            mesh.namespace.as_deref(),
            mesh.service_account.as_deref(),
        ];
        let fits = |patterns: &[Pattern], value: Option<&str>| {
            value.is_some_and(|value| Pattern::any_matches(patterns, value.as_bytes()))
        };
        let mut parts = self.parts().into_iter().zip(values);
        parts.all(|((_, patterns), value)| patterns.is_none_or(|patterns| fits(patterns, value)))
    }

    /// Whether every identity that matches `other` matches this one too.
    pub(super) fn covers(&self, other: &MeshPattern) -> bool {
        let mut parts = self.parts().into_iter().zip(other.parts());
        parts.all(|((_, this), (_, other))| match (this, other) {
            (None, _) => true,
            (Some(this), Some(other)) => any_covers(this, other),
            (Some(_), None) => false,
        })
    }

    /// Whether no identity can match both.
    pub(super) fn excludes(&self, other: &MeshPattern) -> bool {
        let mut parts = self.parts().into_iter().zip(other.parts());
        parts.any(|((_, this), (_, other))| {
            this.zip(other)
                .is_some_and(|(this, other)| all_exclude(this, other))
        })
    }
}
