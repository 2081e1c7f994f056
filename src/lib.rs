//! llm-router: one proxy-wasm module that turns a stock Envoy into an LLM router.
//!
//! # One request
//!
//! The module plays two roles, which share a VM per worker and talk through Envoy's filter state.
//!
//! 1. **Router role**, a downstream HTTP filter, once per request. [`routing::arrive`] takes the headers,
//!    [`routing::Pending::route`] the whole body: [`request::scan`] reads it in one pass, [`routing::decide`] finds the
//!    first route that takes it, and an [`attempt::Plan`] of that route's targets goes into filter state, with the
//!    cluster of the first attempt beside it, which the route's matcher reads.
//! 2. **Backend role**, an upstream HTTP filter on each backend's cluster, once per attempt. [`attempt::begin`] adapts
//!    the request to this target; [`attempt::Running`] follows its answer, and holds it back as long as its failure could
//!    still be mended. If it fails, the [`attempt::Policy`] says what follows, and where the next attempt goes is written
//!    into filter state. Envoy does the retrying. What all workers know of targets that fail is in [`health`].
//! 3. What is no call of a model (files, stored responses, WebSockets) is decided by its headers alone
//!    ([`routing::Passed`]): its one attempt has its headers adapted ([`attempt::Passage`]), and passes unread.
//! 4. An answer passes untouched; a stream that ends too early gets an error event, and an answer that Envoy gives itself is
//!    put into the caller's format ([`schema::ErrorCode`]).
//!
//! # Invariants
//!
//! * The core is pure: events in, effects out; randomness is an argument. Only `host` names `proxy_wasm`, which
//!   is no dependency anywhere but on wasm32.
//! * No input panics: a panic takes down the VM with every request of its worker. The lints in Cargo.toml deny
//!   what could.
//! * Every byte of a body but the model's name and the parameters that the target changes (`stream_options` among them where a
//!   stream is asked for its usage, and a byte order mark, which goes) stays as it was sent. Where the path alone names the model, the name is put into the JSON of an
//!   OpenAI-compatible call.
//! * Every attempt is adapted from the request as the client sent it, never from what an earlier attempt made of it,
//!   and carries no credential that an earlier attempt was given.
//! * What a client or a backend sent is never logged.

pub mod attempt;
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
pub mod cli;
pub mod config;
#[cfg(all(feature = "demo", not(target_arch = "wasm32")))]
pub mod demo;
#[cfg(test)]
mod doc_tables;
mod hash;
pub mod health;
#[cfg(target_arch = "wasm32")]
mod host;
mod json;
pub mod page;
#[cfg(not(target_arch = "wasm32"))]
pub mod played;
pub mod prompt;
pub mod request;
pub mod routing;
pub mod schema;
pub mod telemetry;
mod wire;
