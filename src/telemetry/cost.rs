//! The cost of an answer.

use crate::config::{Price, Prices};
use crate::schema::Usage;

/// Returns the cost of this usage at these prices, in pico-dollars; `None` if it is not known, which is different
/// from zero.
///
/// A kind of tokens without its own price has the price of the whole that it is part of: tokens read from or written
/// to a cache cost as much as input, reasoning tokens as much as output. A kind that was not used needs no price.
pub fn cost(usage: &Usage, prices: &Prices) -> Option<u64> {
    let input = usage.input?;
    let cached = usage.cached_input.unwrap_or(0);
    let written = usage.cache_write.unwrap_or(0);
    let reasoning = usage.reasoning.unwrap_or(0);
    let input = input.saturating_sub(cached).saturating_sub(written);
    let output = usage.output.unwrap_or(0).saturating_sub(reasoning);
    let parts = [
        (input, prices.input),
        (cached, prices.cached_input.or(prices.input)),
        (written, prices.cache_write.or(prices.input)),
        (output, prices.output),
        (reasoning, prices.reasoning.or(prices.output)),
    ];
    let mut sum = 0_u64;
    for (tokens, price) in parts {
        if tokens > 0 {
            let Price(price) = price?;
            sum = sum.saturating_add(tokens.saturating_mul(price));
        }
    }
    // A model without any prices is not assumed to be free.
    (prices.input.is_some() || prices.output.is_some()).then_some(sum)
}

/// Formats a cost as a decimal number of dollars.
pub fn dollars(cost: u64) -> String {
    const WHOLE: u64 = 1_000_000_000_000;
    let (whole, rest) = (cost / WHOLE, cost % WHOLE);
    let decimals = format!("{rest:012}");
    let decimals = decimals.trim_end_matches('0');
    if decimals.is_empty() {
        whole.to_string()
    } else {
        format!("{whole}.{decimals}")
    }
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
