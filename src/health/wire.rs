//! Encodes the failing targets as bytes. A module that was loaded later may read what an older one wrote, so the
//! format has a number. Bytes that do not decode count as no failing targets.

use super::cooldown::{Health, HealthRecord, MAX_ENTRIES, OpenCooldown, TimeSpan};
use super::policy::CooldownPolicy;
use super::target::TargetKey;

const FORMAT: u8 = 1;

/// Marks a cooldown, in the byte that otherwise contains the number of counted failures.
const OPEN: u8 = 0;

impl Health {
    /// Encodes the health for shared data; empty if no target is failing.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.is_empty() {
            out.push(FORMAT);
        }
        for (target, record) in &self.records {
            out.extend(target.bits().to_le_bytes());
            match record {
                HealthRecord::Counting(times) => {
                    out.push(u8::try_from(times.len()).unwrap_or(u8::MAX));
                    out.extend(times.iter().flat_map(|time| time.to_le_bytes()));
                }
                HealthRecord::Open(open) => {
                    out.extend([OPEN, open.level]);
                    for span in [open.cooling, open.lease] {
                        out.extend(span.since_ms.to_le_bytes());
                        out.extend(span.until_ms.to_le_bytes());
                    }
                }
            }
        }
        out
    }

    /// Decodes the health from shared data; empty if the bytes are not in this format.
    pub fn decode(bytes: &[u8]) -> Health {
        let records = match bytes.split_first() {
            Some((&FORMAT, mut rest)) => entries(&mut rest),
            _ => None,
        };
        Health {
            records: records.unwrap_or_default(),
        }
    }
}

fn entries(from: &mut &[u8]) -> Option<Vec<(TargetKey, HealthRecord)>> {
    let mut entries = Vec::new();
    while !from.is_empty() {
        if entries.len() >= MAX_ENTRIES {
            return None;
        }
        let target = TargetKey::from_bits(number(from)?);
        let record = match byte(from)? {
            OPEN => HealthRecord::Open(OpenCooldown {
                level: byte(from)?,
                cooling: span(from)?,
                lease: span(from)?,
            }),
            count => {
                if u32::from(count) > CooldownPolicy::MAX_FAILURES {
                    return None;
                }
                let times: Option<_> = (0..count).map(|_| number(from)).collect();
                HealthRecord::Counting(times?)
            }
        };
        entries.push((target, record));
    }
    Some(entries)
}

fn span(from: &mut &[u8]) -> Option<TimeSpan> {
    let (since_ms, until_ms) = (number(from)?, number(from)?);
    let length = until_ms.checked_sub(since_ms)?;
    (length <= CooldownPolicy::MAX_COOLDOWN_MS).then_some(TimeSpan { since_ms, until_ms })
}

fn number(from: &mut &[u8]) -> Option<u64> {
    let (number, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(u64::from_le_bytes(*number))
}

fn byte(from: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = from.split_first()?;
    *from = rest;
    Some(*byte)
}
