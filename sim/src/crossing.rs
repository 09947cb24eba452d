//! Several shards on one simulated machine, and messages that go from one to another.
//!
//! Each shard is the real one, on a disk of its own; callers send, receive, delete and start move tasks; shards are rebuilt alone, the
//! process is killed, the power goes, disks fail, offers come late, twice, or when their shard has been rebuilt. What must be true is
//! little and certain: whatever was accepted is in one place. It is never handed to two receivers at once, never after it was
//! deleted, and when the faults are over it is delivered exactly once.

mod side;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use kew_engine::services::sqs::{self, QueueKey};
use kew_engine::shard::{Command, Reply, Stamp, Token};
use kew_engine::time::{Millis, Moment};
use kew_engine::transfer::{Known, Question, Settle, Transfer};
use kew_wire::Text;

use self::side::Side;
use crate::model::{Violation, ensure};
use crate::operation::{Name, Operation, Outgoing, Setting, is_fifo};
use crate::plan::Pauses;
use crate::random::Random;
use crate::speech::{self, key};
use crate::trace::Trace;

/// The queues, the shard of each, and where its dead letters go.
const QUEUES: [(Name, usize, Option<Name>); 7] = [
    ("sd", 1, None),
    ("fd.fifo", 0, None),
    ("s0", 0, Some("sd")),
    ("s1", 2, Some("sd")),
    ("s2", 1, None),
    ("f0.fifo", 1, Some("fd.fifo")),
    ("f1.fifo", 2, Some("fd.fifo")),
];

/// How many shards there are.
const SHARDS: usize = 3;

/// What is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fraud {
    /// A shard is told that a message arrived before that is on disk.
    ArrivesEarly,
    /// What was offered is settled as arrived though it was never offered.
    LosesOffers,
}

/// What came of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that were accepted.
    pub sent: u64,
    /// Offers that were answered.
    pub offers: u64,
    /// Messages delivered.
    pub delivered: u64,
    /// Shards rebuilt, for whatever reason.
    pub rebuilt: u64,
    /// Retirements that came to their end.
    pub retirements: u64,
}

impl Counts {
    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.offers += other.offers;
        self.delivered += other.delivered;
        self.rebuilt += other.rebuilt;
        self.retirements += other.retirements;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, offers, delivered, rebuilt, retirements } = self;
        write!(
            f,
            "{sent} messages sent between shards' queues, {delivered} deliveries, {offers} offers, \
             {rebuilt} shards rebuilt, {retirements} retirements"
        )
    }
}

/// What a request was, for when its answer comes.
#[derive(Debug)]
enum Asked {
    Send(Vec<u64>),
    Receive {
        queue: Name,
        visibility: u32,
        at: Moment,
    },
    /// And whether it is certain that an answer means that the message has gone.
    Delete {
        body: u64,
        is_certain: bool,
    },
    Offer(usize),
    Question(u64),
    Nothing,
}

/// What is known of a message.
#[derive(Debug, Clone, Default)]
struct Fate {
    /// Its sender was told that it is there.
    is_accepted: bool,
    /// Its deletion was asked for; it may have happened.
    may_be_deleted: bool,
    /// Its deletion was answered.
    is_deleted: bool,
    /// Nobody else may get it before.
    leased_until: Moment,
    deliveries: u32,
}

/// Messages on their way to another shard, as the process holds them. It outlives the state of both shards.
#[derive(Debug)]
struct Offer {
    from: usize,
    transfer: Transfer,
    payloads: Vec<Bytes>,
    due: Moment,
    /// It has been submitted, and not answered.
    is_asked: bool,
}

/// A run.
#[derive(Debug)]
pub struct Crossing {
    random: Random,
    fraud: Option<Fraud>,
    now: Moment,
    sides: Vec<Side>,
    offers: BTreeMap<usize, Offer>,
    asked: BTreeMap<Token, Asked>,
    answers: BTreeMap<u64, Reply>,
    fates: BTreeMap<u64, Fate>,
    /// Of each delivery: queue, message, how many deliveries it had had, handle.
    handles: Vec<(Name, u64, u32, Text)>,
    next: u64,
    delays: Pauses,
    pauses: Pauses,
    faults: u64,
    /// What happened.
    pub trace: Trace,
    /// How much of it.
    pub counts: Counts,
}

