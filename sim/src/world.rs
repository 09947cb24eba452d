//! A simulated machine: one shard on one journal on one disk, callers, time, and everything that goes wrong.

mod process;
mod retiring;
mod storage;

use std::collections::BTreeMap;

use bytes::Bytes;
use kew_engine::services::sqs;
use kew_engine::services::sqs::command::Reply as SqsReply;
use kew_engine::services::sqs::event::{outline, tag};
use kew_engine::shard::{Batch, Shard, Stamp, Token};
use kew_engine::time::{Millis, Moment};
use kew_journal::{Durability, Error, Snapshot, Writer};
use kew_wire::fault::Fault;

use self::process::Process;
use self::retiring::Retirer;
use crate::auditor::{AUDITOR, Call, summary};
use crate::disk::{Faults, SimDisk, Treachery};
use crate::model::{Model, Violation, ensure};
use crate::operation::{Operation, payload};
use crate::plan::{Canary, Plan};
use crate::random::Random;
use crate::shelf::Shelf;
use crate::trace::Trace;
use crate::workload::Clients;

/// When simulated time begins.
const BIRTH: Moment = Moment(1_800_000_000_000);
/// How often a journal may fail to open in a row, faults being what they are.
const OPENINGS: usize = 50;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests made.
    pub operations: u64,
    /// Answers that the model judged.
    pub answers: u64,
    /// Batches that became durable.
    pub batches: u64,
    /// Power cuts.
    pub power_cuts: u64,
    /// Restarts without a power cut, after errors or on purpose.
    pub restarts: u64,
    /// Retirements that came to their end.
    pub retirements: u64,
    /// Cold files written.
    pub cold_files: u64,
    /// Pieces of cold files that came back.
    pub thaws: u64,
    /// Cold files removed because nothing was left in them.
    pub drops: u64,
    /// Simulated time in milliseconds.
    pub simulated: u64,
}

impl Counts {
    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.answers += other.answers;
        self.batches += other.batches;
        self.power_cuts += other.power_cuts;
        self.restarts += other.restarts;
        self.retirements += other.retirements;
        self.cold_files += other.cold_files;
        self.thaws += other.thaws;
        self.drops += other.drops;
        self.simulated += other.simulated;
    }
}

/// A batch on its way to the disk.
#[derive(Debug)]
struct Pending {
    batch: Batch,
    /// When the disk is done with it.
    due: Moment,
}

/// The state as of the end of a batch, to go back to after a crash.
#[derive(Debug)]
struct Boundary {
    end: u64,
    model: Model,
    /// The shard's own account of it, sometimes.
    snapshot: Option<Bytes>,
}

/// The machine.
pub struct World {
    plan: Plan,
    /// What happened.
    pub trace: Trace,
    /// What was done so far.
    pub counts: Counts,
    disk: SimDisk,
    process: Process,
    retirer: Retirer,
    /// States that a crash may lead back to, the durable one first.
    boundaries: Vec<Boundary>,
    /// Checksums of what was appended, by start.
    appended: BTreeMap<u64, u64>,
    clients: Clients,
    /// Receive attempts that were never answered: their callers ask again.
    unanswered: Vec<Operation>,
    now: Moment,
    random: Random,
    next_token: u64,
}

