//! A shard: the unit of order. One journal, one state, one command after the other.
//!
//! The shell around it (the server's runner, or the simulator) calls, in this order and as often as it likes:
//!
//! 1. [`Shard::submit`], [`Shard::cancel`], [`Shard::tick`]: something happened. State changes at once, its facts
//!    gather in the open batch, answers wait inside.
//! 2. [`Shard::poll_append`]: take the open batch and append it to the journal. One may be on its way to disk while the
//!    next one fills.
//! 3. [`Shard::handle_durable`]: everything up to this position is on disk.
//! 4. [`Shard::poll_reply`]: take the answers that are now true on disk.
//! 5. [`Shard::next_deadline`]: when to call [`Shard::tick`] at the latest.
//!
//! If an append fails, the shell drops the shard and builds a new one from the journal: nothing that was not durable
//! was ever answered.

use alloc::vec::Vec;

use bytes::Bytes;
use kew_wire::fault::Fault;

use crate::services::sqs;
use crate::time::Moment;

/// The moment of a command and the seed of whatever it must draw. Both come from the shell.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// Now. A moment before the last one seen counts as the last one seen.
    pub now: Moment,
    /// Fresh for every command.
    pub seed: u64,
}

/// The shell's name for a request that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// What a shard can be asked.
#[derive(Debug, Clone)]
pub enum Command {
    /// A request to the queue service.
    Sqs(sqs::Command),
    /// Figures of every queue, for metrics; changes nothing. Answers [`Reply::Stats`].
    Stats,
    /// Forget everything: queues, messages, recent deletions (a test helper). Answers [`Reply::Done`].
    Reset,
}

/// A shard's answer.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Done.
    Done,
    /// The queue service's answer.
    Sqs(Result<sqs::Reply, Fault>),
    /// Figures, a row per queue.
    Stats(Vec<sqs::stats::QueueStats>),
}

/// Facts to be appended to the journal as one unit.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Where the journal will place the batch's first byte.
    pub start: u64,
    /// The facts' bytes.
    pub bytes: Bytes,
}

/// What a shard is told once.
#[derive(Debug, Clone)]
pub struct Config {
    /// Bytes that the journal puts in front of each batch's own: a batch of `n` bytes whose first lies at `start` is
    /// followed by one whose first lies at `start + n + overhead`.
    pub overhead: u64,
    /// Whether PurgeQueue and CreateQueue refuse for 60 s after a purge or a deletion, as AWS does.
    pub waits: bool,
}
