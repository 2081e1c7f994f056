//! Determines the script in which a text is written.

/// A script that a route can match.
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
    /// Japanese, including its Han letters.
    Kana,
    /// Korean.
    Hangul,
}

impl Script {
    /// All scripts, with their names in the document.
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

    /// Returns the name in the document.
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, script)| *script == self);
        found.map_or("", |(name, _)| name)
    }

    /// Returns the script of most letters in a text; of two with equally many, the first in [`Script::ALL`]. `None` if
    /// no letter has a known script.
    ///
    /// Digits, punctuation, emoji and white space have no script. Japanese mixes Han with kana: both are counted
    /// together, as [`Script::Kana`] if at least a tenth of them is kana, otherwise as [`Script::Han`].
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

    /// Returns the script of a letter, or of a mark on a letter.
    pub(super) fn of_letter(char: char) -> Option<Script> {
        let (_, _, script) = RANGES.get(range_of(char)?)?;
        Some(*script)
    }
}

/// Japanese prose is more than half kana, and headlines still a fifth; Chinese text has at most a kana word.
const KANA_SHARE: u64 = 10;

/// The numbers of letters in ASCII and in each of [`RANGES`].
struct Counts {
    ascii: u64,
    ranges: [u64; RANGES.len()],
}

impl Counts {
    fn of(text: &str) -> Counts {
        let mut ascii: u64 = 0;
        let mut ranges = [0_u64; RANGES.len()];
        // Most of a text is in one range.
        let mut last = 0;
        for char in text.chars() {
            if char.is_ascii() {
                ascii = ascii.saturating_add(u64::from(char.is_ascii_alphabetic()));
                continue;
            }
            let is_in_last =
                matches!(RANGES.get(last), Some((from, to, _)) if (*from..=*to).contains(&char));
            if !is_in_last {
                let Some(range) = range_of(char) else {
                    continue;
                };
                last = range;
            }
            if let Some(count) = ranges.get_mut(last) {
                *count = count.saturating_add(1);
            }
        }
        Counts { ascii, ranges }
    }

    fn sum(&self, of: Script) -> u64 {
        let ranges = RANGES.iter().zip(self.ranges);
        let counts = ranges.filter_map(|((_, _, script), count)| (*script == of).then_some(count));
        let ascii = if of == Script::Latin { self.ascii } else { 0 };
        counts.fold(ascii, u64::saturating_add)
    }
}

/// Returns the index in [`RANGES`] of this character's range.
fn range_of(char: char) -> Option<usize> {
    let range = RANGES.partition_point(|(_, to, _)| *to < char);
    let (from, _, _) = RANGES.get(range)?;
    (*from <= char).then_some(range)
}

