//! What OpenAI's APIs have in common: errors, usage and the events around a stream.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::event::{Event, StreamPart};
use super::fault::ApiError;
use super::reply::Reply;

pub(crate) mod audio;
pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod images;
pub(crate) mod responses;
pub(crate) mod vectors;

/// A comment, which keeps a connection alive in this API.
pub(crate) const PING: &str = ": ping\n\n";

/// A chunk that is not JSON.
pub(crate) const MALFORMED: &str = "data: {\"broken\n\n";

/// The last event of a stream of completions.
pub(crate) const DONE: &str = "data: [DONE]\n\n";

/// Returns an error object.
pub(crate) fn error(status: StatusCode, message: &str) -> Value {
    let (kind, code) = match status.as_u16() {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        403 => (
            "invalid_request_error",
            Some("unsupported_country_region_territory"),
        ),
        429 => ("requests", Some("rate_limit_exceeded")),
        500.. => ("server_error", None),
        _ => ("invalid_request_error", None),
    };
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

/// Returns an error in the API's own words.
pub(crate) fn failure(failure: ApiError) -> Value {
    let (message, kind, param, code) = match failure {
        ApiError::RateLimit => (
            "Rate limit reached for requests. Please try again later.",
            "requests",
            None,
            Some("rate_limit_exceeded"),
        ),
        ApiError::Overloaded => (
            "Our servers are currently overloaded. Please try again later.",
            "service_unavailable_error",
            None,
            Some("server_is_overloaded"),
        ),
        ApiError::Server => (
            "The server had an error while processing your request. Sorry about that!",
            "server_error",
            None,
            None,
        ),
        ApiError::Auth => (
            "Incorrect API key provided.",
            "invalid_request_error",
            None,
            Some("invalid_api_key"),
        ),
        ApiError::Invalid => (
            "We could not parse the JSON body of your request.",
            "invalid_request_error",
            None,
            None,
        ),
        ApiError::ContextLength => (
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 208310 \
             tokens. Please reduce the length of the messages.",
            "invalid_request_error",
            Some("messages"),
            Some("context_length_exceeded"),
        ),
        ApiError::ContentPolicy => (
            "Your request was rejected as a result of our safety system.",
            "invalid_request_error",
            None,
            Some("content_policy_violation"),
        ),
    };
    json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
}

/// Returns an error in a stream.
pub(crate) fn error_event(failure: ApiError) -> Event {
    Event::data(StreamPart::Terminator, &self::failure(failure))
}

/// Returns the headers of a refusal that say that no request is left, and how long until there are more.
pub(crate) fn exhausted(wait: Duration) -> [(&'static str, String); 2] {
    [
        ("x-ratelimit-remaining-requests", "0".to_owned()),
        ("x-ratelimit-reset-requests", duration(wait)),
    ]
}

/// Formats a duration like `20ms`, `1.5s`, `1m2s` or `6h0m0s`.
fn duration(wait: Duration) -> String {
    let seconds = wait.as_secs();
    if seconds == 0 {
        return format!("{}ms", wait.subsec_millis());
    }
    let part = match wait.subsec_millis() {
        0 => String::new(),
        millis => format!(".{millis:03}").trim_end_matches('0').to_owned(),
    };
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let seconds = format!("{}{part}s", seconds % 60);
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, _) => format!("{minutes}m{seconds}"),
        _ => format!("{hours}h{minutes}m{seconds}"),
    }
}

fn call_id(reply: &Reply) -> String {
    format!("call_{}", reply.id)
}

pub(crate) fn set(chunk: &mut Value, field: &str, value: Value) {
    if let Some(chunk) = chunk.as_object_mut() {
        chunk.insert(field.to_owned(), value);
    }
}

/// Returns the usage of chat completions and completions.
fn usage(reply: &Reply) -> Value {
    json!({
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens.saturating_add(reply.output_tokens),
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_in_the_headers() {
        for (millis, text) in [
            (0, "0ms"),
            (20, "20ms"),
            (1000, "1s"),
            (1500, "1.5s"),
            (62_000, "1m2s"),
            (360_000, "6m0s"),
            (3_600_050, "1h0m0.05s"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }
}
