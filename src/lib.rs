//! llm-router: one proxy-wasm module that turns a stock Envoy into an LLM router.
//!
//! # One request
//!
//! The module plays two roles, which share a VM per worker and talk through Envoy's filter state.
//! Each request takes these steps:
//!
//! 1. **Router role**, a downstream HTTP filter that runs once per request. [`routing::receive_headers`] takes the
//!    headers and [`routing::PendingRequest::route`] the complete body. [`request::scan`] reads the body in one pass,
//!    and [`routing::decide`] finds the first route that matches. The router role writes an [`attempt::Plan`] of that
//!    route's targets to filter state, along with the cluster of the first attempt, which the route's matcher reads.
//! 2. **Backend role**, an upstream HTTP filter on each backend's cluster that runs once per attempt.
//!    [`attempt::begin`] adapts the request to the target. [`attempt::RunningAttempt`] follows the answer and holds it
//!    back for as long as another attempt could still replace it. If the attempt fails, the [`attempt::FallbackPolicy`]
//!    decides what happens next, and the backend role writes the destination of the next attempt to filter state. Envoy
//!    performs the retry. [`health`] holds what all workers know about failing targets.
//! 3. Requests that do not call a model (files, stored responses, WebSockets) are routed by their headers alone
//!    ([`routing::PassThroughRequest`]). They get one attempt: its headers are adapted ([`attempt::PassThroughPlan`]),
//!    and its body passes through unread.
//! 4. Answers pass through unchanged, with two exceptions: a stream that ends too early gets an error event, and an
//!    error that Envoy generates itself is rewritten into the caller's format ([`schema::ErrorCode`]).
//!
//! # Invariants
//!
//! * The core is pure: events go in, effects come out, and randomness is an argument. Only `host` names `proxy_wasm`,
//!   which is a dependency on wasm32 only.
//! * No input causes a panic, because a panic takes down the VM and every request of its worker. The lints in
//!   Cargo.toml deny the constructs that could panic.
//! * Every byte of a body stays as it was sent, except the model's name and the parameters that the target changes.
//!   These include `stream_options`, where the router asks a stream for its usage, and a byte order mark, which is
//!   removed. Where only the path names the model, the name is inserted into the JSON of an OpenAI-compatible call.
//! * Every attempt is adapted from the request as the client sent it, never from the result of an earlier attempt,
//!   and carries no credential that an earlier attempt was given.
//! * Nothing that a client or a backend sent is ever logged.

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
pub mod prompt;
pub mod request;
pub mod routing;
pub mod schema;
#[cfg(not(target_arch = "wasm32"))]
pub mod simulated_envoy;
pub mod telemetry;
mod wire;
