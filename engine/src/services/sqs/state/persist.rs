//! The queue service in a snapshot.

use alloc::vec::Vec;

use super::super::event::{
    Windows, key, list, optional, own, put_key, put_list, put_optional, put_status, rate, status,
};
use super::super::queue::{Queue, persist};
use super::Sqs;
use super::moves::Task;
use super::outbox::{Arrivals, Outbox};
use crate::codec::{Malformed, Put, Take};
use crate::shard::Config;
use crate::time::Moment;

impl Sqs {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_optional(out, self.secret, |out, secret| out.put_u128(secret));
        out.put_varint(self.next_queue);
        out.put_varint(self.next_seq);
        out.put_varint(self.next_chunk);
        put_optional(out, self.knows_windows.then_some(self.windows), |out, windows| windows.encode(out));
        out.put_varint(self.queues.len() as u64);
        for id in self.names.values() {
            if let Some(queue) = self.queues.get(id) {
                queue.encode(out);
            }
        }
        put_list(out, &self.deleted.iter().collect::<Vec<_>>(), |out, (key, at)| {
            put_key(out, key);
            out.put_varint(at.0);
        });
        put_list(out, &self.tasks.iter().collect::<Vec<_>>(), |out, (queue, tasks)| {
            out.put_varint(**queue);
            put_list(out, tasks, put_task);
        });
        self.outbox.encode(out);
        put_list(out, &self.arrivals.iter().collect::<Vec<_>>(), |out, (shard, arrivals)| {
            out.put_varint(u64::from(**shard));
            arrivals.encode(out);
        });
    }

    pub(crate) fn decode(take: &mut Take, layout: u8, config: &Config) -> Result<Self, Malformed> {
        let mut sqs = Self::new(config);
        sqs.secret = optional(take, Take::u128)?;
        sqs.next_queue = take.number()?;
        sqs.next_seq = take.number()?;
        if layout > 1 {
            sqs.next_chunk = take.number()?;
        }
        // The third layout left them to the release that wrote it.
        if layout > 3
            && let Some(windows) = optional(take, Windows::decode)?
        {
            (sqs.windows, sqs.knows_windows) = (windows, true);
        }
        let windows = sqs.windows;
        for queue in list(take, |take| Queue::decode(take, layout, config, windows))? {
            let is_new = sqs.names.insert(queue.key.clone(), queue.id).is_none();
            sqs.touched.push(queue.id);
            if !is_new || sqs.queues.insert(queue.id, queue).is_some() {
                return Err(Malformed);
            }
        }
        sqs.deleted = list(take, |take| Ok((key(take)?, take.moment()?)))?.into_iter().collect();
        let tasks = list(take, |take| Ok((take.varint()?, list(take, task)?)))?;
        sqs.tasks = tasks.into_iter().collect();
        // The second layout knew one shard.
        if layout > 2 {
            sqs.outbox = Outbox::decode(take)?;
            let arrivals = list(take, |take| Ok((persist::count(take)?, Arrivals::decode(take)?)))?;
            sqs.arrivals = arrivals.into_iter().collect();
        }
        Ok(sqs)
    }

    /// After replay: counters start at zero with the process, and every queue's deadlines are planned.
    pub(crate) fn resume(&mut self, now: Moment) {
        self.touched = Vec::new();
        self.outbox.resume(now);
        for task in self.tasks.values_mut().flatten() {
            task.pace_from(now, true);
        }
        for id in self.names.values().copied().collect::<Vec<_>>() {
            if let Some(queue) = self.queues.get_mut(&id) {
                queue.totals = Default::default();
                queue.recall();
            }
            self.count_chunks(id);
            self.schedule(id, now);
        }
        let changes = core::mem::take(&mut self.outbox.chunk_changes);
        self.change_chunks(changes);
        self.judge_chunks();
    }
}

fn put_task(out: &mut Vec<u8>, task: &Task) {
    out.put_raw(&task.id);
    put_optional(out, task.destination.as_ref(), put_key);
    put_optional(out, task.per_second, |out, rate| out.put_varint(u64::from(rate)));
    put_status(out, task.status);
    out.put_varint(task.moved);
    out.put_varint(task.to_move);
    out.put_option(task.failure.as_deref());
    out.put_varint(task.started.0);
}

fn task(take: &mut Take) -> Result<Task, Malformed> {
    Ok(Task {
        id: take.array()?,
        destination: optional(take, key)?,
        per_second: optional(take, rate)?,
        status: status(take)?,
        moved: take.number()?,
        to_move: take.number()?,
        failure: take.option()?.map(own),
        started: take.moment()?,
        // Set when the shard resumes.
        paced: (Moment(0), 0),
        next_step: Moment(0),
    })
}
