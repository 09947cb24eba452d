//! What the queues must do, written down in the plainest way: lists that are scanned, nothing indexed, nothing clever.
//!
//! The model does not predict which of several rightful answers comes; it is shown each answer, says whether it is
//! rightful, and takes over what it implies. It knows nothing of journals, batches or crashes: after a crash the world
//! goes back to the model as it was when the last surviving batch was made.

mod entries;
mod lifecycle;
mod moves;
mod queue;
mod receive;
mod send;

use std::collections::{BTreeMap, BTreeSet};

use kew_engine::services::sqs;
use kew_engine::services::sqs::command::{Delivery, MoveTask};
use kew_engine::shard::Token;
use kew_engine::time::{Millis, Moment};
use kew_wire::Text;
use kew_wire::fault::Fault;

pub use self::moves::Move;
pub use self::queue::{Attributes, Id, Message, Queue, State};
use crate::operation::{Name, Operation};
use crate::plan::Plan;
use crate::shelf::Away;

/// Why an answer is wrong: what was expected and what came.
pub type Violation = String;

/// Fails with a violation unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($why:tt)+) => {
        if !$condition {
            return Err(format!($($why)+));
        }
    };
}
pub(crate) use ensure;

/// A way to look into the engine's queues where an answer alone does not tell which of several rightful things happened.
pub trait Look {
    /// Every message of the queue, as Peek shows them, and those in cold files.
    fn messages(&mut self, queue: Name) -> Vec<Delivery>;
    /// Which of them no receive reaches as yet.
    fn away(&mut self, queue: Name) -> Away;
    /// The move tasks of the queue, newest first.
    fn moves(&mut self, queue: Name) -> Vec<MoveTask>;
}

/// A receive that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiter {
    /// Whose answer it is.
    pub token: Token,
    /// Where it waits.
    pub queue: Name,
    /// How many messages it takes.
    pub max: usize,
    /// Its own visibility timeout in seconds.
    pub visibility: Option<u32>,
    /// ReceiveRequestAttemptId.
    pub attempt: Option<Text>,
    /// When it must be answered at the latest.
    pub until: Moment,
    /// Whether messages are on their way to it from disk, and it may wait until they come.
    pub thaws: bool,
    /// Whether it is to be answered whatever there is.
    pub is_released: bool,
}

/// The queues as they must be.
#[derive(Debug, Clone)]
pub struct Model {
    /// Whether PurgeQueue and CreateQueue refuse for a minute.
    waits: bool,
    /// How many messages of a FIFO queue are searched for free groups.
    fifo_window: u64,
    /// How many messages of a standard queue may be delayed at once, and how many a FIFO queue remembers.
    room: (u64, usize),
    /// The process stops: nobody waits any longer.
    stops: bool,
    /// The last moment seen.
    pub now: Moment,
    /// The queues that exist.
    pub queues: BTreeMap<Name, Queue>,
    /// When queues that are gone were deleted.
    deleted: BTreeMap<Name, Moment>,
    /// The receives that wait.
    pub waiters: Vec<Waiter>,
    /// Move tasks of queues that exist, oldest first.
    pub moves: Vec<Move>,
    /// Every id given to a message so far.
    ids: BTreeSet<Id>,
    /// The handles of queues that are gone, by name.
    old_handles: BTreeMap<Text, Name>,
    /// Messages that other queues' doings brought in during this call. A receive of the same call may have come before them.
    arrived: Vec<Id>,
    /// What was behind the windows when this call began.
    away: BTreeMap<Name, Away>,
    /// How often the rarer things happened, so that a workload gone dull is noticed.
    pub marks: BTreeMap<&'static str, u64>,
}

impl Model {
    /// No queues.
    pub fn new(plan: &Plan) -> Self {
        Self {
            waits: plan.waits,
            fifo_window: plan.sizes.fifo_window as u64,
            room: (plan.sizes.delayed as u64, plan.sizes.remembered),
            stops: false,
            now: Moment(0),
            queues: BTreeMap::new(),
            deleted: BTreeMap::new(),
            waiters: Vec::new(),
            moves: Vec::new(),
            ids: BTreeSet::new(),
            old_handles: BTreeMap::new(),
            arrived: Vec::new(),
            away: BTreeMap::new(),
            marks: BTreeMap::new(),
        }
    }

    /// Something happens; `away` says what no receive reaches before.
    pub fn begin(&mut self, now: Moment, away: BTreeMap<Name, Away>) {
        self.away = away;
        self.queues.values_mut().for_each(|queue| queue.arrivals_before = queue.arrivals);
        self.arrived.clear();
        self.advance(now);
    }

