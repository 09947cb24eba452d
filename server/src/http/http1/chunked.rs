//! Bodies in chunks (RFC 9112, 7.1).

use bytes::{Buf, Bytes, BytesMut};

/// The longest line between chunks: a length and what some write behind it.
const LINE_BYTES: usize = 256;

/// The bytes of all headers behind the last chunk.
const TRAILER_BYTES: usize = 8 * 1024;

/// Where in a body in chunks we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunked {
    /// Before a chunk's length.
    Length,
    /// Within a chunk of which so much is left.
    Content(u64),
    /// Behind a chunk, before the end of its line.
    LineEnd,
    /// Behind the last chunk; so many bytes of headers were read there.
    Trailer(usize),
    /// At the end.
    End,
}

/// The bytes are no chunks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Chunked {
    /// The next part of the body that is there; `None` if more must come, or at the end.
    pub(super) fn next(&mut self, pending: &mut BytesMut) -> Result<Option<Bytes>, Malformed> {
        loop {
            match *self {
                Self::Length => {
                    let Some(line) = line(pending, LINE_BYTES)? else { return Ok(None) };
                    *self = match length(&line)? {
                        0 => Self::Trailer(0),
                        length => Self::Content(length),
                    };
                }
                Self::Content(left) => {
                    if pending.is_empty() {
                        return Ok(None);
                    }
                    let count = left.min(pending.len() as u64);
                    *self = if count == left { Self::LineEnd } else { Self::Content(left - count) };
                    return Ok(Some(pending.split_to(count as usize).freeze()));
                }
                Self::LineEnd => {
                    if pending.len() < 2 {
                        return Ok(None);
                    }
                    if !pending.starts_with(b"\r\n") {
                        return Err(Malformed);
                    }
                    pending.advance(2);
                    *self = Self::Length;
                }
                Self::Trailer(read) => {
                    let Some(line) = line(pending, TRAILER_BYTES.saturating_sub(read))? else {
                        return Ok(None);
                    };
                    *self = if line.is_empty() { Self::End } else { Self::Trailer(read + line.len() + 2) };
                }
                Self::End => return Ok(None),
            }
        }
    }
}

/// The next line without its end, once it is there.
fn line(pending: &mut BytesMut, longest: usize) -> Result<Option<BytesMut>, Malformed> {
    let Some(end) = memchr::memchr(b'\n', &pending[..pending.len().min(longest + 2)]) else {
        return if pending.len() > longest { Err(Malformed) } else { Ok(None) };
    };
    let mut line = pending.split_to(end + 1);
    // A bare line feed may be something else to somebody between us and the caller.
    if !line.ends_with(b"\r\n") || line[..end - 1].contains(&b'\r') {
        return Err(Malformed);
    }
    line.truncate(end - 1);
    Ok(Some(line))
}

/// The length that begins a chunk's line, in hexadecimal digits; extensions behind it mean nothing to us.
fn length(line: &[u8]) -> Result<u64, Malformed> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    if digits.is_empty() || digits.len() > 15 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(Malformed);
    }
    let text = str::from_utf8(digits).map_err(|_| Malformed)?;
    u64::from_str_radix(text, 16).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body in what comes in pieces, and what is left behind it.
    fn body(bytes: &[u8], piece: usize) -> Result<(Vec<u8>, Vec<u8>, Chunked), Malformed> {
        let (mut pending, mut chunked, mut body) = (BytesMut::new(), Chunked::Length, Vec::new());
        for piece in bytes.chunks(piece) {
            pending.extend_from_slice(piece);
            while let Some(part) = chunked.next(&mut pending)? {
                body.extend_from_slice(&part);
            }
        }
        Ok((body, pending.to_vec(), chunked))
    }

    #[test]
    fn a_body_is_read_in_whatever_pieces_it_comes() {
        let bytes = b"5\r\nhello\r\n0000b;a=\"b\"\r\n wide world\r\n0\r\nTrailer: t\r\nMore: m\r\n\r\nGET /";
        for piece in 1..=bytes.len() {
            let (body, left, end) = body(bytes, piece).expect("chunks");
            assert_eq!(body, b"hello wide world", "in pieces of {piece}");
            assert_eq!(left, b"GET /", "in pieces of {piece}");
            assert_eq!(end, Chunked::End);
        }
    }

    #[test]
    fn what_others_might_read_otherwise_is_refused() {
        let refused: [&[u8]; 11] = [
            b"ZZ\r\n",
            b"\r\nhello",
            b" 5\r\nhello\r\n",
            b"+5\r\nhello\r\n",
            b"0x5\r\nhello\r\n",
            b"5\nhello\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5\r\nhelloo\r\n",
            b"5;\r\rx\r\nhello\r\n",
            b"ffffffffffffffff\r\n",
            b"0\r\nA: b\n\r\n",
        ];
        for bytes in refused {
            for piece in 1..=bytes.len() {
                assert_eq!(body(bytes, piece), Err(Malformed), "{bytes:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn lines_without_an_end_are_bounded() {
        assert_eq!(body(&[b"1;".as_slice(), &[b'x'; 300]].concat(), 7), Err(Malformed));
        let trailer = [b"0\r\n".as_slice(), &b"A: b\r\n".repeat(TRAILER_BYTES / 6 + 2), b"A: b"].concat();
        assert_eq!(body(&trailer, 100), Err(Malformed));
        assert_eq!(body(&[b"0\r\n".as_slice(), &[b'x'; TRAILER_BYTES * 2]].concat(), 1000), Err(Malformed));
        // A line that just fits leaves room for none behind it.
        for length in TRAILER_BYTES - 4..=TRAILER_BYTES + 4 {
            let long = [&b"0\r\n"[..], &vec![b'x'; length], b"\r\n", &[b'y'; 100]].concat();
            assert_eq!(body(&long, 4096), Err(Malformed), "{length}");
        }
    }
}
