//! Message move tasks: what they move is found out by looking, and judged.

use std::collections::BTreeMap;

use kew_engine::services::sqs;
use kew_engine::services::sqs::command::{Delivery, MoveStatus, MoveTask};
use kew_engine::time::{Millis, Moment};
use kew_wire::Text;
use kew_wire::fault::Fault;

use super::queue::{Id, Message, State};
use super::{Look, Model, Violation, ensure, expect_fault};
use crate::operation::{Name, is_fifo, name_of};

/// A move task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The dead-letter queue.
    pub source: Name,
    /// Where to, if not where each message came from.
    pub destination: Option<Name>,
    /// MaxNumberOfMessagesPerSecond.
    pub per_second: Option<u32>,
    /// TaskHandle.
    pub handle: Text,
    /// StartedTimestamp.
    pub started: Moment,
    /// How many messages it has moved.
    pub moved: u64,
    /// How often it went on after a restart, each time with a step at once.
    pub resumed: u64,
    /// Where it stands.
    pub status: MoveStatus,
}

impl Move {
    /// Whether it still moves messages.
    pub fn is_running(&self) -> bool {
        self.status == MoveStatus::Running
    }
}

impl Model {
    pub(super) fn move_started(
        &mut self,
        source: Name,
        destination: Option<Name>,
        per_second: Option<u32>,
        reply: &Result<sqs::Reply, Fault>,
    ) -> Result<(), Violation> {
        let mut faults = Vec::new();
        let exists = |name: Name| self.queues.contains_key(name);
        if !exists(source) || destination.is_some_and(|name| !exists(name)) {
            faults.push("ResourceNotFoundException");
        }
        let is_target =
            self.queues.values().any(|queue| queue.attributes.redrive.is_some_and(|r| r.0 == source));
        let misfit = destination.is_some_and(|name| name == source || is_fifo(name) != is_fifo(source));
        let is_taken = self.moves.iter().any(|task| task.source == source && task.is_running());
        if !is_target || misfit || is_taken {
            faults.push("InvalidParameterValueException");
        }
        if !faults.is_empty() {
            return expect_fault(reply, &faults);
        }
        let Ok(sqs::Reply::Started { handle }) = reply else {
            return Err(format!("expected a task's handle, got {reply:?}"));
        };
        ensure!(
            self.moves.iter().all(|task| task.handle != *handle),
            "the task handle {handle} was given out before"
        );
        self.moves.push(Move {
            source,
            destination,
            per_second,
            handle: handle.clone(),
            started: self.now,
            moved: 0,
            resumed: 0,
            status: MoveStatus::Running,
        });
        Ok(())
    }

    pub(super) fn move_cancelled(
        &mut self,
        handle: &Text,
        reply: &Result<sqs::Reply, Fault>,
    ) -> Result<(), Violation> {
        let task = self.moves.iter_mut().find(|task| task.handle == *handle && task.is_running());
        let Some(task) = task else {
            return expect_fault(reply, &["ResourceNotFoundException", "InvalidParameterValueException"]);
        };
        let Ok(sqs::Reply::Cancelled { moved }) = reply else {
            return Err(format!("expected a cancelled task, got {reply:?}"));
        };
        ensure!(*moved == task.moved, "expected {} messages moved, got {moved}", task.moved);
        task.status = MoveStatus::Cancelled;
        Ok(())
    }

    pub(super) fn moves_listed(
        &mut self,
        name: Name,
        reply: &Result<sqs::Reply, Fault>,
    ) -> Result<(), Violation> {
        if !self.queues.contains_key(name) {
            return expect_fault(reply, &["ResourceNotFoundException", "QueueDoesNotExist"]);
        }
        let Ok(sqs::Reply::Moves(shown)) = reply else {
            return Err(format!("expected tasks, got {reply:?}"));
        };
        let expected: Vec<&Move> =
            self.moves.iter().rev().filter(|task| task.source == name).take(10).collect();
        ensure!(shown.len() == expected.len(), "expected {} tasks, got {shown:?}", expected.len());
        for (shown, task) in shown.iter().zip(expected) {
            task.check_shown(shown)?;
        }
        Ok(())
    }

    /// Finds out what the running tasks moved since the last look, and whether they might.
    pub(super) fn follow_moves(&mut self, look: &mut dyn Look) -> Result<(), Violation> {
        for at in 0..self.moves.len() {
            if self.moves[at].is_running() {
                self.follow_move(at, look)?;
            }
        }
        Ok(())
    }

