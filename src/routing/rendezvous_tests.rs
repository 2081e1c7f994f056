//! Tests of which targets keys are assigned to, and which keys move when the targets change.

use super::*;
use crate::hash;
use crate::routing::statistics::is_share;

/// The name and weight of a target.
type Named = (&'static str, u32);

const TARGETS: [Named; 4] = [("a", 40), ("b", 30), ("c", 20), ("d", 10)];

const KEYS: u32 = 40_000;

fn ordered(targets: &[Named], key: u32) -> Vec<&'static str> {
    let bits = hash::mix(hash::hash_names(&[&format!("key {key}")]));
    let of = |(name, weight): &Named| (*weight, hash::hash_names(&[name]));
    let mut plan = Vec::new();
    order(targets.to_vec(), bits, of, &mut plan);
    plan.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn weights_within_three_standard_errors() {
    let mut firsts = [0; 4];
    let mut seconds_after_first = [0; 4];
    let index = |name| {
        TARGETS
            .iter()
            .position(|(known, _)| *known == name)
            .unwrap()
    };
    for key in 0..KEYS {
        let order = ordered(&TARGETS, key);
        firsts[index(order[0])] += 1;
        if order[0] == "a" {
            seconds_after_first[index(order[1])] += 1;
        }
    }
    for ((_, weight), seen) in TARGETS.iter().zip(firsts) {
        is_share(seen, KEYS, f64::from(*weight) / 100.0);
    }
    // As if drawn from the remaining targets.
    for ((_, weight), seen) in TARGETS.iter().zip(seconds_after_first).skip(1) {
        is_share(seen, firsts[0], f64::from(*weight) / 60.0);
    }
}

#[test]
fn a_small_weight_beside_a_large_one() {
    let targets = [("small", 1), ("large", 999)];
    let firsts = (0..100_000).filter(|key| ordered(&targets, *key)[0] == "small");
    is_share(u32::try_from(firsts.count()).unwrap(), 100_000, 0.001);
}

#[test]
fn a_new_target_takes_its_share_and_moves_nothing_else() {
    let with_one_more = [&TARGETS[..], &[("e", 25)]].concat();
    let mut moved = 0;
    for key in 0..KEYS {
        let (before, after) = (ordered(&TARGETS, key), ordered(&with_one_more, key));
        if before[0] != after[0] {
            assert_eq!(after[0], "e");
            moved += 1;
        }
        // The fallback order of the others does not change either.
        let others = after.into_iter().filter(|name| *name != "e");
        assert!(others.eq(before));
    }
    is_share(moved, KEYS, 25.0 / 125.0);
}

#[test]
fn a_target_that_goes_leaves_its_own() {
    let without = [TARGETS[0], TARGETS[2], TARGETS[3]];
    for key in 0..KEYS {
        let (before, after) = (ordered(&TARGETS, key), ordered(&without, key));
        let others = before.into_iter().filter(|name| *name != "b");
        assert!(others.eq(after));
    }
}

#[test]
fn a_weight_that_grows_only_takes() {
    let mut heavier = TARGETS;
    heavier[3].1 = 30;
    let mut moved = 0;
    for key in 0..KEYS {
        let (before, after) = (ordered(&TARGETS, key), ordered(&heavier, key));
        if before[0] != after[0] {
            assert_eq!(after[0], "d");
            moved += 1;
        }
        let others = |order: Vec<&'static str>| order.into_iter().filter(|name| *name != "d");
        assert!(others(before).eq(others(after)));
    }
    is_share(moved, KEYS, 30.0 / 120.0 - 10.0 / 100.0);
}

#[test]
fn neither_the_place_nor_the_sum_of_the_weights_counts() {
    let mut turned = TARGETS;
    turned.reverse();
    let scaled = TARGETS.map(|(name, weight)| (name, weight * 1_000));
    for key in 0..1_000 {
        let expected = ordered(&TARGETS, key);
        assert_eq!(ordered(&turned, key), expected);
        assert_eq!(ordered(&scaled, key), expected);
    }
}

#[test]
fn without_a_weight_last_and_in_order() {
    for key in 0..100 {
        let order = ordered(&[("x", 0), ("a", 3), ("y", 0), ("b", 1)], key);
        assert_eq!(order[2..], ["x", "y"]);
    }
}

/// These expected values must never change: they are where requests with these keys already go.
#[test]
fn the_same_in_every_version() {
    let orders: Vec<String> = (0..8).map(|key| ordered(&TARGETS, key).concat()).collect();
    let expected = [
        "badc", "cabd", "abcd", "acdb", "bdac", "bdac", "bacd", "adcb",
    ];
    assert_eq!(orders, expected);
    let hashes = [0, 1, 1 << 62, 0x0123_4567_89ab_cdef, u64::MAX];
    let logs = hashes.map(minus_log2);
    let expected = [64 << 36, 64 << 36, 2 << 36, 536_958_954_791, 1];
    assert_eq!(logs, expected);
}

#[test]
fn logarithms_as_they_are() {
    let one = f64::from(FRACTION_BITS).exp2();
    for step in 0..2_000_u64 {
        let hash = mix(step) >> (step % 60);
        #[expect(
            clippy::cast_precision_loss,
            clippy::as_conversions,
            reason = "compared by as many digits"
        )]
        let (exact, seen) = (
            64.0 - (hash.max(1) as f64).log2(),
            minus_log2(hash) as f64 / one,
        );
        assert!(
            (exact - seen).abs() < 2e-11 + exact * 1e-15,
            "{hash} {exact} {seen}"
        );
    }
}
