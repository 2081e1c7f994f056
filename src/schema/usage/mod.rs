//! What an answer took and gave, in tokens, as the answer itself says.
//!
//! Providers count differently. Here the input includes what was read from a cache and written to one, and the output includes
//! reasoning; the parts are told as well.
//!
//! Sources: OpenAI's references of `CompletionUsage`, `ResponseUsage` and the usages of images and transcriptions; Anthropic's of
//! `Usage` and of `message_delta` (its counts are cumulative, its input is without what the cache had); Gemini's
//! `UsageMetadata` (thoughts are beside the candidates, what tools bring in beside the prompt, cached content inside of it);
//! Bedrock's `TokenUsage` (as Anthropic's); the additions of DeepSeek (`prompt_cache_hit_tokens`), OpenRouter
//! (`cache_write_tokens`), Moonshot (`cached_tokens`), Perplexity and SGLang (`reasoning_tokens`); xAI's guide to reasoning (it is
//! beside the completion, and in the total); LiteLLM's `Usage` (names of Anthropic's for parts of `prompt_tokens`).

mod counts;
mod frames;
mod scanner;

use counts::Counts;
#[cfg(test)]
pub(crate) use counts::MOST_TOKENS;
use frames::Frames;
use scanner::{Found, Scanner};

use super::endpoint::is_model_name;
use crate::request::{MAX_MODEL_BYTES, text};

/// Tokens; `None`: not told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All that the model read, with what the cache had.
    pub input: Option<u64>,
    /// Of these, what was read from a cache.
    pub cached_input: Option<u64>,
    /// Of these, what was written to a cache.
    pub cache_write: Option<u64>,
    /// All that the model wrote, with its reasoning.
    pub output: Option<u64>,
    /// Of these, its reasoning.
    pub reasoning: Option<u64>,
}

impl Usage {
    /// Whether nothing has been told.
    pub fn is_unknown(&self) -> bool {
        *self == Usage::default()
    }
}

/// What an answer has said about itself so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Reported {
    counts: Counts,
    model: Option<String>,
}

impl Reported {
    /// Takes over what an event says: an object with counts, the inside of the string that names the model.
    pub(super) fn take(&mut self, usage: Option<&[u8]>, model: Option<&[u8]>) {
        if let Some(object) = usage {
            self.counts.read(object);
        }
        if self.model.is_none()
            && let Some(inside) =
                model.filter(|inside| (1..=MAX_MODEL_BYTES).contains(&inside.len()))
        {
            // It is logged: what could not be asked for is not told.
            self.model = text::decode(inside).filter(|name| is_model_name(name));
        }
    }

    pub(super) fn usage(&self) -> Usage {
        self.counts.usage()
    }

    pub(super) fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }
}

impl Found for Reported {
    fn usage(&mut self, object: &[u8]) {
        self.take(Some(object), None);
    }

    fn model(&mut self, inside: &[u8]) {
        self.take(None, Some(inside));
    }
}

/// Reads the usage of an answer that is no server-sent stream, whose bytes pass.
#[derive(Clone, Debug)]
pub struct UsageReader {
    form: Form,
    reported: Reported,
}

#[derive(Clone, Debug)]
enum Form {
    Json(Scanner),
    AwsEvents(Frames),
    /// What it is, it does not say: its first byte tells.
    Unsaid,
    /// Nothing that can be read.
    Other,
}

impl Form {
    /// Of a body that begins so; `None`: with nothing but white space.
    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes.trim_ascii_start().first()? {
            b'{' | b'[' => Some(Form::Json(Scanner::default())),
            _ => Some(Form::Other),
        }
    }
}

impl UsageReader {
    /// Of an answer of this `content-type`; `None` if such an answer says nothing about itself.
    pub fn new(content_type: &[u8]) -> Option<Self> {
        let begins = |kind: &[u8]| {
            let start = content_type.get(..kind.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(kind))
        };
        let form = if begins(b"application/json") {
            Form::Json(Scanner::default())
        } else if begins(b"application/vnd.amazon.eventstream") {
            Form::AwsEvents(Frames::default())
        } else if content_type.is_empty() || begins(b"text/plain") {
            Form::Unsaid
        } else {
            return None;
        };
        Some(UsageReader {
            form,
            reported: Reported::default(),
        })
    }

    /// Takes what the headers of an answer tell (Bedrock's, to `invoke`).
    pub fn read_headers(&mut self, header: &dyn Fn(&str) -> Option<Vec<u8>>) {
        for (name, count) in BEDROCK_HEADERS {
            if let Some(value) = header(name) {
                self.reported.counts.take(count, value.trim_ascii());
            }
        }
    }

    /// Takes the next bytes of the body, cut anywhere.
    pub fn push(&mut self, chunk: &[u8]) {
        if matches!(self.form, Form::Unsaid)
            && let Some(form) = Form::of_bytes(chunk)
        {
            self.form = form;
        }
        match &mut self.form {
            Form::Json(scanner) => scanner.push(chunk, &mut self.reported),
            Form::AwsEvents(frames) => frames.push(chunk, &mut self.reported),
            Form::Unsaid | Form::Other => {}
        }
    }

    /// Whether it is of any use to push more.
    pub fn is_of_use(&self) -> bool {
        !matches!(self.form, Form::Other)
    }

    /// What it took and gave, as far as it has said so.
    pub fn usage(&self) -> Usage {
        self.reported.usage()
    }

    /// Which model it says it is from.
    pub fn model(&self) -> Option<&str> {
        self.reported.model()
    }

    /// Whether it is an error, whatever its status: there is something in its `error`, or it says that it is one.
    pub fn is_error(&self) -> bool {
        matches!(&self.form, Form::Json(scanner) if scanner.is_error())
    }

    /// About how many bytes of text the model wrote, in the fields that text is in; `None`: it cannot be read.
    pub fn text_bytes(&self) -> Option<u64> {
        match &self.form {
            Form::Json(scanner) => Some(scanner.text_bytes()),
            Form::AwsEvents(frames) => Some(frames.text_bytes()),
            Form::Unsaid | Form::Other => None,
        }
    }
}

/// Headers with counts, and under which name a usage has the same.
const BEDROCK_HEADERS: [(&str, &[u8]); 4] = [
    ("x-amzn-bedrock-input-token-count", b"inputTokens"),
    ("x-amzn-bedrock-output-token-count", b"outputTokens"),
    (
        "x-amzn-bedrock-cache-read-input-token-count",
        b"cacheReadInputTokens",
    ),
    (
        "x-amzn-bedrock-cache-write-input-token-count",
        b"cacheWriteInputTokens",
    ),
];

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
#[path = "tests.rs"]
mod tests;
