//! One queue: which messages it holds, where each stands, and whose turn it is.
//!
//! A message that has only been sent is *fresh* and costs one entry in its lane. Once it is delayed, received or came
//! back it is *held*. Nothing here decides whether a request is allowed; nothing here reads a clock. Deadlines pass in
//! [`Queue::advance`], which every fact calls first with its own moment, so replaying the facts passes them in the same way.

mod cold;
mod entry;
mod lanes;
mod line;
mod memory;
pub(super) mod persist;
mod salvage;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use hashbrown::HashMap;
use kew_wire::Text;

use self::cold::Cold;
pub(crate) use self::cold::{Frame, decode as decode_frame, encode as encode_frame, payload_offsets};
pub(crate) use self::entry::Entry;
pub(super) use self::entry::{Held, State, UNGROUPED};
use self::lanes::Lanes;
use self::line::Line;
use self::memory::Memory;
use super::command::{Locator, QueueKey};
use super::event::Windows;
use super::limits;
use super::settings::{Change, Changes, Settings};
use super::state::compiled;
use super::stats::{QueueStats, Totals};
use crate::identity_hash::IdentityHash;
use crate::policy::Policy;
use crate::shard::Config;
use crate::time::{Millis, Moment};

/// A message remembered so that sending it again can be recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Original {
    pub(super) seq: u64,
    pub(super) id: [u8; 16],
}

/// What a receive attempt was answered: message numbers and their leases, or [`UNDONE`].
pub(super) type Attempt = Vec<(u64, u32)>;

/// Stands in an attempt for a lease that was taken back. Leases count from 1, so no message ever has this one again.
const UNDONE: u32 = 0;

/// A queue.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) id: u64,
    pub(super) key: QueueKey,
    /// Its name in policies.
    pub(super) arn: Text,
    pub(super) settings: Settings,
    /// The policy among them, compiled.
    pub(super) policy: Option<Arc<Policy>>,
    pub(super) tags: BTreeMap<Text, Text>,
    pub(super) created: Moment,
    pub(super) modified: Moment,
    pub(super) purged: Option<Moment>,
    pub(super) totals: Totals,
    /// When the shard will look at this queue by itself.
    pub(super) wake: Moment,
    /// Whether a receive stopped before it had looked at everything, so that the next look is due at once.
    pub(super) hurried: bool,
    /// ARNs of the queues whose dead letters arrived here.
    sources: Vec<Text>,
    /// How many messages the window holds.
    window: u64,
    /// How many come into it at once.
    frame_messages: usize,
    frame_bytes: usize,
    lanes: Lanes,
    held: HashMap<u64, Held, IdentityHash>,
    /// When held messages come out of delay or flight.
    timers: BTreeSet<(Moment, u64)>,
    /// Held messages by SentTimestamp: what expires next.
    expiry: BTreeSet<(Moment, u64)>,
    /// Messages that wait behind the window, in files.
    cold: Cold,
    /// Messages that wait behind those: on a FIFO queue also those that are delayed. In order of arrival and of SentTimestamp.
    beyond: Line<Entry>,
    /// Messages that came to cold files or left them, since last looked at.
    pub(super) chunk_changes: Vec<(u64, i64)>,
    originals: Memory<Original>,
    attempts: Memory<Attempt>,
    /// Messages in the lanes that wait, fresh or held.
    ready: u64,
    /// Those of them that were received so often that they go to the back. Standard queues only.
    weary: u64,
    in_flight: u64,
    delayed: u64,
}

impl Queue {
    pub(super) fn new(
        id: u64,
        key: QueueKey,
        settings: Settings,
        created: Moment,
        config: &Config,
        windows: Windows,
    ) -> Self {
        Self {
            id,
            window: if settings.fifo { windows.fifo } else { windows.standard },
            frame_messages: config.frame_messages.max(1),
            frame_bytes: config.frame_bytes,
            lanes: Lanes::new(settings.fifo),
            arn: key.arn(),
            key,
            policy: compiled(settings.policy.as_ref()),
            settings,
            tags: BTreeMap::new(),
            created,
            modified: created,
            purged: None,
            totals: Totals::default(),
            wake: Moment::NEVER,
            hurried: false,
            sources: Vec::new(),
            held: HashMap::default(),
            timers: BTreeSet::new(),
            expiry: BTreeSet::new(),
            cold: Cold::default(),
            beyond: Line::default(),
            chunk_changes: Vec::new(),
            originals: Memory::default(),
            attempts: Memory::default(),
            ready: 0,
            weary: 0,
            in_flight: 0,
            delayed: 0,
        }
    }

