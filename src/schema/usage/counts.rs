//! Reads the counts of a usage, under the names and in the formats of each provider.

use std::borrow::Cow;

use super::Usage;
use crate::json::JsonCursor;
use crate::request::text;

/// The largest count that is believed. With this limit, the cost of one answer at the highest price fits into a
/// number of pico-dollars.
pub(crate) const MAX_TOKENS: u64 = 100_000_000;

/// One count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Count {
    #[default]
    Missing,
    Valid(u64),
    /// A value that cannot be a count was given for it.
    Invalid,
}

impl Count {
    fn of(value: &[u8]) -> Self {
        match number(value) {
            _ if value == b"null" => Count::Missing,
            Some(number) => Count::Valid(number),
            None => Count::Invalid,
        }
    }

    /// Replaces this count with another one, if that was given.
    fn replace(&mut self, other: Self) {
        if other != Count::Missing {
            *self = other;
        }
    }

    fn valid(self) -> Option<u64> {
        match self {
            Count::Valid(number) => Some(number),
            Count::Missing | Count::Invalid => None,
        }
    }
}

/// Whether the input includes the cache's counts, by the name of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum CacheCounting {
    /// Included: `prompt_tokens`, and Gemini's.
    #[default]
    Included,
    /// Not included, if the cache's counts have Anthropic's names: OpenAI uses `input_tokens` too.
    ByName,
    /// Not included: Bedrock's.
    Separate,
}

/// The counts as they were given. Later ones replace earlier ones.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    input: Count,
    cache_counting: CacheCounting,
    cached_input: Count,
    cache_write: Count,
    /// Whether the cache's counts have names that the input may not include.
    may_be_separate: bool,
    /// Whether the last usage gave the cached tokens as a detail of the input.
    is_detail: bool,
    /// Whether the last usage has prompt and completion tokens. If so, its other counts named input and output are
    /// ignored.
    is_completion: bool,
    /// Input from tools, which the input does not include.
    tool_input: Count,
    output: Count,
    /// Output that never includes reasoning.
    output_without_reasoning: Count,
    reasoning: Count,
    /// The sum of input and output in the last usage.
    total: Count,
}

impl Counts {
    /// Takes the counts of one usage.
    pub(super) fn read(&mut self, object: &[u8]) {
        self.total = Count::Missing;
        self.is_detail = false;
        self.is_completion = false;
        // If the object is malformed further on, the counts before that still apply.
        let _ = JsonCursor::whole(object, |json| {
            json.fields(|json, key| match &*decoded(key) {
                b"prompt_tokens_details"
                | b"input_tokens_details"
                | b"completion_tokens_details"
                | b"output_tokens_details" => json.fields(|json, key| {
                    self.take_detail(&decoded(key), json.skip()?);
                    Ok(())
                }),
                key => {
                    self.take(key, json.skip()?);
                    Ok(())
                }
            })
        });
    }

    /// Takes one count.
    pub(super) fn take(&mut self, key: &[u8], value: &[u8]) {
        let reported = Count::of(value);
        match key {
            b"prompt_tokens" | b"completion_tokens" => {
                self.is_completion |= reported != Count::Missing
            }
            b"input_tokens" | b"output_tokens" if self.is_completion => return,
            _ => {}
        }
        let count = match key {
            b"prompt_tokens" | b"promptTokenCount" => self.input_as(CacheCounting::Included),
            b"input_tokens" => self.input_as(CacheCounting::ByName),
            b"inputTokens" | b"inputTokenCount" => self.input_as(CacheCounting::Separate),
            b"prompt_cache_hit_tokens" | b"cached_tokens" | b"cachedContentTokenCount" => {
                &mut self.cached_input
            }
            b"cache_read_input_tokens" | b"cacheReadInputTokens" | b"cacheReadInputTokenCount" => {
                self.may_be_separate = true;
                &mut self.cached_input
            }
            b"cache_creation_input_tokens"
            | b"cacheWriteInputTokens"
            | b"cacheWriteInputTokenCount" => {
                self.may_be_separate = true;
                &mut self.cache_write
            }
            b"toolUsePromptTokenCount" => &mut self.tool_input,
            b"completion_tokens" | b"output_tokens" | b"outputTokens" | b"outputTokenCount" => {
                &mut self.output
            }
            b"candidatesTokenCount" => &mut self.output_without_reasoning,
            b"thoughtsTokenCount" | b"reasoning_tokens" => &mut self.reasoning,
            b"total_tokens" => &mut self.total,
            _ => return,
        };
        count.replace(reported);
    }

    fn input_as(&mut self, cache_counting: CacheCounting) -> &mut Count {
        self.cache_counting = cache_counting;
        &mut self.input
    }

