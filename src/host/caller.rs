//! What Envoy knows of whoever sent a request: nothing is asked for that the document does not ask for.

use super::calls;
use crate::config::Document;
use crate::request::{Caller, Headers};

/// In a request's headers callback.
pub(super) fn caller(document: &Document, headers: &Headers) -> Caller {
    let asks = document.caller_asks;
    let mut caller = Caller::default();
    if asks.claims
        // By itself: of a part of it Envoy gives no types, and nothing at all where a list is mixed.
        && let Some(metadata) = calls::property(&["metadata"])
    {
        caller = caller.with_metadata(&metadata);
    }
    if asks.mesh
        // There on a connection whose client has shown a certificate, and only there.
        && let Some(peer) = calls::property(&["connection", "uri_san_peer_certificate"])
    {
        caller = caller.with_peer(&peer, headers, &document.mesh_gateways);
    }
    caller
}
