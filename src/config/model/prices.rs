//! What tokens cost.

use std::fmt;

use crate::config::fields;
use crate::config::reader::Node;

/// In pico-dollars (US) for one token, which are millionths of a dollar for a million of them: sums are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Price(pub u64);

/// In dollars for a million tokens, as documents have it.
impl fmt::Display for Price {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, millionths) = (self.0 / 1_000_000, self.0 % 1_000_000);
        if millionths == 0 {
            return write!(out, "{whole}");
        }
        let decimals = format!("{millionths:06}");
        write!(out, "{whole}.{}", decimals.trim_end_matches('0'))
    }
}

/// What a model's tokens cost, by their kind; `None` is not known, which is not free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// Those of the prompt.
    pub input: Option<Price>,
    /// Those of the prompt that the provider has seen before.
    pub cached_input: Option<Price>,
    /// Those of the prompt that the provider keeps.
    pub cache_write: Option<Price>,
    /// Those of the answer.
    pub output: Option<Price>,
    /// Those of the answer that nobody sees.
    pub reasoning: Option<Price>,
}

/// What a route lets a token cost; `None`: anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaxPrices {
    /// Of the prompt.
    pub input: Option<Price>,
    /// Of the answer.
    pub output: Option<Price>,
}

/// More than that is no price for a million tokens, but a slip.
const MOST: u32 = 10_000;

const UNIT: &str = "US dollars for a million tokens";

const EMPTY: &str =
    "must not be empty: omit the field if no price is known, and write 0 for a price of nothing";

pub(super) fn read_prices(node: &Node<'_>) -> Prices {
    let price = reader(node, fields::PRICES);
    Prices {
        input: price("input"),
        cached_input: price("cached_input"),
        cache_write: price("cache_write"),
        output: price("output"),
        reasoning: price("reasoning"),
    }
}

pub(in crate::config) fn read_max_prices(node: &Node<'_>) -> MaxPrices {
    let price = reader(node, fields::MAX_PRICES);
    MaxPrices {
        input: price("input"),
        output: price("output"),
    }
}

fn reader<'a>(
    node: &Node<'a>,
    known: &'static [&'static str],
) -> impl Fn(&str) -> Option<Price> + use<'a> {
    let fields = node.fields(known);
    if fields.is_empty() {
        fields.error(EMPTY);
    }
    move |name| {
        let node = fields.optional(name)?;
        node.decimal(MOST, 6, UNIT).map(Price)
    }
}
