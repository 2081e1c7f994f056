//! Tests of streams that are damaged, cut into pieces and ended anywhere.

use proptest::prelude::*;

use super::*;

#[test]
fn what_is_malformed_says_nothing_and_does_not_pass() {
    let good = r#"{"choices":[{"index":0,"delta":{"content":"x"}}]}"#;
    for bad in [
        good.strip_suffix('}').unwrap(),
        r#"{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}}"#,
        "DONE",
        "",
        "[DONE",
    ] {
        let bad = format!("data: {bad}\n\n");
        assert_eq!(
            state(&read(Api::ChatCompletions, &bad)),
            (false, false, None, true, 1),
            "{bad}"
        );
        let mut reader = StreamReader::new(Api::ChatCompletions);
        let stream = format!(": ping\n\n{bad}{}{bad}", events(&[good]));
        let out = reader.push_filtered(stream.as_bytes(), true);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!(": ping\n\n{}", events(&[good]))
        );
        assert_eq!(reader.malformed(), 2);
    }
    let deep = format!("data: {}{}\n\n", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(
        state(&read(Api::ChatCompletions, &deep)),
        (true, false, None, true, 0)
    );
}

#[test]
fn the_end() {
    let begun = r#"data: {"choices":[{"delta":{}}]}"#;
    let mut reader = read(Api::ChatCompletions, &format!("{begun}\n\ndata: [DONE]"));
    assert!(!reader.is_finished());
    reader.end();
    assert!(reader.is_finished());
    let mut reader = StreamReader::new(Api::ChatCompletions);
    assert!(reader.push_filtered(b"data: [DONE]\n", false).is_empty());
    assert_eq!(reader.push_filtered(b"", true), b"data: [DONE]\n\n");
    let large = format!("data: {}", "x".repeat(70_000));
    let mut reader = StreamReader::new(Api::Messages);
    assert_eq!(
        reader.push_filtered(large.as_bytes(), false),
        large.as_bytes()
    );
    assert!(!reader.is_between_events());
    assert_eq!(reader.push_filtered(b"", true), b"\n\n");
    assert_eq!(state(&reader), (false, false, None, true, 1));
}

#[test]
fn the_same_wherever_it_is_cut() {
    let openai: Vec<&str> = OPENAI
        .iter()
        .flat_map(|(data, ..)| *data)
        .copied()
        .collect();
    let openai = events(&openai) + "data: {\n\n" + &error_of(Api::ChatCompletions);
    let anthropic: String = ANTHROPIC
        .iter()
        .map(|(data, ..)| format!("event: x\r\ndata: {data}\r\n\r\n"))
        .collect();
    let anthropic = anthropic + "data: {\r\n\r\n" + &error_of(Api::Messages);
    for (api, stream) in [(Api::ChatCompletions, openai), (Api::Messages, anthropic)] {
        let expected = state(&read(api, &stream));
        assert_eq!(expected, (true, true, Some(Failure::ServerError), true, 1));
        let filtered = StreamReader::new(api).push_filtered(stream.as_bytes(), true);
        for cut in 0..stream.len() {
            let (a, b) = stream.as_bytes().split_at(cut);
            let mut reader = StreamReader::new(api);
            reader.push(a);
            reader.push(b);
            assert_eq!(state(&reader), expected, "{cut}");
            let mut reader = StreamReader::new(api);
            let out = [
                reader.push_filtered(a, false),
                reader.push_filtered(b, true),
            ]
            .concat();
            assert_eq!(out, filtered, "{cut}");
            assert_eq!(state(&reader), expected, "{cut}");
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, which in 0..OPENAI.len(), at: usize, cut: usize) {
        let mut stream = events(OPENAI[which].0).into_bytes();
        let at = at % (stream.len() + 1);
        stream.splice(at..at, bytes);
        let cut = cut % (stream.len() + 1);
        for api in Api::ALL.iter().copied() {
            let mut whole = StreamReader::new(api);
            let passed = whole.push_filtered(&stream, true);
            let mut parts = StreamReader::new(api);
            let (a, b) = stream.split_at(cut);
            let passed_in_parts = [parts.push_filtered(a, false), parts.push_filtered(b, true)].concat();
            prop_assert_eq!(passed, passed_in_parts);
            prop_assert_eq!(state(&whole), state(&parts));
        }
    }
}
