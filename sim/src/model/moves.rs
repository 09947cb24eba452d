//! Message move tasks: what they move is found out by looking, and judged.

use kew_engine::services::sqs;
use kew_engine::services::sqs::command::{MoveStatus, MoveTask};
use kew_engine::time::Moment;
use kew_wire::Text;
use kew_wire::fault::Fault;

use super::queue::{Id, Message, State};
use super::{Look, Model, Violation, ensure, expect_fault};
use crate::operation::{Name, is_fifo, name_of};

/// A move task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub source: Name,
    pub destination: Option<Name>,
    pub per_second: Option<u32>,
    pub handle: Text,
    pub started: Moment,
    pub moved: u64,
    pub status: MoveStatus,
}

impl Move {
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
        let is_target = self.queues.values().any(|queue| queue.attributes.redrive.is_some_and(|r| r.0 == source));
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
        ensure!(self.moves.iter().all(|task| task.handle != *handle), "the task handle {handle} was given out before");
        self.moves.push(Move {
            source,
            destination,
            per_second,
            handle: handle.clone(),
            started: self.now,
            moved: 0,
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

    pub(super) fn moves_listed(&mut self, name: Name, reply: &Result<sqs::Reply, Fault>) -> Result<(), Violation> {
        if !self.queues.contains_key(name) {
            return expect_fault(reply, &["ResourceNotFoundException", "QueueDoesNotExist"]);
        }
        let Ok(sqs::Reply::Moves(shown)) = reply else { return Err(format!("expected tasks, got {reply:?}")) };
        let expected: Vec<&Move> = self.moves.iter().rev().filter(|task| task.source == name).take(10).collect();
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
        let left: Vec<Id> = look.messages(task.source).iter().map(|delivery| delivery.id).collect();
        let source = self.queue(task.source)?;
        let gone: Vec<Message> =
            source.messages.iter().filter(|message| !left.contains(&message.id)).cloned().collect();
        source.messages.retain(|message| left.contains(&message.id));
        for message in gone {
            self.moves[at].moved += 1;
            self.follow_message(&task, message, look)?;
        }
        let task = &mut self.moves[at];
        let elapsed = (self.now - task.started).0;
        let most = task.per_second.map_or(u64::MAX, |rate| u64::from(rate) * (elapsed / 1000 + 1));
        ensure!(task.moved <= most, "{} messages moved in {elapsed} ms, {most} may be", task.moved);
        let shown = look.moves(task.source).into_iter().find(|shown| shown.started == task.started);
        let Some(shown) = shown else { return Err(format!("a running task from {} is not listed", task.source)) };
        task.status = shown.status;
        task.check_shown(&shown)
    }

    /// A moved message is a new message: new id, new SentTimestamp.
    fn follow_message(&mut self, task: &Move, message: Message, look: &mut dyn Look) -> Result<(), Violation> {
        let now = self.now;
        let state = self.queue(task.source)?.state(&message, now);
        ensure!(state == State::Ready, "#{} was moved while it was {state:?}", message.body);
        let Some(to) = task.destination.or(message.source) else {
            return Err(format!("#{} was moved although nobody knows where to", message.body));
        };
        let shown = look.messages(to);
        let Some(shown) = shown.into_iter().find(|shown| !self.ids.contains(&shown.id)) else {
            return Err(format!("#{} vanished from {} and is not in {to}", message.body, task.source));
        };
        self.ids.insert(shown.id);
        let target = self.queue(to)?;
        let is_fresh = shown.sent == now && shown.receive_count == 0;
        ensure!(is_fresh, "#{} was moved to {to} and is not a new message: {shown:?}", message.body);
        let delay = kew_engine::time::Millis::seconds(target.attributes.delay);
        target.messages.push(Message {
            id: shown.id,
            sequence: shown.sequence,
            sent: now,
            kept_from: now,
            delayed_until: (delay.0 > 0).then_some(now + delay),
            lease: None,
            receives: 0,
            first_received: None,
            source: None,
            handles: Vec::new(),
            ..message
        });
        Ok(())
    }
}

impl Move {
    fn check_shown(&self, shown: &MoveTask) -> Result<(), Violation> {
        let got = (name_of(&shown.source), shown.per_second, shown.moved, shown.started);
        let expected = (Some(self.source), self.per_second, self.moved, self.started);
        ensure!(got == expected, "expected a task (source, rate, moved, started) {expected:?}, got {got:?}");
        ensure!(shown.status == self.status, "expected a task that is {:?}, got {:?}", self.status, shown.status);
        Ok(())
    }
}
