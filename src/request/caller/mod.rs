//! The caller of a request, as far as Envoy has verified it.

mod claims;
mod client_cert_header;
mod mesh;

use std::borrow::Cow;

pub use claims::{CLAIMS_NAMESPACE, Claims};
pub use mesh::MeshIdentity;

use super::Headers;
use crate::config::Tree;
use crate::routing::Pattern;

/// What Envoy knows about the caller beside the headers and the body. It contains nothing that the caller merely
/// claims.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caller {
    claims: Vec<Claims>,
    mesh: Option<MeshIdentity>,
}

impl Caller {
    /// Adds the tokens that Envoy has verified, from its dynamic metadata: the bytes of an
    /// `envoy.config.core.v3.Metadata`.
    #[must_use]
    pub fn with_metadata(self, metadata: &[u8]) -> Self {
        let namespace = Tree::from_metadata(metadata, CLAIMS_NAMESPACE);
        Caller {
            claims: namespace.map_or_else(Vec::new, Claims::all_in),
            ..self
        }
    }

    /// Adds the claims of one verified token.
    #[must_use]
    pub fn with_claims(mut self, claims: Claims) -> Self {
        self.claims.push(claims);
        self
    }

    /// Sets the mesh identity.
    #[must_use]
    pub fn with_mesh(self, mesh: Option<MeshIdentity>) -> Self {
        Caller { mesh, ..self }
    }

    /// Sets the mesh identity of the caller that sent these headers. `peer` is the identity that the connection's
    /// client has proved by its certificate; trusted `gateways` may name the caller for whom they send.
    #[must_use]
    pub fn with_peer(self, peer: &[u8], headers: &Headers, gateways: &[Pattern]) -> Self {
        let forwarded: Vec<&[u8]> = headers.values("x-forwarded-client-cert").collect();
        let is_gateway = |uri: &str| {
            let mut gateways = gateways.iter();
            gateways.any(|gateway| gateway.matches(uri.as_bytes()))
        };
        let peer = std::str::from_utf8(peer).ok();
        let mesh = peer
            .and_then(|peer| MeshIdentity::of_peer(peer, &forwarded.join(&b","[..]), is_gateway));
        self.with_mesh(mesh)
    }

    /// Returns the claims of each verified token.
    pub fn tokens(&self) -> &[Claims] {
        &self.claims
    }

    /// Returns the values of a claim in all verified tokens.
    pub fn claim(&self, path: &str) -> Vec<Cow<'_, str>> {
        let values = self.claims.iter().map(|claims| claims.values(path));
        values.flatten().collect()
    }

    /// Returns the identity that the caller's certificate proves.
    pub fn mesh(&self) -> Option<&MeshIdentity> {
        self.mesh.as_ref()
    }
}

/// The parts of a [`Caller`] that a document uses; the host need not fetch the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallerParts {
    /// The claims of verified tokens.
    pub claims: bool,
    /// The mesh identity.
    pub mesh: bool,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Any input is accepted, and a peer that is not a gateway speaks only for itself.
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
            prop_assert_eq!(caller.mesh, MeshIdentity::parse(chat));
        }
    }
}
