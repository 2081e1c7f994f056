use proptest::prelude::*;

use super::*;

fn check(text: &[u8]) -> JsonResult {
    JsonCursor::whole(text, |json| json.skip().map(drop))
}

#[test]
fn grammar() {
    for text in [
        "null",
        " true\n",
        "-0.5e+3",
        "0",
        r#""a\u00e9\n\"""#,
        "[]",
        "{ }",
        "[1, [2], {}]",
        r#"{"a":[{"b":null}],"c":"\\"}"#,
    ] {
        assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
        for end in 1..text.trim().len() {
            let cut = &text.trim().as_bytes()[..end];
            // A part of a number may be a complete number.
            let is_number = serde_json::from_slice::<f64>(cut).is_ok();
            assert_eq!(check(cut).is_ok(), is_number, "{text} {end}");
        }
    }
    for text in [
        "",
        "nul",
        "01",
        "+1",
        "1.",
        ".5",
        "[1,]",
        "{,}",
        r#"{"a"}"#,
        "\"\n\"",
        r#""\x""#,
        r#""\u12""#,
        "1 2",
        "[}",
        "{]",
    ] {
        assert_eq!(check(text.as_bytes()), Err(JsonError::Malformed), "{text}");
    }
    let deep = |levels: usize| [b"[".repeat(levels), b"]".repeat(levels)].concat();
    assert_eq!(check(&deep(MAX_DEPTH)), Ok(()));
    assert_eq!(check(&deep(MAX_DEPTH + 1)), Err(JsonError::TooDeep));
}

#[test]
fn what_is_something() {
    for nothing in ["null", "false", "\"\"", "[]", "{}", "[ ]", "{\n}"] {
        assert!(!is_non_empty(nothing.as_bytes()), "{nothing}");
    }
    for something in ["0", "true", "\" \"", "[0]", "{\"a\":null}"] {
        assert!(is_non_empty(something.as_bytes()), "{something}");
    }
}

proptest! {
    #[test]
    fn as_serde_json_has_it(text in "[\\[\\]{}:,\" \\\\0-9.eEtrufalsn-]{0,12}") {
        let expected = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        prop_assert_eq!(check(text.as_bytes()).is_ok(), expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        let _ = check(&bytes);
        let end = line_length(&bytes);
        let found = bytes.iter().position(|byte| b"\r\n".contains(byte));
        prop_assert_eq!(end, found.unwrap_or(bytes.len()));
    }
}
