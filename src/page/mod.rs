//! The status page that the filter serves itself, as HTML and as JSON: routes, targets and the latest decisions.
//!
//! # How workers share one set of sums
//!
//! Every worker counts on its own ([`PendingCounts`]). At least once a second it adds its counts by compare-and-swap to
//! one value that all workers share ([`Store`]). So every sum is stored once, whichever worker counted it: a worker
//! that ends because Envoy drains an old configuration leaves its part there, a new worker finds the sums, and no
//! worker has to be queried. The keys of rows are hashes of names; rows of another document are counted under "others".
//!
//! Only requests in progress cannot be added up like that, because nobody would subtract them for a worker that is
//! gone. So each worker states its own number, which is valid for some seconds ([`STATEMENT_TTL_MS`]).

mod serving;
mod sha256;
mod store;
mod sums;
mod view;

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
mod tests;

#[cfg(test)]
mod twins_tests;

pub use serving::{PageFormat, PageResponse, authorized_format, render, requested_format};
pub use sha256::{Sha256Digest, digests_equal, from_hex, sha256};
pub use store::{DECISIONS, Decision, InFlight, PendingCounts, STATEMENT_TTL_MS, Store, route_key};
pub use sums::{OTHERS, Row, Rows, SLOT_MS, SLOTS, Sums};
pub use view::page_data;
