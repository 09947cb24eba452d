//! Which shard a command belongs to, and what several of them must be asked.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use kew_engine::identity::Caller;
use kew_engine::services::sqs::command::{Delivery, Page, QueueAction, Reply as SqsReply};
use kew_engine::services::sqs::settings::Changes;
use kew_engine::services::sqs::{self, Action, QueueKey, move_source};
use kew_engine::shard::{Command, Reply};
use kew_engine::transfer::{Known, Question};
use kew_wire::fault::Fault;
use tokio::sync::{Mutex, RwLockWriteGuard, Semaphore};

use crate::limits;
use crate::mailbox::{Answer, Handle, Refusal};
use crate::peers::{Seat, Shards};

/// The way to every shard.
#[derive(Debug, Clone)]
pub(crate) struct Router {
    map: Arc<Map>,
}

/// Where queues belong. It never changes while the server runs: a queue that is deleted and created again is where it was.
#[derive(Debug)]
struct Map {
    shards: Arc<Shards>,
    /// New queues are spread over so many shards.
    count: u32,
    /// Where queues lay when the server started.
    found: HashMap<QueueKey, u32>,
    /// Held while a move task starts: how many run is counted over all shards.
    starting: Mutex<()>,
    /// What concerns several shards goes on without its caller; so much at once.
    several: Arc<Semaphore>,
}

/// All shards, while nothing goes from one to another.
pub(crate) struct Held<'a> {
    shards: &'a Shards,
    _nothing_arrives: RwLockWriteGuard<'a, ()>,
}

impl Held<'_> {
    /// Each with its number.
    pub(crate) fn shards(&self) -> impl Iterator<Item = (u32, &Handle)> {
        (0..).zip(self.shards.seats()).filter_map(|(number, seat)| match seat {
            Seat::Open(handle) => Some((number, handle)),
            Seat::Damaged | Seat::Absent => None,
        })
    }
}

impl Router {
    /// Commands go to `shards`; those for queues not `found` anywhere to the first `count` of them.
    pub(crate) fn new(shards: Arc<Shards>, count: u32, found: HashMap<QueueKey, u32>) -> Self {
        let several = Arc::new(Semaphore::new(limits::SEVERAL));
        Self { map: Arc::new(Map { shards, count, found, starting: Mutex::new(()), several }) }
    }

    /// Asks the shard that `command` belongs to, or all that it concerns, and waits for the answer.
    pub(crate) async fn ask(&self, command: Command) -> Result<Answer, Refusal> {
        match self.map.only(&command)? {
            Some(shard) => shard.ask(command).await,
            // Rare. A caller who goes away does not end it halfway, and its locks with it.
            None => {
                let map = Arc::clone(&self.map);
                let place = Arc::clone(&map.several).try_acquire_owned().map_err(|_| Refusal::Busy)?;
                // The body's room is given back with its caller, so nothing of it may stay.
                let command = match command {
                    Command::Sqs(command) => Command::Sqs(command.own()),
                    other => other,
                };
                let asked = tokio::spawn(async move {
                    let _place = place;
                    map.ask_several(command).await
                });
                asked.await.unwrap_or(Err(Refusal::Unavailable))
            }
        }
    }

    /// Refuses whom the queue `key` refuses to let do this, `name` as policies spell it, before anything is done for the request.
    pub(crate) async fn admit(
        &self,
        caller: &Caller,
        key: &QueueKey,
        name: &'static str,
    ) -> Result<(), Fault> {
        match self.ask(find(caller, key, name)).await?.reply {
            Reply::Sqs(Err(refused)) => Err(refused),
            _ => Ok(()),
        }
    }

    /// Gives messages of a queue back that were received and reached nobody.
    pub(crate) fn give_back(&self, queue: &QueueKey, deliveries: Vec<Delivery>) {
        // From where they came, one can go back; and a shard that went since has forgotten that they were received.
        if let Ok(shard) = self.map.shard(queue) {
            shard.give_back(deliveries);
        }
    }

    /// Each shard's mailbox, of those that serve.
    pub(crate) fn shards(&self) -> impl Iterator<Item = &Handle> {
        self.map.shards.open()
    }

    /// The numbers of shards that do not serve because their data is damaged.
    pub(crate) fn damaged(&self) -> impl Iterator<Item = u32> {
        self.map.shards.damaged()
    }

