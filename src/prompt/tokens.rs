//! Estimates the number of tokens in a text, without the vocabulary that gives the exact number.
//!
//! The reference is OpenAI's vocabulary o200k, whose splitting into pieces is followed character by character: a word
//! with the space or the mark before it, up to three digits, a run of marks, a run of white space. Which pieces are
//! whole tokens of the vocabulary is not known; that is estimated from the piece's characters:
//!
//! * Latin letters and ASCII marks: each pair of neighbours has its average measured cost, which is low for pairs that
//!   are common inside of words (`th`, `):`) and higher for those that are not (`xk`, `~'`). The costs are in
//!   pairs.txt.
//! * Chinese, Japanese and Korean: by [`super::cjk`].
//! * Other scripts: by the number of letters in the piece.
//!
//! The costs of pairs were fitted to two thirds of the files in a collection of source code, documentation, JSON,
//! manual pages and messages of other programs. The rules for runs, symbols and other scripts were chosen in view of
//! the last third, and those for other scripts also in view of the texts in tests/data/tokens; nothing was fitted to
//! the English, code, Chinese and JSON there.
//!
//! On that last third, 695 files of English, code, markup, logs and JSON, the estimate was off by 2.7 % on average, and
//! by more than 15 % in six files: five licences of a few hundred bytes in capitals, which the vocabulary contains
//! almost verbatim, and a list of colours. On 36 files of Chinese it was off by 2 % on average and 6 % at most. Of
//! pieces of 200 characters of English, Rust, Python and JSON, 96 in 100 were within 10 %; of pieces of 60 characters,
//! 90. Of 503 files in other languages, 59 were off by more than 15 %: most of them in Bulgarian, Macedonian and
//! Serbian, which are estimated 17 to 21 % too low, the others lists of names; the worst was 32 % too low.

use super::cost::{
    APOSTROPHE, CAPITAL, CONTRACTIONS, DIGIT, EDGE, EMOJI, FIRST_CAPITAL, FIRST_LETTER, KANA,
    LAST_CAPITAL, LAST_LETTER, LINE_END, LINE_ENDS, OTHER_LETTER, OTHER_MARK, PICTURE, RARE_LETTER,
    REPEATED, SLASH, SPACE, SPACES, SYMBOLS, TAB, UNIT, cost_of, cost_of_length, pair, symbol_of,
    tokens_of_run,
};
use super::{Script, cjk};

/// The tokens that a message of a conversation takes in addition to its text: its role, and the marks around it.
///
/// Source: OpenAI's cookbook, "How to count tokens with tiktoken": three tokens a message and one for its role; the
/// three that begin the answer are added once.
pub const MESSAGE_OVERHEAD: u64 = 4;

/// Returns the estimated number of tokens in a text.
pub fn estimate(text: &str) -> u64 {
    let mut estimate = TokenEstimator::default();
    estimate.add(text);
    estimate.tokens()
}

/// Estimates the tokens of a text that arrives in parts. The result does not depend on where the text is cut.
#[derive(Clone, Debug, Default)]
pub struct TokenEstimator {
    /// The cost of all pieces but the last, in cost units.
    total: u64,
    piece: PieceKind,
    /// The cost of the current piece so far.
    cost: i32,
    /// The number of its characters so far, including the one before its word.
    length: usize,
    /// The last of its characters.
    last: u8,
    /// Whether the word has small letters.
    has_small: bool,
    /// Whether its last letter is a capital.
    was_capital: bool,
    /// The number of line ends in white space.
    line_ends: usize,
    /// How often the last character has been repeated.
    repeats: u8,
}

/// The kind of the current piece, which may still grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum PieceKind {
    #[default]
    None,
    /// White space: `length` characters since the last line end.
    Space,
    Digits,
    Marks,
    /// Line ends after marks.
    MarksEnd,
    /// Latin letters.
    Word,
    /// A word followed by an apostrophe.
    Apostrophe,
    /// Letters of a script without pair costs.
    Letters(Script),
    /// Chinese, Japanese and Korean, in pairs of characters; holds the last character if it is not in a pair yet.
    Cjk(Option<char>),
    /// Chinese and Japanese marks.
    CjkMarks,
}

