//! Reading one HTTP/1.1 answer, as little of it as a load generator needs.

use std::io;

use memchr::{memchr_iter, memmem};

use crate::stream::Stream;

/// The longest head of an answer.
const HEAD_BYTES: usize = 64 * 1024;

/// The longest line that says how long a chunk is.
const CHUNK_LINE_BYTES: usize = 1024;

/// What the head of an answer says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Bytes of the head itself.
    pub(crate) bytes: usize,
    pub(crate) status: u16,
    length: Length,
    /// Whether the server closes the connection behind it.
    pub(crate) close: bool,
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Bytes(usize),
    Chunked,
    UntilClosed,
}

/// Reads one answer, and nothing beyond it, since nothing else was asked for. Its body follows the head in `input`.
pub(crate) async fn read(stream: &mut Stream, input: &mut Vec<u8>) -> io::Result<Head> {
    input.clear();
    let head = loop {
        if stream.read(input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match parse_head(input)? {
            Some(head) => break head,
            None if input.len() > HEAD_BYTES => return Err(wrong("the answer's head is too long")),
            None => {}
        }
    };
    match head.length {
        Length::Bytes(bytes) => {
            let whole = head.bytes + bytes;
            input.reserve(whole.saturating_sub(input.len()));
            while input.len() < whole {
                more(stream, input).await?;
            }
            if input.len() > whole {
                return Err(wrong("the answer is longer than it said"));
            }
        }
        Length::Chunked => {
            while !join_chunks(input, head.bytes)? {
                more(stream, input).await?;
            }
        }
        Length::UntilClosed => loop {
            match stream.read(input).await {
                Ok(0) => break,
                Ok(_) => {}
                // Some hang up without TLS's farewell.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error),
            }
        },
    }
    Ok(head)
}

async fn more(stream: &mut Stream, input: &mut Vec<u8>) -> io::Result<()> {
    match stream.read(input).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// Reads the head if all of it has arrived.
fn parse_head(input: &[u8]) -> io::Result<Option<Head>> {
    let Some(end) = memmem::find(input, b"\r\n\r\n") else { return Ok(None) };
    let lines = &input[..end + 2];
    let status = lines.get(9..12).and_then(number).filter(|_| lines.starts_with(b"HTTP/1."));
    let status = status.ok_or_else(|| wrong("the answer is not HTTP/1.1"))?;
    let (mut length, mut chunked) = (None, false);
    let mut close = lines.starts_with(b"HTTP/1.0");
    let mut start = 0;
    for newline in memchr_iter(b'\n', lines) {
        let line = &lines[start..newline];
        start = newline + 1;
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            length = Some(number(value).ok_or_else(|| wrong("the answer's Content-Length is no number"))?);
        } else if name.eq_ignore_ascii_case(b"connection") {
            close = value.eq_ignore_ascii_case(b"close");
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            chunked = value.eq_ignore_ascii_case(b"chunked");
            if !chunked {
                return Err(wrong("the answer's Transfer-Encoding is unknown"));
            }
        }
    }
    let length = match (chunked, length) {
        (true, _) => Length::Chunked,
        (false, Some(bytes)) => Length::Bytes(bytes),
        (false, None) if matches!(status, 204 | 304) => Length::Bytes(0),
        (false, None) => {
            close = true;
            Length::UntilClosed
        }
    };
    Ok(Some(Head { bytes: end + 4, status: status as u16, length, close }))
}

/// Joins the chunks behind the head, if the last one has arrived; else nothing is changed.
fn join_chunks(input: &mut Vec<u8>, head: usize) -> io::Result<bool> {
    let mut chunks = Vec::new();
    let mut at = head;
    loop {
        let Some(line) = memmem::find(&input[at..], b"\r\n") else {
            let is_long = input.len() - at > CHUNK_LINE_BYTES;
            return if is_long { Err(wrong("a chunk does not say how long it is")) } else { Ok(false) };
        };
        let digits = input[at..at + line].split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let bytes =
            std::str::from_utf8(digits).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let bytes = bytes
            .filter(|bytes| *bytes < 1 << 32)
            .ok_or_else(|| wrong("a chunk does not say how long it is"))?;
        let start = at + line + 2;
        if bytes == 0 {
            // Trailers, then an empty line.
            if !input[start..].starts_with(b"\r\n") && memmem::find(&input[start..], b"\r\n\r\n").is_none() {
                return Ok(false);
            }
            break;
        }
        chunks.push(start..start + bytes);
        at = start + bytes + 2;
        if at > input.len() {
            return Ok(false);
        }
    }
    let mut end = head;
    for chunk in chunks {
        let bytes = chunk.len();
        input.copy_within(chunk, end);
        end += bytes;
    }
    input.truncate(end);
    Ok(true)
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_all_of_it_is_there() {
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nContent-length:  12\r\n\r\n";
        for cut in 0..head.len() {
            assert_eq!(parse_head(&head[..cut]).expect("no error"), None);
        }
        let read = parse_head(head).expect("no error").expect("a head");
        assert_eq!(read, Head { bytes: head.len(), status: 200, length: Length::Bytes(12), close: false });
    }

    #[test]
    fn a_closing_answer_is_noticed() {
        let close = |text: &[u8]| parse_head(text).expect("no error").expect("a head").close;
        assert!(close(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n"));
        assert!(close(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
        assert!(!close(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"));
        assert!(close(b"HTTP/1.1 200 OK\r\n\r\n"), "only its end tells how long it is");
        assert!(!close(b"HTTP/1.1 204 Nothing\r\n\r\n"));
    }

    #[test]
    fn chunks_are_joined_once_the_last_one_is_there() {
        let whole = b"HEAD4\r\nabcd\r\n00A;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n";
        for cut in 4..whole.len() {
            let mut input = whole[..cut].to_vec();
            assert!(!join_chunks(&mut input, 4).expect("no error"), "{cut}");
            assert_eq!(input, whole[..cut]);
        }
        let mut input = whole.to_vec();
        assert!(join_chunks(&mut input, 4).expect("no error"));
        assert_eq!(input, b"HEADabcd0123456789");
        let mut empty = b"0\r\n\r\n".to_vec();
        assert!(join_chunks(&mut empty, 0).expect("no error") && empty.is_empty());
        assert!(join_chunks(&mut b"no number\r\n".to_vec(), 0).is_err());
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert!(parse_head(b"SSH-2.0-OpenSSH\r\n\r\n").is_err());
        assert!(parse_head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n").is_err());
        assert!(parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n").is_err());
    }
}
