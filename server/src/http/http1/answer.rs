//! Answers, in HTTP/1's form.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Buf, Bytes};
use http::StatusCode;
use tokio::io::AsyncWrite;

use super::transport::Transport;
use crate::http::respond::{REQUEST_ID, Response};

/// Room for the heads of nearly all answers.
const HEAD_BYTES: usize = 512;

/// A body up to here is copied behind its head: one part is written faster than two.
const COPIED_BYTES: usize = 8 * 1024;

thread_local! {
    /// The time in seconds, and how HTTP writes it.
    static DATE: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

/// How a connection goes on after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stays {
    /// As HTTP/1.1's do.
    AsUsual,
    /// As HTTP/1.0's do if they are asked to: they must be told so.
    AsAsked,
}

/// How an answer is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Not if only the head was asked for.
    pub(super) with_body: bool,
    /// `None` if the connection ends behind it.
    pub(super) stays: Option<Stays>,
}

/// Writes all of an answer.
pub(super) async fn write<S: AsyncWrite + Unpin>(
    shared: &Mutex<Transport<S>>,
    answer: Response,
    manner: Manner,
) -> io::Result<()> {
    let copied = Some(answer.body.len()).filter(|length| *length <= COPIED_BYTES && manner.with_body);
    let mut head = Vec::with_capacity(HEAD_BYTES + copied.unwrap_or(0));
    write_head(&mut head, &answer, manner);
    let body = match copied {
        Some(_) => {
            head.extend_from_slice(&answer.body);
            Bytes::new()
        }
        None if manner.with_body => answer.body,
        None => Bytes::new(),
    };
    let mut left = head.as_slice().chain(body);
    poll_fn(|context| {
        let mut transport = shared.lock().unwrap_or_else(PoisonError::into_inner);
        while left.has_remaining() {
            let mut parts = [IoSlice::new(&[]); 2];
            let stream = Pin::new(&mut transport.stream);
            let count = match left.chunks_vectored(&mut parts) {
                0 | 1 => ready!(stream.poll_write(context, left.chunk()))?,
                _ => ready!(stream.poll_write_vectored(context, &parts))?,
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            left.advance(count);
        }
        Pin::new(&mut transport.stream).poll_flush(context)
    })
    .await
}

fn write_head(out: &mut Vec<u8>, answer: &Response, manner: Manner) {
    let mut digits = itoa::Buffer::new();
    let status = answer.status;
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    if !answer.content_type.is_empty() {
        write_header(out, "content-type", answer.content_type.as_bytes());
    }
    if let Some(id) = &answer.id {
        for name in REQUEST_ID {
            write_header(out, name, id.as_bytes());
        }
    }
    for (name, value) in &answer.headers {
        write_header(out, name.as_str(), value.as_bytes());
    }
    if !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        write_header(out, "content-length", digits.format(answer.body.len()).as_bytes());
    }
    match manner.stays {
        Some(Stays::AsUsual) => {}
        Some(Stays::AsAsked) => write_header(out, "connection", b"keep-alive"),
        None => write_header(out, "connection", b"close"),
    }
    write_date(out);
    out.extend_from_slice(b"\r\n\r\n");
}

fn write_header(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
}

/// SDKs set their clocks by it.
fn write_date(out: &mut Vec<u8>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    DATE.with_borrow_mut(|(second, text)| {
        if *second != now {
            *second = now;
            *text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now));
        }
        write_header(out, "date", text.as_bytes());
    });
}
