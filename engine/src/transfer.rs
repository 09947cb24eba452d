//! Messages that go from a queue in one shard to a queue in another: dead letters, and what move tasks move.
//!
//! A message *departs* by a fact of its own shard, under a number, and stays in that shard's outbox. When that is durable, the shell
//! takes a [`Transfer`] ([`Shard::poll_transfer`]), reads the payloads, and asks the other shard to [`Arrive`]. That one notes, by a fact
//! that carries the payload, what it takes in; what it has taken in before it recognises by shard and number. Its answer goes back to
//! the first shard by [`Settle`], and what has arrived leaves the outbox; what found no queue returns to where it was. Whatever is
//! killed in between: after a restart the outbox is offered again. So each message is in exactly one of its two queues, or on its way.
//!
//! Offers from one shard to another come one after the other, so messages arrive in the order in which they departed.
//!
//! [`Shard::poll_transfer`]: crate::shard::Shard::poll_transfer

use alloc::vec::Vec;

use bytes::Bytes;
use kew_wire::Text;
use kew_wire::fault::Fault;

use crate::identity::Caller;
use crate::services::sqs::command::{Locator, Page, QueueKey};
use crate::time::Moment;

/// Messages that are to be offered to another shard.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// The other shard.
    pub shard: u32,
    pub(crate) ticket: u64,
    pub(crate) floor: u64,
    pub(crate) messages: Vec<(Message, Locator)>,
    /// Messages whose payloads could not be read the last time, and not now either.
    pub(crate) unread: Vec<(u64, Locator)>,
}

/// One message on its way.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) number: u64,
    /// Its payload could not be read the last time, where it still lies.
    pub(crate) is_unread: bool,
    pub(crate) to: QueueKey,
    pub(crate) id: [u8; 16],
    /// SentTimestamp, if it keeps it.
    pub(crate) sent: Option<Moment>,
    pub(crate) group: u64,
    pub(crate) receives: u32,
    /// ARN of the queue whose dead letter it is; `None` if a move task moves it.
    pub(crate) source: Option<Text>,
}

/// Messages that come from another shard. Answers [`Reply::Arrived`](crate::shard::Reply::Arrived).
#[derive(Debug, Clone)]
pub struct Arrive {
    /// The other shard.
    pub(crate) shard: u32,
    /// Lower numbers will not be offered again.
    pub(crate) floor: u64,
    pub(crate) messages: Vec<(Message, Bytes)>,
}

/// What became of a [`Transfer`].
#[derive(Debug, Clone)]
pub struct Settle {
    pub(crate) shard: u32,
    pub(crate) ticket: u64,
    /// By each message's number.
    pub(crate) outcomes: Vec<(u64, Outcome)>,
}

/// What became of a message that was to be offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Arrived,
    /// There is no such queue.
    Refused,
    /// Its payload cannot be read from there.
    Unread(Locator),
}

impl Transfer {
    /// Where the payloads lie, in order.
    pub fn payloads(&self) -> impl Iterator<Item = Locator> {
        self.messages.iter().map(|(_, payload)| *payload)
    }

    /// Reads the payloads, in order. None if one cannot be read that could be the last time: it may be a passing trouble, or the
    /// payload may have moved meanwhile, so nothing overtakes it yet. What could not be read before either is left out.
    pub fn read(&mut self, mut read: impl FnMut(Locator) -> Option<Bytes>) -> Option<Vec<Bytes>> {
        let mut payloads = Vec::with_capacity(self.messages.len());
        let mut may_offer = true;
        let unread = &mut self.unread;
        self.messages.retain(|(message, locator)| match read(*locator) {
            Some(payload) => {
                payloads.push(payload);
                true
            }
            None => {
                may_offer &= message.is_unread;
                unread.push((message.number, *locator));
                false
            }
        });
        may_offer.then_some(payloads)
    }

    /// What the other shard is asked, by the shard numbered `from`, once the payloads have been read.
    pub fn arrive(&self, from: u32, payloads: &[Bytes]) -> Arrive {
        let messages = self.messages.iter().map(|(message, _)| message.clone());
        Arrive { shard: from, floor: self.floor, messages: messages.zip(payloads.iter().cloned()).collect() }
    }

    /// What the shard is told that gave this, with the other's answer; without one the messages are offered anew.
    pub fn settle(&self, outcomes: &[bool]) -> Settle {
        let numbers = self.messages.iter().map(|(message, _)| message.number);
        let answered =
            outcomes.iter().map(|arrived| if *arrived { Outcome::Arrived } else { Outcome::Refused });
        let unread = self.unread.iter().map(|(number, payload)| (*number, Outcome::Unread(*payload)));
        Settle {
            shard: self.shard,
            ticket: self.ticket,
            outcomes: numbers.zip(answered).chain(unread).collect(),
        }
    }
}

/// What a request must know of queues in other shards.
#[derive(Debug, Clone)]
pub enum Question {
    /// For a redrive policy or a move task of `source`: what is known of the other queue, and of who uses `source`. Answers
    /// [`Reply::Known`](crate::shard::Reply::Known).
    Move {
        /// Who asks.
        caller: Caller,
        /// The queue that the request goes to.
        source: QueueKey,
        /// The dead-letter queue, or the destination.
        target: Option<QueueKey>,
        /// Without a destination: where the messages of `source` came from ([`Question::Origins`]).
        origins: Vec<QueueKey>,
    },
    /// The queues whose dead letters ever came to one, asked of the shard where that is. Answers as
    /// [`Names`](crate::services::sqs::command::Reply::Names).
    Origins {
        /// The dead-letter queue.
        of: QueueKey,
    },
    /// The queues that name `target` as their dead-letter queue. Answers as
    /// [`Names`](crate::services::sqs::command::Reply::Names).
    Sources {
        /// The dead-letter queue.
        target: QueueKey,
        /// Which of them.
        page: Page,
    },
}

/// What other shards answer to [`Question::Move`]. Nothing, if there are none.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The other queue, if it is there.
    pub(crate) target: Option<Peer>,
    /// Whether a queue there names the source as its dead-letter queue.
    pub(crate) is_dead_letter_queue: bool,
    /// Move tasks of the source's account that run.
    pub(crate) active_moves: usize,
    /// Why the caller may not send to a queue there whose dead letters come to the source.
    pub(crate) refusal: Option<Fault>,
}

/// A queue in another shard.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// Its RedriveAllowPolicy does not let the source use it.
    pub(crate) forbids: bool,
    /// Whether the caller may send to it.
    pub(crate) admits: Result<(), Fault>,
}

impl Known {
    /// Adds what a further shard answers.
    pub fn merge(&mut self, other: Self) {
        self.target = self.target.take().or(other.target);
        self.is_dead_letter_queue |= other.is_dead_letter_queue;
        self.active_moves += other.active_moves;
        self.refusal = self.refusal.take().or(other.refusal);
    }
}
