//! Target: a text that contains a word or phrase matches its pattern, and equivalent patterns give the same result.
//!
//! The lines of the input are choices and a pattern; the rest is a text.

use llm_router::prompt::{PatternSource, TextPattern};

use super::bytes::Bytes;

pub fn run(input: &[u8]) {
    let (mut choices, rest) = Bytes::before_line_feed(input);
    let Ok(rest) = std::str::from_utf8(rest) else {
        return;
    };
    let (source, text) = rest.split_once('\n').unwrap_or((rest, ""));
    match choices.below(3) {
        0 => regex(source, text, choices.below(2) == 1),
        1 => needle(source, text, |needle| PatternSource {
            words: needle,
            ..PatternSource::default()
        }),
        _ => needle(source, text, |needle| PatternSource {
            phrases: needle,
            ..PatternSource::default()
        }),
    }
}

fn needle(source: &str, text: &str, write: for<'a> fn(&'a [&'a str]) -> PatternSource<'a>) {
    let needle = [source];
    let [in_any_case, as_it_stands] = [false, true].map(|case_sensitive| {
        [false, true].map(|whole_words| {
            TextPattern::new(&PatternSource {
                case_sensitive,
                whole_words,
                ..write(&needle)
            })
        })
    });
    let ([Ok(anywhere), Ok(whole)], [Ok(exact), Ok(exact_whole)]) = (&in_any_case, &as_it_stands)
    else {
        // Whether a needle is valid does not depend on the options.
        assert!(
            in_any_case
                .iter()
                .chain(&as_it_stands)
                .all(|one| one.is_err())
        );
        return;
    };
    assert!(!whole.matches(text) || anywhere.matches(text));
    assert!(!exact_whole.matches(text) || exact.matches(text));
    assert!(!exact_whole.matches(text) || whole.matches(text));
    assert!(!exact.matches(text) || anywhere.matches(text));
    let put = format!("{text}\n{}\n{text}", source.trim());
    assert!(
        [anywhere, whole, exact, exact_whole]
            .iter()
            .all(|pattern| pattern.matches(&put))
    );
}

fn regex(source: &str, text: &str, case_sensitive: bool) {
    let new = |source: &str| {
        TextPattern::new(&PatternSource {
            regex: Some(source),
            case_sensitive,
            ..PatternSource::default()
        })
    };
    let Ok(pattern) = new(source) else {
        return;
    };
    let found = pattern.matches(text);
    assert_eq!(pattern.matches(text), found);
    // A comment (`(?x)#`) would swallow the end of the group.
    if let Ok(grouped) = new(&format!("(?:{source}\n)"))
        && source.contains("(?x")
    {
        let _ = grouped.matches(text);
    } else if let Ok(grouped) = new(&format!("(?:{source})")) {
        assert_eq!(grouped.matches(text), found);
    }
    // An alternative that no text contains changes nothing, but makes the engine handle letters beyond ASCII.
    if let Ok(either) = new(&format!("(?:{source})|\u{10FFFD}\\b\u{10FFFD}"))
        && !text.contains('\u{10FFFD}')
        && !source.contains("(?x")
    {
        assert_eq!(either.matches(text), found);
    }
}
