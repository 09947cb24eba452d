//! The engine alone against the model: no disk, no crashes, every batch durable as soon as it is made. Fast, and exact
//! about the gate: an answer may leave when, and only when, all that was decided up to it is durable.

use std::collections::BTreeMap;

use kew_engine::services::sqs::command::Reply as SqsReply;
use kew_engine::shard::{Reply, Shard, Stamp, Token};
use kew_engine::time::Moment;

use crate::auditor::{AUDITOR, Auditor, Call, Outcome};
use crate::model::{Model, Violation, ensure};
use crate::operation::Operation;
use crate::plan::Plan;
use crate::random::Random;
use crate::shelf::Shelf;
use crate::workload::Clients;

/// Where the simulated journal begins, and what it puts in front of each batch.
const START: u64 = 100;
const OVERHEAD: u64 = 20;

/// The engine and its judge.
struct Bare {
    shard: Shard,
    auditor: Auditor,
    clients: Clients,
    asked: BTreeMap<Token, Operation>,
    now: Moment,
    random: Random,
    next_token: u64,
}

/// Runs `steps` requests of `seed`.
///
/// # Errors
/// What the engine did that it may not.
pub fn run(seed: u64, steps: u64) -> Result<BTreeMap<&'static str, u64>, Violation> {
    let plan = Plan::draw(seed, steps, None);
    let config = plan.config(OVERHEAD);
    let twin = Shard::new(config.clone(), START);
    let mut bare = Bare {
        shard: Shard::new(config, START),
        auditor: Auditor::new(Model::new(&plan), twin, Shelf::default(), true),
        clients: Clients::default(),
        asked: BTreeMap::new(),
        now: Moment(1_800_000_000_000),
        random: Random::new(seed),
        next_token: 0,
    };
    for operation in plan.workload.prepare(&mut Random::of(seed, u64::MAX)) {
        bare.submit(operation)?;
    }
    for step in 0..steps {
        bare.random = Random::of(seed, step);
        if bare.random.percent(3) {
            bare.hang_up()?;
        }
        let operation = plan.workload.operation(step, &mut bare.random, &bare.clients);
        let told = operation.to_string();
        bare.submit(operation).map_err(|why| format!("seed {seed}, step {step}, {told}: {why}"))?;
        let until = bare.now + plan.pauses.draw(&mut bare.random);
        bare.pass(until).map_err(|why| format!("seed {seed}, after step {step}: {why}"))?;
    }
    let stamp = bare.stamp();
    bare.auditor.inspect(stamp)?;
    Ok(bare.auditor.model.marks)
}

impl Bare {
    fn stamp(&mut self) -> Stamp {
        Stamp { now: self.now, seed: self.random.number() }
    }

    fn submit(&mut self, operation: Operation) -> Result<(), Violation> {
        self.next_token += 1;
        let token = Token(self.next_token);
        self.asked.insert(token, operation.clone());
        self.call(&Call::Submit(token, operation))
    }

    fn hang_up(&mut self) -> Result<(), Violation> {
        let tokens: Vec<Token> = self.auditor.model.waiters.iter().map(|waiter| waiter.token).collect();
        if tokens.is_empty() {
            return Ok(());
        }
        let token = *self.random.pick(&tokens);
        self.call(&Call::Cancel(token))
    }

    fn pass(&mut self, until: Moment) -> Result<(), Violation> {
        while let Some(deadline) = self.shard.next_deadline().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            self.call(&Call::Tick)?;
        }
        self.now = until;
        Ok(())
    }

    fn call(&mut self, call: &Call) -> Result<(), Violation> {
        let stamp = self.stamp();
        call.perform(&mut self.shard, stamp)?;
        let decided = self.auditor.call(stamp, call)?;
        self.auditor.share_looks(&mut self.shard);
        self.auditor.check_deadline(self.shard.next_deadline())?;
        let batch = self.shard.poll_append();
        self.auditor.poll_append(batch.as_ref())?;
        if let Some(batch) = &batch {
            let early = self.poll_reply();
            ensure!(early.is_none(), "an answer was given before its batch was durable: {early:?}");
            self.shard.handle_durable(batch.start + batch.bytes.len() as u64);
        }
        for _ in &decided {
            let Some((token, reply)) = self.poll_reply() else {
                return Err("an answer is withheld although everything is durable".to_owned());
            };
            self.auditor.receive(token, &reply, u64::MAX)?;
        }
        for (token, reply) in decided {
            self.learn(token, &reply);
        }
        Ok(())
    }

    /// The next answer but those to the auditor.
    fn poll_reply(&mut self) -> Option<(Token, Reply)> {
        std::iter::from_fn(|| self.shard.poll_reply()).find(|(token, _)| *token != AUDITOR)
    }

    fn learn(&mut self, token: Token, reply: &Outcome) {
        let Some(operation) = self.asked.remove(&token) else { return };
        match (reply, operation.queue()) {
            (Ok(SqsReply::Received(deliveries)), Some(queue)) => {
                for delivery in deliveries.iter().filter(|delivery| !delivery.handle.is_empty()) {
                    self.clients.learn(queue, delivery.handle.clone());
                }
            }
            (Ok(SqsReply::Started { handle }), _) => self.clients.tasks.push(handle.clone()),
            _ => {}
        }
    }
}
