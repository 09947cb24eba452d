//! Moments as policies write them.

use alloc::format;
use alloc::string::String;

/// Milliseconds since the epoch of an ISO 8601 date in one of W3C's forms, from `2026` to `2026-11-21T13:45:57.5+01:00`, or of
/// whole seconds since the epoch.
pub fn read(text: &str) -> Option<i64> {
    if text.len() > 4
        && let Ok(seconds) = text.parse::<i64>()
    {
        return seconds.checked_mul(1000);
    }
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| digits(part, 2))?;
    let day = parts.next().map_or(Some(1), |part| digits(part, 2))?;
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let midnight = days(year, month, day) * 86_400_000;
    match time {
        None => Some(midnight),
        Some(_) if date.len() != 10 => None,
        Some(time) => Some(midnight + time_of_day(time)?),
    }
}

/// `13:45`, `13:45:57` or `13:45:57.5`, then `Z` or an offset such as `+01:00`; in milliseconds.
fn time_of_day(text: &str) -> Option<i64> {
    let (clock, offset) = match text.strip_suffix('Z') {
        Some(clock) => (clock, 0),
        None => {
            let sign = text.rfind(['+', '-'])?;
            let (hours, minutes) = text.get(sign + 1..)?.split_once(':')?;
            let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let ahead = (hours * 60 + minutes) * 60_000;
            (&text[..sign], if text[sign..].starts_with('-') { -ahead } else { ahead })
        }
    };
    let mut parts = clock.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let (second, fraction) = match parts.next() {
        None => (0, 0),
        Some(seconds) => match seconds.split_once('.') {
            None => (digits(seconds, 2)?, 0),
            Some((seconds, fraction)) => (digits(seconds, 2)?, milliseconds(fraction)?),
        },
    };
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(((hour * 60 + minute) * 60 + second) * 1000 + fraction - offset)
}

/// A fraction of a second; what is finer than a millisecond is dropped.
fn milliseconds(fraction: &str) -> Option<i64> {
    let all_digits = !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
    all_digits
        .then(|| fraction.bytes().chain([b'0'; 3]).take(3).fold(0, |sum, b| sum * 10 + i64::from(b - b'0')))
}

fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn days_of(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the epoch to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that a leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + year * 365 + year / 4 - year / 100 + (month * 153 + 2) / 5 + day - 1 - 719_468
}

/// Seconds since the epoch as `2026-11-21T13:45:57Z`.
pub(super) fn write(seconds: u64) -> String {
    let (day, time) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + era * 400 + carry;
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_all_of_aws_s_forms() {
        let cases = [
            ("1970", 0),
            ("2026-11", 1_793_491_200_000),
            ("2026-11-21", 1_795_219_200_000),
            ("2026-11-21T13:45Z", 1_795_268_700_000),
            ("2026-11-21T13:45:57Z", 1_795_268_757_000),
            ("2026-11-21T13:45:57.25Z", 1_795_268_757_250),
            ("2026-11-21T13:45:57+01:30", 1_795_263_357_000),
            ("2026-11-21T13:45:57-01:30", 1_795_274_157_000),
            ("1795268757", 1_795_268_757_000),
            ("2000-02-29", 951_782_400_000),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        let cases = [
            "",
            "T",
            "20",
            "2026-13",
            "2026-02-29",
            "1900-02-29",
            "2026-11-21T",
            "2026-11-21T13:45",
            "2026-11T13:45Z",
            "2026-11-21T24:00Z",
            "2026-11-21T13:45:60Z",
            "2026-11-21T13:45:57.Z",
            "2026-11-21T13:45+1:00",
            "now",
            "2026-11-21-01",
            "2026-11-21T13:45+é",
            "99999999999999999999",
        ];
        for text in cases {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn every_moment_is_written_as_it_would_be_read() {
        let mut seconds = 0;
        while seconds < 8_000_000_000 {
            assert_eq!(read(&write(seconds)), Some(seconds as i64 * 1000), "{seconds}");
            seconds += 86_399 * 3;
        }
    }
}
