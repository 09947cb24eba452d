//! Dates as signatures spell them: `20150830T123600Z`, ISO 8601's basic format.

use alloc::format;
use alloc::string::String;

/// Milliseconds since the epoch of `YYYYMMDD'T'HHMMSS'Z'`; `None` for anything else, and for dates that do not exist.
pub(super) fn parse(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let number = |from: usize, to: usize| {
        bytes[from..to].iter().try_fold(0_u64, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0'))
        })
    };
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    let exists = year >= 1970 && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !exists || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_before(year) + (1..month).map(|month| days_of(year, month)).sum::<u64>() + day - 1;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000)
}

/// A moment in milliseconds since the epoch as signatures spell it: `YYYYMMDD'T'HHMMSS'Z'`.
pub fn format(moment_ms: u64) -> String {
    let seconds = moment_ms / 1000;
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    // From the average length of a year, which is right within one.
    let guess = 1970 + days * 400 / 146_097;
    let year = (guess.saturating_sub(1).max(1970)..=guess + 1).rfind(|year| days_before(*year) <= days);
    let year = year.unwrap_or(guess);
    days -= days_before(year);
    let mut month = 1;
    while days >= days_of(year, month) {
        days -= days_of(year, month);
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{:02}T{hour:02}{minute:02}{second:02}Z", days + 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the epoch to the beginning of a year from 1970 on.
fn days_before(year: u64) -> u64 {
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_are_read_as_the_calendar_has_them() {
        let cases = [
            ("19700101T000000Z", 0),
            ("20150830T123600Z", 1_440_938_160_000),
            ("20000229T235959Z", 951_868_799_000),
            ("20261231T235959Z", 1_798_761_599_000),
            ("99991231T235959Z", 253_402_300_799_000),
        ];
        for (text, moment) in cases {
            assert_eq!(parse(text), Some(moment), "{text}");
            assert_eq!(format(moment), text);
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "20150830",
            "20150830T123600",
            "20150830T123600z",
            "2015-08-30T12:36:00Z",
            "Sun, 23 Nov 2014 04:07:43 GMT",
            "20150229T000000Z",
            "21000229T000000Z",
            "20151301T000000Z",
            "20150100T000000Z",
            "20150101T240000Z",
            "20150101T006000Z",
            "20150101T000060Z",
            "19691231T235959Z",
            "+0150101T000000Z",
            "2015010\u{e9}T00000Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_undoes_writing(seconds in 0_u64..253_402_300_800) {
            prop_assert_eq!(parse(&format(seconds * 1000)), Some(seconds * 1000));
        }

        #[test]
        fn any_text_is_read_without_harm(text in "\\PC{0,20}") {
            parse(&text);
        }
    }
}