    /// All shards with their numbers, while nothing goes from one to another: none if any is damaged.
    pub(crate) async fn hold(&self) -> Option<Held<'_>> {
        self.map.all_open().ok()?;
        Some(Held { shards: &self.map.shards, _nothing_arrives: self.map.shards.hold().await })
    }

    /// Answers every receive that waits with nothing.
    pub(crate) async fn release(&self) {
        for shard in self.shards() {
            // One that ends, or is opened again, has answered them by itself.
            let _ = shard.ask_for_peer(Command::Release).await;
        }
    }

    /// Ends all shards, everything answered and written down.
    pub(crate) async fn stop(&self) {
        for shard in self.map.shards.running() {
            shard.stop().await;
        }
    }
}

impl Map {
    /// The one shard that a command is for; `None` if several must be asked.
    fn only(&self, command: &Command) -> Result<Option<&Handle>, Refusal> {
        if let [Seat::Open(only)] = self.shards.seats() {
            return Ok(Some(only));
        }
        let Command::Sqs(sqs::Command { action, .. }) = command else { return Ok(None) };
        let key = match action {
            Action::List { .. } => return Ok(None),
            Action::CancelMove { handle } => match move_source(handle) {
                Some(source) => return self.shard(&source).map(Some),
                // Any of them refuses it.
                None => return Ok(self.shards.open().next()),
            },
            Action::Create { key, changes, .. } if self.is_alone(key, changes)? => key,
            Action::Create { .. } => return Ok(None),
            Action::Queue { key, action, .. } => match action {
                QueueAction::Sources { .. } | QueueAction::StartMove { .. } => return Ok(None),
                QueueAction::Change { changes } if !self.is_alone(key, changes)? => return Ok(None),
                _ => key,
            },
        };
        self.shard(key).map(Some)
    }

    /// Whether no dead-letter queue of another shard must be asked first.
    fn is_alone(&self, key: &QueueKey, changes: &Changes) -> Result<bool, Refusal> {
        let Some(redrive) = changes.redrive() else { return Ok(true) };
        Ok(self.place(key)? == self.place(&redrive.target)?)
    }

    /// The number of the shard where a queue lies, or belongs.
    fn place(&self, key: &QueueKey) -> Result<u32, Refusal> {
        if let Some(shard) = self.found.get(key) {
            return Ok(*shard);
        }
        // What was not found may lie in a shard that did not open: in any that some earlier count of shards placed it in. What those that
        // opened held is known, even if they serve no longer.
        let is_damaged = |shard: u32| matches!(self.shards.seats().get(shard as usize), Some(Seat::Damaged));
        let has_damage = self.shards.seats().iter().any(|seat| matches!(seat, Seat::Damaged));
        let counts = 1..=self.shards.seats().len() as u32;
        if has_damage && counts.map(|count| key.placement(count)).any(is_damaged) {
            return Err(Refusal::Damaged);
        }
        Ok(key.placement(self.count))
    }

    fn shard(&self, key: &QueueKey) -> Result<&Handle, Refusal> {
        self.shards.get(self.place(key)?).ok_or(Refusal::Damaged)
    }

