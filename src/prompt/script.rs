//! The script that a text is written in.

/// A script that a route can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// English, Vietnamese, Turkish and many more.
    Latin,
    /// Russian, Ukrainian, Bulgarian and more.
    Cyrillic,
    /// Greek.
    Greek,
    /// Armenian.
    Armenian,
    /// Georgian.
    Georgian,
    /// Hebrew, Yiddish.
    Hebrew,
    /// Arabic, Persian, Urdu.
    Arabic,
    /// Amharic, Tigrinya.
    Ethiopic,
    /// Hindi, Marathi, Nepali.
    Devanagari,
    /// Bengali, Assamese.
    Bengali,
    /// Punjabi.
    Gurmukhi,
    /// Gujarati.
    Gujarati,
    /// Tamil.
    Tamil,
    /// Telugu.
    Telugu,
    /// Kannada.
    Kannada,
    /// Malayalam.
    Malayalam,
    /// Sinhala.
    Sinhala,
    /// Thai.
    Thai,
    /// Lao.
    Lao,
    /// Burmese.
    Myanmar,
    /// Khmer.
    Khmer,
    /// Chinese.
    Han,
    /// Japanese, with the Han letters among it.
    Kana,
    /// Korean.
    Hangul,
}

impl Script {
    /// All of them, with their names in the document.
    pub const ALL: [(&'static str, Script); 24] = [
        ("latin", Script::Latin),
        ("cyrillic", Script::Cyrillic),
        ("greek", Script::Greek),
        ("armenian", Script::Armenian),
        ("georgian", Script::Georgian),
        ("hebrew", Script::Hebrew),
        ("arabic", Script::Arabic),
        ("ethiopic", Script::Ethiopic),
        ("devanagari", Script::Devanagari),
        ("bengali", Script::Bengali),
        ("gurmukhi", Script::Gurmukhi),
        ("gujarati", Script::Gujarati),
        ("tamil", Script::Tamil),
        ("telugu", Script::Telugu),
        ("kannada", Script::Kannada),
        ("malayalam", Script::Malayalam),
        ("sinhala", Script::Sinhala),
        ("thai", Script::Thai),
        ("lao", Script::Lao),
        ("myanmar", Script::Myanmar),
        ("khmer", Script::Khmer),
        ("han", Script::Han),
        ("kana", Script::Kana),
        ("hangul", Script::Hangul),
    ];

    /// The name in the document.
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, script)| *script == self);
        found.map_or("", |(name, _)| name)
    }

    /// The script that most letters of a text are in, of two that are equal the first in [`Script::ALL`]; `None` where
    /// there is no letter of any.
    ///
    /// Digits, punctuation, emoji and white space are in none. Japanese is Han mixed with kana: both count together, and
    /// are [`Script::Kana`] if at least one in [`KANA_SHARE`] of them is kana, else [`Script::Han`].
    pub fn of(text: &str) -> Option<Script> {
        let counts = Counts::of(text);
        let (han, kana) = (counts.sum(Script::Han), counts.sum(Script::Kana));
        let japanese = kana.saturating_mul(KANA_SHARE) >= han.saturating_add(kana);
        let mut most = None;
        let mut most_letters = 0;
        for (_, script) in Self::ALL {
            let letters = match script {
                Script::Han if !japanese => han.saturating_add(kana),
                Script::Kana if japanese => han.saturating_add(kana),
                Script::Han | Script::Kana => 0,
                _ => counts.sum(script),
            };
            if letters > most_letters {
                (most, most_letters) = (Some(script), letters);
            }
        }
        most
    }

    /// The script whose letters stand around this character in Unicode: its own, if it is a letter.
    pub(super) fn around(char: char) -> Option<Script> {
        let (_, _, script) = RANGES.get(range_of(char)?)?;
        Some(*script)
    }
}

/// Japanese prose is kana for the larger half, and headlines still for a fifth; Chinese has a word of it at most.
const KANA_SHARE: u64 = 10;

/// How many letters there are in each of [`RANGES`].
struct Counts([u64; RANGES.len()]);

impl Counts {
    fn of(text: &str) -> Counts {
        let mut counts = Counts([0; RANGES.len()]);
        // Most of a text is in one range.
        let mut last = 0;
        for char in text.chars().filter(|char| char.is_alphabetic()) {
            let is_in_last =
                matches!(RANGES.get(last), Some((from, to, _)) if (*from..=*to).contains(&char));
            if !is_in_last {
                let Some(range) = range_of(char) else {
                    continue;
                };
                last = range;
            }
            if let Some(count) = counts.0.get_mut(last) {
                *count = count.saturating_add(1);
            }
        }
        counts
    }

    fn sum(&self, of: Script) -> u64 {
        let ranges = RANGES.iter().zip(self.0);
        let counts = ranges.filter_map(|((_, _, script), count)| (*script == of).then_some(count));
        counts.fold(0, u64::saturating_add)
    }
}

/// Where in [`RANGES`] this character is.
fn range_of(char: char) -> Option<usize> {
    let range = RANGES.partition_point(|(_, to, _)| *to < char);
    let (from, _, _) = RANGES.get(range)?;
    (*from <= char).then_some(range)
}

