//! Hashes that are the same in every process, on every platform and in every version. With others, an update could
//! move a conversation to another target.

/// Separates values that are hashed one after the other. It cannot occur in UTF-8, so no name contains it.
pub(crate) const SEPARATOR: u8 = 0xff;

/// FNV-1a with 64 bits (Fowler, Noll and Vo; RFC 9923), for data that arrive piece by piece. It distinguishes inputs,
/// but gives similar bits to similar inputs: see [`mix`].
pub(crate) struct Fnv1a(u64);

impl Fnv1a {
    pub(crate) fn new() -> Self {
        Fnv1a(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(crate) fn finish(self) -> u64 {
        self.0
    }
}

/// Returns the [`Fnv1a`] hash of complete data.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = Fnv1a::new();
    hash.add(bytes);
    hash.finish()
}

/// Returns the hash of names, one after the other.
pub(crate) fn hash_names(names: &[&str]) -> u64 {
    let mut hash = Fnv1a::new();
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            hash.add(&[SEPARATOR]);
        }
        hash.add(name.as_bytes());
    }
    hash.finish()
}

/// Returns the next of a sequence of well-mixed numbers (SplitMix64, Steele, Lea and Flood 2014). Each of its bits
/// depends on all bits of the seed, and no two seeds have the same next number.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Maps 64 mixed bits evenly to `0..total` (the high half of their product: Lemire 2019, without the rejection,
/// because its bias of `total / 2^64` cannot be measured).
pub(crate) fn scale(bits: u64, total: u64) -> u64 {
    let product = u128::from(bits).wrapping_mul(u128::from(total));
    u64::try_from(product >> 64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values that the authors of both algorithms have published.
    #[test]
    fn as_published() {
        let of = |text: &str| fnv1a(text.as_bytes());
        assert_eq!(of(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(of("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(of("foobar"), 0x8594_4171_f739_67e8);
        // SplitMix64 from the seed 1234567. Its state is the seed plus what was added so far.
        let gamma = 0x9e37_79b9_7f4a_7c15_u64;
        let sequence =
            (0..3).map(|step: u64| mix(1_234_567_u64.wrapping_add(gamma.wrapping_mul(step))));
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert!(sequence.eq(published));
    }

    #[test]
    fn names_stay_apart() {
        assert_ne!(hash_names(&["ab", "c"]), hash_names(&["a", "bc"]));
        assert_ne!(hash_names(&["a", ""]), hash_names(&["a"]));
        assert_eq!(hash_names(&["a", "b"]), fnv1a(b"a\xffb"));
    }

    #[test]
    fn scaled_evenly_and_below_the_total() {
        assert_eq!(scale(0, 10), 0);
        assert_eq!(scale(u64::MAX, 10), 9);
        assert_eq!(scale(1 << 63, 10), 5);
        assert_eq!(scale(u64::MAX, 0), 0);
    }
}
