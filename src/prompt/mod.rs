//! Examines the text of a prompt: words, phrases and regular expressions in it, its approximate number of tokens, and
//! its script.

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
