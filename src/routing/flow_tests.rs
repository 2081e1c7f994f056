//! Tests of what is recorded about a request while it is routed.

use super::*;
use crate::health::NoHealthStore;
use crate::prompt::estimate;

const TEXT: &str = "What is the capital of Iceland, and since when?";

/// Returns the recorded number of prompt tokens for a request to a backend that is, or is not, asked for usage; and the
/// rough number by the body's size.
fn prompt_tokens(asks: bool, fields: &str) -> (u64, u64) {
    let json = format!(
        r#"{{
        "backends": [{{"name": "a", "schema": "openai", "ask_for_usage": {asks}, "models": [{{"name": "*"}}]}}],
        "routes": [{{"name": "all", "match": {{"model": "*"}}, "targets": [{{"backend": "a"}}]}}]
    }}"#
    );
    let document = Document::load(json.as_bytes()).unwrap();
    let moment = Moment {
        now: 0,
        random: 0,
        health: &NoHealthStore,
    };
    let headers = [(":path", "/v1/chat/completions"), (":method", "POST")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    let headers = Headers::new(headers.to_vec());
    let arrival = receive_headers(&document, headers, Caller::default(), || moment);
    let AfterHeaders::AwaitBody(pending) = arrival else {
        panic!("the request is a chat completion");
    };
    let body = format!(
        r#"{{"model": "m", "messages": [{{"role": "user", "content": "{TEXT}"}}]{fields}}}"#
    );
    let mut outcome_builder = OutcomeBuilder::default();
    let routed =
        pending.route_with_telemetry(&document, body.as_bytes(), moment, &mut outcome_builder);
    assert!(routed.is_ok());
    let by_size = rough_tokens(text_bytes(body.as_bytes()));
    (outcome_builder.prompt_tokens.unwrap(), by_size)
}

/// The prompt is read for an estimate only if no usage will be reported.
#[test]
fn prompts_are_read_where_nothing_will_tell() {
    let stream = r#", "stream": true"#;
    let asked = r#", "stream": true, "stream_options": {"include_usage": true}"#;
    for (asks, fields) in [(true, stream), (true, ""), (false, ""), (false, asked)] {
        let (tokens, by_size) = prompt_tokens(asks, fields);
        assert_eq!(tokens, by_size, "{asks} {fields}");
    }
    let (tokens, by_size) = prompt_tokens(false, stream);
    assert!((estimate(TEXT)..estimate(TEXT) + 8).contains(&tokens));
    assert_ne!(tokens, by_size);
}