    fn take_detail(&mut self, key: &[u8], value: &[u8]) {
        let reported = Count::of(value);
        let count = match key {
            b"cached_tokens" | b"cache_read_input_tokens" => {
                self.is_detail = true;
                &mut self.cached_input
            }
            b"cache_write_tokens" | b"cache_creation_tokens" | b"cache_creation_input_tokens" => {
                self.is_detail = true;
                &mut self.cache_write
            }
            b"reasoning_tokens" => &mut self.reasoning,
            _ => return,
        };
        count.replace(reported);
    }

    /// Returns the combined usage. It is empty if any count is invalid or if the input was not given.
    pub(super) fn usage(&self) -> Usage {
        let all = [
            self.input,
            self.cached_input,
            self.cache_write,
            self.tool_input,
            self.output,
            self.output_without_reasoning,
            self.reasoning,
        ];
        let input = self.input.valid().or(self.tool_input.valid().map(|_| 0));
        let Some(input) = input.filter(|_| !all.contains(&Count::Invalid)) else {
            return Usage::default();
        };
        let input = sum(&[
            input,
            or_0(self.tool_input),
            self.separate_cache_tokens(input),
        ]);
        Usage {
            input: Some(input),
            cached_input: self.cached_input.valid(),
            cache_write: self.cache_write.valid(),
            output: self.total_output(input),
            reasoning: self.reasoning.valid(),
        }
    }

    /// Returns the cached tokens that the input does not include.
    fn separate_cache_tokens(&self, input: u64) -> u64 {
        let cache = sum(&[or_0(self.cached_input), or_0(self.cache_write)]);
        let is_separate = self.may_be_separate
            && match self.cache_counting {
                CacheCounting::Included => false,
                CacheCounting::ByName => {
                    let whole = sum(&[input, or_0(self.output)]);
                    !self.is_detail && self.total.valid() != Some(whole)
                }
                CacheCounting::Separate => true,
            };
        // A part cannot be larger than its whole.
        if is_separate || cache > input {
            cache
        } else {
            0
        }
    }

    /// Returns the output including reasoning.
    fn total_output(&self, input: u64) -> Option<u64> {
        let reasoning = or_0(self.reasoning);
        let Some(output) = self.output.valid() else {
            // A Gemini model that was stopped while it was thinking reports no candidates.
            let is_told = self
                .output_without_reasoning
                .valid()
                .or(self.reasoning.valid())
                .is_some();
            return is_told.then(|| sum(&[or_0(self.output_without_reasoning), reasoning]));
        };
        let with_reasoning = sum(&[output, reasoning]);
        let is_separate =
            reasoning > output || self.total.valid() == Some(sum(&[input, with_reasoning]));
        Some(if is_separate { with_reasoning } else { output })
    }
}

fn or_0(count: Count) -> u64 {
    count.valid().unwrap_or(0)
}

/// Adds counts, none of which is large.
fn sum(counts: &[u64]) -> u64 {
    counts
        .iter()
        .fold(0, |sum: u64, one| sum.saturating_add(*one))
}

/// Returns a key with its escapes decoded.
fn decoded(key: &[u8]) -> Cow<'_, [u8]> {
    if key.contains(&b'\\')
        && let Some(decoded) = text::decode(key)
    {
        return Cow::Owned(decoded.into_bytes());
    }
    Cow::Borrowed(key)
}

/// Parses a whole number that is believed, in any notation that JSON allows (`100`, `100.0`, `1e2`), also as a
/// string.
fn number(value: &[u8]) -> Option<u64> {
    let inside = value.strip_prefix(b"\"");
    let inside = inside.and_then(|value| value.strip_suffix(b"\""));
    let text = std::str::from_utf8(inside.unwrap_or(value)).ok()?;
    let (decimal, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = whole
        .bytes()
        .chain(fraction.bytes())
        .try_fold(0, |sum: u64, byte| {
            let digit = char::from(byte).to_digit(10)?;
            sum.checked_mul(10)?.checked_add(u64::from(digit))
        })?;
    let places = i32::try_from(fraction.len()).ok()?;
    let places = exponent.parse::<i32>().ok()?.checked_sub(places)?;
    let power = 10_u64.checked_pow(places.unsigned_abs())?;
    let number = if places < 0 {
        let is_whole = digits.checked_rem(power)? == 0;
        digits.checked_div(power).filter(|_| is_whole)?
    } else {
        digits.checked_mul(power)?
    };
    (!whole.is_empty() && number <= MAX_TOKENS).then_some(number)
}

#[cfg(test)]
#[path = "counts_tests.rs"]
mod tests;
