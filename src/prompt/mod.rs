//! What the text of a prompt says: whether it contains words, phrases or what a regular expression finds.

mod automaton;
mod fold;
mod regex;
mod text_pattern;
mod word;

pub use regex::LONGEST_REGEX;
pub use text_pattern::{LONGEST_WORD, MOST_WORDS, Part, PatternError, TextPattern, Written};
