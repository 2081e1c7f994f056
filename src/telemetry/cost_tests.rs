use super::*;

fn prices(written: [Option<u64>; 5]) -> Prices {
    let [input, cached_input, cache_write, output, reasoning] = written.map(|one| one.map(Price));
    Prices {
        input,
        cached_input,
        cache_write,
        output,
        reasoning,
    }
}

fn usage(told: [Option<u64>; 5]) -> Usage {
    let [input, cached_input, cache_write, output, reasoning] = told;
    Usage {
        input,
        cached_input,
        cache_write,
        output,
        reasoning,
    }
}

#[test]
fn costs() {
    const NO: Option<u64> = None;
    let all = [Some(2), Some(1), Some(3), Some(10), Some(20)];
    for (told, prices_are, expected) in [
        // Each kind at its own price.
        (
            [Some(100), Some(30), Some(20), Some(50), Some(40)],
            all,
            Some(50 * 2 + 30 + 20 * 3 + 10 * 10 + 40 * 20),
        ),
        ([Some(100), NO, NO, Some(50), NO], all, Some(700)),
        // A kind without its own price has the price of its whole.
        (
            [Some(100), Some(30), Some(20), Some(50), Some(40)],
            [Some(2), NO, NO, Some(10), NO],
            Some(700),
        ),
        // An unknown usage does not cost zero.
        ([NO; 5], all, NO),
        ([Some(100), NO, NO, Some(50), NO], [NO; 5], NO),
        (
            [Some(100), NO, NO, Some(50), NO],
            [NO, NO, NO, Some(10), NO],
            NO,
        ),
        (
            [Some(100), NO, NO, Some(50), NO],
            [Some(2), NO, NO, NO, NO],
            NO,
        ),
        ([NO, NO, NO, Some(50), NO], all, NO),
        ([Some(0), NO, NO, Some(0), NO], [NO; 5], NO),
        // A kind that was not used needs no price, for example the output of embeddings.
        (
            [Some(100), NO, NO, NO, NO],
            [Some(2), NO, NO, NO, NO],
            Some(200),
        ),
        (
            [Some(100), NO, NO, Some(0), NO],
            [Some(2), NO, NO, NO, NO],
            Some(200),
        ),
        // A price of zero is a price.
        (
            [Some(100), NO, NO, Some(9), NO],
            [Some(0), NO, NO, Some(0), NO],
            Some(0),
        ),
        // Parts that exceed their whole are not subtracted twice.
        (
            [Some(10), Some(30), NO, Some(5), Some(9)],
            all,
            Some(30 + 180),
        ),
        // The sum exceeds what a number can hold.
        ([Some(u64::MAX), NO, NO, Some(1), NO], all, Some(u64::MAX)),
    ] {
        let found = cost(&usage(told), &prices(prices_are));
        assert_eq!(found, expected, "{told:?} {prices_are:?}");
    }
}

#[test]
fn in_dollars() {
    for (cost, expected) in [
        (0, "0"),
        (1, "0.000000000001"),
        (1_250_000_000, "0.00125"),
        (1_000_000_000_000, "1"),
        (20_500_000_000_000, "20.5"),
    ] {
        assert_eq!(dollars(cost), expected);
    }
}

/// The most expensive answer that is believed fits into a number of pico-dollars, including what metrics have carried
/// over.
#[test]
fn no_cost_is_cut_off() {
    let dearest = Some(10_000 * 1_000_000);
    let most = crate::schema::MAX_TOKENS;
    // Input and tool tokens; cached tokens; output and reasoning tokens.
    let told = [
        Some(4 * most),
        Some(most),
        Some(most),
        Some(2 * most),
        Some(most),
    ];
    let found = cost(&usage(told), &prices([dearest; 5])).unwrap();
    assert_eq!(found, 6 * most * 10_000_000_000);
    assert!(found < u64::MAX - 1_000_000);
}