impl World {
    /// A new machine with an empty disk.
    pub fn new(plan: Plan, echo: bool) -> Result<Self, Violation> {
        let treachery = match plan.canary {
            Some(Canary::NoSync) => Treachery::IgnoresSync,
            Some(Canary::ColdNoSync) => Treachery::IgnoresSyncOf("cold-"),
            _ => Treachery::None,
        };
        let disk = SimDisk::new(plan.seed, plan.capacity, plan.can_reserve, treachery);
        let stamp = Stamp { now: BIRTH, seed: plan.seed };
        let model = Model::new(&plan);
        let started =
            Process::start(&disk, &plan, &mut |_| Ok(model.clone()), Shelf::default(), None, stamp)?;
        let process =
            started.map_err(|error| format!("the journal does not open on an empty disk: {error}"))?;
        let end = process.writer.as_ref().map_or(0, Writer::durable);
        let boundaries = vec![Boundary { end, model, snapshot: None }];
        let random = Random::new(plan.seed);
        let mut world = Self {
            trace: Trace::new(echo),
            counts: Counts::default(),
            disk,
            process,
            retirer: Retirer::default(),
            boundaries,
            appended: BTreeMap::new(),
            clients: Clients::default(),
            unanswered: Vec::new(),
            now: BIRTH,
            random,
            next_token: 0,
            plan,
        };
        let mut random = Random::of(world.plan.seed, u64::MAX);
        for operation in world.plan.workload.prepare(&mut random) {
            world.submit(operation)?;
        }
        Ok(world)
    }

    /// One step: something happens, then time passes.
    pub fn step(&mut self, step: u64) -> Result<(), Violation> {
        self.begin(step);
        let rates = self.plan.rates;
        if self.random.once_in(rates.power) {
            let faults = Faults { power: Some(self.random.below(12)), ..Faults::default() };
            self.arm(faults);
        } else if self.random.once_in(rates.cut) {
            self.power_cut()?;
        } else if self.random.once_in(rates.kill) {
            self.kill()?;
        } else if self.random.once_in(rates.stop) {
            self.stop()?;
        } else if self.random.once_in(rates.error) {
            let at = Some(self.random.below(6));
            // What was never synced does not outlive a failed sync.
            let syncs = self.plan.options.durability == Durability::Fsync;
            let faults = match self.random.below(4) {
                0 => Faults { read: at, ..Faults::default() },
                1 => Faults { write: at, ..Faults::default() },
                2 if syncs => Faults { sync: at, ..Faults::default() },
                _ => Faults { directory: at, ..Faults::default() },
            };
            self.arm(faults);
        } else if self.random.once_in(rates.full) {
            let room = self.random.below(self.plan.options.segment_bytes * 2) as usize;
            self.trace.line(format_args!("{} the disk has {room} bytes left", self.now.0));
            self.disk.set_capacity(self.disk.used() + room);
        } else if self.random.percent(10) {
            self.disk.set_capacity(self.plan.capacity);
        }
        if self.random.once_in(rates.hang_up) {
            self.hang_up()?;
        }
        self.consider_retiring()?;
        if self.random.once_in(25) {
            self.audit_storage()?;
        }
        if !self.unanswered.is_empty()
            && self.random.percent(30)
            && let Some(operation) = self.unanswered.pop()
        {
            // Somebody else comes first, and may be given what the answer would have held.
            if let Operation::Receive { queue, max, visibility, .. } = operation {
                self.submit(Operation::Receive { queue, max, visibility, wait: Some(0), attempt: None })?;
            }
            self.submit(operation)?;
        }
        let operation = self.plan.workload.operation(step, &mut self.random, &self.clients);
        self.submit(operation)?;
        let pause = self.plan.pauses.draw(&mut self.random);
        self.pass(pause)
    }

