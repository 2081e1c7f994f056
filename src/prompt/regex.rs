//! Regular expressions, matched in time linear in the text.
//!
//! A lazy DFA does the work; only those of its states are built to which a text leads. It supports word boundaries
//! (`\b`) in ASCII only. For other texts there is a second DFA without the boundaries, which finds all that the
//! expression does, and more. What it finds, and expressions for which no DFA can be kept, are decided by simulating
//! the NFA: slower, but it takes at most one step for each byte and state, and the number of states is limited here.

use std::fmt;
use std::sync::{Arc, Mutex};

use regex_automata::Input;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{Compiler, Config, NFA, WhichCaptures};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind, Look, Repetition};

/// The maximum length of a regular expression, in characters.
pub const MAX_REGEX_CHARS: usize = 4_000;
/// The maximum size of a compiled regular expression, in bytes; a Unicode `\w` takes about 20,000.
const MAX_COMPILED_BYTES: usize = 512 * 1024;
/// The maximum number of characters that counted repetitions (`a{100}`) may stand for when expanded: each may be a step
/// for every byte.
const MAX_COUNTED_CHARS: usize = 1_000;
/// How deeply groups may be nested; the compiler recurses.
const MAX_NESTING: u32 = 50;
/// The maximum size of the part of a DFA that is kept during a search and until the next one, in bytes.
const DFA_BYTES: usize = 1024 * 1024;
const KEPT_BYTES: usize = 32 * 1024;

#[derive(Clone)]
pub(super) struct Regex {
    source: String,
    case_sensitive: bool,
    engines: Arc<Engines>,
}

struct Engines {
    dfa: LazyDfa,
    /// The DFA without word boundaries, if the expression has any.
    wider: Option<LazyDfa>,
    vm: PikeVM,
}

impl Regex {
    /// Compiles a regular expression; the error says what is wrong with it, and where.
    pub(super) fn new(source: &str, case_sensitive: bool) -> Result<Regex, String> {
        if source.is_empty() {
            return Err("must not be empty".to_owned());
        }
        if source.chars().nth(MAX_REGEX_CHARS).is_some() {
            return Err(format!(
                "is too long: at most {MAX_REGEX_CHARS} characters are allowed"
            ));
        }
        let tree = parse(source, case_sensitive)?;
        let properties = tree.properties();
        if properties.minimum_len() == Some(0) && properties.look_set().is_empty() {
            return Err(
                "matches every text, because it matches an empty one: make a part of it mandatory"
                    .to_owned(),
            );
        }
        if counted(&tree) > MAX_COUNTED_CHARS {
            return Err(format!(
                "repeats too much: at most {MAX_COUNTED_CHARS} characters in total are allowed, as in \
                 [a-z]{{{MAX_COUNTED_CHARS}}}"
            ));
        }
        Ok(Regex {
            source: source.to_owned(),
            case_sensitive,
            engines: Arc::new(Engines::new(&tree).ok_or(
                "is too large when compiled: repeat less, or use narrower classes, such as [0-9] instead of \\d",
            )?),
        })
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.engines.find(text)
    }
}

impl Engines {
    fn new(tree: &Hir) -> Option<Engines> {
        let has_words = tree.properties().look_set().contains_word_unicode();
        let nfa = compile(tree)?;
        Some(Engines {
            dfa: LazyDfa::new(nfa.clone())?,
            wider: match has_words {
                true => Some(LazyDfa::new(compile(&without_words(tree))?)?),
                false => None,
            },
            vm: PikeVM::new_from_nfa(nfa).ok()?,
        })
    }

    fn find(&self, text: &str) -> bool {
        let input = Input::new(text).earliest(true);
        let found = match &self.wider {
            Some(wider) if !text.is_ascii() => match wider.find(&input) {
                Some(false) => Some(false),
                _ => None,
            },
            _ => self.dfa.find(&input),
        };
        found.unwrap_or_else(|| self.vm.is_match(&mut self.vm.create_cache(), input))
    }
}

/// A lazy DFA, with the states to which the texts so far have led.
struct LazyDfa {
    dfa: DFA,
    cache: Mutex<Option<Cache>>,
}

