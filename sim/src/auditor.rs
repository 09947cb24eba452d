//! Judges everything that the engine does, at the moment at which it decides.
//!
//! A shard withholds its answers until they are durable, so what it decided, and when, is not seen from outside. The
//! auditor therefore keeps a *twin*: a second shard that gets the same calls and is told at once that all of it is
//! durable. Its answers come out at their decision and are judged by the model; the shard under test must then give
//! exactly the same answers, make exactly the same batches, and give no answer before its batch is durable.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use kew_engine::cold::{Standing, Stored, Thaw};
use kew_engine::services::sqs;
use kew_engine::services::sqs::command::{Delivery, MoveTask, Reply as SqsReply};
use kew_engine::shard::{Batch, Command, Config, Reply, Shard, Stamp, Token};
use kew_engine::time::Moment;
use kew_wire::fault::Fault;

use crate::model::{Look, Model, Violation, ensure};
use crate::operation::{Name, Operation, is_fifo, name_of};
use crate::shelf::{Away, Shelf};
use crate::speech;

/// An answer of the queue service.
pub type Outcome = Result<sqs::Reply, Fault>;

/// The token of the auditor's own questions to the twin.
pub const AUDITOR: Token = Token(u64::MAX);

/// Something that happens to a shard.
#[derive(Debug, Clone)]
pub enum Call {
    /// A request.
    Submit(Token, Operation),
    /// A retirement tells what it stored.
    Store(Token, Vec<Stored>),
    /// A piece of a cold file was read.
    Thaw(Thaw, Bytes),
    /// Time passed.
    Tick,
    /// The caller of a request has gone.
    Cancel(Token),
    /// The process stops: whoever waits is let go.
    Release,
    /// An answer did not reach its caller.
    Abandon(Name, Vec<Delivery>),
}

impl Call {
    /// Does it to a shard.
    pub fn perform(&self, shard: &mut Shard, stamp: Stamp) -> Result<(), Violation> {
        match self {
            Self::Submit(token, operation) => shard.submit(stamp, *token, speech::command(operation)),
            Self::Store(token, stored) => shard.submit(stamp, *token, Command::Stored(stored.clone())),
            Self::Thaw(thaw, bytes) => {
                let thawed = shard.thawed(stamp, thaw, bytes.clone());
                thawed
                    .map_err(|_| format!("the shard does not take {thaw:?}, which is as it was written"))?;
            }
            Self::Tick => shard.tick(stamp),
            Self::Cancel(token) => shard.cancel(*token),
            Self::Release => shard.release_waiters(stamp),
            Self::Abandon(_, deliveries) => shard.abandon(stamp, deliveries),
        }
        Ok(())
    }
}

/// An answer that was judged rightful, and that the shard under test owes.
#[derive(Debug)]
pub struct Owed {
    /// The answer as text, to compare.
    pub text: String,
    /// Number and size of each delivered message's payload.
    pub payloads: Vec<(u64, usize)>,
    /// How many batches must be durable before this answer may be given.
    pub batches: u64,
}

/// The judge.
#[derive(Debug)]
pub struct Auditor {
    /// What must be.
    pub model: Model,
    twin: Shard,
    owed: BTreeMap<Token, Owed>,
    operations: BTreeMap<Token, Operation>,
    /// Batches made so far.
    batches: u64,
    /// Questions that only the twin was asked so far.
    looks: Vec<(Stamp, Command)>,
    /// Cold files that are to be removed, each once so many batches are durable.
    drops: VecDeque<(u64, u64)>,
    /// What cold files hold.
    pub shelf: Shelf,
    /// Whether the counts of every queue are compared after every call.
    counts: bool,
}

impl Auditor {
    /// A judge of a shard that began as `twin` does and must be as `model` says.
    ///
    /// `counts` says whether the counts of every queue are compared after every call; a look lets time pass in the queue
    /// that is looked at, so without it the engine is seen doing that on its own.
    pub fn new(model: Model, mut twin: Shard, shelf: Shelf, counts: bool) -> Self {
        twin.handle_durable(u64::MAX);
        let (owed, operations, drops) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        Self { model, twin, owed, operations, batches: 0, looks: Vec::new(), drops, shelf, counts }
    }

