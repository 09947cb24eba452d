//! What a shard holds, looked at from outside and without changing it: for a doctor. And how a shard goes on that has lost messages.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::codec::Malformed;
use crate::cold::Thaw;
use crate::services::sqs::QueueKey;
use crate::services::sqs::command::Locator;
use crate::services::sqs::event::{Event, Record, Records};
use crate::services::sqs::message;
use crate::services::sqs::queue::decode_frame;
use crate::services::sqs::stats::QueueStats;

/// A queue, and where its messages lie.
#[derive(Debug, Clone)]
pub struct Holding {
    /// Its number.
    pub queue: u64,
    /// Whether it is a FIFO queue.
    pub fifo: bool,
    /// Its figures as of the last fact.
    pub stats: QueueStats,
    /// Messages that are in no memory, in [`Self::pieces`] of cold files.
    pub cold: u64,
    /// The pieces of cold files that hold those.
    pub pieces: Vec<Thaw>,
    /// The payloads of all its other messages.
    pub payloads: Vec<Locator>,
}

/// A message on its way to a queue in another shard.
#[derive(Debug, Clone)]
pub struct Departed {
    /// The queue that it left, to which it belongs until it has arrived; if that is gone, the one to which it goes.
    pub queue: QueueKey,
    /// Where its payload lies.
    pub payload: Locator,
}

impl Thaw {
    /// How many messages the piece holds that count.
    pub fn count(&self) -> u64 {
        self.frame.count
    }

    /// Whether these bytes are the piece: as many messages as it should hold, in order. Says how many of them do not read.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn check(&self, bytes: &Bytes) -> Result<u64, Malformed> {
        let entries = decode_frame(&self.frame, bytes.clone())?;
        if !entries.is_sorted_by(|one, next| one.seq < next.seq) {
            return Err(Malformed);
        }
        let mut unread = 0;
        for entry in &entries {
            let (_, offset) = entry.payload.in_chunk().ok_or(Malformed)?;
            let from = (offset - self.frame.offset) as usize;
            let payload = bytes.slice(from..from + entry.payload.length as usize);
            unread += u64::from(check_payload(&payload).is_err());
        }
        Ok(unread)
    }
}

/// Whether these bytes are a message's payload, and say what was sent: whether a receiver is given it. Of one that is encrypted only the
/// holder of its key can say more.
///
/// # Errors
/// [`Malformed`].
pub fn check_payload(bytes: &Bytes) -> Result<(), Malformed> {
    if message::is_sealed(bytes) || message::is_whole(bytes) { Ok(()) } else { Err(Malformed) }
}

/// What batches tell of that no state contains any more, to say what is lost. Queues by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages sent.
    pub sent: BTreeMap<u64, u64>,
    /// Messages deleted.
    pub deleted: BTreeMap<u64, u64>,
    /// Messages that went to this queue from another.
    pub moved: BTreeMap<u64, u64>,
    /// Queues created.
    pub created: BTreeMap<u64, QueueKey>,
    /// Queues deleted, purged, or forgotten by a reset.
    pub emptied: u64,
    /// All other facts.
    pub others: u64,
}

impl Tally {
    /// Counts what a batch tells of.
    ///
    /// # Errors
    /// [`Malformed`] where it cannot be understood; what came before that is counted.
    pub fn add(&mut self, start: u64, batch: Bytes) -> Result<(), Malformed> {
        for record in Records::new(start, batch) {
            let Record::Fact(event) = record? else { continue };
            match event {
                Event::Sent(sent) => *self.sent.entry(sent.queue).or_default() += 1,
                Event::Deleted { queue, seqs } => {
                    *self.deleted.entry(queue).or_default() += seqs.len() as u64;
                }
                Event::Moved(moved) => *self.moved.entry(moved.to).or_default() += 1,
                Event::Created { queue, key, .. } => _ = self.created.insert(queue, key),
                Event::Removed { .. } | Event::Purged { .. } | Event::Reset => self.emptied += 1,
                _ => self.others += 1,
            }
        }
        Ok(())
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