    /// Faults end; then everything that was accepted must be delivered, deleted, and gone.
    pub fn heal(&mut self) -> Result<(), Violation> {
        self.begin(u64::MAX - 1);
        self.trace.line(format_args!("{} all faults end", self.now.0));
        self.disk.set_faults(Faults::default());
        self.disk.set_capacity(self.plan.capacity);
        self.plan.rates = Default::default();
        if !self.disk.is_powered() {
            // It went at a read, which nobody has noticed yet.
            self.report_faults();
            self.power_cut()?;
        }
        self.pass(Millis::seconds(30))?;
        self.inspect()?;
        self.retire_wholly()?;
        let mut idle = 0;
        loop {
            let before = self.waiting_messages();
            self.drain_once()?;
            let after = self.waiting_messages();
            let tasks = self.process.auditor.model.moves.iter().any(|task| task.is_running());
            if after == 0 && !tasks {
                break;
            }
            idle = if after < before { 0 } else { idle + 1 };
            ensure!(idle < 200, "no progress: {after} messages wait, move tasks run: {tasks}");
            let next = self
                .process
                .auditor
                .model
                .queues
                .values()
                .filter_map(|queue| queue.next_ready(self.now))
                .min();
            self.pass(next.map_or(Millis(1000), |next| next - self.now))?;
        }
        self.inspect()?;
        self.retire_wholly()?;
        self.expect_nothing_cold()?;
        self.kill()?;
        self.expect_nothing_cold()
    }

