//! From when until when a certificate is valid, read from its DER: what rustls does not tell.

use std::time::{Duration, SystemTime};

/// When callers take a certificate, in seconds since 1970 (RFC 5280, 4.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    begins: i64,
    pub(super) expires: i64,
}

impl Validity {
    pub(super) fn begins(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.begins.try_into().unwrap_or(0))
    }

    /// Why callers refuse the certificate at that moment, as the end of a sentence about it.
    pub(super) fn refusal(self, now: SystemTime) -> Option<&'static str> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        if now < self.begins {
            Some("is not valid yet")
        } else if now > self.expires {
            Some("has expired")
        } else {
            None
        }
    }
}

/// Finds it in a certificate; `None` if that does not say it in a way that is understood.
pub(super) fn validity(certificate: &[u8]) -> Option<Validity> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let (outer, _) = element(certificate, SEQUENCE)?;
    let (body, _) = element(outer, SEQUENCE)?;
    // The version may be left out; behind it: serial number, algorithm, issuer, validity.
    let mut rest = element(body, VERSION).map_or(body, |(_, rest)| rest);
    for _ in 0..3 {
        rest = any(rest)?.2;
    }
    let (validity, _) = element(rest, SEQUENCE)?;
    let (tag, begins, rest) = any(validity)?;
    let begins = moment(tag, std::str::from_utf8(begins).ok()?)?;
    let (tag, expires, _) = any(rest)?;
    let expires = moment(tag, std::str::from_utf8(expires).ok()?)?;
    Some(Validity { begins, expires })
}

/// The element at the beginning: its tag, its content, and what follows.
fn any(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) =
            rest.split_at_checked(usize::from(first & 0x7f)).filter(|(d, _)| d.len() <= 4)?;
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn element(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    any(bytes).filter(|(tag, ..)| *tag == wanted).map(|(_, content, rest)| (content, rest))
}

/// UTCTime `YYMMDDHHMMSSZ` or GeneralizedTime `YYYYMMDDHHMMSSZ`.
fn moment(tag: u8, text: &str) -> Option<i64> {
    const UTC: u8 = 0x17;
    const GENERALIZED: u8 = 0x18;
    let (year, rest) = match tag {
        UTC => {
            let (year, rest) = text.split_at_checked(2)?;
            let year = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED => {
            let (year, rest) = text.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    let digits = rest.strip_suffix('Z').filter(|digits| digits.len() == 10)?;
    let mut parts = [0; 5];
    for (index, part) in parts.iter_mut().enumerate() {
        *part = number(digits.get(2 * index..2 * index + 2)?)?;
    }
    let [month, day, hour, minute, second] = parts;
    (1..=12).contains(&month).then(|| days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn number(digits: &str) -> Option<i64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, whose years are counted from March here.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let since_march = (month + 9) % 12;
    365 * year + year / 4 - year / 100 + year / 400 + (153 * since_march + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_moment_are_read() {
        assert_eq!(moment(0x17, "700101000000Z"), Some(0));
        assert_eq!(moment(0x17, "261121133700Z"), Some(1_795_268_220));
        assert_eq!(moment(0x18, "20500228235959Z"), Some(2_529_705_599));
        assert_eq!(moment(0x17, "49123123595Z"), None);
        assert_eq!(moment(0x17, "4912312359+9Z"), None);
        assert_eq!(moment(0x18, "20501328235959Z"), None);
    }

    #[test]
    fn a_certificate_is_valid_from_its_first_second_to_its_last() {
        let validity = Validity { begins: 100, expires: 200 };
        let at = |seconds| validity.refusal(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!([at(99), at(100)], [Some("is not valid yet"), None]);
        assert_eq!([at(200), at(201)], [None, Some("has expired")]);
    }

    #[test]
    fn what_is_no_certificate_has_no_validity() {
        for bytes in
            [&b""[..], b"\x30", b"\x30\x85\xff\xff\xff\xff\xff", b"\x30\x82\xff\xff", b"\x30\x02\x30\x00"]
        {
            assert_eq!(validity(bytes), None, "{bytes:x?}");
        }
    }
}
