//! The facts of the queue service, as the journal keeps them.
//!
//! A tag is never reused. To change a layout, add a tag, keep decoding the old one, and extend the fixtures.

use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;
use kew_wire::Text;

use super::command::{Locator, MoveStatus, QueueKey, Tags};
use super::limits;
use super::queue::{Attempt, Entry, persist};
use super::settings::Changes;
use crate::codec::{Malformed, Put, Take, occurs};
use crate::identity::Account;
use crate::time::Moment;

/// The tags of the facts in the journal.
pub mod tag {
    /// The shard's secret was drawn.
    pub const FOUNDED: u8 = 1;
    /// A queue was created.
    pub const CREATED: u8 = 2;
    /// A queue was deleted.
    pub const REMOVED: u8 = 3;
    /// A queue's attributes were changed.
    pub const CHANGED: u8 = 4;
    /// Tags were set.
    pub const TAGGED: u8 = 5;
    /// Tags were removed.
    pub const UNTAGGED: u8 = 6;
    /// A message was sent.
    pub const SENT: u8 = 7;
    /// Messages were handed to a receiver.
    pub const LEASED: u8 = 8;
    /// Messages were deleted.
    pub const DELETED: u8 = 9;
    /// The end of a lease was moved.
    pub const DEADLINE_SET: u8 = 10;
    /// A receive did not reach its caller.
    pub const LEASE_UNDONE: u8 = 11;
    /// A message went to another queue.
    pub const MOVED: u8 = 12;
    /// A queue was purged.
    pub const PURGED: u8 = 13;
    /// A move task began.
    pub const MOVE_STARTED: u8 = 14;
    /// A move task ended.
    pub const MOVE_ENDED: u8 = 15;
    /// Everything was forgotten.
    pub const RESET: u8 = 16;
    /// Time passed: the moment of the facts that follow.
    pub const CLOCK: u8 = 17;
    /// A message's payload was written again, in this very fact. Read, and not written any more.
    pub const CARRIED: u8 = 18;
    /// A receive attempt was answered.
    pub const ATTEMPTED: u8 = 19;
    /// Messages that wait were written to a cold file.
    pub const COOLED: u8 = 20;
    /// Messages of a cold file came into the window.
    pub const THAWED: u8 = 21;
    /// Messages that waited behind the window joined it.
    pub const ADMITTED: u8 = 22;
    /// Payloads were written again, to a cold file.
    pub const KEPT: u8 = 23;
    /// A message left for a queue in another shard.
    pub const DEPARTED: u8 = 24;
    /// A message came from another shard.
    pub const ARRIVED: u8 = 25;
    /// Messages that had left are durable in the other shard.
    pub const HANDED_OVER: u8 = 26;
    /// A message that had left came back: its queue was not there.
    pub const RETURNED: u8 = 27;
    /// How many messages queues keep ready was settled.
    pub const WINDOWED: u8 = 28;
}

/// A fact. Queues go by number, messages by theirs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    Founded { secret: u128 },
    Windowed(Windows),
    Created { queue: u64, key: QueueKey, changes: Changes, tags: Tags },
    Removed { queue: u64 },
    Changed { queue: u64, changes: Changes },
    Tagged { queue: u64, tags: Tags },
    Untagged { queue: u64, keys: Vec<Text> },
    Sent(Sent),
    Leased { queue: u64, deadline: Moment, leases: Vec<Lease> },
    Attempted { queue: u64, key: u128, answered: Attempt },
    Deleted { queue: u64, seqs: Vec<u64> },
    DeadlineSet { queue: u64, seq: u64, deadline: Moment },
    LeaseUndone { queue: u64, seq: u64 },
    Moved(Moved),
    Purged { queue: u64 },
    MoveStarted(MoveStarted),
    Carried(Carried),
    Cooled { queue: u64, chunk: u64, offset: u64, length: u64, last_seq: u64 },
    Thawed { queue: u64, entries: Vec<Entry> },
    Admitted { queue: u64, last_seq: u64 },
    Kept { queue: u64, chunk: u64, places: Vec<Place> },
    MoveEnded { queue: u64, task: [u8; 16], status: MoveStatus, failure: Option<Text> },
    Departed(Departed),
    Arrived(Arrived),
    HandedOver { shard: u32, numbers: Vec<u64> },
    Returned { shard: u32, number: u64 },
    Reset,
}