/// Runs `steps` steps of `seed`, lets everything heal, and looks for what was lost.
///
/// # Errors
/// What is wrong, and the last lines of the trace.
pub fn run(seed: u64, steps: u64, fraud: Option<Fraud>, echo: bool) -> Result<Counts, String> {
    let told = |why: Violation, world: Option<&Crossing>| {
        let lines: Vec<&str> = world.map(|world| world.trace.last().collect()).unwrap_or_default();
        format!("crossing seed {seed} fails\n  {}\nviolation: {why}", lines.join("\n  "))
    };
    let mut world = Crossing::new(seed, fraud, echo).map_err(|why| told(why, None))?;
    for step in 0..steps {
        world.random = Random::of(seed, step);
        world.step().map_err(|why| told(why, Some(&world)))?;
    }
    world.random = Random::of(seed, u64::MAX);
    world.heal().map_err(|why| told(why, Some(&world)))?;
    Ok(world.counts)
}

impl Crossing {
    fn new(seed: u64, fraud: Option<Fraud>, echo: bool) -> Result<Self, Violation> {
        let mut random = Random::of(seed, u64::MAX - 1);
        let now = Moment(1_800_000_000_000);
        let stamp = Stamp { now, seed };
        let secret = u128::from(random.number());
        let mut sides = Vec::new();
        for number in 0..SHARDS {
            sides.push(Side::found(number, seed, &mut random, stamp, secret)?);
        }
        let delays =
            random.pick(&[[(1, 0, 0), (0, 0, 0)], [(8, 0, 3), (1, 10, 300)], [(1, 0, 1), (1, 20, 60)]]);
        let pauses = random.pick(&[
            [(1, 0, 2), (0, 0, 0)],
            [(20, 0, 20), (4, 500, 3000)],
            [(10, 0, 100), (5, 900, 2100)],
        ]);
        let (delays, pauses) = (Pauses::of(delays), Pauses::of(pauses));
        let faults = *random.pick(&[0, 10, 25, 60]);
        let mut world = Self {
            random,
            fraud,
            now,
            sides,
            offers: BTreeMap::new(),
            asked: BTreeMap::new(),
            answers: BTreeMap::new(),
            fates: BTreeMap::new(),
            handles: Vec::new(),
            next: 0,
            delays,
            pauses,
            faults,
            trace: Trace::new(echo),
            counts: Counts::default(),
        };
        (0..SHARDS).try_for_each(|side| world.settle(side))?;
        for (queue, _, dead_letters) in QUEUES {
            let most = *world.random.pick(&[1, 1, 2, 3]);
            let mut settings = vec![Setting::Visibility(*world.random.pick(&[0, 1, 2, 30]))];
            settings.extend(is_fifo(queue).then_some(Setting::ContentDedup(false)));
            settings.extend(dead_letters.map(|target| Setting::Redrive(Some((target, most)))));
            world.request(&Operation::Create { queue, settings }, Asked::Nothing)?;
            world.rest()?;
        }
        Ok(world)
    }

    /// Something happens.
    fn step(&mut self) -> Result<(), Violation> {
        if self.random.once_in(self.faults) {
            self.fault()?;
        }
        match self.random.below(12) {
            0..=3 => self.send()?,
            4..=7 => {
                let queue = self.queue();
                let max = self.random.within(1..=10) as usize;
                let visibility = *self.random.pick(&[0, 0, 1, 2, 60]);
                self.receive(queue, max, visibility)?;
            }
            8..=9 => self.delete()?,
            10 => {
                let queue = *self.random.pick(&["sd", "fd.fifo"]);
                let destination = match (queue, self.random.below(3)) {
                    ("sd", 0) => Some("s2"),
                    _ => None,
                };
                let per_second = *self.random.pick(&[None, Some(1), Some(20)]);
                self.request(&Operation::StartMove { queue, destination, per_second }, Asked::Nothing)?;
            }
            _ => {
                let side = self.random.below(SHARDS as u64) as usize;
                self.retire(side)?;
            }
        }
        let pause = self.pauses.draw(&mut self.random);
        self.pass(pause)
    }

    fn queue(&mut self) -> Name {
        QUEUES[self.random.below(QUEUES.len() as u64) as usize].0
    }

