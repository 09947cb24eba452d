//! Move tasks (dead-letter queue redrive): messages go from a dead-letter queue to where they came from, or elsewhere,
//! at a given rate, while the queue goes on serving.

use alloc::format;
use alloc::vec::Vec;

use base64_simd::STANDARD;
use kew_wire::Text;
use kew_wire::fault::Fault;

use super::super::command::{MoveStatus, MoveTask, QueueKey, Reply};
use super::super::event::{Event, MoveStarted, Moved, own};
use super::super::queue::Queue;
use super::super::{address, faults, limits};
use super::{Context, Sqs};
use crate::identity::uuid_text;
use crate::time::{Millis, Moment};

/// A move task, running or ended.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) id: [u8; 16],
    pub(super) destination: Option<QueueKey>,
    pub(super) per_second: Option<u32>,
    pub(super) status: MoveStatus,
    pub(super) moved: u64,
    pub(super) to_move: u64,
    pub(super) failure: Option<Text>,
    pub(super) started: Moment,
    /// When it goes on, while it runs.
    pub(super) next_step: Moment,
}

/// A rate is kept by moving its share this often; without one this is how often as much as is moved at once follows.
const STEP: Millis = Millis(100);
const STEP_UNLIMITED: Millis = Millis(1);

impl Task {
    pub(super) fn runs(&self) -> bool {
        self.status == MoveStatus::Running
    }

    /// How many messages the next step moves, and how long after it the one after that follows.
    fn pace(&self) -> (u64, Millis) {
        match self.per_second {
            None => (limits::MOVES_PER_STEP, STEP_UNLIMITED),
            Some(rate) if rate >= 10 => (u64::from(rate / 10), STEP),
            Some(rate) => (1, Millis(1000 / u64::from(rate.max(1)))),
        }
    }
}

impl Sqs {
    pub(super) fn start_move(
        &mut self,
        context: &mut Context<'_>,
        id: u64,
        destination: Option<QueueKey>,
        per_second: Option<u32>,
    ) -> Result<Reply, Fault> {
        let Some(queue) = self.queues.get(&id) else { return Err(faults::move_source_missing()) };
        if let Some(destination) = &destination {
            if *destination == queue.key {
                return Err(faults::move_to_itself());
            }
            if !self.names.contains_key(destination) {
                return Err(faults::move_destination_missing());
            }
            if destination.is_fifo() != queue.fifo() {
                return Err(faults::move_type_differs());
            }
        }
        if !self.is_dead_letter_queue(&queue.key) {
            return Err(faults::move_source_not_dead_letter());
        }
        if self.tasks.get(&id).is_some_and(|tasks| tasks.iter().any(Task::runs)) {
            return Err(faults::move_already_running());
        }
        let account = queue.key.account;
        let ours = |id: &u64| self.queues.get(id).is_some_and(|queue| queue.key.account == account);
        let active = self.tasks.iter().filter(|(id, tasks)| tasks.iter().any(Task::runs) && ours(id)).count();
        if active >= limits::ACTIVE_MOVES {
            return Err(faults::too_many_moves());
        }
        let task = context.seed.next_uuid();
        let to_move = queue.visible(context.now);
        let arn = queue.key.arn();
        let destination = destination.map(|key| QueueKey {
            region: own(key.region),
            name: own(key.name),
            account: key.account,
        });
        let started = MoveStarted { queue: id, task, destination, per_second, to_move };
        self.record(context, Event::MoveStarted(started));
        self.touched.push(id);
        Ok(Reply::Started { handle: handle(task, &arn) })
    }

    pub(super) fn apply_move_started(&mut self, now: Moment, started: MoveStarted) {
        let MoveStarted { queue, task: id, destination, per_second, to_move } = started;
        let tasks = self.tasks.entry(queue).or_default();
        let (status, failure) = (MoveStatus::Running, None);
        tasks.push(Task {
            id,
            destination,
            per_second,
            status,
            moved: 0,
            to_move,
            failure,
            started: now,
            next_step: now,
        });
        if tasks.len() > limits::MOVES_LISTED {
            tasks.remove(0);
        }
    }

    pub(super) fn apply_move_ended(
        &mut self,
        queue: u64,
        task: [u8; 16],
        status: MoveStatus,
        failure: Option<Text>,
    ) -> Option<()> {
        let task = self.tasks.get_mut(&queue)?.iter_mut().find(|candidate| candidate.id == task)?;
        task.status = status;
        task.failure = failure;
        Some(())
    }

    pub(super) fn count_moved(&mut self, queue: u64, task: [u8; 16], now: Moment) {
        let tasks = self.tasks.get_mut(&queue);
        if let Some(task) = tasks.and_then(|tasks| tasks.iter_mut().find(|candidate| candidate.id == task)) {
            task.moved += 1;
            // After a restart, too, the next step keeps its distance.
            let (_, pause) = task.pace();
            task.next_step = task.next_step.max(now + pause);
        }
    }

    pub(super) fn cancel_move(&mut self, context: &mut Context<'_>, text: &Text) -> Result<Reply, Fault> {
        let (task, source) = open(text).ok_or_else(faults::move_handle_invalid)?;
        let id = *self.names.get(&source).ok_or_else(faults::move_source_missing)?;
        let tasks = self.tasks.get(&id).map_or(&[][..], |tasks| tasks);
        let running = tasks.iter().find(|candidate| candidate.id == task && candidate.runs());
        let moved = running.ok_or_else(faults::move_task_missing)?.moved;
        let status = MoveStatus::Cancelled;
        self.record(context, Event::MoveEnded { queue: id, task, status, failure: None });
        self.touched.push(id);
        Ok(Reply::Cancelled { moved })
    }