    fn follow_move(&mut self, at: usize, look: &mut dyn Look) -> Result<(), Violation> {
        let task = self.moves[at].clone();
        let shown = look.messages(task.source);
        let left: Vec<Id> = shown.iter().map(|delivery| delivery.id).collect();
        let source = self.queue(task.source)?;
        let gone: Vec<Message> =
            source.messages.iter().filter(|message| !left.contains(&message.id)).cloned().collect();
        source.messages.retain(|message| left.contains(&message.id));
        self.moves[at].moved += gone.len() as u64;
        self.follow_messages(&task, gone, look)?;
        self.learn_payloads(task.source, &shown);
        let task = &mut self.moves[at];
        let elapsed = (self.now - task.started).0;
        let most = task.per_second.map_or(u64::MAX, |rate| {
            let rate = u64::from(rate);
            rate * elapsed / 1000 + (task.resumed + 1) * rate.div_ceil(10) + 1
        });
        ensure!(task.moved <= most, "{} messages moved in {elapsed} ms, {most} may be", task.moved);
        let shown = look.moves(task.source).into_iter().find(|shown| shown.started == task.started);
        let Some(shown) = shown else {
            return Err(format!("a running task from {} is not listed", task.source));
        };
        task.status = shown.status;
        task.check_shown(&shown)
    }

    /// A moved message is a new message: new id, new SentTimestamp. Its payload stays where it lies, by which it is known.
    fn follow_messages(
        &mut self,
        task: &Move,
        gone: Vec<Message>,
        look: &mut dyn Look,
    ) -> Result<(), Violation> {
        let now = self.now;
        let mut by_target: BTreeMap<Name, Vec<Message>> = BTreeMap::new();
        for message in gone {
            let state = self.queue(task.source)?.state(&message, now);
            ensure!(state == State::Ready, "#{} was moved while it was {state:?}", message.body);
            let Some(to) = task.destination.or(message.source) else {
                return Err(format!("#{} was moved although nobody knows where to", message.body));
            };
            by_target.entry(to).or_default().push(message);
        }
        for (to, moved) in by_target {
            // By the end of the call, receives that waited may have let it go on to the dead-letter queue.
            let mut shown = look.messages(to);
            shown.retain(|shown| !self.ids.contains(&shown.id));
            let mut there = shown.len();
            let next = self.queue(to)?.attributes.redrive.filter(|(next, _)| self.queues.contains_key(next));
            shown.extend(next.into_iter().flat_map(|(next, _)| look.messages(next)));
            shown.retain(|shown| !self.ids.contains(&shown.id));
            for message in moved {
                let Some(at) = shown.iter().position(|shown| message.payload == Some(shown.payload)) else {
                    return Err(format!("#{} left {} and did not arrive in {to}", message.body, task.source));
                };
                let is_there = at < there;
                let arrived = shown.remove(at);
                there -= usize::from(is_there);
                // On a FIFO queue SentTimestamp starts afresh with each dead letter; the chain happens in one call.
                ensure!(
                    arrived.sent == now,
                    "#{} was moved to {to} with its old age: {arrived:?}",
                    message.body
                );
                self.ids.insert(arrived.id);
                self.arrived.push(arrived.id);
                self.mark("a message is moved by a task");
                let target = self.queue(to)?;
                let delay = Millis::seconds(target.attributes.delay);
                target.arrive(Message {
                    plain: false,
                    id: arrived.id,
                    // Not known of a message that went on in the same call.
                    sequence: arrived.sequence.filter(|_| is_there),
                    sent: now,
                    kept_from: now,
                    delayed_until: (target.fifo && delay.0 > 0).then_some(now + delay),
                    lease: None,
                    receives: 0,
                    first_received: None,
                    brought: 0,
                    repeated: false,
                    source: None,
                    handles: Vec::new(),
                    ..message
                });
            }
        }
        Ok(())
    }

    /// The queues from which a task moves messages.
    pub fn moving(&self) -> impl Iterator<Item = Name> {
        self.moves.iter().filter(|task| task.status == MoveStatus::Running).map(|task| task.source)
    }

    /// Learns where the payloads of a queue's messages lie.
    pub fn learn_payloads(&mut self, name: Name, shown: &[Delivery]) {
        let Some(queue) = self.queues.get_mut(name) else { return };
        for message in &mut queue.messages {
            let found = shown.iter().find(|delivery| delivery.id == message.id);
            message.payload = found.map(|delivery| delivery.payload).or(message.payload);
        }
    }
}

impl Move {
    fn check_shown(&self, shown: &MoveTask) -> Result<(), Violation> {
        let got = (name_of(&shown.source), shown.per_second, shown.moved, shown.started);
        let expected = (Some(self.source), self.per_second, self.moved, self.started);
        ensure!(got == expected, "expected a task (source, rate, moved, started) {expected:?}, got {got:?}");
        ensure!(
            shown.status == self.status,
            "expected a task that is {:?}, got {:?}",
            self.status,
            shown.status
        );
        Ok(())
    }
}
