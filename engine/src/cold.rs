//! What leaves the journal for files of its own, and comes back.
//!
//! Whoever shortens the journal works on a *replica*: a shard that was restored from a snapshot and replayed, and is never asked
//! anything else. It says which messages must be copied ([`Shard::backlog`], [`Shard::survivors`]), each [`Bundle`] becomes a piece
//! of a cold file, and the shard that serves is told by [`Command::Stored`]. What happened to a message in the meantime does not
//! matter: then its copy does not count.
//!
//! [`Shard::backlog`]: crate::shard::Shard::backlog
//! [`Shard::survivors`]: crate::shard::Shard::survivors
//! [`Command::Stored`]: crate::shard::Command::Stored

use alloc::vec::Vec;

use bytes::Bytes;
use kew_wire::Text;

use crate::codec::Malformed;
use crate::services::sqs::QueueKey;
use crate::services::sqs::command::{Delivery, Locator};
use crate::services::sqs::queue::{Entry, Frame, decode_frame, encode_frame};

/// Messages of one queue that are to become a piece of a cold file, in order.
#[derive(Debug, Clone)]
pub struct Bundle {
    pub(crate) queue: u64,
    pub(crate) entries: Vec<Entry>,
    /// Whether they leave memory as well.
    pub(crate) is_backlog: bool,
}

impl Bundle {
    /// The number of the queue. The backlogs of two queues do not belong in one file: it goes only as a whole.
    pub fn queue(&self) -> u64 {
        self.queue
    }

    /// Where the payloads lie, in order.
    pub fn payloads(&self) -> impl Iterator<Item = Locator> {
        self.entries.iter().map(|entry| entry.payload)
    }

    /// Its messages' ids and where their payloads lie, in order.
    pub fn messages(&self) -> impl Iterator<Item = ([u8; 16], Locator)> {
        self.entries.iter().map(|entry| (entry.id, entry.payload))
    }

    /// The same as several, in order: each message whose payload is to stay `alone` in one of its own. What is wrong with one is then
    /// no damage to the piece of another.
    pub fn split(self, alone: &dyn Fn(Locator) -> bool) -> Vec<Self> {
        let Self { queue, entries, is_backlog } = self;
        let pieces = entries.chunk_by(|one, next| !alone(one.payload) && !alone(next.payload));
        pieces.map(|piece| Self { queue, entries: piece.to_vec(), is_backlog }).collect()
    }

    /// The bytes to write, once the payloads have been read.
    pub fn encode(&self, payloads: &[Bytes]) -> Bytes {
        encode_frame(&self.entries, payloads)
    }
}

/// A bundle that is durable in a cold file.
#[derive(Debug, Clone)]
pub struct Stored {
    /// What was written.
    pub bundle: Bundle,
    /// The file's number, below 2^31. It was never used before.
    pub chunk: u64,
    /// Where the bytes begin, below 2^32.
    pub offset: u64,
    /// How many they are.
    pub length: u64,
}

/// A piece of a cold file that holds the next messages of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thaw {
    pub(crate) queue: u64,
    pub(crate) frame: Frame,
}

impl Thaw {
    /// The file's number.
    pub fn chunk(&self) -> u64 {
        self.frame.chunk
    }

    /// Where the bytes begin.
    pub fn offset(&self) -> u64 {
        self.frame.offset
    }

    /// How many they are.
    pub fn length(&self) -> u64 {
        self.frame.length
    }

    /// The messages in these bytes that count, as far as they can be told without their queue.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes are not what was written.
    pub fn messages(&self, bytes: Bytes) -> Result<Vec<Delivery>, Malformed> {
        let tell = |entry: Entry| Delivery {
            payload: entry.payload,
            id: entry.id,
            group: entry.group,
            handle: Text::default(),
            sent: entry.sent,
            first_received: None,
            receive_count: entry.receives,
            sequence: Some(entry.seq),
            source: None,
        };
        Ok(decode_frame(&self.frame, bytes)?.into_iter().map(tell).collect())
    }
}

/// Where a queue's messages stand, for whoever audits a shard.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Which queue.
    pub key: QueueKey,
    /// How much of its window is taken.
    pub occupied: u64,
    /// Messages in the window that were neither delayed nor received yet.
    pub fresh: u64,
    /// The ids of those that wait in memory behind the window and behind all pieces, in order of arrival.
    pub beyond: Vec<[u8; 16]>,
    /// The pieces of cold files that come next, oldest first.
    pub pieces: Vec<Thaw>,
    /// Whether the first piece has been asked for and has not come yet.
    pub thaws: bool,
}

/// How much of a cold file is still needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Use {
    /// Bytes of payloads that messages in memory still need.
    pub payloads: u64,
    /// Bytes of pieces that have not come back yet.
    pub pieces: u64,
}
