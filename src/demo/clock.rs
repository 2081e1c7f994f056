//! Formats points in time for headers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

const MONTHS: [(&str, u64); 12] = [
    ("Jan", 31),
    ("Feb", 28),
    ("Mar", 31),
    ("Apr", 30),
    ("May", 31),
    ("Jun", 30),
    ("Jul", 31),
    ("Aug", 31),
    ("Sep", 30),
    ("Oct", 31),
    ("Nov", 30),
    ("Dec", 31),
];

/// Returns the time after a wait, since 1970. A wait of whole seconds leads to a whole second, which is never too
/// early.
pub(crate) fn time_in(wait: Duration) -> Duration {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let time = now.saturating_add(wait);
    if wait.subsec_nanos() == 0 && time.subsec_nanos() != 0 {
        Duration::from_secs(time.as_secs().saturating_add(1))
    } else {
        time
    }
}

/// Formats a time as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn http_date(time: Duration) -> String {
    let date = Date::of(time);
    format!(
        "{}, {:02} {} {} {} GMT",
        date.weekday,
        date.day,
        date.month_name,
        date.year,
        of_day(time)
    )
}

/// Formats a time as `1994-11-06T08:49:37Z`, with milliseconds if there are any.
pub(crate) fn rfc3339(time: Duration) -> String {
    let date = Date::of(time);
    let part = match time.subsec_millis() {
        0 => String::new(),
        millis => format!(".{millis:03}"),
    };
    format!(
        "{}-{:02}-{:02}T{}{part}Z",
        date.year,
        date.month,
        date.day,
        of_day(time)
    )
}

fn of_day(time: Duration) -> String {
    let seconds = time.as_secs();
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60
    )
}

struct Date {
    weekday: &'static str,
    year: u64,
    month: u64,
    month_name: &'static str,
    day: u64,
}

impl Date {
    /// Counts the years since 1970 one by one: the times are not far away.
    fn of(time: Duration) -> Date {
        let mut days = time.as_secs() / 86_400;
        let weekday = usize::try_from(days % 7)
            .ok()
            .and_then(|day| DAYS.get(day))
            .copied()
            .unwrap_or_default();
        let mut year: u64 = 1970;
        while days >= days_of_year(year) {
            days = days.saturating_sub(days_of_year(year));
            year = year.saturating_add(1);
        }
        let mut month: u64 = 1;
        let mut month_name = "";
        for (name, length) in MONTHS {
            month_name = name;
            let length = if month == 2 && is_leap(year) {
                29
            } else {
                length
            };
            if days < length {
                break;
            }
            days = days.saturating_sub(length);
            month = month.saturating_add(1);
        }
        Date {
            weekday,
            year,
            month,
            month_name,
            day: days.saturating_add(1),
        }
    }
}

fn days_of_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
        for (seconds, http, rfc) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z"),
            (
                784_111_777,
                "Sun, 06 Nov 1994 08:49:37 GMT",
                "1994-11-06T08:49:37Z",
            ),
            (
                951_782_400,
                "Tue, 29 Feb 2000 00:00:00 GMT",
                "2000-02-29T00:00:00Z",
            ),
            (
                1_798_761_599,
                "Thu, 31 Dec 2026 23:59:59 GMT",
                "2026-12-31T23:59:59Z",
            ),
        ] {
            let time = Duration::from_secs(seconds);
            assert_eq!(http_date(time), http);
            assert_eq!(rfc3339(time), rfc);
        }
        assert_eq!(
            rfc3339(Duration::from_millis(1500)),
            "1970-01-01T00:00:01.500Z"
        );
    }

    #[test]
    fn whole_seconds_are_never_early() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let time = time_in(Duration::from_secs(2));
        assert_eq!(time.subsec_nanos(), 0);
        assert!(time >= now + Duration::from_secs(2));
        assert!(time < now + Duration::from_secs(4));
    }
}