/// How many messages queues keep ready. Which messages a fact puts into a queue's window, and which behind it, follows from it, so
/// replay must know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Windows {
    /// Of a standard queue.
    pub(crate) standard: u64,
    /// Of a FIFO queue.
    pub(crate) fifo: u64,
}

impl Windows {
    /// What they were before the journal told.
    pub(crate) const FIRST: Self = Self { standard: 10_000, fifo: 120_000 };

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.put_varint(self.standard);
        out.put_varint(self.fifo);
    }

    pub(crate) fn decode(take: &mut Take) -> Result<Self, Malformed> {
        Ok(Self { standard: take.varint()?, fifo: take.varint()? })
    }
}

/// A message was sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sent {
    pub(crate) queue: u64,
    pub(crate) seq: u64,
    pub(crate) id: [u8; 16],
    /// From when on it can be received; the moment of the fact itself if at once.
    pub(crate) due: Moment,
    /// Its group, hashed.
    pub(crate) group: u64,
    /// What recognises a duplicate, on FIFO queues.
    pub(crate) dedup: Option<u128>,
    /// Where the payload lies, in this very fact.
    pub(crate) payload: Locator,
}

/// One message was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) group: u64,
    pub(crate) seq: u64,
    pub(crate) receives: u32,
}

/// Where a message's payload lies from now on, in the cold file that its fact names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) group: u64,
    pub(crate) seq: u64,
    pub(crate) offset: u64,
    pub(crate) length: u32,
}

/// A message went to another queue. Its payload stays where it lies.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moved {
    pub(crate) from: u64,
    pub(crate) group: u64,
    pub(crate) seq: u64,
    pub(crate) to: u64,
    pub(crate) new_seq: u64,
    pub(crate) id: [u8; 16],
    pub(crate) sent: Moment,
    pub(crate) receives: u32,
    /// The move task that moved it; `None` for a dead letter.
    pub(crate) task: Option<[u8; 16]>,
}

/// A message left for a queue in another shard. Its payload stays where it lies until the message has arrived there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Departed {
    pub(crate) from: u64,
    pub(crate) group: u64,
    pub(crate) seq: u64,
    /// The other shard, and the number under which the message is offered to it.
    pub(crate) shard: u32,
    pub(crate) number: u64,
    pub(crate) to: QueueKey,
    pub(crate) id: [u8; 16],
    /// The move task that moves it; `None` for a dead letter.
    pub(crate) task: Option<[u8; 16]>,
}

/// A message came from another shard.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arrived {
    /// The other shard, and the number under which it offered the message.
    pub(crate) shard: u32,
    pub(crate) number: u64,
    /// Lower numbers will not be offered again.
    pub(crate) floor: u64,
    pub(crate) queue: u64,
    pub(crate) seq: u64,
    pub(crate) id: [u8; 16],
    pub(crate) sent: Moment,
    pub(crate) group: u64,
    pub(crate) receives: u32,
    /// ARN of the queue whose dead letter it is.
    pub(crate) source: Option<Text>,
    /// Where the payload lies, in this very fact.
    pub(crate) payload: Locator,
}

/// A message's payload was written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) queue: u64,
    pub(crate) group: u64,
    pub(crate) seq: u64,
    /// Where the payload lies from now on: in this very fact.
    pub(crate) payload: Locator,
}

/// A move task began.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MoveStarted {
    pub(crate) queue: u64,
    pub(crate) task: [u8; 16],
    pub(crate) destination: Option<QueueKey>,
    pub(crate) per_second: Option<u32>,
    pub(crate) to_move: u64,
}

/// What a journal batch holds, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Record {
    /// The moment of the facts that follow.
    Clock(Moment),
    Fact(Event),
}

/// The facts of the open batch.
#[derive(Debug)]
pub(crate) struct Facts {
    start: u64,
    bytes: Vec<u8>,
    /// The moment that the batch last noted.
    clock: Option<Moment>,
}

