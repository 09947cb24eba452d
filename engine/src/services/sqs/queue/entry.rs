//! One message as a queue keeps it: where its payload lies and what decides its turn. Never the payload itself.

use crate::services::sqs::command::Locator;
use crate::time::Moment;

/// A message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its number in the shard: rises with every message, and so with arrival in its queue.
    pub(crate) seq: u64,
    /// MessageId.
    pub(crate) id: [u8; 16],
    /// SentTimestamp, from which retention counts.
    pub(crate) sent: Moment,
    /// Where the payload lies.
    pub(crate) payload: Locator,
    /// Its message group, hashed; [`UNGROUPED`] if none.
    pub(crate) group: u64,
    /// One more than the index of the queue it was dead-lettered from, see [`super::Queue::source`]; 0 if none.
    pub(in crate::services::sqs) source: u32,
    /// ApproximateReceiveCount, which also numbers its leases. It goes on counting in a dead-letter queue.
    pub(crate) receives: u32,
}

/// The group of messages without one.
pub(in crate::services::sqs) const UNGROUPED: u64 = 0;

/// A message that is delayed, in flight, or came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::services::sqs) struct Held {
    pub(in crate::services::sqs) entry: Entry,
    /// Receives before it came to this queue, which its redrive policy does not count.
    pub(in crate::services::sqs) brought: u32,
    /// ApproximateFirstReceiveTimestamp in this queue, once received.
    pub(in crate::services::sqs) first_received: Option<Moment>,
    /// When the current or last lease began.
    pub(in crate::services::sqs) leased: Moment,
    /// Whether its visibility was changed during the current or last lease.
    pub(in crate::services::sqs) changed: bool,
    /// Whether the current or last lease was given out more than once, to the same receive attempt.
    pub(in crate::services::sqs) repeated: bool,
    pub(in crate::services::sqs) state: State,
}

/// What a held message is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::services::sqs) enum State {
    /// Not to be received before `due`.
    Delayed { due: Moment },
    /// With a receiver until `deadline`.
    InFlight { deadline: Moment },
    /// Receivable since then.
    Ready { since: Moment },
}

impl Held {
    /// A message that has not been received from this queue yet.
    pub(in crate::services::sqs) fn new(entry: Entry, now: Moment, state: State) -> Self {
        let brought = entry.receives;
        Self { entry, brought, first_received: None, leased: now, changed: false, repeated: false, state }
    }
}
