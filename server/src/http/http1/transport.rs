//! The bytes of a connection.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, ReadBuf};

use super::head::skip_empty_lines;

/// What is read from a socket at once.
const READ_BYTES: usize = 64 * 1024;

thread_local! {
    /// Where the sockets of this thread are read to: what came is copied from there, so that a connection to which nothing came has no
    /// buffer, and one to which little came a small one.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// A connection's socket, and what came from it and was not looked at yet.
pub(super) struct Transport<S> {
    pub(super) stream: S,
    pub(super) pending: BytesMut,
    /// So much of what is pending was searched in vain for the end of a head.
    pub(super) searched: usize,
    /// Whether a part of the last request's body is still to come.
    pub(super) is_unread: bool,
}

impl<S> Transport<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, pending: BytesMut::new(), searched: 0, is_unread: false }
    }

    /// Gives back the room of what was taken, if that was all.
    pub(super) fn tidy(&mut self) {
        if self.pending.is_empty() {
            self.pending = BytesMut::new();
        }
    }
}

impl<S: AsyncRead + Unpin> Transport<S> {
    /// Reads what is there, and says how much it was: nothing at the end.
    pub(super) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            let bytes = buffer.filled();
            self.pending.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        })
    }

    /// Ready once the peer has gone. Of what it says meanwhile only the first part is read: the rest waits for its turn.
    pub(super) fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            skip_empty_lines(&mut self.pending);
            if !self.pending.is_empty() {
                return Poll::Pending;
            }
            if !matches!(ready!(self.poll_fill(context)), Ok(1..)) {
                return Poll::Ready(());
            }
        }
    }
}