impl Facts {
    /// An empty batch whose first byte will lie at `start`.
    pub(crate) fn new(start: u64) -> Self {
        Self { start, bytes: Vec::new(), clock: None }
    }

    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// Where the next fact's first byte will lie.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.bytes.into()
    }

    /// Notes a fact that happened at `now`.
    pub(crate) fn put(&mut self, now: Moment, event: &Event) {
        self.note(now);
        event.encode(now, &mut self.bytes);
    }

    /// Notes a message sent at `now` and its payload; says where that will lie.
    pub(crate) fn put_sent(&mut self, now: Moment, sent: &mut Sent, payload: &[u8]) {
        self.note(now);
        sent.encode(now, &mut self.bytes);
        sent.payload = self.put_payload(payload);
    }

    /// Notes a message that came from another shard at `now` and its payload; says where that will lie.
    pub(crate) fn put_arrived(&mut self, now: Moment, arrived: &mut Arrived, payload: &[u8]) {
        self.note(now);
        arrived.encode(&mut self.bytes);
        arrived.payload = self.put_payload(payload);
    }

    fn put_payload(&mut self, payload: &[u8]) -> Locator {
        self.bytes.put_varint(payload.len() as u64);
        let locator =
            Locator { position: self.start + self.bytes.len() as u64, length: payload.len() as u32 };
        self.bytes.put_raw(payload);
        locator
    }

    /// Notes what time it is, if that is new.
    pub(crate) fn note(&mut self, now: Moment) {
        if self.clock != Some(now) {
            self.bytes.put_u8(tag::CLOCK);
            self.bytes.put_u64(now.0);
            self.clock = Some(now);
        }
    }
}

/// Reads a batch's records back.
#[derive(Debug)]
pub(crate) struct Records {
    take: Take,
    /// Position of the byte after the batch's last.
    end: u64,
    now: Moment,
}

impl Records {
    pub(crate) fn new(start: u64, batch: Bytes) -> Self {
        Self { end: start + batch.len() as u64, take: Take::new(batch), now: Moment::default() }
    }

    fn next(&mut self) -> Result<Record, Malformed> {
        let take = &mut self.take;
        let now = self.now;
        let event = match take.u8()? {
            tag::CLOCK => {
                self.now = take.now()?;
                return Ok(Record::Clock(self.now));
            }
            tag::FOUNDED => Event::Founded { secret: take.u128()? },
            tag::WINDOWED => Event::Windowed(Windows::decode(take)?),
            tag::CREATED => Event::Created {
                queue: take.number()?,
                key: key(take)?,
                changes: changes(take)?,
                tags: tags(take)?,
            },
            tag::REMOVED => Event::Removed { queue: take.varint()? },
            tag::CHANGED => Event::Changed { queue: take.varint()?, changes: changes(take)? },
            tag::TAGGED => Event::Tagged { queue: take.varint()?, tags: tags(take)? },
            tag::UNTAGGED => Event::Untagged { queue: take.varint()?, keys: list(take, text)? },
            tag::SENT => Event::Sent(Sent {
                queue: take.varint()?,
                seq: take.number()?,
                id: take.array()?,
                due: later(take, now)?,
                group: take.varint()?,
                dedup: optional(take, Take::u128)?,
                payload: payload(take, self.end)?,
            }),
            tag::CARRIED => Event::Carried(Carried {
                queue: take.varint()?,
                group: take.varint()?,
                seq: take.varint()?,
                payload: payload(take, self.end)?,
            }),
            tag::COOLED => Event::Cooled {
                queue: take.varint()?,
                chunk: chunk(take)?,
                offset: u64::from(count(take)?),
                length: u64::from(count(take)?),
                last_seq: take.varint()?,
            },
            tag::THAWED => Event::Thawed { queue: take.varint()?, entries: list(take, persist::entry)? },
            tag::ADMITTED => Event::Admitted { queue: take.varint()?, last_seq: take.varint()? },
            tag::KEPT => Event::Kept {
                queue: take.varint()?,
                chunk: chunk(take)?,
                places: list(take, |take| {
                    Ok(Place {
                        group: take.varint()?,
                        seq: take.varint()?,
                        offset: u64::from(count(take)?),
                        length: count(take)?,
                    })
                })?,
            },
            tag::ATTEMPTED => Event::Attempted {
                queue: take.varint()?,
                key: take.u128()?,
                answered: list(take, |take| Ok((take.varint()?, count(take)?)))?,
            },
            tag::LEASED => Event::Leased {
                queue: take.varint()?,
                deadline: later(take, now)?,
                leases: list(take, |take| {
                    Ok(Lease { group: take.varint()?, seq: take.varint()?, receives: count(take)? })
                })?,
            },
            tag::DELETED => Event::Deleted { queue: take.varint()?, seqs: list(take, Take::varint)? },
            tag::DEADLINE_SET => {
                Event::DeadlineSet { queue: take.varint()?, seq: take.varint()?, deadline: later(take, now)? }
            }
            tag::LEASE_UNDONE => Event::LeaseUndone { queue: take.varint()?, seq: take.varint()? },
            tag::MOVED => Event::Moved(Moved {
                from: take.varint()?,
                group: take.varint()?,
                seq: take.varint()?,
                to: take.varint()?,
                new_seq: take.number()?,
                id: take.array()?,
                sent: take.fixed_moment()?,
                receives: count(take)?,
                task: optional(take, Take::array)?,
            }),
            tag::PURGED => Event::Purged { queue: take.varint()? },
            tag::MOVE_STARTED => Event::MoveStarted(MoveStarted {
                queue: take.varint()?,
                task: take.array()?,
                destination: optional(take, key)?,
                per_second: optional(take, rate)?,
                to_move: take.number()?,
            }),
            tag::MOVE_ENDED => Event::MoveEnded {
                queue: take.varint()?,
                task: take.array()?,
                status: status(take)?,
                failure: take.option()?.map(own),
            },
            tag::DEPARTED => Event::Departed(Departed {
                from: take.varint()?,
                group: take.varint()?,
                seq: take.varint()?,
                shard: count(take)?,
                number: take.varint()?,
                to: key(take)?,
                id: take.array()?,
                task: optional(take, Take::array)?,
            }),
            tag::ARRIVED => Event::Arrived(Arrived {
                shard: count(take)?,
                number: take.varint()?,
                floor: take.varint()?,
                queue: take.varint()?,
                seq: take.number()?,
                id: take.array()?,
                sent: take.fixed_moment()?,
                group: take.varint()?,
                receives: count(take)?,
                source: take.option()?.map(own),
                payload: payload(take, self.end)?,
            }),
            tag::HANDED_OVER => Event::HandedOver { shard: count(take)?, numbers: list(take, Take::varint)? },
            tag::RETURNED => Event::Returned { shard: count(take)?, number: take.varint()? },
            tag::RESET => Event::Reset,
            _ => return Err(Malformed),
        };
        Ok(Record::Fact(event))
    }
}

