//! The costs of pieces of text in tokens, and the symbols that stand for their characters.

use super::Script;

/// The number of cost units in one token.
pub(super) const UNIT: i32 = 32;

/// Emoji are one to three tokens; the older pictures (`✓`, `★`) are mostly one.
pub(super) const EMOJI: i32 = 2 * UNIT;
pub(super) const PICTURE: i32 = 40;

/// The cost of each repetition of a character from the fourth on.
pub(super) const REPEATED: i32 = 1;

/// How many line ends, and how many other white-space characters, form one token.
pub(super) const LINE_ENDS: usize = 16;
pub(super) const SPACES: usize = 112;

/// The additional cost of a capital after a capital.
pub(super) const CAPITAL: i32 = 4;

/// The cost of a kana token: less than one token, because some tokens have three kana or more.
pub(super) const KANA: i32 = 30;

// The symbols of pairs: small letters are 1 to 26; ASCII marks begin at 32, in the order of ASCII.
pub(super) const SYMBOLS: u8 = 63;
/// Before the first character of a piece, and after its last.
pub(super) const EDGE: u8 = 0;
pub(super) const FIRST_LETTER: u8 = 1;
pub(super) const LAST_LETTER: u8 = 26;
pub(super) const SPACE: u8 = 27;
/// A line end after marks; before words, a tab or other white space.
pub(super) const LINE_END: u8 = 28;
/// Most Latin letters that are not ASCII.
pub(super) const OTHER_LETTER: u8 = 29;
/// Vietnamese letters, and separate accents.
pub(super) const RARE_LETTER: u8 = 30;
pub(super) const OTHER_MARK: u8 = 31;
pub(super) const APOSTROPHE: u8 = 38;
pub(super) const SLASH: u8 = 46;
// Characters that are distinguished before they become one of the symbols above.
pub(super) const FIRST_CAPITAL: u8 = 64 | FIRST_LETTER;
pub(super) const LAST_CAPITAL: u8 = 64 | LAST_LETTER;
pub(super) const TAB: u8 = 64 | LINE_END;
pub(super) const DIGIT: u8 = 64;

/// `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll`, `'d`, by their first letters.
pub(super) const CONTRACTIONS: [u8; 7] = [19, 20, 18, 22, 13, 12, 4];

pub(super) fn tokens_of_run(length: usize, in_one: usize) -> i32 {
    let tokens = i32::try_from(length.div_ceil(in_one)).unwrap_or(i32::MAX);
    tokens.saturating_mul(UNIT)
}

pub(super) fn symbol_of(ascii: u8) -> u8 {
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

/// The cost of a character after another, 64 columns in each of 64 rows. Each line of pairs.txt is for one previous
/// character, and each mark in it for the next one: `O` costs nothing, `P` one unit, `N` minus one.
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

pub(super) fn pair(before: u8, symbol: u8) -> i32 {
    let at = usize::from(before & SYMBOLS) << 6 | usize::from(symbol & SYMBOLS);
    PAIRS.get(at).copied().map_or(0, i32::from)
}

/// The cost by the number of characters in a piece; all longer pieces have the last one.
const LENGTHS: [i8; 24] = [
    0, 9, 12, 25, 28, 29, 29, 30, 32, 33, 35, 36, 38, 39, 42, 45, 48, 63, 63, 66, 73, 71, 79, 81,
];

/// Returns the cost of a word in this script, and of each of its letters. Fitted by least squares to program messages
/// in languages of this script. Where prose was measured too, the cost lies between the two, because prose takes up to
/// a quarter less.
pub(super) fn cost_of(char: char, script: Script) -> (i32, i32) {
    match script {
        // Letters that Russian does not have, which are rarer in the vocabulary.
        Script::Cyrillic if char > 'ё' => (18, 35),
        Script::Cyrillic => (18, 6),
        Script::Greek => (8, 12),
        Script::Armenian => (37, 7),
        Script::Georgian => (23, 10),
        Script::Hebrew => (13, 11),
        Script::Arabic => (12, 9),
        Script::Devanagari => (4, 11),
        Script::Bengali => (8, 12),
        Script::Gurmukhi => (-13, 26),
        Script::Gujarati => (0, 16),
        Script::Tamil => (40, 7),
        Script::Telugu => (21, 14),
        Script::Kannada => (37, 10),
        Script::Malayalam => (42, 8),
        Script::Sinhala => (-1, 21),
        Script::Thai => (23, 12),
        Script::Khmer => (3, 17),
        Script::Myanmar => (23, 16),
        _ => (0, 2 * UNIT),
    }
}

/// Returns the cost of a piece with this many characters, in addition to its pairs.
pub(super) fn cost_of_length(length: usize) -> i32 {
    let cost = LENGTHS.get(length).or(LENGTHS.last());
    cost.copied().map_or(0, i32::from)
}
