//! Target: a stream of events read in pieces gives the same result as in one piece, and only malformed events are
//! removed from it.
//!
//! The first line of the input chooses the API and where the stream is cut; the rest is the stream.

use llm_router::schema::{Api, ErrorCode, StreamReader, error_event};

use super::bytes::Bytes;
use super::json::{self, ParsedJson};

pub fn run(input: &[u8]) {
    let (mut choices, stream) = Bytes::before_line_feed(input);
    let api = *choices.pick(Api::ALL);
    let pieces = choices.cut(stream);

    let mut whole = StreamReader::new(api);
    whole.push(stream);
    let mut cut = StreamReader::new(api);
    for piece in &pieces {
        cut.push(piece);
    }
    assert_eq!(state(&whole), state(&cut));
    whole.end();

    let mut filter = StreamReader::new(api);
    let filtered = filter.push_filtered(stream, true);
    assert_eq!(state(&filter), state(&whole));
    let mut cut = StreamReader::new(api);
    let mut passed = Vec::new();
    for piece in &pieces {
        passed.extend(cut.push_filtered(piece, false));
    }
    passed.extend(cut.push_filtered(b"", true));
    assert_eq!(passed, filtered);
    assert_eq!(state(&cut), state(&filter));

    // Larger events pass even if they are malformed.
    if stream.len() < 32 * 1024 {
        check_events(stream, &filtered, filter.malformed());
        check_more(api, &filter, filtered);
    }
    if stream.len() < 4 * 1024 && stream.starts_with(b"data") {
        let large = [&[b'x'; 70_000], b"\n".as_slice(), stream].concat();
        let mut reader = StreamReader::new(api);
        reader.push(&large);
        reader.end();
        assert_eq!(
            state(&reader),
            state(&whole),
            "a first event that is too large to be held"
        );
    }
}

fn state(reader: &StreamReader) -> impl PartialEq + std::fmt::Debug {
    (
        (
            reader.has_content(),
            reader.is_finished(),
            reader.is_between_events(),
        ),
        reader.error(),
        reader.malformed(),
    )
}

/// What passed has all well-formed events, in order, and nothing else.
fn check_events(stream: &[u8], filtered: &[u8], malformed: u32) {
    let sent = events(stream);
    let mut passed = events(filtered).into_iter().peekable();
    let mut gone = 0;
    for event in sent {
        let is_there = passed.next_if(|one| *one == event).is_some();
        let is_end = event.data.trim_ascii() == b"[DONE]";
        match json::read(String::from_utf8_lossy(&event.data).as_bytes()) {
            ParsedJson::Valid(_) => assert!(is_there, "an event was lost"),
            ParsedJson::Invalid if is_end => assert!(is_there, "the last event was lost"),
            ParsedJson::Invalid => assert!(!is_there, "a malformed event passed"),
            ParsedJson::LimitReached => {}
        }
        gone += u32::from(!is_there);
    }
    assert_eq!(passed.next(), None, "an event was added");
    assert_eq!(gone, malformed);
    if malformed == 0 {
        let added: [&[u8]; 3] = [b"", b"\n", b"\n\n"];
        let rest = filtered.strip_prefix(stream).expect("nothing has changed");
        assert!(added.contains(&rest));
    }
}

/// An event that the router appends is an event of its own.
fn check_more(api: Api, filter: &StreamReader, filtered: Vec<u8>) {
    let mut again = StreamReader::new(api);
    assert_eq!(again.push_filtered(&filtered, true), filtered);
    assert_eq!(again.malformed(), 0);
    let ours = |reader: &StreamReader| (reader.has_content(), reader.is_finished());
    assert_eq!(ours(&again), ours(filter));

    let error = error_event(ErrorCode::UpstreamIncomplete, api, "cut off");
    let all = events(&[filtered.as_slice(), &error].concat());
    assert_eq!(all.last(), events(&error).first());
    assert_eq!(all.len(), events(&filtered).len() + 1);
}

#[derive(Debug, Default, PartialEq)]
struct Event {
    name: Vec<u8>,
    data: Vec<u8>,
}

/// Returns the events that a client sees, line by line, by the WHATWG's standard. An event that the end cuts off does
/// not count there; here it does, because a stream that ends gets its last blank line.
fn events(stream: &[u8]) -> Vec<Event> {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let mut events = Vec::new();
    let mut name = Vec::new();
    let mut data: Option<Vec<u8>> = None;
    for line in lines(stream).chain([b"".as_slice()]) {
        if line.is_empty() {
            let name = std::mem::take(&mut name);
            events.extend(data.take().map(|data| Event { name, data }));
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => name = value.to_vec(),
            b"data" => match &mut data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => data = Some(value.to_vec()),
            },
            _ => {}
        }
    }
    events
}

/// Lines end with CRLF, LF or CR.
fn lines(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let (line, rest) = text.split_at(text.iter().position(is_end).unwrap_or(text.len()));
        text = match rest {
            [b'\r', b'\n', rest @ ..] | [b'\r' | b'\n', rest @ ..] => rest,
            rest => rest,
        };
        Some(line)
    })
}
