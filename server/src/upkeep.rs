//! Keeps the journal short: writes snapshots, so that what is over can be dropped, and carries forward the few messages
//! that stay, so that they do not hold everything after them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use kew_engine::shard::{Shard, Stamp, Straggler};
use kew_journal::{Reader, Snapshot, Snapshots};

use crate::limits;
use crate::meters::ShardMeters;

/// The upkeep of one shard's journal.
#[derive(Debug)]
pub(crate) struct Upkeep {
    meters: Arc<ShardMeters>,
    /// The journal's growth from one snapshot to the next, in bytes.
    every: u64,
    /// A snapshot whose last batch is not durable yet.
    pending: Option<Snapshot>,
    /// The newest one's length. To write one takes the longer, the more messages are held, so the longer ones are rarer: what they
    /// cost stays a fixed part of what is written in between.
    snapshot_bytes: u64,
    /// Where the newest snapshot ends, or the one being saved.
    snapshot_at: u64,
    /// When that was taken.
    taken: Instant,
    /// A snapshot is being saved.
    busy: Arc<AtomicBool>,
    /// Messages to be carried forward.
    stragglers: VecDeque<Straggler>,
}

impl Upkeep {
    /// Of a journal whose newest snapshot ends at `snapshot_at`.
    pub(crate) fn new(snapshot_at: u64, every: u64, meters: Arc<ShardMeters>) -> Self {
        Self {
            meters,
            every,
            pending: None,
            snapshot_bytes: 0,
            snapshot_at,
            taken: Instant::now(),
            busy: Arc::default(),
            stragglers: VecDeque::new(),
        }
    }

    /// The batch that ends at `end` was taken from the shard, so its state is exactly what the journal up to there says.
    pub(crate) fn handle_append(&mut self, shard: &Shard, end: u64, full: bool) {
        if self.pending.is_some() || self.busy.load(Ordering::Acquire) || !self.is_due(end, full) {
            return;
        }
        let keep = shard.oldest_needed();
        let bytes: Bytes = shard.snapshot().into();
        self.snapshot_bytes = bytes.len() as u64;
        self.pending = Some(Snapshot { position: end, keep, bytes });
        self.snapshot_at = end;
        self.taken = Instant::now();
        // What is alive, twice over, may lie anywhere; before that, little is alive.
        let fair = 2 * shard.payload_bytes() + self.every;
        if !full && self.stragglers.is_empty() && end.saturating_sub(keep) > fair + self.every {
            self.stragglers = shard.stragglers(end - fair).into();
        }
    }

    /// Nothing is open or on its way to disk, and the journal ends at `end`. A full disk is looked after even if nobody
    /// writes any more: what was deleted last may be room.
    pub(crate) fn handle_idle(&mut self, shard: &Shard, end: u64, full: bool, snapshots: &Snapshots) {
        if full {
            self.handle_append(shard, end, full);
            self.handle_durable(snapshots);
        }
    }

    fn is_due(&self, end: u64, full: bool) -> bool {
        let grown = end.saturating_sub(self.snapshot_at);
        // On a full disk whatever was deleted meanwhile may be room.
        grown >= self.every.max(limits::SNAPSHOT_SHARE * self.snapshot_bytes)
            || (full && grown > 0 && self.taken.elapsed() >= limits::SNAPSHOT_WHEN_FULL)
    }

    /// All batches taken so far are durable.
    pub(crate) fn handle_durable(&mut self, snapshots: &Snapshots) {
        if let Some(snapshot) = self.pending.take() {
            self.save(snapshots.clone(), snapshot);
        }
    }

    /// The state was lost and rebuilt from a snapshot that ends at `snapshot_at`.
    pub(crate) fn handle_reopened(&mut self, snapshot_at: u64) {
        self.pending = None;
        self.snapshot_at = snapshot_at;
        self.stragglers.clear();
    }

    /// Carries a few messages forward, as many as a batch bears without anyone noticing.
    pub(crate) fn carry(&mut self, shard: &mut Shard, reader: &Reader, stamp: Stamp) {
        let mut carried: Vec<(Straggler, Bytes)> = Vec::new();
        let mut bytes = 0;
        while bytes < limits::CARRY_BYTES {
            let Some(straggler) = self.stragglers.pop_front() else { break };
            let length = straggler.payload.length as usize;
            match reader.read(straggler.payload.position, length) {
                Ok(payload) => carried.push((straggler, payload)),
                // It may have been deleted, and the journal cut, since it was listed.
                Err(kew_journal::Error::Gone { .. }) => {}
                Err(error) => {
                    tracing::warn!(target: "kew::journal", %error, "a message is not carried forward; it stays where it is");
                }
            }
            bytes += length;
        }
        if !carried.is_empty() {
            shard.carry(stamp, &carried);
        }
    }

    /// Whether messages are left to be carried.
    pub(crate) fn is_carrying(&self) -> bool {
        !self.stragglers.is_empty()
    }

    /// Saves a snapshot on a thread of its own: however long that takes, batches go on.
    fn save(&self, snapshots: Snapshots, snapshot: Snapshot) {
        self.busy.store(true, Ordering::Release);
        let (busy, meters) = (Arc::clone(&self.busy), Arc::clone(&self.meters));
        let work = move || {
            match snapshots.save(&snapshot) {
                Ok(()) => {
                    meters.snapshots.add(1);
                    tracing::debug!(target: "kew::journal", bytes = snapshot.bytes.len(), "snapshot written");
                }
                Err(error) => {
                    tracing::warn!(target: "kew::journal", %error, "no snapshot was written; the one before still holds");
                }
            }
            busy.store(false, Ordering::Release);
        };
        if let Err(error) = thread::Builder::new().name("kew-snapshot".into()).spawn(work) {
            self.busy.store(false, Ordering::Release);
            tracing::warn!(target: "kew::journal", %error, "no thread for a snapshot; the one before still holds");
        }
    }
}
