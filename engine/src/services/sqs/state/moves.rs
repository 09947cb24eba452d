//! Move tasks (dead-letter queue redrive): messages go from a dead-letter queue to where they came from, or elsewhere,
//! at a given rate, while the queue goes on serving.

use alloc::format;
use alloc::vec::Vec;

use base64_simd::STANDARD;
use kew_wire::Text;
use kew_wire::fault::Fault;

use super::super::command::{MoveStatus, MoveTask, QueueKey, Reply};
use super::super::event::{Departed, Event, MoveStarted, Moved};
use super::super::queue::Queue;
use super::super::{address, faults, limits};
use super::access::Wish;
use super::outbox::Room;
use super::{Context, Sqs, Target};
use crate::identity::{Account, Caller, uuid_text};
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
    /// From when on its rate counts, and how many had been moved by then.
    pub(super) paced: (Moment, u64),
    /// When it goes on, while it runs.
    pub(super) next_step: Moment,
}

/// A rate is kept by moving its share this often; without one this is how often as much as is moved at once follows.
pub(super) const STEP: Millis = Millis(100);
const STEP_UNLIMITED: Millis = Millis(1);

impl Task {
    fn runs(&self) -> bool {
        self.status == MoveStatus::Running
    }

    /// How many messages it may move now. Keeps what is left over for the next step.
    fn due(&mut self, now: Moment) -> u64 {
        let Some(rate) = self.per_second.map(u64::from) else { return limits::MOVES_PER_STEP };
        let (from, moved) = self.paced;
        let due = (moved + (now - from).0 * rate / 1000).saturating_sub(self.moved);
        if due <= rate {
            return due;
        }
        // More than a second late: that much is made up for, and no more.
        self.paced = (now, self.moved + rate);
        rate
    }

    /// How long after one step the next one follows.
    fn pause(&self) -> Millis {
        match self.per_second {
            None => STEP_UNLIMITED,
            Some(rate) => STEP.max(Millis(1000u64.div_ceil(u64::from(rate.max(1))))),
        }
    }

    /// Begins to keep the rate. The first message goes at once when the task starts, and after a pause when it goes on after a
    /// restart.
    pub(super) fn pace_from(&mut self, now: Moment, resumed: bool) {
        let pause = self.pause();
        let one = Millis(1000 / u64::from(self.per_second.unwrap_or(1000).max(1)));
        self.paced =
            if resumed { (now, self.moved) } else { (Moment(now.0.saturating_sub(one.0)), self.moved) };
        self.next_step = if resumed { now + pause } else { now };
    }
}

impl Sqs {
    pub(super) fn start_move(
        &mut self,
        context: &mut Context<'_>,
        caller: &Caller,
        id: u64,
        destination: Option<QueueKey>,
        per_second: Option<u32>,
    ) -> Result<Reply, Fault> {
        let Some(queue) = self.queues.get(&id) else { return Err(faults::move_source_missing()) };
        let send = Wish::new(caller, "SendMessage", context.now);
        if destination.is_none() {
            self.admit_return(&send, &queue.key, &self.origins(&queue.key))?;
            context.known.refusal.take().map_or(Ok(()), Err)?;
        }
        if let Some(destination) = &destination {
            if *destination == queue.key {
                return Err(faults::move_to_itself());
            }
            let there = context.known.target.as_ref();
            let is_there = self.names.contains_key(destination) || there.is_some();
            // Whether it is there is told only to whoever may send to it.
            there.map_or_else(|| self.admit(&send, destination), |peer| peer.admits.clone())?;
            if !is_there || destination.region != queue.key.region {
                return Err(faults::move_destination_missing());
            }
            if destination.is_fifo() != queue.fifo() {
                return Err(faults::move_type_differs());
            }
        }
        if !(self.is_dead_letter_queue(&queue.key) || context.known.is_dead_letter_queue) {
            return Err(faults::move_source_not_dead_letter());
        }
        if self.tasks.get(&id).is_some_and(|tasks| tasks.iter().any(Task::runs)) {
            return Err(faults::move_already_running());
        }
        let active = self.active_moves(queue.key.account) + context.known.active_moves;
        if active >= limits::ACTIVE_MOVES {
            return Err(faults::too_many_moves());
        }
        let task = context.seed.next_uuid();
        let to_move = queue.visible(context.now);
        let arn = queue.key.arn();
        let destination = destination.map(QueueKey::own);
        let started = MoveStarted { queue: id, task, destination, per_second, to_move };
        self.record(context, Event::MoveStarted(started));
        self.touched.push(id);
        Ok(Reply::Started { handle: handle(task, &arn) })
    }

