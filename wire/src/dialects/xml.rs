//! The XML of AWS Query's replies.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use crate::Text;
use crate::codec::{Layout, Member, Missing, Structure, Timestamp, Write, Writer};

/// Writes a value as the content of an element that is already open.
#[derive(Debug)]
pub struct XmlWriter<'a> {
    out: &'a mut Vec<u8>,
    /// The member at hand.
    name: &'static str,
    layout: &'static Layout,
}

impl<'a> XmlWriter<'a> {
    /// A writer at the end of `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, name: "", layout: &Layout::Structure }
    }

    /// Writes `content` within an element.
    pub fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        open(name, self.out);
        content(self);
        close(name, self.out);
    }

    fn value<T: Write>(&mut self, name: &'static str, layout: &'static Layout, value: &T) {
        let outer = (self.name, self.layout);
        (self.name, self.layout) = (name, layout);
        match layout {
            // The items or entries carry the name themselves.
            Layout::List { flat: true, .. } | Layout::Map { flat: true, .. } => value.write(self),
            _ => self.element(name, |writer| value.write(writer)),
        }
        (self.name, self.layout) = outer;
    }
}

impl Writer for XmlWriter<'_> {
    fn structure(&mut self, _shape: &'static Structure, members: impl FnOnce(&mut Self)) {
        members(self);
    }

    fn member<T: Write>(&mut self, member: &'static Member, value: &T) {
        if !value.absent() || member.missing != Missing::Fine {
            self.value(member.query, &member.layout, value);
        }
    }

    fn list<T: Write>(&mut self, items: &[T]) {
        let &Layout::List { flat, item: name, inner } = self.layout else { return };
        let name = if flat { self.name } else { name };
        for item in items {
            self.value(name, inner, item);
        }
    }

    fn map<T: Write>(&mut self, entries: &[(Text, T)]) {
        let &Layout::Map { flat, key: key_name, value: value_name, inner } = self.layout else { return };
        let name = if flat { self.name } else { "entry" };
        for (key, value) in entries {
            self.element(name, |writer| {
                writer.element(key_name, |writer| writer.text(key));
                writer.value(value_name, inner, value);
            });
        }
    }

    fn text(&mut self, text: &str) {
        escape(text, self.out);
    }

    fn blob(&mut self, blob: &[u8]) {
        base64_simd::STANDARD.encode_append(blob, self.out);
    }

    fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn integer(&mut self, value: i64) {
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn double(&mut self, value: f64) {
        let mut text = String::new();
        if value.is_finite() {
            write!(text, "{value}").ok();
        } else {
            text.push_str(if value.is_nan() {
                "NaN"
            } else if value > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            });
        }
        self.out.extend_from_slice(text.as_bytes());
    }

    fn timestamp(&mut self, moment: Timestamp) {
        let mut text = String::new();
        iso_8601(moment.0 as i64, &mut text);
        self.out.extend_from_slice(text.as_bytes());
    }
}

/// A moment as AWS writes it in XML, in whole seconds: `2011-07-15T23:28:33Z`.
fn iso_8601(seconds: i64, out: &mut String) {
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // The civil calendar from a day's number, counted in years that begin in March (Howard Hinnant, "chrono-compatible
    // low-level date algorithms").
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z").ok();
}

fn open(name: &str, out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

fn close(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"</");
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

/// Appends `text` as character data. Characters that XML cannot carry become U+FFFD.
pub fn escape(text: &str, out: &mut Vec<u8>) {
    /// Long enough for vector instructions, short enough that a rare escape costs little.
    const RUN: usize = 64;
    out.reserve(text.len());
    let bytes = text.as_bytes();
    for start in (0..bytes.len()).step_by(RUN) {
        let end = bytes.len().min(start + RUN);
        // No early exit, so that it vectorises.
        if bytes[start..end].iter().fold(true, |plain, &byte| plain & !suspect(byte)) {
            out.extend_from_slice(&bytes[start..end]);
        } else {
            escape_run(bytes, start, end, out);
        }
    }
}

/// Whether a byte may need to be replaced; the last of U+FFFE and U+FFFF only after the others of theirs.
fn suspect(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'&' | b'<' | b'>' | b'"' | 0xBE | 0xBF)
}

fn escape_run(bytes: &[u8], start: usize, end: usize, out: &mut Vec<u8>) {
    let mut run = start;
    for at in start..end {
        let replacement: &[u8] = match bytes[at] {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'"' => b"&quot;",
            // A parser would read a bare carriage return as a line feed.
            b'\r' => b"&#xD;",
            b'\t' | b'\n' => continue,
            0..0x20 => "\u{FFFD}".as_bytes(),
            // U+FFFE and U+FFFF, of which only the last byte differs from U+FFFD.
            0xBE | 0xBF if at >= 2 && bytes[at - 2..at] == [0xEF, 0xBF] => &[0xBD],
            _ => continue,
        };
        out.extend_from_slice(&bytes[run..at]);
        out.extend_from_slice(replacement);
        run = at + 1;
    }
    out.extend_from_slice(&bytes[run..end]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_by_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_310_772_513, "2011-07-15T23:28:33Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            let mut text = String::new();
            iso_8601(seconds, &mut text);
            assert_eq!(text, expected);
        }
    }
}
