//! One keep-alive HTTP/1.1 connection, as little of it as a load generator needs.

use std::io;
use std::rc::Rc;

use memchr::{memchr_iter, memmem};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::endpoint::{Endpoint, Operation};

/// The longest head of an answer.
const HEAD_BYTES: usize = 64 * 1024;

/// A connection that opens itself when it is needed, and again after it was lost.
#[derive(Debug)]
pub struct Connection {
    endpoint: Rc<Endpoint>,
    stream: Option<TcpStream>,
    output: Vec<u8>,
    input: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

impl Connection {
    /// A connection to `endpoint`, not open yet.
    pub fn new(endpoint: Rc<Endpoint>) -> Self {
        Self {
            endpoint,
            stream: None,
            output: Vec::with_capacity(4096),
            input: Vec::with_capacity(16 * 1024),
        }
    }

    /// Opens the connection if it is not open.
    pub async fn open(&mut self) -> io::Result<()> {
        if self.stream.is_none() {
            self.stream = Some(self.endpoint.connect().await?);
        }
        Ok(())
    }

    /// Sends one request and waits for its answer. After an error the next call connects anew.
    pub async fn call(&mut self, operation: &Operation, body: &[u8]) -> io::Result<Answer<'_>> {
        self.open().await?;
        self.output.clear();
        self.output.extend_from_slice(&operation.head);
        self.output.extend_from_slice(itoa::Buffer::new().format(body.len()).as_bytes());
        self.output.extend_from_slice(b"\r\n\r\n");
        self.output.extend_from_slice(body);
        // Taken while the exchange lasts: whoever drops this future half way leaves no answer behind for the next request.
        let Some(mut stream) = self.stream.take() else { return Err(io::ErrorKind::NotConnected.into()) };
        stream.write_all(&self.output).await?;
        let head = read_answer(&mut stream, &mut self.input).await?;
        if !head.close {
            self.stream = Some(stream);
        }
        Ok(Answer { status: head.status, body: &self.input[head.bytes..] })
    }
}

/// What the head of an answer says.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    bytes: usize,
    status: u16,
    body_bytes: usize,
    close: bool,
}

/// Reads one answer, and nothing beyond it, since nothing else was asked for.
async fn read_answer(stream: &mut TcpStream, input: &mut Vec<u8>) -> io::Result<Head> {
    input.clear();
    loop {
        if stream.read_buf(input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(head) = parse_head(input)? else {
            if input.len() > HEAD_BYTES {
                return Err(wrong("the answer's head is too long"));
            }
            continue;
        };
        let whole = head.bytes + head.body_bytes;
        input.reserve(whole.saturating_sub(input.len()));
        while input.len() < whole {
            if stream.read_buf(input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        if input.len() > whole {
            return Err(wrong("the answer is longer than it said"));
        }
        return Ok(head);
    }
}

/// Reads the head if all of it has arrived.
fn parse_head(input: &[u8]) -> io::Result<Option<Head>> {
    let Some(end) = memmem::find(input, b"\r\n\r\n") else { return Ok(None) };
    let lines = &input[..end + 2];
    let status = lines.get(9..12).and_then(number).ok_or_else(|| wrong("the answer is not HTTP"))?;
    let mut head =
        Head { bytes: end + 4, status: status as u16, body_bytes: 0, close: lines.starts_with(b"HTTP/1.0") };
    let mut start = 0;
    for newline in memchr_iter(b'\n', lines) {
        let line = &lines[start..newline];
        start = newline + 1;
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            head.body_bytes =
                number(value).ok_or_else(|| wrong("the answer's Content-Length is no number"))?;
        } else if name.eq_ignore_ascii_case(b"connection") {
            head.close = value.eq_ignore_ascii_case(b"close");
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Err(wrong("the answer is chunked, which this client does not read"));
        }
    }
    Ok(Some(head))
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
        assert_eq!(read, Head { bytes: head.len(), status: 200, body_bytes: 12, close: false });
    }

    #[test]
    fn a_closing_answer_is_noticed() {
        let close = |text: &[u8]| parse_head(text).expect("no error").expect("a head").close;
        assert!(close(b"HTTP/1.1 503 Busy\r\nConnection: Close\r\n\r\n"));
        assert!(close(b"HTTP/1.0 200 OK\r\n\r\n"));
        assert!(!close(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert!(parse_head(b"SSH-2.0-OpenSSH\r\n\r\n").is_err());
        assert!(parse_head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n").is_err());
    }
}
