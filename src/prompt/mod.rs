//! The text of a prompt: whether it contains words, phrases or what a regular expression finds, about how many tokens it
//! is, and the script that it is written in.

mod automaton;
mod cjk;
mod cost;
mod data;
mod fold;
mod lexicon;
mod regex;
mod script;
mod text_pattern;
mod tokens;
mod word;

pub use data::{is_data, rough_tokens, text_bytes};
pub use lexicon::Findings;
pub use regex::LONGEST_REGEX;
pub use script::Script;
pub use text_pattern::{LONGEST_WORD, MOST_WORDS, Part, PatternError, TextPattern, Written, share};
pub use tokens::{Estimate, MESSAGE_OVERHEAD, estimate};
