//! Reads the errors of providers, and decides how an attempt failed.
//!
//! Formats, by OpenRouter's and Anthropic's references of errors and, for the others, by what their users reported:
//!
//! * OpenAI, Azure OpenAI and compatible: `{"error":{"message","type","param","code"}}`; Azure adds
//!   `innererror.code`; OpenRouter has the HTTP status in `code`, and in `metadata` the provider's own text (`raw`)
//!   and what moderation found (`flagged_input`).
//! * Anthropic: `{"type":"error","error":{"type","message"}}`.
//! * OpenAI, in the stream of a response: `{"type":"response.failed","response":{"error":{"code","message"}}}`.
//! * Gemini: `{"error":{"code":400,"message","status":"INVALID_ARGUMENT"}}`, also inside of an array.
//! * Bedrock: `{"message"}`; AWS's JSON protocols have the name of the error in `__type`.
//! * vLLM, SGLang, Mistral: `{"object":"error","message","type","code"}`.
//! * llama.cpp: the status in `error.code`, `exceed_context_size_error` in `error.type`.
//! * Hugging Face TGI, Together: `{"error":"…","error_type":"…"}`.
//! * FastAPI, which serves many models: `{"detail":"…"}`.

use super::json::{JsonCursor, JsonError, JsonResult, is_non_empty};
use crate::attempt::Failure;

/// Returns the failure that a non-2xx answer describes. `body` is as much of it as was read: it may be empty, cut
/// off, or anything.
pub fn failure_of_answer(status: u32, body: &[u8]) -> Failure {
    match status {
        400..500 if status != 429 => {
            let facts = ErrorFacts::read(body).0;
            match (facts.code.or(facts.wording), status) {
                (Some(failure), _) => failure,
                (None, 401 | 403) => Failure::Unauthorized,
                (None, _) => Failure::Rejected,
            }
        }
        _ => of_status(status),
    }
}

/// Returns the failure that an error object in any known provider's format describes; `None` if this text is not an
/// error. An empty `error` field does not make it one: `"error": null` is not an error.
pub fn failure_of_error_object(body: &[u8]) -> Option<Failure> {
    let (facts, walked) = ErrorFacts::read(body);
    if walked == Err(JsonError::Malformed) {
        return None;
    }
    facts.failure()
}

fn of_status(status: u32) -> Failure {
    match status {
        429 => Failure::RateLimited,
        401 | 403 => Failure::Unauthorized,
        503 | 504 | 529 => Failure::Unavailable,
        400..500 => Failure::Rejected,
        _ => Failure::ServerError,
    }
}

/// Values of `type`, `code` and `status` for a request that does not fit the model's context window or that its
/// content policy refuses.
const CODES: [(&str, Failure); 7] = [
    ("context_length_exceeded", Failure::ContextLength),
    ("exceed_context_size_error", Failure::ContextLength),
    ("token_limit_exceeded", Failure::ContextLength),
    ("content_filter", Failure::ContentPolicy),
    ("content_policy_violation", Failure::ContentPolicy),
    ("moderation_blocked", Failure::ContentPolicy),
    ("ResponsibleAIPolicyViolation", Failure::ContentPolicy),
];

/// Values of the same fields for other errors.
const KINDS: [(&str, Failure); 30] = [
    ("rate_limit_error", Failure::RateLimited),
    ("rate_limit_exceeded", Failure::RateLimited),
    ("insufficient_quota", Failure::RateLimited),
    ("tokens", Failure::RateLimited),
    ("requests", Failure::RateLimited),
    ("RESOURCE_EXHAUSTED", Failure::RateLimited),
    ("ThrottlingException", Failure::RateLimited),
    ("TooManyRequestsException", Failure::RateLimited),
    ("overloaded_error", Failure::Unavailable),
    ("overloaded", Failure::Unavailable),
    ("UNAVAILABLE", Failure::Unavailable),
    ("DEADLINE_EXCEEDED", Failure::Unavailable),
    ("timeout_error", Failure::Unavailable),
    ("unavailable_error", Failure::Unavailable),
    ("service_unavailable", Failure::Unavailable),
    ("service_unavailable_error", Failure::Unavailable),
    ("ServiceUnavailableException", Failure::Unavailable),
    ("ModelNotReadyException", Failure::Unavailable),
    ("ModelTimeoutException", Failure::Unavailable),
    ("authentication_error", Failure::Unauthorized),
    ("invalid_api_key", Failure::Unauthorized),
    ("permission_error", Failure::Unauthorized),
    ("UNAUTHENTICATED", Failure::Unauthorized),
    ("PERMISSION_DENIED", Failure::Unauthorized),
    ("AccessDeniedException", Failure::Unauthorized),
    ("invalid_request_error", Failure::Rejected),
    ("not_found_error", Failure::Rejected),
    ("BadRequestError", Failure::Rejected),
    ("INVALID_ARGUMENT", Failure::Rejected),
    ("ValidationException", Failure::Rejected),
];

