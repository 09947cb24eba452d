//! Reads a request's body, within its bounds.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;

use crate::limits;
use crate::meters::WorkerMeters;

/// Why there is no body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoBody {
    /// It is longer than [`limits::BODY_BYTES`]. `drained`: all of it was read, so that the connection can go on.
    TooLong { drained: bool },
    /// All bodies together would take too much memory.
    Busy,
    /// The caller broke off or lied about the length: there is hardly anybody left to answer.
    Broken,
    /// It did not come within [`limits::BODY_TIME`].
    Slow,
}

/// Part of what all bodies of a worker may take, until dropped.
pub(crate) struct Room<'a> {
    meters: &'a WorkerMeters,
    bytes: u64,
}

impl<'a> Room<'a> {
    fn none(meters: &'a WorkerMeters) -> Self {
        Self { meters, bytes: 0 }
    }

    fn grow_to(&mut self, bytes: usize) -> Result<(), NoBody> {
        let more = (bytes as u64).saturating_sub(self.bytes);
        if self.meters.body_bytes.get() + more > limits::BODIES_BYTES as u64 {
            return Err(NoBody::Busy);
        }
        self.meters.body_bytes.add(more);
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.meters.body_bytes.subtract(self.bytes);
    }
}

/// Reads all of it.
pub(crate) async fn read<B>(body: B, meters: &WorkerMeters) -> Result<(Bytes, Room<'_>), NoBody>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut reading = pin!(collect(body, meters));
    // Nearly always it came together with the head: no timer for those.
    let first = poll_fn(|context| Poll::Ready(Pin::as_mut(&mut reading).poll(context))).await;
    match first {
        Poll::Ready(result) => result,
        Poll::Pending => tokio::time::timeout(limits::BODY_TIME, reading).await.unwrap_or(Err(NoBody::Slow)),
    }
}

async fn collect<B>(mut body: B, meters: &WorkerMeters) -> Result<(Bytes, Room<'_>), NoBody>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut room = Room::none(meters);
    let announced = body.size_hint().lower();
    if announced > limits::BODY_BYTES as u64 {
        return Err(drain(body).await);
    }
    // Room counts as bytes come: what is only announced must not keep others out.
    let Some(first) = next(&mut body).await? else {
        return Ok((Bytes::new(), room));
    };
    room.grow_to(first.len())?;
    if body.is_end_stream() {
        return Ok((first, room));
    }
    // Memory that is never written to is never taken.
    let mut gathered = BytesMut::with_capacity((announced as usize).max(first.len()));
    gathered.extend_from_slice(&first);
    while let Some(part) = next(&mut body).await? {
        if gathered.len() + part.len() > limits::BODY_BYTES {
            return Err(drain(body).await);
        }
        room.grow_to(gathered.len() + part.len())?;
        gathered.extend_from_slice(&part);
    }
    Ok((gathered.freeze(), room))
}

async fn next<B: Body<Data = Bytes> + Unpin>(body: &mut B) -> Result<Option<Bytes>, NoBody> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(_)) => return Err(NoBody::Broken),
            // Trailers say nothing that we need.
            Some(Ok(frame)) => match frame.into_data() {
                Ok(part) if part.is_empty() => {}
                Ok(part) => return Ok(Some(part)),
                Err(_) => {}
            },
        }
    }
}

/// Reads and throws away what is left, so that the caller, still writing, comes to read the refusal.
async fn drain<B: Body<Data = Bytes> + Unpin>(mut body: B) -> NoBody {
    let mut left = limits::DRAIN_BYTES;
    if body.size_hint().lower() > left {
        return NoBody::TooLong { drained: false };
    }
    loop {
        match next(&mut body).await {
            Ok(None) => return NoBody::TooLong { drained: true },
            Ok(Some(part)) if part.len() as u64 <= left => left -= part.len() as u64,
            Ok(Some(_)) => return NoBody::TooLong { drained: false },
            Err(broken) => return broken,
        }
    }
}
