//! One queue as the model sees it: a plain list of messages in order of arrival, scanned whenever something is asked.

use std::collections::BTreeMap;

use kew_engine::services::sqs::command::Locator;
use kew_engine::time::{Millis, Moment};
use kew_wire::Text;

use crate::operation::{Name, Outgoing, Setting, is_fifo};
use crate::shelf::Away;

/// A MessageId.
pub type Id = [u8; 16];

/// How long deduplication and receive attempts remember.
pub(super) const FIVE_MINUTES: Millis = Millis::seconds(300);

/// What a message is doing at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Sent, but not to be received yet.
    Delayed,
    /// With a receiver.
    InFlight,
    /// Receivable.
    Ready,
}

/// A message that was accepted and neither deleted, moved nor expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// MessageId.
    pub id: Id,
    /// The number that its payload follows from.
    pub body: u64,
    /// How long the payload is, in bytes.
    pub size: usize,
    /// Where the engine says that the payload lies, once it did.
    pub payload: Option<Locator>,
    /// Counts arrivals in its queue.
    pub order: u64,
    /// It was sent to this queue, and not delayed: its turn follows from that.
    pub plain: bool,
    /// MessageGroupId.
    pub group: Option<Text>,
    /// SequenceNumber.
    pub sequence: Option<u64>,
    /// SentTimestamp.
    pub sent: Moment,
    /// From when retention counts.
    pub kept_from: Moment,
    /// The end of its own delay; on a FIFO queue, whose delay is the queue's as it is now, until that has passed once.
    pub delayed_until: Option<Moment>,
    /// When it was last received and until when that holds.
    pub lease: Option<Lease>,
    /// ApproximateReceiveCount.
    pub receives: u32,
    /// ApproximateFirstReceiveTimestamp.
    pub first_received: Option<Moment>,
    /// Receives before it came to this queue.
    pub brought: u32,
    /// Its lease was given out more than once, to the same receive attempt.
    pub repeated: bool,
    /// DeadLetterQueueSourceArn's queue.
    pub source: Option<Name>,
    /// Every handle given out for it in this queue, the newest last.
    pub handles: Vec<Text>,
}

/// A visibility timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// When the message was received.
    pub began: Moment,
    /// The first moment at which it does not hold any more.
    pub until: Moment,
}

/// A deduplication id that is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The id, or what stands for the body.
    pub key: String,
    /// MessageGroupId.
    pub group: Option<Text>,
    /// The first moment at which it does not hold any more.
    pub until: Moment,
    /// MessageId.
    pub id: Id,
    /// SequenceNumber.
    pub sequence: Option<u64>,
}

/// A receive attempt that is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// ReceiveRequestAttemptId.
    pub attempt: Text,
    /// The first moment at which it does not hold any more.
    pub until: Moment,
    /// What it was answered: messages and handles.
    pub given: Vec<(Id, Text)>,
}

/// A queue's attributes; durations in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    /// DelaySeconds.
    pub delay: u32,
    /// VisibilityTimeout.
    pub visibility: u32,
    /// MessageRetentionPeriod.
    pub retention: u32,
    /// ReceiveMessageWaitTimeSeconds.
    pub wait: u32,
    /// MaximumMessageSize.
    pub maximum_size: u32,
    /// RedrivePolicy: the dead-letter queue and maxReceiveCount.
    pub redrive: Option<(Name, u32)>,
    /// ContentBasedDeduplication.
    pub content_dedup: bool,
    /// DeduplicationScope: whether it is the message group.
    pub group_scope: bool,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            delay: 0,
            visibility: 30,
            retention: 345_600,
            wait: 0,
            maximum_size: 1_048_576,
            redrive: None,
            content_dedup: false,
            group_scope: false,
        }
    }
}

impl Attributes {
    /// Takes over one attribute.
    pub fn set(&mut self, setting: &Setting) {
        match setting {
            Setting::Delay(seconds) => self.delay = *seconds,
            Setting::Visibility(seconds) => self.visibility = *seconds,
            Setting::Retention(seconds) => self.retention = *seconds,
            Setting::Wait(seconds) => self.wait = *seconds,
            Setting::MaximumSize(bytes) => self.maximum_size = *bytes,
            Setting::Redrive(redrive) => self.redrive = *redrive,
            Setting::ContentDedup(yes) => self.content_dedup = *yes,
            Setting::GroupScope(yes) => self.group_scope = *yes,
        }
    }
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: Name,
    /// Whether it is a FIFO queue.
    pub fifo: bool,
    /// Its attributes as they are now.
    pub attributes: Attributes,
    /// AWS keeps to the scope of deduplication that the queue was created with.
    pub group_scope: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// CreatedTimestamp.
    pub created: Moment,
    /// LastModifiedTimestamp.
    pub modified: Moment,
    /// When it was last purged.
    pub purged: Option<Moment>,
    /// In order of arrival.
    pub messages: Vec<Message>,
    /// Messages that ever arrived.
    pub arrivals: u64,
    /// Those that arrived before this call.
    pub arrivals_before: u64,
    /// Messages that have expired. Where they wait behind the window they may be counted until their turn comes, and if retention
    /// is made longer until then, they may be there again.
    pub expired: Vec<Message>,
    /// Deduplication ids.
    pub remembered: Vec<Remembered>,
    /// Receive attempts.
    pub attempts: Vec<Attempt>,
    /// Every handle that the queue ever gave out, and for which message.
    pub handles: BTreeMap<Text, Id>,
}

