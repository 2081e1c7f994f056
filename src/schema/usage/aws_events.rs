//! AWS's event stream: the frames in which Bedrock streams its answers.
//!
//! Source: "Amazon event stream encoding" in the Smithy specification: total length, length of the headers and
//! checksum of both (four bytes each, big-endian), headers, payload, checksum. Checking the checksums is left to the
//! client.
//!
//! The payload of a `converse-stream` call is JSON; that of an `invoke-with-response-stream` call is JSON with the
//! model's own event in `bytes`, in base64.

use super::scanner::{UsageScanner, UsageSink};
use crate::json::JsonCursor;

/// The maximum number of bytes of a payload that are held; the rest of a larger one passes unread.
const MAX_PAYLOAD_BYTES: usize = 64 * 1024;

const PRELUDE_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;

/// The position within a frame.
#[derive(Clone, Debug, Default)]
pub(super) struct AwsEventReader {
    /// The prelude or the payload, as far as it has arrived.
    held: Vec<u8>,
    part: FramePart,
    /// Reads one payload after the other.
    scanner: UsageScanner,
}

#[derive(Clone, Copy, Debug, Default)]
enum FramePart {
    #[default]
    Prelude,
    /// The number of bytes left of the headers, and the length of the payload that follows.
    Headers {
        left: usize,
        payload: usize,
    },
    Payload {
        left: usize,
    },
    Checksum {
        left: usize,
    },
    /// The bytes are not such a stream.
    Invalid,
}

impl AwsEventReader {
    /// Takes the next bytes, in arbitrary chunks.
    pub(super) fn push(&mut self, bytes: &[u8], found: &mut impl UsageSink) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let wanted = match self.part {
                FramePart::Prelude => PRELUDE_BYTES.saturating_sub(self.held.len()),
                FramePart::Headers { left, .. }
                | FramePart::Payload { left }
                | FramePart::Checksum { left } => left,
                FramePart::Invalid => return,
            };
            let (taken, after) = rest
                .split_at_checked(wanted.min(rest.len()))
                .unwrap_or((rest, b""));
            rest = after;
            self.take(taken, found);
        }
    }

    /// Returns the approximate number of bytes of text that the model wrote.
    pub(super) fn text_bytes(&self) -> u64 {
        self.scanner.text_bytes()
    }

    fn take(&mut self, taken: &[u8], found: &mut impl UsageSink) {
        let count = taken.len();
        let next = match self.part {
            FramePart::Prelude => {
                self.held.extend_from_slice(taken);
                if self.held.len() < PRELUDE_BYTES {
                    return;
                }
                let part = after_prelude(&self.held).unwrap_or(FramePart::Invalid);
                self.held.clear();
                part
            }
            FramePart::Headers { left, payload } => FramePart::Headers {
                left: left.saturating_sub(count),
                payload,
            },
            FramePart::Payload { left } => {
                if self.held.len().saturating_add(count) <= MAX_PAYLOAD_BYTES {
                    self.held.extend_from_slice(taken);
                }
                FramePart::Payload {
                    left: left.saturating_sub(count),
                }
            }
            FramePart::Checksum { left } => FramePart::Checksum {
                left: left.saturating_sub(count),
            },
            FramePart::Invalid => FramePart::Invalid,
        };
        self.part = self.skip_empty(next, found);
    }

    /// Skips parts of length zero. Returns the next part that has bytes.
    fn skip_empty(&mut self, part: FramePart, found: &mut impl UsageSink) -> FramePart {
        let mut part = part;
        if let FramePart::Headers { left: 0, payload } = part {
            part = FramePart::Payload { left: payload };
        }
        if let FramePart::Payload { left: 0 } = part {
            self.read(found);
            part = FramePart::Checksum {
                left: CHECKSUM_BYTES,
            };
        }
        if let FramePart::Checksum { left: 0 } = part {
            part = FramePart::Prelude;
        }
        part
    }

    /// Reads the held payload. Of a payload that was too large, only its beginning is read.
    fn read(&mut self, found: &mut impl UsageSink) {
        let mut inner = None;
        // A payload that is not JSON reports nothing.
        let _ = JsonCursor::whole(&self.held, |json| {
            json.fields(|json, key| {
                if key == b"bytes" {
                    inner = json.text()?.and_then(base64);
                } else {
                    json.skip()?;
                }
                Ok(())
            })
        });
        self.scanner.restart();
        self.scanner
            .push(inner.as_deref().unwrap_or(&self.held), found);
        self.held.clear();
    }
}

/// Returns the part that follows a prelude; `None` if its lengths are not plausible.
fn after_prelude(prelude: &[u8]) -> Option<FramePart> {
    let length = |at: usize| {
        let bytes = prelude.get(at..at.checked_add(4)?)?;
        usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok()
    };
    let (total, headers) = (length(0)?, length(4)?);
    let around = PRELUDE_BYTES.checked_add(CHECKSUM_BYTES)?;
    let payload = total.checked_sub(around)?.checked_sub(headers)?;
    Some(FramePart::Headers {
        left: headers,
        payload,
    })
}

/// Decodes base64 (RFC 4648, section 4); `None` if the text is not base64.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text
        .strip_suffix(b"==")
        .or(text.strip_suffix(b"="))
        .unwrap_or(text);
    let mut out = Vec::with_capacity(text.len());
    let mut bits = 0_u32;
    let mut count = 0_u32;
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte.checked_sub(b'A')?,
            b'a'..=b'z' => byte.checked_sub(b'a')?.checked_add(26)?,
            b'0'..=b'9' => byte.checked_sub(b'0')?.checked_add(52)?,
            b'+' => 62,
            b'/' => 63,
            // JSON may write a slash as `\/`.
            b'\\' => continue,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count = count.saturating_add(6);
        if count >= 8 {
            count = count.saturating_sub(8);
            out.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(out)
}