/// Which facts a batch holds: the tag of each, and which of the batch's bytes it takes. For whoever looks at a journal from outside.
///
/// # Errors
/// [`Malformed`].
pub fn outline(batch: &Bytes) -> Result<Vec<(u8, Range<usize>)>, Malformed> {
    let mut records = Records::new(0, batch.clone());
    let mut facts = Vec::new();
    while !records.take.is_empty() {
        let start = batch.len() - records.take.remaining();
        records.next()?;
        facts.push((batch[start], start..batch.len() - records.take.remaining()));
    }
    Ok(facts)
}

impl Iterator for Records {
    type Item = Result<Record, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.take.is_empty()).then(|| self.next())
    }
}

impl Sent {
    /// Everything but the payload.
    fn encode(&self, now: Moment, out: &mut Vec<u8>) {
        out.put_u8(tag::SENT);
        out.put_varint(self.queue);
        out.put_varint(self.seq);
        out.put_raw(&self.id);
        out.put_varint((self.due - now).0);
        out.put_varint(self.group);
        put_optional(out, self.dedup, |out, key| out.put_u128(key));
    }
}

impl Arrived {
    /// Everything but the payload.
    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u8(tag::ARRIVED);
        out.put_varint(u64::from(self.shard));
        out.put_varint(self.number);
        out.put_varint(self.floor);
        out.put_varint(self.queue);
        out.put_varint(self.seq);
        out.put_raw(&self.id);
        out.put_u64(self.sent.0);
        out.put_varint(self.group);
        out.put_varint(u64::from(self.receives));
        out.put_option(self.source.as_deref());
    }
}