    /// Asks the shard under test what the twin was asked, so that the two stay alike.
    pub fn share_looks(&mut self, shard: &mut Shard) {
        for (stamp, command) in self.looks.drain(..) {
            shard.submit(stamp, AUDITOR, command);
        }
        while let Some(chunk) = self.twin.poll_drop() {
            self.drops.push_back((chunk, self.batches + 1));
        }
    }

    /// Makes the same call as was made to the shard under test, and judges what comes of it.
    pub fn call(&mut self, stamp: Stamp, call: &Call) -> Result<Vec<(Token, Outcome)>, Violation> {
        let standings = self.twin.standings();
        let away = standings.iter().filter_map(|it| Some((name_of(&it.key)?, self.shelf.away(it)))).collect();
        self.model.begin(stamp.now, away);
        // A task may move messages, which are known by where their payloads lie: at once, or when it goes on. What came since the
        // last step, and what was copied since then, lies elsewhere.
        let starting = match call {
            Call::Submit(_, Operation::StartMove { queue, .. }) => Some(*queue),
            _ => None,
        };
        for queue in self.model.moving().chain(starting).collect::<Vec<_>>() {
            let shown = self.look(stamp).messages(queue);
            self.model.learn_payloads(queue, &shown);
        }
        call.perform(&mut self.twin, stamp)?;
        let mut own = None;
        match call {
            Call::Submit(token, operation) => {
                own = Some(*token);
                self.operations.insert(*token, operation.clone());
            }
            Call::Store(token, _) => own = Some(*token),
            Call::Tick | Call::Thaw(..) => {}
            Call::Cancel(token) => self.model.cancel(*token),
            Call::Release => self.model.release(),
            Call::Abandon(name, deliveries) => self.model.abandon(name, deliveries),
        }
        let mut answers = Vec::new();
        while let Some(answer) = self.twin.poll_reply() {
            answers.push(answer);
        }
        if let Some(token) = own.filter(|token| answers.iter().all(|(answered, _)| answered != token)) {
            let operation = self.operations.get(&token).cloned();
            let operation = operation.ok_or("what was stored is not acknowledged")?;
            let mut look = Twin::new(&mut self.twin, &mut self.looks, &self.shelf, stamp);
            self.model.wait(token, &operation, &mut look)?;
        }
        // Who asked comes first: a deleted queue's waiters are told so before its deleter is.
        answers.sort_by_key(|(token, _)| own != Some(*token));
        let mut told = Vec::new();
        for (token, reply) in answers {
            let reply = outcome(reply)?;
            self.judge(stamp, token, own == Some(token), &reply)
                .map_err(|why| format!("{why}\n  in the answer {reply:02x?}"))?;
            told.push((token, reply));
        }
        let deadline = self.twin.next_deadline();
        let mut look = Twin::new(&mut self.twin, &mut self.looks, &self.shelf, stamp);
        self.model.settle(deadline, &mut look)?;
        self.inspect_counts(stamp)?;
        Ok(told)
    }

    /// The shard under test wants a piece of a cold file, or none. So must its twin.
    pub fn poll_thaw(&mut self, thaw: Option<Thaw>) -> Result<(), Violation> {
        let twin = self.twin.poll_thaw();
        ensure!(twin == thaw, "two shards with the same calls ask for {thaw:?} and {twin:?}");
        Ok(())
    }

    /// The shard under test lets go of a cold file when `durable` batches are.
    pub fn drop_file(&mut self, chunk: u64, durable: u64) -> Result<(), Violation> {
        let expected = self.drops.pop_front();
        ensure!(
            expected.is_some_and(|(expected, batches)| expected == chunk && batches <= durable),
            "cold file {chunk} is let go of when {durable} batches are durable, expected {expected:?}"
        );
        Ok(())
    }

