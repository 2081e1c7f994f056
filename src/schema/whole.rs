//! Classifies whole answers that have the status `200`.

use super::json::Fault;
use super::provider_error::Facts;
use crate::attempt::Failure;

/// What a whole answer is. See [`read_whole`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// The requested answer, as far as can be seen.
    Answer,
    /// An error in spite of its status.
    Error(Failure),
    /// Empty, cut off, or not JSON.
    Broken,
}

/// Classifies a whole JSON answer with status 200. One that nests too deeply to be read counts as an answer.
pub fn read_whole(body: &[u8]) -> Whole {
    let (facts, walked) = Facts::read(body);
    match (walked, facts.failure()) {
        (Err(Fault::Malformed), _) => Whole::Broken,
        (_, Some(failure)) => Whole::Error(failure),
        _ => Whole::Answer,
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
            assert_eq!(read_whole(body.as_bytes()), Whole::Answer, "{body}");
            for cut in 0..body.len() {
                assert_eq!(
                    read_whole(&body.as_bytes()[..cut]),
                    Whole::Broken,
                    "{body} {cut}"
                );
            }
        }
        let deep = [b"[".repeat(5000), b"]".repeat(5000)].concat();
        assert_eq!(read_whole(&deep), Whole::Answer);
    }

    #[test]
    fn errors_and_what_is_broken() {
        for (body, expected) in [
            (
                r#"{"error":{"message":"x","code":429}}"#,
                Whole::Error(Failure::RateLimited),
            ),
            (
                r#"{"type":"error","error":{"type":"overloaded_error"}}"#,
                Whole::Error(Failure::Unavailable),
            ),
            (r#"{"error":{"message":"x","code":429}}}"#, Whole::Broken),
            (r#"{"error":{"message":"x","code":429}"#, Whole::Broken),
            ("", Whole::Broken),
            (" \n", Whole::Broken),
            ("<html>", Whole::Broken),
        ] {
            assert_eq!(read_whole(body.as_bytes()), expected, "{body}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = read_whole(&bytes);
        }
    }
}
