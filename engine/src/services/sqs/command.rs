//! What a queue can be asked, after validation: the commands, and the answers that the state machine gives.
//!
//! `api/` turns AWS's requests into these and these into AWS's replies; nothing below `api/` knows a wire type
//! other than [`Text`] and [`Fault`].

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use core::hash::Hasher;
use kew_wire::Text;
use kew_wire::fault::Fault;

use siphasher::sip::SipHasher24;

use super::event::own;
use super::settings::{Changes, Settings};
use crate::identity::{Account, Caller};
use crate::time::{Millis, Moment};

/// Names one queue: names are separate per account and region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueKey {
    /// The owner.
    pub account: Account,
    /// The region (`us-east-1`).
    pub region: Text,
    /// The queue's name, with `.fifo` where it is one.
    pub name: Text,
}

impl QueueKey {
    /// Which of `count` shards it belongs to, if it is nowhere yet. The same in every release: the data of all lies accordingly.
    pub fn placement(&self, count: u32) -> u32 {
        let mut hasher = SipHasher24::new();
        let account = self.account.number().to_le_bytes();
        for part in [&account[..], self.region.as_bytes(), self.name.as_bytes()] {
            hasher.write(&(part.len() as u64).to_le_bytes());
            hasher.write(part);
        }
        (hasher.finish() % u64::from(count.max(1))) as u32
    }

    /// The same key, keeping nothing of the request or batch in memory that it was read from.
    pub fn own(self) -> Self {
        Self { account: self.account, region: own(self.region), name: own(self.name) }
    }
}

/// A checked request to the queue service.
#[derive(Debug, Clone)]
pub struct Command {
    /// Who asks.
    pub caller: Caller,
    /// What is asked.
    pub action: Action,
}

impl Command {
    /// The same, keeping nothing of the request in memory that it was read from: for what goes on when nobody waits for it any more. What
    /// concerns one queue alone never does, and stays as it is.
    pub fn own(self) -> Self {
        let action = match self.action {
            Action::Create { key, changes, tags } => {
                let tags = tags.into_iter().map(|(name, value)| (own(name), own(value))).collect();
                Action::Create { key: key.own(), changes: changes.own(), tags }
            }
            Action::List { prefix, page } => Action::List { prefix: own(prefix), page: page.own() },
            Action::CancelMove { handle } => Action::CancelMove { handle: own(handle) },
            Action::Queue { key, name, action } => {
                let action = match action {
                    QueueAction::Change { changes } => QueueAction::Change { changes: changes.own() },
                    QueueAction::Sources { page } => QueueAction::Sources { page: page.own() },
                    QueueAction::StartMove { destination, per_second } => {
                        QueueAction::StartMove { destination: destination.map(QueueKey::own), per_second }
                    }
                    other => other,
                };
                Action::Queue { key: key.own(), name, action }
            }
        };
        let region = own(self.caller.region);
        Self { caller: Caller { region, ..self.caller }, action }
    }
}

