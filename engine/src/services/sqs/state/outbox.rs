//! Messages on their way to queues in other shards, and those that come from there; see [`crate::transfer`].

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use bytes::Bytes;
use hashbrown::HashMap;
use kew_wire::Text;

use super::super::command::{Locator, MoveStatus, QueueKey, Reply};
use super::super::event::{Arrived, Departed, Event, list, optional, own, put_key, put_list, put_optional};
use super::super::queue::{Entry, Held, Queue, persist};
use super::super::{event, faults, limits};
use super::access::Wish;
use super::{Context, Sqs};
use crate::codec::{Malformed, Put, Take};
use crate::identity_hash::IdentityHash;
use crate::time::Moment;
use crate::transfer::{Arrive, Known, Message, Outcome, Peer, Question, Settle, Transfer};

/// The number that stands for the outbox where others have a queue's.
pub(super) const OUTBOX: u64 = 0;

/// Messages that departed and have not arrived yet.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// The next message departs under this number at least.
    next: u64,
    /// By shard and number.
    leaving: BTreeMap<(u32, u64), Leaving>,
    /// Of each shard to which messages are on their way.
    lanes: BTreeMap<u32, Lane>,
    /// Where each message stands, by its number in this shard.
    places: HashMap<u64, (u32, u64), IdentityHash>,
    /// Messages that left cold files, since last looked at.
    pub(super) chunk_changes: Vec<(u64, i64)>,
    /// How far each shard is with what it was offered; absent: it can be offered more.
    offers: BTreeMap<u32, Offer>,
    /// Queues that could not move a message because there was no room, and when they look again if none comes to be before.
    blocked: BTreeMap<u64, Moment>,
    /// Messages that came back because they cannot be read: they stay where they are. Forgotten with the process.
    unreadable: BTreeSet<u64>,
}

/// The messages on their way to one shard.
#[derive(Debug)]
struct Lane {
    count: usize,
    /// When the last one left it, or the first one came.
    since: Moment,
}

/// Whether a message may depart to a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// It may.
    Free,
    /// Too many are on their way there, but they go on.
    Soon,
    /// Too many are, and they stand.
    Stands,
}

/// A message that departed.
#[derive(Debug)]
struct Leaving {
    /// The queue to which it returns if it must; [`OUTBOX`] if that is gone.
    from: u64,
    to: QueueKey,
    held: Held,
    id: [u8; 16],
    source: Option<Text>,
    task: Option<[u8; 16]>,
    /// From where it could not be read the last time.
    unread: Option<Locator>,
    /// It may be offered once everything before this position is on disk.
    gate: u64,
}

/// The last offer to a shard.
#[derive(Debug)]
enum Offer {
    Open {
        ticket: u64,
    },
    /// What became of it is on disk once everything before `gate` is.
    Settled {
        gate: u64,
    },
}

/// What has come from another shard.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Lower numbers are not taken in any more.
    floor: u64,
    /// What was taken in from there on.
    numbers: BTreeSet<u64>,
}

impl Outbox {
    pub(super) fn len(&self) -> usize {
        self.leaving.len()
    }

    /// Whether a message may depart to `shard` now. If not, `queue` gets another look when one may, or after a while.
    pub(super) fn room_for(&mut self, queue: u64, shard: u32, now: Moment) -> Room {
        let Some(lane) = self.lanes.get(&shard).filter(|lane| lane.count >= limits::OUTBOX) else {
            return Room::Free;
        };
        let until = lane.since + limits::OUTBOX_PATIENCE;
        let (room, until) =
            if until > now { (Room::Soon, until) } else { (Room::Stands, now + limits::OUTBOX_PATIENCE) };
        self.blocked.entry(queue).or_insert(until);
        room
    }

    /// When `queue`, which waits for room, looks again at the latest.
    pub(super) fn next_look(&self, queue: u64) -> Moment {
        self.blocked.get(&queue).copied().unwrap_or(Moment::NEVER)
    }

    /// Whether `queue` waited for room until now.
    pub(super) fn looks_again(&mut self, queue: u64, now: Moment) -> bool {
        let is_due = self.next_look(queue) <= now;
        is_due && self.blocked.remove(&queue).is_some()
    }

