//! Orders targets by a key without stored state: weighted rendezvous hashing (Thaler and Ravishankar 1998; with
//! weights: Resch 2015).
//!
//! Each target has a number for each key, `u` between 0 and 1, and costs `-log u / weight`; the cheapest target comes
//! first. These costs are distributed exponentially with the weights as rates. So each target comes first for its share
//! of keys, and the order of the others is distributed like draws without replacement. The cost of a target depends
//! only on the key, the target and its weight: a new target takes keys from all others and moves none between them, and
//! a removed target gives up only its own.
//!
//! All arithmetic uses integers: the order is the same in every process, on every platform and in every version.

use std::cmp::Ordering;

use crate::hash::mix;

/// Appends targets to a plan, the cheapest first; those with weight 0 come last, in their order. `bits` represent the
/// key; `of` returns a target's weight and identity.
pub(super) fn order<T>(
    targets: Vec<T>,
    bits: u64,
    of: impl Fn(&T) -> (u32, u64),
    plan: &mut Vec<T>,
) {
    let mut left = Vec::with_capacity(targets.len());
    let mut without_weight = Vec::new();
    for target in targets {
        let (weight, identity) = of(&target);
        if weight > 0 {
            left.push((Cost::new(bits, identity, weight), target));
        } else {
            without_weight.push(target);
        }
    }
    // Sorting would enlarge the module, and there are never many targets.
    while !left.is_empty() {
        let cheapest = left.iter().enumerate();
        let cheapest = cheapest.min_by(|(_, (one, _)), (_, (other, _))| one.compare(other));
        let index = cheapest.map_or(0, |(index, _)| index);
        plan.push(left.swap_remove(index).1);
    }
    plan.append(&mut without_weight);
}

/// The cost of a target for a key.
struct Cost {
    hash: u64,
    log: u64,
    weight: u64,
}

impl Cost {
    fn new(bits: u64, identity: u64, weight: u32) -> Cost {
        let hash = mix(bits ^ identity);
        Cost {
            hash,
            log: minus_log2(hash),
            weight: weight.into(),
        }
    }

    /// Compares `log / weight` of both, multiplied by both weights: a product has at most the 43 bits of a logarithm
    /// and the 20 of the largest weight.
    fn compare(&self, other: &Cost) -> Ordering {
        let this = self.log.saturating_mul(other.weight);
        let that = other.log.saturating_mul(self.weight);
        this.cmp(&that).then(other.hash.cmp(&self.hash))
    }
}

/// How many fractional bits a logarithm has. The smallest one that matters is about `2^-20`, for the largest weight
/// against the smallest, and still has 16 significant bits.
const FRACTION_BITS: u32 = 36;

/// Returns `-log2(hash / 2^64)` in units of `2^-36`, rounded up; never 0. Computes the binary digits one by one, by
/// squaring.
fn minus_log2(hash: u64) -> u64 {
    // The logarithm of 0 is not defined.
    let hash = hash.max(1);
    let zeros = hash.leading_zeros();
    // From 1 to below 2, with 63 fractional bits.
    let mut mantissa = hash << zeros;
    let mut fraction = 0_u64;
    for _ in 0..FRACTION_BITS {
        let square = u128::from(mantissa).wrapping_mul(u128::from(mantissa));
        let high = u64::try_from(square >> 64).unwrap_or(u64::MAX);
        let digit = high >> 63;
        fraction = (fraction << 1) | digit;
        mantissa = if digit == 1 {
            high
        } else {
            u64::try_from(square >> 63).unwrap_or(u64::MAX)
        };
    }
    let whole = u64::from(zeros).saturating_add(1) << FRACTION_BITS;
    whole.saturating_sub(fraction)
}

#[cfg(test)]
#[path = "rendezvous_tests.rs"]
mod tests;
