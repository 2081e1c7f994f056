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
//! The costs were fitted to texts of other authors than those that tests/tokens.rs judges it by.

use super::Script;
use super::cjk;

/// What a message of a conversation costs above its text, in tokens: its role, and the marks around it.
///
/// Source: OpenAI's cookbook, "How to count tokens with tiktoken": three tokens a message and one for its role; the three
/// that begin the answer come once more.
pub const MESSAGE_OVERHEAD: u64 = 4;

/// About how many tokens a text is.
///
/// ```
/// assert_eq!(llm_router::prompt::estimate("The quick brown fox jumps over the lazy dog."), 10);
/// ```
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
        for char in text.chars() {
            match u8::try_from(char) {
                Ok(byte) if byte.is_ascii() => self.ascii(symbol_of(byte)),
                _ => self.wide(char),
            }
        }
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
            _ => match Script::around(char) {
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
            '\u{2600}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}' => EMOJI,
            '\u{200b}'..='\u{200f}' => UNIT,
            '\u{fe00}'..='\u{fe0f}' => 0,
            _ => i32::try_from(char.len_utf8())
                .unwrap_or(0)
                .saturating_mul(UNIT),
        };
        self.pay(cost);
    }

    /// Adds a character to a piece whose characters cost by pairs.
    fn push(&mut self, symbol: u8) {
        self.repeats = if symbol == self.last {
            self.repeats.saturating_add(1)
        } else {
            0
        };
        let cost = if self.repeats > 2 {
            REPEATED
        } else {
            pair(self.last, symbol)
        };
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
        let length = LENGTHS.get(self.length).or(LENGTHS.last());
        let cost = self.cost.saturating_add(pair(self.last, EDGE));
        let cost = cost.saturating_add(i32::from(length.copied().unwrap_or(0)));
        cost.max(UNIT)
    }

    fn pay(&mut self, cost: i32) {
        self.total = self.total.saturating_add(u64::from(cost.unsigned_abs()));
    }
}

/// The parts of a token that costs are told in.
const UNIT: i32 = 32;

/// Emoji are a token and a half to three.
const EMOJI: i32 = 64;

/// What each of a run of the same character costs from the fourth on.
const REPEATED: i32 = 2;

/// How many line ends, and how many other white space, are one token.
const LINE_ENDS: usize = 16;
const SPACES: usize = 112;

/// What a capital after a capital adds to its pair.
const CAPITAL: i32 = 4;

/// What a token of kana comes to: they are in tokens of three and more, too.
const KANA: i32 = 30;

// The symbols that pairs are of: small letters are 1 to 26, ASCII marks stand from 32 on in the order of ASCII.
const SYMBOLS: u8 = 63;
/// Before the first character of a piece, and after its last.
const EDGE: u8 = 0;
const FIRST_LETTER: u8 = 1;
const LAST_LETTER: u8 = 26;
const SPACE: u8 = 27;
/// After marks a line end; before words a tab, or other white space.
const LINE_END: u8 = 28;
/// Most letters of Latin that are not ASCII.
const OTHER_LETTER: u8 = 29;
/// Those of Vietnamese, and accents by themselves.
const RARE_LETTER: u8 = 30;
const OTHER_MARK: u8 = 31;
const APOSTROPHE: u8 = 38;
const SLASH: u8 = 46;
// What is told apart before it is a symbol.
const FIRST_CAPITAL: u8 = 64 | FIRST_LETTER;
const LAST_CAPITAL: u8 = 64 | LAST_LETTER;
const TAB: u8 = 64 | LINE_END;
const DIGIT: u8 = 64;

/// `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll`, `'d`, by their first letters.
const CONTRACTIONS: [u8; 7] = [19, 20, 18, 22, 13, 12, 4];

fn tokens_of_run(length: usize, in_one: usize) -> i32 {
    let tokens = i32::try_from(length.div_ceil(in_one)).unwrap_or(i32::MAX);
    tokens.saturating_mul(UNIT)
}

fn symbol_of(ascii: u8) -> u8 {
    ASCII.get(usize::from(ascii)).copied().unwrap_or(DIGIT)
}

const ASCII: [u8; 128] = {
    let mut symbols = [OTHER_MARK; 128];
    let mut mark = 32;
    let mut byte: u8 = 0;
    while byte < 128 {
        let symbol = match byte {
            b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(FIRST_LETTER),
            b'A'..=b'Z' => byte.wrapping_sub(b'A').wrapping_add(FIRST_CAPITAL),
            b'0'..=b'9' => DIGIT,
            b' ' => SPACE,
            b'\n' | b'\r' => LINE_END,
            b'\t' | 0x0b | 0x0c => TAB,
            0..0x20 | 0x7f.. => OTHER_MARK,
            _ => {
                mark = u8::wrapping_add(mark, 1);
                mark.wrapping_sub(1)
            }
        };
        let (_, rest) = symbols.split_at_mut(byte as usize);
        if let [first, ..] = rest {
            *first = symbol;
        }
        byte = byte.wrapping_add(1);
    }
    symbols
};

/// What a character after another costs, 64 columns in each of 64 rows: a line of pairs.txt is the character before, each
/// mark in it the character after, and `O` is nothing, `P` one part of a token, `N` one less.
static PAIRS: [i8; 64 * 64] = {
    let text = include_bytes!("pairs.txt");
    let mut pairs = [0; 64 * 64];
    let (mut left, mut text): (&mut [i8], &[u8]) = (&mut pairs, text);
    while let [byte, rest @ ..] = text {
        text = rest;
        if *byte == b'\n' {
            continue;
        }
        if let [first, others @ ..] = left {
            *first = byte.wrapping_sub(b'O').cast_signed();
            left = others;
        } else {
            break;
        }
    }
    pairs
};

fn pair(before: u8, symbol: u8) -> i32 {
    let at = usize::from(before & SYMBOLS) << 6 | usize::from(symbol & SYMBOLS);
    PAIRS.get(at).copied().map_or(0, i32::from)
}

/// What a piece of so many characters costs beside its pairs.
const LENGTHS: [i8; 24] = [
    0, 9, 12, 25, 28, 29, 29, 30, 32, 33, 35, 36, 38, 39, 42, 45, 48, 63, 63, 66, 73, 71, 79, 81,
];

/// What a word of this script costs, and each letter of it: least squares over the words of programs' messages in
/// languages that are written in it, weighted by how often a word comes.
fn cost_of(char: char, script: Script) -> (i32, i32) {
    match script {
        // Letters that Russian has not, and the vocabulary less often.
        Script::Cyrillic if char > 'ё' => (21, 35),
        Script::Cyrillic => (21, 6),
        Script::Greek => (8, 12),
        Script::Armenian => (37, 7),
        Script::Georgian => (23, 10),
        Script::Hebrew => (14, 13),
        Script::Arabic => (12, 11),
        Script::Devanagari => (2, 14),
        Script::Bengali => (8, 13),
        Script::Gurmukhi => (-13, 26),
        Script::Gujarati => (0, 16),
        Script::Tamil => (40, 7),
        Script::Telugu => (21, 14),
        Script::Kannada => (37, 10),
        Script::Malayalam => (42, 8),
        Script::Sinhala => (-1, 21),
        Script::Thai => (23, 14),
        Script::Khmer => (3, 17),
        Script::Myanmar => (23, 16),
        _ => (0, 2 * UNIT),
    }
}