impl Queue {
    /// An empty queue.
    pub fn new(name: Name, attributes: Attributes, now: Moment) -> Self {
        Self {
            name,
            fifo: is_fifo(name),
            group_scope: attributes.group_scope,
            attributes,
            tags: BTreeMap::new(),
            created: now,
            modified: now,
            purged: None,
            messages: Vec::new(),
            arrivals: 0,
            arrivals_before: 0,
            expired: Vec::new(),
            remembered: Vec::new(),
            attempts: Vec::new(),
            handles: BTreeMap::new(),
        }
    }

    /// Forgets what time has taken.
    pub fn advance(&mut self, now: Moment) {
        let retention = Millis::seconds(self.attributes.retention);
        let expired = self.messages.extract_if(.., |message| message.kept_from + retention <= now);
        self.expired.extend(expired);
        let delay = Millis::seconds(self.attributes.delay);
        for message in &mut self.messages {
            if self.fifo && message.delayed_until.is_some() {
                message.delayed_until = Some(message.kept_from + delay);
            }
            message.delayed_until = message.delayed_until.filter(|until| *until > now);
        }
        self.remembered.retain(|remembered| remembered.until > now);
        self.attempts.retain(|attempt| attempt.until > now);
    }

    /// What a message of this queue is doing.
    pub fn state(&self, message: &Message, now: Moment) -> State {
        if message.lease.is_some_and(|lease| lease.until > now) {
            State::InFlight
        } else if message.delayed_until.is_some_and(|until| until > now) {
            State::Delayed
        } else {
            State::Ready
        }
    }

    /// A message arrives.
    pub fn arrive(&mut self, message: Message) {
        self.arrivals += 1;
        self.messages.push(Message { order: self.arrivals, ..message });
    }

    /// Whether a message could be reached when this call began, when those in `before` could not.
    pub fn was_there(&self, message: &Message, before: &Away) -> bool {
        message.order <= self.arrivals_before && !before.ids.contains(&message.id)
    }

    /// Messages that have expired and still wait behind the window, where nobody has noticed.
    pub fn lingering<'a>(&'a self, away: &'a Away) -> impl Iterator<Item = &'a Message> {
        self.expired.iter().filter(|message| away.ids.contains(&message.id))
    }

    /// How many messages are in a state.
    pub fn count(&self, state: State, now: Moment) -> u64 {
        self.messages.iter().filter(|message| self.state(message, now) == state).count() as u64
    }

    /// Where in the list a message is.
    pub fn position(&self, id: &Id) -> Option<usize> {
        self.messages.iter().position(|message| message.id == *id)
    }

    /// Whether the next receive moves the message to the dead-letter queue instead of giving it out.
    pub fn is_exhausted(&self, message: &Message) -> bool {
        self.attributes.redrive.is_some_and(|(_, most)| message.receives - message.brought >= most)
    }

    /// The key under which a FIFO message is deduplicated; `None` if it gives none.
    pub fn dedup_key(&self, outgoing: &Outgoing) -> Option<String> {
        match (&outgoing.dedup, outgoing.content) {
            (Some(dedup), _) => Some(dedup.to_string()),
            (None, Some(content)) if self.attributes.content_dedup => Some(format!("content {content}")),
            _ => None,
        }
    }

    /// The first message sent under a deduplication key, while that counts.
    pub fn remembers(&self, key: &str, group: Option<&Text>) -> Option<&Remembered> {
        let found = |remembered: &&Remembered| {
            remembered.key == key && (!self.group_scope || remembered.group.as_ref() == group)
        };
        self.remembered.iter().find(found)
    }

    /// Positions of the messages that a receive may touch now: all that are ready; on a FIFO queue those that nothing of
    /// their own group stands before.
    pub fn receivable(&self, now: Moment) -> Vec<usize> {
        let mut blocked = Vec::new();
        let mut receivable = Vec::new();
        for (position, message) in self.messages.iter().enumerate() {
            if self.fifo && blocked.contains(&&message.group) {
                continue;
            }
            if self.state(message, now) == State::Ready {
                receivable.push(position);
            } else {
                blocked.push(&message.group);
            }
        }
        receivable
    }

    /// The soonest moment at which time alone may make a message receivable.
    pub fn next_ready(&self, now: Moment) -> Option<Moment> {
        let ready_at = |message: &Message| match self.state(message, now) {
            State::Ready => None,
            State::Delayed => message.delayed_until,
            State::InFlight => message.lease.map(|lease| lease.until),
        };
        self.messages.iter().filter_map(ready_at).min()
    }
}
