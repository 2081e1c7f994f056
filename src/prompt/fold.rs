//! Text as it is compared: what is written differently and means the same becomes the same characters.
//!
//! * Canonical equivalence: `é` is the same as `e` with a combining acute, in whatever order marks stand. Hangul is compared
//!   by syllables, all else decomposed.
//! * Letter case, unless it counts: Unicode's full case folding, so that `ß`, `ẞ`, `ss` and `SS` are the same, and so are
//!   `σ`, `ς` and `Σ`. The four i's of Turkish (`i`, `İ`, `ı`, `I`) are one letter: `I` is the capital of both, and which
//!   one is meant depends on a language that nobody told.
//! * Any run of white space, with line breaks and no-break spaces, is one space. Typographic apostrophes and the hyphens
//!   U+2010 and U+2011 are those of ASCII.
//! * What is not seen is skipped (soft hyphens, joiners, direction marks, variation selectors), and so is what Hebrew and
//!   Arabic may leave out: vowel points and signs, and the tatweel that only makes a word longer.
//!
//! Compatibility is not equivalence: full-width `Ａ` is not `A`, and `①` is not `1`.

use std::ops::ControlFlow;

use unicode_normalization::char::{canonical_combining_class, decompose_canonical};

use super::word::{Kind, kind};

/// What a character is to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A word may end before it, or begin with it.
    Apart,
    /// It goes on with the word.
    Within,
    /// A mark that makes another letter of the one before it.
    Attached,
}

/// One character as it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) char: char,
    pub(super) place: Place,
}

/// Gives all of a text to `sink`, until that breaks.
pub(super) fn fold<S>(text: &str, case_sensitive: bool, sink: S) -> ControlFlow<()>
where
    S: FnMut(Unit) -> ControlFlow<()>,
{
    let mut folder = Folder {
        case_sensitive,
        before: Kind::Other,
        is_apart: true,
        after_space: false,
        after_i: false,
        marks: Vec::new(),
        sink,
    };
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char.is_ascii() {
            folder.ascii(char)?;
        } else if let Some(syllable) = syllable(char, &mut chars) {
            folder.starter(syllable, Kind::Hangul)?;
        } else {
            folder.other(char)?;
        }
    }
    folder.flush()
}

struct Folder<S> {
    case_sensitive: bool,
    before: Kind,
    /// An invisible break stood since the last unit, or nothing.
    is_apart: bool,
    /// The last unit is a space.
    after_space: bool,
    /// The last letter is an `i` whose case was folded.
    after_i: bool,
    /// Those since the last letter, with their combining classes.
    marks: Vec<(u8, char)>,
    sink: S,
}

impl<S: FnMut(Unit) -> ControlFlow<()>> Folder<S> {
    fn ascii(&mut self, char: char) -> ControlFlow<()> {
        self.flush()?;
        if char.is_ascii_alphanumeric() || char == '_' {
            let folded = if self.case_sensitive {
                char
            } else {
                char.to_ascii_lowercase()
            };
            self.starter(folded, Kind::Word)?;
            self.after_i = folded == 'i' && !self.case_sensitive;
            ControlFlow::Continue(())
        } else if char.is_whitespace() {
            self.space()
        } else {
            self.starter(char, Kind::Other)
        }
    }

    fn other(&mut self, char: char) -> ControlFlow<()> {
        match char {
            // Han and kana without a voicing mark of their own need no more.
            '\u{4E00}'..='\u{9FFF}' => {
                self.flush()?;
                self.starter(char, Kind::Unspaced)
            }
            ZERO_WIDTH_SPACE => {
                self.is_apart = true;
                ControlFlow::Continue(())
            }
            _ if is_skipped(char) => ControlFlow::Continue(()),
            _ if char.is_whitespace() => {
                self.flush()?;
                self.space()
            }
            '\u{2018}' | '\u{2019}' | '\u{02BC}' => {
                self.flush()?;
                self.starter('\'', Kind::Other)
            }
            '\u{2010}' | '\u{2011}' => {
                self.flush()?;
                self.starter('-', Kind::Other)
            }
            _ => self.decomposed(char),
        }
    }

    fn decomposed(&mut self, char: char) -> ControlFlow<()> {
        let mut flow = ControlFlow::Continue(());
        decompose_canonical(char, |char| {
            if flow.is_break() {
                return;
            }
            match canonical_combining_class(char) {
                0 => {
                    flow = self.flush();
                    if flow.is_continue() {
                        flow = self.letter(char);
                    }
                }
                HEBREW_POINT..=ARABIC_SIGN => {}
                class => self.marks.push((class, char)),
            }
        });
        flow
    }

    fn space(&mut self) -> ControlFlow<()> {
        if self.after_space {
            return ControlFlow::Continue(());
        }
        self.starter(' ', Kind::Other)?;
        self.after_space = true;
        ControlFlow::Continue(())
    }

    /// The marks that wait, in their canonical order: sorted by class, and within one as they stand.
    fn flush(&mut self) -> ControlFlow<()> {
        if self.marks.is_empty() {
            return ControlFlow::Continue(());
        }
        let mut marks = std::mem::take(&mut self.marks);
        marks.sort_by_key(|(class, _)| *class);
        for (_, char) in marks.drain(..) {
            if self.after_i && char == DOT_ABOVE {
                continue;
            }
            let (mut flow, sink) = (ControlFlow::Continue(()), &mut self.sink);
            fold_case(char, self.case_sensitive, |char| {
                if flow.is_continue() {
                    flow = sink(Unit {
                        char,
                        place: Place::Attached,
                    });
                }
            });
            flow?;
            self.after_space = false;
        }
        self.marks = marks;
        ControlFlow::Continue(())
    }

    fn letter(&mut self, char: char) -> ControlFlow<()> {
        let mut flow = ControlFlow::Continue(());
        fold_case(char, self.case_sensitive, |char| {
            if flow.is_continue() {
                flow = self.starter(char, kind(char));
                self.after_i = char == 'i' && !self.case_sensitive;
            }
        });
        flow
    }

    /// What is no mark that is sorted.
    fn starter(&mut self, char: char, kind: Kind) -> ControlFlow<()> {
        let place = if kind == Kind::Mark || !self.is_apart && self.before.joins(kind) {
            Place::Within
        } else {
            Place::Apart
        };
        if kind != Kind::Mark {
            self.before = kind;
            self.is_apart = false;
        }
        self.after_space = false;
        self.after_i = false;
        (self.sink)(Unit { char, place })
    }
}

/// Not seen, either, but words end there: Khmer and Thai are written with it.
const ZERO_WIDTH_SPACE: char = '\u{200B}';
const DOT_ABOVE: char = '\u{307}';
/// The combining classes of Hebrew's points begin here; those of Arabic's signs follow them.
const HEBREW_POINT: u8 = 10;
const ARABIC_SIGN: u8 = 35;

/// What is not seen, and the tatweel.
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

/// Full case folding: to small letters, then to capitals, which is where `ß` becomes `SS` and `ς` loses its difference, and
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

/// Whole blocks that are known to have no case, so that nothing is looked up for them; a test holds them to the standard
/// library's tables.
fn is_caseless(char: char) -> bool {
    matches!(
        char,
        '\u{590}'..='\u{109F}' | '\u{1100}'..='\u{139F}' | '\u{1400}'..='\u{1C7F}' | '\u{2E80}'..='\u{A63F}' | '\u{AC00}'..='\u{FAFF}' | '\u{20000}'..
    )
}

/// A syllable of Hangul: as it stands, or put together of the conjoining letters that follow, as canonical composition does.
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
    // The tail's own numbers begin with that of none.
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
