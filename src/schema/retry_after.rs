//! Reads how long a backend asks not to be called.
//!
//! Sources: RFC 9110, section 10.2.3 (`retry-after`) and 5.6.7 (dates); OpenAI's SDKs (`retry-after-ms`); OpenAI's
//! guide to rate limits (`x-ratelimit-*-requests`, `-tokens`, durations as Go writes them); OpenRouter
//! (`x-ratelimit-reset`, Unix milliseconds); draft-ietf-httpapi-ratelimit-headers up to -06 (`ratelimit-reset`);
//! Anthropic's reference of rate limits (`anthropic-ratelimit-*-reset`, RFC 3339).

/// The longest wait that is honoured, in milliseconds: one day.
const MAX_WAIT_MS: u64 = 86_400_000;

/// Returns how long a backend asks not to be called, by its response headers, in milliseconds from `now_ms` (Unix
/// time in milliseconds). A time in the past is `Some(0)`; a header that cannot be parsed is ignored.
pub fn retry_after(header: impl Fn(&str) -> Option<Vec<u8>>, now_ms: u64) -> Option<u64> {
    let text = |name: &str| String::from_utf8(header(name)?).ok();
    let read = |name: &str, parse: &dyn Fn(&str) -> Option<u64>| parse(text(name)?.trim());
    // `None` without such a header.
    let is_used_up = |name: &str| read(name, &decimal).map(|remaining| remaining == 0);
    let until = |then: u64| then.saturating_sub(now_ms);
    let in_time = |thousandths: u64| from_now(thousandths, now_ms);

    let openai = || {
        let kinds = [
            (
                "x-ratelimit-remaining-requests",
                "x-ratelimit-reset-requests",
            ),
            ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
        ]
        .map(|(remaining, reset)| (is_used_up(remaining), reset));
        let is_known = kinds.iter().any(|(used_up, _)| used_up.is_some());
        let of_use = kinds
            .iter()
            .filter(|(used_up, _)| !is_known || *used_up == Some(true));
        of_use
            .filter_map(|(_, reset)| {
                read(reset, &|text| {
                    duration(text).or_else(|| decimal(text).map(in_time))
                })
            })
            .max()
    };
    // Without a count of what remains, the reset time is believed.
    let generic = |remaining: &str, reset: &str| {
        if is_used_up(remaining) == Some(false) {
            return None;
        }
        read(reset, &|text| decimal(text).map(in_time))
    };
    let anthropic = || {
        ["requests", "tokens", "input-tokens", "output-tokens"]
            .into_iter()
            .filter(|kind| {
                is_used_up(&format!("anthropic-ratelimit-{kind}-remaining")) == Some(true)
            })
            .filter_map(|kind| read(&format!("anthropic-ratelimit-{kind}-reset"), &rfc_3339))
            .map(until)
            .max()
    };

    read("retry-after-ms", &|text| {
        Some(decimal(text)?.div_ceil(1000))
    })
    .or_else(|| {
        read("retry-after", &|text| {
            decimal(text).or_else(|| http_date(text, now_ms).map(until))
        })
    })
    .or_else(openai)
    .or_else(|| generic("x-ratelimit-remaining", "x-ratelimit-reset"))
    .or_else(|| generic("ratelimit-remaining", "ratelimit-reset"))
    .or_else(anthropic)
    .map(|wait| wait.min(MAX_WAIT_MS))
}

/// Parses a decimal number to thousandths, so seconds become milliseconds. Negative numbers become 0.
#[inline(never)]
fn decimal(text: &str) -> Option<u64> {
    let (magnitude, is_negative) = match text.strip_prefix('-') {
        Some(magnitude) => (magnitude, true),
        None => (text, false),
    };
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    let is_number = !(whole.is_empty() && fraction.is_empty());
    if !is_number
        || !whole
            .bytes()
            .chain(fraction.bytes())
            .all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let padded = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    let thousandths = whole.bytes().chain(padded).fold(0_u64, |value, digit| {
        value
            .saturating_mul(10)
            .saturating_add(u64::from(digit.saturating_sub(b'0')))
    });
    Some(if is_negative { 0 } else { thousandths })
}

/// Converts a wait in seconds, or a Unix time in seconds or milliseconds, to a wait in milliseconds. The size shows
/// which it is: no wait is thirty years long, and Unix times in milliseconds have had three more digits since 2001.
fn from_now(thousandths: u64, now_ms: u64) -> u64 {
    const A_TIME: u64 = 1_000_000_000 * 1000;
    const A_TIME_IN_MS: u64 = A_TIME * 1000;
    match thousandths {
        A_TIME_IN_MS.. => (thousandths / 1000).saturating_sub(now_ms),
        A_TIME.. => thousandths.saturating_sub(now_ms),
        _ => thousandths,
    }
}

