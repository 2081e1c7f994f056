//! Examines the text of a prompt: words, phrases and regular expressions in it, its approximate number of tokens, and
//! its script.

mod automaton;
mod char_kind;
mod cjk;
mod cost;
mod fold;
mod lexicon;
mod regex;
mod rough_size;
mod script;
mod text_pattern;
mod tokens;

pub use lexicon::SearchResults;
pub use regex::MAX_REGEX_CHARS;
pub use rough_size::{is_base64, rough_tokens, text_bytes};
pub use script::Script;
pub use text_pattern::{
    MAX_WORD_CHARS, MAX_WORDS, PatternError, PatternPart, PatternSource, TextPattern, share,
};
pub use tokens::{MESSAGE_OVERHEAD, TokenEstimator, estimate};
