//! The text of a prompt: whether it contains words, phrases or what a regular expression finds, about how many tokens it
//! is, and the script that it is written in.

mod automaton;
mod cjk;
mod fold;
mod regex;
mod script;
mod text_pattern;
mod tokens;
mod word;

pub use regex::LONGEST_REGEX;
pub use script::Script;
pub use text_pattern::{LONGEST_WORD, MOST_WORDS, Part, PatternError, TextPattern, Written};
pub use tokens::{Estimate, MESSAGE_OVERHEAD, estimate};

#[cfg(test)]
mod text_pattern_tests;
