//! Times of the week.

use std::fmt;

/// A part of each week, in a time zone that is a fixed offset from UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first minute of the day.
    pub from: u16,
    /// The minute of the day that is no longer in it: 1440 at most. If it is not behind `from`, it is the next day's.
    pub to: u16,
    /// On which days it begins, Monday first.
    pub weekdays: [bool; 7],
    /// By how many minutes the time zone is ahead of UTC.
    pub utc_offset: i16,
}

const DAY: u32 = 1440;
const WEEK: u32 = DAY * 7;

/// As documents name them, Monday first.
pub const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Period {
    /// Whether a time is in it: Unix time in milliseconds.
    pub fn contains(&self, now_ms: u64) -> bool {
        self.contains_minute(minute_of_week(now_ms))
    }

    /// A time as its clock has it: weekday and time of day.
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

    /// Whether a minute of the week, which begins on Monday in UTC, is in it.
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
        // What has begun on the day before goes on.
        (begins(day) && minute >= from) || (begins(day.saturating_add(6)) && minute < to)
    }

    /// A minute of UTC's week in the time zone's.
    fn local(&self, minute: u32) -> u32 {
        let offset = i32::from(self.utc_offset);
        let offset = offset.rem_euclid(i32::try_from(WEEK).unwrap_or(i32::MAX));
        minute.saturating_add(offset.unsigned_abs()) % WEEK
    }

    /// The minutes of UTC's week at which it may begin or end.
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

    /// Whether it says the same of two periods at all times. Between the edges of the two nothing changes.
    #[inline(never)]
    fn at_all_times(&self, other: &Period, holds: fn(bool, bool) -> bool) -> bool {
        self.edges()
            .chain(other.edges())
            .all(|minute| holds(self.contains_minute(minute), other.contains_minute(minute)))
    }

    /// Whether all of another one is in it.
    pub(super) fn covers(&self, other: &Period) -> bool {
        self.at_all_times(other, |in_this, in_other| in_this || !in_other)
    }

    /// Whether no time is in both.
    pub(super) fn excludes(&self, other: &Period) -> bool {
        self.at_all_times(other, |in_this, in_other| !(in_this && in_other))
    }
}

/// The minute of UTC's week, which begins on Monday.
fn minute_of_week(now_ms: u64) -> u32 {
    /// From Monday to Thursday, on which 1970 began.
    const EPOCH: u64 = 3 * 24 * 60;
    let minute = (now_ms / 60_000).saturating_add(EPOCH) % (7 * 24 * 60);
    u32::try_from(minute).unwrap_or_default()
}

/// As a document has it.
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