/// Parts of error messages, in the order in which they appear there. They contain no quotes, because messages may
/// escape those.
const WORDINGS: [(&[&str], Failure); 21] = [
    // OpenAI, Azure, DeepSeek, vLLM, Mistral, OpenRouter: "This model's maximum context length is 4096 tokens."
    (&["maximum context length"], Failure::ContextLength),
    // OpenAI's newer models.
    (&["exceeds the context window"], Failure::ContextLength),
    // Groq.
    (
        &["reduce the length of the messages"],
        Failure::ContextLength,
    ),
    // Anthropic.
    (&["prompt is too long"], Failure::ContextLength),
    (&["exceed context limit"], Failure::ContextLength),
    // Gemini: "The input token count (2) exceeds the maximum number of tokens allowed (1)."
    (
        &["input token count", "exceeds the maximum"],
        Failure::ContextLength,
    ),
    // Bedrock.
    (&["input is too long"], Failure::ContextLength),
    (&["too many total text bytes"], Failure::ContextLength),
    // Cohere, Bedrock: "too many tokens: total number of tokens (prompt and prediction) cannot exceed 2048"
    (&["too many tokens"], Failure::ContextLength),
    // vLLM: "The decoder prompt (length 2) is longer than the maximum model length of 1."
    (
        &["longer than the maximum model length"],
        Failure::ContextLength,
    ),
    // SGLang: "The input (2 tokens) is longer than the model's context length (1 tokens)."
    (
        &["is longer than the model", "context length"],
        Failure::ContextLength,
    ),
    // llama.cpp.
    (
        &["exceeds the available context size"],
        Failure::ContextLength,
    ),
    // llama-cpp-python: "Requested tokens (2) exceed context window of 1"
    (&["exceed context window"], Failure::ContextLength),
    // xAI: "This model's maximum prompt length is 1 but the request contains 2 tokens."
    (&["maximum prompt length is"], Failure::ContextLength),
    // TGI, Together: "`inputs` tokens + `max_new_tokens` must be <= 1", "`inputs` must have less than 1 tokens"
    (
        &["tokens + ", "max_new_tokens", "must be"],
        Failure::ContextLength,
    ),
    (
        &["inputs", "must have less than", "tokens"],
        Failure::ContextLength,
    ),
    // Azure.
    (&["content management policy"], Failure::ContentPolicy),
    // Anthropic.
    (&["content filtering policy"], Failure::ContentPolicy),
    // OpenAI.
    (&["violating our usage policy"], Failure::ContentPolicy),
    (
        &["as a result of our safety system"],
        Failure::ContentPolicy,
    ),
    // DeepSeek.
    (&["content exists risk"], Failure::ContentPolicy),
];

/// Excludes a message from the wordings: a rate limit of Bedrock says "Too many tokens, please wait before trying
/// again."
const NO_WORDING: &str = "please wait";

/// What an answer's fields say, if it is an error.
#[derive(Debug, Default)]
pub(super) struct ErrorFacts {
    is_error: bool,
    /// The failure by [`CODES`].
    code: Option<Failure>,
    /// The failure by [`KINDS`]. [`Failure::Rejected`] counts only if no other field says more.
    kind: Option<Failure>,
    /// The failure by a number that is the HTTP status of an error.
    status: Option<Failure>,
    /// The failure by [`WORDINGS`].
    wording: Option<Failure>,
}

impl ErrorFacts {
    /// Reads a text. Returns what it says up to where it could be read, and why it could not be read further.
    pub(super) fn read(text: &[u8]) -> (ErrorFacts, JsonResult) {
        let mut facts = ErrorFacts::default();
        let walked = JsonCursor::whole(text, |json| {
            if json.peek() == Some(b'[') {
                json.items(|json| facts.answer(json))
            } else {
                facts.answer(json)
            }
        });
        (facts, walked)
    }

    /// Returns what went wrong; `None` if the answer is not an error.
    pub(super) fn failure(&self) -> Option<Failure> {
        let rejected = Some(Failure::Rejected);
        let specific = |failure: Option<Failure>| failure.filter(|_| failure != rejected);
        self.is_error.then(|| {
            self.code
                .or(specific(self.kind))
                .or(specific(self.status))
                .or(self.wording)
                .or(self.status)
                .or(self.kind)
                .unwrap_or(Failure::ServerError)
        })
    }