    pub(super) fn list_moves(&self, id: u64, max: usize) -> Result<Reply, Fault> {
        let Some(queue) = self.queues.get(&id) else { return Err(faults::move_source_missing()) };
        let tasks = self.tasks.get(&id).map_or(&[][..], |tasks| tasks);
        let arn = queue.key.arn();
        let show = |task: &Task| MoveTask {
            handle: handle(task.id, &arn),
            status: task.status,
            source: queue.key.clone(),
            destination: task.destination.clone(),
            per_second: task.per_second,
            moved: task.moved,
            to_move: task.to_move,
            failure: task.failure.clone(),
            started: task.started,
        };
        Ok(Reply::Moves(tasks.iter().rev().take(max).map(show).collect()))
    }

    /// When a queue's move task goes on.
    pub(super) fn next_step(&self, id: u64) -> Moment {
        let running = self.tasks.get(&id).and_then(|tasks| tasks.iter().find(|task| task.runs()));
        running.map_or(Moment::NEVER, |task| task.next_step)
    }

    /// Goes on with a queue's move task if it is time.
    pub(super) fn step_move(&mut self, context: &mut Context<'_>, id: u64) {
        let now = context.now;
        let Some(tasks) = self.tasks.get_mut(&id) else { return };
        let Some(task) = tasks.iter_mut().find(|task| task.runs() && task.next_step <= now) else { return };
        let (count, pause) = task.pace();
        // Steps that are late are made up for, but no more than a second's worth.
        let late = if task.per_second.is_some() { (now - task.next_step).0 / pause.0 } else { 0 };
        let count = count * (1 + late).min(1000 / pause.0);
        task.next_step = now + pause;
        let (task, destination) = (task.id, task.destination.clone());
        let left = task_left(tasks, task);
        for _ in 0..count.min(left) {
            match self.move_next(context, id, task, destination.as_ref()) {
                Ok(true) => {}
                Ok(false) => {
                    self.plan_thaw(id, now);
                    // If the rest is on its way from disk, the next step finds it.
                    if !self.queues.get(&id).is_some_and(Queue::thaws) {
                        self.end_move(context, id, task, MoveStatus::Completed, None);
                    }
                    return;
                }
                Err(reason) => return self.end_move(context, id, task, MoveStatus::Failed, Some(reason)),
            }
        }
        if left <= count {
            self.end_move(context, id, task, MoveStatus::Completed, None);
        }
    }

    fn end_move(
        &mut self,
        context: &mut Context<'_>,
        queue: u64,
        task: [u8; 16],
        status: MoveStatus,
        failure: Option<&'static str>,
    ) {
        let failure = failure.map(Text::from_static);
        self.record(context, Event::MoveEnded { queue, task, status, failure });
    }

    /// Moves one message; false if there is none to move.
    fn move_next(
        &mut self,
        context: &mut Context<'_>,
        from: u64,
        task: [u8; 16],
        destination: Option<&QueueKey>,
    ) -> Result<bool, &'static str> {
        let Some(queue) = self.queues.get(&from) else { return Ok(false) };
        let next = queue.next(None).and_then(|(group, seq)| queue.waiting(group, seq));
        let Some(entry) = next else { return Ok(false) };
        let to = match destination {
            Some(key) => self.names.get(key),
            None => {
                let source = queue.source(entry).ok_or(faults::MOVE_SOURCE_UNKNOWN)?;
                address::from_arn(source).ok().and_then(|key| self.names.get(&key))
            }
        };
        let to = *to.ok_or(faults::MOVE_DESTINATION_VANISHED)?;
        let (group, seq) = (entry.group, entry.seq);
        // A message that is moved back is a new one: id, age and receive count start afresh.
        let (id, sent, new_seq) = (context.seed.next_uuid(), context.now, self.next_seq);
        let moved = Moved { from, group, seq, to, new_seq, id, sent, receives: 0, task: Some(task) };
        self.record(context, Event::Moved(moved));
        if let Some(queue) = self.queues.get_mut(&from) {
            queue.totals.moved += 1;
        }
        if let Some(totals) = self.queues.get_mut(&to).map(|queue: &mut Queue| &mut queue.totals) {
            totals.sent += 1;
        }
        Ok(true)
    }
}

fn task_left(tasks: &[Task], id: [u8; 16]) -> u64 {
    tasks.iter().find(|task| task.id == id).map_or(0, |task| task.to_move.saturating_sub(task.moved))
}

/// A task's handle as AWS forms it.
fn handle(task: [u8; 16], arn: &str) -> Text {
    let id = uuid_text(&task);
    STANDARD.encode_to_string(format!(r#"{{"taskId":"{id}","sourceArn":"{arn}"}}"#)).into()
}

/// The task and the source that a handle names.
fn open(text: &str) -> Option<([u8; 16], QueueKey)> {
    let json = STANDARD.decode_to_vec(text).ok()?;
    let value: serde_json::Value = serde_json::from_slice(&json).ok()?;
    let id = value.get("taskId")?.as_str()?;
    let source = address::from_arn(&Text::from(value.get("sourceArn")?.as_str()?)).ok()?;
    let digits: Vec<u8> = id.bytes().filter(|byte| *byte != b'-').collect();
    let id = u128::from_str_radix(core::str::from_utf8(&digits).ok()?, 16).ok()?;
    Some((id.to_be_bytes(), source))
}