impl TokenEstimator {
    /// Adds the next part of the text.
    pub fn add(&mut self, text: &str) {
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            match u8::try_from(char) {
                Ok(byte) if byte.is_ascii() => self.ascii(symbol_of(byte)),
                _ => self.wide(char),
            }
            match self.piece {
                PieceKind::Word => chars = self.small_letters(chars.as_str()).chars(),
                PieceKind::Space => chars = self.spaces(chars.as_str()).chars(),
                _ => {}
            }
        }
    }

    /// Adds the small letters at the beginning of a text to the current word, as [`TokenEstimator::letter`] would one
    /// by one, and returns the rest. Small letters are most of a typical text.
    fn small_letters<'a>(&mut self, text: &'a str) -> &'a str {
        let (mut cost, mut last, mut repeats) = (self.cost, self.last, self.repeats);
        let mut count: usize = 0;
        for byte in text.bytes().take_while(u8::is_ascii_lowercase) {
            let symbol = byte.wrapping_sub(b'a').wrapping_add(FIRST_LETTER);
            repeats = repeats_of(repeats, last, symbol);
            cost = cost.saturating_add(cost_of_next(repeats, last, symbol));
            last = symbol;
            count = count.saturating_add(1);
        }
        if count > 0 {
            (self.has_small, self.was_capital) = (true, false);
            (self.cost, self.last, self.repeats) = (cost, last, repeats);
            self.length = self.length.saturating_add(count);
        }
        text.get(count..).unwrap_or_default()
    }

    /// Adds the spaces at the beginning of a text to the current white space, and returns the rest.
    fn spaces<'a>(&mut self, text: &'a str) -> &'a str {
        let rest = text.trim_start_matches(' ');
        let count = text.len().saturating_sub(rest.len());
        if count > 0 {
            self.length = self.length.saturating_add(count);
            self.last = SPACE;
        }
        rest
    }

    /// Returns the estimated number of tokens so far; at least one, unless the text is empty.
    pub fn tokens(&self) -> u64 {
        let mut whole = self.clone();
        whole.finish();
        let least = u64::from(whole.total > 0);
        let half = UNIT.unsigned_abs().div_euclid(2);
        let total = whole.total.saturating_add(u64::from(half));
        total.div_euclid(u64::from(UNIT.unsigned_abs())).max(least)
    }

    fn ascii(&mut self, symbol: u8) {
        match symbol {
            FIRST_LETTER..=LAST_LETTER => self.letter(symbol, false),
            FIRST_CAPITAL..=LAST_CAPITAL => self.letter(symbol & SYMBOLS, true),
            SPACE => self.space(SPACE),
            TAB => self.space(LINE_END),
            LINE_END => self.line_end(),
            DIGIT => self.digit(),
            mark => self.mark(mark),
        }
    }

    /// Adds a character that is not ASCII.
    fn wide(&mut self, char: char) {
        match char {
            '\u{c0}'..='\u{24f}' if !matches!(char, '×' | '÷') => {
                self.letter(OTHER_LETTER, matches!(char, 'À'..='Þ'));
            }
            '\u{300}'..='\u{36f}' | '\u{1e00}'..='\u{1eff}' => self.letter(RARE_LETTER, false),
            '\u{85}'
            | '\u{a0}'
            | '\u{2000}'..='\u{200a}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{3000}' => {
                self.space(LINE_END);
            }
            '\u{80}'..='\u{bf}' | '×' | '÷' | '\u{2010}'..='\u{25ff}' | '\u{fffd}' => {
                self.mark(OTHER_MARK)
            }
            '\u{3001}'..='\u{3004}'
            | '\u{3008}'..='\u{3020}'
            | '\u{fe10}'..='\u{fe6f}'
            | '\u{ff01}'..='\u{ff20}'
            | '\u{ff3b}'..='\u{ff40}'
            | '\u{ff5b}'..='\u{ff65}' => {
                self.cjk_mark();
            }
            // Variation selectors belong to the emoji before them.
            '\u{fe00}'..='\u{fe0f}' => {}
            _ => match Script::of_letter(char) {
                Some(script @ (Script::Han | Script::Kana | Script::Hangul)) => {
                    self.cjk(char, script);
                }
                Some(script) => self.other_letter(char, script),
                None => self.symbol(char),
            },
        }
    }

    fn letter(&mut self, symbol: u8, is_capital: bool) {
        match self.piece {
            // A word continues until a capital follows small letters.
            PieceKind::Word if !(is_capital && self.has_small) => {}
            // A single mark belongs to the word after it.
            PieceKind::Marks if self.length == 1 => self.piece = PieceKind::Word,
            PieceKind::Apostrophe if CONTRACTIONS.contains(&symbol) => {
                self.push(APOSTROPHE);
                self.piece = PieceKind::Word;
            }
            PieceKind::Apostrophe => {
                self.apostrophe_is_mark();
                self.piece = PieceKind::Word;
            }
            _ => self.begin_after_space(PieceKind::Word, true),
        }
        if is_capital && self.was_capital {
            self.cost = self.cost.saturating_add(CAPITAL);
        }
        self.push(symbol);
        self.has_small |= !is_capital;
        self.was_capital = is_capital;
    }

    fn mark(&mut self, symbol: u8) {
        match self.piece {
            PieceKind::Word if symbol == APOSTROPHE => {
                self.piece = PieceKind::Apostrophe;
                return;
            }
            PieceKind::Marks => {}
            PieceKind::MarksEnd if symbol == SLASH => {}
            PieceKind::Apostrophe => self.apostrophe_is_mark(),
            _ => self.begin_after_space(PieceKind::Marks, self.last == SPACE),
        }
        self.push(symbol);
    }

    /// The apostrophe after a word does not begin a contraction: it is a mark by itself.
    fn apostrophe_is_mark(&mut self) {
        self.piece = PieceKind::Word;
        self.begin(PieceKind::Marks, Some(APOSTROPHE));
    }

    fn digit(&mut self) {
        if self.piece != PieceKind::Digits || self.length >= 3 {
            self.begin_after_space(PieceKind::Digits, false);
            self.cost = UNIT;
        }
        self.length = self.length.saturating_add(1);
    }

    fn line_end(&mut self) {
        if self.piece == PieceKind::Apostrophe {
            self.apostrophe_is_mark();
        }
        match self.piece {
            PieceKind::Marks | PieceKind::MarksEnd => {
                self.piece = PieceKind::MarksEnd;
                self.push(LINE_END);
            }
            PieceKind::CjkMarks => {}
            _ => {
                if self.piece != PieceKind::Space {
                    self.begin(PieceKind::Space, None);
                }
                if self.line_ends > 0 && self.length > 0 {
                    self.cost = self.cost.saturating_add(UNIT / 2);
                }
                self.line_ends = self.line_ends.saturating_add(1);
                self.length = 0;
            }
        }
    }

    fn space(&mut self, symbol: u8) {
        if self.piece != PieceKind::Space {
            self.begin(PieceKind::Space, None);
        }
        self.length = self.length.saturating_add(1);
        self.last = symbol;
    }

    fn other_letter(&mut self, char: char, script: Script) {
        let (word, letter) = cost_of(char, script);
        if self.piece != PieceKind::Letters(script) {
            self.begin_after_space(PieceKind::Letters(script), true);
            self.cost = word;
        }
        self.cost = self.cost.saturating_add(letter);
    }

    fn cjk(&mut self, char: char, script: Script) {
        let before = match self.piece {
            PieceKind::Cjk(before) => before,
            _ => {
                let takes_space = self.last == SPACE && cjk::takes_space(char);
                self.begin_after_space(PieceKind::Cjk(None), takes_space);
                self.cost = 0;
                None
            }
        };
        if before.is_some_and(|before| cjk::is_known(before, char)) {
            self.piece = PieceKind::Cjk(None);
            return;
        }
        let tokens = if cjk::is_known_alone(char) { 1 } else { 2 };
        let each = if script == Script::Kana { KANA } else { UNIT };
        self.cost = self.cost.saturating_add(each.saturating_mul(tokens));
        self.piece = PieceKind::Cjk(Some(char));
    }

    fn cjk_mark(&mut self) {
        if self.piece != PieceKind::CjkMarks {
            self.begin_after_space(PieceKind::CjkMarks, false);
        }
        if self.length.is_multiple_of(3) {
            self.cost = self.cost.saturating_add(UNIT);
        }
        self.length = self.length.saturating_add(1);
    }

    /// Adds an emoji, or another character that the vocabulary only has byte by byte.
    fn symbol(&mut self, char: char) {
        self.begin_after_space(PieceKind::None, true);
        let cost = match char {
            '\u{1f000}'..='\u{1faff}' => EMOJI,
            '\u{2600}'..='\u{2bff}' => PICTURE,
            // Digits and marks of other scripts.
            '\u{200b}'..='\u{200f}' | '\u{370}'..='\u{1fff}' => UNIT,
            _ => i32::try_from(char.len_utf8())
                .unwrap_or(0)
                .saturating_mul(UNIT),
        };
        self.pay(cost);
    }

    /// Adds a character to a piece with pair costs.
    fn push(&mut self, symbol: u8) {
        self.repeats = repeats_of(self.repeats, self.last, symbol);
        let cost = cost_of_next(self.repeats, self.last, symbol);
        self.cost = self.cost.saturating_add(cost);
        self.last = symbol;
        self.length = self.length.saturating_add(1);
    }

    fn begin(&mut self, piece: PieceKind, before: Option<u8>) {
        self.finish();
        (self.piece, self.cost, self.length, self.last) = (piece, 0, 0, EDGE);
        (self.has_small, self.was_capital) = (false, false);
        (self.line_ends, self.repeats) = (0, 0);
        if let Some(symbol) = before {
            self.push(symbol);
        }
    }

    /// Begins a piece after white space; `takes_space` tells whether the piece includes the last white-space character.
    fn begin_after_space(&mut self, piece: PieceKind, takes_space: bool) {
        if self.piece != PieceKind::Space || self.length == 0 {
            return self.begin(piece, None);
        }
        // All but the last character are one piece; the last is another, unless the new piece takes it.
        self.length = self.length.saturating_sub(1);
        if !takes_space {
            self.pay(UNIT);
        }
        let last = self.last;
        self.begin(piece, takes_space.then_some(last));
    }

    /// Ends the current piece and adds its cost.
    fn finish(&mut self) {
        let cost = match self.piece {
            PieceKind::None => return,
            PieceKind::Space => {
                let lines = tokens_of_run(self.line_ends, LINE_ENDS);
                self.cost
                    .saturating_add(lines)
                    .saturating_add(tokens_of_run(self.length, SPACES))
            }
            PieceKind::Word | PieceKind::Marks | PieceKind::MarksEnd => self.by_pairs(),
            PieceKind::Apostrophe => self.by_pairs().saturating_add(UNIT),
            _ => self.cost.max(UNIT),
        };
        self.piece = PieceKind::None;
        self.pay(cost);
    }

    fn by_pairs(&self) -> i32 {
        let cost = self.cost.saturating_add(pair(self.last, EDGE));
        cost.saturating_add(cost_of_length(self.length)).max(UNIT)
    }

    fn pay(&mut self, cost: i32) {
        self.total = self.total.saturating_add(u64::from(cost.unsigned_abs()));
    }
}

