//! Weekly periods of time, for `time` conditions.

use std::fmt;

/// A part of each week, in a time zone with a fixed offset from UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// The minute of the day at which it begins.
    pub from: u16,
    /// The minute of the day at which it ends, exclusive; 1440 at most. If it is not after `from`, it is on the next
    /// day.
    pub to: u16,
    /// The days on which it begins, Monday first.
    pub weekdays: [bool; 7],
    /// The time zone's offset from UTC in minutes; positive is ahead.
    pub utc_offset: i16,
}

const DAY: u32 = 1440;
const WEEK: u32 = DAY * 7;

/// The names of the days in documents, Monday first.
pub const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Period {
    /// Whether a time is in the period: Unix time in milliseconds.
    pub fn contains(&self, now_ms: u64) -> bool {
        self.contains_minute(minute_of_week(now_ms))
    }

    /// Formats a time in the period's time zone: weekday and time of day.
    pub fn local_time(&self, now_ms: u64) -> String {
        let local = self.local(minute_of_week(now_ms));
        let day = usize::try_from(local / DAY).unwrap_or_default();
        let minute = local % DAY;
        format!(
            "{} {:02}:{:02} at {}",
            WEEKDAYS.get(day).copied().unwrap_or_default(),
            minute / 60,
            minute % 60,
            Offset(self.utc_offset)
        )
    }

    /// Whether a minute of the UTC week, which begins on Monday, is in the period.
    fn contains_minute(&self, minute: u32) -> bool {
        let local = self.local(minute);
        let (day, minute) = (local / DAY, local % DAY);
        let begins = |day: u32| {
            let day = usize::try_from(day % 7).unwrap_or_default();
            self.weekdays.get(day) == Some(&true)
        };
        let (from, to) = (u32::from(self.from), u32::from(self.to));
        if from < to {
            return begins(day) && (from..to).contains(&minute);
        }
        // A period that began on the previous day may still run.
        (begins(day) && minute >= from) || (begins(day.saturating_add(6)) && minute < to)
    }

    /// Converts a minute of the UTC week to one of the time zone's week.
    fn local(&self, minute: u32) -> u32 {
        let offset = i32::from(self.utc_offset);
        let offset = offset.rem_euclid(i32::try_from(WEEK).unwrap_or(i32::MAX));
        minute.saturating_add(offset.unsigned_abs()) % WEEK
    }

    /// Returns the minutes of the UTC week at which the period may begin or end.
    fn edges(&self) -> impl Iterator<Item = u32> {
        let (from, to) = (u32::from(self.from), u32::from(self.to));
        let offset = i32::from(self.utc_offset);
        (0..7_u32).flat_map(move |day| {
            [from, to].map(|minute| {
                let local = day.saturating_mul(DAY).saturating_add(minute);
                let utc = i64::from(local).saturating_sub(i64::from(offset));
                u32::try_from(utc.rem_euclid(i64::from(WEEK))).unwrap_or_default()
            })
        })
    }

    /// Whether `holds` is true at all times, given whether each of the periods contains the time. Only the edges of the
    /// two need checking: nothing changes between them.
    #[inline(never)]
    fn at_all_times(&self, other: &Period, holds: fn(bool, bool) -> bool) -> bool {
        self.edges()
            .chain(other.edges())
            .all(|minute| holds(self.contains_minute(minute), other.contains_minute(minute)))
    }

    /// Whether this period contains all of `other`.
    pub(super) fn covers(&self, other: &Period) -> bool {
        self.at_all_times(other, |in_this, in_other| in_this || !in_other)
    }

    /// Whether no time is in both periods.
    pub(super) fn excludes(&self, other: &Period) -> bool {
        self.at_all_times(other, |in_this, in_other| !(in_this && in_other))
    }
}

/// Returns the minute of the UTC week, which begins on Monday.
fn minute_of_week(now_ms: u64) -> u32 {
    /// The minutes from Monday to Thursday; 1970 began on a Thursday.
    const EPOCH: u64 = 3 * 24 * 60;
    let minute = (now_ms / 60_000).saturating_add(EPOCH) % (7 * 24 * 60);
    u32::try_from(minute).unwrap_or_default()
}

/// Written as in a document.
impl fmt::Display for Period {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        write!(out, "{} to {}", clock(self.from), clock(self.to))?;
        if self.weekdays.contains(&false) {
            let days = WEEKDAYS.iter().zip(self.weekdays);
            let days: Vec<&str> = days.filter_map(|(name, on)| on.then_some(*name)).collect();
            write!(out, " on {}", days.join(", "))?;
        }
        write!(out, " at {}", Offset(self.utc_offset))
    }
}

struct Offset(i16);

impl fmt::Display for Offset {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.0.unsigned_abs();
        let sign = if self.0 < 0 { '-' } else { '+' };
        write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;
