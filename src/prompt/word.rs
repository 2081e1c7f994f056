//! What belongs to a word, in which script.

use unicode_normalization::char::is_combining_mark;

/// What a character is to the words around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// A letter of a script that puts something between words, a digit or `_`.
    Word,
    /// Hangul, which has spaces between words too; but `API` in `API를` is one by itself.
    Hangul,
    /// A letter of a script that puts nothing between words: any of them may be one.
    Unspaced,
    /// A mark, which belongs to what stands before it.
    Mark,
    /// White space, punctuation, symbols, emoji.
    #[default]
    Other,
}

impl Kind {
    /// Whether a word goes on from one to the next.
    pub(super) fn joins(self, next: Kind) -> bool {
        self == next && matches!(self, Kind::Word | Kind::Hangul)
    }
}

/// Of a character whose case is folded, if it is.
pub(super) fn kind(char: char) -> Kind {
    if char.is_ascii() {
        return if char.is_ascii_alphanumeric() || char == '_' {
            Kind::Word
        } else {
            Kind::Other
        };
    }
    if is_mark(char) {
        Kind::Mark
    } else if is_unspaced(char) {
        Kind::Unspaced
    } else if is_hangul(char) {
        Kind::Hangul
    } else if char.is_alphanumeric() {
        Kind::Word
    } else {
        Kind::Other
    }
}

/// The vowel that Thai and Lao write behind a letter, too, which Unicode does not call a mark.
fn is_mark(char: char) -> bool {
    matches!(char, '\u{E33}' | '\u{EB3}') || is_combining_mark(char)
}

fn is_hangul(char: char) -> bool {
    matches!(
        char,
        '\u{1100}'..='\u{11FF}' | '\u{3130}'..='\u{318F}' | '\u{A960}'..='\u{A97F}' | '\u{AC00}'..='\u{D7FF}'
    )
}

/// Letters of the scripts that Unicode's line breaking cuts by dictionary, by syllable or anywhere (UAX #14: SA, AK, ID, CJ).
/// Punctuation in these ranges comes out as letters do: words end at either.
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
        // Radicals; kana, Bopomofo and Han with what belongs to them, but for the Hangul among them; Yi.
        | '\u{2E80}'..='\u{312F}' | '\u{3190}'..='\u{4DBF}' | '\u{4E00}'..='\u{A4CF}'
        // Han of compatibility, half-width kana.
        | '\u{F900}'..='\u{FAFF}' | '\u{FF66}'..='\u{FF9F}'
        // Kana supplements; Han beyond the basic plane.
        | '\u{1AFF0}'..='\u{1B16F}' | '\u{20000}'..='\u{3FFFF}'
    )
}
