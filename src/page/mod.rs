//! A page that the filter serves itself, and the same as JSON: routes, targets, the last decisions.
//!
//! # How workers come to one truth
//!
//! Every worker counts for itself ([`Gathered`]), and at least once a second adds what has come to one value that all share
//! ([`Store`]), by compare-and-swap. So sums are there once, whoever made them: a worker that goes, because Envoy drains
//! an old configuration, has left its part there, one that comes finds them, and none is asked for. Rows have the hashes of names
//! for keys: those of another document are counted as others.
//!
//! Only what is under way cannot be added up like that, because nobody takes it back for a worker that is gone. So each says
//! for itself what it has, and is believed for some seconds ([`BELIEVED_MS`]).

mod digest;
mod serving;
mod store;
mod sums;
mod view;

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
mod tests;

#[cfg(test)]
mod twins_tests;

pub use digest::{Digest, from_hex, same, sha256};
pub use serving::{Asked, Served, asked, serve, wants};
pub use store::{BELIEVED_MS, DECISIONS, Decision, Gathered, Store, UnderWay, route_key};
pub use sums::{OTHERS, Row, Rows, SLOT_MS, SLOTS, Sums};
pub use view::view;