    /// After replay: nobody has had time to take anything.
    pub(super) fn resume(&mut self, now: Moment) {
        for lane in self.lanes.values_mut() {
            lane.since = now;
        }
    }

    /// Whether a message can be read, as far as is known.
    pub(super) fn is_readable(&self, seq: u64) -> bool {
        !self.unreadable.contains(&seq)
    }

    /// What outlives a reset.
    pub(super) fn emptied(&self) -> Self {
        Self { next: self.next, ..Self::default() }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.leaving.values().map(|leaving| &leaving.held.entry)
    }

    /// Of each message the queue to which it returns, the one to which it goes, and its payload.
    pub(super) fn origins(&self) -> impl Iterator<Item = (u64, &QueueKey, Locator)> {
        self.leaving.values().map(|leaving| (leaving.from, &leaving.to, leaving.held.entry.payload))
    }

    pub(super) fn find(&mut self, seq: u64) -> Option<&mut Entry> {
        let place = self.places.get(&seq)?;
        self.leaving.get_mut(place).map(|leaving| &mut leaving.held.entry)
    }

    /// A message's payload was written again, to a cold file.
    pub(super) fn relocate(&mut self, seq: u64, payload: Locator) -> Option<()> {
        let entry = self.find(seq)?;
        let before = core::mem::replace(&mut entry.payload, payload);
        self.leave_chunk(before);
        self.chunk_changes.extend(payload.in_chunk().map(|(chunk, _)| (chunk, 1)));
        Some(())
    }

    /// A queue has gone, or all that was in it: nothing returns there.
    pub(super) fn cut_off(&mut self, queue: u64) {
        for leaving in self.leaving.values_mut().filter(|leaving| leaving.from == queue) {
            leaving.from = OUTBOX;
        }
    }

    /// Forgets the messages whose payloads are lost.
    pub(super) fn lose(&mut self, is_lost: &dyn Fn(Locator) -> bool) {
        let lost = self.leaving.iter().filter(|(_, leaving)| is_lost(leaving.held.entry.payload));
        for place in lost.map(|(place, _)| *place).collect::<Vec<_>>() {
            self.remove(place, Moment::default());
        }
    }

    fn insert(&mut self, place: (u32, u64), leaving: Leaving, now: Moment) {
        self.next = self.next.max(place.1.saturating_add(1));
        self.lanes.entry(place.0).or_insert(Lane { count: 0, since: now }).count += 1;
        self.places.insert(leaving.held.entry.seq, place);
        self.leaving.insert(place, leaving);
    }

    fn remove(&mut self, place: (u32, u64), now: Moment) -> Option<Leaving> {
        let leaving = self.leaving.remove(&place)?;
        if let Some(lane) = self.lanes.get_mut(&place.0) {
            *lane = Lane { count: lane.count - 1, since: now };
            if lane.count == 0 {
                self.lanes.remove(&place.0);
            }
        }
        self.places.remove(&leaving.held.entry.seq);
        Some(leaving)
    }

    fn leave_chunk(&mut self, payload: Locator) {
        self.chunk_changes.extend(payload.in_chunk().map(|(chunk, _)| (chunk, -1)));
    }

    /// What the next shard in line is to be offered, if any can be.
    fn poll(&mut self, durable: u64, ticket: u64) -> Option<Transfer> {
        let mut from = (0, 0);
        while let Some((&(shard, floor), _)) = self.leaving.range(from..).next() {
            let is_free = match self.offers.get(&shard) {
                None => true,
                Some(Offer::Open { .. }) => false,
                // Only then the lowest number left is one below which none is offered again, whatever fails.
                Some(Offer::Settled { gate }) => *gate <= durable,
            };
            if is_free {
                let mut bytes = 0;
                let lane = self.leaving.range((shard, floor)..=(shard, u64::MAX));
                let messages: Vec<_> = lane
                    .take_while(|(_, leaving)| leaving.gate <= durable)
                    .take_while(|(_, leaving)| {
                        let fits = bytes < limits::TRANSFER_BYTES;
                        bytes += leaving.held.entry.payload.length as usize;
                        fits
                    })
                    .take(limits::TRANSFER_MESSAGES)
                    .map(|((_, number), leaving)| (leaving.message(*number), leaving.held.entry.payload))
                    .collect();
                if !messages.is_empty() {
                    self.offers.insert(shard, Offer::Open { ticket });
                    return Some(Transfer { shard, ticket, floor, messages, unread: Vec::new() });
                }
            }
            from = (shard.checked_add(1)?, 0);
        }
        None
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put_varint(self.next);
        put_list(out, &self.leaving.iter().collect::<Vec<_>>(), |out, ((shard, number), leaving)| {
            out.put_varint(u64::from(*shard));
            out.put_varint(*number);
            out.put_varint(leaving.from);
            put_key(out, &leaving.to);
            persist::put_held(out, &leaving.held);
            out.put_raw(&leaving.id);
            out.put_option(leaving.source.as_deref());
            put_optional(out, leaving.task, |out, task| out.put_raw(&task));
        });
    }