    /// Time passes.
    pub fn advance(&mut self, now: Moment) {
        self.now = self.now.max(now);
        let mut expired = 0;
        for queue in self.queues.values_mut() {
            let before = queue.messages.len();
            queue.advance(self.now);
            expired += before - queue.messages.len();
        }
        if expired > 0 {
            self.mark("a message expires");
        }
    }

    /// Judges the answer to an operation that was answered at once, and takes over what it implies.
    pub fn check(
        &mut self,
        operation: &Operation,
        reply: &Result<sqs::Reply, Fault>,
        look: &mut dyn Look,
    ) -> Result<(), Violation> {
        if let Some(name) = operation.queue() {
            let creates = matches!(operation, Operation::Create { .. });
            let moves = matches!(operation, Operation::StartMove { .. } | Operation::ListMoves { .. });
            if !creates && !moves && !self.queues.contains_key(name) {
                return expect_fault(reply, &["QueueDoesNotExist"]);
            }
        }
        match operation {
            Operation::Create { queue, settings } => self.created(queue, settings, reply),
            Operation::Remove { queue } => self.removed(queue, reply),
            Operation::Purge { queue } => self.purged(queue, reply),
            Operation::Change { queue, settings } => self.changed(queue, settings, reply, look),
            Operation::View { queue } => self.viewed(queue, reply, look),
            Operation::List { prefix, max } => self.listed(prefix, *max, reply),
            Operation::Tag { queue, key, value } => self.tagged(queue, key, Some(value), reply),
            Operation::Untag { queue, key } => self.tagged(queue, key, None, reply),
            Operation::Tags { queue } => self.tags(queue, reply),
            Operation::Sources { queue } => self.sources(queue, reply),
            Operation::Send { queue, messages } => self.sent(queue, messages, reply),
            Operation::Receive { queue, max, visibility, attempt, .. } => {
                self.received(queue, *max, *visibility, attempt.as_ref(), reply, look)
            }
            Operation::Delete { queue, handles } => self.deleted(queue, handles, reply),
            Operation::ChangeVisibility { queue, changes } => self.visibility_changed(queue, changes, reply),
            Operation::StartMove { queue, destination, per_second } => {
                self.move_started(queue, *destination, *per_second, reply)
            }
            Operation::CancelMove { handle } => self.move_cancelled(handle, reply),
            Operation::ListMoves { queue } => self.moves_listed(queue, reply),
            Operation::Peek { queue } => self.peeked(queue, reply),
            Operation::Reset => self.reset(reply),
        }
    }

    /// A receive was not answered at once: it must be allowed to wait.
    pub fn wait(
        &mut self,
        token: Token,
        operation: &Operation,
        look: &mut dyn Look,
    ) -> Result<(), Violation> {
        let Operation::Receive { queue, max, visibility, wait, attempt } = operation else {
            return Err(format!("expected an answer at once, got none to {operation}"));
        };
        let Some(state) = self.queues.get(queue) else {
            return Err(format!("expected a fault at once: {queue} does not exist"));
        };
        let wait = wait.unwrap_or(state.attributes.wait);
        let thaws = look.away(queue).thaws;
        ensure!(wait > 0 || thaws, "expected an answer at once: the receive on {queue} has no time to wait");
        let until = self.now + Millis::seconds(wait);
        let (max, visibility, attempt) = (*max, *visibility, attempt.clone());
        let waiter = Waiter { token, queue, max, visibility, attempt, until, thaws, is_released: false };
        self.waiters.push(waiter);
        self.follow_dead_letters(look)
    }

    /// Judges the answer to a receive that waited.
    pub fn check_waiter(
        &mut self,
        token: Token,
        reply: &Result<sqs::Reply, Fault>,
        look: &mut dyn Look,
    ) -> Result<(), Violation> {
        let Some(at) = self.waiters.iter().position(|waiter| waiter.token == token) else {
            return Err(format!("an answer to {token:?}, which does not wait for one: {reply:?}"));
        };
        self.follow_moves(look)?;
        self.follow_dead_letters(look)?;
        let waiter = self.waiters.remove(at);
        self.mark("a receive that waited is answered");
        if !self.queues.contains_key(waiter.queue) {
            return match reply {
                Ok(sqs::Reply::Received(deliveries)) if deliveries.is_empty() => Ok(()),
                other => expect_fault(other, &["QueueDoesNotExist"]),
            };
        }
        if let Ok(sqs::Reply::Received(deliveries)) = reply
            && deliveries.is_empty()
        {
            ensure!(
                waiter.until <= self.now,
                "an empty answer to a receive on {} at {}, which had until {} to wait",
                waiter.queue,
                self.now.0,
                waiter.until.0
            );
            if self.stops || waiter.is_released {
                return Ok(());
            }
        }
        self.received(waiter.queue, waiter.max, waiter.visibility, waiter.attempt.as_ref(), reply, look)
    }

