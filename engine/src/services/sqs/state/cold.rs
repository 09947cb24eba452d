//! Which messages go to cold files and which come back; which of those files still hold something.

use alloc::vec::Vec;

use bytes::Bytes;

use super::super::event::Event;
use super::super::queue::{Frame, decode_frame};
use super::{Context, Sqs};
use crate::codec::Malformed;
use crate::shard::Cooling;
use crate::time::Moment;

impl Sqs {
    /// Messages of one queue that can go to a cold file, their payloads lying in the journal before `position`.
    pub(crate) fn coolable(&mut self, now: Moment, position: u64, max: usize) -> Option<Cooling> {
        self.queues.values_mut().find_map(|queue| {
            queue.advance(now);
            let entries = queue.coolable(position, max, now);
            (!entries.is_empty()).then(|| Cooling { queue: queue.id, entries })
        })
    }

    /// Those messages now lie in a cold file.
    pub(crate) fn cooled(
        &mut self,
        context: &mut Context<'_>,
        cooling: &Cooling,
        chunk: u64,
        offset: u64,
        length: u64,
    ) {
        self.change_chunks(alloc::vec![(chunk, 0)]);
        let last_seq = cooling.entries.last().map_or(0, |entry| entry.seq);
        let queue = cooling.queue;
        if self.queues.contains_key(&queue) {
            self.record(context, Event::Cooled { queue, chunk, offset, length, last_seq });
        }
        self.settle(context);
    }

    /// The next frame to read from its file.
    pub(crate) fn next_thaw(&mut self) -> Option<(u64, Frame)> {
        self.thaws.pop_front()
    }

    /// A frame's bytes have been read.
    pub(crate) fn thawed(
        &mut self,
        context: &mut Context<'_>,
        queue: u64,
        frame: &Frame,
        bytes: Bytes,
    ) -> Result<(), Malformed> {
        // The queue may have been purged or deleted meanwhile.
        if self.queues.get(&queue).is_some_and(|queue| queue.awaits(frame)) {
            let entries = decode_frame(frame, bytes)?;
            self.record(context, Event::Thawed { queue, entries });
        }
        self.settle(context);
        Ok(())
    }

    /// Asks for a queue's next frame if its window runs low.
    pub(super) fn plan_thaw(&mut self, id: u64, now: Moment) {
        if let Some(frame) = self.queues.get_mut(&id).and_then(|queue| queue.plan_thaw(now)) {
            self.thaws.push_back((id, frame));
        }
    }

    /// Cold files in which nothing is left any more.
    pub(crate) fn take_emptied(&mut self) -> Vec<u64> {
        core::mem::take(&mut self.emptied)
    }

    /// Cold files that hold messages.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = u64> {
        self.chunks.keys().copied()
    }

    /// Takes over what a queue says of cold files.
    pub(super) fn count_chunks(&mut self, id: u64) {
        if let Some(queue) = self.queues.get_mut(&id) {
            let changes = core::mem::take(&mut queue.chunk_changes);
            self.change_chunks(changes);
        }
    }

    pub(super) fn change_chunks(&mut self, changes: Vec<(u64, i64)>) {
        for (chunk, change) in changes {
            *self.chunks.entry(chunk).or_default() += change;
            self.doubtful.push(chunk);
        }
    }

    /// Finds the files in which nothing is left. Only after all queues have told their changes: a message that goes from one
    /// queue to another leaves a file here and comes to it there.
    pub(super) fn judge_chunks(&mut self) {
        while let Some(chunk) = self.doubtful.pop() {
            if self.chunks.get(&chunk).is_some_and(|count| *count <= 0) {
                self.chunks.remove(&chunk);
                self.emptied.push(chunk);
            }
        }
    }
}
