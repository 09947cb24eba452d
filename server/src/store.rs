//! A shard's home on disk: opens its journal and rebuilds its state from it.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use kew_engine::services::sqs;
use kew_engine::shard::{self, Reply, Shard, Stamp};
use kew_journal::disk::Disk;
use kew_journal::{OVERHEAD, OpenError, Options, Snapshots, Writer};

use crate::mailbox::Answer;
use crate::retirement::Source;

/// Where a shard lives and how it is kept.
#[derive(Debug)]
pub(crate) struct Store {
    disk: Arc<dyn Disk>,
    options: Options,
    waits: bool,
}

/// A shard, with what its answers are read from.
pub(crate) struct Opened {
    pub(crate) shard: Shard,
    pub(crate) source: Source,
    pub(crate) snapshots: Snapshots,
    /// Where the journal begins.
    pub(crate) keep: u64,
    /// The first number that no cold file has.
    pub(crate) next_file: u64,
}

/// Why a shard could not be rebuilt.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RebuildError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("reading the journal in {location} back failed: {source}")]
    Replay { location: String, source: kew_journal::Error },
    #[error(
        "the journal in {location} holds a record at position {position} that this release does not understand; \
         nothing was changed: start the release that wrote it, or restore the directory from a backup"
    )]
    Malformed { location: String, position: u64 },
}

impl Store {
    /// A shard's journal on `disk`.
    pub(crate) fn new(disk: Arc<dyn Disk>, options: Options, waits: bool) -> Self {
        Self { disk, options, waits }
    }

    /// Opens the journal and rebuilds the state. Takes as long as reading what lies behind the newest snapshot.
    pub(crate) fn open(&self, stamp: Stamp) -> Result<(Writer, Opened), RebuildError> {
        let found = kew_journal::open(Arc::clone(&self.disk), &self.options)?;
        for note in &found.report.notes {
            tracing::warn!(target: "kew::journal", "{note}");
        }
        if let Some(cut) = &found.report.cut {
            tracing::warn!(target: "kew::journal", file = cut.file, offset = cut.offset, bytes = cut.bytes,
                "cut off the torn end of the journal: a write that was under way, and unanswered, when the process ended");
        }
        let malformed = |position| RebuildError::Malformed { location: self.disk.location(), position };
        let config = shard::Config { waits: self.waits, ..shard::Config::new(OVERHEAD) };
        let (mut shard, keep) = match found.snapshot {
            Some(snapshot) => {
                let start = snapshot.position + OVERHEAD;
                let shard = Shard::restore(config, start, snapshot.bytes)
                    .map_err(|_| malformed(snapshot.position))?;
                (shard, snapshot.keep.min(snapshot.position))
            }
            // Where batches follow, they say themselves where they begin.
            None => (Shard::new(config, found.writer.next_start()), 0),
        };
        for batch in found.replay {
            let (start, bytes) =
                batch.map_err(|source| RebuildError::Replay { location: self.disk.location(), source })?;
            shard.replay(start, bytes).map_err(|_| malformed(start))?;
        }
        shard.resume(stamp, found.writer.next_start());
        let source = Source { reader: found.reader, cold: found.cold };
        let next_file = self.clean(&shard, &source)?;
        let opened = Opened { shard, source, snapshots: found.snapshots, keep, next_file };
        Ok((found.writer, opened))
    }

    /// Removes cold files that nothing refers to: they were being written when the process ended, or emptied just before. Returns
    /// the first number that none has.
    fn clean(&self, shard: &Shard, source: &Source) -> Result<u64, RebuildError> {
        let failed = |source| RebuildError::Replay { location: self.disk.location(), source };
        let wanted: HashSet<u64> = shard.chunks().collect();
        let mut next = wanted.iter().max().map_or(1, |last| last + 1);
        for file in source.cold.files().map_err(failed)? {
            next = next.max(file + 1);
            if !wanted.contains(&file) {
                source.cold.remove(file).map_err(failed)?;
            }
        }
        Ok(next)
    }
}

impl Opened {
    /// Fetches the payloads that an answer hands over.
    pub(crate) fn resolve(&self, reply: Reply) -> Result<Answer, kew_journal::Error> {
        let payloads = match &reply {
            Reply::Sqs(Ok(sqs::Reply::Received(deliveries))) => deliveries
                .iter()
                .map(|delivery| self.source.read(delivery.payload))
                .collect::<Result<Vec<Bytes>, _>>()?,
            _ => Vec::new(),
        };
        Ok(Answer { reply, payloads })
    }
}