/// The letters of each script with their marks: first and last character of each range. Other characters in a range are
/// not assigned.
///
/// Source: the Unicode Character Database 16.0, `Scripts.txt` and the property Alphabetic of
/// `DerivedCoreProperties.txt`. Letters that belong to no single script there have the script of the range around them,
/// such as the mark for a long vowel in kana.
#[rustfmt::skip]
const RANGES: [(char, char, Script); 160] = [
    ('\u{41}', '\u{5a}', Script::Latin), ('\u{61}', '\u{7a}', Script::Latin),
    ('\u{aa}', '\u{aa}', Script::Latin), ('\u{ba}', '\u{ba}', Script::Latin),
    ('\u{c0}', '\u{d6}', Script::Latin), ('\u{d8}', '\u{f6}', Script::Latin),
    ('\u{f8}', '\u{2c1}', Script::Latin), ('\u{2e0}', '\u{2e4}', Script::Latin),
    ('\u{363}', '\u{374}', Script::Greek), ('\u{376}', '\u{37d}', Script::Greek),
    ('\u{37f}', '\u{37f}', Script::Greek), ('\u{386}', '\u{386}', Script::Greek),
    ('\u{388}', '\u{3e1}', Script::Greek), ('\u{3f0}', '\u{3f5}', Script::Greek),
    ('\u{3f7}', '\u{3ff}', Script::Greek), ('\u{400}', '\u{481}', Script::Cyrillic),
    ('\u{48a}', '\u{52f}', Script::Cyrillic), ('\u{531}', '\u{559}', Script::Armenian),
    ('\u{560}', '\u{588}', Script::Armenian), ('\u{5b0}', '\u{5bd}', Script::Hebrew),
    ('\u{5bf}', '\u{5bf}', Script::Hebrew), ('\u{5c1}', '\u{5c2}', Script::Hebrew),
    ('\u{5c4}', '\u{5c5}', Script::Hebrew), ('\u{5c7}', '\u{5f2}', Script::Hebrew),
    ('\u{610}', '\u{61a}', Script::Arabic), ('\u{620}', '\u{65f}', Script::Arabic),
    ('\u{66e}', '\u{6d3}', Script::Arabic), ('\u{6d5}', '\u{6dc}', Script::Arabic),
    ('\u{6e1}', '\u{6e8}', Script::Arabic), ('\u{6ed}', '\u{6ef}', Script::Arabic),
    ('\u{6fa}', '\u{6fc}', Script::Arabic), ('\u{6ff}', '\u{6ff}', Script::Arabic),
    ('\u{750}', '\u{77f}', Script::Arabic), ('\u{870}', '\u{887}', Script::Arabic),
    ('\u{889}', '\u{88e}', Script::Arabic), ('\u{897}', '\u{8df}', Script::Arabic),
    ('\u{8e3}', '\u{8ff}', Script::Arabic), ('\u{900}', '\u{963}', Script::Devanagari),
    ('\u{971}', '\u{97f}', Script::Devanagari), ('\u{980}', '\u{9e3}', Script::Bengali),
    ('\u{9f0}', '\u{9f1}', Script::Bengali), ('\u{9fc}', '\u{9fc}', Script::Bengali),
    ('\u{a01}', '\u{a5e}', Script::Gurmukhi), ('\u{a70}', '\u{a75}', Script::Gurmukhi),
    ('\u{a81}', '\u{ae3}', Script::Gujarati), ('\u{af9}', '\u{afc}', Script::Gujarati),
    ('\u{b82}', '\u{bd7}', Script::Tamil), ('\u{c00}', '\u{c63}', Script::Telugu),
    ('\u{c80}', '\u{c83}', Script::Kannada), ('\u{c85}', '\u{ce3}', Script::Kannada),
    ('\u{cf1}', '\u{cf3}', Script::Kannada), ('\u{d00}', '\u{d4e}', Script::Malayalam),
    ('\u{d54}', '\u{d57}', Script::Malayalam), ('\u{d5f}', '\u{d63}', Script::Malayalam),
    ('\u{d7a}', '\u{d7f}', Script::Malayalam), ('\u{d81}', '\u{ddf}', Script::Sinhala),
    ('\u{df2}', '\u{df3}', Script::Sinhala), ('\u{e01}', '\u{e3a}', Script::Thai),
    ('\u{e40}', '\u{e4d}', Script::Thai), ('\u{e81}', '\u{ecd}', Script::Lao),
    ('\u{edc}', '\u{edf}', Script::Lao), ('\u{1000}', '\u{103f}', Script::Myanmar),
    ('\u{1050}', '\u{108f}', Script::Myanmar), ('\u{109a}', '\u{109d}', Script::Myanmar),
    ('\u{10a0}', '\u{10fa}', Script::Georgian), ('\u{10fc}', '\u{10ff}', Script::Georgian),
    ('\u{1100}', '\u{11ff}', Script::Hangul), ('\u{1200}', '\u{135a}', Script::Ethiopic),
    ('\u{1380}', '\u{138f}', Script::Ethiopic), ('\u{1780}', '\u{17c8}', Script::Khmer),
    ('\u{17d7}', '\u{17d7}', Script::Khmer), ('\u{17dc}', '\u{17dc}', Script::Khmer),
    ('\u{1c80}', '\u{1c8a}', Script::Cyrillic), ('\u{1c90}', '\u{1cbf}', Script::Georgian),
    ('\u{1d00}', '\u{1d25}', Script::Latin), ('\u{1d26}', '\u{1d2a}', Script::Greek),
    ('\u{1d2b}', '\u{1d2b}', Script::Cyrillic), ('\u{1d2c}', '\u{1d5c}', Script::Latin),
    ('\u{1d5d}', '\u{1d61}', Script::Greek), ('\u{1d62}', '\u{1d65}', Script::Latin),
    ('\u{1d66}', '\u{1d6a}', Script::Greek), ('\u{1d6b}', '\u{1d77}', Script::Latin),
    ('\u{1d78}', '\u{1d78}', Script::Cyrillic), ('\u{1d79}', '\u{1dbe}', Script::Latin),
    ('\u{1dbf}', '\u{1dbf}', Script::Greek), ('\u{1e00}', '\u{1eff}', Script::Latin),
    ('\u{1f00}', '\u{1fbc}', Script::Greek), ('\u{1fbe}', '\u{1fbe}', Script::Greek),
    ('\u{1fc2}', '\u{1fcc}', Script::Greek), ('\u{1fd0}', '\u{1fdb}', Script::Greek),
    ('\u{1fe0}', '\u{1fec}', Script::Greek), ('\u{1ff2}', '\u{1ffc}', Script::Greek),
    ('\u{2071}', '\u{2071}', Script::Latin), ('\u{207f}', '\u{207f}', Script::Latin),
    ('\u{2090}', '\u{209c}', Script::Latin), ('\u{2126}', '\u{2126}', Script::Greek),
    ('\u{212a}', '\u{212d}', Script::Latin), ('\u{212f}', '\u{2139}', Script::Latin),
    ('\u{214e}', '\u{214e}', Script::Latin), ('\u{2160}', '\u{2188}', Script::Latin),
    ('\u{2c60}', '\u{2c7f}', Script::Latin), ('\u{2d00}', '\u{2d2d}', Script::Georgian),
    ('\u{2d80}', '\u{2dde}', Script::Ethiopic), ('\u{2de0}', '\u{2dff}', Script::Cyrillic),
    ('\u{3005}', '\u{3007}', Script::Han), ('\u{3021}', '\u{3029}', Script::Han),
    ('\u{3038}', '\u{303c}', Script::Han), ('\u{3041}', '\u{3096}', Script::Kana),
    ('\u{309d}', '\u{309f}', Script::Kana), ('\u{30a1}', '\u{30fa}', Script::Kana),
    ('\u{30fc}', '\u{30ff}', Script::Kana), ('\u{3131}', '\u{318e}', Script::Hangul),
    ('\u{31f0}', '\u{31ff}', Script::Kana), ('\u{3400}', '\u{4dbf}', Script::Han),
    ('\u{4e00}', '\u{9fff}', Script::Han), ('\u{a640}', '\u{a66e}', Script::Cyrillic),
    ('\u{a674}', '\u{a67b}', Script::Cyrillic), ('\u{a67f}', '\u{a69f}', Script::Cyrillic),
    ('\u{a722}', '\u{a788}', Script::Latin), ('\u{a78b}', '\u{a7ff}', Script::Latin),
    ('\u{a8f2}', '\u{a8f7}', Script::Devanagari), ('\u{a8fb}', '\u{a8fb}', Script::Devanagari),
    ('\u{a8fd}', '\u{a8ff}', Script::Devanagari), ('\u{a960}', '\u{a97c}', Script::Hangul),
    ('\u{a9e0}', '\u{a9ef}', Script::Myanmar), ('\u{a9fa}', '\u{a9fe}', Script::Myanmar),
    ('\u{aa60}', '\u{aa76}', Script::Myanmar), ('\u{aa7a}', '\u{aa7f}', Script::Myanmar),
    ('\u{ab01}', '\u{ab2e}', Script::Ethiopic), ('\u{ab30}', '\u{ab5a}', Script::Latin),
    ('\u{ab5c}', '\u{ab64}', Script::Latin), ('\u{ab65}', '\u{ab65}', Script::Greek),
    ('\u{ab66}', '\u{ab69}', Script::Latin), ('\u{ac00}', '\u{d7fb}', Script::Hangul),
    ('\u{f900}', '\u{fad9}', Script::Han), ('\u{fb00}', '\u{fb06}', Script::Latin),
    ('\u{fb13}', '\u{fb17}', Script::Armenian), ('\u{fb1d}', '\u{fb28}', Script::Hebrew),
    ('\u{fb2a}', '\u{fb4f}', Script::Hebrew), ('\u{fb50}', '\u{fbb1}', Script::Arabic),
    ('\u{fbd3}', '\u{fd3d}', Script::Arabic), ('\u{fd50}', '\u{fdc7}', Script::Arabic),
    ('\u{fdf0}', '\u{fdfb}', Script::Arabic), ('\u{fe70}', '\u{fefc}', Script::Arabic),
    ('\u{ff21}', '\u{ff3a}', Script::Latin), ('\u{ff41}', '\u{ff5a}', Script::Latin),
    ('\u{ff66}', '\u{ff9f}', Script::Kana), ('\u{ffa0}', '\u{ffdc}', Script::Hangul),
    ('\u{10140}', '\u{10174}', Script::Greek), ('\u{10780}', '\u{107ba}', Script::Latin),
    ('\u{10ec2}', '\u{10efc}', Script::Arabic), ('\u{16fe3}', '\u{16ff1}', Script::Han),
    ('\u{1aff0}', '\u{1b167}', Script::Kana), ('\u{1df00}', '\u{1df2a}', Script::Latin),
    ('\u{1e030}', '\u{1e08f}', Script::Cyrillic), ('\u{1e7e0}', '\u{1e7fe}', Script::Ethiopic),
    ('\u{1ee00}', '\u{1eebb}', Script::Arabic), ('\u{20000}', '\u{2ee5d}', Script::Han),
    ('\u{2f800}', '\u{2fa1d}', Script::Han), ('\u{30000}', '\u{323af}', Script::Han),
];

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;
    use regex_syntax::hir::{Class, HirKind};

    use super::*;

    #[test]
    fn the_script_of_most_letters() {
        for (text, script) in [
            ("", None),
            ("42 + 7 = 49 … 😀 →", None),
            ("Hello", Some(Script::Latin)),
            ("Xin chào, bạn khỏe không?", Some(Script::Latin)),
            ("Привет, world", Some(Script::Cyrillic)),
            ("Hi, Привет", Some(Script::Cyrillic)),
            ("Καλημέρα", Some(Script::Greek)),
            ("مرحبا بالعالم", Some(Script::Arabic)),
            ("שלום", Some(Script::Hebrew)),
            ("नमस्ते दुनिया", Some(Script::Devanagari)),
            ("สวัสดีชาวโลก", Some(Script::Thai)),
            ("안녕하세요", Some(Script::Hangul)),
            ("你好,世界!", Some(Script::Han)),
            // Kana with a few Han letters, with half of them, and a headline.
            ("これはペンです", Some(Script::Kana)),
            ("東京都で桜が満開になった", Some(Script::Kana)),
            ("首相、来週にも訪米へ 首脳会談で調整", Some(Script::Kana)),
            ("ラーメン", Some(Script::Kana)),
            // Chinese text about Japanese.
            (
                "日语里的の是一个助词,相当于汉语里的“的”字",
                Some(Script::Han),
            ),
            // Han and kana together outnumber the Latin letters, though neither does alone.
            ("新しい Kubernetes クラスタを作成したい", Some(Script::Kana)),
            ("a я", Some(Script::Latin)),
            ("я a", Some(Script::Latin)),
        ] {
            assert_eq!(Script::of(text), script, "{text}");
        }
    }

    #[test]
    fn names() {
        for (name, script) in Script::ALL {
            assert_eq!(script.name(), name);
            assert_eq!(name, format!("{script:?}").to_lowercase());
        }
    }

    /// Every letter that the database assigns to one of these scripts is in its ranges, and no other letter is.
    #[test]
    fn the_ranges_are_the_databases() {
        let class = |property: &str| -> Vec<(char, char)> {
            let hir = regex_syntax::parse(&format!(r"\p{{{property}}}")).unwrap();
            match hir.into_kind() {
                HirKind::Class(Class::Unicode(class)) => class
                    .iter()
                    .map(|range| (range.start(), range.end()))
                    .collect(),
                other => panic!("{property}: {other:?}"),
            }
        };
        let mut scripts: HashMap<char, Option<Script>> = HashMap::new();
        // Letters of no single script, or newer than the database.
        let chars = |property| class(property).into_iter().flat_map(|(from, to)| from..=to);
        let unassigned: HashSet<char> = chars("Unassigned").collect();
        let marks: HashSet<char> = chars("Mark").collect();
        for property in ["Script=Common", "Script=Inherited", "Unassigned"] {
            scripts.extend(chars(property).map(|char| (char, None)));
        }
        for (name, script) in Script::ALL {
            let names: &[&str] = match script {
                Script::Kana => &["Hiragana", "Katakana"],
                _ => &[name],
            };
            for (from, to) in names
                .iter()
                .flat_map(|name| class(&format!("Script={name}")))
            {
                scripts.extend((from..=to).map(|char| (char, Some(script))));
            }
        }
        for char in '\0'..=char::MAX {
            let ours = Script::of_letter(char);
            match scripts.get(&char).copied() {
                // Marks have the script around them.
                Some(None) if char.is_alphabetic() => {}
                Some(Some(script)) if char.is_alphabetic() => {
                    assert_eq!(ours, Some(script), "{char:?}");
                }
                script => {
                    let may_be = marks.contains(&char) || unassigned.contains(&char);
                    assert!(ours.is_none() || may_be, "{char:?} {script:?}");
                }
            }
        }
    }

    #[test]
    fn the_ranges_are_in_order() {
        let ends = RANGES.iter().flat_map(|(from, to, _)| [*from, *to]);
        assert!(ends.is_sorted());
    }

    proptest! {
        /// Characters that are not letters change nothing.
        #[test]
        fn only_letters_count(text in "\\PC{0,40}", others in "[0-9 .,;(){}=😀→\n]{0,40}") {
            prop_assert_eq!(Script::of(&text), Script::of(&format!("{others}{text}{others}")));
        }
    }
}