/// What is asked.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields carry the names of what AWS asks for")]
pub enum Action {
    /// CreateQueue; answers [`Reply::Done`], or a fault if one of that name exists with other settings. The owner is the key's.
    Create { key: QueueKey, changes: Changes, tags: Tags },
    /// ListQueues of the caller's account and region; answers [`Reply::Names`].
    List { prefix: Text, page: Page },
    /// CancelMessageMoveTask; answers [`Reply::Cancelled`]. The handle is as the caller gave it.
    CancelMove { handle: Text },
    /// Anything that is asked of one existing queue. `name` is AWS's operation name as policies spell it (`SendMessage`,
    /// also for batches), for the decision whether another account's caller may.
    Queue { key: QueueKey, name: &'static str, action: QueueAction },
}

/// What is asked of one queue.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields carry the names of what AWS asks for")]
pub enum QueueAction {
    /// SendMessage and SendMessageBatch; answers [`Reply::Sent`], an outcome per message, in order. In `batch`es a
    /// refusal concerns its entry alone.
    Send { messages: Vec<Outgoing>, batch: bool },
    /// ReceiveMessage; answers [`Reply::Received`].
    Receive(Receive),
    /// DeleteMessage and its batch; answers [`Reply::Entries`]. Handles are as the caller gave them.
    Delete { handles: Vec<Text> },
    /// ChangeMessageVisibility and its batch: handle and new timeout; answers [`Reply::Entries`].
    ChangeVisibility { changes: Vec<(Text, Millis)> },
    /// PurgeQueue; answers [`Reply::Done`].
    Purge,
    /// DeleteQueue; answers [`Reply::Done`].
    Remove,
    /// GetQueueUrl: does it exist, and may the caller know; answers [`Reply::Done`].
    Find,
    /// GetQueueAttributes; answers [`Reply::View`].
    View,
    /// SetQueueAttributes; answers [`Reply::Done`].
    Change { changes: Changes },
    /// TagQueue; answers [`Reply::Done`].
    Tag { tags: Tags },
    /// UntagQueue; answers [`Reply::Done`].
    Untag { keys: Vec<Text> },
    /// ListQueueTags; answers [`Reply::Tags`].
    Tags,
    /// AddPermission; answers [`Reply::Done`].
    Permit { label: Text, accounts: Vec<Text>, actions: Vec<Text> },
    /// RemovePermission; answers [`Reply::Done`].
    Forbid { label: Text },
    /// ListDeadLetterSourceQueues; answers [`Reply::Names`].
    Sources { page: Page },
    /// StartMessageMoveTask, asked of the source (a dead-letter queue); answers [`Reply::Started`].
    StartMove { destination: Option<QueueKey>, per_second: Option<u32> },
    /// ListMessageMoveTasks of the source; answers [`Reply::Moves`], newest first.
    ListMoves { max: usize },
    /// Look at messages without receiving them (a test helper, not AWS's); answers [`Reply::Received`].
    Peek { max: usize },
}

/// Tags in the caller's order.
pub type Tags = Vec<(Text, Text)>;

/// A part of a sorted list: the names after `after`, `max` at most.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The last name of the page before.
    pub after: Option<Text>,
    /// How many names at the most.
    pub max: usize,
}

impl Page {
    fn own(self) -> Self {
        Self { after: self.after.map(own), max: self.max }
    }
}

/// One message on its way in.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// What is kept for the receiver, as [`super::message::encode`] lays it out; opaque to the queue.
    pub payload: Bytes,
    /// Body bytes plus attribute names, types and values: what MaximumMessageSize limits.
    pub size: usize,
    /// The message's own delay, if it gave one.
    pub delay: Option<Millis>,
    /// MessageGroupId.
    pub group: Option<Text>,
    /// MessageDeduplicationId.
    pub dedup: Option<Text>,
    /// SHA-256 of the body, given where content-based deduplication may ask for it (a FIFO name and no `dedup`).
    pub digest: Option<[u8; 32]>,
}

/// ReceiveMessage's parameters that matter to the queue.
#[derive(Debug, Clone, Default)]
pub struct Receive {
    /// 1 to 10.
    pub max: usize,
    /// Overrides the queue's visibility timeout.
    pub visibility: Option<Millis>,
    /// Overrides the queue's wait.
    pub wait: Option<Millis>,
    /// ReceiveRequestAttemptId.
    pub attempt: Option<Text>,
}

/// What the state machine answers.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields carry the names of what AWS asks for")]
pub enum Reply {
    /// It is done, and there is nothing to tell.
    Done,
    /// An outcome per message, in order.
    Sent(Vec<Result<Receipt, Fault>>),
    /// The messages received; their payloads are still in the journal.
    Received(Vec<Delivery>),
    /// An outcome per entry, in order.
    Entries(Vec<Result<(), Fault>>),
    /// Queues, sorted, and whether more follow.
    Names { keys: Vec<QueueKey>, more: bool },
    /// Everything that GetQueueAttributes can show.
    View(Box<View>),
    /// The queue's tags, sorted by key.
    Tags(Tags),
    /// The handle of a move task that began.
    Started { handle: Text },
    /// How many messages a cancelled move task had moved.
    Cancelled { moved: u64 },
    /// Move tasks.
    Moves(Vec<MoveTask>),
}