    /// Reads the object around an error, or the error itself.
    fn answer(&mut self, json: &mut JsonCursor<'_>) -> JsonResult {
        json.fields(|json, key| match key {
            b"error" => self.error_field(json),
            // An OpenAI response that failed during its stream.
            b"response" => json.fields(|json, key| match key {
                b"error" => self.error_field(json),
                _ => json.skip().map(drop),
            }),
            b"object" => {
                self.is_error |= json.text()? == Some(b"error");
                Ok(())
            }
            b"type" if json.rest().starts_with(b"\"error\"") => {
                self.is_error = true;
                json.skip().map(drop)
            }
            b"__type" => {
                self.is_error = true;
                self.name(json)
            }
            b"detail" => self.message(json),
            _ => self.field(json, key),
        })
    }

    /// Reads the value of `error`: the error object, its message, or nothing.
    fn error_field(&mut self, json: &mut JsonCursor<'_>) -> JsonResult {
        if json.peek() == Some(b'"') {
            self.is_error |= !json.rest().starts_with(b"\"\"");
            return self.message(json);
        }
        let start = json.rest();
        let walked = self.error(json);
        let taken = start.len().saturating_sub(json.rest().len());
        self.is_error |= is_non_empty(start.get(..taken).unwrap_or_default());
        walked
    }

    /// Reads the error object.
    fn error(&mut self, json: &mut JsonCursor<'_>) -> JsonResult {
        json.fields(|json, key| match key {
            b"innererror" | b"inner_error" => json.fields(|json, key| match key {
                b"code" => self.name(json),
                _ => json.skip().map(drop),
            }),
            b"metadata" => json.fields(|json, key| match key {
                b"raw" => self.message(json),
                b"error_type" => self.name(json),
                b"flagged_input" => {
                    self.code.get_or_insert(Failure::ContentPolicy);
                    json.skip().map(drop)
                }
                _ => json.skip().map(drop),
            }),
            _ => self.field(json, key),
        })
    }

    fn field(&mut self, json: &mut JsonCursor<'_>, key: &[u8]) -> JsonResult {
        match key {
            b"message" => self.message(json),
            b"type" | b"code" | b"status" | b"error_type" => self.name(json),
            _ => json.skip().map(drop),
        }
    }

    /// Reads a text for humans.
    fn message(&mut self, json: &mut JsonCursor<'_>) -> JsonResult {
        if json.peek() != Some(b'"') {
            return json.skip().map(drop);
        }
        let rest = json.rest();
        let taken = json.text();
        // If the string is cut off, its beginning may say enough.
        let text = taken.map_or(rest, Option::unwrap_or_default);
        if self.wording.is_none() && find(text, NO_WORDING).is_none() {
            self.wording = WORDINGS
                .iter()
                .find(|(parts, _)| contains_in_order(text, parts))
                .map(|(_, failure)| *failure);
        }
        taken.map(drop)
    }

    /// Reads a text for programs, or a number.
    fn name(&mut self, json: &mut JsonCursor<'_>) -> JsonResult {
        let value = json.skip()?;
        let name = value
            .strip_prefix(b"\"")
            .and_then(|inside| inside.strip_suffix(b"\""))
            .unwrap_or(value);
        // AWS's names: `com.amazon.coral.service#ThrottlingException`, `ThrottlingException:http://…`.
        let name = name.rsplit(|byte| *byte == b'#').next().unwrap_or_default();
        let name = name.split(|byte| *byte == b':').next().unwrap_or_default();
        self.code = self.code.or_else(|| known(&CODES, name));
        if self.kind.is_none_or(|kind| kind == Failure::Rejected) {
            self.kind = known(&KINDS, name).or(self.kind);
        }
        if self.status.is_none() {
            self.status = error_status(name).map(of_status);
        }
        Ok(())
    }
}

#[inline(never)]
fn known(names: &[(&str, Failure)], name: &[u8]) -> Option<Failure> {
    let found = names
        .iter()
        .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name));
    found.map(|(_, failure)| *failure)
}

/// Parses the HTTP status of an error.
fn error_status(digits: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(digits)
        .ok()
        .filter(|digits| digits.len() == 3)?;
    digits
        .parse()
        .ok()
        .filter(|status| (400..600).contains(status))
}

fn contains_in_order(text: &[u8], parts: &[&str]) -> bool {
    let rest = parts.iter().try_fold(text, |rest, part| {
        find(rest, part).and_then(|at| rest.get(at..)?.get(part.len()..))
    });
    rest.is_some()
}

/// Returns the position of a part in a text, ignoring the case of ASCII letters.
fn find(text: &[u8], part: &str) -> Option<usize> {
    text.windows(part.len())
        .position(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
#[path = "provider_error_tests.rs"]
mod tests;
