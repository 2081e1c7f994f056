//! What an answer took and gave, in tokens, as the answer itself says.
//!
//! Providers count differently. Here the input includes what was read from a cache and written to one, and the output includes
//! reasoning; the parts are told as well.
//!
//! Sources: OpenAI's references of `CompletionUsage`, `ResponseUsage` and the usages of images and transcriptions; Anthropic's of
//! `Usage` and of `message_delta` (its counts are cumulative, its input is without what the cache had); Gemini's
//! `UsageMetadata` (thoughts are beside the candidates); Bedrock's `TokenUsage` (as Anthropic's); the additions of DeepSeek
//! (`prompt_cache_hit_tokens`) and of OpenRouter (`cache_write_tokens`).

mod frames;
mod scanner;

use frames::Frames;
use scanner::{Found, Scanner};

use crate::json::Json;
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

/// The counts as they are told, of which later ones take the place of earlier ones.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// With what the cache had.
    input: Option<u64>,
    cached_input: Option<u64>,
    cache_write: Option<u64>,
    /// What tools brought in, beside the input.
    tool_input: Option<u64>,
    /// With reasoning.
    output: Option<u64>,
    /// Without.
    plain_output: Option<u64>,
    reasoning: Option<u64>,
    /// Whether the cache's counts stand beside the input.
    is_beside: bool,
}

impl Counts {
    /// Takes over what one usage says.
    fn read(&mut self, object: &[u8]) {
        // What is malformed further on has said what it has said.
        let _ = Json::whole(object, |json| {
            json.fields(|json, key| match key {
                b"prompt_tokens_details"
                | b"input_tokens_details"
                | b"completion_tokens_details"
                | b"output_tokens_details" => json.fields(|json, key| {
                    self.take_detail(key, json.skip()?);
                    Ok(())
                }),
                _ => {
                    self.take(key, json.skip()?);
                    Ok(())
                }
            })
        });
    }

    fn take(&mut self, key: &[u8], value: &[u8]) {
        let is_beside = matches!(
            key,
            b"cache_creation_input_tokens"
                | b"cache_read_input_tokens"
                | b"cacheReadInputTokens"
                | b"cacheReadInputTokenCount"
                | b"cacheWriteInputTokens"
        );
        let count = match key {
            b"prompt_tokens" | b"input_tokens" | b"inputTokens" | b"promptTokenCount"
            | b"inputTokenCount" => &mut self.input,
            b"prompt_cache_hit_tokens"
            | b"cache_read_input_tokens"
            | b"cacheReadInputTokens"
            | b"cacheReadInputTokenCount"
            | b"cachedContentTokenCount" => &mut self.cached_input,
            b"cache_creation_input_tokens" | b"cacheWriteInputTokens" => &mut self.cache_write,
            b"toolUsePromptTokenCount" => &mut self.tool_input,
            b"completion_tokens" | b"output_tokens" | b"outputTokens" | b"outputTokenCount" => {
                &mut self.output
            }
            b"candidatesTokenCount" => &mut self.plain_output,
            b"thoughtsTokenCount" => &mut self.reasoning,
            _ => return,
        };
        if let Some(told) = number(value) {
            *count = Some(told);
            self.is_beside |= is_beside;
        }
    }

    fn take_detail(&mut self, key: &[u8], value: &[u8]) {
        let count = match key {
            b"cached_tokens" => &mut self.cached_input,
            b"cache_write_tokens" => &mut self.cache_write,
            b"reasoning_tokens" => &mut self.reasoning,
            _ => return,
        };
        *count = number(value).or(*count);
    }

    fn usage(&self) -> Usage {
        let sum = |counts: &[Option<u64>]| {
            counts
                .iter()
                .flatten()
                .fold(0, |sum: u64, one| sum.saturating_add(*one))
        };
        let beside = if self.is_beside {
            sum(&[self.cached_input, self.cache_write])
        } else {
            0
        };
        let input = self.input.or(self.tool_input.map(|_| 0));
        let thoughts = match self.plain_output {
            Some(_) => self.reasoning,
            None => None,
        };
        let output = self.output.or(self.plain_output);
        // A model of Gemini's that was stopped while it thought has no candidates.
        let output = output.or(self.reasoning.filter(|_| self.output.is_none()));
        Usage {
            input: input.map(|input| {
                input
                    .saturating_add(beside)
                    .saturating_add(sum(&[self.tool_input]))
            }),
            cached_input: self.cached_input,
            cache_write: self.cache_write,
            output: output.map(|output| output.saturating_add(sum(&[thoughts]))),
            reasoning: self.reasoning,
        }
    }
}

/// No answer has more, and sums of such numbers stay numbers.
const MOST: u64 = 1 << 48;

fn number(value: &[u8]) -> Option<u64> {
    let number: u64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    (number <= MOST).then_some(number)
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
            self.model = text::decode(inside);
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
        match &mut self.form {
            Form::Json(scanner) => scanner.push(chunk, &mut self.reported),
            Form::AwsEvents(frames) => frames.push(chunk, &mut self.reported),
        }
    }

    /// What it took and gave, as far as it has said so.
    pub fn usage(&self) -> Usage {
        self.reported.usage()
    }

    /// Which model it says it is from.
    pub fn model(&self) -> Option<&str> {
        self.reported.model()
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
