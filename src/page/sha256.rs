//! SHA-256 (FIPS 180-4), for the page's secret and for the hashes in its Content-Security-Policy. No branch and no
//! table lookup depends on the hashed bytes.

/// A SHA-256 digest.
pub type Sha256Digest = [u8; 32];

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
const ROUNDS: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// The first 32 bits of the fractional parts of the square roots of the first 8 primes.
const INITIAL: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

const BLOCK: usize = 64;

/// Returns the SHA-256 digest of some bytes.
pub fn sha256(bytes: &[u8]) -> Sha256Digest {
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    while padded.len() % BLOCK != 56 {
        padded.push(0);
    }
    let bits = u64::try_from(bytes.len()).unwrap_or(0).wrapping_mul(8);
    padded.extend(bits.to_be_bytes());
    let mut state = INITIAL;
    for block in padded.chunks_exact(BLOCK) {
        compress(&mut state, block);
    }
    let mut digest = [0; 32];
    let words = state.iter().flat_map(|word| word.to_be_bytes());
    for (to, from) in digest.iter_mut().zip(words) {
        *to = from;
    }
    digest
}

fn compress(state: &mut [u32; 8], block: &[u8]) {
    // The last sixteen words of the message schedule, the oldest first.
    let mut window = [0_u32; 16];
    for (word, bytes) in window.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes
            .iter()
            .fold(0, |word, byte| (word << 8) | u32::from(*byte));
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for constant in ROUNDS {
        let [oldest, second, .., fourteenth, _] = window;
        let [.., seventh_last, _, _, _, _, _, _] = window;
        let sum = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let first = h
            .wrapping_add(sum)
            .wrapping_add((e & f) ^ (!e & g))
            .wrapping_add(constant)
            .wrapping_add(oldest);
        let sum = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let other = sum.wrapping_add((a & b) ^ (a & c) ^ (b & c));
        (h, g, f, e) = (g, f, e, d.wrapping_add(first));
        (d, c, b, a) = (c, b, a, first.wrapping_add(other));
        let next = oldest
            .wrapping_add(second.rotate_right(7) ^ second.rotate_right(18) ^ (second >> 3))
            .wrapping_add(seventh_last)
            .wrapping_add(
                fourteenth.rotate_right(17) ^ fourteenth.rotate_right(19) ^ (fourteenth >> 10),
            );
        window.rotate_left(1);
        let [.., last] = &mut window;
        *last = next;
    }
    for (word, add) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(add);
    }
}

/// Whether two digests are equal. The time that this takes does not depend on where they differ.
pub fn digests_equal(one: &Sha256Digest, other: &Sha256Digest) -> bool {
    let pairs = one.iter().zip(other);
    let differing = pairs.fold(0, |differing, (a, b)| differing | (a ^ b));
    std::hint::black_box(differing) == 0
}

/// Parses a digest from its 64 hexadecimal digits.
pub fn from_hex(text: &str) -> Option<Sha256Digest> {
    let mut digest = [0; 32];
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() == 64)?;
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        let value = pair.iter().fold(0, |value, digit| (value << 4) | digit);
        *byte = u8::try_from(value).ok()?;
    }
    Some(digest)
}

/// Encodes a digest in base64, as a Content-Security-Policy has it.
pub(super) fn base64(digest: &Sha256Digest) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in digest.chunks(3) {
        let mut bytes = chunk.iter();
        let bits = [0; 3].into_iter().fold(0_u32, |bits, absent: u8| {
            (bits << 8) | u32::from(*bytes.next().unwrap_or(&absent))
        });
        for (place, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let letter = LETTERS.get(usize::try_from((bits >> shift) & 63).unwrap_or(0));
            let is_there = place <= chunk.len();
            text.push(char::from(*letter.filter(|_| is_there).unwrap_or(&b'=')));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digest: Sha256Digest) -> String {
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// NIST's examples for FIPS 180-4, and every length around the end of a block.
    #[test]
    fn known_digests() {
        for (text, expected) in [
            (
                "",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                "abc",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
            (
                "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
                "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
            ),
        ] {
            assert_eq!(hex(sha256(text.as_bytes())), expected, "{text}");
        }
        assert_eq!(
            hex(sha256(&vec![b'a'; 1_000_000])),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
        // The digest of the digests of 0 to 200 zeros, by Python's hashlib.
        let all: Vec<u8> = (0..=200)
            .flat_map(|length| sha256(&vec![0; length]))
            .collect();
        assert_eq!(
            hex(sha256(&all)),
            "b9c4ebeeb7d1825824131cf7b7d28469cca4f9166473bf51bb519365ae27eccd"
        );
    }

    #[test]
    fn what_is_the_same() {
        let digest = sha256(b"a secret");
        assert!(digests_equal(&digest, &sha256(b"a secret")));
        for at in 0..32 {
            for bit in 0..8 {
                let mut other = digest;
                other[at] ^= 1 << bit;
                assert!(!digests_equal(&digest, &other), "{at} {bit}");
            }
        }
    }

    #[test]
    fn hexadecimal() {
        let digest = sha256(b"abc");
        assert_eq!(from_hex(&hex(digest)), Some(digest));
        assert_eq!(from_hex(&hex(digest).to_uppercase()), Some(digest));
        for wrong in ["", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64)] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }

    /// Computed by coreutils' base64.
    #[test]
    fn in_base64() {
        assert_eq!(
            base64(&sha256(b"abc")),
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
        );
        assert_eq!(
            base64(&[0xff; 32]),
            "//////////////////////////////////////////8="
        );
    }
}
