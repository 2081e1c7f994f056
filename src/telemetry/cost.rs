//! What an answer costs.

use crate::config::{Price, Prices};
use crate::schema::Usage;

/// What tokens cost at these prices, in pico-dollars; `None`: that is not known, which is not nothing.
///
/// Where a kind of tokens has no price of its own, it has that of its whole: what was read from a cache or written to one that
/// of the input, reasoning that of the output. A kind of which there was nothing needs no price.
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
    // What has no prices at all is not known to be free.
    (prices.input.is_some() || prices.output.is_some()).then_some(sum)
}

/// In dollars, as a decimal number.
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
