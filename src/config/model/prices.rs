//! Token prices of models, and the maximum prices of routes.

use std::fmt;

use crate::config::fields;
use crate::config::reader::Node;

/// The price of one token in pico-dollars (US), which is millionths of a dollar for a million tokens. As an integer, it
/// makes sums exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Price(pub u64);

/// Written in dollars for a million tokens, as in documents.
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

/// The prices of a model's tokens, by kind. `None` means not known, not free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// Prompt tokens.
    pub input: Option<Price>,
    /// Prompt tokens that the provider reads from its cache.
    pub cached_input: Option<Price>,
    /// Prompt tokens that the provider writes to its cache.
    pub cache_write: Option<Price>,
    /// Answer tokens.
    pub output: Option<Price>,
    /// Reasoning tokens, which the answer does not show.
    pub reasoning: Option<Price>,
}

/// The highest token prices that a route accepts; `None`: any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaxPrices {
    /// For prompt tokens.
    pub input: Option<Price>,
    /// For answer tokens.
    pub output: Option<Price>,
}

/// The highest accepted price, in dollars for a million tokens. A higher one is taken for a typing error.
const MAX_PRICE: u32 = 10_000;

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
        node.decimal(MAX_PRICE, 6, UNIT).map(Price)
    }
}