    fn fault(&mut self) -> Result<(), Violation> {
        let side = self.random.below(SHARDS as u64) as usize;
        match self.random.below(4) {
            0 => {
                self.trace.line(format_args!("{} shard {side} is rebuilt", self.now.0));
                self.rebuild(side)
            }
            1 => {
                let sync = self.random.percent(50);
                self.trace.line(format_args!("{} shard {side}: the next write fails", self.now.0));
                self.sides[side].fail_next(sync);
                Ok(())
            }
            kind => {
                let is_cut = kind == 2;
                let what = if is_cut { "the power goes" } else { "the process is killed" };
                self.trace.line(format_args!("{} {what}", self.now.0));
                self.offers.clear();
                for side in &mut self.sides {
                    side.lose_process(is_cut);
                }
                (0..SHARDS).try_for_each(|side| self.rebuild(side))
            }
        }
    }

    fn send(&mut self) -> Result<(), Violation> {
        let queue = self.queue();
        let mut bodies = Vec::new();
        let mut messages = Vec::new();
        for _ in 0..self.random.within(1..=4) {
            self.next += 1;
            let (body, size) = (self.next, *self.random.pick(&[8, 100, 3000]));
            let group = is_fifo(queue).then(|| Text::from(format!("g{}", self.random.below(3))));
            let dedup = is_fifo(queue).then(|| Text::from(format!("d{body}")));
            self.fates.insert(body, Fate::default());
            bodies.push(body);
            messages.push(Outgoing { body, size, delay: None, group, dedup, content: None });
        }
        self.request(&Operation::Send { queue, messages }, Asked::Send(bodies))
    }

    fn receive(&mut self, queue: Name, max: usize, visibility: u32) -> Result<(), Violation> {
        let operation =
            Operation::Receive { queue, max, visibility: Some(visibility), wait: Some(0), attempt: None };
        self.request(&operation, Asked::Receive { queue, visibility, at: self.now })
    }

    fn delete(&mut self) -> Result<(), Violation> {
        if self.handles.is_empty() {
            return Ok(());
        }
        let at = self.random.below(self.handles.len() as u64) as usize;
        let (queue, body, delivery, handle) = self.handles.swap_remove(at);
        self.delete_this(queue, body, delivery, handle)
    }

    fn delete_this(&mut self, queue: Name, body: u64, delivery: u32, handle: Text) -> Result<(), Violation> {
        let fate = self.fates.entry(body).or_default();
        fate.may_be_deleted = true;
        // A FIFO queue's handle ends with its lease, and an older one of a standard queue deletes nothing.
        let is_certain = fate.deliveries == delivery && fate.leased_until > self.now;
        self.request(&Operation::Delete { queue, handles: vec![handle] }, Asked::Delete { body, is_certain })
    }

    /// Puts a request to the shard that owns its queue, with what the others must say first.
    fn request(&mut self, operation: &Operation, asked: Asked) -> Result<(), Violation> {
        let Some((_, side, _)) = QUEUES.iter().find(|(name, ..)| operation.queue() == Some(name)) else {
            return Err("an operation on no queue".to_owned());
        };
        let side = *side;
        let command = speech::command(operation);
        let question = match operation {
            Operation::StartMove { queue, destination, .. } => Some((queue, destination.map(key))),
            Operation::Create { queue, settings } => settings.iter().find_map(|setting| match setting {
                Setting::Redrive(Some((target, _))) => Some((queue, Some(key(target)))),
                _ => None,
            }),
            _ => None,
        };
        self.trace.line(format_args!("{} shard {side}: {operation}", self.now.0));
        let command = match (question, command) {
            (Some((source, target)), Command::Sqs(command)) => {
                let Some(known) = self.ask_others(side, &command.caller, key(source), target)? else {
                    return Ok(());
                };
                Command::Informed(command, known)
            }
            (_, command) => command,
        };
        self.submit(side, command, asked)
    }

