//! The body of a request, as its bytes come.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};

use super::chunked::Chunked;
use super::head::Framing;
use super::transport::Transport;

/// What a caller waits for who asked whether to send a body.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A request's body.
pub(super) enum Incoming<S> {
    /// It came with its head; taken at once.
    Whole(Bytes),
    /// It is read as it is asked for.
    Coming(Coming<S>),
}

/// A body that is still on its way.
pub(super) struct Coming<S> {
    transport: Arc<Mutex<Transport<S>>>,
    left: Left,
    /// What is still to be written before the caller sends it.
    invitation: &'static [u8],
    /// Whether what was written of it is still on its way through TLS.
    is_flushing: bool,
}

enum Left {
    Bytes(u64),
    Chunks(Chunked),
}

/// The body of the request whose head was read last. If not all of it is there, the connection counts as unread until it is.
pub(super) fn body<S>(shared: &mut Arc<Mutex<Transport<S>>>, framing: Framing, waits: bool) -> Incoming<S> {
    let mut transport = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let left = match framing {
        Framing::Length(length) if length <= transport.pending.len() as u64 => {
            let body = transport.pending.split_to(length as usize).freeze();
            transport.tidy();
            return Incoming::Whole(body);
        }
        Framing::Length(length) => Left::Bytes(length),
        Framing::Chunked => Left::Chunks(Chunked::Length),
    };
    transport.is_unread = true;
    let invitation = if waits && transport.pending.is_empty() { CONTINUE } else { &[] };
    drop(transport);
    Incoming::Coming(Coming { transport: Arc::clone(shared), left, invitation, is_flushing: false })
}

impl<S: AsyncRead + AsyncWrite + Unpin> Body for Incoming<S> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let part = match self.get_mut() {
            Self::Whole(body) if body.is_empty() => Ok(None),
            Self::Whole(body) => Ok(Some(std::mem::take(body))),
            Self::Coming(coming) => ready!(coming.poll_part(context)),
        };
        Poll::Ready(part.map(|part| part.map(Frame::data)).transpose())
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_empty(),
            Self::Coming(coming) => matches!(coming.left, Left::Bytes(0) | Left::Chunks(Chunked::End)),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.len() as u64),
            Self::Coming(Coming { left: Left::Bytes(left), .. }) => SizeHint::with_exact(*left),
            Self::Coming(_) => SizeHint::default(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Coming<S> {
    fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let mut transport = self.transport.lock().unwrap_or_else(PoisonError::into_inner);
        let transport = &mut *transport;
        while !self.invitation.is_empty() {
            let count = ready!(Pin::new(&mut transport.stream).poll_write(context, self.invitation))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.invitation = &self.invitation[count..];
            self.is_flushing = true;
        }
        if self.is_flushing {
            // Meanwhile the body may come all the same.
            self.is_flushing = Pin::new(&mut transport.stream).poll_flush(context)?.is_pending();
        }
        loop {
            if let Some(part) = self.left.take(&mut transport.pending)? {
                transport.is_unread = !self.left.is_over();
                transport.tidy();
                return Poll::Ready(Ok(Some(part)));
            }
            if self.left.is_over() {
                transport.is_unread = false;
                transport.tidy();
                return Poll::Ready(Ok(None));
            }
            if ready!(transport.poll_fill(context))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

impl Left {
    fn is_over(&self) -> bool {
        matches!(self, Self::Bytes(0) | Self::Chunks(Chunked::End))
    }

    fn take(&mut self, pending: &mut BytesMut) -> io::Result<Option<Bytes>> {
        match self {
            Self::Bytes(left) => {
                let count = (*left).min(pending.len() as u64);
                *left -= count;
                Ok((count > 0).then(|| pending.split_to(count as usize).freeze()))
            }
            Self::Chunks(chunks) => chunks
                .next(pending)
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the body's chunks make no sense")),
        }
    }
}
