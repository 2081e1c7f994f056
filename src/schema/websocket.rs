//! Follows one side of a WebSocket session up to its close frame, without reading the messages.
//!
//! Source: RFC 6455, 5.2. A frame consists of flags and an opcode; a mask bit and a length of 7 bits; 2 or 8 further bytes
//! of length if that is 126 or 127; a mask of 4 bytes; the payload. A session ends with a close frame from each side, and
//! then the server closes the connection.

const CLOSE: u8 = 8;
const MASK_BYTES: u64 = 4;

/// The longest payload of a control frame.
const MAX_CONTROL_BYTES: u64 = 125;

/// How many bytes are read from Envoy at once.
const LOOK_BYTES: usize = 256;

/// The frames that one side sends.
#[derive(Clone, Debug, Default)]
pub struct WebSocket {
    part: Part,
    /// Whether the current frame is a close frame.
    closes: bool,
    /// Whether a whole close frame has passed.
    has_closed: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Part {
    #[default]
    Opcode,
    Length,
    /// The extended length: how many of its bytes are missing, its value so far, and the length of the mask.
    More {
        left: u8,
        length: u64,
        mask: u64,
    },
    Payload {
        left: u64,
    },
}

impl WebSocket {
    /// Whether this side has sent a close frame.
    pub fn has_closed(&self) -> bool {
        self.has_closed
    }

    /// Takes the next `size` bytes that pass. `read` returns some of them, by offset and length.
    pub fn push(&mut self, size: usize, read: impl Fn(usize, usize) -> Vec<u8>) {
        let mut at = 0;
        while at < size && !self.has_closed {
            let left = size.saturating_sub(at);
            if let Part::Payload { left: payload } = &mut self.part {
                let skipped = usize::try_from(*payload).unwrap_or(left).min(left);
                *payload = payload.saturating_sub(u64::try_from(skipped).unwrap_or(u64::MAX));
                at = at.saturating_add(skipped);
                self.end_payload();
                continue;
            }
            let bytes = read(at, LOOK_BYTES.min(left));
            if bytes.is_empty() {
                return;
            }
            at = at.saturating_add(bytes.len());
            for byte in bytes {
                self.step(byte);
            }
        }
    }

    fn step(&mut self, byte: u8) {
        self.part = match self.part {
            Part::Opcode => {
                self.closes = byte & 0x0f == CLOSE;
                Part::Length
            }
            Part::Length => {
                let mask = if byte & 0x80 == 0 { 0 } else { MASK_BYTES };
                let more = |left| Part::More {
                    left,
                    length: 0,
                    mask,
                };
                match byte & 0x7f {
                    126 => more(2),
                    127 => more(8),
                    length => self.payload(length.into(), mask),
                }
            }
            Part::More { left, length, mask } => {
                let length = length << 8 | u64::from(byte);
                match left.saturating_sub(1) {
                    0 => self.payload(length, mask),
                    left => Part::More { left, length, mask },
                }
            }
            Part::Payload { left } => Part::Payload {
                left: left.saturating_sub(1),
            },
        };
        self.end_payload();
    }

    fn payload(&mut self, length: u64, mask: u64) -> Part {
        self.closes &= length <= MAX_CONTROL_BYTES;
        Part::Payload {
            left: length.saturating_add(mask),
        }
    }

    /// Starts the next frame if the payload is complete.
    fn end_payload(&mut self) {
        if matches!(self.part, Part::Payload { left: 0 }) {
            self.has_closed |= self.closes;
            self.part = Part::Opcode;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns a frame with a payload of this length.
    fn frame(opcode: u8, length: usize, mask: bool) -> Vec<u8> {
        let bit = if mask { 0x80 } else { 0 };
        let mut frame = vec![0x80 | opcode];
        match u8::try_from(length) {
            Ok(short @ ..126) => frame.push(bit | short),
            _ if length < 65_536 => {
                frame.push(bit | 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(bit | 127);
                frame.extend(u64::try_from(length).unwrap().to_be_bytes());
            }
        }
        if mask {
            frame.extend([0x88; 4]);
        }
        // Each byte of the payload looks like the beginning of a close frame.
        frame.extend(std::iter::repeat_n(0x88, length));
        frame
    }

    /// Whether a close frame is found if the bytes arrive in pieces of this size.
    fn is_over(bytes: &[u8], piece: usize) -> bool {
        let mut side = WebSocket::default();
        for piece in bytes.chunks(piece) {
            side.push(piece.len(), |from, count| {
                piece[from..].iter().take(count).copied().collect()
            });
        }
        side.has_closed()
    }

    #[test]
    fn the_end_of_a_session() {
        for (frames, expected) in [
            (vec![frame(CLOSE, 2, false)], true),
            (vec![frame(CLOSE, 0, false)], true),
            (vec![frame(CLOSE, 125, true)], true),
            (vec![frame(1, 5, false), frame(CLOSE, 2, true)], true),
            (
                vec![frame(1, 5, true), frame(CLOSE, 2, false), vec![0; 9]],
                true,
            ),
            (vec![frame(2, 70_000, false), frame(CLOSE, 2, false)], true),
            (
                vec![
                    frame(2, 300, true),
                    frame(9, 0, false),
                    frame(CLOSE, 0, false),
                ],
                true,
            ),
            (vec![frame(1, 5, false)], false),
            (vec![frame(2, 70_000, true)], false),
            (vec![frame(1, 126, false), frame(10, 3, false)], false),
            // Close frames cannot be this long.
            (vec![frame(CLOSE, 126, false)], false),
            (vec![], false),
        ] {
            let bytes = frames.concat();
            for piece in [1, 2, 3, 7, 255, 256, 257, 1_000_000] {
                assert_eq!(is_over(&bytes, piece), expected, "{frames:?} {piece}");
            }
            // The frame is cut before its last byte.
            if let [frame] = frames.as_slice() {
                assert!(!is_over(&frame[..frame.len() - 1], 1_000), "{frame:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_comes_in_pieces_is_the_same(bytes: Vec<u8>, piece in 1_usize..400) {
            prop_assert_eq!(is_over(&bytes, piece), is_over(&bytes, bytes.len().max(1)));
        }
    }
}
