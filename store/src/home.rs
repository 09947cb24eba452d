//! A shard's home on disk: opens its journal and rebuilds its state from it.

use std::sync::Arc;

use kew_engine::shard::{Config, Shard, Stamp};
use kew_journal::disk::Disk;
use kew_journal::{OVERHEAD, OpenError, Options, Report, Snapshots, Writer};

use crate::source::Source;

/// Where a shard lives and how it is kept.
#[derive(Debug)]
pub struct Home {
    disk: Arc<dyn Disk>,
    options: Options,
    config: Config,
}

/// A shard, with what its answers are read from.
#[derive(Debug)]
pub struct Opened {
    /// The shard, ready to be asked.
    pub shard: Shard,
    /// Where payloads are read.
    pub source: Source,
    /// Keeps the state, and drops the journal's beginning.
    pub snapshots: Snapshots,
    /// The lowest position that the journal still holds, about.
    pub keep: u64,
    /// The number of this opening: higher than that of all before.
    pub opening: u64,
    /// What opening found.
    pub report: Report,
}

/// Why a shard could not be rebuilt. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The journal did not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It opened, and then could not be read.
    #[error("reading the journal in {location} back failed: {source}")]
    Read {
        /// The directory.
        location: String,
        /// What went wrong.
        source: kew_journal::Error,
    },
    /// Records that this release does not know.
    #[error(
        "the journal in {location} holds a record at position {position} that this release does not understand; \
         nothing was changed: start the release that wrote it, or restore the directory from a backup"
    )]
    Malformed {
        /// The directory.
        location: String,
        /// The batch's start, or the snapshot's position.
        position: u64,
    },
}

impl RebuildError {
    /// Whether what lies there is at fault, so that opening it again fails likewise, and not a disk that only stumbled.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Open(error) => {
                use OpenError::{Corrupt, Missing, NewerFormat};
                matches!(error, Corrupt { .. } | Missing { .. } | NewerFormat { .. })
            }
            Self::Read { source, .. } => matches!(source, kew_journal::Error::Corrupt { .. }),
            Self::Malformed { .. } => true,
        }
    }
}

impl Home {
    /// A shard's journal on `disk`.
    pub fn new(disk: Arc<dyn Disk>, options: Options, config: Config) -> Self {
        Self { disk, options, config }
    }

    /// What the shard is told.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Opens the journal and rebuilds the state. Takes as long as reading what lies behind the newest snapshot.
    ///
    /// # Errors
    /// [`RebuildError`]; also if a cold file is missing that holds messages.
    pub fn open(&self, stamp: Stamp) -> Result<(Writer, Opened), RebuildError> {
        let found = kew_journal::open(Arc::clone(&self.disk), &self.options)?;
        let malformed = |position| RebuildError::Malformed { location: self.disk.location(), position };
        let unread = |source| RebuildError::Read { location: self.disk.location(), source };
        let (mut shard, keep) = match found.snapshot {
            Some(snapshot) => {
                let start = snapshot.position + OVERHEAD;
                let shard = Shard::restore(self.config.clone(), start, snapshot.bytes)
                    .map_err(|_| malformed(snapshot.position))?;
                (shard, snapshot.keep)
            }
            // Where batches follow, they say themselves where they begin.
            None => (Shard::new(self.config.clone(), found.writer.next_start()), 0),
        };
        for batch in found.replay {
            let (start, bytes) = batch.map_err(unread)?;
            shard.replay(start, bytes).map_err(|_| malformed(start))?;
        }
        // From here on it knows which cold files it needs: not those whose last messages had expired.
        shard.catch_up();
        shard.resume(stamp, found.writer.next_start());
        let files = found.cold.numbers().map_err(unread)?;
        if let Some(missing) = shard.chunks().find(|chunk| files.binary_search(chunk).is_err()) {
            let file = format!("{}/{}", self.disk.location(), kew_journal::Cold::name(missing));
            return Err(OpenError::Missing { file, reason: "messages wait in it".into() }.into());
        }
        let source = Source { reader: found.reader, cold: found.cold };
        let opening = found.writer.epoch();
        let opened =
            Opened { shard, source, snapshots: found.snapshots, keep, opening, report: found.report };
        Ok((found.writer, opened))
    }
}
