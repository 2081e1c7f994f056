//! Encodes values as bytes that are exchanged between the two roles and between workers. Both roles run the same
//! module, so the encoding has no version. Values in shared data, which a module that was loaded later may read,
//! start with a format number of their own. Bytes that do not decode are treated as absent.

/// Appends values to bytes.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    /// Writes a length or a position. Envoy's buffers are far smaller than 4 GiB.
    pub(crate) fn length(&mut self, value: usize) {
        let value = u32::try_from(value).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn number(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn long(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Writes a number that is usually small, with seven bits in each byte.
    pub(crate) fn count(&mut self, mut value: u64) {
        while value > 0x7f {
            self.byte(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
            value >>= 7;
        }
        self.byte(u8::try_from(value).unwrap_or(0));
    }

    /// Writes a member of a closed set.
    pub(crate) fn name<T: PartialEq, N>(&mut self, all: &[(N, T)], value: T) {
        let at = all.iter().position(|(_, known)| *known == value);
        self.byte(at.and_then(|at| u8::try_from(at).ok()).unwrap_or(0));
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.length(value.len());
        self.0.extend_from_slice(value);
    }

    pub(crate) fn list<T>(&mut self, items: &[T], write: impl Fn(&mut Self, &T)) {
        self.length(items.len());
        for item in items {
            write(self, item);
        }
    }
}

/// Takes values from bytes. Returns `None` where the bytes are not what was written.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(crate) fn length(&mut self) -> Option<usize> {
        let bytes = self.take(4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    }

    pub(crate) fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(crate) fn long(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    /// Reads a number that [`Writer::count`] wrote.
    pub(crate) fn count(&mut self) -> Option<u64> {
        let mut value = 0;
        for place in 0..=9 {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            let shift = u32::checked_mul(place, 7)?;
            value |= bits.checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Reads a member of a closed set.
    pub(crate) fn name<T: Copy, N>(&mut self, all: &[(N, T)]) -> Option<T> {
        let (_, value) = all.get(usize::from(self.byte()?))?;
        Some(*value)
    }

    pub(crate) fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = self.length()?;
        self.take(length).map(<[u8]>::to_vec)
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?).ok()
    }

    pub(crate) fn list<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.length()?;
        // Every item takes at least one byte, so a larger length is invalid, and no memory is reserved for it.
        if length > self.0.len() {
            return None;
        }
        (0..length).map(|_| read(self)).collect()
    }
}
