//! What a simulated caller asks, in the few words that the model understands.

use std::fmt;

use kew_engine::services::sqs::QueueKey;
use kew_engine::time::Millis;
use kew_wire::Text;

/// A queue's name. The world has a fixed set of them.
pub type Name = &'static str;

/// The world's standard queues; the last one serves as dead-letter queue.
pub const STANDARD: [Name; 4] = ["s0", "s1", "s2", "sd"];
/// The world's FIFO queues; the last one serves as dead-letter queue.
pub const FIFO: [Name; 4] = ["f0.fifo", "f1.fifo", "f2.fifo", "fd.fifo"];

/// The world's name of the queue that `key` names.
pub fn name_of(key: &QueueKey) -> Option<Name> {
    STANDARD.into_iter().chain(FIFO).find(|name| *name == &*key.name)
}

/// Whether it is a FIFO queue's name.
pub fn is_fifo(name: Name) -> bool {
    name.ends_with(".fifo")
}

/// One attribute with its value; durations in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// DelaySeconds.
    Delay(u32),
    /// VisibilityTimeout.
    Visibility(u32),
    /// MessageRetentionPeriod.
    Retention(u32),
    /// ReceiveMessageWaitTimeSeconds.
    Wait(u32),
    /// MaximumMessageSize.
    MaximumSize(u32),
    /// RedrivePolicy: the dead-letter queue and maxReceiveCount.
    Redrive(Option<(Name, u32)>),
    /// ContentBasedDeduplication.
    ContentDedup(bool),
    /// DeduplicationScope: whether it is the message group.
    GroupScope(bool),
}

/// One message on its way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// A number that no other message carries; the payload follows from it.
    pub body: u64,
    /// How long the payload is, in bytes.
    pub size: usize,
    /// The message's own delay.
    pub delay: Option<Millis>,
    /// MessageGroupId.
    pub group: Option<Text>,
    /// MessageDeduplicationId.
    pub dedup: Option<Text>,
    /// Stands for the body's SHA-256 where content-based deduplication may ask for it.
    pub content: Option<u8>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields carry the names of what AWS asks for")]
pub enum Operation {
    /// CreateQueue.
    Create { queue: Name, settings: Vec<Setting> },
    /// DeleteQueue.
    Remove { queue: Name },
    /// PurgeQueue.
    Purge { queue: Name },
    /// SetQueueAttributes.
    Change { queue: Name, settings: Vec<Setting> },
    /// GetQueueAttributes.
    View { queue: Name },
    /// ListQueues.
    List { prefix: &'static str, max: usize },
    /// TagQueue.
    Tag { queue: Name, key: &'static str, value: &'static str },
    /// UntagQueue.
    Untag { queue: Name, key: &'static str },
    /// ListQueueTags.
    Tags { queue: Name },
    /// ListDeadLetterSourceQueues.
    Sources { queue: Name },
    /// SendMessage and its batch.
    Send { queue: Name, messages: Vec<Outgoing> },
    /// ReceiveMessage; durations in seconds.
    Receive { queue: Name, max: usize, visibility: Option<u32>, wait: Option<u32>, attempt: Option<Text> },
    /// DeleteMessage and its batch.
    Delete { queue: Name, handles: Vec<Text> },
    /// ChangeMessageVisibility and its batch, in seconds.
    ChangeVisibility { queue: Name, changes: Vec<(Text, u32)> },
    /// StartMessageMoveTask.
    StartMove { queue: Name, destination: Option<Name>, per_second: Option<u32> },
    /// CancelMessageMoveTask.
    CancelMove { handle: Text },
    /// ListMessageMoveTasks.
    ListMoves { queue: Name },
    /// Look without receiving.
    Peek { queue: Name },
    /// Forget everything.
    Reset,
}

impl Operation {
    /// The queue that is asked, if it is one.
    pub fn queue(&self) -> Option<Name> {
        match self {
            Self::List { .. } | Self::CancelMove { .. } | Self::Reset => None,
            Self::Create { queue, .. }
            | Self::Remove { queue }
            | Self::Purge { queue }
            | Self::Change { queue, .. }
            | Self::View { queue }
            | Self::Tag { queue, .. }
            | Self::Untag { queue, .. }
            | Self::Tags { queue }
            | Self::Sources { queue }
            | Self::Send { queue, .. }
            | Self::Receive { queue, .. }
            | Self::Delete { queue, .. }
            | Self::ChangeVisibility { queue, .. }
            | Self::StartMove { queue, .. }
            | Self::ListMoves { queue }
            | Self::Peek { queue } => Some(queue),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { queue, messages } => {
                write!(f, "Send to {queue}:")?;
                for message in messages {
                    write!(f, " #{} {}B", message.body, message.size)?;
                    if let Some(delay) = message.delay {
                        write!(f, " delay={}ms", delay.0)?;
                    }
                    for (label, text) in [("group", &message.group), ("dedup", &message.dedup)] {
                        if let Some(text) = text {
                            write!(f, " {label}={text}")?;
                        }
                    }
                    if let Some(content) = message.content {
                        write!(f, " content={content}")?;
                    }
                }
                Ok(())
            }
            other => write!(f, "{other:?}"),
        }
    }
}

/// The payload of body `number`: the number, then bytes that follow from it.
pub fn payload(number: u64, size: usize) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(size.max(8), (number as u8) ^ 0x5a);
    bytes
}
