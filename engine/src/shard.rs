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
//! 5. [`Shard::poll_thaw`], [`Shard::poll_drop`]: cold files to read, and to delete.
//! 6. [`Shard::poll_transfer`], [`Shard::poll_news`]: what other shards must be told.
//! 7. [`Shard::next_deadline`]: when to call [`Shard::tick`] at the latest.
//!
//! If an append fails, the shell drops the shard and builds a new one from the journal: nothing that was not durable
//! was ever answered.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;
use kew_wire::fault::Fault;

use crate::audit::{Departed, Holding};
use crate::codec::{Malformed, Put, Take};
use crate::cold::{Bundle, Standing, Stored, Thaw, Use};
use crate::seed::Seed;
use crate::services::sqs;
use crate::services::sqs::command::Locator;
use crate::services::sqs::event::{Facts, Record, Records};
use crate::services::sqs::limits;
use crate::services::sqs::state::{Context, Sqs};
use crate::time::Moment;
use crate::transfer::{Arrive, Known, Question, Settle, Transfer};

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
    /// Figures of every queue, for metrics. Answers [`Reply::Stats`].
    Stats,
    /// Answer every receive that waits with nothing: who may what has changed. Answers [`Reply::Done`].
    Release,
    /// Forget everything: queues, messages, recent deletions (a test helper). Answers [`Reply::Done`].
    Reset,
    /// A request to the queue service, with what other shards said that it must know.
    Informed(sqs::Command, Known),
    /// What another shard's request must know.
    Ask(Question),
    /// Messages come from another shard. Answers [`Reply::Arrived`].
    Arrive(Arrive),
    /// Another shard has answered an offer. Answers [`Reply::Done`].
    Settle(Settle),
    /// Messages were copied to cold files, durably; see [`crate::cold`]. Answers [`Reply::Done`].
    Stored(Vec<Stored>),
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
    /// What another shard's request must know.
    Known(Known),
    /// Of each message whether it is here; if not, its queue is not.
    Arrived(Vec<bool>),
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
    /// Its number among several.
    pub shard: u32,
    /// Bytes that the journal puts in front of each batch's own: a batch of `n` bytes whose first lies at `start` is
    /// followed by one whose first lies at `start + n + overhead`.
    pub overhead: u64,
    /// Whether PurgeQueue and CreateQueue refuse for 60 s after a purge or a deletion, as AWS does.
    pub waits: bool,
    /// How many messages of a standard queue are kept ready to be received.
    pub window: usize,
    /// How many messages of a FIFO queue are searched for free groups.
    pub fifo_window: usize,
    /// How many messages of a standard queue may be delayed at once; more are throttled.
    pub delayed: usize,
    /// How many sent messages a FIFO queue remembers at once; more are throttled.
    pub remembered: usize,
    /// How many receive attempts a FIFO queue remembers at once; more are throttled.
    pub attempts: usize,
    /// How many messages go to a cold file, or come from one, at once.
    pub frame_messages: usize,
    /// Payload bytes beyond which such a frame takes no more messages.
    pub frame_bytes: usize,
}

impl Config {
    /// AWS's rules, and a journal that puts `overhead` bytes in front of each batch.
    pub fn new(overhead: u64) -> Self {
        Self {
            shard: 0,
            overhead,
            waits: true,
            window: limits::WINDOW,
            fifo_window: limits::FIFO_WINDOW,
            delayed: limits::DELAYED,
            remembered: limits::REMEMBERED,
            attempts: limits::ATTEMPTS,
            frame_messages: limits::FRAME_MESSAGES,
            frame_bytes: limits::FRAME_BYTES,
        }
    }
}

/// Layout of [`Shard::snapshot`]; a changed layout takes the next number, and this one stays readable.
const SNAPSHOT: u8 = 4;

/// One shard.
#[derive(Debug)]
pub struct Shard {
    config: Config,
    sqs: Sqs,
    now: Moment,
    /// The open batch.
    facts: Facts,
    /// The end of the last batch that was handed out to be appended.
    appended: u64,
    /// Everything before it is on disk.
    durable: u64,
    /// Answers, each with the position up to which facts must be on disk before it may leave. In order of both.
    replies: VecDeque<(u64, Token, Reply)>,
    /// Cold files to be deleted, each with the position up to which facts must be on disk before. In order of positions.
    drops: VecDeque<(u64, u64)>,
    /// Queues that came or went, each with the position up to which facts must be on disk before. In order of positions.
    news: VecDeque<(u64, sqs::QueueKey, bool)>,
    /// Where the queue service puts its answers; empty between calls.
    answers: Vec<(Token, Result<sqs::Reply, Fault>)>,
}