impl Event {
    fn encode(&self, now: Moment, out: &mut Vec<u8>) {
        match self {
            Self::Founded { secret } => {
                out.put_u8(tag::FOUNDED);
                out.put_u128(*secret);
            }
            Self::Windowed(windows) => {
                out.put_u8(tag::WINDOWED);
                windows.encode(out);
            }
            Self::Created { queue, key, changes, tags } => {
                put_head(out, tag::CREATED, *queue);
                put_key(out, key);
                put_changes(out, changes);
                put_tags(out, tags);
            }
            Self::Removed { queue } => put_head(out, tag::REMOVED, *queue),
            Self::Changed { queue, changes } => {
                put_head(out, tag::CHANGED, *queue);
                put_changes(out, changes);
            }
            Self::Tagged { queue, tags } => {
                put_head(out, tag::TAGGED, *queue);
                put_tags(out, tags);
            }
            Self::Untagged { queue, keys } => {
                put_head(out, tag::UNTAGGED, *queue);
                put_list(out, keys, |out, key| out.put_bytes(key.as_bytes()));
            }
            // Noted with its payload: `Facts::put_sent`, `Facts::put_arrived`; and what only earlier releases noted.
            Self::Sent(_) | Self::Arrived(_) | Self::Carried(_) => {
                debug_assert!(false, "a payload is missing")
            }
            Self::Cooled { queue, chunk, offset, length, last_seq } => {
                put_head(out, tag::COOLED, *queue);
                out.put_varint(*chunk);
                out.put_varint(*offset);
                out.put_varint(*length);
                out.put_varint(*last_seq);
            }
            Self::Thawed { queue, entries } => {
                put_head(out, tag::THAWED, *queue);
                put_list(out, entries, persist::put_entry);
            }
            Self::Admitted { queue, last_seq } => {
                put_head(out, tag::ADMITTED, *queue);
                out.put_varint(*last_seq);
            }
            Self::Kept { queue, chunk, places } => {
                put_head(out, tag::KEPT, *queue);
                out.put_varint(*chunk);
                put_list(out, places, |out, place| {
                    out.put_varint(place.group);
                    out.put_varint(place.seq);
                    out.put_varint(place.offset);
                    out.put_varint(u64::from(place.length));
                });
            }
            Self::Attempted { queue, key, answered } => {
                put_head(out, tag::ATTEMPTED, *queue);
                out.put_u128(*key);
                put_list(out, answered, |out, (seq, lease)| {
                    out.put_varint(*seq);
                    out.put_varint(u64::from(*lease));
                });
            }
            Self::Leased { queue, deadline, leases } => {
                put_head(out, tag::LEASED, *queue);
                out.put_varint((*deadline - now).0);
                put_list(out, leases, |out, lease| {
                    out.put_varint(lease.group);
                    out.put_varint(lease.seq);
                    out.put_varint(u64::from(lease.receives));
                });
            }
            Self::Deleted { queue, seqs } => {
                put_head(out, tag::DELETED, *queue);
                put_list(out, seqs, |out, seq| out.put_varint(*seq));
            }
            Self::DeadlineSet { queue, seq, deadline } => {
                put_head(out, tag::DEADLINE_SET, *queue);
                out.put_varint(*seq);
                out.put_varint((*deadline - now).0);
            }
            Self::LeaseUndone { queue, seq } => {
                put_head(out, tag::LEASE_UNDONE, *queue);
                out.put_varint(*seq);
            }
            Self::Moved(moved) => {
                put_head(out, tag::MOVED, moved.from);
                out.put_varint(moved.group);
                out.put_varint(moved.seq);
                out.put_varint(moved.to);
                out.put_varint(moved.new_seq);
                out.put_raw(&moved.id);
                out.put_u64(moved.sent.0);
                out.put_varint(u64::from(moved.receives));
                put_optional(out, moved.task, |out, task| out.put_raw(&task));
            }
            Self::Purged { queue } => put_head(out, tag::PURGED, *queue),
            Self::MoveStarted(started) => {
                put_head(out, tag::MOVE_STARTED, started.queue);
                out.put_raw(&started.task);
                put_optional(out, started.destination.as_ref(), put_key);
                put_optional(out, started.per_second, |out, rate| out.put_varint(u64::from(rate)));
                out.put_varint(started.to_move);
            }
            Self::MoveEnded { queue, task, status, failure } => {
                put_head(out, tag::MOVE_ENDED, *queue);
                out.put_raw(task);
                put_status(out, *status);
                out.put_option(failure.as_deref());
            }
            Self::Departed(departed) => {
                put_head(out, tag::DEPARTED, departed.from);
                out.put_varint(departed.group);
                out.put_varint(departed.seq);
                out.put_varint(u64::from(departed.shard));
                out.put_varint(departed.number);
                put_key(out, &departed.to);
                out.put_raw(&departed.id);
                put_optional(out, departed.task, |out, task| out.put_raw(&task));
            }
            Self::HandedOver { shard, numbers } => {
                put_head(out, tag::HANDED_OVER, u64::from(*shard));
                put_list(out, numbers, |out, number| out.put_varint(*number));
            }
            Self::Returned { shard, number } => {
                put_head(out, tag::RETURNED, u64::from(*shard));
                out.put_varint(*number);
            }
            Self::Reset => out.put_u8(tag::RESET),
        }
    }
}

// Parts of facts, shared with snapshots.