/// The letters of each script: first and last of a range. What is in a range and no letter counts for nothing, nor is
/// there a letter of another script.
///
/// Source: the Unicode Character Database 16.0, `Scripts.txt` and the property Alphabetic of `DerivedCoreProperties.txt`.
/// Letters that it puts in no one script are in that of the range around them, so the mark for a long vowel in kana.
#[rustfmt::skip]
const RANGES: [(char, char, Script); 83] = [
    ('\u{41}', '\u{2e4}', Script::Latin), ('\u{370}', '\u{3e1}', Script::Greek),
    ('\u{3f0}', '\u{3ff}', Script::Greek), ('\u{400}', '\u{52f}', Script::Cyrillic),
    ('\u{531}', '\u{588}', Script::Armenian), ('\u{5b0}', '\u{5f2}', Script::Hebrew),
    ('\u{610}', '\u{6ff}', Script::Arabic), ('\u{750}', '\u{77f}', Script::Arabic),
    ('\u{870}', '\u{8ff}', Script::Arabic), ('\u{900}', '\u{97f}', Script::Devanagari),
    ('\u{980}', '\u{9fc}', Script::Bengali), ('\u{a01}', '\u{a75}', Script::Gurmukhi),
    ('\u{a81}', '\u{afc}', Script::Gujarati), ('\u{b82}', '\u{bd7}', Script::Tamil),
    ('\u{c00}', '\u{c63}', Script::Telugu), ('\u{c80}', '\u{cf3}', Script::Kannada),
    ('\u{d00}', '\u{d7f}', Script::Malayalam), ('\u{d81}', '\u{df3}', Script::Sinhala),
    ('\u{e01}', '\u{e4d}', Script::Thai), ('\u{e81}', '\u{edf}', Script::Lao),
    ('\u{1000}', '\u{109d}', Script::Myanmar), ('\u{10a0}', '\u{10ff}', Script::Georgian),
    ('\u{1100}', '\u{11ff}', Script::Hangul), ('\u{1200}', '\u{138f}', Script::Ethiopic),
    ('\u{1780}', '\u{17dc}', Script::Khmer), ('\u{1c80}', '\u{1c8a}', Script::Cyrillic),
    ('\u{1c90}', '\u{1cbf}', Script::Georgian), ('\u{1d00}', '\u{1d25}', Script::Latin),
    ('\u{1d26}', '\u{1d2a}', Script::Greek), ('\u{1d2b}', '\u{1d2b}', Script::Cyrillic),
    ('\u{1d2c}', '\u{1d5c}', Script::Latin), ('\u{1d5d}', '\u{1d61}', Script::Greek),
    ('\u{1d62}', '\u{1d65}', Script::Latin), ('\u{1d66}', '\u{1d6a}', Script::Greek),
    ('\u{1d6b}', '\u{1d77}', Script::Latin), ('\u{1d78}', '\u{1d78}', Script::Cyrillic),
    ('\u{1d79}', '\u{1dbe}', Script::Latin), ('\u{1dbf}', '\u{1dbf}', Script::Greek),
    ('\u{1e00}', '\u{1eff}', Script::Latin), ('\u{1f00}', '\u{1ffc}', Script::Greek),
    ('\u{2071}', '\u{209c}', Script::Latin), ('\u{2126}', '\u{2126}', Script::Greek),
    ('\u{212a}', '\u{2188}', Script::Latin), ('\u{2c60}', '\u{2c7f}', Script::Latin),
    ('\u{2d00}', '\u{2d2d}', Script::Georgian), ('\u{2d80}', '\u{2dde}', Script::Ethiopic),
    ('\u{2de0}', '\u{2dff}', Script::Cyrillic), ('\u{3005}', '\u{303b}', Script::Han),
    ('\u{3041}', '\u{30ff}', Script::Kana), ('\u{3131}', '\u{318e}', Script::Hangul),
    ('\u{31f0}', '\u{31ff}', Script::Kana), ('\u{3400}', '\u{9fff}', Script::Han),
    ('\u{a640}', '\u{a69f}', Script::Cyrillic), ('\u{a722}', '\u{a7ff}', Script::Latin),
    ('\u{a8f2}', '\u{a8ff}', Script::Devanagari), ('\u{a960}', '\u{a97c}', Script::Hangul),
    ('\u{a9e0}', '\u{a9fe}', Script::Myanmar), ('\u{aa60}', '\u{aa7f}', Script::Myanmar),
    ('\u{ab01}', '\u{ab2e}', Script::Ethiopic), ('\u{ab30}', '\u{ab64}', Script::Latin),
    ('\u{ab65}', '\u{ab65}', Script::Greek), ('\u{ab66}', '\u{ab69}', Script::Latin),
    ('\u{ac00}', '\u{d7fb}', Script::Hangul), ('\u{f900}', '\u{fad9}', Script::Han),
    ('\u{fb00}', '\u{fb06}', Script::Latin), ('\u{fb13}', '\u{fb17}', Script::Armenian),
    ('\u{fb1d}', '\u{fb4f}', Script::Hebrew), ('\u{fb50}', '\u{fefc}', Script::Arabic),
    ('\u{ff21}', '\u{ff5a}', Script::Latin), ('\u{ff66}', '\u{ff9d}', Script::Kana),
    ('\u{ffa0}', '\u{ffdc}', Script::Hangul), ('\u{10140}', '\u{10174}', Script::Greek),
    ('\u{10780}', '\u{107ba}', Script::Latin), ('\u{10ec2}', '\u{10efc}', Script::Arabic),
    ('\u{16fe3}', '\u{16ff1}', Script::Han), ('\u{1aff0}', '\u{1b167}', Script::Kana),
    ('\u{1df00}', '\u{1df2a}', Script::Latin), ('\u{1e030}', '\u{1e08f}', Script::Cyrillic),
    ('\u{1e7e0}', '\u{1e7fe}', Script::Ethiopic), ('\u{1ee00}', '\u{1eebb}', Script::Arabic),
    ('\u{20000}', '\u{2ee5d}', Script::Han), ('\u{2f800}', '\u{2fa1d}', Script::Han),
    ('\u{30000}', '\u{323af}', Script::Han),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
}
