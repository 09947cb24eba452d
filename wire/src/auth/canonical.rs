//! The canonical request: what a signature covers, spelled in the one way that caller and service agree on.

use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use super::claim::Claim;

/// A request as it came, as far as signatures cover it.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a, H> {
    /// The method.
    pub method: &'a str,
    /// The URL's path, as it stood on the wire.
    pub path: &'a str,
    /// What follows the URL's question mark, as it stood on the wire; empty if there is none.
    pub query: &'a str,
    /// The headers.
    pub headers: H,
    /// The whole body.
    pub body: &'a [u8],
}

/// The headers of a request.
pub trait Headers {
    /// The values of the headers of this name, which is in lower case, in their order of arrival. Of `host`, the authority
    /// where HTTP carries that elsewhere.
    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]>;

    /// The first value, if it is plain ASCII.
    fn text<'a>(&'a self, name: &str) -> Option<&'a str> {
        let text = core::str::from_utf8(self.values(name).next()?).ok()?;
        text.is_ascii().then_some(text)
    }
}

/// Headers in a list, their names in any case.
impl<N: AsRef<str>, V: AsRef<[u8]>> Headers for &[(N, V)] {
    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(known, _)| known.as_ref().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_ref())
    }
}

/// Appends the canonical request. Its headers' names are sorted, each named once.
pub(super) fn write<H: Headers>(
    claim: &Claim<'_>,
    request: &SignedRequest<'_, H>,
    names: &[&str],
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(request.method.as_bytes());
    out.push(b'\n');
    canonical_path(request.path, out);
    out.push(b'\n');
    canonical_query(request.query, claim.is_presigned(), out);
    out.push(b'\n');
    for name in names {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        for (index, value) in request.headers.values(name).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            trimmed(value, out);
        }
        out.push(b'\n');
    }
    out.push(b'\n');
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            out.push(b';');
        }
        out.extend_from_slice(name.as_bytes());
    }
    out.push(b'\n');
    out.extend_from_slice(&hex(Sha256::digest(request.body).into()));
}

/// Appends a path: `.`, `..` and empty segments resolved, and encoded, although on the wire it was encoded already. So AWS
/// has it for every service but S3.
pub fn canonical_path(path: &str, out: &mut Vec<u8>) {
    // Nearly always.
    if path == "/" || path.is_empty() {
        out.push(b'/');
        return;
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    for segment in &kept {
        out.push(b'/');
        segment.bytes().for_each(|byte| encoded(byte, out));
    }
    let is_folder = matches!(path.rsplit('/').next(), Some("" | "." | ".."));
    if kept.is_empty() || is_folder {
        out.push(b'/');
    }
}

/// Appends a query: each name and value decoded and encoded anew, sorted by name, then value. A presigned URL's signature
/// does not cover itself.
pub fn canonical_query(query: &str, is_presigned: bool, out: &mut Vec<u8>) {
    if query.is_empty() {
        return;
    }
    let mut bytes = Vec::with_capacity(query.len() + query.len() / 4);
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let start = bytes.len();
        recoded(name, &mut bytes);
        let middle = bytes.len();
        recoded(value, &mut bytes);
        if is_presigned && bytes[start..middle] == *b"X-Amz-Signature" {
            bytes.truncate(start);
        } else {
            pairs.push((start, middle, bytes.len()));
        }
    }
    pairs.sort_unstable_by_key(|&(start, middle, end)| (&bytes[start..middle], &bytes[middle..end]));
    for (index, (start, middle, end)) in pairs.into_iter().enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(&bytes[start..middle]);
        out.push(b'=');
        out.extend_from_slice(&bytes[middle..end]);
    }
}

/// Appends `text` with its `+` and `%XX` resolved and encoded in the one way. A `%` that begins nothing stands for itself;
/// whoever reads the query will refuse it.
fn recoded(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digit = |at: usize| bytes.get(at).and_then(|&digit| char::from(digit).to_digit(16));
        match (byte, digit(at + 1), digit(at + 2)) {
            // Two hexadecimal digits make one byte.
            (b'%', Some(high), Some(low)) => {
                encoded((high << 4 | low) as u8, out);
                at += 2;
            }
            (b'+', ..) => encoded(b' ', out),
            _ => encoded(byte, out),
        }
        at += 1;
    }
}

