use proptest::prelude::*;

use super::*;

/// 2024-11-20T14:30:00Z
const NOW: u64 = 1_732_113_000_000;

fn wait(headers: &[(&str, &str)]) -> Option<u64> {
    let find = |name: &str| {
        let found = headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_bytes().to_vec())
    };
    retry_after(find, NOW)
}

#[test]
fn one_header() {
    for (name, value, expected) in [
        ("retry-after-ms", "1500", Some(1500)),
        ("retry-after-ms", "0.5", Some(1)),
        ("retry-after-ms", "-5", Some(0)),
        ("retry-after", "30", Some(30_000)),
        ("retry-after", " 0.25 ", Some(250)),
        ("retry-after", "-1", Some(0)),
        ("retry-after", "99999999999999999999999", Some(MAX_WAIT_MS)),
        ("retry-after", "Wed, 20 Nov 2024 14:30:05 GMT", Some(5000)),
        (
            "retry-after",
            "Wednesday, 20-Nov-24 14:31:00 GMT",
            Some(60_000),
        ),
        ("retry-after", "Wed Nov 20 14:30:01 2024", Some(1000)),
        ("retry-after", "Sun Nov  6 08:49:37 1994", Some(0)),
        ("retry-after", "Sunday, 06-Nov-94 08:49:37 GMT", Some(0)),
        (
            "retry-after",
            "Fri, 20 Nov 2026 14:30:05 GMT",
            Some(MAX_WAIT_MS),
        ),
        ("retry-after", "Wed, 20 Nov 2024 14:30:05 CET", None),
        ("retry-after", "Wed, 20 Foo 2024 14:30:05 GMT", None),
        ("retry-after", "soon", None),
        ("retry-after", "", None),
        ("retry-after", ".", None),
        ("retry-after", "1e3", None),
        ("x-ratelimit-reset-requests", "1s", Some(1000)),
        ("x-ratelimit-reset-requests", "6m0s", Some(360_000)),
        ("x-ratelimit-reset-tokens", "1.5s", Some(1500)),
        ("x-ratelimit-reset-tokens", "120ms", Some(120)),
        ("x-ratelimit-reset-tokens", "1h2m3s", Some(3_723_000)),
        ("x-ratelimit-reset-tokens", "2m59.56s", Some(179_560)),
        ("x-ratelimit-reset-tokens", "7.66µs", Some(1)),
        ("x-ratelimit-reset-tokens", "12", Some(12_000)),
        ("x-ratelimit-reset-tokens", "1y", None),
        ("x-ratelimit-reset-tokens", "s", None),
        ("x-ratelimit-reset-tokens", "", None),
        ("x-ratelimit-reset", "60", Some(60_000)),
        ("x-ratelimit-reset", "1732113007", Some(7000)),
        ("x-ratelimit-reset", "1732113007500", Some(7500)),
        ("x-ratelimit-reset", "1700000000", Some(0)),
        ("ratelimit-reset", "50", Some(50_000)),
        (
            "anthropic-ratelimit-requests-reset",
            "2024-11-20T14:30:05Z",
            None,
        ),
    ] {
        assert_eq!(wait(&[(name, value)]), expected, "{name}: {value}");
    }
}

#[test]
fn the_first_that_can_be_read_counts() {
    let all = [
        ("retry-after-ms", "1"),
        ("retry-after", "2"),
        ("x-ratelimit-reset-requests", "3s"),
        ("x-ratelimit-reset", "4"),
        ("ratelimit-reset", "5"),
        ("anthropic-ratelimit-tokens-remaining", "0"),
        ("anthropic-ratelimit-tokens-reset", "2024-11-20T14:30:06Z"),
    ];
    let expected = [1, 2000, 3000, 4000, 5000, 6000];
    for (from, expected) in expected.into_iter().enumerate() {
        assert_eq!(wait(&all[from..]), Some(expected));
        let mut garbage = all;
        for header in &mut garbage[..from] {
            header.1 = "garbage";
        }
        assert_eq!(wait(&garbage), Some(expected));
    }
    assert_eq!(wait(&[]), None);
}

#[test]
fn only_what_is_used_up_is_waited_for() {
    let requests = ("x-ratelimit-reset-requests", "1s");
    let tokens = ("x-ratelimit-reset-tokens", "2s");
    let remaining = |requests: &'static str, tokens: &'static str| {
        [
            ("x-ratelimit-remaining-requests", requests),
            ("x-ratelimit-remaining-tokens", tokens),
        ]
    };
    assert_eq!(wait(&[requests, tokens]), Some(2000));
    for (left, expected) in [
        (remaining("0", "7"), Some(1000)),
        (remaining("7", "0"), Some(2000)),
        (remaining("0", "0"), Some(2000)),
        (remaining("7", "7"), None),
    ] {
        let [a, b] = left;
        assert_eq!(wait(&[requests, tokens, a, b]), expected, "{left:?}");
    }
    let reset = ("x-ratelimit-reset", "9");
    assert_eq!(wait(&[reset, ("x-ratelimit-remaining", "0")]), Some(9000));
    assert_eq!(wait(&[reset, ("x-ratelimit-remaining", "3")]), None);
    let reset = [
        ("anthropic-ratelimit-requests-reset", "2024-11-20T14:30:05Z"),
        (
            "anthropic-ratelimit-input-tokens-reset",
            "2024-11-20T15:30:07.5+01:00",
        ),
        ("anthropic-ratelimit-requests-remaining", "0"),
        ("anthropic-ratelimit-input-tokens-remaining", "0"),
    ];
    assert_eq!(wait(&reset), Some(7500));
    assert_eq!(wait(&reset[..3]), Some(5000));
}

#[test]
fn times() {
    for (text, seconds) in [
        ("1970-01-01T00:00:00Z", 0),
        ("1994-11-06T08:49:37Z", 784_111_777),
        ("2000-02-29T12:00:00z", 951_825_600),
        ("2024-02-29T23:59:59Z", 1_709_251_199),
        ("2024-03-01T00:00:00+00:00", 1_709_251_200),
        ("2024-12-31T00:00:00Z", 1_735_603_200),
        ("2024-11-20 16:00:00+01:30", NOW / 1000),
        ("1960-01-01T00:00:00Z", 0),
    ] {
        assert_eq!(rfc_3339(text), Some(seconds * 1000), "{text}");
    }
    for text in [
        "",
        "2024-11-20",
        "2024-13-01T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2024-11-00T00:00:00Z",
        "2024-11-31T00:00:00Z",
        "2024-12-32T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2024-11-20T25:00:00Z",
        "2024-11-20T14:30:00",
        "2024-11-20T14:30Z",
        "2024-11-20T14:30:00:00Z",
    ] {
        assert_eq!(rfc_3339(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, text in "[-0-9.:TZ+ A-Za-z,µ]{0,40}", now: u64) {
        for value in [bytes, text.into_bytes()] {
            let wait = retry_after(|_| Some(value.clone()), now);
            prop_assert!(wait.is_none_or(|wait| wait <= MAX_WAIT_MS));
            for only in ["retry-after", "x-ratelimit-reset-tokens", "x-ratelimit-reset"] {
                let _ = retry_after(|name| (name == only).then(|| value.clone()), now);
            }
            let reset = |name: &str| if name.ends_with("remaining") { b"0".to_vec() } else { value.clone() };
            let _ = retry_after(|name| name.starts_with("anthropic").then(|| reset(name)), now);
        }
    }
}