    /// Move tasks of an account that run.
    pub(super) fn active_moves(&self, account: Account) -> usize {
        let ours = |id: &u64| self.queues.get(id).is_some_and(|queue| queue.key.account == account);
        self.tasks.iter().filter(|(id, tasks)| tasks.iter().any(Task::runs) && ours(id)).count()
    }

    pub(super) fn apply_move_started(&mut self, now: Moment, started: MoveStarted) {
        let MoveStarted { queue, task: id, destination, per_second, to_move } = started;
        let tasks = self.tasks.entry(queue).or_default();
        let (status, failure) = (MoveStatus::Running, None);
        let (paced, next_step) = ((now, 0), now);
        let mut task = Task {
            id,
            destination,
            per_second,
            status,
            moved: 0,
            to_move,
            failure,
            started: now,
            paced,
            next_step,
        };
        task.pace_from(now, false);
        tasks.push(task);
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

    pub(super) fn count_moved(&mut self, queue: u64, task: [u8; 16], change: i64) {
        let tasks = self.tasks.get_mut(&queue);
        if let Some(task) = tasks.and_then(|tasks| tasks.iter_mut().find(|candidate| candidate.id == task)) {
            task.moved = task.moved.saturating_add_signed(change);
        }
    }

    pub(super) fn cancel_move(
        &mut self,
        context: &mut Context<'_>,
        caller: &Caller,
        text: &Text,
    ) -> Result<Reply, Fault> {
        let (task, source) = open(text).ok_or_else(faults::move_handle_invalid)?;
        self.admit_move(&Wish::new(caller, "CancelMessageMoveTask", context.now), &source)?;
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
        let count = task.due(now);
        task.next_step = now + task.pause();
        let (task, destination) = (task.id, task.destination.clone());
        let left = task_left(tasks, task);
        self.refill(context, id);
        for _ in 0..count.min(left) {
            match self.move_next(context, id, task, destination.as_ref()) {
                Ok(true) => {}
                Ok(false) if self.queues.get(&id).is_some_and(Queue::thaws) => {
                    // The rest is on its way from disk.
                    return self.put_off(id, now + STEP_UNLIMITED);
                }
                Ok(false) if self.queues.get(&id).is_some_and(|queue| queue.visible(now) > 0) => {
                    // On a FIFO queue messages may wait behind others in flight: later.
                    return self.put_off(id, now + STEP);
                }
                Ok(false) => return self.end_move(context, id, task, MoveStatus::Completed, None),
                Err(reason) => return self.end_move(context, id, task, MoveStatus::Failed, Some(reason)),
            }
        }
        if left <= count {
            self.end_move(context, id, task, MoveStatus::Completed, None);
        }
    }

    /// Looks again at `next_step`.
    pub(super) fn put_off(&mut self, id: u64, next_step: Moment) {
        let tasks = self.tasks.get_mut(&id).map_or(&mut [][..], |tasks| tasks);
        if let Some(task) = tasks.iter_mut().find(|task| task.runs()) {
            task.next_step = next_step;
        }
    }

    pub(super) fn end_move(
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
        let key = match destination {
            Some(key) => Some(key.clone()),
            None => {
                let source = queue.source(entry).ok_or(faults::MOVE_SOURCE_UNKNOWN)?;
                address::from_arn(source).ok()
            }
        };
        let found = key.and_then(|key| Some((self.locate(&key)?, key)));
        let (target, key) = found.ok_or(faults::MOVE_DESTINATION_VANISHED)?;
        let (group, seq) = (entry.group, entry.seq);
        let to = match target {
            Target::Here(to) => to,
            Target::There(shard) => {
                if self.outbox.room_for(from, shard, context.now) != Room::Free {
                    return Ok(false);
                }
                let (number, id) = (self.next_departure(context.now), context.seed.next_uuid());
                let task = Some(task);
                self.depart(context, Departed { from, group, seq, shard, number, to: key, id, task });
                return Ok(true);
            }
        };
        // A message that is moved back is a new one: id, age and receive count start afresh.
        let (id, sent, new_seq) = (context.seed.next_uuid(), context.now, self.next_number(context.now));
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

/// The queue that a move task's handle says it takes from.
pub fn move_source(handle: &str) -> Option<QueueKey> {
    open(handle).map(|(_, source)| source)
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
