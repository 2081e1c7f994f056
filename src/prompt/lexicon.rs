//! Finds the words and phrases of several patterns in one pass over a text.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::automaton::{Automaton, ROOT, index};
use super::fold::{FoldedChar, WordPosition, fold};

/// How words and phrases are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Options {
    /// Whether letter case counts.
    pub(super) case_sensitive: bool,
    /// Whether a word or phrase has to stand alone instead of within a longer word.
    pub(super) whole_words: bool,
}

/// The needles of patterns that are compared in the same way, so that one search finds them all.
pub(super) struct Lexicon {
    options: Options,
    automaton: Automaton,
    patterns: usize,
}

impl Lexicon {
    /// Builds the lexicon from the needles of `patterns` patterns, each with its pattern's number. Needles are made by
    /// [`Options::needle`].
    pub(super) fn new(options: Options, needles: Vec<(Vec<u32>, u32)>, patterns: usize) -> Lexicon {
        Lexicon {
            options,
            automaton: Automaton::new(needles),
            patterns,
        }
    }

    /// Returns the patterns that have a match in a text. The text is read once, at most until all patterns have one;
    /// each needle is handled once, however often it occurs.
    fn find(&self, text: &str) -> NumberSet {
        let Lexicon {
            options, automaton, ..
        } = self;
        let options = *options;
        let mut search = Search {
            automaton,
            known: NumberSet::up_to(automaton.ends()),
            found: NumberSet::up_to(self.patterns),
            missing: self.patterns,
        };
        let mut node = ROOT;
        let mut end = None;
        // A needle ends where the automaton says so if no word continues there, which only the next unit tells.
        let flow = fold(text, options.case_sensitive, |unit| {
            if let Some(end) = end
                && options.may_end_before(unit)
            {
                search.note(end)?;
            }
            node = automaton.step(node, options.symbol(unit));
            end = automaton.end(node);
            ControlFlow::Continue(())
        });
        if let (ControlFlow::Continue(()), Some(end)) = (flow, end) {
            // Nothing follows it.
            let _ = search.note(end);
        }
        search.found
    }
}

struct Search<'a> {
    automaton: &'a Automaton,
    /// The needles that were found.
    known: NumberSet,
    /// The patterns that have a match.
    found: NumberSet,
    /// How many patterns have no match so far.
    missing: usize,
}

impl Search<'_> {
    /// Records the needles that end here. If one is already known, so are all shorter ones.
    #[inline(never)]
    fn note(&mut self, mut end: u32) -> ControlFlow<()> {
        while self.known.insert(end) {
            for pattern in self.automaton.owners(end) {
                if self.found.insert(*pattern) {
                    self.missing = self.missing.saturating_sub(1);
                }
            }
            match self.automaton.shorter(end) {
                Some(shorter) => end = shorter,
                None => break,
            }
        }
        if self.missing == 0 {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

impl Options {
    /// Folds a word or phrase into the needle to search for.
    pub(super) fn needle(self, text: &str) -> Vec<u32> {
        let mut needle = Vec::new();
        // The sink never breaks.
        let _ = fold(text.trim(), self.case_sensitive, |unit| {
            needle.push(self.symbol(unit));
            ControlFlow::Continue(())
        });
        needle
    }

    fn may_end_before(self, unit: FoldedChar) -> bool {
        match unit.position {
            WordPosition::Apart => true,
            WordPosition::Within => !self.whole_words,
            WordPosition::Attached => false,
        }
    }

    /// Marks the beginnings of words in the symbols, if they matter. A needle then matches only at such places, and the
    /// word boundaries inside a phrase are the same in needle and text.
    fn symbol(self, unit: FoldedChar) -> u32 {
        let begins = self.whole_words && unit.position == WordPosition::Apart;
        u32::from(unit.char) << 1 | u32::from(begins)
    }
}

/// A set of numbers from 0 up to a limit.
#[derive(Clone, Debug)]
struct NumberSet(Vec<u64>);

impl NumberSet {
    fn up_to(limit: usize) -> NumberSet {
        NumberSet(vec![0; limit.div_ceil(64)])
    }

    fn position(number: u32) -> (usize, u64) {
        (index(number >> 6), 1 << (number & 63))
    }

    /// Inserts a number; returns whether it is new.
    fn insert(&mut self, number: u32) -> bool {
        let (at, bit) = NumberSet::position(number);
        let Some(word) = self.0.get_mut(at) else {
            return false;
        };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    fn contains(&self, number: u32) -> bool {
        let (at, bit) = NumberSet::position(number);
        self.0.get(at).is_some_and(|word| word & bit != 0)
    }
}

/// The results of lexicons for one text, so that each lexicon reads it at most once.
#[derive(Clone, Default)]
pub struct SearchResults(RefCell<Vec<(Arc<Lexicon>, NumberSet)>>);

impl SearchResults {
    /// Whether a pattern of this lexicon, given by its number, has a match in the text to which these findings belong.
    pub(super) fn has(&self, lexicon: &Arc<Lexicon>, pattern: u32, text: &str) -> bool {
        let Ok(mut known) = self.0.try_borrow_mut() else {
            return lexicon.find(text).contains(pattern);
        };
        let found = known.iter().find(|(known, _)| Arc::ptr_eq(known, lexicon));
        if let Some((_, found)) = found {
            return found.contains(pattern);
        }
        let found = lexicon.find(text);
        let has = found.contains(pattern);
        known.push((Arc::clone(lexicon), found));
        has
    }
}

#[cfg(test)]
#[path = "lexicon_tests.rs"]
mod tests;