    pub(super) fn decode(take: &mut Take) -> Result<Self, Malformed> {
        let mut outbox = Self { next: take.varint()?, ..Self::default() };
        list(take, |take| {
            let place = (persist::count(take)?, take.varint()?);
            let leaving = Leaving {
                from: take.varint()?,
                to: event::key(take)?,
                held: persist::held(take)?,
                id: take.array()?,
                source: take.option()?.map(own),
                task: optional(take, Take::array)?,
                unread: None,
                gate: 0,
            };
            let chunk = leaving.held.entry.payload.in_chunk();
            outbox.chunk_changes.extend(chunk.map(|(chunk, _)| (chunk, 1)));
            if outbox.leaving.last_key_value().is_some_and(|(last, _)| *last >= place) {
                return Err(Malformed);
            }
            outbox.insert(place, leaving, Moment::default());
            Ok(())
        })?;
        Ok(outbox)
    }
}

impl Leaving {
    fn message(&self, number: u64) -> Message {
        let Entry { sent, group, receives, .. } = self.held.entry;
        let is_moved = self.task.is_some();
        // A standard queue's dead letter keeps its age; a FIFO queue's, and what is moved back, starts afresh.
        let keeps_age = !is_moved && !self.to.is_fifo();
        Message {
            number,
            is_unread: self.unread == Some(self.held.entry.payload),
            to: self.to.clone(),
            id: self.id,
            sent: keeps_age.then_some(sent),
            group,
            receives: if is_moved { 0 } else { receives },
            source: self.source.clone(),
        }
    }
}

impl Arrivals {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put_varint(self.floor);
        put_list(out, &self.numbers.iter().copied().collect::<Vec<_>>(), |out, number| {
            out.put_varint(*number)
        });
    }

    pub(super) fn decode(take: &mut Take) -> Result<Self, Malformed> {
        Ok(Self { floor: take.varint()?, numbers: list(take, Take::varint)?.into_iter().collect() })
    }

    fn knows(&self, number: u64) -> bool {
        number < self.floor || self.numbers.contains(&number)
    }

    fn note(&mut self, number: u64, floor: u64) {
        self.floor = self.floor.max(floor);
        self.numbers = self.numbers.split_off(&self.floor);
        self.numbers.insert(number);
    }
}

impl Sqs {
    /// A message leaves for the queue `to` in another shard.
    pub(super) fn depart(&mut self, context: &mut Context<'_>, departed: Departed) {
        let place = (departed.shard, departed.number);
        if let Some(queue) = self.queues.get_mut(&departed.from) {
            queue.totals.moved += 1;
        }
        self.record(context, Event::Departed(departed));
        if let Some(leaving) = self.outbox.leaving.get_mut(&place) {
            leaving.gate = context.facts.end();
        }
    }

    /// The number under which the next message departs.
    pub(super) fn next_departure(&self, now: Moment) -> u64 {
        // Where a shard began anew or went back in time (repaired, put back from a backup), its numbers must not be taken for those
        // that others know: they follow the clock, whatever the outbox remembers.
        self.outbox.next.max(now.0 << 16)
    }