    /// Cold files that are to be removed once it is durable that nothing is left in them.
    pub fn drops(&self) -> impl Iterator<Item = u64> {
        self.drops.iter().map(|(chunk, _)| *chunk)
    }

    /// Every message of a queue, wherever it stands, with where its payload lies.
    pub fn messages(&mut self, stamp: Stamp, queue: Name) -> Vec<Delivery> {
        self.look(stamp).messages(queue)
    }

    fn look(&mut self, stamp: Stamp) -> Twin<'_> {
        Twin::new(&mut self.twin, &mut self.looks, &self.shelf, stamp)
    }

    /// Whether a shard that wants to be woken at `deadline` misses nothing.
    pub fn check_deadline(&self, deadline: Option<Moment>) -> Result<(), Violation> {
        let expected = self.model.next_deadline();
        ensure!(
            expected.is_none_or(|expected| deadline.is_some_and(|deadline| deadline <= expected)),
            "something must happen at {expected:?}, the shard's next deadline is {deadline:?}"
        );
        Ok(())
    }

    /// Makes the same batch as the shard under test made.
    pub fn poll_append(&mut self, batch: Option<&Batch>) -> Result<(), Violation> {
        let twin = self.twin.poll_append();
        let same = match (&twin, batch) {
            (None, None) => true,
            (Some(twin), Some(batch)) => twin.start == batch.start && twin.bytes == batch.bytes,
            _ => false,
        };
        ensure!(same, "two shards with the same calls made different batches: {batch:02x?} and {twin:02x?}");
        self.batches += u64::from(batch.is_some());
        Ok(())
    }

    /// The shard under test gave an answer when `durable` batches were durable. It must be the one that it owes.
    pub fn receive(&mut self, token: Token, reply: &Reply, durable: u64) -> Result<Answered, Violation> {
        let Some(owed) = self.owed.remove(&token) else {
            return Err(format!("an answer to {token:?} that is not owed: {reply:?}"));
        };
        let reply = outcome(reply.clone())?;
        let text = format!("{reply:?}");
        ensure!(text == owed.text, "two shards with the same calls answer\n  {text}\nand\n  {}", owed.text);
        ensure!(
            durable >= owed.batches,
            "an answer that rests on {} batches was given when {durable} were durable: {text}",
            owed.batches
        );
        let operation = self.operations.remove(&token);
        Ok(Answered { operation, reply, payloads: owed.payloads })
    }

    /// Tokens whose answers are decided but not given yet.
    pub fn owed(&self) -> impl Iterator<Item = Token> {
        self.owed.keys().copied()
    }

    /// How many batches were made.
    pub fn batches(&self) -> u64 {
        self.batches
    }

    /// Compares everything that can be seen with the model.
    pub fn inspect(&mut self, stamp: Stamp) -> Result<(), Violation> {
        self.model.advance(stamp.now);
        let names: Vec<Name> = self.model.queues.keys().copied().collect();
        for queue in names {
            for operation in [
                Operation::View { queue },
                Operation::Peek { queue },
                Operation::Tags { queue },
                Operation::ListMoves { queue },
            ] {
                let mut look = Twin::new(&mut self.twin, &mut self.looks, &self.shelf, stamp);
                let reply = match operation {
                    Operation::Peek { queue } => Ok(SqsReply::Received(look.messages(queue))),
                    _ => look.ask(&operation),
                };
                self.model
                    .check(&operation, &reply, &mut look)
                    .map_err(|why| format!("{operation}: {why}"))?;
            }
        }
        self.inspect_stats(stamp)?;
        let operation = Operation::List { prefix: "", max: 1000 };
        let mut look = Twin::new(&mut self.twin, &mut self.looks, &self.shelf, stamp);
        let reply = look.ask(&operation);
        self.model.check(&operation, &reply, &mut look).map_err(|why| format!("{operation}: {why}"))
    }

    /// Compares the figures for metrics with the model.
    fn inspect_stats(&mut self, stamp: Stamp) -> Result<(), Violation> {
        // Asked twice: the first lets time pass, and what has expired meanwhile may then leave from behind a window. What the second
        // tells is as the looks below find it.
        let mut figures = || {
            self.looks.push((stamp, Command::Stats));
            self.twin.submit(stamp, AUDITOR, Command::Stats);
            match self.twin.poll_reply() {
                Some((AUDITOR, Reply::Stats(rows))) => Ok(rows),
                _ => Err("expected figures".to_owned()),
            }
        };
        figures()?;
        let rows = figures()?;
        let mut look = Twin::new(&mut self.twin, &mut self.looks, &self.shelf, stamp);
        self.model.check_stats(&rows, &mut look)
    }

    fn inspect_counts(&mut self, stamp: Stamp) -> Result<(), Violation> {
        if !self.counts {
            return Ok(());
        }
        let names: Vec<Name> = self.model.queues.keys().copied().collect();
        for queue in names {
            let operation = Operation::View { queue };
            let mut look = Twin::new(&mut self.twin, &mut self.looks, &self.shelf, stamp);
            let reply = look.ask(&operation);
            self.model.check(&operation, &reply, &mut look)?;
        }
        Ok(())
    }

    fn judge(&mut self, stamp: Stamp, token: Token, own: bool, reply: &Outcome) -> Result<(), Violation> {
        let Some(operation) = self.operations.get(&token) else {
            ensure!(own, "an answer to {token:?}, which was never asked");
            let batches = self.batches + 1;
            self.owed.insert(token, Owed { text: format!("{reply:?}"), payloads: Vec::new(), batches });
            return Ok(());
        };
        let mut look = Twin::new(&mut self.twin, &mut self.looks, &self.shelf, stamp);
        if let Operation::Peek { queue } = operation
            && reply.is_ok()
        {
            let shown = Ok(SqsReply::Received(look.messages(queue)));
            self.model.check(operation, &shown, &mut look)?;
        } else if own {
            self.model.check(operation, reply, &mut look)?;
        } else {
            self.model.check_waiter(token, reply, &mut look)?;
        }
        let mut payloads = Vec::new();
        if let (Ok(SqsReply::Received(deliveries)), Some(queue)) = (reply, operation.queue()) {
            for delivery in deliveries {
                // What has expired is still shown where nobody has noticed.
                let found = self.model.queues.get(queue).and_then(|queue| {
                    let mut known = queue.messages.iter().chain(&queue.expired);
                    known.find(|message| message.id == delivery.id)
                });
                let Some(message) = found else { return Err("a delivery from nowhere".to_owned()) };
                payloads.push((message.body, message.size));
            }
        }
        // What changed something lies in the batch that is still open; the rest may rest on the batches before alone.
        let batches = self.batches + u64::from(changes_something(reply));
        self.owed.insert(token, Owed { text: format!("{reply:?}"), payloads, batches });
        Ok(())
    }
}

