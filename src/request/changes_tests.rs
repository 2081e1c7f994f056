//! Tests of parameter changes with bodies written out, before and after.

use serde_json::{Value, json};

use super::*;
use crate::request::clamp::Bound;
use crate::request::{Edits, ModelRequirement, Rewriter, scan};

#[path = "changes_reference_tests.rs"]
mod reference;

fn bound(number: f64) -> Option<Bound> {
    let written = serde_json::to_vec(&whole(number)).unwrap();
    Some(Bound { number, written })
}

/// With numbers as documents have them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::as_conversions,
    reason = "small ones"
)]
fn whole(number: f64) -> Value {
    if number.fract() == 0.0 {
        json!(number as i64)
    } else {
        json!(number)
    }
}

fn up_to(max: f64) -> Clamp {
    let max = bound(max);
    Clamp { min: None, max }
}

fn rewrite(
    changes: &ParameterChanges,
    model: Option<&str>,
    body: &str,
) -> Result<String, ScanError> {
    let view = scan(body.as_bytes(), ModelRequirement::Optional).unwrap();
    let all = [changes.clone()];
    let rewriter = Rewriter::new(&view, body.as_bytes(), all.iter())?;
    let edits: Edits = rewriter.edits(model, changes)?;
    let edited = edits.apply(body.as_bytes());
    Ok(String::from_utf8(edited).unwrap())
}

#[track_caller]
fn check(change: impl Fn(&mut ParameterChanges), cases: &[(&str, &str)]) {
    let mut changes = ParameterChanges::default();
    change(&mut changes);
    for (body, expected) in cases {
        let edited = rewrite(&changes, None, body).unwrap();
        assert_eq!(edited, *expected, "{body}");
        // Applying the changes again changes nothing.
        assert_eq!(rewrite(&changes, None, &edited).unwrap(), edited);
    }
}

