//! The head of a request, in whichever version of HTTP it came.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Method, Uri};

/// What a request says before its body.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: Headers,
}

/// A request's headers in the order in which they came, which is all that signatures need; few enough that looking through them is
/// the fastest way to find one. Names are found whatever their case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Headers {
    /// All of the head.
    bytes: Bytes,
    lines: Vec<Line>,
}

/// Where in the head a header's name and value stand.
#[derive(Debug, Clone)]
struct Line {
    /// See [`tag`].
    tag: u16,
    name: Range<u32>,
    value: Range<u32>,
}

/// What tells nearly all names apart at one look, whatever their case.
#[inline]
fn tag(name: &[u8]) -> u16 {
    let [first, .., last] = name else { return name.len() as u16 };
    u16::from(name.len() as u8) << 8 | u16::from((first | 0x20) ^ (last | 0x20).rotate_left(3))
}

impl Headers {
    /// Headers that are parts of `bytes`. What is not part of them counts as empty.
    pub(super) fn of<'a>(
        bytes: &'a Bytes,
        lines: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Self {
        let place = |part: &[u8]| {
            let from = part.as_ptr().addr().wrapping_sub(bytes.as_ptr().addr());
            let is_within = from.checked_add(part.len()).is_some_and(|end| end <= bytes.len());
            if is_within { from as u32..(from + part.len()) as u32 } else { 0..0 }
        };
        let line = |(name, value)| {
            let name = place(name);
            Line { tag: tag(&bytes[name.start as usize..name.end as usize]), name, value: place(value) }
        };
        let lines = lines.map(line).collect();
        Self { bytes: bytes.clone(), lines }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The first value of a header.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let (name, tag) = (name.as_bytes(), tag(name.as_bytes()));
        let named = move |line: &&Line| line.tag == tag && self.is_named(line, name);
        self.lines.iter().filter(named).map(|line| self.part(&line.value))
    }

    /// The first value of a header, if it is visible ASCII.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let value = self.get(name)?;
        // Without an early end, so that many bytes are looked at in one step.
        let is_visible = value.iter().fold(true, |yet, byte| yet & matches!(byte, b'\t' | b' '..=b'~'));
        if is_visible { str::from_utf8(value).ok() } else { None }
    }

    /// Whether there is such a header.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    // Apart, so that what tells most lines apart stays small.
    #[inline(never)]
    fn is_named(&self, line: &Line, name: &[u8]) -> bool {
        let named = self.part(&line.name);
        // Many clients write them as we do.
        named == name || named.eq_ignore_ascii_case(name)
    }

    fn part(&self, place: &Range<u32>) -> &[u8] {
        &self.bytes[place.start as usize..place.end as usize]
    }
}

impl From<&HeaderMap> for Headers {
    fn from(map: &HeaderMap) -> Self {
        let mut bytes = BytesMut::new();
        let mut put = |part: &[u8]| {
            let from = bytes.len() as u32;
            bytes.put_slice(part);
            from..bytes.len() as u32
        };
        let lines = map
            .iter()
            .map(|(name, value)| {
                let name = name.as_str().as_bytes();
                Line { tag: tag(name), name: put(name), value: put(value.as_bytes()) }
            })
            .collect();
        Self { bytes: bytes.freeze(), lines }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn headers_are_found_whatever_their_case_and_in_their_order() {
        let mut map = HeaderMap::new();
        map.append("x-two", HeaderValue::from_static("a"));
        map.append("host", HeaderValue::from_static("h"));
        map.append("x-two", HeaderValue::from_static("b"));
        map.append("empty", HeaderValue::from_static(""));
        let headers = Headers::from(&map);
        assert_eq!(headers.all("X-Two").collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(headers.get("HOST"), Some(&b"h"[..]));
        assert_eq!(headers.text("empty"), Some(""));
        assert!(!headers.contains("x-tw") && !headers.contains("hest") && !headers.contains(""));
    }

    #[test]
    fn only_visible_ascii_is_text() {
        for (value, expected) in
            [(&b"a b\tc"[..], Some("a b\tc")), (b"caf\xc3\xa9", None), (b"\xff", None), (b"a\x7f", None)]
        {
            let bytes = Bytes::from([b"name", value].concat());
            let headers = Headers::of(&bytes, [(&bytes[..4], &bytes[4..])].into_iter());
            assert_eq!(headers.text("name"), expected, "{value:?}");
        }
    }

    #[test]
    fn what_is_no_part_of_the_head_is_empty() {
        let bytes = Bytes::from_static(b"name: value");
        let headers =
            Headers::of(&bytes, [(&bytes[..4], &b"elsewhere"[..]), (&b"else"[..], &bytes[6..])].into_iter());
        assert_eq!(headers.get("name"), Some(&b""[..]));
        assert_eq!(headers.get(""), Some(&b"value"[..]));
    }
}
