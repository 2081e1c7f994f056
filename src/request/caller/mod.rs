//! Who sent a request, as far as Envoy vouches for it.

mod claims;
mod forwarded;
mod mesh;

use std::borrow::Cow;

pub use claims::{CLAIMS_NAMESPACE, Claims};
pub use mesh::Mesh;

use super::Headers;
use crate::config::Tree;
use crate::routing::Pattern;

/// What Envoy knows of a request beside its headers and body. Nothing in here is taken from what the sender merely says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caller {
    claims: Vec<Claims>,
    mesh: Option<Mesh>,
}

impl Caller {
    /// With the tokens that Envoy has verified, by its dynamic metadata: the bytes of an `envoy.config.core.v3.Metadata`.
    #[must_use]
    pub fn with_metadata(self, metadata: &[u8]) -> Self {
        let namespace = Tree::from_metadata(metadata, CLAIMS_NAMESPACE);
        Caller {
            claims: namespace.map_or_else(Vec::new, Claims::all_in),
            ..self
        }
    }

    /// With the claims of one verified token.
    #[must_use]
    pub fn with_claims(mut self, claims: Claims) -> Self {
        self.claims.push(claims);
        self
    }

    /// With an identity in the mesh.
    #[must_use]
    pub fn with_mesh(self, mesh: Option<Mesh>) -> Self {
        Caller { mesh, ..self }
    }

    /// With the identity of whoever sent a request with these headers, on a connection whose client has proved by its
    /// certificate to be `peer`. Gateways are trusted to say for whom they speak.
    #[must_use]
    pub fn with_peer(self, peer: &[u8], headers: &Headers, gateways: &[Pattern]) -> Self {
        let forwarded: Vec<&[u8]> = headers.values("x-forwarded-client-cert").collect();
        let is_gateway = |uri: &str| {
            let mut gateways = gateways.iter();
            gateways.any(|gateway| gateway.matches(uri.as_bytes()))
        };
        let peer = std::str::from_utf8(peer).ok();
        let mesh =
            peer.and_then(|peer| Mesh::of_peer(peer, &forwarded.join(&b","[..]), is_gateway));
        self.with_mesh(mesh)
    }

    /// The claims of each verified token.
    pub fn tokens(&self) -> &[Claims] {
        &self.claims
    }

    /// The values of a claim, in all verified tokens.
    pub fn claim(&self, path: &str) -> Vec<Cow<'_, str>> {
        let values = self.claims.iter().map(|claims| claims.values(path));
        values.flatten().collect()
    }

    /// The identity that the sender's certificate proves.
    pub fn mesh(&self) -> Option<&Mesh> {
        self.mesh.as_ref()
    }
}

/// What of a [`Caller`] a document asks for. What it does not ask for need not be found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallerAsks {
    /// The claims of verified tokens.
    pub claims: bool,
    /// The identity in the mesh.
    pub mesh: bool,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever it is given, and then a peer speaks for itself alone.
        #[test]
        fn any_bytes(
            metadata in prop::collection::vec(any::<u8>(), 0..64),
            peer in prop::collection::vec(any::<u8>(), 0..64),
            forwarded in prop::collection::vec("[URIab=,;\"\\\\]{0,12}", 0..3),
        ) {
            let headers = forwarded
                .into_iter()
                .map(|value| ("x-forwarded-client-cert".to_owned(), value.into_bytes()));
            let headers = Headers::new(headers.collect());
            let _ = Caller::default().with_metadata(&metadata);
            let any = [Pattern::Any];
            prop_assert!(Caller::default().with_peer(&peer, &headers, &any).mesh().is_none());
            let chat = "spiffe://td/ns/prod/sa/chat";
            let caller = Caller::default().with_peer(chat.as_bytes(), &headers, &[]);
            prop_assert_eq!(caller.mesh, Mesh::parse(chat));
        }
    }
}
