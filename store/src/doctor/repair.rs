//! A shard made anew from what is whole of a damaged one. The damaged one is only read.
//!
//! Whatever was damaged, the way is the same: the state as of the last batch that follows its snapshot without a break, less the
//! messages whose bytes are lost; the payloads that lie in the journal go to cold files; and a new journal begins behind the old
//! one's end with a snapshot of that.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use kew_engine::cold::Stored;
use kew_engine::shard::{Command, Shard, Stamp, Token};
use kew_journal::disk::{Disk, Real};
use kew_journal::{Cold, OVERHEAD, OpenError, Opened, Options, Snapshot};

use super::Checkup;
use crate::source::Source;

/// Bytes that go to one cold file, about.
const STEP_BYTES: usize = 8 << 20;

/// Pieces of a cold file that are not a backlog.
const STEP_PIECES: usize = 8;

/// Why a repair did not happen. The damaged shard is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// Nothing to go on from.
    #[error("{0}")]
    Impossible(String),
    /// The new journal did not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The new journal could not be written.
    #[error(transparent)]
    Journal(#[from] kew_journal::Error),
    /// The directory could not be changed.
    #[error("{action} {path} failed: {source}; nothing was changed: check the disk and its free space")]
    Io {
        /// The file or directory.
        path: String,
        /// `making`, `copying` ...
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Checkup {
    /// Writes the repaired shard into `to`, which is empty. Cold files that are whole become second names of those in `from`.
    ///
    /// # Errors
    /// [`RepairError`]; what is in `to` then means nothing.
    pub fn repair(mut self, from: &Path, to: Real) -> Result<(), RepairError> {
        let obstacle = self.obstacle.take().unwrap_or_else(|| "there is no state to go on from".into());
        let mut state = self.state.take().ok_or(RepairError::Impossible(obstacle))?;
        state.lose(&|payload| self.lost.contains(&payload.position), &|piece| {
            self.gone.contains(&(piece.chunk(), piece.offset()))
        });
        let to = Arc::new(to);
        let base = self.inspection.past;
        let bytes: Bytes = state.snapshot().into();
        // Read back, it knows which cold files it needs now.
        let mut shard = Shard::restore(self.config.clone(), base + OVERHEAD, bytes.clone())
            .map_err(|_| RepairError::Impossible("what is left makes no sense".into()))?;
        shard.resume(Stamp { now: shard.now(), seed: 0 }, base + OVERHEAD);
        self.take_cold_files(&shard, from, &to)?;

        let disk: Arc<dyn Disk> = to;
        let epoch = self.inspection.epoch.max(1);
        kew_journal::found(Arc::clone(&disk), epoch, &Snapshot { position: base, keep: base, bytes })?;
        let options = Options { segment_bytes: 64 << 10, spares: 0, ..Options::default() };
        let mut opened = kew_journal::open(disk, &options)?;
        self.evacuate(&mut shard, &mut opened)?;
        let Opened { writer, snapshots, .. } = opened;
        let position = writer.durable();
        snapshots.save(&Snapshot { position, keep: position, bytes: shard.snapshot().into() })?;
        Ok(writer.close()?)
    }

    fn take_cold_files(&self, shard: &Shard, from: &Path, to: &Arc<Real>) -> Result<(), RepairError> {
        for chunk in shard.chunks() {
            if self.needed.get(&chunk).copied().unwrap_or_default() {
                let disk: Arc<dyn Disk> = Arc::<Real>::clone(to);
                self.inspection.mend_cold(chunk, disk)?;
                continue;
            }
            let name = Cold::name(chunk);
            let path = from.join(&name).display().to_string();
            let failed = |source| RepairError::Io { path, action: "copying", source };
            to.adopt(from, &name, true).map_err(failed)?;
        }
        Ok(())
    }

    /// Writes the payloads that lie in the old journal to cold files of the new one.
    fn evacuate(&self, shard: &mut Shard, opened: &mut Opened) -> Result<(), RepairError> {
        let old = Source { reader: self.inspection.reader.clone(), cold: self.inspection.cold.clone() };
        let stamp = Stamp { now: shard.now(), seed: 0 };
        let used = self.inspection.cold.files()?.last().map_or(0, |(file, _)| file + 1);
        let mut chunk = shard.next_chunk().max(used);
        let base = self.inspection.past;
        loop {
            let mut bundles = shard.backlog(base, u64::MAX, STEP_BYTES);
            if bundles.is_empty() {
                bundles = shard.survivors(base, &[]);
                bundles.truncate(STEP_PIECES);
            }
            if bundles.is_empty() {
                break;
            }
            let mut pieces = Vec::with_capacity(bundles.len());
            for bundle in &bundles {
                let payloads = bundle.payloads().map(|payload| old.read(payload));
                pieces.push(bundle.encode(&payloads.collect::<Result<Vec<_>, _>>()?));
            }
            let offsets = opened.cold.write(chunk, &pieces)?;
            let lengths = pieces.iter().map(|piece| piece.len() as u64);
            let placed = bundles.into_iter().zip(offsets).zip(lengths);
            let stored = placed.map(|((bundle, offset), length)| Stored { bundle, chunk, offset, length });
            shard.submit(stamp, Token(0), Command::Stored(stored.collect()));
            chunk += 1;
        }
        if let Some(batch) = shard.poll_append() {
            opened.writer.append(batch.start, &batch.bytes)?;
        }
        Ok(())
    }
}
