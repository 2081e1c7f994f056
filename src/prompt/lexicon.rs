//! The words and phrases of several patterns, all of them found in one walk over a text.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::automaton::{Automaton, ROOT, index};
use super::fold::{Place, Unit, fold};

/// How words and phrases are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Options {
    /// Whether letter case counts.
    pub(super) case_sensitive: bool,
    /// Whether a word or phrase has to be one by itself, and no part of a longer word.
    pub(super) whole_words: bool,
}

/// What is looked for at once: the needles of patterns that are compared in the same way.
pub(super) struct Lexicon {
    options: Options,
    automaton: Automaton,
    patterns: usize,
}

impl Lexicon {
    /// Of the needles of so many patterns, each with its pattern's number. A needle is what [`Options::needle`] makes.
    pub(super) fn new(options: Options, needles: Vec<(Vec<u32>, u32)>, patterns: usize) -> Lexicon {
        Lexicon {
            options,
            automaton: Automaton::new(needles),
            patterns,
        }
    }

    /// Which patterns have something in a text. It is read once, and until all of them do at most; each needle is looked
    /// at once, however often it is there.
    fn find(&self, text: &str) -> Numbers {
        let Lexicon {
            options, automaton, ..
        } = self;
        let options = *options;
        let mut search = Search {
            automaton,
            known: Numbers::up_to(automaton.ends()),
            found: Numbers::up_to(self.patterns),
            missing: self.patterns,
        };
        let mut node = ROOT;
        let mut end = None;
        // A needle may end where the automaton says so and no word goes on, which is seen at the unit behind.
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
            // Nothing comes behind it.
            let _ = search.note(end);
        }
        search.found
    }
}

struct Search<'a> {
    automaton: &'a Automaton,
    /// The needles that were found.
    known: Numbers,
    /// The patterns that have one of them.
    found: Numbers,
    /// How many have none so far.
    missing: usize,
}

impl Search<'_> {
    /// Notes what ends here. Where a needle is known, all that are shorter are, too.
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
    /// A word or phrase as it is looked for.
    pub(super) fn needle(self, text: &str) -> Vec<u32> {
        let mut needle = Vec::new();
        // It never breaks.
        let _ = fold(text.trim(), self.case_sensitive, |unit| {
            needle.push(self.symbol(unit));
            ControlFlow::Continue(())
        });
        needle
    }

    fn may_end_before(self, unit: Unit) -> bool {
        match unit.place {
            Place::Apart => true,
            Place::Within => !self.whole_words,
            Place::Attached => false,
        }
    }

    /// Where words begin is part of what is compared, where it matters: so a needle is found at those places only, and the
    /// places inside a phrase are the same in it and in a text.
    fn symbol(self, unit: Unit) -> u32 {
        let begins = self.whole_words && unit.place == Place::Apart;
        u32::from(unit.char) << 1 | u32::from(begins)
    }
}

/// Numbers from 0 up to a limit.
#[derive(Clone, Debug)]
struct Numbers(Vec<u64>);

impl Numbers {
    fn up_to(limit: usize) -> Numbers {
        Numbers(vec![0; limit.div_ceil(64)])
    }

    fn place(number: u32) -> (usize, u64) {
        (index(number >> 6), 1 << (number & 63))
    }

    /// Whether it was not there.
    fn insert(&mut self, number: u32) -> bool {
        let (at, bit) = Numbers::place(number);
        let Some(word) = self.0.get_mut(at) else {
            return false;
        };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    fn contains(&self, number: u32) -> bool {
        let (at, bit) = Numbers::place(number);
        self.0.get(at).is_some_and(|word| word & bit != 0)
    }
}

/// What lexicons have found in one and the same text, each of which reads it once at most.
#[derive(Clone, Default)]
pub struct Findings(RefCell<Vec<(Arc<Lexicon>, Numbers)>>);

impl Findings {
    /// Whether a pattern of this lexicon, by its number, has something in the text that this is of.
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
