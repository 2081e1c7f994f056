//! Text patterns: what a text must contain to match.

use std::fmt;
use std::sync::Arc;

use super::lexicon::{Lexicon, Options, SearchResults};
use super::regex::Regex;

/// The maximum number of words and phrases in one pattern.
pub const MAX_WORDS: usize = 10_000;
/// The maximum length of a word or phrase, in characters.
pub const MAX_WORD_CHARS: usize = 1_000;

/// A text pattern as written in a document.
#[derive(Clone, Copy, Debug)]
pub struct PatternSource<'a> {
    /// Words, any of which is a match.
    pub words: &'a [&'a str],
    /// Phrases, any of which is a match; white space in a phrase matches any white space.
    pub phrases: &'a [&'a str],
    /// A regular expression.
    pub regex: Option<&'a str>,
    /// Whether letter case counts.
    pub case_sensitive: bool,
    /// Whether a word or phrase has to stand alone instead of within a longer word.
    pub whole_words: bool,
}

impl Default for PatternSource<'_> {
    fn default() -> Self {
        PatternSource {
            words: &[],
            phrases: &[],
            regex: None,
            case_sensitive: false,
            whole_words: true,
        }
    }
}

/// The part of a pattern that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternPart {
    /// The pattern as a whole.
    Whole,
    /// One of `words`, counted from 0.
    Word(usize),
    /// One of `phrases`, counted from 0.
    Phrase(usize),
    /// The `regex`.
    Regex,
}

/// What is wrong with a pattern, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// The part that is wrong.
    pub part: PatternPart,
    /// The message, worded to follow the path of that part.
    pub message: String,
}

/// A compiled text pattern: a text must contain any of some words, any of some phrases, or a match of a regular
/// expression.
///
/// A text is read once, in time linear in its length; patterns that [`share`] has combined read it once in total. The
/// module `fold` defines which spellings of words and phrases are equal, and `word` where words begin and end. The
/// regular expression is matched against the text as it is, with Unicode's simple case folding.
#[derive(Clone)]
pub struct TextPattern {
    words: Vec<String>,
    phrases: Vec<String>,
    regex: Option<Regex>,
    options: Options,
    needles: Option<PatternNeedles>,
    /// The folded words and phrases, in order.
    folded_needles: Arc<[Vec<u32>]>,
}

/// The folded words and phrases of a pattern.
#[derive(Clone)]
struct PatternNeedles {
    lexicon: Arc<Lexicon>,
    /// The number of the pattern in the lexicon.
    number: u32,
}

impl TextPattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// All errors in the pattern.
    pub fn new(written: &PatternSource<'_>) -> Result<TextPattern, Vec<PatternError>> {
        let mut errors = Vec::new();
        let mut needles = Vec::new();
        let mut wrong = |part, message: String| errors.push(PatternError { part, message });
        let count = written.words.len().saturating_add(written.phrases.len());
        if count == 0 && written.regex.is_none() {
            wrong(
                PatternPart::Whole,
                "matches nothing: add `words`, `phrases` or a `regex`".to_owned(),
            );
        }
        if count > MAX_WORDS {
            wrong(
                PatternPart::Whole,
                format!("has {count} words and phrases, but at most {MAX_WORDS} are allowed"),
            );
        }
        let options = Options {
            case_sensitive: written.case_sensitive,
            whole_words: written.whole_words,
        };
        let words = written.words.iter().enumerate();
        let phrases = written.phrases.iter().enumerate();
        let words = words.map(|(at, word)| (PatternPart::Word(at), *word));
        let phrases = phrases.map(|(at, phrase)| (PatternPart::Phrase(at), *phrase));
        for (part, text) in words.chain(phrases).take(MAX_WORDS) {
            match needle(options, part, text) {
                Ok(needle) => needles.push((needle, 0)),
                Err(message) => wrong(part, message),
            }
        }
        let regex = written
            .regex
            .map(|source| Regex::new(source, written.case_sensitive))
            .transpose()
            .unwrap_or_else(|message| {
                wrong(PatternPart::Regex, message);
                None
            });
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut folded_needles: Vec<Vec<u32>> =
            needles.iter().map(|(needle, _)| needle.clone()).collect();
        folded_needles.sort_unstable();
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Ok(TextPattern {
            words: owned(written.words),
            phrases: owned(written.phrases),
            regex,
            options,
            needles: (!needles.is_empty()).then(|| PatternNeedles {
                lexicon: Arc::new(Lexicon::new(options, needles, 1)),
                number: 0,
            }),
            folded_needles: folded_needles.into(),
        })
    }

    /// Whether every text that matches `other` matches this pattern. `false` if that cannot be shown.
    pub fn covers(&self, other: &TextPattern) -> bool {
        let has_regex = other.regex.is_none() || self.regex == other.regex;
        let has = |wanted| self.folded_needles.binary_search(wanted).is_ok();
        has_regex && self.options == other.options && other.folded_needles.iter().all(has)
    }

    /// Whether the pattern has a regular expression, which may depend on where the text begins and ends.
    pub fn has_regex(&self) -> bool {
        self.regex.is_some()
    }

    /// Whether the pattern has phrases of several words, which may extend over several lines.
    pub fn has_rows(&self) -> bool {
        self.phrases
            .iter()
            .any(|phrase| phrase.trim().contains(char::is_whitespace))
    }

    /// Whether a text matches.
    pub fn matches(&self, text: &str) -> bool {
        self.matches_in(text, &SearchResults::default())
    }

    /// Whether the text to which these findings belong matches. Patterns that share their words read the text only
    /// once.
    pub fn matches_in(&self, text: &str, known: &SearchResults) -> bool {
        let needles = self.needles.as_ref();
        needles.is_some_and(|needles| known.has(&needles.lexicon, needles.number, text))
            || self.regex.as_ref().is_some_and(|regex| regex.matches(text))
    }
}