/// An answer that reached its caller.
#[derive(Debug)]
pub struct Answered {
    /// What was asked; `None` of a retirement.
    pub operation: Option<Operation>,
    /// The answer.
    pub reply: Outcome,
    /// Number and size of each delivered message's payload.
    pub payloads: Vec<(u64, usize)>,
}

/// Questions to the twin that change nothing that callers see.
struct Twin<'a> {
    shard: &'a mut Shard,
    looks: &'a mut Vec<(Stamp, Command)>,
    shelf: &'a Shelf,
    stamp: Stamp,
}

impl<'a> Twin<'a> {
    fn new(
        shard: &'a mut Shard,
        looks: &'a mut Vec<(Stamp, Command)>,
        shelf: &'a Shelf,
        stamp: Stamp,
    ) -> Self {
        Self { shard, looks, shelf, stamp }
    }

    fn standing(&self, queue: Name) -> Option<Standing> {
        self.shard.standings().into_iter().find(|standing| name_of(&standing.key) == Some(queue))
    }

    fn ask(&mut self, operation: &Operation) -> Outcome {
        let command = speech::command(operation);
        self.looks.push((self.stamp, command.clone()));
        self.shard.submit(self.stamp, AUDITOR, command);
        match self.shard.poll_reply() {
            Some((AUDITOR, Reply::Sqs(reply))) => reply,
            other => panic!("the twin answers {operation} with {other:?}"),
        }
    }
}

