//! The head of a request, and what it says about where the request ends.

use bytes::{Buf, Bytes, BytesMut};
use http::uri::Authority;
use http::{Method, Uri};

use super::answer::Stays;
use crate::http::head::{Head, Headers};
use crate::limits;

/// Bytes of empty lines that may come at once before a request: more are no mistake, and would keep us from looking at the time.
const EMPTY_BYTES: usize = 1024;

/// A request that has begun.
#[derive(Debug)]
pub(super) struct Begun {
    // Boxed, for it goes through many hands.
    pub(super) head: Box<Head>,
    pub(super) framing: Framing,
    /// Whether, and how, the connection goes on after the answer.
    pub(super) stays: Option<Stays>,
    /// Whether the caller sends the body only once it is told to.
    pub(super) waits: bool,
}

/// Where a request's body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// Where the last chunk says so.
    Chunked,
}

/// Why a request cannot even be refused in its own terms. Nothing that follows it on its connection can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    /// It is no HTTP/1, or does not say clearly where it ends.
    Malformed,
    /// Its head has too many bytes or headers.
    TooLong,
    /// Its body is coded for the way in a manner that is not known here.
    Coded,
    /// It took too long to come.
    Late,
}

/// Takes the first head out of `pending`; `None` if its end has not come. `searched` is for us alone: it says where to go on looking.
pub(super) fn take(pending: &mut BytesMut, searched: &mut usize) -> Result<Option<Begun>, Unusable> {
    if *searched == 0 && skip_empty_lines(pending) > EMPTY_BYTES {
        return Err(Unusable::Malformed);
    }
    // No method begins so: this is no HTTP, but a greeting in TLS for one, whose sender would wait for an answer.
    match pending.first() {
        None => return Ok(None),
        Some(first) if !first.is_ascii_graphic() => return Err(Unusable::Malformed),
        Some(_) => {}
    }
    let Some(end) = end(pending, *searched) else {
        if pending.len() > limits::HEAD_BYTES {
            return Err(Unusable::TooLong);
        }
        *searched = pending.len();
        return Ok(None);
    };
    *searched = 0;
    if end > limits::HEAD_BYTES {
        return Err(Unusable::TooLong);
    }
    read(&pending.split_to(end).freeze()).map(Some)
}

/// Empty lines before a request are somebody's line ends too many (RFC 9112, 2.2). Says how many bytes of them there were.
pub(super) fn skip_empty_lines(pending: &mut BytesMut) -> usize {
    let empty = pending.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    pending.advance(empty);
    empty
}

/// Where the first head ends: behind the first empty line. What was `searched` already is not looked at again, but for its last bytes,
/// which may begin that line.
fn end(bytes: &[u8], searched: usize) -> Option<usize> {
    let from = searched.saturating_sub(2);
    memchr::memchr_iter(b'\n', &bytes[from..]).find_map(|at| {
        let next = from + at + 1;
        match &bytes[next..] {
            [b'\n', ..] => Some(next + 1),
            [b'\r', b'\n', ..] => Some(next + 2),
            _ => None,
        }
    })
}

fn read(bytes: &Bytes) -> Result<Begun, Unusable> {
    let mut room = [const { std::mem::MaybeUninit::uninit() }; limits::HEADERS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, &mut room) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Unusable::TooLong),
        Ok(_) | Err(_) => return Err(Unusable::Malformed),
    }
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Err(Unusable::Malformed);
    };
    let lines = request.headers.iter().map(|line| (line.name.as_bytes(), line.value));
    let headers = Headers::of(bytes, lines);
    let is_old = version == 0;
    let framing = framing(&headers, is_old)?;
    let stays = stays(&headers, is_old);
    let waits =
        !is_old && headers.get("expect").is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"));
    if headers.all("host").nth(1).is_some() {
        return Err(Unusable::Malformed);
    }
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| Unusable::Malformed)?;
    let target = bytes.slice_ref(target.as_bytes());
    let uri = Uri::from_maybe_shared(target).map_err(|_| Unusable::Malformed)?;
    // A signature covers the header, and the line says where the request goes: whoever could change one of them must not matter.
    let is_host = |authority: &Authority| {
        let mut hosts = headers.all("host");
        hosts.all(|host| host.eq_ignore_ascii_case(authority.as_str().as_bytes()))
    };
    if !uri.authority().is_none_or(is_host) {
        return Err(Unusable::Malformed);
    }
    Ok(Begun { head: Box::new(Head { method, uri, headers }), framing, stays, waits })
}