/// Makes patterns for the same part of a prompt share one search for their words and phrases.
pub fn share<T: Copy + PartialEq>(patterns: Vec<(T, &mut TextPattern)>) {
    let mut rest = patterns;
    rest.retain(|(_, pattern)| pattern.needles.is_some());
    while let Some((text, options)) = rest.first().map(|(text, one)| (*text, one.options)) {
        let (alike, others): (Vec<_>, Vec<_>) = rest
            .into_iter()
            .partition(|(of, pattern)| *of == text && pattern.options == options);
        rest = others;
        share_alike(
            options,
            alike.into_iter().map(|(_, pattern)| pattern).collect(),
        );
    }
}

fn share_alike(options: Options, patterns: Vec<&mut TextPattern>) {
    if patterns.len() < 2 {
        return;
    }
    let mut needles = Vec::new();
    for (pattern, number) in patterns.iter().zip(0..) {
        let texts = pattern.words.iter().chain(&pattern.phrases);
        needles.extend(texts.map(|text| (options.needle(text), number)));
    }
    let lexicon = Arc::new(Lexicon::new(options, needles, patterns.len()));
    for (pattern, number) in patterns.into_iter().zip(0..) {
        pattern.needles = Some(PatternNeedles {
            lexicon: Arc::clone(&lexicon),
            number,
        });
    }
}

fn needle(options: Options, part: PatternPart, text: &str) -> Result<Vec<u32>, String> {
    let text = text.trim();
    if text.chars().nth(MAX_WORD_CHARS).is_some() {
        return Err(format!(
            "is too long: at most {MAX_WORD_CHARS} characters are allowed"
        ));
    }
    if matches!(part, PatternPart::Word(_)) && text.contains(char::is_whitespace) {
        return Err("is more than one word: put it under `phrases`".to_owned());
    }
    let needle = options.needle(text);
    if needle.is_empty() {
        return Err("must not be empty".to_owned());
    }
    Ok(needle)
}

impl PartialEq for TextPattern {
    /// The compiled parts follow from the others.
    fn eq(&self, other: &TextPattern) -> bool {
        self.words == other.words
            && self.phrases == other.phrases
            && self.regex == other.regex
            && self.options == other.options
    }
}

impl fmt::Debug for TextPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TextPattern({self})")
    }
}

/// Formatted like the document, but only some of the words if there are many.
impl fmt::Display for TextPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = Vec::new();
        for (name, texts) in [("words", &self.words), ("phrases", &self.phrases)] {
            if !texts.is_empty() {
                fields.push(format!("{name}: {}", list(texts)));
            }
        }
        if let Some(regex) = &self.regex {
            fields.push(format!("regex: {:?}", regex.source()));
        }
        if self.options.case_sensitive {
            fields.push("case_sensitive: true".to_owned());
        }
        if !self.options.whole_words {
            fields.push("whole_words: false".to_owned());
        }
        write!(out, "{{{}}}", fields.join(", "))
    }
}

/// The maximum number of words that are shown.
const SHOWN: usize = 5;

fn list(texts: &[String]) -> String {
    let mut shown: Vec<String> = texts
        .iter()
        .take(SHOWN)
        .map(|text| format!("{text:?}"))
        .collect();
    match texts.len().checked_sub(SHOWN) {
        None | Some(0) => {}
        Some(more) => shown.push(format!("… {more} more")),
    }
    format!("[{}]", shown.join(", "))
}

#[cfg(test)]
#[path = "text_pattern_tests.rs"]
mod tests;
