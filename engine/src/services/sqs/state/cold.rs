//! Which messages go to cold files and which come back; which of those files still hold something.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;

use super::super::event::{Event, Place};
use super::super::queue::{Entry, Frame, Queue, decode_frame, payload_offsets};
use super::{Context, OUTBOX, Sqs};
use crate::codec::Malformed;
use crate::cold::{Bundle, Standing, Stored, Use};
use crate::time::Moment;

impl Sqs {
    /// The next part of a backlog to store, as the pieces of one file: of the first queue that has one.
    pub(crate) fn backlog(&self, position: u64, end: u64, max: usize, now: Moment) -> Vec<Bundle> {
        let found = self.queues.values().find_map(|queue| {
            let frames = queue.coolable(position, end, max, now);
            (!frames.is_empty()).then_some((queue.id, frames))
        });
        let Some((queue, frames)) = found else { return Vec::new() };
        frames.into_iter().map(|entries| Bundle { queue, entries, is_backlog: true }).collect()
    }

    /// Messages in memory, but for those that [`Self::backlog`] gives, whose payloads must be stored.
    pub(crate) fn survivors(&self, position: u64, sparse: &[u64], now: Moment) -> Vec<Bundle> {
        let is_in_the_way =
            |entry: &&Entry| entry.payload.in_chunk().is_none() && entry.payload.position < position;
        let is_alone =
            |entry: &&Entry| entry.payload.in_chunk().is_some_and(|(chunk, _)| sparse.contains(&chunk));
        let mut ids: Vec<u64> = self.queues.keys().copied().collect();
        ids.sort_unstable();
        let mut bundles = Vec::new();
        let mut kept: Vec<(u64, Vec<&Entry>)> = Vec::new();
        for queue in ids.iter().filter_map(|id| self.queues.get(id)) {
            let staying = queue.staying(now).filter(is_in_the_way);
            kept.push((queue.id, staying.chain(queue.entries().filter(is_alone)).collect()));
        }
        let leaving = self.outbox.entries().filter(|entry| is_in_the_way(entry) || is_alone(entry));
        kept.push((OUTBOX, leaving.collect()));
        for (queue, mut entries) in kept {
            entries.sort_unstable_by_key(|entry| entry.seq);
            let mut bytes = 0;
            let pieces = entries.chunk_by(|_, next| {
                bytes += next.payload.length as usize;
                let goes_on = bytes < self.config.frame_bytes;
                bytes = if goes_on { bytes } else { 0 };
                goes_on
            });
            bundles.extend(pieces.map(|piece| Bundle {
                queue,
                entries: piece.iter().copied().cloned().collect(),
                is_backlog: false,
            }));
        }
        bundles
    }

    /// How much of each cold file is still needed.
    pub(crate) fn uses(&self) -> BTreeMap<u64, Use> {
        let mut uses: BTreeMap<u64, Use> = BTreeMap::new();
        for queue in self.queues.values() {
            for entry in queue.entries() {
                if let Some((chunk, _)) = entry.payload.in_chunk() {
                    uses.entry(chunk).or_default().payloads += u64::from(entry.payload.length);
                }
            }
            for frame in queue.frames() {
                uses.entry(frame.chunk).or_default().pieces += frame.length;
            }
        }
        for payload in self.outbox.entries().map(|entry| entry.payload) {
            if let Some((chunk, _)) = payload.in_chunk() {
                uses.entry(chunk).or_default().payloads += u64::from(payload.length);
            }
        }
        uses
    }

    /// Where every queue's messages stand, sorted by key.
    pub(crate) fn standings(&self) -> Vec<Standing> {
        self.names.values().filter_map(|id| self.queues.get(id)).map(Queue::standing).collect()
    }

    /// Lets deadlines pass in every queue.
    pub(crate) fn pass(&mut self, now: Moment) {
        for queue in self.queues.values_mut() {
            queue.advance(now);
        }
    }

    /// Bundles are durable in cold files.
    pub(crate) fn store(&mut self, context: &mut Context<'_>, stored: &[Stored]) {
        // Replicas learn what time it is, and so that what has expired meanwhile needs no copy.
        context.facts.note(context.now);
        for Stored { bundle, chunk, offset, length } in stored {
            let (queue, chunk) = (bundle.queue, *chunk);
            // A file in which nothing counts goes at once.
            self.change_chunks([(chunk, 0)]);
            if queue != OUTBOX {
                let Some(found) = self.queues.get_mut(&queue) else { continue };
                found.advance(context.now);
            }
            if bundle.is_backlog {
                let last_seq = bundle.entries.last().map_or(0, |entry| entry.seq);
                let found = self.queues.get(&queue);
                if !found.is_some_and(|found| found.may_cool(last_seq, context.now)) {
                    continue;
                }
                let (offset, length) = (*offset, *length);
                self.record(context, Event::Cooled { queue, chunk, offset, length, last_seq });
                continue;
            }
            let offsets = payload_offsets(&bundle.entries, *offset);
            let pairs = bundle.entries.iter().zip(offsets);
            let still_there = pairs.filter(|(entry, _)| {
                let found = match queue {
                    OUTBOX => self.outbox.find(entry.seq),
                    _ => self.queues.get_mut(&queue).and_then(|found| found.find(entry.group, entry.seq)),
                };
                found.is_some_and(|found| found.payload == entry.payload)
            });
            let places: Vec<Place> = still_there
                .map(|(entry, offset)| {
                    let &Entry { group, seq, payload, .. } = entry;
                    Place { group, seq, offset, length: payload.length }
                })
                .collect();
            if !places.is_empty() {
                self.record(context, Event::Kept { queue, chunk, places });
            }
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
        // The queue may have been purged or deleted meanwhile, the messages expired.
        let awaits = self.queues.get_mut(&queue).is_some_and(|queue| {
            queue.advance(context.now);
            queue.awaits(frame)
        });
        self.touched.push(queue);
        if awaits {
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

    /// The number that the next message gets.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The lowest number that no cold file ever had.
    pub(crate) fn next_chunk(&self) -> u64 {
        self.next_chunk
    }

    /// Cold files that hold messages.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = u64> {
        self.chunks.keys().copied()
    }

    /// Between the batches of a replay: what only concerns a shard that is asked is not kept.
    pub(crate) fn rest(&mut self) {
        while let Some(id) = self.touched.pop() {
            self.count_chunks(id);
        }
        self.judge_chunks();
    }

    /// Takes over what a queue says of cold files.
    pub(super) fn count_chunks(&mut self, id: u64) {
        if let Some(queue) = self.queues.get_mut(&id) {
            let changes = core::mem::take(&mut queue.chunk_changes);
            self.change_chunks(changes);
        }
    }

    pub(super) fn change_chunks(&mut self, changes: impl IntoIterator<Item = (u64, i64)>) {
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
