//! Classifies whole answers that have the status `200`.

use super::json::JsonError;
use super::provider_error::ErrorFacts;
use crate::attempt::Failure;

/// What a whole answer is. See [`classify_json_answer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonAnswer {
    /// The requested answer, as far as can be seen.
    Answer,
    /// An error in spite of its status.
    Error(Failure),
    /// Empty, cut off, or not JSON.
    Broken,
}

/// Classifies a whole JSON answer with status 200. One that nests too deeply to be read counts as an answer.
pub fn classify_json_answer(body: &[u8]) -> JsonAnswer {
    let (facts, walked) = ErrorFacts::read(body);
    match (walked, facts.failure()) {
        (Err(JsonError::Malformed), _) => JsonAnswer::Broken,
        (_, Some(failure)) => JsonAnswer::Error(failure),
        _ => JsonAnswer::Answer,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANSWERS: [&str; 5] = [
        r#"{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"{\"error\":{}}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#,
        r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"maximum context length is"}],"stop_reason":"end_turn"}"#,
        r#"{"choices":[],"error":null}"#,
        "[]",
        "{}",
    ];

    #[test]
    fn answers() {
        for body in ANSWERS {
            assert_eq!(
                classify_json_answer(body.as_bytes()),
                JsonAnswer::Answer,
                "{body}"
            );
            for cut in 0..body.len() {
                assert_eq!(
                    classify_json_answer(&body.as_bytes()[..cut]),
                    JsonAnswer::Broken,
                    "{body} {cut}"
                );
            }
        }
        let deep = [b"[".repeat(5000), b"]".repeat(5000)].concat();
        assert_eq!(classify_json_answer(&deep), JsonAnswer::Answer);
    }

    #[test]
    fn errors_and_what_is_broken() {
        for (body, expected) in [
            (
                r#"{"error":{"message":"x","code":429}}"#,
                JsonAnswer::Error(Failure::RateLimited),
            ),
            (
                r#"{"type":"error","error":{"type":"overloaded_error"}}"#,
                JsonAnswer::Error(Failure::Unavailable),
            ),
            (
                r#"{"error":{"message":"x","code":429}}}"#,
                JsonAnswer::Broken,
            ),
            (r#"{"error":{"message":"x","code":429}"#, JsonAnswer::Broken),
            ("", JsonAnswer::Broken),
            (" \n", JsonAnswer::Broken),
            ("<html>", JsonAnswer::Broken),
        ] {
            assert_eq!(classify_json_answer(body.as_bytes()), expected, "{body}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = classify_json_answer(&bytes);
        }
    }
}