    /// How often the rarer things happened.
    pub fn marks(&self) -> &BTreeMap<&'static str, u64> {
        &self.process.auditor.model.marks
    }

    fn begin(&mut self, step: u64) {
        self.random = Random::of(self.plan.seed, step);
        self.disk.reseed(self.random.number());
    }

    /// Receives whatever is receivable, once around all queues, and deletes it.
    fn drain_once(&mut self) -> Result<(), Violation> {
        let names: Vec<_> = self.process.auditor.model.queues.keys().copied().collect();
        for queue in names {
            loop {
                self.clients.handles.clear();
                self.submit(Operation::Receive {
                    queue,
                    max: 10,
                    visibility: Some(600),
                    wait: Some(0),
                    attempt: None,
                })?;
                self.pass(Millis(50))?;
                let handles: Vec<_> = self.clients.handles.drain(..).map(|(_, handle)| handle).collect();
                if handles.is_empty() {
                    break;
                }
                self.submit(Operation::Delete { queue, handles })?;
                self.pass(Millis(50))?;
            }
        }
        Ok(())
    }

    fn waiting_messages(&self) -> usize {
        self.process.auditor.model.queues.values().map(|queue| queue.messages.len()).sum()
    }

    /// Compares everything that can be seen with the model.
    fn inspect(&mut self) -> Result<(), Violation> {
        let stamp = self.stamp();
        self.process.auditor.inspect(stamp)?;
        self.process.auditor.share_looks(&mut self.process.shard);
        self.replies()?;
        self.audit_storage()
    }

    fn stamp(&mut self) -> Stamp {
        Stamp { now: self.now, seed: self.random.number() }
    }

    fn submit(&mut self, operation: Operation) -> Result<(), Violation> {
        self.next_token += 1;
        self.counts.operations += 1;
        let token = Token(self.next_token);
        self.trace.line(format_args!("{} {} {operation}", self.now.0, token.0));
        self.call(Call::Submit(token, operation))
    }

    fn call(&mut self, call: Call) -> Result<(), Violation> {
        let is_due = |shard: &Shard, now| shard.next_deadline().is_some_and(|deadline| deadline <= now);
        if !matches!(call, Call::Tick) && is_due(&self.process.shard, self.now) {
            // What is overdue comes first, or the auditor's looks at the twin would bring it about.
            self.call(Call::Tick)?;
        }
        let stamp = self.stamp();
        call.perform(&mut self.process.shard, stamp)?;
        for (token, reply) in self.process.auditor.call(stamp, &call)? {
            self.trace.line(format_args!("{}   {} -> {}", self.now.0, token.0, summary(&reply)));
        }
        self.process.auditor.share_looks(&mut self.process.shard);
        self.process.auditor.check_deadline(self.process.shard.next_deadline())?;
        self.plan_thaws()?;
        self.replies()?;
        self.drop_files()?;
        self.fill()
    }

    /// Takes the answers that may be given, and gives them.
    fn replies(&mut self) -> Result<(), Violation> {
        while let Some((token, reply)) = self.process.shard.poll_reply() {
            if token == AUDITOR {
                continue;
            }
            let answered = self.process.auditor.receive(token, &reply, self.process.durable)?;
            let Some(operation) = answered.operation else {
                self.handle_told(token);
                continue;
            };
            self.counts.answers += 1;
            let mut is_unread = false;
            if let Ok(SqsReply::Received(deliveries)) = &answered.reply {
                for (delivery, (number, size)) in deliveries.iter().zip(&answered.payloads) {
                    let at = delivery.payload;
                    let got = match self.process.source.read(at) {
                        Ok(bytes) => bytes,
                        // Without power nothing can be read, and a read may fail.
                        Err(_) if !self.disk.is_powered() || self.report_faults() => {
                            is_unread = true;
                            continue;
                        }
                        Err(error) => {
                            return Err(format!(
                                "the payload of #{number} at {at:?} cannot be read: {error}"
                            ));
                        }
                    };
                    ensure!(
                        got == payload(*number, *size),
                        "the payload of #{number} at {at:?} is not what was sent"
                    );
                }
            }
            if self.process.gone.remove(&token) || is_unread {
                self.abandon(&operation, &answered.reply)?;
                continue;
            }
            match (&answered.reply, operation.queue()) {
                (Ok(SqsReply::Received(deliveries)), Some(queue)) => {
                    for delivery in deliveries.iter().filter(|delivery| !delivery.handle.is_empty()) {
                        self.clients.learn(queue, delivery.handle.clone());
                    }
                }
                (Ok(SqsReply::Started { handle }), _) => self.clients.tasks.push(handle.clone()),
                _ => {}
            }
        }
        Ok(())
    }

    fn abandon(&mut self, operation: &Operation, reply: &Result<sqs::Reply, Fault>) -> Result<(), Violation> {
        let (Ok(SqsReply::Received(deliveries)), Some(queue)) = (reply, operation.queue()) else {
            return Ok(());
        };
        if matches!(operation, Operation::Peek { .. }) || deliveries.is_empty() {
            return Ok(());
        }
        self.trace.line(format_args!(
            "{} {} deliveries from {queue} found nobody",
            self.now.0,
            deliveries.len()
        ));
        if matches!(operation, Operation::Receive { attempt: Some(_), .. }) {
            self.unanswered.push(operation.clone());
        }
        self.call(Call::Abandon(queue, deliveries.clone()))
    }

    /// A caller goes away without waiting for its answer.
    fn hang_up(&mut self) -> Result<(), Violation> {
        let model = &self.process.auditor.model;
        let mut tokens: Vec<Token> = model.waiters.iter().map(|waiter| waiter.token).collect();
        tokens.extend(self.process.auditor.owed().filter(|token| !self.process.gone.contains(token)));
        if tokens.is_empty() {
            return Ok(());
        }
        let token = *self.random.pick(&tokens);
        self.trace.line(format_args!("{} the caller of {} hangs up", self.now.0, token.0));
        if self.process.auditor.model.waiters.iter().all(|waiter| waiter.token != token) {
            self.process.gone.insert(token);
        }
        self.call(Call::Cancel(token))
    }

    /// Starts the next append if the disk is free.
    fn fill(&mut self) -> Result<(), Violation> {
        if self.process.pending.is_some() {
            return Ok(());
        }
        let batch = self.process.shard.poll_append();
        self.process.auditor.poll_append(batch.as_ref())?;
        let Some(batch) = batch else { return Ok(()) };
        let next = self.process.writer.as_ref().map_or(0, Writer::next_start);
        ensure!(batch.start == next, "a batch for {} where {next} comes next", batch.start);
        let end = batch.start + batch.bytes.len() as u64;
        let snapshot = self.random.percent(25).then(|| self.process.shard.snapshot().into());
        let model = self.process.auditor.model.clone();
        self.boundaries.push(Boundary { end, model, snapshot });
        let batch = self.plan.canary.map_or_else(|| Ok(batch.clone()), |canary| blank(canary, &batch))?;
        self.appended.insert(batch.start, checksum(&batch.bytes));
        self.process.source.reader.admit(batch.start, batch.bytes.clone());
        if self.plan.canary == Some(Canary::TellsEarly) {
            self.process.shard.handle_durable(end);
        }
        let due = self.now + self.plan.delays.draw(&mut self.random);
        self.process.pending = Some(Pending { batch, due });
        Ok(())
    }

    /// The disk does what was asked of it.
    fn flush(&mut self) -> Result<(), Violation> {
        let Some(mut pending) = self.process.pending.take() else { return Ok(()) };
        let Batch { start, bytes } = &pending.batch;
        let Some(writer) = &mut self.process.writer else { return Ok(()) };
        match writer.append(*start, bytes) {
            Ok(end) => {
                ensure!(
                    end == start + bytes.len() as u64,
                    "an append of {} bytes at {start} ends at {end}",
                    bytes.len()
                );
                self.counts.batches += 1;
                self.process.durable += 1;
                self.boundaries.retain(|boundary| boundary.end >= end);
                self.process.shard.handle_durable(end);
                self.replies()?;
                self.drop_files()?;
                self.fill()
            }
            Err(Error::DiskFull { .. }) if self.random.percent(70) => {
                self.report_faults();
                self.trace.line(format_args!("{} no room: the batch waits", self.now.0));
                if self.random.percent(50) {
                    self.disk.set_capacity(self.plan.capacity);
                }
                pending.due = self.now + Millis(1000);
                self.process.pending = Some(pending);
                Ok(())
            }
            Err(error) => self.fail(&error),
        }
    }

    /// Sees that the next segment is there before it is needed. If that fails, appends go on as before.
    fn prepare(&mut self) -> Result<(), Violation> {
        if !self.random.percent(50) {
            return Ok(());
        }
        if let Err(error) = self.process.snapshots.prepare() {
            let struck = self.report_faults();
            ensure!(
                struck || !self.disk.is_powered(),
                "nothing failed but the preparing of a segment: {error}"
            );
        }
        if self.disk.is_powered() { Ok(()) } else { self.power_cut() }
    }

    /// The disk failed: by a fault of ours, or the journal is wrong.
    fn fail(&mut self, error: &dyn std::fmt::Display) -> Result<(), Violation> {
        let struck = self.report_faults();
        if !self.disk.is_powered() {
            return self.power_cut();
        }
        ensure!(struck, "the journal fails without a fault of the disk: {error}");
        self.trace.line(format_args!("{} the shard is rebuilt: {error}", self.now.0));
        self.recover()
    }

    fn report_faults(&mut self) -> bool {
        let log = self.disk.take_log();
        for line in &log {
            self.trace.line(format_args!("{}   disk: {line}", self.now.0));
        }
        !log.is_empty()
    }

    fn kill(&mut self) -> Result<(), Violation> {
        self.trace.line(format_args!("{} the process is killed", self.now.0));
        self.disk = self.disk.restart();
        self.retirer = Retirer::default();
        self.recover()
    }

    fn power_cut(&mut self) -> Result<(), Violation> {
        self.trace.line(format_args!("{} power cut", self.now.0));
        self.counts.power_cuts += 1;
        self.retirer = Retirer::default();
        self.disk = self.disk.power_cycle();
        self.recover()
    }

    /// A graceful stop: everything is answered, the journal is closed, the process starts again.
    fn stop(&mut self) -> Result<(), Violation> {
        self.trace.line(format_args!("{} the process stops gracefully", self.now.0));
        self.call(Call::Release)?;
        let restarts = self.counts.restarts;
        let power_cuts = self.counts.power_cuts;
        while self.process.pending.is_some() {
            self.now = self.now.max(self.process.pending.as_ref().map_or(self.now, |pending| pending.due));
            self.disk.set_capacity(self.plan.capacity);
            self.flush()?;
            if (restarts, power_cuts) != (self.counts.restarts, self.counts.power_cuts) {
                return Ok(());
            }
        }
        ensure!(
            self.process.auditor.owed().next().is_none(),
            "answers are owed although every batch is durable: {:?}",
            self.process.auditor.owed().collect::<Vec<_>>()
        );
        let end = self.process.writer.as_ref().map_or(0, Writer::next_start);
        let model = self.process.auditor.model.clone();
        self.boundaries.push(Boundary { end, model, snapshot: None });
        let Some(writer) = self.process.writer.take() else { return Ok(()) };
        match writer.close() {
            Ok(()) => {
                self.boundaries.retain(|boundary| boundary.end >= end);
                self.disk = self.disk.restart();
                self.retirer = Retirer::default();
                self.recover()
            }
            Err(Error::DiskFull { .. }) => self.recover(),
            Err(error) => self.fail(&error),
        }
    }

    /// Starts the process anew from what the disk has.
    fn recover(&mut self) -> Result<(), Violation> {
        self.counts.restarts += 1;
        self.retirer.outlive();
        let mut failures = 0;
        loop {
            if failures < 5 {
                self.trouble_recovery();
            }
            match self.reopen()? {
                Ok(()) => break,
                Err(error) => {
                    let struck = self.report_faults();
                    failures += 1;
                    let excused = struck || !self.disk.is_powered();
                    ensure!(excused && failures < OPENINGS, "the journal does not open: {error}");
                    self.trace.line(format_args!("{} the journal does not open: {error}", self.now.0));
                    self.disk.set_capacity(self.plan.capacity);
                    self.disk.set_faults(Faults::default());
                    if !self.disk.is_powered() {
                        self.counts.power_cuts += 1;
                        self.retirer = Retirer::default();
                        self.disk = self.disk.power_cycle();
                    }
                }
            }
        }
        // A shard without a past notes what it draws once with its first request; looking at the twin must not be that.
        self.submit(Operation::List { prefix: "", max: 1000 })?;
        self.inspect()
    }

    /// What recovers may fail, and lose power, too.
    fn trouble_recovery(&mut self) {
        let rates = self.plan.rates;
        if rates.power > 0 && self.random.percent(15) {
            let power = Some(self.random.below(40));
            self.arm(Faults { power, ..Faults::default() });
        } else if rates.error > 0 && self.random.percent(15) {
            let at = Some(self.random.below(20));
            let faults = match self.random.below(3) {
                0 => Faults { read: at, ..Faults::default() },
                1 => Faults { write: at, ..Faults::default() },
                _ => Faults { directory: at, ..Faults::default() },
            };
            self.arm(faults);
        }
    }

    /// Opens the journal and rebuilds the state. The inner error is the disk's.
    fn reopen(&mut self) -> Result<Result<(), String>, Violation> {
        // The clock may go late after a restart, until it is told how late it must be.
        let late = if self.random.percent(20) { self.random.below(100_000) } else { 0 };
        let stamp = Stamp { now: Moment(self.now.0 - late), ..self.stamp() };
        let mut snapshot = None;
        let mut told = String::new();
        let known = self.appended.clone();
        let (boundaries, appended) = (&mut self.boundaries, &mut self.appended);
        let mut find = |found: u64| {
            let known: Vec<u64> = boundaries.iter().map(|boundary| boundary.end).collect();
            let Some(at) = known.iter().position(|end| *end == found) else {
                return Err(format!(
                    "the journal came back with the end {found}; durable and in doubt were {known:?}"
                ));
            };
            told = format!("back with the end {found} of {known:?}");
            boundaries.swap(0, at);
            boundaries.truncate(1);
            let boundary = &mut boundaries[0];
            boundary.model.hang_up();
            snapshot = boundary.snapshot.clone();
            appended.retain(|start, _| *start < found);
            Ok(boundary.model.clone())
        };
        let shelf = self.process.auditor.shelf.clone();
        let started = Process::start(&self.disk, &self.plan, &mut find, shelf, Some(&known), stamp)?;
        let process = match started {
            Ok(process) => process,
            Err(error) => return Ok(Err(error)),
        };
        self.check_fence()?;
        self.trace.line(format_args!("{} {told}", self.now.0));
        if let Some(snapshot) = snapshot {
            let stamp = Stamp { now: self.now, ..stamp };
            storage::compare(&self.plan, stamp, snapshot, process.shard.snapshot().into())?;
        }
        self.retirer.keep = process.keep;
        self.process = process;
        Ok(Ok(()))
    }

    /// A snapshot of the opening before, saved by a thread that lives on, must not be taken any more.
    fn check_fence(&mut self) -> Result<(), Violation> {
        let bytes = Bytes::from_static(b"a ghost");
        let (position, keep) = (self.boundaries[0].end, 0);
        let saved = self.process.snapshots.save(&Snapshot { position, keep, bytes });
        ensure!(saved.is_err(), "a snapshot by the opening before is saved");
        self.report_faults();
        Ok(())
    }

    /// Lets time pass, and with it everything that time brings.
    fn pass(&mut self, pause: Millis) -> Result<(), Violation> {
        let until = self.now + pause;
        let mut rounds = 0;
        loop {
            let flush = self.process.pending.as_ref().map(|pending| pending.due);
            let lateness = self.plan.lateness;
            let tick = self.process.shard.next_deadline().map(|deadline| deadline + lateness);
            let thaw = self.process.thaws.iter().map(|(due, _)| *due).min();
            let retire = self.retirer.due();
            let soonest = [flush, thaw, retire, tick].into_iter().flatten().min();
            let Some(next) = soonest.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            if flush == Some(next) {
                self.flush()?;
            } else if thaw == Some(next) {
                self.thaw()?;
            } else if retire == Some(next) {
                self.retire()?;
            } else {
                self.call(Call::Tick)?;
            }
            rounds += 1;
            ensure!(rounds < 1_000_000, "time does not pass: the shard wants to be woken for ever");
        }
        self.counts.simulated += (until - self.now.min(until)).0;
        self.now = self.now.max(until);
        Ok(())
    }

    fn arm(&mut self, faults: Faults) {
        self.trace.line(format_args!("{} to come: {faults:?}", self.now.0));
        self.disk.set_faults(faults);
    }
}

fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The batch without the facts that the canary leaves out; others of the same length that change nothing stand there instead.
fn blank(canary: Canary, batch: &Batch) -> Result<Batch, Violation> {
    let left_out = match canary {
        Canary::ForgetsLeases => tag::LEASED,
        Canary::ForgetsAdmissions => tag::ADMITTED,
        _ => return Ok(batch.clone()),
    };
    let facts = outline(&batch.bytes).map_err(|_| "a batch does not read".to_owned())?;
    let mut bytes = batch.bytes.to_vec();
    for (_, range) in facts.into_iter().filter(|(tag, _)| *tag == left_out) {
        // Tags that no queue has are removed: the queue's number, how many, and for each its length and text.
        let record = &mut bytes[range];
        let queue_bytes = record[1..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
        record[0] = tag::UNTAGGED;
        let keys = &mut record[1 + queue_bytes..];
        keys.fill(0);
        // Two bytes a key, of which the first one's text takes what is left over.
        if keys.len() > 1 {
            keys[0] = 1;
            let mut length = keys.len() - 2;
            let mut at = 1;
            if length >= 0x80 {
                length -= 1;
                keys[at] = (length & 0x7f) as u8 | 0x80;
                length >>= 7;
                at += 1;
            }
            keys[at] = length as u8;
        }
    }
    Ok(Batch { start: batch.start, bytes: bytes.into() })
}