/// Appends a byte: RFC 3986's unreserved characters as they are, others as `%XX`.
fn encoded(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
        out.push(byte);
    } else {
        out.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// Appends a header's value: no blanks around it, and one wherever there are several within.
fn trimmed(value: &[u8], out: &mut Vec<u8>) {
    let value = value.trim_ascii();
    // Without an early end, so that many bytes are looked at in one step.
    let follows = value.get(1..).unwrap_or_default();
    let is_plain =
        value.iter().fold(true, |yet, byte| yet & !matches!(byte, b'\t' | b'\n' | b'\r' | b'\x0c'))
            & value.iter().zip(follows).fold(true, |yet, pair| yet & (pair != (&b' ', &b' ')));
    if is_plain {
        out.extend_from_slice(value);
        return;
    }
    let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

/// A hash in hexadecimal, as signatures write it.
pub(super) fn hex(bytes: [u8; 32]) -> [u8; 64] {
    let mut text = [0; 64];
    for (digits, byte) in text.chunks_exact_mut(2).zip(bytes) {
        digits.copy_from_slice(&self::digits(byte));
    }
    text
}

/// A byte's two hexadecimal digits.
pub(super) fn digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use proptest::prelude::*;

    use super::*;

    fn path(path: &str) -> String {
        let mut out = Vec::new();
        canonical_path(path, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    fn query(query: &str, is_presigned: bool) -> String {
        let mut out = Vec::new();
        canonical_query(query, is_presigned, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    fn value(value: &str) -> String {
        let mut out = Vec::new();
        trimmed(value.as_bytes(), &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn paths_are_resolved_and_encoded_once_more_than_they_were() {
        let cases = [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/a/b", "/a/b"),
            ("/a//b/", "/a/b/"),
            ("/./a/../b", "/b"),
            ("/a/..", "/"),
            ("/../../a", "/a"),
            ("/a/b/..", "/a/"),
            ("/a%20b", "/a%2520b"),
            ("/a b", "/a%20b"),
            ("/~-_.A0", "/~-_.A0"),
            ("/a:b@c", "/a%3Ab%40c"),
            ("/\u{1234}", "/%E1%88%B4"),
        ];
        for (given, expected) in cases {
            assert_eq!(path(given), expected, "{given}");
        }
    }

    #[test]
    fn queries_are_decoded_encoded_anew_and_sorted() {
        let cases = [
            ("", ""),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1", "a=1&a=2"),
            ("a-b=1&a=2", "a=2&a-b=1"),
            ("A=1&a=2", "A=1&a=2"),
            ("a", "a="),
            ("a=&=b", "=b&a="),
            ("a=b=c", "a=b%3Dc"),
            ("&&a=1&", "a=1"),
            ("a=%2a%7e+%41", "a=%2A~%20A"),
            ("a=x/y:z", "a=x%2Fy%3Az"),
            ("a=%", "a=%25"),
            ("a=%4", "a=%254"),
            ("a=%zz", "a=%25zz"),
            ("a=%ff", "a=%FF"),
            ("a=\u{1234}", "a=%E1%88%B4"),
        ];
        for (given, expected) in cases {
            assert_eq!(query(given, false), expected, "{given}");
        }
    }

    #[test]
    fn the_signature_of_a_presigned_url_does_not_cover_itself() {
        let given = "X-Amz-Signature=ab&Action=x&X%2DAmz-Signature=cd";
        assert_eq!(query(given, true), "Action=x");
        assert_eq!(query(given, false), "Action=x&X-Amz-Signature=ab&X-Amz-Signature=cd");
    }

    #[test]
    fn blanks_in_headers_are_made_one() {
        let cases = [
            ("", ""),
            ("  ", ""),
            (" a ", "a"),
            ("a b", "a b"),
            ("a   b  c ", "a b c"),
            ("\"a   b\"", "\"a b\""),
            ("a\tb", "a b"),
            ("a\r\n  b", "a b"),
        ];
        for (given, expected) in cases {
            assert_eq!(value(given), expected, "{given:?}");
        }
    }

    proptest! {
        /// What is canonical stays as it is, and the order of the pairs means nothing.
        #[test]
        fn queries_have_one_canonical_form(pairs in prop::collection::vec("[a-zA-Z%+=0-9 ~/\u{e9}]{0,6}", 0..6)) {
            let once = query(&pairs.join("&"), false);
            prop_assert_eq!(query(&once, false), once.clone());
            let reversed: Vec<_> = pairs.iter().rev().map(String::as_str).collect();
            prop_assert_eq!(query(&reversed.join("&"), false), once);
        }

        /// No path leads out of the root, and resolving it leaves nothing to resolve.
        #[test]
        fn paths_are_resolved_for_good(given in "(/|\\.|\\.\\.|a|b~){0,12}") {
            let once = path(&given);
            prop_assert!(once.starts_with('/') && !once.contains("//"));
            prop_assert!(once.split('/').all(|segment| !matches!(segment, "." | "..")));
            prop_assert_eq!(path(&once), once);
        }

        #[test]
        fn values_are_trimmed_for_good(given in "[ \t\na-c\u{e9}]{0,12}") {
            let once = value(&given);
            prop_assert_eq!(value(&once), once);
        }
    }
}
