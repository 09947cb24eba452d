//! All queues of a shard: what is asked of them is decided here, and facts are folded in.
//!
//! Every change goes through [`Sqs::record`], which notes a fact in the open batch and applies it; replay applies the same
//! facts from the journal. Nothing else changes what lasts. Who waits for a message is not lasting: it lives in
//! [`waiters`] and is gone after a restart, as its connection is.

mod access;
mod audit;
mod cold;
mod directory;
mod messages;
mod moves;
mod outbox;
mod persist;
mod receive;
mod waiters;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::hash::Hasher;

use hashbrown::HashMap;
use kew_wire::fault::Fault;
use siphasher::sip128::{Hasher128, SipHasher24};

use self::access::Wish;
pub(super) use self::access::compiled;
pub use self::moves::move_source;
use self::moves::{STEP, Task};
use self::outbox::{Arrivals, OUTBOX, Outbox};
use self::waiters::Waiters;
use super::command::{Action, Command, Locator, Page, QueueAction, QueueKey, Reply, View};
use super::event::{Event, Facts, Place, Sent, Windows};
use super::queue::{Entry, Frame, Original, Queue, UNGROUPED};
use super::stats::QueueStats;
use super::{faults, limits};
use crate::codec::Malformed;
use crate::identity_hash::IdentityHash;
use crate::seed::Seed;
use crate::shard::{Config, Token};
use crate::time::Moment;
use crate::transfer::Known;

/// What a decision may use besides the state.
pub(crate) struct Context<'a> {
    pub(crate) now: Moment,
    pub(crate) seed: Seed,
    pub(crate) facts: &'a mut Facts,
    /// What other shards said that the command must know.
    pub(crate) known: Known,
    /// Where answers go.
    pub(crate) replies: &'a mut Vec<(Token, Result<Reply, Fault>)>,
}

/// The queue service's part of a shard.
#[derive(Debug)]
pub(crate) struct Sqs {
    config: Config,
    /// How many messages queues keep ready.
    windows: Windows,
    /// The journal says so too; that of the first release does not.
    knows_windows: bool,
    /// Seals receipt handles and hashes what callers choose; drawn once.
    secret: Option<u128>,
    next_queue: u64,
    next_seq: u64,
    names: BTreeMap<QueueKey, u64>,
    queues: HashMap<u64, Queue, IdentityHash>,
    /// When queues were deleted whose names must still wait.
    deleted: BTreeMap<QueueKey, Moment>,
    /// Move tasks by the queue they take from, oldest first.
    tasks: BTreeMap<u64, Vec<Task>>,
    waiters: Waiters,
    /// When to look at which queue by itself.
    wakes: BTreeSet<(Moment, u64)>,
    /// Queues that changed since the last [`Self::settle`].
    touched: Vec<u64>,
    /// The lowest number that no cold file ever had.
    next_chunk: u64,
    /// How many messages each cold file holds that are still there.
    chunks: BTreeMap<u64, i64>,
    /// Cold files whose number of messages changed since the last [`Self::judge_chunks`].
    doubtful: Vec<u64>,
    /// Cold files in which nothing is left.
    emptied: Vec<u64>,
    /// Frames that shall thaw, each with its queue.
    thaws: VecDeque<(u64, Frame)>,
    /// Receive attempts that were answered since then.
    attempted: Vec<(u64, u128)>,
    /// Messages on their way to other shards.
    outbox: Outbox,
    /// What came from other shards.
    arrivals: BTreeMap<u32, Arrivals>,
    /// The queues of other shards, as far as they have told. Does not last.
    elsewhere: BTreeMap<QueueKey, u32>,
    /// Queues that came or went here, to be told to other shards.
    news: Vec<(QueueKey, bool)>,
}

/// Where a queue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Here(u64),
    There(u32),
}