    async fn ask_several(&self, command: Command) -> Result<Answer, Refusal> {
        let command = match command {
            Command::Sqs(command) => command,
            // Figures of those that serve are better than none.
            Command::Stats => return self.stats().await,
            Command::Reset => return self.shards.erase(self.reset()).await,
            other => {
                debug_assert!(false, "shards ask each other this: {other:?}");
                return Err(Refusal::Unavailable);
            }
        };
        match &command.action {
            Action::List { page, .. } => {
                let page = page.clone();
                self.all_open()?;
                let mut pages = Vec::new();
                for shard in self.shards.open() {
                    let answer = shard.ask(Command::Sqs(command.clone())).await?;
                    // Whoever may not list may not have an empty list either.
                    if !matches!(answer.reply, Reply::Sqs(Ok(_))) {
                        return Ok(answer);
                    }
                    pages.push(answer);
                }
                Ok(merge(pages, &page))
            }
            Action::Queue { key, action: QueueAction::Sources { page }, .. } => {
                let (key, page) = (key.clone(), page.clone());
                let own = self.place(&key)?;
                let first = self.shard(&key)?.ask(Command::Sqs(command)).await?;
                if !matches!(first.reply, Reply::Sqs(Ok(_))) {
                    return Ok(first);
                }
                self.all_open()?;
                let mut pages = vec![first];
                for shard in self.others(own) {
                    let question = Question::Sources { target: key.clone(), page: page.clone() };
                    pages.push(shard.ask(Command::Ask(question)).await?);
                }
                Ok(merge(pages, &page))
            }
            Action::Queue { key, name, action: QueueAction::StartMove { destination, .. } } => {
                // Whoever may not makes nobody wait.
                let admitted = self.shard(key)?.ask(find(&command.caller, key, name)).await?;
                if !matches!(admitted.reply, Reply::Sqs(Ok(_))) {
                    return Ok(admitted);
                }
                let _one_at_a_time = self.starting.lock().await;
                self.all_open()?;
                let (own, target) = (self.place(key)?, destination.clone());
                let origins = match target {
                    None => names(
                        self.shard(key)?.ask(Command::Ask(Question::Origins { of: key.clone() })).await?,
                    ),
                    Some(_) => Vec::new(),
                };
                let (caller, source) = (command.caller.clone(), key.clone());
                let question = Question::Move { caller, source, target, origins };
                let known = ask_each(self.others(own), &question).await?;
                self.shard(key)?.ask(Command::Informed(command, known)).await
            }
            Action::Create { key, changes, .. }
            | Action::Queue { key, action: QueueAction::Change { changes }, .. } => {
                let target = changes.redrive().map(|redrive| redrive.target.clone());
                let asked = target.as_ref().map(|target| self.shard(target)).transpose()?;
                let (caller, source, origins) = (command.caller.clone(), key.clone(), Vec::new());
                let question = Question::Move { caller, source, target, origins };
                let known = ask_each(asked.into_iter(), &question).await?;
                self.shard(key)?.ask(Command::Informed(command, known)).await
            }
            Action::Queue { key, .. } => self.shard(key)?.ask(Command::Sqs(command)).await,
            // None serves.
            Action::CancelMove { .. } => Err(Refusal::Damaged),
        }
    }

    /// An answer that leaves out what a damaged shard holds would be wrong.
    fn all_open(&self) -> Result<(), Refusal> {
        let has_damage = self.shards.damaged().next().is_some();
        if has_damage { Err(Refusal::Damaged) } else { Ok(()) }
    }

    fn others(&self, own: u32) -> impl Iterator<Item = &Handle> {
        let numbers = (0..self.shards.seats().len() as u32).filter(move |number| *number != own);
        numbers.filter_map(|number| self.shards.get(number))
    }

    async fn stats(&self) -> Result<Answer, Refusal> {
        let mut rows = Vec::new();
        for shard in self.shards.open() {
            if let Reply::Stats(some) = shard.ask(Command::Stats).await?.reply {
                rows.extend(some);
            }
        }
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Answer { reply: Reply::Stats(rows), payloads: Vec::new() })
    }

    async fn reset(&self) -> Result<Answer, Refusal> {
        for shard in self.shards.open() {
            shard.ask(Command::Reset).await?;
        }
        Ok(Answer { reply: Reply::Done, payloads: Vec::new() })
    }
}

/// The question whether a queue is there and lets the caller do this, `name` as policies spell it.
fn find(caller: &Caller, key: &QueueKey, name: &'static str) -> Command {
    let action = Action::Queue { key: key.clone(), name, action: QueueAction::Find };
    Command::Sqs(sqs::Command { caller: caller.clone(), action })
}

/// What several shards know together.
async fn ask_each(shards: impl Iterator<Item = &Handle>, question: &Question) -> Result<Known, Refusal> {
    let mut known = Known::default();
    for shard in shards {
        if let Reply::Known(more) = shard.ask(Command::Ask(question.clone())).await?.reply {
            known.merge(more);
        }
    }
    Ok(known)
}

/// The queues that an answer names.
fn names(answer: Answer) -> Vec<QueueKey> {
    match answer.reply {
        Reply::Sqs(Ok(SqsReply::Names { keys, .. })) => keys,
        _ => Vec::new(),
    }
}

/// One page of queues out of each shard's.
fn merge(pages: Vec<Answer>, page: &Page) -> Answer {
    let (mut all, mut follows) = (Vec::new(), false);
    for answer in pages {
        if let Reply::Sqs(Ok(SqsReply::Names { keys, more })) = answer.reply {
            all.extend(keys);
            follows |= more;
        }
    }
    all.sort_unstable();
    let more = follows || all.len() > page.max;
    all.truncate(page.max);
    Answer { reply: Reply::Sqs(Ok(SqsReply::Names { keys: all, more })), payloads: Vec::new() }
}
