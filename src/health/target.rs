//! The name of a target among the ailing ones.

/// Which target: a stable hash (FNV-1a, 64 bits) of its backend's name and of its model entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TargetKey(u64);

/// Stands in no UTF-8, so in no name either.
const SEPARATOR: u8 = 0xff;

impl TargetKey {
    /// The target of a backend that this entry of its models (a name or a pattern) stands for.
    pub fn new(backend: &str, model_entry: &str) -> Self {
        let bytes = backend
            .bytes()
            .chain([SEPARATOR])
            .chain(model_entry.bytes());
        Self(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    /// As a number, to be kept with an attempt.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// From what [`TargetKey::bits`] gave.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}
