//! The order in which a route's candidates are tried.

use crate::config::Strategy;

/// Puts candidates into the order of attempts. `weight` tells a candidate's weight; `random` is 64 random bits,
/// of which `ordered` needs none.
pub(super) fn order<T>(
    strategy: Strategy,
    candidates: Vec<T>,
    weight: impl Fn(&T) -> u32,
    random: u64,
) -> Vec<T> {
    match strategy {
        Strategy::Ordered => candidates,
        Strategy::Weighted => draw_all(candidates, weight, random),
    }
}

/// Draws all, one after the other, each in proportion to its weight among those left. Those without a weight come last
/// and keep their order.
fn draw_all<T>(mut left: Vec<T>, weight: impl Fn(&T) -> u32, mut random: u64) -> Vec<T> {
    let mut drawn = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let total = left
            .iter()
            .map(|one| u64::from(weight(one)))
            .fold(0, u64::saturating_add);
        random = mix(random);
        let mut point = scale(random, total);
        let position = left.iter().position(|one| {
            let weight = u64::from(weight(one));
            let hit = point < weight;
            point = point.saturating_sub(weight);
            hit
        });
        drawn.push(left.remove(position.unwrap_or(0)));
    }
    drawn
}

/// Evenly from 64 random bits to `0..total` (the high half of their product: Lemire 2019, without the rejection,
/// whose bias of `total / 2^64` nobody can measure).
fn scale(random: u64, total: u64) -> u64 {
    let product = u128::from(random).wrapping_mul(u128::from(total));
    u64::try_from(product >> 64).unwrap_or(0)
}

/// The next of a sequence of well-mixed numbers (SplitMix64, Steele, Lea and Flood 2014).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(weights: &[u32], random: u64) -> Vec<usize> {
        let candidates = (0..weights.len()).collect();
        order(
            Strategy::Weighted,
            candidates,
            |index: &usize| weights[*index],
            random,
        )
    }

    #[test]
    fn weights_within_three_standard_errors() {
        let weights = [70, 20, 10];
        let rounds = 30_000_u32;
        let mut firsts = [0_u32; 3];
        let mut seconds_after_first = [0_u32; 3];
        for seed in 0..rounds {
            let order = drawn(&weights, mix(seed.into()));
            firsts[order[0]] += 1;
            if order[0] == 0 {
                seconds_after_first[order[1]] += 1;
            }
        }
        let check = |seen: u32, of: u32, share: f64| {
            let expected = f64::from(of) * share;
            let error = (f64::from(of) * share * (1.0 - share)).sqrt();
            assert!(
                (f64::from(seen) - expected).abs() < 3.0 * error,
                "{seen} of {of}"
            );
        };
        for (seen, weight) in firsts.iter().zip(weights) {
            check(*seen, rounds, f64::from(weight) / 100.0);
        }
        check(seconds_after_first[1], firsts[0], 2.0 / 3.0);
    }

    #[test]
    fn without_a_weight_last_and_in_order() {
        for seed in 0..100 {
            let order = drawn(&[0, 3, 0, 1], seed);
            assert_eq!(order[2..], [0, 2]);
        }
    }

    #[test]
    fn ordered_keeps_the_order() {
        let order = order(Strategy::Ordered, vec![3, 1, 2], |_| 1, 99);
        assert_eq!(order, [3, 1, 2]);
    }
}