#[test]
fn a_field_goes_with_its_comma() {
    check(
        |changes| {
            assert!(changes.remove("a"));
            assert!(changes.remove("b"));
            assert!(changes.remove("o.x"));
        },
        &[
            (r#"{"a":1}"#, "{}"),
            (r#"{ "a" : 1 }"#, "{  }"),
            (r#"{"a":1,"c":2}"#, r#"{"c":2}"#),
            (r#"{"c":2,"a":1}"#, r#"{"c":2}"#),
            (r#"{"c":2,"a":[1,{}],"d":3}"#, r#"{"c":2,"d":3}"#),
            (r#"{"a":1,"b":2}"#, "{}"),
            (r#"{"a":1,"b":2,"c":3}"#, r#"{"c":3}"#),
            (r#"{"c":3,"b":1,"a":2}"#, r#"{"c":3}"#),
            (r#"{"a":1,"c":3,"b":2}"#, r#"{"c":3}"#),
            (
                r#"{"d":4,"a":1,"c":3,"b":2,"e":5}"#,
                r#"{"d":4,"c":3,"e":5}"#,
            ),
            ("{\n  \"a\": 1,\n  \"c\": 3\n}\n", "{\n  \"c\": 3\n}\n"),
            ("{\n  \"c\": 3,\n  \"a\": 1\n}\n", "{\n  \"c\": 3\n}\n"),
            (r#"{"o":{"x":1},"p":{"x":1}}"#, r#"{"o":{},"p":{"x":1}}"#),
            (r#"{"o":{"a":1, "x":1, "y":2}}"#, r#"{"o":{"a":1, "y":2}}"#),
            (r#"{"o":null}"#, r#"{"o":null}"#),
            (r#"{"o":["x"],"x":{"a":1}}"#, r#"{"o":["x"],"x":{"a":1}}"#),
        ],
    );
}

#[test]
fn a_field_is_found_in_any_spelling() {
    check(
        |changes| {
            assert!(changes.remove("max_tokens"));
        },
        &[
            (r#"{"max_tokens":1}"#, "{}"),
            (r#"{"max\u005ftokens":1}"#, "{}"),
            (
                r#"{"\u006d\u0061\u0078\u005f\u0074\u006f\u006b\u0065\u006e\u0073":1}"#,
                "{}",
            ),
            (r#"{"Max_Tokens":1}"#, "{}"),
            (r#"{"maxTokens":1}"#, "{}"),
            // The Kelvin sign and a long s: Go's encoding/json takes them for letters.
            ("{\"max_to\u{212a}ens\":1}", "{}"),
            ("{\"max_token\u{17f}\":1}", "{}"),
            (r#"{"max_toke\u006E\u017f":1}"#, "{}"),
            (r#"{"max-tokens":1}"#, r#"{"max-tokens":1}"#),
            (r#"{"max_tokens2":1}"#, r#"{"max_tokens2":1}"#),
            (r#"{"\ud800max_tokens":1}"#, r#"{"\ud800max_tokens":1}"#),
        ],
    );
    // A field that stays gets its exact name.
    check(
        |changes| {
            assert!(changes.clamp("gen.max_tokens", up_to(5.0)));
        },
        &[
            (r#"{"gen":{"maxTokens":9}}"#, r#"{"gen":{"max_tokens":5}}"#),
            (r#"{"Gen":{"max_tokens":3}}"#, r#"{"gen":{"max_tokens":3}}"#),
            // A name that is only escaped already is its exact name.
            (
                r#"{"g\u0065n":{"max\u005ftokens":9}}"#,
                r#"{"g\u0065n":{"max\u005ftokens":5}}"#,
            ),
        ],
    );
}

#[test]
fn what_some_reader_takes_for_one_field_is_refused() {
    let mut changes = ParameterChanges::default();
    assert!(changes.clamp("max_tokens", up_to(5.0)));
    assert!(changes.rename("o.old", "new"));
    for (body, at) in [
        (r#"{"max_tokens":1,"max_tokens":9}"#, 16),
        (r#"{"max_tokens":1,"Max_Tokens":9}"#, 16),
        (r#"{"max_tokens":1, "max\u005ftokens":9}"#, 17),
        (r#"{"maxTokens":1,"x":0,"max_tokens":9}"#, 21),
        (r#"{"o":{},"O":{}}"#, 8),
        (r#"{"o":{"old":1,"Old":2}}"#, 14),
        (r#"{"o":{"new":1,"x":3,"n\u0065w":2}}"#, 20),
    ] {
        let refused = rewrite(&changes, None, body).unwrap_err();
        assert_eq!(refused, ScanError::ChangedTwice(at), "{body}");
        let quote = body.as_bytes()[at];
        assert_eq!(quote, b'"');
    }
    // Fields that are not changed may occur twice.
    let body = r#"{"x":1,"x":2,"p":{"old":1,"old":2}}"#;
    assert_eq!(rewrite(&changes, None, body).unwrap(), body);
}

#[test]
fn a_field_is_set() {
    check(
        |changes| {
            assert!(changes.set("effort", b"\"low\"".to_vec()));
            assert!(changes.set("a.b.c", b"{\"x\":[1]}".to_vec()));
        },
        &[
            ("{}", r#"{"a":{"b":{"c":{"x":[1]}}},"effort":"low"}"#),
            (" { } ", r#" {"a":{"b":{"c":{"x":[1]}}},"effort":"low" } "#),
            (
                r#"{"z":1}"#,
                r#"{"a":{"b":{"c":{"x":[1]}}},"effort":"low","z":1}"#,
            ),
            (
                r#"{"effort" : "high", "a":{"d":1}}"#,
                r#"{"effort" : "low", "a":{"b":{"c":{"x":[1]}},"d":1}}"#,
            ),
            (
                r#"{"effort":null,"a":{"b":{ }}}"#,
                r#"{"effort":"low","a":{"b":{"c":{"x":[1]} }}}"#,
            ),
            // A value that is not an object is replaced, because the field could not be set otherwise.
            (
                r#"{"Effort":{},"a":{"b":"no"}}"#,
                r#"{"effort":"low","a":{"b":{"c":{"x":[1]}}}}"#,
            ),
            (
                r#"{"effort":"low","a":null}"#,
                r#"{"effort":"low","a":{"b":{"c":{"x":[1]}}}}"#,
            ),
        ],
    );
}

#[test]
fn a_default_is_for_what_is_absent() {
    check(
        |changes| {
            assert!(changes.default_to("seed", b"1".to_vec()));
            assert!(changes.default_to("o.x", b"true".to_vec()));
        },
        &[
            ("{}", r#"{"o":{"x":true},"seed":1}"#),
            (r#"{"seed":null,"o":null}"#, r#"{"seed":1,"o":{"x":true}}"#),
            (
                r#"{"seed":0,"o":{"x":false}}"#,
                r#"{"seed":0,"o":{"x":false}}"#,
            ),
            (
                r#"{"o":{"x":null,"y":1},"seed":""}"#,
                r#"{"o":{"x":true,"y":1},"seed":""}"#,
            ),
            // A value that is not an object stays, for the server to refuse.
            (r#"{"o":1,"seed":2}"#, r#"{"o":1,"seed":2}"#),
            // A field in another spelling gets its exact name: only under that name does it count.
            (r#"{"Seed":2,"O":{"X":1}}"#, r#"{"seed":2,"o":{"x":1}}"#),
        ],
    );
}

#[test]
fn a_field_gets_another_name() {
    check(
        |changes| {
            assert!(changes.rename("max_tokens", "max_completion_tokens"));
            assert!(changes.clamp("max_completion_tokens", up_to(100.0)));
            assert!(changes.rename("o.a", "b"));
            assert!(changes.default_to("o.b", b"1".to_vec()));
        },
        &[
            (
                r#"{"max_tokens" : 1e1 ,"o":{"b":2}}"#,
                r#"{"max_completion_tokens" : 1e1 ,"o":{"b":2}}"#,
            ),
            (
                r#"{"MaxTokens":500,"o":{"a":null}}"#,
                r#"{"max_completion_tokens":100,"o":{"b":1}}"#,
            ),
            // A value under the new name takes precedence.
            (
                r#"{"max_tokens":1,"max_completion_tokens":2,"o":{"b":3,"a":4}}"#,
                r#"{"max_completion_tokens":2,"o":{"b":3}}"#,
            ),
            (
                r#"{"max_tokens":1,"max_completion_tokens":null,"o":{"b":null,"a":4}}"#,
                r#"{"max_completion_tokens":1,"o":{"b":4}}"#,
            ),
            (r#"{"o":{}}"#, r#"{"o":{"b":1}}"#),
        ],
    );
}

#[test]
fn a_number_is_kept_within_bounds() {
    let clamp = Clamp {
        min: bound(1.0),
        max: bound(4096.0),
    };
    let mut changes = ParameterChanges::default();
    assert!(changes.clamp("n", clamp));
    for (value, expected) in [
        ("1", "1"),
        ("4096", "4096"),
        ("4096.0", "4096.0"),
        ("4.096e3", "4.096e3"),
        ("4097", "4096"),
        ("4096.5", "4096"),
        ("0", "1"),
        ("-0.0", "1"),
        ("-5", "1"),
        ("1e999", "4096"),
        ("-1e999", "1"),
        ("1e-999", "1"),
        ("99999999999999999999999999999999", "4096"),
        // Some servers accept these as numbers, too.
        (r#""9000""#, "4096"),
        (r#"" +9_000 ""#, "4096"),
        (r#""\u0039000""#, "4096"),
        (r#""0009000""#, "4096"),
        (r#""9000.""#, "4096"),
        (r#""-9e99""#, "1"),
        (r#""Infinity""#, "4096"),
        (r#""-inf""#, "1"),
        (r#""12""#, r#""12""#),
        // These are left for servers to refuse.
        ("null", "null"),
        ("true", "true"),
        (r#""many""#, r#""many""#),
        (r#""""#, r#""""#),
        (r#""-""#, r#""-""#),
        ("[9000]", "[9000]"),
        (r#"{"n":9000}"#, r#"{"n":9000}"#),
    ] {
        let edited = rewrite(&changes, None, &format!(r#"{{"n":{value}}}"#)).unwrap();
        assert_eq!(edited, format!(r#"{{"n":{expected}}}"#));
    }
    // The bound is written as in the document.
    check(
        |changes| assert!(changes.clamp("temperature", up_to(1.5))),
        &[(r#"{"temperature":2}"#, r#"{"temperature":1.5}"#)],
    );
}

#[test]
fn the_model_and_the_mark_go_along() {
    let mut changes = ParameterChanges::default();
    assert!(changes.remove("a"));
    assert!(changes.set("z", b"1".to_vec()));
    let mut removing = ParameterChanges::default();
    assert!(removing.remove("a"));
    for (changes, body, expected) in [
        (&changes, r#"{"model":"x","a":2}"#, r#"{"z":1,"model":"m"}"#),
        (&changes, r#"{"a":2,"model":"x"}"#, r#"{"z":1,"model":"m"}"#),
        (&changes, "\u{feff}{\"a\":2}", r#"{"model":"m","z":1}"#),
        (
            &changes,
            "\u{feff} {\"a\":2,\"z\":5,\"model\":\"x\"}",
            " {\"z\":1,\"model\":\"m\"}",
        ),
        (&removing, r#"{"a":2}"#, r#"{"model":"m"}"#),
        (&removing, r#"{"a":2,"b":3}"#, r#"{"model":"m","b":3}"#),
        (&removing, "{}", r#"{"model":"m"}"#),
        (
            &removing,
            "\u{feff}{\"b\":1,\"model\":\"m\"}",
            r#"{"b":1,"model":"m"}"#,
        ),
    ] {
        assert_eq!(
            rewrite(changes, Some("m"), body).unwrap(),
            expected,
            "{body}"
        );
    }
}

#[test]
fn changes_that_contradict_are_not_taken() {
    let mut changes = ParameterChanges::default();
    assert!(changes.set("a.b", b"1".to_vec()));
    assert!(!changes.set("a.b", b"1".to_vec()));
    assert!(!changes.remove("a.b"));
    assert!(!changes.default_to("a.b", b"1".to_vec()));
    assert!(!changes.clamp("a.b", up_to(1.0)));
    assert!(!changes.rename("a.c", "b"));
    assert!(!changes.remove("a"));
    assert!(!changes.remove("a.b.c"));
    assert!(changes.rename("x", "y"));
    assert!(!changes.rename("z", "y"));
    assert!(!changes.remove("y.z"));
}