/// Parses a duration as Go writes it (`1h2m3.5s`, `120ms`), to milliseconds.
fn duration(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let number = rest.find(|char: char| !(char.is_ascii_digit() || char == '.'))?;
        let (number, after) = rest.split_at_checked(number)?;
        let unit = after
            .find(|char: char| char.is_ascii_digit() || char == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit)?;
        // In microseconds.
        let factor: u64 = match unit {
            "d" => 86_400_000_000,
            "h" => 3_600_000_000,
            "m" => 60_000_000,
            "s" => 1_000_000,
            "ms" => 1000,
            "us" | "µs" | "μs" => 1,
            "ns" => 0,
            _ => return None,
        };
        let part = decimal(number)?.saturating_mul(factor) / 1000;
        total = total.saturating_add(part);
        rest = after;
    }
    (!text.is_empty()).then(|| total.div_ceil(1000))
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Parses a date of RFC 9110 in any of its three formats to Unix milliseconds: `Sun, 06 Nov 1994 08:49:37 GMT`,
/// `Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`.
fn http_date(text: &str, now_ms: u64) -> Option<u64> {
    let mut words = [""; 7];
    let found = text.split([' ', ',', '-']).filter(|word| !word.is_empty());
    for (place, word) in words.iter_mut().zip(found) {
        *place = word;
    }
    let (day, month, year, time) = match words {
        [_, day, month, year, time, "GMT", ""] => (day, month, year, time),
        [_, month, day, time, year, "", ""] => (day, month, year, time),
        _ => return None,
    };
    let month = MONTHS
        .iter()
        .position(|name| name.eq_ignore_ascii_case(month))?;
    let month = u64::try_from(month).ok()?.saturating_add(1);
    let mut year_number = digits(year)?;
    if year.len() == 2 {
        // Two digits mean the last such year that is not more than 50 years ahead.
        let this_year = (now_ms / 31_556_952_000).saturating_add(1970);
        year_number = year_number.saturating_add((this_year / 100).saturating_mul(100));
        if year_number > this_year.saturating_add(50) {
            year_number = year_number.saturating_sub(100);
        }
    }
    unix_ms(year_number, month, digits(day)?, time, 0)
}

/// Parses a time of RFC 3339 to Unix milliseconds.
pub(crate) fn rfc_3339(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut parts = date.split('-');
    let mut next = || digits(parts.next()?);
    let (year, month, day) = (next()?, next()?, next()?);
    if parts.next().is_some() {
        return None;
    }
    let (time, offset_minutes) = if let Some(time) = time.strip_suffix(['Z', 'z']) {
        (time, 0)
    } else {
        let at = time.rfind(['+', '-'])?;
        let (time, offset) = time.split_at_checked(at)?;
        let (hours, minutes) = offset.get(1..)?.split_once(':')?;
        let minutes = digits(hours)?
            .saturating_mul(60)
            .saturating_add(digits(minutes)?);
        let minutes = i64::try_from(minutes).ok()?;
        (
            time,
            if offset.starts_with('-') {
                minutes.saturating_neg()
            } else {
                minutes
            },
        )
    };
    unix_ms(year, month, day, time, offset_minutes)
}

/// Parses a number of at most nine digits.
#[inline(never)]
fn digits(text: &str) -> Option<u64> {
    let is_number = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// Converts a date and a time of day (`08:49:37.5`), `offset_minutes` ahead of UTC, to Unix milliseconds. Times
/// before 1970 become 0.
fn unix_ms(year: u64, month: u64, day: u64, time: &str, offset_minutes: i64) -> Option<u64> {
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let mut parts = time.split(':');
    let (hours, minutes) = (digits(parts.next()?)?, digits(parts.next()?)?);
    let seconds_ms = decimal(parts.next()?)?;
    let is_valid = (1..=9999).contains(&year)
        && hours < 24
        && minutes < 60
        // Allows for a leap second.
        && seconds_ms < 61_000
        && parts.next().is_none();
    if !is_valid {
        return None;
    }
    let month = usize::try_from(month).ok()?;
    let before = *BEFORE.get(month.checked_sub(1)?)?;
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let leap_day = u64::from(is_leap && month > 2);
    let end = BEFORE.get(month).copied().unwrap_or(365);
    let length = end
        .saturating_sub(before)
        .saturating_add(u64::from(is_leap && month == 2));
    if !(1..=length).contains(&day) {
        return None;
    }
    // Days since January 1 of the year 1.
    let past = year.saturating_sub(1);
    let days = past
        .saturating_mul(365)
        .saturating_add(past / 4)
        .saturating_sub(past / 100)
        .saturating_add(past / 400)
        .saturating_add(before)
        .saturating_add(leap_day)
        .saturating_add(day.saturating_sub(1));
    /// The days until 1970-01-01.
    const EPOCH: u64 = 719_162;
    let minutes = i64::try_from(
        days.saturating_mul(24)
            .saturating_add(hours)
            .saturating_mul(60),
    )
    .ok()?
    .saturating_add_unsigned(minutes)
    .saturating_sub_unsigned(EPOCH * 24 * 60)
    .saturating_sub(offset_minutes);
    let minutes = u64::try_from(minutes).unwrap_or(0);
    Some(minutes.saturating_mul(60_000).saturating_add(seconds_ms))
}

#[cfg(test)]
#[path = "retry_after_tests.rs"]
mod tests;
