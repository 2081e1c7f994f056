//! The demo that `make run` starts: simulated LLM backends, with a real Envoy in front of them.
//!
//! Native only, behind the feature `demo`; nothing in here is part of the filter.
//!
//! - [`backend`]: a small server that answers like OpenAI, Anthropic, Gemini or Bedrock and reports in its answer what
//!   reached it. The end-to-end tests use it too.
//! - [`cli`]: the program `llm-router-demo`, which starts the backends and Envoy, prints what to try, and stops
//!   everything again.

pub mod backend;
pub mod cli;

mod answer;
mod anthropic;
mod api;
mod bedrock;
mod call;
mod clock;
mod connection;
mod envoy;
mod event;
mod fault;
mod fields;
mod gemini;
mod openai;
mod path;
mod ports;
mod realtime;
mod record;
mod reply;
mod run;
mod screen;
mod scripted_body;
mod store;
mod switch;
mod tool;

#[cfg(test)]
mod api_tests;
#[cfg(test)]
mod backend_tests;
#[cfg(test)]
mod broken_tests;
#[cfg(test)]
mod faulty_tests;
#[cfg(test)]
mod test_client;
