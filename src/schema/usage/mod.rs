//! Reads an answer's usage: the number of tokens, as the answer itself reports them.
//!
//! Providers count differently. Here the input includes tokens that were read from or written to a cache, and the
//! output includes reasoning; these parts are also given separately.
//!
//! Sources: OpenAI's references of `CompletionUsage`, `ResponseUsage` and the usages of images and transcriptions;
//! Anthropic's of `Usage` and of `message_delta` (its counts are cumulative, and its input does not include cached
//! tokens); Gemini's `UsageMetadata` (candidates do not include thoughts, the prompt does not include what tools
//! bring in, but it includes cached content); Bedrock's `TokenUsage` (counts as Anthropic's); the additions of
//! DeepSeek (`prompt_cache_hit_tokens`), OpenRouter (`cache_write_tokens`), Moonshot (`cached_tokens`), Perplexity
//! and SGLang (`reasoning_tokens`); xAI's guide to reasoning (the completion does not include it, the total does);
//! LiteLLM's `Usage` (Anthropic's names for parts of `prompt_tokens`).

mod aws_events;
mod counts;
mod scanner;

use aws_events::AwsEventReader;
use counts::Counts;
#[cfg(test)]
pub(crate) use counts::MAX_TOKENS;
use scanner::{UsageScanner, UsageSink};

use super::endpoint::is_model_name;
use crate::request::{MAX_MODEL_BYTES, text};

/// The number of tokens that an answer used; `None` if it was not reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All tokens that the model read, including cached ones.
    pub input: Option<u64>,
    /// The part of the input that was read from a cache.
    pub cached_input: Option<u64>,
    /// The part of the input that was written to a cache.
    pub cache_write: Option<u64>,
    /// All tokens that the model wrote, including its reasoning.
    pub output: Option<u64>,
    /// The part of the output that was reasoning.
    pub reasoning: Option<u64>,
}

impl Usage {
    /// Whether no usage was reported.
    pub fn is_unknown(&self) -> bool {
        *self == Usage::default()
    }
}

/// What an answer has reported about itself so far.
#[derive(Clone, Debug, Default)]
pub(super) struct ReportedUsage {
    counts: Counts,
    model: Option<String>,
}

impl ReportedUsage {
    /// Takes what an event reports: the object with the counts, and the inside of the string that names the model.
    pub(super) fn take(&mut self, usage: Option<&[u8]>, model: Option<&[u8]>) {
        if let Some(object) = usage {
            self.counts.read(object);
        }
        if self.model.is_none()
            && let Some(inside) =
                model.filter(|inside| (1..=MAX_MODEL_BYTES).contains(&inside.len()))
        {
            // The model is logged, so a name that no request could ask for is ignored.
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

impl UsageSink for ReportedUsage {
    fn usage(&mut self, object: &[u8]) {
        self.take(Some(object), None);
    }

    fn model(&mut self, inside: &[u8]) {
        self.take(None, Some(inside));
    }
}

/// Reads the usage of an answer that is not a server-sent stream, while its bytes pass through.
#[derive(Clone, Debug)]
pub struct UsageReader {
    format: BodyFormat,
    reported: ReportedUsage,
}

#[derive(Clone, Debug)]
enum BodyFormat {
    Json(UsageScanner),
    AwsEvents(AwsEventReader),
    /// The headers do not name the format; the first byte will tell.
    Undetermined,
    /// A format that cannot be read.
    Unreadable,
}

impl BodyFormat {
    /// Returns the format of a body that begins with these bytes; `None` if they are only white space.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes.trim_ascii_start().first()? {
            b'{' | b'[' => Some(BodyFormat::Json(UsageScanner::default())),
            _ => Some(BodyFormat::Unreadable),
        }
    }
}

impl UsageReader {
    /// Creates a reader for an answer of this `content-type`; `None` if such an answer never reports a usage.
    pub fn new(content_type: &[u8]) -> Option<Self> {
        let begins = |kind: &[u8]| {
            let start = content_type.get(..kind.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(kind))
        };
        let format = if begins(b"application/json") {
            BodyFormat::Json(UsageScanner::default())
        } else if begins(b"application/vnd.amazon.eventstream") {
            BodyFormat::AwsEvents(AwsEventReader::default())
        } else if content_type.is_empty() || begins(b"text/plain") {
            BodyFormat::Undetermined
        } else {
            return None;
        };
        Some(UsageReader {
            format,
            reported: ReportedUsage::default(),
        })
    }

    /// Reads the usage from an answer's headers (Bedrock's `invoke`).
    pub fn read_headers(&mut self, header: &dyn Fn(&str) -> Option<Vec<u8>>) {
        for (name, count) in BEDROCK_HEADERS {
            if let Some(value) = header(name) {
                self.reported.counts.take(count, value.trim_ascii());
            }
        }
    }

    /// Takes the next bytes of the body, in arbitrary chunks.
    pub fn push(&mut self, chunk: &[u8]) {
        if matches!(self.format, BodyFormat::Undetermined)
            && let Some(format) = BodyFormat::from_bytes(chunk)
        {
            self.format = format;
        }
        match &mut self.format {
            BodyFormat::Json(scanner) => scanner.push(chunk, &mut self.reported),
            BodyFormat::AwsEvents(reader) => reader.push(chunk, &mut self.reported),
            BodyFormat::Undetermined | BodyFormat::Unreadable => {}
        }
    }

    /// Whether pushing more bytes is of any use.
    pub fn is_of_use(&self) -> bool {
        !matches!(self.format, BodyFormat::Unreadable)
    }

    /// Returns the usage that the answer has reported so far.
    pub fn usage(&self) -> Usage {
        self.reported.usage()
    }

    /// Returns the model that the answer names.
    pub fn model(&self) -> Option<&str> {
        self.reported.model()
    }

    /// Whether the answer is an error, whatever its status: its `error` is not empty, or its type says that it is
    /// one.
    pub fn is_error(&self) -> bool {
        matches!(&self.format, BodyFormat::Json(scanner) if scanner.is_error())
    }

    /// Returns the approximate number of bytes of text that the model wrote, in the fields that contain text; `None`
    /// if the answer cannot be read.
    pub fn text_bytes(&self) -> Option<u64> {
        match &self.format {
            BodyFormat::Json(scanner) => Some(scanner.text_bytes()),
            BodyFormat::AwsEvents(reader) => Some(reader.text_bytes()),
            BodyFormat::Undetermined | BodyFormat::Unreadable => None,
        }
    }
}

/// Headers with counts, and the names of the same counts in a usage.
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
