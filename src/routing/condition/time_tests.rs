//! Compares periods with a calendar, and with each other minute by minute.

use proptest::prelude::*;

use super::*;
use crate::schema::rfc_3339;

fn period(from: u16, to: u16, days: &str, utc_offset: i16) -> Period {
    let mut weekdays = [false; 7];
    for (day, name) in weekdays.iter_mut().zip(WEEKDAYS) {
        *day = days.is_empty() || days.contains(name);
    }
    Period {
        from,
        to,
        weekdays,
        utc_offset,
    }
}

#[test]
fn times_of_the_week() {
    let work = period(480, 1080, "mon tue wed thu fri", 60);
    let night = period(1320, 360, "fri", 0);
    let east = period(0, 1440, "mon", 14 * 60);
    let west = period(0, 1440, "sun", -12 * 60);
    for (period, time, expected) in [
        // 2026-11-21 is a Saturday.
        (&work, "2026-11-20T07:00:00Z", true),
        (&work, "2026-11-20T06:59:59.999Z", false),
        (&work, "2026-11-20T16:59:59.999Z", true),
        (&work, "2026-11-20T17:00:00Z", false),
        (&work, "2026-11-21T12:00:00Z", false),
        // A period that begins on Friday lasts into Saturday.
        (&night, "2026-11-20T22:00:00Z", true),
        (&night, "2026-11-21T05:59:59Z", true),
        (&night, "2026-11-21T06:00:00Z", false),
        (&night, "2026-11-20T05:00:00Z", false),
        (&night, "2026-11-21T22:00:00Z", false),
        (&east, "2026-11-22T10:00:00Z", true),
        (&east, "2026-11-22T09:59:59Z", false),
        (&east, "2026-11-23T10:00:00Z", false),
        (&west, "2026-11-23T11:59:59Z", true),
        (&west, "2026-11-23T12:00:00Z", false),
        // A leap day, and the Unix epoch, which was a Thursday.
        (&period(0, 1440, "thu", 0), "2024-02-29T00:00:00Z", true),
        (&period(0, 1440, "thu", 0), "1970-01-01T00:00:00Z", true),
    ] {
        let now = rfc_3339(time).unwrap();
        assert_eq!(period.contains(now), expected, "{period} at {time}");
    }
    assert_eq!(
        work.to_string(),
        "08:00 to 18:00 on mon, tue, wed, thu, fri at +01:00"
    );
    assert_eq!(
        period(1320, 360, "", -330).to_string(),
        "22:00 to 06:00 at -05:30"
    );
    let now = rfc_3339("2026-11-21T23:30:00Z").unwrap();
    assert_eq!(work.local_time(now), "sun 00:30 at +01:00");
}

#[test]
fn relations_that_users_meet() {
    let work = period(480, 1080, "mon tue wed thu fri", 0);
    let monday = period(540, 600, "mon", 0);
    let weekend = period(0, 1440, "sat sun", 0);
    let night = period(1320, 360, "", 0);
    assert!(work.covers(&monday) && !monday.covers(&work));
    assert!(work.excludes(&weekend) && work.excludes(&night));
    assert!(!weekend.excludes(&night));
    // The same period, written in another time zone.
    let elsewhere = period(600, 660, "mon", 60);
    assert!(monday.covers(&elsewhere) && elsewhere.covers(&monday));
}

fn periods() -> impl Strategy<Value = Period> {
    let times = prop_oneof![
        (0_u16..1440, 0_u16..=1440),
        (
            prop::sample::select(vec![0_u16, 480, 720]),
            prop::sample::select(vec![480_u16, 720, 1440])
        ),
    ];
    (times, prop::array::uniform7(any::<bool>()), -720_i16..=840).prop_map(
        |((from, to), weekdays, offset)| Period {
            from,
            to,
            weekdays,
            // Mostly few values, so that edges coincide.
            utc_offset: if offset % 2 == 0 { 0 } else { offset },
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn relations_are_exact(a in periods(), b in periods()) {
        let all = |holds: &dyn Fn(bool, bool) -> bool| {
            (0..WEEK).all(|minute| holds(a.contains_minute(minute), b.contains_minute(minute)))
        };
        prop_assert_eq!(a.covers(&b), all(&|a, b| a || !b));
        prop_assert_eq!(a.excludes(&b), all(&|a, b| !(a && b)));
    }
}
