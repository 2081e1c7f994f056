//! Classifies characters by how words are formed in their script.

use unicode_normalization::char::is_combining_mark;

/// How a character relates to the words around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum CharKind {
    /// A letter of a script that separates words, a digit or `_`.
    Word,
    /// Hangul. It has spaces between words too, but `API` in `API를` is a word of its own.
    Hangul,
    /// A letter of a script that does not separate words: any letter may be a word.
    Unspaced,
    /// A mark, which belongs to the character before it.
    Mark,
    /// White space, punctuation, symbols, emoji.
    #[default]
    Other,
}

impl CharKind {
    /// Whether a word continues from this character to the next.
    pub(super) fn joins(self, next: CharKind) -> bool {
        self == next && matches!(self, CharKind::Word | CharKind::Hangul)
    }
}

/// Returns the kind of a character, with or without its case folded.
pub(super) fn kind(char: char) -> CharKind {
    if char.is_ascii() {
        return if char.is_ascii_alphanumeric() || char == '_' {
            CharKind::Word
        } else {
            CharKind::Other
        };
    }
    if is_mark(char) {
        CharKind::Mark
    } else if is_unspaced(char) {
        CharKind::Unspaced
    } else if is_hangul(char) {
        CharKind::Hangul
    } else if char.is_alphanumeric() {
        CharKind::Word
    } else {
        CharKind::Other
    }
}

/// Whether this is a mark. Includes the vowel that Thai and Lao write behind a letter, which Unicode does not classify
/// as a mark.
fn is_mark(char: char) -> bool {
    matches!(char, '\u{E33}' | '\u{EB3}') || is_combining_mark(char)
}

fn is_hangul(char: char) -> bool {
    matches!(
        char,
        '\u{1100}'..='\u{11FF}' | '\u{3130}'..='\u{318F}' | '\u{A960}'..='\u{A97F}' | '\u{AC00}'..='\u{D7FF}'
    )
}

/// Whether this is a letter of a script that Unicode's line breaking splits by dictionary, by syllable or anywhere (UAX
/// #14: SA, AK, ID, CJ). Punctuation in these ranges is classified like letters: words end at either.
fn is_unspaced(char: char) -> bool {
    matches!(
        char,
        // Thai and Lao.
        '\u{E00}'..='\u{EFF}'
        // Myanmar, with its extensions.
        | '\u{1000}'..='\u{109F}' | '\u{A9E0}'..='\u{A9FF}' | '\u{AA60}'..='\u{AA7F}'
        // Khmer.
        | '\u{1780}'..='\u{17FF}' | '\u{19E0}'..='\u{19FF}'
        // Tai Le, New Tai Lue, Tai Tham, Tai Viet.
        | '\u{1950}'..='\u{19DF}' | '\u{1A20}'..='\u{1AAF}' | '\u{AA80}'..='\u{AADF}'
        // Balinese, Javanese.
        | '\u{1B00}'..='\u{1B7F}' | '\u{A980}'..='\u{A9DF}'
        // Radicals; kana, Bopomofo and Han with their marks, but without the Hangul among them; Yi.
        | '\u{2E80}'..='\u{312F}' | '\u{3190}'..='\u{4DBF}' | '\u{4E00}'..='\u{A4CF}'
        // Han compatibility ideographs, half-width kana.
        | '\u{F900}'..='\u{FAFF}' | '\u{FF66}'..='\u{FF9F}'
        // Kana supplements; Han beyond the basic plane.
        | '\u{1AFF0}'..='\u{1B16F}' | '\u{20000}'..='\u{3FFFF}'
    )
}