impl Look for Twin<'_> {
    fn messages(&mut self, queue: Name) -> Vec<Delivery> {
        let mut deliveries = match self.ask(&Operation::Peek { queue }) {
            Ok(SqsReply::Received(deliveries)) => deliveries,
            _ => Vec::new(),
        };
        // A peek does not read cold files.
        let pieces = self.standing(queue).map(|standing| standing.pieces).unwrap_or_default();
        let cold = pieces.iter().flat_map(|piece| self.shelf.messages(piece));
        deliveries.extend(
            cold.map(|message| Delivery { sequence: message.sequence.filter(|_| is_fifo(queue)), ..message }),
        );
        deliveries
    }

    fn away(&mut self, queue: Name) -> Away {
        self.standing(queue).map(|standing| self.shelf.away(&standing)).unwrap_or_default()
    }

    fn moves(&mut self, queue: Name) -> Vec<MoveTask> {
        match self.ask(&Operation::ListMoves { queue }) {
            Ok(SqsReply::Moves(tasks)) => tasks,
            _ => Vec::new(),
        }
    }
}

fn changes_something(reply: &Outcome) -> bool {
    match reply {
        Ok(SqsReply::Received(deliveries)) => deliveries.iter().any(|delivery| !delivery.handle.is_empty()),
        Ok(SqsReply::Started { .. } | SqsReply::Cancelled { .. }) => true,
        _ => false,
    }
}

/// The queue service's answer, or that of the shard in its words.
fn outcome(reply: Reply) -> Result<Outcome, Violation> {
    match reply {
        Reply::Sqs(outcome) => Ok(outcome),
        Reply::Done => Ok(Ok(SqsReply::Done)),
        Reply::Stats(_) | Reply::Known(_) | Reply::Arrived(_) => {
            Err(format!("an answer of another kind: {reply:?}"))
        }
    }
}

/// A line about an answer.
pub fn summary(reply: &Outcome) -> String {
    let short = |id: &[u8; 16]| format!("{:02x}{:02x}{:02x}", id[0], id[1], id[2]);
    match reply {
        Err(fault) => format!("fault {}", fault.kind.name),
        Ok(SqsReply::Sent(outcomes)) => {
            let one = |outcome: &Result<sqs::command::Receipt, Fault>| match outcome {
                Ok(receipt) => short(&receipt.id),
                Err(fault) => fault.kind.name.to_owned(),
            };
            format!("sent {}", outcomes.iter().map(one).collect::<Vec<_>>().join(" "))
        }
        Ok(SqsReply::Received(deliveries)) => {
            let one = |delivery: &Delivery| format!("{}x{}", short(&delivery.id), delivery.receive_count);
            format!("received {}", deliveries.iter().map(one).collect::<Vec<_>>().join(" "))
        }
        Ok(SqsReply::Entries(outcomes)) => {
            let one = |outcome: &Result<(), Fault>| {
                outcome.as_ref().map_or_else(|fault| fault.kind.name, |()| "ok")
            };
            format!("entries {}", outcomes.iter().map(one).collect::<Vec<_>>().join(" "))
        }
        Ok(SqsReply::View(view)) => format!("view {}/{}/{}", view.visible, view.in_flight, view.delayed),
        Ok(other) => format!("{other:?}"),
    }
}

/// A shard with nothing in it, or one rebuilt from a snapshot.
pub fn build(config: &Config, start: u64, snapshot: Option<Bytes>) -> Result<Shard, Violation> {
    match snapshot {
        None => Ok(Shard::new(config.clone(), start)),
        Some(bytes) => Shard::restore(config.clone(), start, bytes)
            .map_err(|error| format!("the shard does not take its own snapshot: {error}")),
    }
}