    /// Takes over changes of its settings.
    pub(super) fn change(&mut self, changes: &Changes) {
        self.settings.apply(changes);
        if changes.iter().any(|change| matches!(change, Change::Policy(_))) {
            self.policy = compiled(self.settings.policy.as_ref());
        }
    }

    // Getters.

    pub(super) fn fifo(&self) -> bool {
        self.settings.fifo
    }

    /// Messages that are neither in flight nor delayed.
    pub(super) fn visible(&self, now: Moment) -> u64 {
        self.ready + self.cold.count + self.due(now) as u64
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    pub(super) fn delayed(&self, now: Moment) -> u64 {
        self.delayed + (self.beyond.len() - self.due(now)) as u64
    }

    /// How many sent messages are remembered.
    pub(super) fn remembered(&self) -> usize {
        self.originals.len()
    }

    /// How many receive attempts are.
    pub(super) fn attempts(&self) -> usize {
        self.attempts.len()
    }

    /// A held message.
    pub(super) fn held(&self, seq: u64) -> Option<&Held> {
        self.held.get(&seq)
    }

    /// The ARN behind [`Entry::source`].
    pub(super) fn source(&self, entry: &Entry) -> Option<&Text> {
        self.sources.get((entry.source as usize).checked_sub(1)?)
    }

    /// ARNs of the queues whose dead letters arrived here.
    pub(super) fn sources(&self) -> &[Text] {
        &self.sources
    }

    /// A message sent before under the same deduplication key, while it counts.
    pub(super) fn original(&mut self, key: u128, now: Moment) -> Option<Original> {
        self.originals.get(key, now).copied()
    }

    /// What the same receive attempt was answered, while every one of its messages is still as it was then.
    pub(super) fn attempt(&mut self, key: u128, now: Moment) -> Option<&Attempt> {
        let attempt = self.attempts.get(key, now)?;
        let unchanged = attempt.iter().all(|(seq, lease)| {
            self.held.get(seq).is_some_and(|held| {
                let current = held.entry.receives == *lease && !held.changed;
                current && matches!(held.state, State::InFlight { .. })
            })
        });
        unchanged.then_some(attempt)
    }

    /// The next message to hand out: its group and number. `after`, on a FIFO queue, is the lane that the same receive has
    /// just taken from, with its [`Self::barrier`] at the beginning.
    pub(super) fn next(&self, after: Option<(u64, u64)>) -> Option<(u64, u64)> {
        if let Some((group, barrier)) = after
            && let Some(seq) = self.lanes.next_of(group).filter(|seq| *seq < barrier)
        {
            return Some((group, seq));
        }
        self.lanes.next(self.in_flight)
    }

    /// What blocks a FIFO lane: messages from this number on wait for one in flight.
    pub(super) fn barrier(&self, group: u64) -> u64 {
        self.lanes.barrier(group)
    }

    /// A message whose turn it is, or a held one.
    pub(super) fn waiting(&self, group: u64, seq: u64) -> Option<&Entry> {
        let held = self.held.get(&seq).map(|held| &held.entry);
        held.or_else(|| self.lanes.front(group).filter(|entry| entry.seq == seq))
    }

    /// How often a message was received from this very queue.
    pub(super) fn receives_here(&self, seq: u64) -> u32 {
        self.held.get(&seq).map_or(0, |held| held.entry.receives - held.brought)
    }

    /// The first `max` messages in the order of their numbers, wherever they stand. Looks at every message.
    pub(super) fn peek(&self, max: usize) -> Vec<(&Entry, Option<&Held>)> {
        let held = self.held.values().map(|held| (&held.entry, Some(held)));
        let fresh = self.lanes.fresh().chain(self.beyond.iter()).map(|entry| (entry, None));
        let mut all: Vec<_> = held.chain(fresh).collect();
        all.sort_unstable_by_key(|(entry, _)| entry.seq);
        all.truncate(max);
        all
    }

    /// Every message in memory, in no order.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.in_window().chain(self.beyond.iter())
    }

