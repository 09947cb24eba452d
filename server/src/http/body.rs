//! Reads a request's body, within its bounds.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::{Instant, sleep_until};

use crate::limits;
use crate::meters::{Meter, WorkerMeters};

/// Why there is no body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoBody {
    /// It is longer than [`limits::BODY_BYTES`]. `drained`: all of it was read, so that the connection can go on.
    TooLong { drained: bool },
    /// All bodies together would take too much memory.
    Busy,
    /// The caller broke off or lied about the length: there is hardly anybody left to answer.
    Broken,
    /// It did not come within [`limits::BODY_TIME`], or hardly any of it came in [`limits::BODY_PACE_TIME`].
    Slow,
}

/// Part of what bodies of a worker may take, until dropped.
pub(crate) struct Room<'a> {
    /// What counts in the same bounds: all bodies, and a stranger's those of strangers first.
    shares: [Option<(&'a Meter, usize)>; 2],
    bytes: u64,
}

impl<'a> Room<'a> {
    fn none(meters: &'a WorkerMeters, is_strange: bool) -> Self {
        let strangers = is_strange.then_some((&meters.stranger_body_bytes, limits::STRANGERS_BYTES));
        Self { shares: [strangers, Some((&meters.body_bytes, limits::BODIES_BYTES))], bytes: 0 }
    }

    fn grow_to(&mut self, bytes: usize) -> Result<(), NoBody> {
        let more = (bytes as u64).saturating_sub(self.bytes);
        if self.shares.iter().flatten().any(|(taken, bound)| taken.get() + more > *bound as u64) {
            return Err(NoBody::Busy);
        }
        self.shares.iter().flatten().for_each(|(taken, _)| taken.add(more));
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.shares.iter().flatten().for_each(|(taken, _)| taken.subtract(self.bytes));
    }
}

/// Reads all of it. `is_strange` is asked only of a body that can take much room: whether its head says that nobody known sends it.
pub(crate) async fn read<B>(
    body: B,
    meters: &WorkerMeters,
    is_strange: impl FnOnce() -> bool,
) -> Result<(Bytes, Room<'_>), NoBody>
where
    B: Body<Data = Bytes> + Unpin,
{
    let is_small = body.size_hint().upper().is_some_and(|bytes| bytes <= limits::SMALL_BODY_BYTES);
    let room = Room::none(meters, !is_small && is_strange());
    let come = Meter::default();
    let mut reading = pin!(collect(body, room, &come));
    // Nearly always it came together with the head: no timer for those.
    let first = poll_fn(|context| Poll::Ready(Pin::as_mut(&mut reading).poll(context))).await;
    if let Poll::Ready(result) = first {
        return result;
    }
    tokio::select! {
        biased;
        result = reading => result,
        () = slowness(&come) => Err(NoBody::Slow),
    }
}

/// Waits until a body, of which `come` bytes have come by now, is too slow.
async fn slowness(come: &Meter) {
    let end = Instant::now() + limits::BODY_TIME;
    loop {
        let (before, pace) = (come.get(), Instant::now() + limits::BODY_PACE_TIME);
        sleep_until(pace.min(end)).await;
        if end <= pace || come.get() - before < limits::BODY_PACE_BYTES as u64 {
            return;
        }
    }
}

/// All of a body. `come` rises as it comes, also with what is thrown away.
async fn collect<'a, B>(mut body: B, mut room: Room<'a>, come: &Meter) -> Result<(Bytes, Room<'a>), NoBody>
where
    B: Body<Data = Bytes> + Unpin,
{
    let announced = body.size_hint().lower();
    if announced > limits::BODY_BYTES as u64 {
        return Err(drain(body, come).await);
    }
    // Room counts as bytes come: what is only announced must not keep others out.
    let Some(first) = next(&mut body, come).await? else {
        return Ok((Bytes::new(), room));
    };
    room.grow_to(first.len())?;
    if body.is_end_stream() {
        return Ok((first, room));
    }
    // Memory that is never written to is never taken.
    let mut gathered = BytesMut::with_capacity((announced as usize).max(first.len()));
    gathered.extend_from_slice(&first);
    while let Some(part) = next(&mut body, come).await? {
        if gathered.len() + part.len() > limits::BODY_BYTES {
            return Err(drain(body, come).await);
        }
        room.grow_to(gathered.len() + part.len())?;
        gathered.extend_from_slice(&part);
    }
    Ok((gathered.freeze(), room))
}

async fn next<B: Body<Data = Bytes> + Unpin>(body: &mut B, come: &Meter) -> Result<Option<Bytes>, NoBody> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(_)) => return Err(NoBody::Broken),
            // Trailers say nothing that we need.
            Some(Ok(frame)) => match frame.into_data() {
                Ok(part) if part.is_empty() => {}
                Ok(part) => {
                    come.add(part.len() as u64);
                    return Ok(Some(part));
                }
                Err(_) => {}
            },
        }
    }
}

/// Reads and throws away what is left, so that the caller, still writing, comes to read the refusal.
async fn drain<B: Body<Data = Bytes> + Unpin>(mut body: B, come: &Meter) -> NoBody {
    let mut left = limits::DRAIN_BYTES;
    if body.size_hint().lower() > left {
        return NoBody::TooLong { drained: false };
    }
    loop {
        match next(&mut body, come).await {
            Ok(None) => return NoBody::TooLong { drained: true },
            Ok(Some(part)) if part.len() as u64 <= left => left -= part.len() as u64,
            Ok(Some(_)) => return NoBody::TooLong { drained: false },
            Err(broken) => return broken,
        }
    }
}
