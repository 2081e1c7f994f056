//! Reads what Envoy knows about the caller of a request, as far as the document asks for it.

use super::calls;
use crate::config::Document;
use crate::request::{Caller, Headers};

/// Returns the caller. Must be called in a request's headers callback.
pub(super) fn caller(document: &Document, headers: &Headers) -> Caller {
    let asks = document.caller_parts;
    let mut caller = Caller::default();
    if asks.claims
        // Read all metadata at once: Envoy gives no types for a part of it, and nothing at all for a list with mixed
        // types.
        && let Some(metadata) = calls::property(&["metadata"])
    {
        caller = caller.with_metadata(&metadata);
    }
    if asks.mesh
        // Only available if the client has shown a certificate on this connection.
        && let Some(peer) = calls::property(&["connection", "uri_san_peer_certificate"])
    {
        caller = caller.with_peer(&peer, headers, &document.mesh_gateways);
    }
    caller
}
