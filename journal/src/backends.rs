//! The contract behind a journal, and who fulfils it.
//!
//! It is narrow on purpose, so that a replicated log can stand behind it as well as files: append a batch if this
//! opening is still the newest one, read, replay from a position, keep a snapshot and drop what lies before it. A file
//! answers with `fdatasync`; a broker would answer with a compare-and-append on its stream, keep snapshots as objects,
//! and purge the stream's prefix.
//!
//! Every backend passes the suite in `conformance.rs`.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::Error;
use crate::{Headroom, Report, Rest, Snapshot};

pub mod file;
pub mod memory;

/// The batches of a replay: start position and payload, in order. An empty batch is not shown.
pub type Batches = Box<dyn Iterator<Item = Result<(u64, Bytes), Error>> + Send>;

/// One opening of a journal. Calls block; `append` comes from one thread at a time, all others from any.
pub trait Backend: Debug + Send + Sync {
    /// The number of this opening: higher than that of every opening before.
    fn epoch(&self) -> u64;

    /// The end of the last durable batch.
    fn durable(&self) -> u64;

    /// Appends one batch and returns when it is durable, and when this opening was the newest one even after that.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`] if `start` is not where the next batch starts, [`Error::TooLarge`], [`Error::DiskFull`]:
    /// nothing was written. [`Error::Fenced`], [`Error::Io`]: the batch may or may not be found by the next opening.
    fn append(&self, start: u64, payload: &Bytes) -> Result<(), Error>;

    /// Bytes of an appended payload.
    ///
    /// # Errors
    /// [`Error::Gone`] for what was dropped or never appended, [`Error::Io`].
    fn read(&self, position: u64, length: usize) -> Result<Bytes, Error>;

    /// All batches from `from`, the end of a batch, to the end of the journal as it is now.
    fn replay(&self, from: u64) -> Batches;

    /// The end of a batch from which [`Backend::replay`] may begin: the last such at or below `position`, or one before.
    fn boundary(&self, position: u64) -> u64;

    /// Keeps a snapshot, durably, in place of the one before, then drops what lies wholly below `keep`. Takes a rest between pieces.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`] if the position lies behind the end, [`Error::Fenced`], [`Error::DiskFull`],
    /// [`Error::Io`]: the snapshot before still holds.
    fn save(&self, snapshot: &Snapshot, rest: &Rest) -> Result<(), Error>;

    /// Makes room ahead of the appends, where that makes them faster.
    ///
    /// # Errors
    /// [`Error::DiskFull`], [`Error::Io`]: appends then make their room themselves.
    fn prepare(&self) -> Result<(), Error>;

    /// The newest snapshot.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`].
    fn load(&self) -> Result<Option<Snapshot>, Error>;

    /// Writes a cold file that is not there yet, and returns the offset of each piece when all are durable. Takes a rest between
    /// pieces.
    ///
    /// # Errors
    /// [`Error::Fenced`], [`Error::DiskFull`], [`Error::Io`]: nothing of it counts.
    fn write_cold(&self, file: u64, pieces: &[Bytes], rest: &Rest) -> Result<Vec<u64>, Error>;

    /// A whole piece of a cold file, checked.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`].
    fn read_cold_piece(&self, file: u64, offset: u64, length: usize) -> Result<Bytes, Error>;

    /// A part of a piece of a cold file.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`].
    fn read_cold(&self, file: u64, offset: u64, length: usize) -> Result<Bytes, Error>;

    /// Removes a cold file, if it is there.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn remove_cold(&self, file: u64) -> Result<(), Error>;

    /// The numbers of all cold files, ascending. Costs no more than listing the directory: files may be many.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn cold_numbers(&self) -> Result<Vec<u64>, Error>;

    /// The numbers of all cold files, ascending, and their lengths in bytes.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn cold_files(&self) -> Result<Vec<(u64, u64)>, Error>;

    /// How much can still be appended.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn headroom(&self) -> Result<Headroom, Error>;
}

/// What a backend hands over when it has opened.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) backend: Arc<dyn Backend>,
    /// The end of the last batch.
    pub(crate) end: u64,
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) report: Report,
}
