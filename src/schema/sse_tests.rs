use proptest::prelude::*;

use super::*;

/// Keeps the events that it is given, and drops those that contain `bad`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    events: Vec<(String, String)>,
    /// The events that were not held, as their digests.
    large: Vec<(String, String)>,
}

impl EventSink for Told {
    fn event(&mut self, name: &[u8], data: &[u8]) -> bool {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let data = text(data);
        let is_good = !data.contains("bad");
        self.events.push((text(name), data));
        is_good
    }

    fn large(&mut self, large: &LargeEvent) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let data = large.data().map(|(data, _)| text(data));
        let told = data.map(|data| (text(large.name()), data));
        self.large.extend(told);
    }
}

/// Reads a stream in these parts. Returns the events, what passes, and whether the stream is between events at the
/// end.
fn read<'a>(parts: impl IntoIterator<Item = &'a [u8]>, end: bool) -> (Told, Vec<u8>, bool) {
    let mut told = Told::default();
    let mut parser = SseParser::new();
    let mut out = Some(Vec::new());
    for part in parts {
        parser.push(part, &mut told, &mut out);
    }
    if end {
        parser.end(&mut told, &mut out);
    }
    (told, out.unwrap(), parser.is_between())
}

/// A stream, its events (name and data), and what passes.
type Stream = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const STREAMS: [Stream; 14] = [
    ("data: a\n\n", &[("", "a")], "data: a\n\n"),
    ("data:a\r\n\r\n", &[("", "a")], "data:a\r\n\r\n"),
    (
        "data:  a\r\rdata: b\r\r",
        &[("", " a"), ("", "b")],
        "data:  a\r\rdata: b\r\r",
    ),
    (
        "event: x\ndata: a\n\n",
        &[("x", "a")],
        "event: x\ndata: a\n\n",
    ),
    (
        "event:x\nid: 1\nretry: 2\ndata: a\ndata\ndata: b\n\n",
        &[("x", "a\n\nb")],
        "event:x\nid: 1\nretry: 2\ndata: a\ndata\ndata: b\n\n",
    ),
    ("\u{feff}data: a\n\n", &[("", "a")], "\u{feff}data: a\n\n"),
    (
        "\u{feff}\u{feff}data: a\n\ndata: b\n\n",
        &[("", "b")],
        "\u{feff}\u{feff}data: a\n\ndata: b\n\n",
    ),
    (
        ": ping\n\n: ping\ndata: a\n: in it\ndata: b\n\n\n",
        &[("", "a\nb")],
        ": ping\n\n: ping\ndata: a\n: in it\ndata: b\n\n\n",
    ),
    ("event: ping\n\n", &[], "event: ping\n\n"),
    ("dataa: a\n\n", &[], "dataa: a\n\n"),
    (
        "data: bad\n\ndata: a\n\n",
        &[("", "bad"), ("", "a")],
        "data: a\n\n",
    ),
    (
        "data: a\r\n\r\ndata: bad\r\n\r\ndata: b\r\n\r\n",
        &[("", "a"), ("", "bad"), ("", "b")],
        "data: a\r\n\r\ndata: b\r\n\r\n",
    ),
    ("", &[], ""),
    ("\r\n\n\r", &[], "\r\n\n\r"),
];

#[test]
fn events_and_what_passes() {
    for (stream, events, passed) in STREAMS {
        let (told, out, is_between) = read([stream.as_bytes()], false);
        let expected: Vec<(String, String)> = events
            .iter()
            .map(|(name, data)| ((*name).to_owned(), (*data).to_owned()))
            .collect();
        assert_eq!(told.events, expected, "{stream:?}");
        assert_eq!(String::from_utf8(out).unwrap(), passed, "{stream:?}");
        assert!(is_between, "{stream:?}");
    }
}

#[test]
fn the_same_wherever_it_is_cut() {
    for (stream, ..) in STREAMS {
        let stream = stream.as_bytes();
        for end in [false, true] {
            let whole = read([stream], end);
            assert_eq!(read(stream.chunks(1), end), whole);
            for cut in 0..stream.len() {
                let (a, b) = stream.split_at(cut);
                assert_eq!(read([a, b], end), whole, "{} {cut}", stream.escape_ascii());
            }
        }
    }
}

#[test]
fn between_events() {
    for (stream, expected) in [
        ("", true),
        ("d", false),
        ("data: a", false),
        ("data: a\n", false),
        ("data: a\r\n\r", true),
        ("event: x\n", false),
        ("\u{feff}", true),
        (": ping", false),
        (": ping\n", true),
        ("data: a\n: in it\n", false),
    ] {
        assert_eq!(read([stream.as_bytes()], false).2, expected, "{stream:?}");
        assert!(read([stream.as_bytes()], true).2, "{stream:?}");
    }
}