impl Shard {
    /// A shard without a past. `start` is the position of the journal's first batch.
    pub fn new(config: Config, start: u64) -> Self {
        let sqs = Sqs::new(&config);
        Self::with(config, start, sqs, Moment::default())
    }

    /// The shard that [`Self::snapshot`] wrote down. `start` is the position of the first batch after the snapshot.
    pub fn restore(config: Config, start: u64, snapshot: Bytes) -> Result<Self, Malformed> {
        let mut take = Take::new(snapshot);
        let layout = take.u8()?;
        if !(1..=SNAPSHOT).contains(&layout) {
            return Err(Malformed);
        }
        let now = take.now()?;
        let sqs = Sqs::decode(&mut take, layout, &config)?;
        if !take.is_empty() {
            return Err(Malformed);
        }
        Ok(Self::with(config, start, sqs, now))
    }

    fn with(config: Config, start: u64, sqs: Sqs, now: Moment) -> Self {
        Self {
            config,
            sqs,
            now,
            facts: Facts::new(start),
            appended: start,
            durable: start,
            replies: VecDeque::new(),
            drops: VecDeque::new(),
            news: VecDeque::new(),
            answers: Vec::new(),
        }
    }

    // Getters.

    /// The latest moment that it knows of. Its clock must not be behind: what happened cannot happen again later.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Everything before it is on disk.
    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// When to call [`Self::tick`] at the latest.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.sqs.next_deadline()
    }

    /// Bytes in the open batch.
    pub fn open_bytes(&self) -> usize {
        self.facts.len()
    }

    /// How many receives wait for a message.
    pub fn waiting(&self) -> usize {
        self.sqs.waiting()
    }

    /// Everything that lasts, to start from later. It reflects all facts up to [`Self::position`], so it may be used only once
    /// these are durable. Takes time in proportion to the messages held.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u8(SNAPSHOT);
        out.put_u64(self.now.0);
        self.sqs.encode(&mut out);
        out
    }

    /// Where the open batch begins: everything before it was decided, and is in a snapshot taken while it is empty.
    pub fn position(&self) -> u64 {
        self.facts.start()
    }

    /// The journal is needed from here on even when a snapshot was taken at [`Self::position`]: payloads lie there.
    /// Takes time in proportion to the messages held.
    pub fn oldest_needed(&self) -> u64 {
        self.sqs.lowest_payload().unwrap_or(u64::MAX).min(self.position())
    }

    /// Of the messages that wait behind their queue's window those that should be stored next: as pieces of one file, about `max`
    /// bytes in all. Only messages with numbers below `end` ([`Self::next_seq`]): then storing one part after the other comes to an
    /// end, whatever arrives meanwhile. None are left when few are in memory and no payload of theirs lies in the journal before
    /// `position`. For replicas; see [`crate::cold`].
    pub fn backlog(&self, position: u64, end: u64, max: usize) -> Vec<Bundle> {
        self.sqs.backlog(position, end, max, self.now)
    }

    /// All other messages whose payloads lie in the journal before `position`, or in cold files that are `sparse`ly used. Takes
    /// time in proportion to the messages in memory. For replicas; see [`crate::cold`].
    pub fn survivors(&self, position: u64, sparse: &[u64]) -> Vec<Bundle> {
        self.sqs.survivors(position, sparse, self.now)
    }

    /// How much of each cold file is needed. Takes time in proportion to the messages in memory.
    pub fn uses(&self) -> BTreeMap<u64, Use> {
        self.sqs.uses()
    }

    /// What seals receipt handles; all shards of a server share it. `None`: not drawn yet.
    pub fn secret(&self) -> Option<u128> {
        self.sqs.secret()
    }

    /// All queues, in order.
    pub fn queues(&self) -> impl Iterator<Item = &sqs::QueueKey> {
        self.sqs.keys()
    }

    /// How a queue wants its messages encrypted; `None` if it is not here.
    pub fn encryption(&self, key: &sqs::QueueKey) -> Option<sqs::settings::Encryption> {
        self.sqs.encryption(key)
    }

    /// How many messages are on their way to other shards.
    pub fn leaving(&self) -> usize {
        self.sqs.leaving()
    }

    /// Every queue with its figures and where its messages lie, sorted by key. Takes time in proportion to the messages in memory.
    pub fn holdings(&self) -> Vec<Holding> {
        self.sqs.holdings(self.now)
    }

    /// Every message that is on its way to another shard.
    pub fn departed(&self) -> Vec<Departed> {
        self.sqs.departed()
    }

    /// Where the messages of each queue stand, sorted by key. Takes time in proportion to the messages behind windows.
    pub fn standings(&self) -> Vec<Standing> {
        self.sqs.standings()
    }

    // Commands.

    /// Takes the secret of the other shards, if it has none.
    pub fn found(&mut self, stamp: Stamp, secret: u128) {
        self.with_sqs(stamp, |sqs, context| sqs.found(context, secret));
    }

    /// A queue came to be in another shard, or went from there (`None`). Must be told again after a restart.
    pub fn tell_elsewhere(&mut self, key: sqs::QueueKey, shard: Option<u32>) {
        self.sqs.tell_elsewhere(key, shard);
    }

    /// Messages are lost whose payloads, or pieces of cold files, cannot be read any more. Of what follows only [`Self::snapshot`]
    /// means something: restore a shard from there.
    pub fn lose(&mut self, is_lost: &dyn Fn(Locator) -> bool, is_gone: &dyn Fn(&Thaw) -> bool) {
        self.sqs.lose(is_lost, is_gone);
    }

    /// Folds in a batch read back from the journal, in order, before anything is submitted.
    pub fn replay(&mut self, start: u64, batch: Bytes) -> Result<(), Malformed> {
        let end = start + batch.len() as u64;
        for record in Records::new(start, batch) {
            match record? {
                Record::Clock(at) => self.now = self.now.max(at),
                Record::Fact(event) => self.sqs.apply(self.now, event)?,
            }
        }
        self.sqs.rest();
        self.facts = Facts::new(end + self.config.overhead);
        (self.appended, self.durable) = (end, end);
        Ok(())
    }

    /// Lets time pass everywhere up to the last moment that a fact told of. For replicas, before they say what must be stored.
    pub fn catch_up(&mut self) {
        self.sqs.pass(self.now);
        // Nobody takes from a replica what it would let go.
        drop(self.sqs.take_emptied());
    }

    /// Replay is over; the journal will place the next batch's first byte at `start`.
    pub fn resume(&mut self, stamp: Stamp, start: u64) {
        self.facts = Facts::new(start);
        self.now = self.now.max(stamp.now);
        self.sqs.resume(self.now);
    }

    /// A request. Its answer comes from [`Self::poll_reply`] under its token, once.
    pub fn submit(&mut self, stamp: Stamp, token: Token, command: Command) {
        match command {
            Command::Sqs(command) => self.with_sqs(stamp, |sqs, context| sqs.submit(context, token, command)),
            Command::Informed(command, known) => self.with_sqs(stamp, |sqs, context| {
                context.known = known;
                sqs.submit(context, token, command);
            }),
            Command::Ask(question) => {
                let reply = match self.sqs.answer(&question, stamp.now) {
                    Ok(known) => Reply::Known(known),
                    Err(reply) => Reply::Sqs(Ok(reply)),
                };
                self.replies.push_back((self.gate(), token, reply));
            }
            Command::Arrive(arrive) => {
                let mut outcomes = Vec::new();
                self.with_sqs(stamp, |sqs, context| outcomes = sqs.arrive(context, arrive));
                self.replies.push_back((self.gate(), token, Reply::Arrived(outcomes)));
            }
            Command::Settle(settle) => {
                self.with_sqs(stamp, |sqs, context| sqs.settle_transfer(context, settle));
                self.replies.push_back((self.gate(), token, Reply::Done));
            }
            Command::Stats => {
                let mut rows = Vec::new();
                self.with_sqs(stamp, |sqs, context| rows = sqs.stats(context));
                self.replies.push_back((self.gate(), token, Reply::Stats(rows)));
            }
            Command::Release => {
                self.with_sqs(stamp, Sqs::release_waiters);
                self.replies.push_back((self.gate(), token, Reply::Done));
            }
            Command::Reset => {
                self.with_sqs(stamp, Sqs::reset);
                self.replies.push_back((self.gate(), token, Reply::Done));
            }
            Command::Stored(stored) => {
                self.with_sqs(stamp, |sqs, context| sqs.store(context, &stored));
                self.replies.push_back((self.gate(), token, Reply::Done));
            }
        }
    }

    /// The caller behind `token` has gone: if its receive still waits, it is forgotten and gets no answer.
    pub fn cancel(&mut self, token: Token) {
        self.sqs.cancel(token);
    }

    /// Messages were handed out, but the answer could not be given to the caller: they are where they were before.
    pub fn abandon(&mut self, stamp: Stamp, deliveries: &[sqs::command::Delivery]) {
        self.with_sqs(stamp, |sqs, context| sqs.abandon(context, deliveries));
    }

    /// Answers every waiting receive with nothing, before the server stops; [`Command::Release`] does the same while it runs.
    pub fn release_waiters(&mut self, stamp: Stamp) {
        self.with_sqs(stamp, Sqs::release_waiters);
    }

    /// The bytes that a [`Thaw`] asked for. Receives that wait for them are answered.
    ///
    /// # Errors
    /// [`Malformed`] if they are not what was written.
    pub fn thawed(&mut self, stamp: Stamp, thaw: &Thaw, bytes: Bytes) -> Result<(), Malformed> {
        let mut outcome = Ok(());
        self.with_sqs(stamp, |sqs, context| outcome = sqs.thawed(context, thaw.queue, &thaw.frame, bytes));
        outcome
    }

    /// Time has passed.
    pub fn tick(&mut self, stamp: Stamp) {
        self.with_sqs(stamp, Sqs::tick);
    }

    /// Everything that lies before `position` is on disk: the end of the last batch that is.
    pub fn handle_durable(&mut self, position: u64) {
        self.durable = self.durable.max(position);
    }

    // What to do.

    /// The open batch, to be appended to the journal. The next one opens behind it.
    pub fn poll_append(&mut self) -> Option<Batch> {
        if self.facts.is_empty() {
            return None;
        }
        let start = self.facts.start();
        let end = start + self.facts.len() as u64;
        let facts = core::mem::replace(&mut self.facts, Facts::new(end + self.config.overhead));
        self.appended = end;
        Some(Batch { start, bytes: facts.into_bytes() })
    }

    /// The next piece of a cold file to read, for [`Self::thawed`].
    pub fn poll_thaw(&mut self) -> Option<Thaw> {
        self.sqs.next_thaw().map(|(queue, frame)| Thaw { queue, frame })
    }

    /// A cold file in which nothing is left, now that it is true on disk: to be deleted, but not before the answers have been taken
    /// whose payloads may lie there.
    pub fn poll_drop(&mut self) -> Option<u64> {
        let (gate, _) = self.drops.front()?;
        if *gate > self.durable {
            return None;
        }
        self.drops.pop_front().map(|(_, chunk)| chunk)
    }

    /// Messages to be offered to another shard, see [`crate::transfer`]; `ticket` was never used before, also not by this shard's
    /// earlier lives. Each shard gets the next ones only when it has answered.
    pub fn poll_transfer(&mut self, ticket: u64) -> Option<Transfer> {
        self.sqs.poll_transfer(self.durable, ticket)
    }

    /// A queue that came to be (`true`) or went, now that it is true on disk: for [`Self::tell_elsewhere`] of all others, before answers
    /// are taken.
    pub fn poll_news(&mut self) -> Option<(sqs::QueueKey, bool)> {
        let (gate, ..) = self.news.front()?;
        if *gate > self.durable {
            return None;
        }
        self.news.pop_front().map(|(_, key, exists)| (key, exists))
    }

    /// The number that the next message gets.
    pub fn next_seq(&self) -> u64 {
        self.sqs.next_seq()
    }

    /// The lowest number that no cold file ever had, as far as facts tell.
    pub fn next_chunk(&self) -> u64 {
        self.sqs.next_chunk()
    }

    /// The cold files that hold something. After replay, any other is left over from a process that ended while it wrote it.
    pub fn chunks(&self) -> impl Iterator<Item = u64> {
        self.sqs.chunks()
    }

    /// The next answer that is true on disk.
    pub fn poll_reply(&mut self) -> Option<(Token, Reply)> {
        let (gate, ..) = self.replies.front()?;
        if *gate > self.durable {
            return None;
        }
        self.replies.pop_front().map(|(_, token, reply)| (token, reply))
    }

    // Inside.

    /// Up to where facts must be on disk before what is known now may be told.
    fn gate(&self) -> u64 {
        if self.facts.is_empty() {
            return self.appended;
        }
        self.facts.start() + self.facts.len() as u64
    }

    fn with_sqs(&mut self, stamp: Stamp, step: impl FnOnce(&mut Sqs, &mut Context<'_>)) {
        self.now = self.now.max(stamp.now);
        let mut context = Context {
            now: self.now,
            seed: Seed::new(stamp.seed),
            facts: &mut self.facts,
            known: Known::default(),
            replies: &mut self.answers,
        };
        step(&mut self.sqs, &mut context);
        let (emptied, news) = (self.sqs.take_emptied(), self.sqs.take_news());
        if !emptied.is_empty() {
            // Messages may have left by expiring: after a restart, too, it must be that late, or they would be missed.
            self.facts.note(self.now);
        }
        // An answer reflects the whole open batch, not only its own facts: it waits for all of it so far. More facts may
        // join the batch later; then it waits for the batch as a whole, because that is what becomes durable.
        let gate = self.gate();
        let answers = self.answers.drain(..).map(|(token, answer)| (gate, token, Reply::Sqs(answer)));
        self.replies.extend(answers);
        self.news.extend(news.into_iter().map(|(key, exists)| (gate, key, exists)));
        self.drops.extend(emptied.into_iter().map(|chunk| (gate, chunk)));
    }
}