    /// What the other shards say; none if one was rebuilt over it.
    fn ask_others(
        &mut self,
        own: usize,
        caller: &kew_engine::identity::Caller,
        source: QueueKey,
        target: Option<QueueKey>,
    ) -> Result<Option<Known>, Violation> {
        let mut known = Known::default();
        for side in (0..SHARDS).filter(|side| *side != own) {
            self.next += 1;
            let number = self.next;
            let question = Question::Move {
                caller: caller.clone(),
                source: source.clone(),
                target: target.clone(),
                // Nobody is authenticated here, so nobody asks what they may.
                origins: Vec::new(),
            };
            self.submit(side, Command::Ask(question), Asked::Question(number))?;
            for _ in 0..1000 {
                let is_waiting = self
                    .asked
                    .values()
                    .any(|asked| matches!(asked, Asked::Question(waiting) if *waiting == number));
                if !is_waiting {
                    break;
                }
                self.pass(Millis(10))?;
            }
            match self.answers.remove(&number) {
                Some(Reply::Known(answer)) => known.merge(answer),
                _ => return Ok(None),
            }
        }
        Ok(Some(known))
    }

    fn submit(&mut self, side: usize, command: Command, asked: Asked) -> Result<(), Violation> {
        self.next += 1;
        // Which shard it was asked of, so that a shard that is rebuilt answers no more.
        let token = Token(self.next * SHARDS as u64 + side as u64);
        self.asked.insert(token, asked);
        let stamp = self.stamp();
        self.sides[side].shard.submit(stamp, token, command);
        self.settle(side)
    }

    fn stamp(&mut self) -> Stamp {
        Stamp { now: self.now, seed: self.random.number() }
    }

    /// Takes up what a shard has to say.
    fn settle(&mut self, at: usize) -> Result<(), Violation> {
        let delay = self.delays.draw(&mut self.random);
        let due = self.now + delay;
        self.sides[at].take_batch(due);
        while let Some((queue, exists)) = self.sides[at].shard.poll_news() {
            for (_, other) in self.sides.iter_mut().enumerate().filter(|(number, _)| *number != at) {
                other.shard.tell_elsewhere(queue.clone(), exists.then_some(at as u32));
            }
        }
        while let Some(transfer) = {
            self.next += 1;
            let ticket = self.next;
            self.sides[at].shard.poll_transfer(ticket)
        } {
            self.offer(at, transfer)?;
        }
        while let Some((token, reply)) = self.sides[at].shard.poll_reply() {
            if let Some(asked) = self.asked.remove(&token) {
                self.judge(at, asked, reply)?;
            }
        }
        self.sides[at].drop_files();
        Ok(())
    }

    fn offer(&mut self, from: usize, mut transfer: Transfer) -> Result<(), Violation> {
        let source = self.sides[from].source.clone();
        let mut failed = None;
        let payloads =
            transfer.read(|at| source.read(at).inspect_err(|error| failed = Some(error.to_string())).ok());
        let excused = self.sides[from].has_failed();
        ensure!(failed.is_none() || excused, "a message on its way cannot be read: {failed:?}");
        let Some(payloads) = payloads else {
            let settle = transfer.settle(&[]);
            return self.tell(from, settle);
        };
        let due = self.now + self.delays.draw(&mut self.random);
        self.next += 1;
        self.trace.line(format_args!(
            "{} shard {from} offers {} to shard {}",
            self.now.0,
            payloads.len(),
            transfer.shard
        ));
        if self.fraud == Some(Fraud::LosesOffers) {
            let settle = transfer.settle(&vec![true; payloads.len()]);
            return self.tell(from, settle);
        }
        let offer = Offer { from, transfer, payloads, due, is_asked: false };
        self.offers.insert(self.next as usize, offer);
        Ok(())
    }

    fn tell(&mut self, side: usize, settle: Settle) -> Result<(), Violation> {
        self.submit(side, Command::Settle(settle), Asked::Nothing)
    }

    /// Puts an offer to its shard, once more if it was not answered.
    fn arrive(&mut self, number: usize) -> Result<(), Violation> {
        let Some(offer) = self.offers.get_mut(&number) else { return Ok(()) };
        offer.is_asked = true;
        let (to, from) = (offer.transfer.shard as usize, offer.from);
        let arrive = offer.transfer.arrive(from as u32, &offer.payloads);
        if self.fraud == Some(Fraud::ArrivesEarly) {
            let settle = offer.transfer.settle(&vec![true; offer.payloads.len()]);
            self.submit(to, Command::Arrive(arrive), Asked::Nothing)?;
            self.offers.remove(&number);
            return self.tell(from, settle);
        }
        self.submit(to, Command::Arrive(arrive), Asked::Offer(number))
    }

