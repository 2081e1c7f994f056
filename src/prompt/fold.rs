//! Folds text for comparison: different spellings of the same text become the same characters.
//!
//! * Canonical equivalence: `é` is the same as `e` with a combining acute, whatever the order of the marks. Hangul is
//!   compared by syllables, everything else decomposed.
//! * Letter case, unless it counts: Unicode's full case folding, so that `ß`, `ẞ`, `ss` and `SS` are the same, and so
//!   are `σ`, `ς` and `Σ`. The four i's of Turkish (`i`, `İ`, `ı`, `I`) count as one letter: `I` is the capital of two
//!   of them, and which one is meant depends on the language, which is not known.
//! * Any run of white space, including line breaks and no-break spaces, is one space. Typographic apostrophes and the
//!   hyphens U+2010 and U+2011 become those of ASCII.
//! * Invisible characters are skipped (soft hyphens, joiners, direction marks, variation selectors), and so are the
//!   characters that Hebrew and Arabic may leave out: vowel points and signs, and the tatweel, which only makes a word
//!   longer.
//!
//! Compatibility is not equivalence: full-width `Ａ` is not `A`, and `①` is not `1`.

use std::ops::ControlFlow;

use unicode_normalization::char::{canonical_combining_class, decompose_canonical};

use super::char_kind::{CharKind, kind};

/// How a character relates to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WordPosition {
    /// A word may end before it, or begin with it.
    Apart,
    /// It continues the word.
    Within,
    /// It is a mark that changes the letter before it into another.
    Attached,
}

/// One folded character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FoldedChar {
    pub(super) char: char,
    pub(super) position: WordPosition,
}

/// Passes all folded characters of a text to `sink`, until that breaks.
pub(super) fn fold<S>(text: &str, case_sensitive: bool, sink: S) -> ControlFlow<()>
where
    S: FnMut(FoldedChar) -> ControlFlow<()>,
{
    let mut folder = Folder {
        case_sensitive,
        before: CharKind::Other,
        is_apart: true,
        last: '\0',
        marks: Vec::new(),
        known: Vec::new(),
        sink,
    };
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        let (char, kind) = if char.is_ascii() {
            folder.ascii(char)
        } else if is_han(char) {
            (char, CharKind::Unspaced)
        } else if let Some(syllable) = syllable(char, &mut chars) {
            (syllable, CharKind::Hangul)
        } else if let Some(letter) = folder.other(char)? {
            letter
        } else {
            continue;
        };
        if !folder.marks.is_empty() {
            folder.flush()?;
        }
        if char != ' ' || folder.last != ' ' {
            folder.letter(char, kind)?;
        }
    }
    folder.flush()
}

/// The folded form of each ASCII character (a small letter, a space, or itself) and its kind.
const ASCII: [(u8, CharKind); 128] = {
    let mut table = [(0, CharKind::Other); 128];
    let mut rest = table.as_mut_slice();
    let mut byte = 0_u8;
    while let Some((first, others)) = rest.split_first_mut() {
        *first = match byte {
            b'\t'..=b'\r' | b' ' => (b' ', CharKind::Other),
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' => {
                (byte.to_ascii_lowercase(), CharKind::Word)
            }
            _ => (byte, CharKind::Other),
        };
        byte = byte.saturating_add(1);
        rest = others;
    }
    table
};

struct Folder<S> {
    case_sensitive: bool,
    before: CharKind,
    /// Whether nothing or an invisible break precedes the next unit.
    is_apart: bool,
    /// The character of the last unit.
    last: char,
    /// The marks since the last letter, with their combining classes.
    marks: Vec<(u8, char)>,
    /// The folded forms of recent characters. Alphabets are small and the Unicode tables are large, so most characters
    /// are looked up only once.
    known: Vec<(char, Folded)>,
    sink: S,
}

/// The folded form of a character.
#[derive(Clone, Copy)]
enum Folded {
    Nothing,
    Break,
    Letter(char, CharKind),
    Mark(u8, char),
    /// Several characters.
    Many,
}

/// Enough for an alphabet and punctuation.
const KNOWN: usize = 256;

impl<S: FnMut(FoldedChar) -> ControlFlow<()>> Folder<S> {
    #[inline]
    fn ascii(&self, char: char) -> (char, CharKind) {
        let byte = u32::from(char).to_le_bytes()[0];
        let (folded, kind) = ASCII.get(usize::from(byte)).copied().unwrap_or_default();
        if self.case_sensitive && kind == CharKind::Word {
            (char, kind)
        } else {
            (folded.into(), kind)
        }
    }

    /// Returns the letter that a character folds to, if it is a single one; any other result has been processed.
    fn other(&mut self, char: char) -> ControlFlow<(), Option<(char, CharKind)>> {
        match self.look_up(char) {
            Folded::Nothing => {}
            Folded::Break => self.is_apart = true,
            Folded::Letter(char, kind) => return ControlFlow::Continue(Some((char, kind))),
            Folded::Mark(class, char) => self.marks.push((class, char)),
            Folded::Many => self.many(char)?,
        }
        ControlFlow::Continue(None)
    }

    fn look_up(&mut self, char: char) -> Folded {
        if self.known.is_empty() {
            self.known = vec![('\0', Folded::Nothing); KNOWN];
        }
        let position = u32::from(char).to_le_bytes()[0];
        let Some(known) = self.known.get_mut(usize::from(position)) else {
            return folded(char, self.case_sensitive);
        };
        if known.0 != char {
            *known = (char, folded(char, self.case_sensitive));
        }
        known.1
    }

