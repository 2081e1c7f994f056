//! Compares the folding of text with Unicode's own rules and tables.

use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;

use super::*;

fn folded_text(text: &str, case_sensitive: bool) -> String {
    let mut out = String::new();
    let flow = fold(text, case_sensitive, |unit| {
        out.push(unit.char);
        ControlFlow::Continue(())
    });
    assert!(flow.is_continue());
    out
}

/// A second source for equal letters: the tables behind `(?i)`.
#[test]
fn folds_all_that_simple_case_folding_does() {
    let mut pairs = 0;
    for char in (0..=0x0010_FFFF).filter_map(char::from_u32) {
        let one = regex_syntax::hir::ClassUnicodeRange::new(char, char);
        let mut class = regex_syntax::hir::ClassUnicode::new([one]);
        class.case_fold_simple();
        if class.ranges() == [one] {
            continue;
        }
        let expected = folded_text(&char.to_string(), false);
        for range in class.ranges() {
            for other in range.start()..=range.end() {
                pairs += usize::from(other != char);
                let found = folded_text(&other.to_string(), false);
                assert_eq!(found, expected, "{char:?} and {other:?}");
            }
        }
    }
    assert!(pairs > 2_000, "{pairs}");
}

#[test]
fn whole_blocks_have_no_case() {
    for char in (0..=0x0010_FFFF).filter_map(char::from_u32) {
        if is_caseless(char) {
            assert!(char.to_lowercase().eq([char]), "{char:?}");
            assert!(char.to_uppercase().eq([char]), "{char:?}");
        }
        if is_han(char) {
            assert!(char.nfd().eq([char]) && is_caseless(char));
            assert_eq!(kind(char), CharKind::Unspaced);
        }
    }
}

/// Every canonical decomposition folds like the character itself.
#[test]
fn all_canonical_equivalents_fold_alike() {
    let mut others = 0;
    for char in (0..=0x0010_FFFF).filter_map(char::from_u32) {
        let one = char.to_string();
        let forms = [one.nfd().collect::<String>(), one.nfc().collect()];
        for other in forms.iter().filter(|form| **form != one) {
            others += 1;
            for case_sensitive in [false, true] {
                let expected = folded_text(&one, case_sensitive);
                assert_eq!(folded_text(other, case_sensitive), expected, "{char:?}");
            }
        }
    }
    assert!(others > 13_000, "{others}");
}

#[test]
fn many_marks_are_sorted_and_remembered_characters_are_their_own() {
    let marks = "\u{301}\u{323}".repeat(10_000);
    let sorted = format!("a{}{}", "\u{323}".repeat(10_000), "\u{301}".repeat(10_000));
    assert_eq!(folded_text(&format!("A{marks}"), false), sorted);
    // Characters with the same last byte.
    assert_eq!(
        folded_text("\u{410}\u{510}\u{410}\u{10410}", false),
        "\u{430}\u{511}\u{430}\u{10438}"
    );
}

proptest! {
    /// The remaining rules, for text without white space, Hangul and invisible characters.
    #[test]
    fn agrees_with_unicode(
        chars in prop::collection::vec(prop::sample::select(LETTERS.chars().collect::<Vec<char>>()), 0..20),
    ) {
        let text: String = chars.into_iter().collect();
        prop_assert_eq!(folded_text(&text, true), text.nfd().collect::<String>());
        let small = text.nfd().flat_map(char::to_lowercase).flat_map(char::to_uppercase);
        let small: String = small.flat_map(char::to_lowercase).nfd().collect();
        prop_assert_eq!(folded_text(&text, false), small);
    }

    #[test]
    fn equivalent_texts_fold_alike(text: String, case_sensitive: bool) {
        let expected = folded_text(&text, case_sensitive);
        let decomposed: String = text.nfd().collect();
        prop_assert_eq!(folded_text(&decomposed, case_sensitive), expected.clone());
        let composed: String = text.nfc().collect();
        prop_assert_eq!(folded_text(&composed, case_sensitive), expected);
    }
}

const LETTERS: &str =
    "aAzZéÉåÅßẞﬁσςΣΌόйЙЁёґҐǄǆệỆḗ\u{301}\u{323}\u{308}\u{30C}\u{327}がカ\u{3099}क़\u{93C}ि漢😀_1.";
