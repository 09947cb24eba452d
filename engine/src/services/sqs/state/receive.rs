//! Receiving: what is handed out, and what is moved to the dead-letter queue instead.

use alloc::vec::Vec;

use kew_wire::Text;
use kew_wire::fault::Fault;

use super::super::command::{Delivery, Receive, Reply};
use super::super::event::{Departed, Event, Lease, Moved};
use super::super::handle::Handle;
use super::super::queue::{Entry, Held, Queue};
use super::super::{faults, limits};
use super::outbox::Room;
use super::{Context, Sqs, Target};
use crate::codec::Malformed;
use crate::time::{Millis, Moment};

impl Sqs {
    /// Hands out what there is. Empty: nothing now.
    pub(super) fn receive(
        &mut self,
        context: &mut Context<'_>,
        id: u64,
        receive: &Receive,
    ) -> Result<Vec<Delivery>, Fault> {
        let now = context.now;
        let attempt = receive.attempt.as_deref().map(|text| self.attempt_key(text));
        let Some(queue) = self.queues.get_mut(&id) else { return Err(faults::queue_does_not_exist()) };
        queue.advance(now);
        let attempt = attempt.filter(|_| queue.fifo());
        let deadline = now + receive.visibility.unwrap_or(queue.settings.visibility);
        if let Some(answered) = attempt.and_then(|key| queue.attempt(key, now)) {
            let leases = answered.clone();
            return Ok(self.receive_again(context, id, &leases, deadline));
        }
        if attempt.is_some() && queue.attempts() >= self.config.attempts {
            return Err(faults::throttled());
        }
        if queue.in_flight() >= limits::IN_FLIGHT as u64 {
            let polls_short = receive.wait.unwrap_or(queue.settings.wait).0 == 0;
            return if polls_short && !queue.fifo() {
                Err(faults::over_limit_in_flight())
            } else {
                Ok(Vec::new())
            };
        }
        let deliveries = self.hand_out(context, id, receive.max, deadline, attempt);
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.totals.received += deliveries.len() as u64;
        }
        Ok(deliveries)
    }

    /// What a receive attempt is remembered by.
    pub(super) fn attempt_key(&self, text: &str) -> u128 {
        self.hash(&[b"attempt", text.as_bytes()])
    }

    fn hand_out(
        &mut self,
        context: &mut Context<'_>,
        id: u64,
        max: usize,
        deadline: Moment,
        attempt: Option<u128>,
    ) -> Vec<Delivery> {
        let now = context.now;
        let secret = self.secret.unwrap_or_default();
        // Handed out for no time at all, messages come back only when the answer is complete, lest it hold one twice.
        let at_once = deadline <= now;
        let deadline = deadline.max(now + Millis(1));
        let mut moves_left = limits::MOVES_PER_RECEIVE;
        let mut lane = None;
        let mut leases: Vec<Lease> = Vec::new();
        let mut deliveries = Vec::new();
        // Messages handed out by this receive, and their leases.
        let mut answered = Vec::new();
        while deliveries.len() < max {
            let Some(queue) = self.queues.get_mut(&id) else { break };
            if queue.in_flight() >= limits::IN_FLIGHT as u64 {
                break;
            }
            let Some((group, seq)) = queue.next(lane) else {
                self.note_leases(context, id, &mut leases, deadline);
                if self.refill(context, id) {
                    continue;
                }
                break;
            };
            let receives = queue.waiting(group, seq).map_or(0, |entry| entry.receives);
            let fifo = queue.fifo();
            let limit = queue.settings.redrive.as_ref().map(|redrive| redrive.max_receive_count);
            if limit.is_some_and(|limit| queue.receives_here(seq) >= limit)
                && let Some(target) = self.dead_letter_target(id)
                // Where there is no way to the dead-letter queue for long, it is as if there were none.
                // What cannot be read cannot go to another shard either.
                && (matches!(target, Target::Here(_)) || self.outbox.is_readable(seq))
                && let room = self.room_to(id, target, now)
                && (room != Room::Stands || fifo)
            {
                let Some(queue) = self.queues.get_mut(&id) else { break };
                if room != Room::Free {
                    // On a FIFO queue only its own group waits for it.
                    if fifo && queue.stop(group) {
                        lane = None;
                        continue;
                    }
                    break;
                }
                if moves_left == 0 {
                    queue.hurried = true;
                    break;
                }
                moves_left -= 1;
                // In the journal, too, what was handed out before comes before what is moved now.
                self.note_leases(context, id, &mut leases, deadline);
                self.move_dead_letter(context, id, group, seq, target);
                continue;
            }
            let Some(queue) = self.queues.get_mut(&id) else { break };
            if queue.fifo() && lane.is_none_or(|(current, _)| current != group) {
                lane = Some((group, queue.barrier(group)));
            }
            // Nobody receives one so often; a state that says so goes on all the same.
            let lease = Lease { group, seq, receives: receives.saturating_add(1) };
            if queue.lease(group, seq, lease.receives, deadline, now).is_none() {
                debug_assert!(false, "the next message must be there");
                break;
            }
            answered.push((seq, lease.receives));
            leases.push(lease);
            deliveries.extend(queue.held(seq).map(|held| delivery(queue, held, secret)));
        }
        self.note_leases(context, id, &mut leases, deadline);
        if at_once {
            for (seq, _) in &answered {
                self.record(context, Event::DeadlineSet { queue: id, seq: *seq, deadline: now });
            }
        }
        // What came back at once is never handed out again under the same lease, so there is nothing to remember.
        if let Some(key) = attempt.filter(|_| !answered.is_empty() && !at_once) {
            self.record(context, Event::Attempted { queue: id, key, answered });
            self.attempted.push((id, key));
        }
        deliveries
    }

    /// Notes what was handed out (and has been applied already).
    fn note_leases(&mut self, context: &mut Context<'_>, id: u64, leases: &mut Vec<Lease>, deadline: Moment) {
        if leases.is_empty() {
            return;
        }
        let leases = core::mem::take(leases);
        context.facts.put(context.now, &Event::Leased { queue: id, deadline, leases });
        self.touched.push(id);
    }

    /// Answers the same receive attempt as before, with the same messages and handles, for a new visibility timeout.
    fn receive_again(
        &mut self,
        context: &mut Context<'_>,
        id: u64,
        leases: &[(u64, u32)],
        deadline: Moment,
    ) -> Vec<Delivery> {
        let secret = self.secret.unwrap_or_default();
        let Some(queue) = self.queues.get(&id) else { return Vec::new() };
        let held = || leases.iter().filter_map(|(seq, _)| queue.held(*seq));
        let again = held().map(|held| &held.entry).map(|entry| Lease {
            group: entry.group,
            seq: entry.seq,
            receives: entry.receives,
        });
        let again = Event::Leased { queue: id, deadline, leases: again.collect() };
        let deliveries = held().map(|held| delivery(queue, held, secret)).collect();
        self.record(context, again);
        deliveries
    }

    /// Where a queue's dead letters go, if that queue still exists.
    fn dead_letter_target(&self, id: u64) -> Option<Target> {
        let redrive = self.queues.get(&id)?.settings.redrive.as_ref()?;
        self.locate(&redrive.target)
    }

    /// Whether there is room on the way to where a queue's dead letters go.
    fn room_to(&mut self, id: u64, target: Target, now: Moment) -> Room {
        match target {
            Target::Here(_) => Room::Free,
            Target::There(shard) => self.outbox.room_for(id, shard, now),
        }
    }

    fn move_dead_letter(
        &mut self,
        context: &mut Context<'_>,
        from: u64,
        group: u64,
        seq: u64,
        target: Target,
    ) {
        let Some(queue) = self.queues.get(&from) else { return };
        let Some(entry) = queue.waiting(group, seq) else { return };
        let to = match target {
            Target::Here(to) => to,
            Target::There(shard) => {
                let Some(redrive) = &queue.settings.redrive else { return };
                let (to, id, number) = (redrive.target.clone(), entry.id, self.next_departure(context.now));
                let departed = Departed { from, group, seq, shard, number, to, id, task: None };
                return self.depart(context, departed);
            }
        };
        // A standard queue's message keeps its age; in a FIFO queue it starts afresh.
        let fifo = self.queues.get(&to).is_some_and(Queue::fifo);
        let sent = if fifo { context.now } else { entry.sent };
        let (id, receives) = (entry.id, entry.receives);
        let new_seq = self.next_number(context.now);
        let moved = Moved { from, group, seq, to, new_seq, id, sent, receives, task: None };
        self.record(context, Event::Moved(moved));
        if let Some(queue) = self.queues.get_mut(&from) {
            queue.totals.moved += 1;
        }
    }

    pub(super) fn apply_moved(&mut self, now: Moment, moved: &Moved) -> Result<(), Malformed> {
        self.number(moved.new_seq)?;
        let from = self.at(moved.from, now)?;
        let entry = from.remove(moved.group, moved.seq, now).ok_or(Malformed)?;
        let source = from.key.arn();
        let to = self.at(moved.to, now)?;
        let source = if moved.task.is_none() { to.number_source(&source) } else { 0 };
        let &Moved { new_seq: seq, id, sent, receives, .. } = moved;
        to.insert(Entry { seq, id, sent, receives, source, ..entry }, now, now);
        if let Some(task) = moved.task {
            self.count_moved(moved.from, task, 1);
        }
        Ok(())
    }

    pub(super) fn peek(&self, id: u64, max: usize) -> Reply {
        let Some(queue) = self.queues.get(&id) else { return Reply::Received(Vec::new()) };
        let look = |(entry, held): (&Entry, Option<&Held>)| Delivery {
            handle: Text::default(),
            first_received: held.and_then(|held| held.first_received),
            ..describe(queue, entry)
        };
        Reply::Received(queue.peek(max).into_iter().map(look).collect())
    }
}

fn delivery(queue: &Queue, held: &Held, secret: u128) -> Delivery {
    let handle = Handle { queue: queue.id, seq: held.entry.seq, lease: held.entry.receives };
    Delivery {
        handle: handle.seal(secret),
        first_received: held.first_received,
        ..describe(queue, &held.entry)
    }
}

fn describe(queue: &Queue, entry: &Entry) -> Delivery {
    Delivery {
        payload: entry.payload,
        id: entry.id,
        group: entry.group,
        handle: Text::default(),
        sent: entry.sent,
        first_received: None,
        receive_count: entry.receives,
        sequence: queue.fifo().then_some(entry.seq),
        source: queue.source(entry).cloned(),
    }
}
