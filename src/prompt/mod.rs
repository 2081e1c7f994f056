//! What a prompt's text is: how many tokens it is about, and the script that it is written in.

mod cjk;
mod cost;
mod script;
mod tokens;

pub use script::Script;
pub use tokens::{Estimate, MESSAGE_OVERHEAD, estimate};