impl Sqs {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
            windows: Windows::FIRST,
            knows_windows: false,
            secret: None,
            // So that receipt handles name one queue in all shards.
            next_queue: (u64::from(config.shard) << 32) + 1,
            next_seq: 1,
            names: BTreeMap::new(),
            queues: HashMap::default(),
            deleted: BTreeMap::new(),
            tasks: BTreeMap::new(),
            waiters: Waiters::default(),
            wakes: BTreeSet::new(),
            touched: Vec::new(),
            next_chunk: 1,
            chunks: BTreeMap::new(),
            doubtful: Vec::new(),
            emptied: Vec::new(),
            thaws: VecDeque::new(),
            attempted: Vec::new(),
            outbox: Outbox::default(),
            arrivals: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
            news: Vec::new(),
        }
    }

    /// What seals receipt handles and hashes what callers choose, once it is drawn.
    pub(crate) fn secret(&self) -> Option<u128> {
        self.secret
    }

    /// Takes another shard's secret, if it has none: what goes from shard to shard keeps its group.
    pub(crate) fn found(&mut self, context: &mut Context<'_>, secret: u128) {
        if self.secret.is_none() {
            self.record(context, Event::Founded { secret });
        }
    }

    /// All queues.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &QueueKey> {
        self.names.keys()
    }

    /// How a queue's messages are encrypted.
    pub(crate) fn encryption(&self, key: &QueueKey) -> Option<super::settings::Encryption> {
        let queue = self.queues.get(self.names.get(key)?)?;
        Some(queue.settings.encryption())
    }

    /// Queues that came or went, since last asked.
    pub(crate) fn take_news(&mut self) -> Vec<(QueueKey, bool)> {
        core::mem::take(&mut self.news)
    }

    /// How many messages are on their way to other shards.
    pub(crate) fn leaving(&self) -> usize {
        self.outbox.len()
    }

    /// Decides a command. Its answer, and those of waiting receives that it woke, join `context.replies`.
    pub(crate) fn submit(&mut self, context: &mut Context<'_>, token: Token, command: Command) {
        if self.secret.is_none() {
            let secret = context.seed.next_u128();
            self.record(context, Event::Founded { secret });
        }
        let windows = Windows { standard: self.config.window as u64, fifo: self.config.fifo_window as u64 };
        if !self.knows_windows || self.windows != windows {
            self.record(context, Event::Windowed(windows));
        }
        if let Some(answer) = self.decide(context, token, command) {
            context.replies.push((token, answer));
        }
        self.settle(context);
    }

    /// The caller of a waiting receive has gone.
    pub(crate) fn cancel(&mut self, token: Token) {
        if let Some(queue) = self.waiters.remove(token) {
            self.touched.push(queue);
        }
    }

    /// Answers every waiting receive with nothing, as if its time were up.
    pub(crate) fn release_waiters(&mut self, context: &mut Context<'_>) {
        for (queue, token) in self.waiters.drain() {
            self.count_empty(queue);
            context.replies.push((token, Ok(Reply::Received(Vec::new()))));
        }
    }

    /// Lets time pass: wakes waiters, expires messages, goes on with move tasks.
    pub(crate) fn tick(&mut self, context: &mut Context<'_>) {
        while let Some((_, id)) = self.wakes.first().copied().filter(|(at, _)| *at <= context.now) {
            self.wakes.pop_first();
            if let Some(queue) = self.queues.get_mut(&id) {
                queue.wake = Moment::NEVER;
                queue.advance(context.now);
            }
            self.touched.push(id);
            if self.outbox.looks_again(id, context.now) {
                self.look_again(id);
            }
            if context.facts.len() < limits::OPEN_FACTS {
                self.step_move(context, id);
            } else {
                // The disk cannot keep up: what nobody waits for waits.
                self.put_off(id, context.now + STEP);
            }
        }
        self.settle(context);
    }

    /// The next moment at which [`Self::tick`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// Figures of every queue, sorted by key.
    pub(crate) fn stats(&mut self, context: &mut Context<'_>) -> Vec<QueueStats> {
        let ids: Vec<u64> = self.names.values().copied().collect();
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(queue) = self.queues.get_mut(&id) {
                queue.advance(context.now);
                rows.push(queue.stats(context.now));
            }
            self.touched.push(id);
        }
        self.settle(context);
        rows
    }

    /// How many receives wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiters.len()
    }

    /// Forgets every queue.
    pub(crate) fn reset(&mut self, context: &mut Context<'_>) {
        self.release_waiters(context);
        self.news.extend(self.names.keys().map(|key| (key.clone(), false)));
        self.record(context, Event::Reset);
    }

    /// The lowest journal position that a message's payload still needs. Looks at every message.
    pub(crate) fn lowest_payload(&self) -> Option<u64> {
        let entries = self.queues.values().flat_map(Queue::entries).chain(self.outbox.entries());
        entries
            .map(|entry| entry.payload)
            .filter(|payload| payload.in_chunk().is_none())
            .map(|it| it.position)
            .min()
    }

    /// Folds a fact in. Fails only on facts that this code did not write.
    pub(crate) fn apply(&mut self, now: Moment, event: Event) -> Result<(), Malformed> {
        match event {
            Event::Founded { secret } => self.secret = Some(secret),
            Event::Windowed(windows) => {
                (self.windows, self.knows_windows) = (windows, true);
                self.queues.values_mut().for_each(|queue| queue.set_window(windows));
            }
            Event::Created { queue, key, changes, tags } => {
                self.apply_created(now, queue, key, &changes, tags)?;
            }
            Event::Removed { queue } => self.apply_removed(now, queue)?,
            Event::Changed { queue, changes } => {
                let queue = self.at(queue, now)?;
                queue.change(&changes);
                queue.modified = now;
            }
            Event::Tagged { queue, tags } => self.at(queue, now)?.tags.extend(tags),
            Event::Untagged { queue, keys } => {
                let queue = self.at(queue, now)?;
                queue.tags.retain(|key, _| !keys.contains(key));
            }
            Event::Sent(sent) => self.apply_sent(now, &sent)?,
            Event::Leased { queue, deadline, leases } => {
                let queue = self.at(queue, now)?;
                for lease in &leases {
                    queue.lease(lease.group, lease.seq, lease.receives, deadline, now).ok_or(Malformed)?;
                }
            }
            Event::Attempted { queue, key, answered } => {
                self.at(queue, now)?.remember_attempt(key, answered, now)
            }
            Event::Deleted { queue, seqs } => {
                let queue = self.at(queue, now)?;
                for seq in seqs {
                    queue.remove(UNGROUPED, seq, now).ok_or(Malformed)?;
                }
            }
            Event::DeadlineSet { queue, seq, deadline } => {
                self.at(queue, now)?.set_deadline(seq, deadline, now).ok_or(Malformed)?;
            }
            Event::LeaseUndone { queue, seq } => self.at(queue, now)?.undo_lease(seq).ok_or(Malformed)?,
            Event::Moved(moved) => self.apply_moved(now, &moved)?,
            Event::Carried(carried) => {
                let queue = self.at(carried.queue, now)?;
                queue.relocate(carried.group, carried.seq, carried.payload).ok_or(Malformed)?;
            }
            Event::Cooled { queue, chunk, offset, length, last_seq } => {
                self.next_chunk = self.next_chunk.max(chunk + 1);
                self.at(queue, now)?.cool(chunk, offset, length, last_seq);
            }
            Event::Admitted { queue, last_seq } => self.at(queue, now)?.admit(last_seq, now),
            Event::Kept { queue, chunk, places } => {
                self.next_chunk = self.next_chunk.max(chunk + 1);
                for Place { group, seq, offset, length } in places {
                    let payload = Locator::cold(chunk, offset, length);
                    let moved = match queue {
                        OUTBOX => self.outbox.relocate(seq, payload),
                        queue => self.at(queue, now)?.relocate(group, seq, payload),
                    };
                    moved.ok_or(Malformed)?;
                }
            }
            Event::Thawed { queue, entries } => self.at(queue, now)?.thaw(entries, now).ok_or(Malformed)?,
            Event::Purged { queue } => {
                self.at(queue, now)?.purge(now);
                self.outbox.cut_off(queue);
            }
            Event::Departed(departed) => self.apply_departed(now, departed)?,
            Event::Arrived(arrived) => self.apply_arrived(now, arrived)?,
            Event::HandedOver { shard, numbers } => self.apply_handed_over(now, shard, &numbers),
            Event::Returned { shard, number } => self.apply_returned(now, shard, number)?,
            Event::MoveStarted(started) => self.apply_move_started(now, started),
            Event::MoveEnded { queue, task, status, failure } => {
                self.apply_move_ended(queue, task, status, failure).ok_or(Malformed)?;
            }
            Event::Reset => {
                let (config, secret) = (self.config.clone(), self.secret);
                let (windows, knows_windows) = (self.windows, self.knows_windows);
                let (next_queue, next_seq, next_chunk) = (self.next_queue, self.next_seq, self.next_chunk);
                let emptied =
                    core::mem::take(&mut self.chunks).into_keys().chain(self.emptied.drain(..)).collect();
                let (outbox, arrivals) = (self.outbox.emptied(), core::mem::take(&mut self.arrivals));
                let (elsewhere, news) =
                    (core::mem::take(&mut self.elsewhere), core::mem::take(&mut self.news));
                *self = Self {
                    windows,
                    knows_windows,
                    secret,
                    next_queue,
                    next_seq,
                    next_chunk,
                    emptied,
                    outbox,
                    arrivals,
                    elsewhere,
                    news,
                    ..Self::new(&config)
                };
            }
        }
        Ok(())
    }

    fn apply_sent(&mut self, now: Moment, sent: &Sent) -> Result<(), Malformed> {
        self.number(sent.seq)?;
        let queue = self.at(sent.queue, now)?;
        let Sent { seq, id, group, payload, .. } = *sent;
        if let Some(key) = sent.dedup {
            queue.remember_original(key, Original { seq, id }, now);
        }
        let entry = Entry { seq, id, sent: now, payload, group, source: 0, receives: 0 };
        queue.insert(entry, sent.due, now);
        Ok(())
    }

    /// The number of the next message. It follows the clock: where a shard goes back in time (put back from a backup, repaired, the
    /// end of its journal lost), no number is given again, and so no old receipt handle means a new message.
    fn next_number(&self, now: Moment) -> u64 {
        self.next_seq.max(now.min(limits::NUMBERED_UNTIL).0 << limits::NUMBER_BITS)
    }

    /// A new message has this number: they rise.
    fn number(&mut self, seq: u64) -> Result<(), Malformed> {
        if seq < self.next_seq {
            return Err(Malformed);
        }
        self.next_seq = seq + 1;
        Ok(())
    }

    /// Notes a fact and folds it in.
    fn record(&mut self, context: &mut Context<'_>, event: Event) {
        context.facts.put(context.now, &event);
        let applied = self.apply(context.now, event);
        debug_assert!(applied.is_ok(), "a fact just decided must apply");
    }

    /// A queue that a fact names, with time passed until then.
    fn at(&mut self, queue: u64, now: Moment) -> Result<&mut Queue, Malformed> {
        self.touched.push(queue);
        let queue = self.queues.get_mut(&queue).ok_or(Malformed)?;
        queue.advance(now);
        Ok(queue)
    }

    fn decide(
        &mut self,
        context: &mut Context<'_>,
        token: Token,
        command: Command,
    ) -> Option<Result<Reply, Fault>> {
        let Command { caller, action } = command;
        let (key, name, action) = match action {
            Action::Create { key, changes, tags } => {
                return Some(self.create(context, &caller, key, changes, tags));
            }
            Action::List { prefix, page } => {
                let admitted = self.admit_list(&Wish::new(&caller, "ListQueues", context.now));
                return Some(admitted.map(|()| self.list(&caller, &prefix, &page)));
            }
            Action::CancelMove { handle } => return Some(self.cancel_move(context, &caller, &handle)),
            Action::Queue { key, name, action } => (key, name, action),
        };
        let wish = Wish::new(&caller, name, context.now).about(&action);
        let id = match self.find(&wish, &key) {
            Ok(id) => id,
            Err(fault) => return Some(Err(fault)),
        };
        let queue = self.queues.get_mut(&id)?;
        queue.advance(context.now);
        Some(match action {
            QueueAction::Send { messages, batch } => self.send(context, id, messages, batch),
            QueueAction::Receive(receive) => match self.receive(context, id, &receive) {
                Ok(deliveries) if deliveries.is_empty() => return self.wait(context, id, token, receive),
                outcome => outcome.map(Reply::Received),
            },
            QueueAction::Delete { handles } => Ok(self.delete(context, id, &handles)),
            QueueAction::ChangeVisibility { changes } => Ok(self.change_visibility(context, id, &changes)),
            QueueAction::Purge => self.purge(context, id),
            QueueAction::Remove => self.remove(context, id),
            QueueAction::Find => Ok(Reply::Done),
            QueueAction::View => Ok(self.view(id, context.now)),
            QueueAction::Change { changes } => self.change(context, id, changes),
            QueueAction::Tag { tags } => self.tag(context, id, tags),
            QueueAction::Untag { keys } => Ok(self.untag(context, id, keys)),
            QueueAction::Tags => {
                Ok(Reply::Tags(queue.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect()))
            }
            QueueAction::Permit { label, accounts, actions } => {
                self.permit(context, id, &label, &accounts, &actions)
            }
            QueueAction::Forbid { label } => self.forbid(context, id, &label),
            QueueAction::Sources { page } => Ok(self.sources(&key, &page)),
            QueueAction::StartMove { destination, per_second } => {
                self.start_move(context, &caller, id, destination, per_second)
            }
            QueueAction::ListMoves { max } => self.list_moves(id, max),
            QueueAction::Peek { max } => Ok(self.peek(id, max)),
        })
    }

    /// The queue that is meant, if it exists and the caller may.
    fn find(&self, wish: &Wish<'_>, key: &QueueKey) -> Result<u64, Fault> {
        if let "StartMessageMoveTask" | "ListMessageMoveTasks" = wish.action {
            self.admit_move(wish, key)?;
            return self.names.get(key).copied().ok_or_else(faults::move_source_missing);
        }
        self.admit(wish, key)?;
        self.names.get(key).copied().ok_or_else(faults::queue_does_not_exist)
    }

    fn view(&self, id: u64, now: Moment) -> Reply {
        let Some(queue) = self.queues.get(&id) else { return Reply::Done };
        Reply::View(alloc::boxed::Box::new(View {
            key: queue.key.clone(),
            settings: queue.settings.clone(),
            created: queue.created,
            modified: queue.modified,
            visible: queue.visible(now),
            in_flight: queue.in_flight(),
            delayed: queue.delayed(now),
        }))
    }

    /// After every command: serves waiters of queues that changed, and plans when to look at those queues again.
    fn settle(&mut self, context: &mut Context<'_>) {
        while let Some(id) = self.touched.pop() {
            self.refill(context, id);
            self.serve_waiters(context, id);
            while let Some((queue, attempt)) = self.attempted.pop() {
                self.repeat_to_waiters(context, queue, attempt);
                // Repeated for no time at all, messages are there for the next.
                self.serve_waiters(context, id);
            }
            self.release_expired(context, id);
            self.schedule(id, context.now);
            self.count_chunks(id);
        }
        let changes = core::mem::take(&mut self.outbox.chunk_changes);
        self.change_chunks(changes);
        self.judge_chunks();
    }

    /// Where a queue is, if it exists.
    fn locate(&self, key: &QueueKey) -> Option<Target> {
        let here = self.names.get(key).copied().map(Target::Here);
        here.or_else(|| self.elsewhere.get(key).copied().map(Target::There))
    }

    /// Fills a queue's window if it runs low: from what is beyond it, or from cold files, which takes a while. Says whether
    /// something came at once.
    pub(super) fn refill(&mut self, context: &mut Context<'_>, id: u64) -> bool {
        self.plan_thaw(id, context.now);
        let Some(last_seq) = self.queues.get(&id).and_then(|queue| queue.admissible(context.now)) else {
            return false;
        };
        self.record(context, Event::Admitted { queue: id, last_seq });
        true
    }

    fn schedule(&mut self, id: u64, now: Moment) {
        let waiting = self.waiters.next_deadline(id);
        let step = self.next_step(id);
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let mut wake = queue.next_deadline(now);
        if waiting.is_none() && wake != Moment::NEVER {
            // Nobody waits for it, so it need not be on the dot: many deadlines share one look a second.
            wake = Moment(wake.0.next_multiple_of(1000));
        }
        if core::mem::take(&mut queue.hurried) {
            wake = now;
        }
        // Whoever waits for what is on its way from disk is answered when it comes, not before.
        let until = waiting.filter(|_| !queue.thaws()).unwrap_or(Moment::NEVER);
        let wake = wake.min(until).min(step).min(self.outbox.next_look(id));
        if wake != queue.wake {
            self.wakes.remove(&(queue.wake, id));
            queue.wake = wake;
            if wake != Moment::NEVER {
                self.wakes.insert((wake, id));
            }
        }
    }

    /// A key for what callers choose (groups, deduplication ids), which they cannot make collide.
    fn hash(&self, parts: &[&[u8]]) -> u128 {
        let mut hasher = SipHasher24::new_with_key(&self.secret.unwrap_or_default().to_le_bytes());
        for part in parts {
            hasher.write(&(part.len() as u64).to_le_bytes());
            hasher.write(part);
        }
        hasher.finish128().as_u128()
    }

    /// The group that a message belongs to.
    fn group(&self, name: Option<&str>) -> u64 {
        // Zero would mean none.
        name.map_or(UNGROUPED, |name| (self.hash(&[name.as_bytes()]) as u64).max(1))
    }

    fn page(keys: impl Iterator<Item = QueueKey>, page: &Page) -> Reply {
        let after = |key: &QueueKey| page.after.as_ref().is_none_or(|after| key.name > *after);
        let mut keys: Vec<QueueKey> = keys.filter(after).take(page.max + 1).collect();
        let more = keys.len() > page.max;
        keys.truncate(page.max);
        Reply::Names { keys, more }
    }

    fn deleted_recently(&self, key: &QueueKey, now: Moment) -> bool {
        self.config.waits && self.deleted.get(key).is_some_and(|at| now - *at < limits::RECREATE_WAIT)
    }
}
