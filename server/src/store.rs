//! A shard's home on disk: opens its journal and rebuilds its state from it.

use std::sync::Arc;

use bytes::Bytes;
use kew_engine::services::sqs;
use kew_engine::shard::{self, Reply, Shard, Stamp};
use kew_journal::disk::Disk;
use kew_journal::{OVERHEAD, OpenError, Options, Reader, Snapshots, Writer};

use crate::mailbox::Answer;

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
    pub(crate) reader: Reader,
    pub(crate) snapshots: Snapshots,
    /// Where the newest snapshot ends; 0 without one.
    pub(crate) snapshot_at: u64,
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
                "cut off the torn end of the journal: its last write was under way when the process ended, or was damaged since");
        }
        let malformed = |position| RebuildError::Malformed { location: self.disk.location(), position };
        let config = shard::Config { overhead: OVERHEAD, waits: self.waits };
        let (mut shard, snapshot_at) = match found.snapshot {
            Some(snapshot) => {
                let start = snapshot.position + OVERHEAD;
                let shard = Shard::restore(config, start, snapshot.bytes)
                    .map_err(|_| malformed(snapshot.position))?;
                (shard, snapshot.position)
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
        let opened = Opened { shard, reader: found.reader, snapshots: found.snapshots, snapshot_at };
        Ok((found.writer, opened))
    }
}

impl Opened {
    /// Fetches the payloads that an answer hands over. If that fails, the reply comes back.
    pub(crate) fn resolve(&self, reply: Reply) -> Result<Answer, (Reply, kew_journal::Error)> {
        let payloads = match &reply {
            Reply::Sqs(Ok(sqs::Reply::Received(deliveries))) => deliveries
                .iter()
                .map(|delivery| self.reader.read(delivery.payload.position, delivery.payload.length as usize))
                .collect::<Result<Vec<Bytes>, _>>(),
            _ => Ok(Vec::new()),
        };
        match payloads {
            Ok(payloads) => Ok(Answer { reply, payloads }),
            Err(error) => Err((reply, error)),
        }
    }
}