/// Returns how often the character has been repeated, if `symbol` follows `last`.
fn repeats_of(repeats: u8, last: u8, symbol: u8) -> u8 {
    if last == symbol {
        repeats.saturating_add(1)
    } else {
        0
    }
}

fn cost_of_next(repeats: u8, last: u8, symbol: u8) -> i32 {
    if repeats > 2 {
        REPEATED
    } else {
        pair(last, symbol)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pieces_are_cut_as_the_vocabulary_cuts_them() {
        for (text, tokens) in [
            ("", 0),
            (" ", 1),
            ("a", 1),
            ("1", 1),
            ("123", 1),
            ("1234", 2),
            ("1234567", 3),
            ("in 1234", 4),
            ("the time of the day", 5),
            ("the\nthe", 3),
            ("the\n\nthe", 3),
            ("the\n    the", 4),
            ("the      the", 3),
            ("don't", 1),
            ("we're", 1),
            ("theThe", 2),
            ("foo();\n", 2),
            ("中文", 1),
            ("的的的", 3),
        ] {
            assert_eq!(estimate(text), tokens, "{text:?}");
        }
    }

    #[test]
    fn runs_are_few_tokens_however_long() {
        for text in ["a", " ", "\n", "-", "─", "\u{fffd}"] {
            let tokens = estimate(&text.repeat(100_000));
            assert!((500..10_000).contains(&tokens), "{text:?}: {tokens}");
        }
    }

    proptest! {
        /// The result does not depend on where the text is cut.
        #[test]
        fn in_parts_as_whole(parts in prop::collection::vec("[a-zA-Z' .\n\t0-9/的あ가яñ。😀{}\"]{0,6}|\\PC{0,4}", 0..8)) {
            let mut estimate_of_parts = TokenEstimator::default();
            for part in &parts {
                estimate_of_parts.add(part);
            }
            prop_assert_eq!(estimate_of_parts.tokens(), estimate(&parts.concat()));
        }

        /// A text has at least one token, and at most as many as bytes.
        #[test]
        fn at_least_one_and_at_most_the_bytes(text in "\\PC{1,40}|[ -~\n]{1,80}") {
            let tokens = estimate(&text);
            prop_assert!(tokens >= 1);
            prop_assert!(tokens <= text.len() as u64, "{} of {:?}", tokens, text);
        }
    }
}
