//! How many tokens a text is about, without the vocabulary that says it exactly.
//!
//! The measure is OpenAI's vocabulary o200k, whose splitting into pieces is followed character by character: a word with
//! the space or the mark before it, up to three digits, a run of marks, a run of white space. What it cannot follow is
//! which pieces the vocabulary has whole. That is estimated from the piece's characters:
//!
//! * Latin letters and ASCII marks: each pair of neighbours costs what it did on average where it was measured, which is
//!   little for pairs that are common inside of words (`th`, `):`) and more for those that are not (`xk`, `~'`).
//!   The costs are in pairs.txt.
//! * Chinese, Japanese and Korean: by [`super::cjk`].
//! * Other scripts: a piece costs by the number of its letters.
//!
//! The costs of pairs were fitted to two thirds of the files of a collection of source code, documentation, JSON, manual
//! pages and messages of other programs. The rules for runs, symbols and other scripts were chosen with the other third in
//! sight, and those for other scripts with the texts in tests/data/tokens, too; nothing was fitted to the English, code,
//! Chinese and JSON there.
//!
//! On that other third, 695 files of English, code, markup, logs and JSON, the estimate was off by 2.7 % on average, and by
//! more than 15 % in six: five licences of a few hundred bytes in capitals, which the vocabulary knows by heart, and a list
//! of colours. On 36 files of Chinese it was off by 2 % on average and 6 % at most. Of pieces of 200 characters of English,
//! Rust, Python and JSON, 96 in 100 were within 10 %, of 60 characters 90. Of 503 files in other languages, 59 were off by
//! more than 15 %: most of them in Bulgarian, Macedonian and Serbian, which come out 17 to 21 % too low,
//! others lists of names; the worst was 32 % too low.

use super::cost::{
    APOSTROPHE, CAPITAL, CONTRACTIONS, DIGIT, EDGE, EMOJI, FIRST_CAPITAL, FIRST_LETTER, KANA,
    LAST_CAPITAL, LAST_LETTER, LINE_END, LINE_ENDS, OTHER_LETTER, OTHER_MARK, PICTURE, RARE_LETTER,
    REPEATED, SLASH, SPACE, SPACES, SYMBOLS, TAB, UNIT, cost_of, cost_of_length, pair, symbol_of,
    tokens_of_run,
};
use super::{Script, cjk};

/// What a message of a conversation costs above its text, in tokens: its role, and the marks around it.
///
/// Source: OpenAI's cookbook, "How to count tokens with tiktoken": three tokens a message and one for its role; the three
/// that begin the answer come once more.
pub const MESSAGE_OVERHEAD: u64 = 4;

/// About how many tokens a text is.
pub fn estimate(text: &str) -> u64 {
    let mut estimate = Estimate::default();
    estimate.add(text);
    estimate.tokens()
}

/// A text that comes in parts, and about how many tokens it is. Where it is cut into parts makes no difference.
#[derive(Clone, Debug, Default)]
pub struct Estimate {
    /// What all pieces cost but the last, in parts of a token.
    total: u64,
    piece: Piece,
    /// What the piece has cost so far.
    cost: i32,
    /// Its characters so far, with what stands before its word.
    length: usize,
    /// The last of them.
    last: u8,
    /// Whether a word has had small letters.
    has_small: bool,
    /// Whether its last letter was a capital.
    was_capital: bool,
    /// The line ends in white space.
    line_ends: usize,
    /// How often the last character stood before itself.
    repeats: u8,
}

/// What kind of piece the last is, which may still grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Piece {
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
    /// Such a word, and an apostrophe.
    Apostrophe,
    /// Letters of a script that has no pairs.
    Letters(Script),
    /// What is taken in pairs of characters, and the last of them if it is in no pair yet.
    Cjk(Option<char>),
    /// Marks of Chinese and Japanese.
    CjkMarks,
}

