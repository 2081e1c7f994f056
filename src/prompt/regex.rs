//! Regular expressions in time linear in the text.
//!
//! A lazy DFA does the work, of which only as much is built as the text at hand leads to. Where it cannot go on (a `\b` beside
//! letters beyond ASCII) or would be built over and over again, the text is searched once more by simulating the NFA, which
//! is slower and always comes to an end: a step for each byte and each state at most, and the states are bounded here.

use std::fmt;
use std::sync::Arc;

use regex_automata::Input;
use regex_automata::hybrid::dfa::DFA;
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{Compiler, Config, NFA, WhichCaptures};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;

/// The most characters that a regular expression may have.
pub const LONGEST_REGEX: usize = 4_000;
/// The most bytes that it may have when compiled, in which a `\w` of Unicode has some 20,000.
const LARGEST: usize = 512 * 1024;
/// How deep groups may be nested; the compiler recurses.
const DEEPEST: u32 = 50;
/// The most bytes of the part of a DFA that is kept while a text is searched.
const DFA_BYTES: usize = 1024 * 1024;

#[derive(Clone)]
pub(super) struct Regex {
    source: String,
    case_sensitive: bool,
    engines: Arc<Engines>,
}

struct Engines {
    dfa: DFA,
    vm: PikeVM,
}

impl Regex {
    /// Compiles a regular expression; or says what is wrong with it, and where.
    pub(super) fn new(source: &str, case_sensitive: bool) -> Result<Regex, String> {
        if source.is_empty() {
            return Err("must not be empty".to_owned());
        }
        if source.chars().nth(LONGEST_REGEX).is_some() {
            return Err(format!(
                "is too long: {LONGEST_REGEX} characters are the most"
            ));
        }
        let tree = parse(source, case_sensitive)?;
        let properties = tree.properties();
        if properties.minimum_len() == Some(0) && properties.look_set().is_empty() {
            return Err(
                "is found in every text, because it takes an empty one: make a part of it needed"
                    .to_owned(),
            );
        }
        Ok(Regex {
            source: source.to_owned(),
            case_sensitive,
            engines: Arc::new(Engines::new(&tree).ok_or_else(|| {
                "is too large when compiled: repeat less, or use narrower classes, as [0-9] instead of \\d"
                    .to_owned()
            })?),
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
        let nfa = Compiler::new()
            .configure(
                Config::new()
                    .which_captures(WhichCaptures::None)
                    .nfa_size_limit(Some(LARGEST)),
            )
            .build_from_hir(tree)
            .ok()?;
        Some(Engines {
            dfa: Engines::dfa(nfa.clone())?,
            vm: PikeVM::new_from_nfa(nfa).ok()?,
        })
    }

    fn dfa(nfa: NFA) -> Option<DFA> {
        let config = DFA::config()
            .unicode_word_boundary(true)
            .cache_capacity(DFA_BYTES)
            .skip_cache_capacity_check(true)
            // Then the other engine is faster.
            .minimum_cache_clear_count(Some(3));
        DFA::builder().configure(config).build_from_nfa(nfa).ok()
    }

    fn find(&self, text: &str) -> bool {
        let input = Input::new(text).earliest(true);
        let found = self
            .dfa
            .try_search_fwd(&mut self.dfa.create_cache(), &input);
        match found {
            Ok(found) => found.is_some(),
            Err(_) => self.vm.is_match(&mut self.vm.create_cache(), input),
        }
    }
}

fn parse(source: &str, case_sensitive: bool) -> Result<Hir, String> {
    let parsed = ParserBuilder::new()
        .case_insensitive(!case_sensitive)
        .nest_limit(DEEPEST)
        .build()
        .parse(source);
    parsed.map_err(|error| match &error {
        regex_syntax::Error::Parse(error) => {
            explain(error.kind(), source, error.span().start.offset)
        }
        regex_syntax::Error::Translate(error) => {
            explain(error.kind(), source, error.span().start.offset)
        }
        // Says it in several lines, with the expression in it.
        _ => "is no regular expression".to_owned(),
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