/// A message accepted (or recognised as a duplicate of one accepted before).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// MessageId, a UUID.
    pub id: [u8; 16],
    /// SequenceNumber of a FIFO queue's message, see [`sequence_number`].
    pub sequence: Option<u64>,
}

/// AWS shows sequence numbers as 20 digits.
pub fn sequence_number(sequence: u64) -> u128 {
    // 20 digits from the first message on, and order as text is order as numbers.
    18_800_000_000_000_000_000 + u128::from(sequence)
}

/// Where bytes lie: in the shard's journal, or in one of its cold files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locator {
    /// Position of the first byte.
    pub position: u64,
    /// Length in bytes.
    pub length: u32,
}

impl Locator {
    /// Set in the position of what lies in a cold file: then the next bits are the file's number, the low 32 the offset.
    const COLD: u64 = 1 << 63;

    /// In a cold file.
    pub fn cold(chunk: u64, offset: u64, length: u32) -> Self {
        Self { position: Self::COLD | (chunk << 32) | offset, length }
    }

    /// The cold file's number and the offset there; `None` for what lies in the journal.
    pub fn in_chunk(self) -> Option<(u64, u64)> {
        let cold = self.position & Self::COLD != 0;
        cold.then_some(((self.position & !Self::COLD) >> 32, self.position & 0xffff_ffff))
    }
}

/// One message handed to a receiver.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Where the payload lies.
    pub payload: Locator,
    /// MessageId.
    pub id: [u8; 16],
    /// Its message group, hashed; 0 if none.
    pub group: u64,
    /// ReceiptHandle; empty when peeked.
    pub handle: Text,
    /// SentTimestamp.
    pub sent: Moment,
    /// ApproximateFirstReceiveTimestamp; `None` when peeked and never received.
    pub first_received: Option<Moment>,
    /// ApproximateReceiveCount.
    pub receive_count: u32,
    /// SequenceNumber, on FIFO queues.
    pub sequence: Option<u64>,
    /// DeadLetterQueueSourceArn, on messages that came by redrive.
    pub source: Option<Text>,
}

/// A queue as GetQueueAttributes shows it.
#[derive(Debug, Clone)]
pub struct View {
    /// Its key, from which the ARN follows.
    pub key: QueueKey,
    /// Its settings.
    pub settings: Settings,
    /// CreatedTimestamp.
    pub created: Moment,
    /// LastModifiedTimestamp.
    pub modified: Moment,
    /// ApproximateNumberOfMessages.
    pub visible: u64,
    /// ApproximateNumberOfMessagesNotVisible.
    pub in_flight: u64,
    /// ApproximateNumberOfMessagesDelayed.
    pub delayed: u64,
}

/// A move task as ListMessageMoveTasks shows it.
#[derive(Debug, Clone)]
pub struct MoveTask {
    /// TaskHandle; shown only while it runs.
    pub handle: Text,
    /// Where it stands.
    pub status: MoveStatus,
    /// SourceArn's queue.
    pub source: QueueKey,
    /// DestinationArn's queue, if one was named.
    pub destination: Option<QueueKey>,
    /// MaxNumberOfMessagesPerSecond, if one was given.
    pub per_second: Option<u32>,
    /// ApproximateNumberOfMessagesMoved.
    pub moved: u64,
    /// ApproximateNumberOfMessagesToMove.
    pub to_move: u64,
    /// FailureReason.
    pub failure: Option<Text>,
    /// StartedTimestamp.
    pub started: Moment,
}

/// Where a move task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveStatus {
    /// RUNNING
    Running,
    /// COMPLETED
    Completed,
    /// CANCELLING
    Cancelling,
    /// CANCELLED
    Cancelled,
    /// FAILED
    Failed,
}