    pub(super) fn apply_departed(&mut self, now: Moment, departed: Departed) -> Result<(), Malformed> {
        let Departed { from, group, seq, shard, number, to, id, task } = departed;
        if self.outbox.leaving.contains_key(&(shard, number)) {
            return Err(Malformed);
        }
        let queue = self.at(from, now)?;
        let held = queue.depart(group, seq, now).ok_or(Malformed)?;
        let source = task.is_none().then(|| queue.key.arn());
        self.outbox.insert(
            (shard, number),
            Leaving { from, to: to.own(), held, id, source, task, unread: None, gate: 0 },
            now,
        );
        if let Some(task) = task {
            self.count_moved(from, task, 1);
        }
        Ok(())
    }

    /// The next messages to be offered to another shard.
    pub(crate) fn poll_transfer(&mut self, durable: u64, ticket: u64) -> Option<Transfer> {
        self.outbox.poll(durable, ticket)
    }

    /// Messages come from another shard. Says of each whether it is here, now or already before.
    pub(crate) fn arrive(&mut self, context: &mut Context<'_>, arrive: Arrive) -> Vec<bool> {
        let Arrive { shard, floor, messages } = arrive;
        let arrived = messages.into_iter().map(|(message, payload)| {
            let is_known = self.arrivals.get(&shard).is_some_and(|arrivals| arrivals.knows(message.number));
            is_known || self.arrive_one(context, (shard, floor), message, &payload).is_some()
        });
        let arrived = arrived.collect();
        self.settle(context);
        arrived
    }

    fn arrive_one(
        &mut self,
        context: &mut Context<'_>,
        (shard, floor): (u32, u64),
        message: Message,
        payload: &Bytes,
    ) -> Option<()> {
        let Message { number, to, id, sent, group, receives, source, .. } = message;
        let queue = *self.names.get(&to)?;
        if let Some(totals) = self.queues.get_mut(&queue).map(|queue: &mut Queue| &mut queue.totals)
            && source.is_none()
        {
            totals.sent += 1;
        }
        let mut arrived = Arrived {
            shard,
            number,
            floor,
            queue,
            seq: self.next_number(context.now),
            id,
            sent: sent.unwrap_or(context.now),
            group,
            receives,
            source,
            payload: Locator { position: 0, length: 0 },
        };
        context.facts.put_arrived(context.now, &mut arrived, payload);
        let applied = self.apply_arrived(context.now, arrived);
        debug_assert!(applied.is_ok(), "the queue was just found");
        Some(())
    }

    pub(super) fn apply_arrived(&mut self, now: Moment, arrived: Arrived) -> Result<(), Malformed> {
        let Arrived { shard, number, floor, queue, seq, id, sent, group, receives, source, payload } =
            arrived;
        self.number(seq)?;
        self.arrivals.entry(shard).or_default().note(number, floor);
        let queue = self.at(queue, now)?;
        let source = source.map_or(0, |source| queue.number_source(&source));
        queue.insert(Entry { seq, id, sent, payload, group, source, receives }, now, now);
        Ok(())
    }