#[test]
fn an_end_without_a_blank_line() {
    for (stream, events, passed) in [
        ("data: a", 1, "data: a\n\n"),
        ("data: a\n", 1, "data: a\n\n"),
        ("data: a\r\n", 1, "data: a\r\n\n"),
        ("data: a\r", 1, "data: a\r\n\n"),
        ("data: bad", 1, ""),
        (": ping", 0, ": ping\n\n"),
        ("data: a\n\n", 1, "data: a\n\n"),
        ("data: a\r\n\r\ndata: bad\r\n", 2, "data: a\r\n\r\n"),
    ] {
        let (told, out, _) = read([stream.as_bytes()], true);
        assert_eq!(told.events.len(), events, "{stream:?}");
        assert_eq!(String::from_utf8(out).unwrap(), passed, "{stream:?}");
    }
}

#[test]
fn an_end_within_a_byte_order_mark() {
    for length in 1..BYTE_ORDER_MARK.len() {
        let begun = &BYTE_ORDER_MARK[..length];
        assert!(!read([begun], false).2);
        let (told, out, is_between) = read([begun], true);
        assert_eq!(out, [begun, b"\n\n"].concat());
        assert!(told.events.is_empty() && is_between);
    }
}

#[test]
fn what_is_too_large_is_not_held() {
    for (length, is_large) in [(MAX_EVENT_BYTES, false), (MAX_EVENT_BYTES + 1, true)] {
        let frame = "event: x\r\ndata: \"\"\r\n\n".len();
        let text = "a".repeat(length - frame);
        let stream = format!("event: x\r\ndata: \"{text}\"\r\n\ndata: b\n\n");
        let whole = read([stream.as_bytes()], false);
        assert_eq!(whole.0.events.len(), 2 - usize::from(is_large));
        assert_eq!(whole.1, stream.as_bytes());
        let large: Vec<&str> = whole
            .0
            .large
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(large, if is_large { vec!["x"] } else { vec![] });
        for size in [1, 1000, MAX_EVENT_BYTES] {
            assert_eq!(read(stream.as_bytes().chunks(size), false), whole, "{size}");
        }
    }
    // A comment has no meaning, however large it is.
    let comment = format!(":{}\n", "data: 1\r".repeat(2 * MAX_EVENT_BYTES));
    let comment = comment.replace('\r', " ");
    let stream = format!("{comment}data: a\n\n");
    for size in [1000, usize::MAX] {
        let (told, out, _) = read(stream.as_bytes().chunks(size), false);
        assert_eq!(
            (told.large.len(), told.events.len(), out.len()),
            (0, 1, stream.len())
        );
    }
    let mut parser = SseParser::new();
    for _ in 0..100 {
        parser.push(&[b'a'; 4096], &mut Told::default(), &mut None);
    }
    assert!(parser.held.capacity() <= 2 * MAX_EVENT_BYTES);
}

/// A large event that lacks its end.
#[test]
fn the_end_of_what_is_too_large() {
    for (end, missing) in [("", "\n\n"), ("\n", "\n"), ("\r", "\n\n"), ("\r\n", "\n")] {
        let begun = format!(
            "event: y\nevent:x\ndata: 1{}{end}",
            " ".repeat(MAX_EVENT_BYTES)
        );
        let (told, out, is_between) = read(begun.as_bytes().chunks(1000), true);
        assert_eq!(told.large, [("x".to_owned(), "1 ".to_owned())]);
        assert_eq!(out, [begun.as_bytes(), missing.as_bytes()].concat());
        assert!(told.events.is_empty() && is_between);
    }
}

/// A last line that is only a name, or a name and a colon, is still a field.
#[test]
fn the_last_line_of_what_is_too_large() {
    let large = "a".repeat(MAX_EVENT_BYTES + 1);
    for end in [
        "data",
        "data:",
        "event",
        "event: y",
        "data: 1\nevent:",
        "dat",
        "",
    ] {
        let lines = format!("event: x\n{end}");
        let (small, ..) = read([format!("a\n{lines}").as_bytes()], true);
        let (told, ..) = read([format!("{large}\n{lines}").as_bytes()], true);
        assert_eq!(told.large, small.events, "{end:?}");
    }
}

proptest! {
    #[test]
    fn cuts_make_no_difference(
        stream in "([a:\r\n \u{feff}]|data|data: |event: |bad|\n\n|\r\n){0,30}",
        cuts in proptest::collection::vec(0_usize..60, 0..6),
        end: bool,
    ) {
        let stream = stream.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.sort_unstable();
        let mut parts = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([stream.len()]) {
            parts.push(&stream[from..cut]);
            from = cut;
        }
        prop_assert_eq!(read(parts, end), read([stream], end));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        let (told, out, _) = read([bytes.as_slice()], false);
        if !told.events.iter().any(|(_, data)| data.contains("bad")) {
            // The bytes that are held back are the beginning of a piece.
            prop_assert!(bytes.starts_with(&out));
        }
    }
}