    /// Every message in memory but those that can go to cold files: what is in the window, held, or delayed. In no order.
    pub(super) fn staying(&self, now: Moment) -> impl Iterator<Item = &Entry> {
        self.in_window().chain(self.beyond.iter().skip(self.due(now)))
    }

    fn in_window(&self) -> impl Iterator<Item = &Entry> {
        self.held.values().map(|held| &held.entry).chain(self.lanes.fresh())
    }

    /// The pieces of cold files that hold messages.
    pub(super) fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.cold.frames.iter()
    }

    /// When something changes by itself: a message comes out of delay or flight, or expires.
    pub(super) fn next_deadline(&self, now: Moment) -> Moment {
        let retention = self.settings.retention;
        let timer = self.timers.first().map_or(Moment::NEVER, |(at, _)| *at);
        let fresh = self.lanes.oldest().map_or(Moment::NEVER, |(sent, _, _)| sent + retention);
        let held = self.expiry.first().map_or(Moment::NEVER, |(sent, _)| *sent + retention);
        let beyond = self.beyond.get(self.due(now)).map_or(Moment::NEVER, |entry| entry.sent + self.delay());
        let cold = self.cold_deadline();
        let memory = self.originals.next_deadline().min(self.attempts.next_deadline());
        timer.min(fresh).min(held).min(cold).min(beyond).min(memory)
    }

    pub(super) fn stats(&self, now: Moment) -> QueueStats {
        let mut quiet = (self.visible(now), self.in_flight);
        let mut noisy_groups = 0;
        for group in self.lanes.noisy(self.in_flight) {
            let (ready, in_flight) = self.lanes.of_group(group);
            quiet = (quiet.0.saturating_sub(ready), quiet.1.saturating_sub(in_flight));
            noisy_groups += 1;
        }
        let fresh = self.lanes.oldest().map(|(sent, _, _)| sent);
        let held = self.expiry.first().map(|(sent, _)| *sent);
        let cold = self.cold.frames.front().map(|frame| frame.first_sent);
        let oldest =
            [fresh, held, cold, self.beyond.front().map(|entry| entry.sent)].into_iter().flatten().min();
        QueueStats {
            key: self.key.clone(),
            visible: self.visible(now),
            in_flight: self.in_flight,
            delayed: self.delayed(now),
            oldest,
            groups_in_flight: self.lanes.groups_in_flight(),
            noisy_groups,
            visible_quiet: quiet.0,
            in_flight_quiet: quiet.1,
            delayed_quiet: self.delayed(now),
            oldest_quiet: self.lanes.oldest_quiet(self.in_flight),
            in_memory: self.ready + self.in_flight + self.delayed + self.beyond.len() as u64,
            remembered: (self.originals.len() + self.attempts.len()) as u64,
            totals: self.totals,
        }
    }

    // Commands. Each is the effect of one fact, after `advance` to the fact's moment.

    /// How many messages are kept ready from now on.
    pub(super) fn set_window(&mut self, windows: Windows) {
        self.window = if self.fifo() { windows.fifo } else { windows.standard };
    }

    /// Lets deadlines pass until `now`.
    pub(super) fn advance(&mut self, now: Moment) {
        while let Some((at, seq)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            // Gone first: whatever it belongs to, it must not stop the clock.
            self.timers.pop_first();
            self.release(seq, at);
        }
        let retention = self.settings.retention;
        let horizon = |sent: Moment| sent + retention <= now;
        let mut expired = 0;
        while let Some((_, seq, group)) = self.lanes.oldest().filter(|(sent, _, _)| horizon(*sent)) {
            if let Some(entry) = self.lanes.pop(group, seq) {
                self.leave_chunk(&entry);
            }
            self.ready -= 1;
            expired += 1;
        }
        while let Some((_, seq)) = self.expiry.first().copied().filter(|(sent, _)| horizon(*sent)) {
            self.expiry.pop_first();
            if let Some(held) = self.unhold(seq) {
                self.leave_chunk(&held.entry);
            }
            expired += 1;
        }
        while let Some(frame) = self.cold.pop_expired(now, retention) {
            self.chunk_changes.push((frame.chunk, -(frame.count as i64)));
            expired += frame.count;
        }
        while let Some(entry) = self.beyond.pop_front_if(|entry| horizon(entry.sent)) {
            self.leave_chunk(&entry);
            expired += 1;
        }
        self.totals.expired += expired;
        self.originals.forget(now);
        self.attempts.forget(now);
    }

    /// A message arrives, receivable from `due` on.
    pub(super) fn insert(&mut self, entry: Entry, due: Moment, now: Moment) {
        if let Some((chunk, _)) = entry.payload.in_chunk() {
            self.chunk_changes.push((chunk, 1));
        }
        if due > now && !self.fifo() {
            self.hold(Held::new(entry, now, State::Delayed { due }));
        } else if self.delay().0 > 0 || !self.has_room() {
            self.beyond.push_back(entry);
        } else {
            self.enter(entry, now);
        }
    }

    /// Gets ready to be asked what it remembers, which takes a while where that is much.
    pub(super) fn recall(&mut self) {
        self.originals.find_all();
        self.attempts.find_all();
    }

    /// Remembers that a message was sent.
    pub(super) fn remember_original(&mut self, key: u128, original: Original, now: Moment) {
        self.originals.put(key, original, now, limits::DEDUPLICATION);
    }

    /// Remembers what a receive attempt was answered.
    pub(super) fn remember_attempt(&mut self, key: u128, attempt: Attempt, now: Moment) {
        self.attempts.put(key, attempt, now, limits::DEDUPLICATION);
    }

    /// Hands a message out until `deadline`, for the `receives`th time. `None`: there is no such message, or it came here later.
    pub(super) fn lease(
        &mut self,
        group: u64,
        seq: u64,
        receives: u32,
        deadline: Moment,
        now: Moment,
    ) -> Option<&Held> {
        let mut held = match self.unhold(seq) {
            Some(held) => held,
            None => Held::new(self.take(group, seq, now)?, now, State::Ready { since: now }),
        };
        if held.brought > receives {
            return None;
        }
        held.repeated = held.entry.receives == receives;
        held.entry.receives = receives;
        held.first_received.get_or_insert(now);
        held.leased = now;
        held.changed = false;
        held.state = State::InFlight { deadline };
        self.hold(held);
        self.held.get(&seq)
    }

    /// Moves the end of a lease, or ends it, or begins it again on a message that came back.
    pub(super) fn set_deadline(&mut self, seq: u64, deadline: Moment, now: Moment) -> Option<()> {
        let mut held = self.unhold(seq)?;
        held.changed = true;
        held.state = if deadline > now { State::InFlight { deadline } } else { State::Ready { since: now } };
        self.hold(held);
        Some(())
    }

    /// Takes a receive back that never reached its caller: the message is where it was, as if never handed out.
    pub(super) fn undo_lease(&mut self, seq: u64) -> Option<()> {
        let mut held = self.unhold(seq).filter(|held| held.entry.receives > held.brought)?;
        // The next receiver gets a lease of the same number: an attempt repeated later must not take that for its own.
        let undone = (seq, held.entry.receives);
        self.attempts.change(held.leased, limits::DEDUPLICATION, |attempt| {
            attempt
                .iter_mut()
                .filter(|answered| **answered == undone)
                .for_each(|answered| answered.1 = UNDONE);
        });
        held.entry.receives -= 1;
        if held.entry.receives == 0 {
            held.first_received = None;
        }
        held.state = State::Ready { since: held.entry.sent };
        self.hold(held);
        Some(())
    }

    /// A message leaves for good.
    pub(super) fn remove(&mut self, group: u64, seq: u64, now: Moment) -> Option<Entry> {
        let entry = match self.unhold(seq) {
            Some(held) => held.entry,
            None => self.take(group, seq, now)?,
        };
        self.leave_chunk(&entry);
        Some(entry)
    }

    /// A message leaves, and may come back.
    pub(super) fn depart(&mut self, group: u64, seq: u64, now: Moment) -> Option<Held> {
        if let Some(held) = self.unhold(seq) {
            return Some(held);
        }
        let entry = self.take(group, seq, now)?;
        let since = entry.sent;
        Some(Held::new(entry, now, State::Ready { since }))
    }

    /// A message that departed is where it was. `None`: it never left.
    pub(super) fn take_back(&mut self, held: Held) -> Option<()> {
        if self.held.contains_key(&held.entry.seq) {
            return None;
        }
        self.hold(held);
        Some(())
    }

    /// A FIFO queue hands out nothing of a group until [`Self::go_on`]. Says whether it can be so: only for so many. Does not last.
    pub(super) fn stop(&mut self, group: u64) -> bool {
        self.lanes.stop(group)
    }

    /// All groups go on that were stopped.
    pub(super) fn go_on(&mut self) {
        self.lanes.go_on();
    }

    /// Messages up to `last_seq` that are beyond the window join it.
    pub(super) fn admit(&mut self, last_seq: u64, now: Moment) {
        while let Some(entry) = self.beyond.pop_front_if(|entry| entry.seq <= last_seq) {
            self.enter(entry, now);
        }
    }

    /// Up to which number messages beyond the window should be admitted to it now, if any should. Admission is a fact of its own: what
    /// the window has room for depends on when somebody looks.
    pub(super) fn admissible(&self, now: Moment) -> Option<u64> {
        if self.beyond.is_empty() || !self.cold.frames.is_empty() || !self.runs_low() {
            return None;
        }
        let room = self.window.saturating_sub(self.occupied()) as usize;
        let count = room.min(self.frame_messages).min(self.due(now));
        self.beyond.get(count.checked_sub(1)?).map(|entry| entry.seq)
    }

    /// A message's payload was written again, to a cold file.
    pub(super) fn relocate(&mut self, group: u64, seq: u64, payload: Locator) -> Option<()> {
        let before = self.find(group, seq)?.clone();
        self.leave_chunk(&before);
        self.find(group, seq)?.payload = payload;
        self.chunk_changes.extend(payload.in_chunk().map(|(chunk, _)| (chunk, 1)));
        Some(())
    }

    /// A message, wherever it stands.
    pub(super) fn find(&mut self, group: u64, seq: u64) -> Option<&mut Entry> {
        if let Some(held) = self.held.get_mut(&seq) {
            return Some(&mut held.entry);
        }
        match self.beyond.find_mut(seq) {
            Some(entry) => Some(entry),
            None => self.lanes.find(group, seq),
        }
    }

    /// Everything leaves for good, and what was remembered is forgotten.
    pub(super) fn purge(&mut self, now: Moment) {
        let kept = self.entries().filter_map(|entry| entry.payload.in_chunk()).map(|(chunk, _)| (chunk, -1));
        let frames = self.cold.frames.iter().map(|frame| (frame.chunk, -(frame.count as i64)));
        let left: Vec<_> = kept.chain(frames).collect();
        self.chunk_changes.extend(left);
        self.cold = Cold::default();
        self.lanes = Lanes::new(self.fifo());
        self.held = HashMap::default();
        self.timers = BTreeSet::new();
        self.expiry = BTreeSet::new();
        self.beyond = Line::default();
        self.originals = Memory::default();
        self.attempts = Memory::default();
        (self.ready, self.weary, self.in_flight, self.delayed) = (0, 0, 0, 0);
        self.purged = Some(now);
    }

    /// The number for [`Entry::source`] that stands for `arn`.
    pub(super) fn number_source(&mut self, arn: &Text) -> u32 {
        let known = self.sources.iter().position(|source| source == arn);
        let index = known.unwrap_or_else(|| {
            self.sources.push(arn.clone());
            self.sources.len() - 1
        });
        index as u32 + 1
    }

    // Inside.

    /// How many of the messages beyond the window are not delayed: those in front, because the delay is the same for all.
    fn due(&self, now: Moment) -> usize {
        let delay = self.delay();
        if self.beyond.back().is_none_or(|last| last.sent + delay <= now) {
            return self.beyond.len();
        }
        self.beyond.partition_point(|entry| entry.sent + delay <= now)
    }

    /// For how long messages beyond the window are delayed. On a standard queue delay is each message's own matter.
    fn delay(&self) -> Millis {
        if self.fifo() { self.settings.delay } else { Millis(0) }
    }

    /// How much of the window is taken. On a FIFO queue AWS counts what is in flight as well. On a standard queue messages that
    /// come back again and again do not keep others out, until there are very many of them.
    fn occupied(&self) -> u64 {
        if self.fifo() {
            self.ready + self.in_flight
        } else {
            self.ready - self.weary.min(limits::IN_FLIGHT as u64)
        }
    }

    /// Whether the window needs filling. A FIFO queue's is AWS's, and kept full; a standard queue's is ours, and need only not run
    /// out.
    fn runs_low(&self) -> bool {
        let low = if self.fifo() { self.window } else { self.window.div_ceil(2) };
        self.occupied() < low
    }

    /// Whether a message may join the window without overtaking.
    fn has_room(&self) -> bool {
        self.occupied() < self.window && self.cold.frames.is_empty() && self.beyond.is_empty()
    }

    /// Takes the first fresh message of a lane, which is `seq`.
    fn take(&mut self, group: u64, seq: u64, now: Moment) -> Option<Entry> {
        if self.lanes.front(group).is_none_or(|front| front.seq != seq) && self.beyond.find_mut(seq).is_some()
        {
            // The first release admitted messages without noting it.
            self.admit(seq, now);
        }
        let entry = self.lanes.pop(group, seq)?;
        self.ready -= 1;
        Some(entry)
    }

    /// A message joins the window: its lane if it comes in order, else it is held.
    fn enter(&mut self, entry: Entry, now: Moment) {
        if entry.sent + self.settings.retention <= now {
            // It expired behind a younger one.
            self.leave_chunk(&entry);
            self.totals.expired += 1;
        } else if self.lanes.accepts(&entry) {
            self.lanes.push(entry);
            self.ready += 1;
        } else {
            self.hold(Held::new(entry, now, State::Ready { since: now }));
        }
    }

    /// A message leaves the cold file that it may lie in.
    fn leave_chunk(&mut self, entry: &Entry) {
        if let Some((chunk, _)) = entry.payload.in_chunk() {
            self.chunk_changes.push((chunk, -1));
        }
    }

    /// A held message comes out of delay or flight.
    fn release(&mut self, seq: u64, at: Moment) {
        if let Some(held) = self.unhold(seq) {
            self.hold(Held { state: State::Ready { since: at }, ..held });
        }
    }

    /// What a held message that has been ready since `since` ranks by. On a standard queue one that came back takes its old
    /// place, so that it does not wait behind younger ones; only after several receives it goes to the back. On a FIFO queue it
    /// keeps its place in its lane anyhow, and the lane waits its turn: behind what was sent in the same millisecond.
    fn rank(&self, entry: &Entry, since: Moment) -> Moment {
        match entry.receives {
            0 => since,
            _ if self.fifo() => since + Millis(1),
            _ if self.is_weary(entry) => since,
            _ => entry.sent,
        }
    }

    /// Whether a message that came back goes behind all others.
    fn is_weary(&self, entry: &Entry) -> bool {
        !self.fifo() && entry.receives >= limits::RECEIVES_IN_PLACE
    }

    /// Puts a message where its state says.
    fn hold(&mut self, held: Held) {
        let (group, seq) = (held.entry.group, held.entry.seq);
        match held.state {
            State::Delayed { due } => {
                self.delayed += 1;
                self.timers.insert((due, seq));
            }
            State::InFlight { deadline } => {
                self.in_flight += 1;
                self.timers.insert((deadline, seq));
                self.lanes.depart(group, seq);
            }
            State::Ready { since } => {
                self.ready += 1;
                self.weary += u64::from(self.is_weary(&held.entry));
                self.lanes.give_back(group, seq, self.rank(&held.entry, since));
            }
        }
        self.expiry.insert((held.entry.sent, seq));
        self.held.insert(seq, held);
    }

    /// Takes a held message out of everything that knows it.
    fn unhold(&mut self, seq: u64) -> Option<Held> {
        let held = self.held.remove(&seq)?;
        let group = held.entry.group;
        match held.state {
            State::Delayed { due } => {
                self.delayed -= 1;
                self.timers.remove(&(due, seq));
            }
            State::InFlight { deadline } => {
                self.in_flight -= 1;
                self.timers.remove(&(deadline, seq));
                self.lanes.arrive(group, seq);
            }
            State::Ready { since } => {
                self.ready -= 1;
                self.weary -= u64::from(self.is_weary(&held.entry));
                self.lanes.withdraw(group, seq, self.rank(&held.entry, since));
            }
        }
        self.expiry.remove(&(held.entry.sent, seq));
        Some(held)
    }
}
