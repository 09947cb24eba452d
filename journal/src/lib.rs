//! Bytes that survive: one shard's sequence of batches, framed, checksummed, synced, recovered.
//!
//! The journal never knows what the bytes mean, and never goes on after a failed write as if it had worked.
//!
//! # Positions
//!
//! A position is a `u64` that counts the journal's bytes from its birth and is never used twice for different durable
//! bytes. A batch of `n` bytes whose first byte lies at `start` ends at `start + n`; the next one starts at
//! `start + n + OVERHEAD`, in whatever file that lies. So whoever encodes a batch knows where each of its bytes will be
//! found before it is written.
//!
//! # Use
//!
//! [`open`] gives the parts, each for its own thread:
//!
//! - [`Opened::snapshot`] and [`Opened::replay`]: rebuild the state from these first.
//! - [`Writer`]: appends, for the thread that may block on the disk. After an error (but for a full disk) it takes no
//!   more: drop everything, open anew, rebuild.
//! - [`Reader`]: reads payload bytes, cheap to clone. Hand it each batch ([`Reader::admit`]) when the batch goes to
//!   the writer, so that what is read soon is read from memory.
//! - [`Cold`]: files beside the journal for what waits long.
//! - [`Snapshots`]: saves snapshots and drops the prefix, beside the appends.
//!
//! # Several openings
//!
//! Each opening has an epoch, kept durably, higher than all before. Appends and snapshots of an older opening are
//! refused ([`Error::Fenced`]). [`disk::Directory`] keeps other processes out by a lock.

pub mod backends;
mod cold;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod disk;
mod error;
mod format;
mod inspection;
mod reader;
mod rest;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

pub use backends::Batches;
pub use cold::Cold;
pub use error::{Error, OpenError};
pub use format::{MAX_BATCH_BYTES, OVERHEAD};
pub use inspection::{Damage, FileKind, FileState, Inspection, inspect};
pub use reader::Reader;
pub use rest::Rest;
pub use writer::{Snapshots, Writer};

use backends::memory::Memory;
use backends::{Recovered, file};

/// What an append waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Until the disk has it: survives a power cut.
    #[default]
    Fsync,
    /// Until the operating system has it: survives the end of the process, not of the machine.
    Os,
}

/// How a journal is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// What an append waits for.
    pub durability: Durability,
    /// Length of a segment file in bytes; one batch that needs more gets a longer one. At least 8 KiB.
    pub segment_bytes: u64,
    /// Dropped segments kept for reuse: writing over them syncs faster than growing a file, and they are room that
    /// nobody else can take.
    pub spares: usize,
    /// Recent batches kept in memory, in bytes.
    pub recent_bytes: usize,
    /// Blocks read from disk kept in memory, in bytes.
    pub read_ahead_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Fsync,
            segment_bytes: 64 << 20,
            spares: 2,
            recent_bytes: 64 << 20,
            read_ahead_bytes: 8 << 20,
        }
    }
}

/// A state as of a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The end of the last batch whose facts are in the bytes.
    pub position: u64,
    /// The lowest position that is still to be read; what lies wholly below it and below `position` is dropped.
    pub keep: u64,
    /// The state.
    pub bytes: Bytes,
}

/// How much can still be appended, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headroom {
    /// Room in files that the journal already owns.
    pub reserved: u64,
    /// Room that the file system could still give, to anybody.
    pub free: u64,
}

impl Headroom {
    /// All of it.
    pub fn total(self) -> u64 {
        self.reserved.saturating_add(self.free)
    }
}

/// What opening found, for the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The torn end of the journal, if there was one: bytes that no answer ever rested on (or, where appends were not
    /// synced, that the power cut took).
    pub cut: Option<Cut>,
    /// Anything else that an operator should read.
    pub notes: Vec<String>,
}

/// A torn end that was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub file: String,
    /// Where in the file it began.
    pub offset: u64,
    /// How long it was, as far as can be told.
    pub bytes: u64,
}

/// An open journal, in parts.
#[derive(Debug)]
pub struct Opened {
    /// Appends.
    pub writer: Writer,
    /// Reads.
    pub reader: Reader,
    /// Saves snapshots.
    pub snapshots: Snapshots,
    /// What left the journal because it waits long.
    pub cold: Cold,
    /// The newest snapshot.
    pub snapshot: Option<Snapshot>,
    /// The batches behind it.
    pub replay: Replay,
    /// What was found.
    pub report: Report,
}

/// The batches behind the snapshot, in order: start position and payload. They pass through the reader's memory, so the
/// newest ones are warm afterwards.
///
/// All of them were checked when the journal opened; an error here means that the disk fails now.
pub struct Replay {
    batches: Batches,
    reader: Reader,
}

impl Iterator for Replay {
    type Item = Result<(u64, Bytes), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.batches.next()?;
        if let Ok((start, bytes)) = &batch {
            self.reader.admit(*start, bytes.clone());
        }
        Some(batch)
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").finish_non_exhaustive()
    }
}

/// Opens the journal on a disk; an empty one if nothing is there. The openings before lose the right to write.
///
/// # Errors
/// [`OpenError`]. Damage that is not the torn end of the last append is an error, never a silent loss.
pub fn open(disk: Arc<dyn disk::Disk>, options: &Options) -> Result<Opened, OpenError> {
    Ok(assemble(file::open(disk, options)?, options))
}

/// Makes a journal on an empty disk that goes on from a snapshot taken elsewhere: its next batch comes behind
/// [`Snapshot::position`], and nothing before it is there to be read. It is durable when this returns.
///
/// # Errors
/// [`Error::DiskFull`], [`Error::Io`].
pub fn found(disk: Arc<dyn disk::Disk>, epoch: u64, snapshot: &Snapshot) -> Result<(), Error> {
    file::found(disk, epoch, snapshot.position, Box::new(std::iter::empty()), Some(snapshot)).map(drop)
}

/// Opens a journal that lives as long as the process.
pub fn open_memory(memory: &Memory, options: &Options) -> Opened {
    assemble(memory.open(), options)
}

fn assemble(recovered: Recovered, options: &Options) -> Opened {
    let Recovered { backend, end, snapshot, report } = recovered;
    let reader = Reader::new(Arc::clone(&backend), options.recent_bytes);
    let from = snapshot.as_ref().map_or(0, |snapshot| snapshot.position);
    Opened {
        replay: Replay { batches: backend.replay(from), reader: reader.clone() },
        writer: Writer::new(Arc::clone(&backend), end),
        snapshots: Snapshots::new(Arc::clone(&backend)),
        cold: Cold::new(backend),
        reader,
        snapshot,
        report,
    }
}
