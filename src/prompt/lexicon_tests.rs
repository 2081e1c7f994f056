//! Tests of searching for many words and phrases at once.

use proptest::prelude::*;

use super::super::{PatternSource, TextPattern, share};
use super::*;

fn build(written: &PatternSource<'_>) -> TextPattern {
    TextPattern::new(written).unwrap_or_else(|errors| panic!("{written:?}: {errors:?}"))
}

#[test]
fn each_has_its_own() {
    let words = |words: &'static [&'static str]| {
        build(&PatternSource {
            words,
            ..PatternSource::default()
        })
    };
    let mut patterns = [
        words(&["a", "b"]),
        words(&["b", "c"]),
        words(&["c"]),
        words(&["nope"]),
    ];
    share(patterns.iter_mut().map(|one| ((), one)).collect());
    for (text, expected) in [
        ("a", [true, false, false, false]),
        ("b b", [true, true, false, false]),
        ("ab c", [false, true, true, false]),
        ("c b", [true, true, true, false]),
        ("", [false; 4]),
        ("nope c a", [true; 4]),
    ] {
        let known = SearchResults::default();
        for (pattern, expected) in patterns.iter().zip(expected) {
            assert_eq!(pattern.matches_in(text, &known), expected, "{text}");
            assert_eq!(pattern.matches(text), expected, "{text}");
        }
        assert_eq!(known.0.borrow().len(), 1);
    }
}

/// Of a thousand needles that end at one place, only one is handled: the others are already known.
#[test]
fn needles_within_needles_are_looked_at_once() {
    let needles: Vec<String> = (1..=1000).map(|length| "a".repeat(length)).collect();
    let mut patterns: Vec<TextPattern> = needles
        .iter()
        .map(|needle| {
            build(&PatternSource {
                words: &[needle],
                whole_words: false,
                ..PatternSource::default()
            })
        })
        .collect();
    patterns.push(build(&PatternSource {
        words: &["b"],
        whole_words: false,
        ..PatternSource::default()
    }));
    share(patterns.iter_mut().map(|one| ((), one)).collect());
    let options = Options {
        case_sensitive: false,
        whole_words: false,
    };
    let owned = needles.iter().zip(0..);
    let owned = owned.map(|(text, number)| (options.needle(text), number));
    let lexicon = Lexicon::new(options, owned.collect(), 1001);
    let mut search = Search {
        automaton: &lexicon.automaton,
        known: NumberSet::up_to(lexicon.automaton.ends()),
        found: NumberSet::up_to(1001),
        missing: 1001,
    };
    let mut node = ROOT;
    for length in 1..=2000_u32 {
        node = lexicon.automaton.step(node, u32::from('a') << 1);
        assert!(
            search
                .note(lexicon.automaton.end(node).unwrap())
                .is_continue()
        );
        let expected = 1001 - usize::try_from(length.min(1000)).unwrap();
        assert_eq!(search.missing, expected);
    }
    let text = "a".repeat(999);
    let known = SearchResults::default();
    let found = patterns.iter().filter(|one| one.matches_in(&text, &known));
    assert_eq!(found.count(), 999);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Patterns that share a search give the same answers as alone.
    #[test]
    fn shared_as_alone(
        all in prop::collection::vec(
            (
                prop::collection::vec("[abA退ß\u{301}-]{1,3}( [ab款]{1,2})?", 0..4),
                prop::option::of("[ab]{1,2}"),
                any::<bool>(),
                any::<bool>(),
            ),
            1..12,
        ),
        texts in prop::collection::vec("[abA退款ßs\u{301} \n-]{0,30}", 1..4),
    ) {
        let alone: Vec<TextPattern> = all
            .iter()
            .filter_map(|(phrases, regex, case_sensitive, whole_words)| {
                let phrases: Vec<&str> = phrases.iter().map(String::as_str).collect();
                TextPattern::new(&PatternSource {
                    words: &[],
                    phrases: &phrases,
                    regex: regex.as_deref(),
                    case_sensitive: *case_sensitive,
                    whole_words: *whole_words,
                })
                .ok()
            })
            .collect();
        let mut shared = alone.clone();
        share(shared.iter_mut().map(|one| ((), one)).collect());
        prop_assert_eq!(&alone, &shared);
        for text in &texts {
            let known = SearchResults::default();
            for (alone, shared) in alone.iter().zip(&shared) {
                let expected = alone.matches(text);
                prop_assert_eq!(shared.matches_in(text, &known), expected, "{} in {:?}", alone, text);
                prop_assert_eq!(shared.matches(text), expected);
            }
        }
    }
}