impl LazyDfa {
    fn new(nfa: NFA) -> Option<LazyDfa> {
        let config = DFA::config()
            .unicode_word_boundary(true)
            .cache_capacity(DFA_BYTES)
            .skip_cache_capacity_check(true)
            // Beyond this, simulation is faster.
            .minimum_cache_clear_count(Some(3));
        Some(LazyDfa {
            dfa: DFA::builder().configure(config).build_from_nfa(nfa).ok()?,
            cache: Mutex::new(None),
        })
    }

    /// Whether there is a match; `None` if this DFA cannot tell.
    fn find(&self, input: &Input<'_>) -> Option<bool> {
        let kept = self.cache.try_lock().ok().and_then(|mut kept| kept.take());
        let mut cache = kept.unwrap_or_else(|| self.dfa.create_cache());
        let found = self.dfa.try_search_fwd(&mut cache, input);
        if cache.memory_usage() <= KEPT_BYTES
            && cache.clear_count() == 0
            && let Ok(mut kept) = self.cache.try_lock()
        {
            *kept = Some(cache);
        }
        found.ok().map(|found| found.is_some())
    }
}

/// Returns how many characters the counted repetitions stand for.
fn counted(tree: &Hir) -> usize {
    match tree.kind() {
        HirKind::Repetition(repetition) => match times(repetition) {
            0 | 1 => counted(&repetition.sub),
            times => times.saturating_mul(characters(&repetition.sub)),
        },
        _ => sum(tree, counted),
    }
}

/// Returns how many characters an expression stands for, with counts expanded.
fn characters(tree: &Hir) -> usize {
    match tree.kind() {
        HirKind::Repetition(repetition) => {
            times(repetition).saturating_mul(characters(&repetition.sub))
        }
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(_) => 1,
        _ => sum(tree, characters),
    }
}

fn times(repetition: &Repetition) -> usize {
    let times = repetition.max.unwrap_or(repetition.min).max(1);
    usize::try_from(times).unwrap_or(usize::MAX)
}

fn sum(tree: &Hir, of: fn(&Hir) -> usize) -> usize {
    let parts = tree.kind().subs().iter();
    parts.map(of).fold(0, usize::saturating_add)
}

fn compile(tree: &Hir) -> Option<NFA> {
    let config = Config::new()
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(MAX_COMPILED_BYTES));
    Compiler::new().configure(config).build_from_hir(tree).ok()
}

/// Returns the expression without word boundaries, which finds all that the original finds.
fn without_words(tree: &Hir) -> Hir {
    let all = |trees: &[Hir]| trees.iter().map(without_words).collect();
    match tree.kind() {
        HirKind::Look(
            Look::WordUnicode
            | Look::WordUnicodeNegate
            | Look::WordStartUnicode
            | Look::WordEndUnicode
            | Look::WordStartHalfUnicode
            | Look::WordEndHalfUnicode,
        ) => Hir::empty(),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: Box::new(without_words(&repetition.sub)),
            ..repetition.clone()
        }),
        // Captures are not needed.
        HirKind::Capture(capture) => without_words(&capture.sub),
        HirKind::Concat(trees) => Hir::concat(all(trees)),
        HirKind::Alternation(trees) => Hir::alternation(all(trees)),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => tree.clone(),
    }
}

fn parse(source: &str, case_sensitive: bool) -> Result<Hir, String> {
    let parsed = ParserBuilder::new()
        .case_insensitive(!case_sensitive)
        .nest_limit(MAX_NESTING)
        .build()
        .parse(source);
    parsed.map_err(|error| match &error {
        regex_syntax::Error::Parse(error) => {
            explain(error.kind(), source, error.span().start.offset)
        }
        regex_syntax::Error::Translate(error) => {
            explain(error.kind(), source, error.span().start.offset)
        }
        // These errors have several lines and repeat the expression.
        _ => "is not a valid regular expression".to_owned(),
    })
}

fn explain(what: &dyn fmt::Display, source: &str, offset: usize) -> String {
    let before = source.get(..offset).unwrap_or(source).chars().count();
    format!("{what}, at character {}", before.saturating_add(1))
}

impl PartialEq for Regex {
    fn eq(&self, other: &Regex) -> bool {
        self.source == other.source && self.case_sensitive == other.case_sensitive
    }
}

#[cfg(test)]
#[path = "regex_tests.rs"]
mod tests;