    /// Another shard has answered an offer. Answers to older offers do not count: those messages are offered again.
    pub(crate) fn settle_transfer(&mut self, context: &mut Context<'_>, settle: Settle) {
        let Settle { shard, ticket, outcomes } = settle;
        let is_open =
            matches!(self.outbox.offers.get(&shard), Some(Offer::Open { ticket: open }) if *open == ticket);
        if !is_open {
            return;
        }
        let facts_before = context.facts.len();
        let there =
            outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Arrived).map(|(number, _)| *number);
        let numbers: Vec<u64> = there.collect();
        if !numbers.is_empty() {
            self.record(context, Event::HandedOver { shard, numbers });
        }
        for (number, outcome) in outcomes {
            match outcome {
                Outcome::Arrived => {}
                Outcome::Refused => {
                    self.return_one(context, shard, number, faults::MOVE_DESTINATION_VANISHED)
                }
                Outcome::Unread(payload) => self.note_unread(context, shard, number, payload),
            }
        }
        if context.facts.len() > facts_before {
            self.outbox.offers.insert(shard, Offer::Settled { gate: context.facts.end() });
        } else {
            // There is nothing to wait for on disk, and perhaps nothing comes.
            self.outbox.offers.remove(&shard);
        }
        for id in core::mem::take(&mut self.outbox.blocked).into_keys() {
            self.look_again(id);
        }
        self.settle(context);
    }

    /// A queue that could not move a message may try again.
    pub(super) fn look_again(&mut self, id: u64) {
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.go_on();
        }
        self.touched.push(id);
    }

    /// A payload could not be read. The second time the message returns, lest others wait behind it for ever.
    fn note_unread(&mut self, context: &mut Context<'_>, shard: u32, number: u64, payload: Locator) {
        let Some(leaving) = self.outbox.leaving.get_mut(&(shard, number)) else { return };
        let before = leaving.unread.replace(payload);
        if leaving.held.entry.payload == payload && before == Some(payload) {
            self.outbox.unreadable.insert(leaving.held.entry.seq);
            self.return_one(context, shard, number, faults::MOVE_MESSAGE_UNREADABLE);
        }
    }

    /// A message did not arrive, for a reason that its move task ends with.
    fn return_one(&mut self, context: &mut Context<'_>, shard: u32, number: u64, reason: &'static str) {
        let Some(leaving) = self.outbox.leaving.get(&(shard, number)) else { return };
        let (from, task) = (leaving.from, leaving.task);
        self.record(context, Event::Returned { shard, number });
        if let Some(queue) = self.queues.get_mut(&from) {
            queue.totals.moved = queue.totals.moved.saturating_sub(1);
        }
        // A task cannot know that its last messages did not arrive when it ends.
        let tasks = self.tasks.get(&from).map_or(&[][..], |tasks| tasks);
        let failed = tasks.iter().find(|other| {
            Some(other.id) == task && matches!(other.status, MoveStatus::Running | MoveStatus::Completed)
        });
        if let Some(id) = failed.map(|task| task.id) {
            self.end_move(context, from, id, MoveStatus::Failed, Some(reason));
        }
    }

    pub(super) fn apply_handed_over(&mut self, now: Moment, shard: u32, numbers: &[u64]) {
        for number in numbers {
            if let Some(leaving) = self.outbox.remove((shard, *number), now) {
                self.outbox.leave_chunk(leaving.held.entry.payload);
            }
        }
    }

    pub(super) fn apply_returned(&mut self, now: Moment, shard: u32, number: u64) -> Result<(), Malformed> {
        let Leaving { from, held, task, .. } = self.outbox.remove((shard, number), now).ok_or(Malformed)?;
        if from == OUTBOX {
            self.outbox.leave_chunk(held.entry.payload);
            return Ok(());
        }
        self.at(from, now)?.take_back(held).ok_or(Malformed)?;
        if let Some(task) = task {
            self.count_moved(from, task, -1);
        }
        Ok(())
    }

    /// A queue came to be in another shard, or went from there.
    pub(crate) fn tell_elsewhere(&mut self, key: QueueKey, shard: Option<u32>) {
        match shard {
            Some(shard) => _ = self.elsewhere.insert(key, shard),
            None => _ = self.elsewhere.remove(&key),
        }
    }

    /// What a request to a queue in another shard must know of this one.
    pub(crate) fn answer(&self, question: &Question, now: Moment) -> Result<Known, Reply> {
        let (caller, source, target, origins) = match question {
            Question::Sources { target, page } => return Err(self.sources(target, page)),
            Question::Origins { of } => {
                return Err(Reply::Names { keys: self.origins(of), more: false });
            }
            Question::Move { caller, source, target, origins } => (caller, source, target, origins),
        };
        let send = Wish::new(caller, "SendMessage", now);
        let peer = |key: &QueueKey| {
            let id = *self.names.get(key)?;
            let allow = self.queues.get(&id)?.settings.redrive_allow.as_ref();
            Some(Peer {
                forbids: allow.is_some_and(|allow| !allow.allows(&source.arn())),
                admits: self.admit(&send, key),
            })
        };
        Ok(Known {
            target: target.as_ref().and_then(peer),
            is_dead_letter_queue: self.is_dead_letter_queue(source),
            active_moves: self.active_moves(source.account),
            refusal: if target.is_none() { self.admit_return(&send, source, origins).err() } else { None },
        })
    }
}