    fn many(&mut self, char: char) -> ControlFlow<()> {
        let mut flow = ControlFlow::Continue(());
        decompose(char, self.case_sensitive, |class, char| {
            if flow.is_break() {
            } else if class == 0 {
                flow = self.flush();
                if flow.is_continue() {
                    flow = self.letter(char, kind(char));
                }
            } else {
                self.marks.push((class, char));
            }
        });
        flow
    }

    /// Emits the pending marks in canonical order: sorted by class, and in their own order within a class.
    fn flush(&mut self) -> ControlFlow<()> {
        let mut marks = std::mem::take(&mut self.marks);
        marks.sort_by_key(|(class, _)| *class);
        let is_after_i = self.last == 'i' && !self.case_sensitive;
        for (_, char) in marks.drain(..) {
            if is_after_i && char == DOT_ABOVE {
                continue;
            }
            self.last = char;
            (self.sink)(FoldedChar {
                char,
                position: WordPosition::Attached,
            })?;
        }
        // Keep the allocation.
        self.marks = marks;
        ControlFlow::Continue(())
    }

    /// Emits a character that is not a sortable mark.
    #[inline]
    fn letter(&mut self, char: char, kind: CharKind) -> ControlFlow<()> {
        let position = if kind == CharKind::Mark || !self.is_apart && self.before.joins(kind) {
            WordPosition::Within
        } else {
            WordPosition::Apart
        };
        if kind != CharKind::Mark {
            self.before = kind;
            self.is_apart = false;
        }
        self.last = char;
        (self.sink)(FoldedChar { char, position })
    }
}

fn folded(char: char, case_sensitive: bool) -> Folded {
    match char {
        ZERO_WIDTH_SPACE => return Folded::Break,
        '\u{2018}' | '\u{2019}' | '\u{02BC}' => return Folded::Letter('\'', CharKind::Other),
        '\u{2010}' | '\u{2011}' => return Folded::Letter('-', CharKind::Other),
        _ if is_skipped(char) => return Folded::Nothing,
        _ if char.is_whitespace() => return Folded::Letter(' ', CharKind::Other),
        _ => {}
    }
    let mut all = Folded::Nothing;
    decompose(char, case_sensitive, |class, char| {
        all = match all {
            Folded::Nothing if class == 0 => Folded::Letter(char, kind(char)),
            Folded::Nothing => Folded::Mark(class, char),
            _ => Folded::Many,
        };
    });
    all
}

/// Passes on the letters and marks into which a character decomposes, case-folded, with the classes of the marks (0 for
/// letters).
fn decompose(char: char, case_sensitive: bool, mut sink: impl FnMut(u8, char)) {
    decompose_canonical(char, |char| match canonical_combining_class(char) {
        HEBREW_POINT..=ARABIC_SIGN => {}
        class => fold_case(char, case_sensitive, |char| sink(class, char)),
    });
}

/// Whether this is in one of the two main blocks of Han, in which no character folds to another.
fn is_han(char: char) -> bool {
    matches!(char, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}')
}

/// Invisible too, but words end there: Khmer and Thai are written with it.
const ZERO_WIDTH_SPACE: char = '\u{200B}';
const DOT_ABOVE: char = '\u{307}';
/// The first combining class of Hebrew points; those of Arabic signs follow.
const HEBREW_POINT: u8 = 10;
const ARABIC_SIGN: u8 = 35;

/// Whether this is an invisible character or the tatweel.
fn is_skipped(char: char) -> bool {
    matches!(
        char,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{640}'
            | '\u{200C}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{2069}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
    )
}

/// Full case folding: to small letters, then to capitals (where `ß` becomes `SS` and `ς` loses its difference), and
/// back.
fn fold_case(char: char, case_sensitive: bool, mut sink: impl FnMut(char)) {
    if case_sensitive || is_caseless(char) {
        return sink(char);
    }
    for small in char.to_lowercase() {
        for capital in small.to_uppercase() {
            capital.to_lowercase().for_each(&mut sink);
        }
    }
}

/// Whether the character is in a block without letter case, which saves the lookup. A test compares these blocks with
/// the standard library's tables.
fn is_caseless(char: char) -> bool {
    matches!(
        char,
        '\u{590}'..='\u{109F}' | '\u{1100}'..='\u{139F}' | '\u{1400}'..='\u{1C7F}' | '\u{2E80}'..='\u{A63F}' | '\u{AC00}'..='\u{FAFF}' | '\u{20000}'..
    )
}

/// Returns a Hangul syllable: as it is written, or composed of the conjoining letters that follow, by canonical
/// composition.
fn syllable(char: char, chars: &mut std::str::Chars<'_>) -> Option<char> {
    const FIRST: u32 = 0xAC00;
    const VOWELS: u32 = 21;
    const TAILS: u32 = 28;
    let syllable = match char {
        '\u{AC00}'..='\u{D7A3}' => u32::from(char),
        '\u{1100}'..='\u{1112}' => {
            let vowel = offset(chars.clone().next()?, 0x1161, VOWELS)?;
            chars.next();
            let lead = offset(char, 0x1100, 19)?;
            lead.checked_mul(VOWELS)?
                .checked_add(vowel)?
                .checked_mul(TAILS)?
                .checked_add(FIRST)?
        }
        _ => return None,
    };
    let is_open = syllable
        .checked_sub(FIRST)
        .is_some_and(|index| index.is_multiple_of(TAILS));
    // The numbers of tails begin with the one for no tail.
    let tail = chars
        .clone()
        .next()
        .and_then(|next| offset(next, 0x11A7, TAILS))
        .filter(|tail| is_open && *tail != 0);
    if tail.is_some() {
        chars.next();
    }
    char::from_u32(syllable.checked_add(tail.unwrap_or(0))?)
}

fn offset(char: char, first: u32, count: u32) -> Option<u32> {
    u32::from(char)
        .checked_sub(first)
        .filter(|offset| *offset < count)
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