/// Where the body ends. Whoever says it twice, and be it in agreement, may be understood otherwise by somebody between us and the caller.
fn framing(headers: &Headers, is_old: bool) -> Result<Framing, Unusable> {
    let mut codings = headers.all("transfer-encoding");
    let mut lengths = headers.all("content-length");
    let (coding, length) = (codings.next(), lengths.next());
    if codings.next().is_some() || lengths.next().is_some() || (coding.is_some() && length.is_some()) {
        return Err(Unusable::Malformed);
    }
    match (coding, length) {
        (Some(_), _) if is_old => Err(Unusable::Malformed),
        (Some(coding), _) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        (Some(_), _) => Err(Unusable::Coded),
        (None, Some(length)) => number(length).map(Framing::Length).ok_or(Unusable::Malformed),
        (None, None) => Ok(Framing::Length(0)),
    }
}

/// Digits and nothing else: not even a sign, which others might ignore.
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| byte - b'0')?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

fn stays(headers: &Headers, is_old: bool) -> Option<Stays> {
    let says = |wanted: &[u8]| {
        headers
            .all("connection")
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|option| option.trim_ascii().eq_ignore_ascii_case(wanted))
    };
    match is_old {
        _ if says(b"close") => None,
        true => says(b"keep-alive").then_some(Stays::AsAsked),
        false => Some(Stays::AsUsual),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All heads in what comes, however it is cut into pieces, or the refusal.
    fn heads(bytes: &[u8], piece: usize) -> Result<Vec<Begun>, Unusable> {
        let (mut pending, mut searched, mut heads) = (BytesMut::new(), 0, Vec::new());
        for piece in bytes.chunks(piece) {
            pending.extend_from_slice(piece);
            while let Some(head) = take(&mut pending, &mut searched)? {
                heads.push(head);
            }
        }
        Ok(heads)
    }

    fn one(text: &str) -> Result<Begun, Unusable> {
        let whole = heads(text.as_bytes(), text.len())?.pop().expect("a head");
        for piece in 1..8 {
            let cut = heads(text.as_bytes(), piece)?.pop().expect("a head");
            assert_eq!(
                format!("{:?}", cut.head),
                format!("{:?}", whole.head),
                "{text:?} in pieces of {piece}"
            );
            assert_eq!(cut.framing, whole.framing, "{text:?} in pieces of {piece}");
        }
        Ok(whole)
    }

    #[test]
    fn what_no_request_begins_with_is_refused_before_its_end_comes() {
        for start in [&b"\x16\x03\x01\x02\0\x01"[..], b"\r\n\x16", b" GET", b"\0", b"\xff"] {
            assert!(matches!(heads(start, start.len()), Err(Unusable::Malformed)), "{start:?}");
        }
        assert!(heads(b"GET", 3).is_ok_and(|heads| heads.is_empty()));
    }

    #[test]
    fn a_head_is_read_in_whatever_pieces_it_comes() {
        let head = one(
            "POST /q?Action=A HTTP/1.1\r\nHost: h:1\r\nX-Two: a\r\nx-two:  b \r\nEmpty:\r\nContent-Length: 5\r\n\r\n",
        );
        let head = head.expect("a request");
        assert_eq!(head.head.method, Method::POST);
        assert_eq!(head.head.uri, "/q?Action=A");
        assert_eq!(head.head.headers.text("host"), Some("h:1"));
        assert_eq!(head.head.headers.all("x-two").collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(head.head.headers.text("empty"), Some(""));
        assert_eq!(head.framing, Framing::Length(5));
        assert_eq!(head.stays, Some(Stays::AsUsual));
        assert!(!head.waits);
    }

    #[test]
    fn a_line_and_a_header_that_name_different_hosts_are_refused() {
        let head = |target: &str, headers: &str| one(&format!("GET {target} HTTP/1.1\r\n{headers}\r\n\r\n"));
        let known = head("http://sqs.us-east-1.x:1/q", "Host: SQS.us-east-1.x:1").expect("a request");
        assert_eq!(known.head.uri.path(), "/q");
        for headers in ["Host: kew", "Host: sqs.us-east-1.x", "Host: sqs.us-east-1.x:1\r\nHost: kew", "Host:"]
        {
            let refused = head("http://sqs.us-east-1.x:1/q", headers).map(drop);
            assert_eq!(refused, Err(Unusable::Malformed), "{headers}");
        }
        assert!(head("/q", "Host: kew").is_ok());
    }

    #[test]
    fn what_follows_a_head_stays_for_the_next() {
        let bytes = b"\r\n\nGET /1 HTTP/1.1\r\n\r\n\r\nGET /2 HTTP/1.1\n\nGET /3 HTTP/1.0\r\nA: b\n\r\nrest";
        for piece in 1..bytes.len() {
            let heads = heads(bytes, piece).expect("requests");
            let paths: Vec<_> = heads.iter().map(|head| head.head.uri.path()).collect();
            assert_eq!(paths, ["/1", "/2", "/3"], "in pieces of {piece}");
        }
    }

    #[test]
    fn a_request_that_does_not_say_clearly_where_it_ends_is_refused() {
        let malformed = [
            "Content-Length: 5\r\nContent-Length: 6",
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: 5, 5",
            "Content-Length: +5",
            "Content-Length: 5x",
            "Content-Length: ",
            "Content-Length: 0x5",
            "Content-Length: 18446744073709551616",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Content-Length : 5",
            " Content-Length: 5",
            "A: b\r\n c",
            "A: b\rContent-Length: 5",
            "A: \0",
            "Host: a\r\nHost: a",
        ];
        for headers in malformed {
            let refused = one(&format!("POST / HTTP/1.1\r\n{headers}\r\n\r\n")).map(|head| head.framing);
            assert_eq!(refused, Err(Unusable::Malformed), "{headers:?}");
        }
        for coding in ["gzip", "gzip, chunked", "identity", "chunked, chunked", "xchunked", ""] {
            let refused = one(&format!("POST / HTTP/1.1\r\nTransfer-Encoding: {coding}\r\n\r\n"));
            assert_eq!(refused.map(|head| head.framing), Err(Unusable::Coded), "{coding:?}");
        }
        let old = one("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!(old.map(|head| head.framing), Err(Unusable::Malformed));
        let chunked = one("POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n");
        assert_eq!(chunked.map(|head| head.framing), Ok(Framing::Chunked));
    }

    #[test]
    fn what_is_no_http_1_is_refused() {
        for line in [
            "GET\r\n",
            "\0\r\n",
            "GET / HTTP/9.9\r\n",
            "PRI * HTTP/2.0\r\n",
            "G\u{e9}T / HTTP/1.1\r\n",
            "GET / / HTTP/1.1\r\n",
        ] {
            assert_eq!(
                one(&format!("{line}\r\n")).map(|head| head.framing),
                Err(Unusable::Malformed),
                "{line:?}"
            );
        }
    }

    #[test]
    fn a_connection_stays_as_its_version_and_its_caller_say() {
        let stays = |version: &str, said: &str| {
            let connection = if said.is_empty() { String::new() } else { format!("Connection: {said}\r\n") };
            one(&format!("GET / HTTP/{version}\r\n{connection}\r\n")).expect("a request").stays
        };
        assert_eq!(stays("1.1", ""), Some(Stays::AsUsual));
        assert_eq!(stays("1.1", "keep-alive"), Some(Stays::AsUsual));
        assert_eq!(stays("1.1", "TE , Close"), None);
        assert_eq!(stays("1.0", ""), None);
        assert_eq!(stays("1.0", "Keep-Alive"), Some(Stays::AsAsked));
        assert_eq!(stays("1.0", "keep-alive, close"), None);
    }

    #[test]
    fn a_head_is_bounded_also_when_it_comes_slowly() {
        let long = format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(limits::HEAD_BYTES));
        assert_eq!(heads(long.as_bytes(), 1000).map(|heads| heads.len()), Err(Unusable::TooLong));
        assert_eq!(
            heads(format!("{long}\r\n\r\n").as_bytes(), long.len() * 2).map(|heads| heads.len()),
            Err(Unusable::TooLong)
        );
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(limits::HEADERS + 1));
        assert_eq!(heads(many.as_bytes(), 1000).map(|heads| heads.len()), Err(Unusable::TooLong));
        let empty = "\r\n".repeat(EMPTY_BYTES);
        assert_eq!(heads(empty.as_bytes(), empty.len()).map(|heads| heads.len()), Err(Unusable::Malformed));
        let just = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(limits::HEADERS));
        assert_eq!(heads(just.as_bytes(), 1000).map(|heads| heads.len()), Ok(1));
    }

    #[test]
    fn a_target_may_be_a_whole_url_or_a_star() {
        assert_eq!(
            one("POST http://h:1/q HTTP/1.1\r\n\r\n")
                .expect("a request")
                .head
                .uri
                .authority()
                .map(|it| it.as_str()),
            Some("h:1")
        );
        assert_eq!(one("OPTIONS * HTTP/1.1\r\n\r\n").expect("a request").head.uri, "*");
    }
}
