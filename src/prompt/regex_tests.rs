//! Tests of regular expressions: results, limits, and their time.

use proptest::prelude::*;

use super::*;

fn regex(source: &str) -> Regex {
    Regex::new(source, false).unwrap_or_else(|error| panic!("{source}: {error}"))
}

#[test]
fn regular_expressions() {
    for (source, text, expected) in [
        (r"order-\d+", "my ORDER-12", true),
        (r"(?-i)order", "ORDER", false),
        (r"\p{Han}{2}", "a退款b", true),
        (r"\p{Han}{2}", "a退b", false),
        (r"^\p{Lu}", "éa", true),
        (r"(?-i)^\p{Lu}", "éa", false),
        (r"привет", "ПРИВЕТ", true),
        (r"ς", "Σ", true),
        (r"[а-я]+!", "ДА!", true),
        (r"\w+@\w+", "жук@дом", true),
        ("a.c", "a\nc", false),
        ("(?s)a.c", "a\nc", true),
        ("(?m)^b$", "a\nb\nc", true),
        ("^b$", "a\nb\nc", false),
        ("^$", "", true),
        ("^$", "a", false),
        // Word boundaries: in ASCII, next to other letters, and where they decide.
        (r"\brefund\b", "a refund, please", true),
        (r"\brefund\b", "refunds", false),
        (r"\brefund\b", "дай refund, да", true),
        (r"\brefund\b", "дайrefund, да", false),
        (r"\bвозврат\b", "мой ВОЗВРАТ.", true),
        (r"\bвозврат\b", "мои возвраты", false),
        (r"возврат\B", "мои возвраты", true),
        (r"\b{start}да|нет\b{end}", "нет!", true),
        (r"(\bда\b)+$", "да да", true),
        (r"(?:x\b)*é", "x é", true),
        (r"\b", "é", true),
        (r"\b", "…", false),
    ] {
        assert_eq!(regex(source).matches(text), expected, "{source} {text}");
    }
}

/// Expressions that make backtracking engines exponential, or a piecewise search quadratic, are answered in time.
#[test]
fn catastrophic_expressions_end() {
    for (source, unit, end, with_end) in [
        ("(a+)+$", "a", "b", false),
        ("^(a|a)*b", "a", "b", true),
        ("^(a|aa)+$", "a", "é", false),
        ("(x+x+)+y", "x", "y", true),
        (".*.*=.*z", "=", "z", true),
        (r"(\w+\s?)+!", "ab ", "!", true),
        (r"\b(\w+)+\b!", "é", "!", true),
        ("(a?){100}a{100}b", "a", "b", true),
        (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a", "!", false),
    ] {
        let pattern = regex(source);
        for times in [100, 1_000, 10_000] {
            let mut text = unit.repeat(times);
            text += "\n";
            assert!(source == "(a+)+$" || !pattern.matches(&text), "{source}");
            text.pop();
            text += end;
            assert_eq!(pattern.matches(&text), with_end, "{source} {times}");
        }
    }
}

#[test]
fn wrong_expressions() {
    let deep = "(".repeat(1_000) + "a" + &")".repeat(1_000);
    let long = "a".repeat(MAX_REGEX_CHARS + 1);
    for (source, expected) in [
        ("", "must not be empty"),
        (
            "a(?=b)",
            "look-around, including look-ahead and look-behind, is not supported, at character 2",
        ),
        (r"(a)\1", "backreferences are not supported, at character 4"),
        ("退款[", "unclosed character class, at character 3"),
        (
            "*a",
            "repetition operator missing expression, at character 1",
        ),
        (r"\p{Klingon}", "Unicode property not found, at character 1"),
        (
            r"a\xff(?-u:\xff)",
            "pattern can match invalid UTF-8, at character 11",
        ),
        (
            "refund|",
            "matches every text, because it matches an empty one: make a part of it mandatory",
        ),
        (
            r"\w{60}",
            "is too large when compiled: repeat less, or use narrower classes, such as [0-9] instead of \\d",
        ),
        (
            "(a{100}){11}",
            "repeats too much: at most 1000 characters in total are allowed, as in [a-z]{1000}",
        ),
        (
            "((a{1000}){1000}){1000}",
            "repeats too much: at most 1000 characters in total are allowed, as in [a-z]{1000}",
        ),
        (&long, "is too long: at most 4000 characters are allowed"),
        (
            &deep,
            "exceed the maximum number of nested parentheses/brackets (50), at character 51",
        ),
    ] {
        let error = Regex::new(source, false).err();
        assert_eq!(error.as_deref(), Some(expected), "{source:.50}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// With and without word boundaries, by DFA or by simulation, the results are the same.
    #[test]
    fn places_of_words_agree_in_ascii_and_beyond(
        source in r"(\\b|\\B)?[ab.]{1,2}(\\b|\\B)?[ab]?(\\b)?",
        text in "[ab .]{0,12}",
    ) {
        // A distant letter makes the text one that is not ASCII.
        let pattern = regex(&source);
        let wider = format!("{text}\n\n—");
        let narrow = format!("{text}\n\n-");
        prop_assert_eq!(pattern.matches(&wider), pattern.matches(&narrow));
    }
}