    fn judge(&mut self, side: usize, asked: Asked, reply: Reply) -> Result<(), Violation> {
        match (asked, reply) {
            (Asked::Send(bodies), Reply::Sqs(Ok(sqs::Reply::Sent(outcomes)))) => {
                for (body, outcome) in bodies.into_iter().zip(outcomes) {
                    ensure!(outcome.is_ok(), "#{body} is refused: {outcome:?}");
                    self.counts.sent += 1;
                    self.fates.entry(body).or_default().is_accepted = true;
                }
                Ok(())
            }
            (Asked::Send(_), reply) => Err(format!("expected receipts, got {reply:?}")),
            (Asked::Receive { queue, visibility, at }, Reply::Sqs(Ok(sqs::Reply::Received(deliveries)))) => {
                let places: Vec<_> = deliveries.iter().map(|delivery| delivery.payload).collect();
                let payloads = match self.sides[side].source.read_all(&places) {
                    Ok(payloads) => payloads,
                    Err(_) if self.sides[side].has_failed() => return Ok(()),
                    Err(error) => return Err(format!("a payload cannot be read: {error}")),
                };
                for (delivery, payload) in deliveries.iter().zip(payloads) {
                    let body =
                        payload.get(..8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
                    let body = body.ok_or("a payload that nobody sent")?;
                    self.trace.line(format_args!(
                        "{}   {queue} gives #{body} x{}",
                        self.now.0, delivery.receive_count
                    ));
                    let fate = self.fates.get_mut(&body).ok_or(format!("#{body} was never sent"))?;
                    ensure!(
                        !fate.is_deleted,
                        "#{body} comes back from {queue} after its deletion was answered"
                    );
                    ensure!(
                        fate.leased_until <= self.now,
                        "#{body} comes from {queue} while it is in flight until {}",
                        fate.leased_until.0
                    );
                    fate.leased_until = at + Millis::seconds(visibility);
                    fate.deliveries += 1;
                    self.counts.delivered += 1;
                    self.handles.push((queue, body, fate.deliveries, delivery.handle.clone()));
                }
                Ok(())
            }
            (Asked::Receive { .. }, reply) => Err(format!("expected deliveries, got {reply:?}")),
            (Asked::Delete { body, is_certain }, Reply::Sqs(Ok(sqs::Reply::Entries(outcomes)))) => {
                let is_done = outcomes.iter().all(Result::is_ok);
                ensure!(
                    is_done || !is_certain,
                    "the deletion of #{body}, in flight, is refused: {outcomes:?}"
                );
                self.fates.entry(body).or_default().is_deleted |= is_done && is_certain;
                Ok(())
            }
            (Asked::Question(number), reply) => {
                self.answers.insert(number, reply);
                Ok(())
            }
            (Asked::Offer(number), Reply::Arrived(outcomes)) => {
                let Some(offer) = self.offers.remove(&number) else { return Ok(()) };
                self.counts.offers += 1;
                // The answer may be lost: the same is offered again, and must be recognised.
                if self.random.once_in(self.faults) {
                    let due = self.now + self.delays.draw(&mut self.random);
                    self.offers.insert(number, Offer { due, is_asked: false, ..offer });
                    return Ok(());
                }
                let settle = offer.transfer.settle(&outcomes);
                self.tell(offer.from, settle)
            }
            (Asked::Nothing, _) => Ok(()),
            (asked, reply) => Err(format!("{asked:?} was answered by {reply:?}")),
        }
    }

    /// Time passes; what is due happens.
    fn pass(&mut self, pause: Millis) -> Result<(), Violation> {
        let until = self.now + pause;
        for _ in 0..100_000 {
            let offers = self.offers.iter().filter(|(_, offer)| !offer.is_asked);
            let offer = offers.map(|(number, offer)| (offer.due, *number)).min();
            let due = (0..SHARDS).filter_map(|side| Some((self.sides[side].due()?, side))).min();
            let soonest = [offer.map(|(due, _)| due), due.map(|(due, _)| due)].into_iter().flatten().min();
            let Some(next) = soonest.filter(|next| *next <= until) else {
                self.now = until;
                return Ok(());
            };
            self.now = self.now.max(next);
            match (offer, due) {
                (Some((at, number)), _) if at == next => self.arrive(number)?,
                (_, Some((_, side))) => {
                    let stamp = self.stamp();
                    match self.sides[side].work(stamp) {
                        Ok(()) => self.settle(side)?,
                        Err(why) if self.sides[side].has_failed() => {
                            self.trace.line(format_args!("{} shard {side} is rebuilt: {why}", self.now.0));
                            self.rebuild(side)?;
                        }
                        Err(why) => return Err(format!("shard {side} fails without a fault: {why}")),
                    }
                }
                _ => {}
            }
        }
        Err("time does not pass".to_owned())
    }

    /// A shard's state is dropped and read back from its disk.
    fn rebuild(&mut self, at: usize) -> Result<(), Violation> {
        self.counts.rebuilt += 1;
        let stamp = self.stamp();
        self.sides[at].open(stamp)?;
        self.asked.retain(|token, _| token.0 % SHARDS as u64 != at as u64);
        for offer in self.offers.values_mut().filter(|offer| offer.transfer.shard as usize == at) {
            offer.is_asked = false;
            offer.due = self.now + Millis(200);
        }
        for (queue, side, _) in QUEUES {
            let is_there = self.sides[side].shard.queues().any(|known| *known == key(queue));
            if side != at {
                self.sides[at].shard.tell_elsewhere(key(queue), is_there.then_some(side as u32));
            }
        }
        self.settle(at)
    }

    fn retire(&mut self, at: usize) -> Result<(), Violation> {
        let steps = self.random.within(1..=40);
        let mut work = match self.sides[at].begin_retirement() {
            Ok(work) => work,
            Err(_) if self.sides[at].has_failed() => return Ok(()),
            Err(error) => return Err(format!("a retirement does not begin: {error}")),
        };
        for _ in 0..steps {
            match work.step() {
                Ok(kew_store::Step::Tell(stored)) => {
                    let rebuilt = self.counts.rebuilt;
                    self.submit(at, Command::Stored(stored), Asked::Nothing)?;
                    while self.sides[at].is_busy() {
                        self.pass(Millis(20))?;
                    }
                    if self.counts.rebuilt > rebuilt {
                        return Ok(());
                    }
                }
                Ok(kew_store::Step::Done(_)) => {
                    self.counts.retirements += 1;
                    return Ok(());
                }
                Err(_) if self.sides[at].has_failed() => return Ok(()),
                Err(error) => return Err(format!("a retirement fails without a fault: {error}")),
            }
        }
        Ok(())
    }

    /// Lets everything that is under way come to its end.
    fn rest(&mut self) -> Result<(), Violation> {
        let mut rounds = 0;
        while self.sides.iter().any(|side| side.is_busy() || side.shard.leaving() > 0)
            || !self.offers.is_empty()
        {
            self.pass(Millis(200))?;
            rounds += 1;
            ensure!(rounds < 10_000, "what is on its way does not arrive");
        }
        Ok(())
    }

    /// Faults end; then everything that was accepted and not deleted is delivered, once.
    fn heal(&mut self) -> Result<(), Violation> {
        self.trace.line(format_args!("{} all faults end", self.now.0));
        self.faults = 0;
        for side in 0..SHARDS {
            if self.sides[side].end_faults() {
                self.rebuild(side)?;
            }
        }
        let mut taken: BTreeSet<u64> = BTreeSet::new();
        let mut idle = 0;
        while idle < 5 {
            self.pass(Millis::seconds(61))?;
            self.rest()?;
            idle += 1;
            for (queue, ..) in QUEUES {
                self.handles.clear();
                self.receive(queue, 10, 30)?;
                self.rest()?;
                for (queue, body, delivery, handle) in std::mem::take(&mut self.handles) {
                    ensure!(
                        taken.insert(body),
                        "#{body} is delivered from {queue} after it was taken and deleted"
                    );
                    self.delete_this(queue, body, delivery, handle)?;
                    idle = 0;
                }
                self.rest()?;
            }
        }
        for (body, fate) in &self.fates {
            let is_due = fate.is_accepted && !fate.may_be_deleted;
            ensure!(taken.contains(body) || !is_due, "#{body} was accepted, never deleted, and is lost");
        }
        Ok(())
    }
}