fn put_head(out: &mut Vec<u8>, tag: u8, queue: u64) {
    out.put_u8(tag);
    out.put_varint(queue);
}

pub(super) fn put_optional<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.put_u8(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

pub(super) fn optional<T>(
    take: &mut Take,
    read: impl FnOnce(&mut Take) -> Result<T, Malformed>,
) -> Result<Option<T>, Malformed> {
    match take.u8()? {
        0 => Ok(None),
        1 => read(take).map(Some),
        _ => Err(Malformed),
    }
}

pub(super) fn put_list<T>(out: &mut Vec<u8>, values: &[T], mut put: impl FnMut(&mut Vec<u8>, &T)) {
    out.put_varint(values.len() as u64);
    for value in values {
        put(out, value);
    }
}

pub(super) fn list<T>(
    take: &mut Take,
    mut read: impl FnMut(&mut Take) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let length = take.varint()?;
    // Every value takes a byte at least, so a length beyond the rest is nonsense and must not reserve memory.
    if length > take.remaining() as u64 {
        return Err(Malformed);
    }
    (0..length).map(|_| read(take)).collect()
}

/// A text that outlives the batch or request that it was read from without keeping it in memory.
pub(super) fn own(text: Text) -> Text {
    Text::from(&*text)
}

fn text(take: &mut Take) -> Result<Text, Malformed> {
    take.text().map(own)
}

/// A payload in a batch that ends at `end`.
fn payload(take: &mut Take, end: u64) -> Result<Locator, Malformed> {
    let length = count(take)?;
    let position = end - take.remaining() as u64;
    take.raw(length as usize)?;
    Ok(Locator { position, length })
}

fn count(take: &mut Take) -> Result<u32, Malformed> {
    u32::try_from(take.varint()?).map_err(|_| Malformed)
}

/// The number of a cold file.
pub(super) fn chunk(take: &mut Take) -> Result<u64, Malformed> {
    take.varint().and_then(|chunk| if chunk < 1 << 31 { Ok(chunk) } else { Err(Malformed) })
}

/// How many messages a move task moves in each second.
pub(super) fn rate(take: &mut Take) -> Result<u32, Malformed> {
    count(take).and_then(|rate| if rate <= limits::MOVES_PER_SECOND_MAX { Ok(rate) } else { Err(Malformed) })
}

fn later(take: &mut Take, now: Moment) -> Result<Moment, Malformed> {
    occurs(now.0.saturating_add(take.varint()?))
}

pub(super) fn put_key(out: &mut Vec<u8>, key: &QueueKey) {
    out.put_varint(key.account.number());
    out.put_bytes(key.region.as_bytes());
    out.put_bytes(key.name.as_bytes());
}

pub(super) fn key(take: &mut Take) -> Result<QueueKey, Malformed> {
    let account = Account::from_number(take.varint()?).ok_or(Malformed)?;
    Ok(QueueKey { account, region: text(take)?, name: text(take)? })
}

fn put_changes(out: &mut Vec<u8>, changes: &Changes) {
    let mut bytes = Vec::new();
    changes.encode(&mut bytes);
    out.put_bytes(&bytes);
}

fn changes(take: &mut Take) -> Result<Changes, Malformed> {
    Changes::decode(&mut Take::new(Bytes::copy_from_slice(&take.bytes()?)))
}

pub(super) fn put_tags(out: &mut Vec<u8>, tags: &Tags) {
    put_list(out, tags, |out, (key, value)| {
        out.put_bytes(key.as_bytes());
        out.put_bytes(value.as_bytes());
    });
}

pub(super) fn tags(take: &mut Take) -> Result<Tags, Malformed> {
    list(take, |take| Ok((text(take)?, text(take)?)))
}

pub(super) fn put_status(out: &mut Vec<u8>, status: MoveStatus) {
    out.put_u8(match status {
        MoveStatus::Running => 1,
        MoveStatus::Completed => 2,
        MoveStatus::Cancelling => 3,
        MoveStatus::Cancelled => 4,
        MoveStatus::Failed => 5,
    });
}

pub(super) fn status(take: &mut Take) -> Result<MoveStatus, Malformed> {
    match take.u8()? {
        1 => Ok(MoveStatus::Running),
        2 => Ok(MoveStatus::Completed),
        3 => Ok(MoveStatus::Cancelling),
        4 => Ok(MoveStatus::Cancelled),
        5 => Ok(MoveStatus::Failed),
        _ => Err(Malformed),
    }
}
