//! HTTP/1.1 on one connection (RFC 9112): one request after the other, each answered before the next is looked at.
//!
//! Written for connections that mostly wait. While nothing of a request is there, a connection has no buffer, and while its request
//! waits for its answer, only the bytes that its service still holds. Heads are taken apart by `httparse`; what decides where a request
//! ends (lengths, chunks, contradictions between them) is here, and whatever is ambiguous is refused: it could be a request hidden in
//! another.

mod answer;
mod chunked;
mod deadline;
mod head;
mod incoming;
mod transport;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::{Method, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};

use self::answer::Manner;
use self::deadline::Deadline;
use self::head::{Begun, Unusable};
use self::transport::Transport;
use super::connections::Stopping;
use super::front::Connection;
use super::respond::{Response, empty};
use crate::limits;

/// What a connection says next.
enum Next {
    Request(Begun),
    /// Nothing that can be answered but by a refusal.
    Refused(Unusable),
    /// Nothing any more.
    End,
}

/// Serves a connection until it ends or idles for too long. A stopping server lets the request that is being answered finish.
pub(super) async fn serve<S>(stream: S, connection: Connection, stopping: Stopping)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut transport = Arc::new(Mutex::new(Transport::new(stream)));
    let ended = converse(&mut transport, connection, stopping).await;
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn converse<S>(
    shared: &mut Arc<Mutex<Transport<S>>>,
    connection: Connection,
    mut stopping: Stopping,
) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let signal = stopping.clone();
    let mut stop = pin!(async move {
        // The sender lives as long as the server.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    });
    let mut deadline = pin!(Deadline::new());
    let mut patience = limits::FIRST_HEAD_TIME;
    loop {
        deadline.as_mut().put_off(patience);
        patience = limits::HEAD_TIME;
        let next = poll_fn(|context| {
            let mut transport = shared.lock().unwrap_or_else(PoisonError::into_inner);
            if let Poll::Ready(next) = poll_next(&mut transport, context) {
                return Poll::Ready(next);
            }
            if deadline.as_mut().poll(context).is_ready() {
                return Poll::Ready(late(&transport));
            }
            // Whoever has begun to say something is listened to.
            if transport.pending.is_empty() && stop.as_mut().poll(context).is_ready() {
                return Poll::Ready(Next::End);
            }
            Poll::Pending
        })
        .await;
        let begun = match next {
            Next::Request(begun) => begun,
            Next::Refused(unusable) => {
                let manner = Manner { with_body: true, stays: None };
                answer::write(shared, empty(unusable.status()), manner).await?;
                return end(shared, true).await;
            }
            Next::End => return end(shared, false).await,
        };
        let Begun { head, framing, stays, waits } = begun;
        let with_body = head.method != Method::HEAD;
        let body = incoming::body(shared, framing, waits);
        let mut answering = pin!(connection.answer(head, body));
        let answered: Option<Response> = poll_fn(|context| {
            if let Poll::Ready(answer) = answering.as_mut().poll(context) {
                return Poll::Ready(Some(answer));
            }
            // Its body has been read: now nobody else reads here, and it can be seen whether the caller hangs up.
            let Some(transport) = Arc::get_mut(shared) else { return Poll::Pending };
            let transport = transport.get_mut().unwrap_or_else(PoisonError::into_inner);
            transport.poll_gone(context).map(|()| None)
        })
        .await;
        let Some(answer) = answered else { return Ok(()) };
        let is_unread = shared.lock().unwrap_or_else(PoisonError::into_inner).is_unread;
        let stays = stays.filter(|_| !is_unread && !answer.closes && !signal.has_changed().unwrap_or(true));
        answer::write(shared, answer, Manner { with_body, stays }).await?;
        if stays.is_none() {
            return end(shared, true).await;
        }
    }
}

/// The next request's head, as soon as all of it is there.
fn poll_next<S>(transport: &mut Transport<S>, context: &mut Context<'_>) -> Poll<Next>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match head::take(&mut transport.pending, &mut transport.searched) {
            Ok(Some(begun)) => return Poll::Ready(Next::Request(begun)),
            Ok(None) => {}
            Err(unusable) => return Poll::Ready(Next::Refused(unusable)),
        }
        match transport.poll_fill(context) {
            Poll::Ready(Ok(1..)) => {}
            // Nobody is left to be told anything.
            Poll::Ready(_) => return Poll::Ready(Next::End),
            Poll::Pending => return Poll::Pending,
        }
    }
}

/// The end of a connection that said too little for too long.
fn late<S>(transport: &Transport<S>) -> Next {
    if transport.pending.is_empty() { Next::End } else { Next::Refused(Unusable::Late) }
}

/// Ends a connection. Behind an answer, whatever still comes is read for a while: else the kernel would take back the answer with the
/// connection.
async fn end<S>(shared: &mut Arc<Mutex<Transport<S>>>, was_answered: bool) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut left = if was_answered { limits::DRAIN_BYTES } else { 0 };
    let ending = poll_fn(|context| {
        let mut transport = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if Pin::new(&mut transport.stream).poll_shutdown(context)?.is_pending() {
            return Poll::Pending;
        }
        while left > 0 {
            transport.pending.clear();
            match std::task::ready!(transport.poll_fill(context))? {
                0 => break,
                count => left = left.saturating_sub(count as u64),
            }
        }
        Poll::Ready(Ok(()))
    });
    // Who takes longer has had its chance.
    tokio::time::timeout(limits::LINGER_TIME, ending).await.unwrap_or(Ok(()))
}

impl Unusable {
    fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TooLong => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Coded => StatusCode::NOT_IMPLEMENTED,
            Self::Late => StatusCode::REQUEST_TIMEOUT,
        }
    }
}
