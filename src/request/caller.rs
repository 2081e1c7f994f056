//! Who sent a request, as far as Envoy vouches for it.

/// What Envoy has checked of whoever sent a request. Nothing in here is taken from what the sender merely says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caller {}