    /// The caller of a waiting receive hung up.
    pub fn cancel(&mut self, token: Token) {
        self.waiters.retain(|waiter| waiter.token != token);
    }

    /// Who may receive from a queue has changed: whoever waits there is answered and asks again.
    fn release_from(&mut self, queue: Name) {
        for waiter in self.waiters.iter_mut().filter(|waiter| waiter.queue == queue) {
            (waiter.until, waiter.is_released) = (self.now, true);
        }
    }

    /// The process stops: nobody may wait any longer.
    pub fn release(&mut self) {
        self.waiters.iter_mut().for_each(|waiter| waiter.until = self.now);
        self.stops = true;
    }

    /// What must hold after every call; `deadline` is when the engine wants to be woken.
    pub fn settle(&mut self, deadline: Option<Moment>, look: &mut dyn Look) -> Result<(), Violation> {
        self.follow_moves(look)?;
        self.follow_dead_letters(look)?;
        if deadline.is_some_and(|deadline| deadline <= self.now) {
            // It was not woken when it asked for that, so something may be overdue.
            return Ok(());
        }
        for waiter in &mut self.waiters {
            let away = look.away(waiter.queue);
            waiter.thaws = away.thaws;
            ensure!(
                !waiter.is_released && (waiter.until > self.now || away.thaws),
                "a receive on {} that could wait until {} still waits at {}",
                waiter.queue,
                waiter.until.0,
                self.now.0
            );
            let Some(queue) = self.queues.get(waiter.queue) else {
                return Err(format!("a receive still waits on {}, which is gone", waiter.queue));
            };
            let receivable = queue.receivable(self.now);
            let (out, within): (Vec<usize>, Vec<usize>) =
                receivable.into_iter().partition(|at| away.ids.contains(&queue.messages[*at].id));
            ensure!(
                within.is_empty(),
                "a receive still waits on {} at {} although {} messages are receivable",
                waiter.queue,
                self.now.0,
                within.len()
            );
            ensure!(
                out.is_empty() || away.thaws || (queue.fifo && away.occupied >= self.fifo_window),
                "a receive waits on {} at {}, {} messages wait behind the window, and none comes: {away:?}",
                waiter.queue,
                self.now.0,
                out.len()
            );
        }
        Ok(())
    }

    /// The soonest moment at which something must happen without anybody asking.
    pub fn next_deadline(&self) -> Option<Moment> {
        let ready = |waiter: &Waiter| self.queues.get(waiter.queue)?.next_ready(self.now);
        let until = |waiter: &Waiter| Some(waiter.until).filter(|_| !waiter.thaws);
        self.waiters.iter().flat_map(|waiter| [until(waiter), ready(waiter)]).flatten().min()
    }

    /// The process is gone, and with it everybody who waited.
    pub fn hang_up(&mut self) {
        self.waiters.clear();
        self.stops = false;
        self.moves.iter_mut().for_each(|task| task.resumed += 1);
    }

    fn mark(&mut self, what: &'static str) {
        *self.marks.entry(what).or_default() += 1;
    }

    fn queue(&mut self, name: Name) -> Result<&mut Queue, Violation> {
        self.queues.get_mut(name).ok_or_else(|| format!("{name} does not exist"))
    }
}

/// The reply must be a fault of one of these kinds.
fn expect_fault(reply: &Result<sqs::Reply, Fault>, kinds: &[&str]) -> Result<(), Violation> {
    match reply {
        Err(fault) => expect_kind(fault, kinds),
        Ok(other) => Err(format!("expected a fault ({}), got {other:?}", kinds.join(" or "))),
    }
}

fn expect_kind(fault: &Fault, kinds: &[&str]) -> Result<(), Violation> {
    ensure!(
        kinds.contains(&fault.kind.name),
        "expected {}, got {}: {}",
        kinds.join(" or "),
        fault.kind.name,
        fault.message
    );
    Ok(())
}

fn expect_done(reply: &Result<sqs::Reply, Fault>) -> Result<(), Violation> {
    match reply {
        Ok(sqs::Reply::Done) => Ok(()),
        other => Err(format!("expected that it is done, got {other:?}")),
    }
}