impl Estimate {
    /// The next part of the text.
    pub fn add(&mut self, text: &str) {
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            match u8::try_from(char) {
                Ok(byte) if byte.is_ascii() => self.ascii(symbol_of(byte)),
                _ => self.wide(char),
            }
            match self.piece {
                Piece::Word => chars = self.small_letters(chars.as_str()).chars(),
                Piece::Space => chars = self.spaces(chars.as_str()).chars(),
                _ => {}
            }
        }
    }

    /// Takes the small letters that a text begins with into a word, as [`Estimate::letter`] would one by one, and returns
    /// the rest: they are most of what there is.
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

    /// The same for spaces in white space.
    fn spaces<'a>(&mut self, text: &'a str) -> &'a str {
        let rest = text.trim_start_matches(' ');
        let count = text.len().saturating_sub(rest.len());
        if count > 0 {
            self.length = self.length.saturating_add(count);
            self.last = SPACE;
        }
        rest
    }

    /// About how many tokens the parts are so far. Any text but the empty one is at least one.
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

    /// A character that is not ASCII.
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
            // The form of the emoji before it.
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
            // A word goes on until a capital comes after small letters.
            Piece::Word if !(is_capital && self.has_small) => {}
            // A mark by itself belongs to the word after it.
            Piece::Marks if self.length == 1 => self.piece = Piece::Word,
            Piece::Apostrophe if CONTRACTIONS.contains(&symbol) => {
                self.push(APOSTROPHE);
                self.piece = Piece::Word;
            }
            Piece::Apostrophe => {
                self.apostrophe_is_mark();
                self.piece = Piece::Word;
            }
            _ => self.begin_after_space(Piece::Word, true),
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
            Piece::Word if symbol == APOSTROPHE => {
                self.piece = Piece::Apostrophe;
                return;
            }
            Piece::Marks => {}
            Piece::MarksEnd if symbol == SLASH => {}
            Piece::Apostrophe => self.apostrophe_is_mark(),
            _ => self.begin_after_space(Piece::Marks, self.last == SPACE),
        }
        self.push(symbol);
    }

    /// The apostrophe after a word is no contraction's, but a mark by itself.
    fn apostrophe_is_mark(&mut self) {
        self.piece = Piece::Word;
        self.begin(Piece::Marks, Some(APOSTROPHE));
    }

    fn digit(&mut self) {
        if self.piece != Piece::Digits || self.length >= 3 {
            self.begin_after_space(Piece::Digits, false);
            self.cost = UNIT;
        }
        self.length = self.length.saturating_add(1);
    }

    fn line_end(&mut self) {
        if self.piece == Piece::Apostrophe {
            self.apostrophe_is_mark();
        }
        match self.piece {
            Piece::Marks | Piece::MarksEnd => {
                self.piece = Piece::MarksEnd;
                self.push(LINE_END);
            }
            Piece::CjkMarks => {}
            _ => {
                if self.piece != Piece::Space {
                    self.begin(Piece::Space, None);
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
        if self.piece != Piece::Space {
            self.begin(Piece::Space, None);
        }
        self.length = self.length.saturating_add(1);
        self.last = symbol;
    }

    fn other_letter(&mut self, char: char, script: Script) {
        let (word, letter) = cost_of(char, script);
        if self.piece != Piece::Letters(script) {
            self.begin_after_space(Piece::Letters(script), true);
            self.cost = word;
        }
        self.cost = self.cost.saturating_add(letter);
    }

    fn cjk(&mut self, char: char, script: Script) {
        let before = match self.piece {
            Piece::Cjk(before) => before,
            _ => {
                let takes_space = self.last == SPACE && cjk::takes_space(char);
                self.begin_after_space(Piece::Cjk(None), takes_space);
                self.cost = 0;
                None
            }
        };
        if before.is_some_and(|before| cjk::is_known(before, char)) {
            self.piece = Piece::Cjk(None);
            return;
        }
        let tokens = if cjk::is_known_alone(char) { 1 } else { 2 };
        let each = if script == Script::Kana { KANA } else { UNIT };
        self.cost = self.cost.saturating_add(each.saturating_mul(tokens));
        self.piece = Piece::Cjk(Some(char));
    }

    fn cjk_mark(&mut self) {
        if self.piece != Piece::CjkMarks {
            self.begin_after_space(Piece::CjkMarks, false);
        }
        if self.length.is_multiple_of(3) {
            self.cost = self.cost.saturating_add(UNIT);
        }
        self.length = self.length.saturating_add(1);
    }

    /// An emoji, or what else is in no vocabulary but byte by byte.
    fn symbol(&mut self, char: char) {
        self.begin_after_space(Piece::None, true);
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

    /// Adds a character to a piece whose characters cost by pairs.
    fn push(&mut self, symbol: u8) {
        self.repeats = repeats_of(self.repeats, self.last, symbol);
        let cost = cost_of_next(self.repeats, self.last, symbol);
        self.cost = self.cost.saturating_add(cost);
        self.last = symbol;
        self.length = self.length.saturating_add(1);
    }

    fn begin(&mut self, piece: Piece, before: Option<u8>) {
        self.finish();
        (self.piece, self.cost, self.length, self.last) = (piece, 0, 0, EDGE);
        (self.has_small, self.was_capital) = (false, false);
        (self.line_ends, self.repeats) = (0, 0);
        if let Some(symbol) = before {
            self.push(symbol);
        }
    }

    /// Begins a piece that takes the last character of white space before it for its own, or does not.
    fn begin_after_space(&mut self, piece: Piece, takes_space: bool) {
        if self.piece != Piece::Space || self.length == 0 {
            return self.begin(piece, None);
        }
        // All but the last character are a piece, and so is the last, unless it is taken.
        self.length = self.length.saturating_sub(1);
        if !takes_space {
            self.pay(UNIT);
        }
        let last = self.last;
        self.begin(piece, takes_space.then_some(last));
    }

    /// Closes the last piece, and counts it.
    fn finish(&mut self) {
        let cost = match self.piece {
            Piece::None => return,
            Piece::Space => {
                let lines = tokens_of_run(self.line_ends, LINE_ENDS);
                self.cost
                    .saturating_add(lines)
                    .saturating_add(tokens_of_run(self.length, SPACES))
            }
            Piece::Word | Piece::Marks | Piece::MarksEnd => self.by_pairs(),
            Piece::Apostrophe => self.by_pairs().saturating_add(UNIT),
            _ => self.cost.max(UNIT),
        };
        self.piece = Piece::None;
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

/// How often the character has stood before itself, after another one.
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
        /// Where a text is cut makes no difference.
        #[test]
        fn in_parts_as_whole(parts in prop::collection::vec("[a-zA-Z' .\n\t0-9/的あ가яñ。😀{}\"]{0,6}|\\PC{0,4}", 0..8)) {
            let mut estimate_of_parts = Estimate::default();
            for part in &parts {
                estimate_of_parts.add(part);
            }
            prop_assert_eq!(estimate_of_parts.tokens(), estimate(&parts.concat()));
        }

        /// No text is more tokens than it has bytes, but for rounding, nor none.
        #[test]
        fn at_least_one_and_at_most_the_bytes(text in "\\PC{1,40}|[ -~\n]{1,80}") {
            let tokens = estimate(&text);
            prop_assert!(tokens >= 1);
            prop_assert!(tokens <= text.len() as u64, "{} of {:?}", tokens, text);
        }
    }
}
