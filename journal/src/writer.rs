//! The two that write: batches, and snapshots.

use std::sync::Arc;

use bytes::Bytes;

use crate::backends::{Backend, Batches, file};
use crate::disk::Disk;
use crate::error::Error;
use crate::{Headroom, OVERHEAD, Rest, Snapshot};

/// Appends batches, one after the other. Blocks until each is durable.
#[derive(Debug)]
pub struct Writer {
    backend: Arc<dyn Backend>,
    end: u64,
    is_poisoned: bool,
}

impl Writer {
    pub(crate) fn new(backend: Arc<dyn Backend>, end: u64) -> Self {
        Self { backend, end, is_poisoned: false }
    }

    /// The end of the last durable batch.
    pub fn durable(&self) -> u64 {
        self.end
    }

    /// Where the first byte of the next batch will lie.
    pub fn next_start(&self) -> u64 {
        self.end + OVERHEAD
    }

    /// The number of this opening.
    pub fn epoch(&self) -> u64 {
        self.backend.epoch()
    }

    /// Appends a batch that was built to start at `start`, waits until it is durable, and returns its end.
    ///
    /// # Errors
    /// [`Error::DiskFull`], [`Error::OutOfOrder`] and [`Error::TooLarge`] leave the writer as it was: the same batch,
    /// or another one for the same start, may be given again. After any other error every append is refused.
    pub fn append(&mut self, start: u64, batch: &Bytes) -> Result<u64, Error> {
        if self.is_poisoned {
            return Err(Error::Poisoned);
        }
        match self.backend.append(start, batch) {
            Ok(()) => {
                self.end = start + batch.len() as u64;
                Ok(self.end)
            }
            Err(error) => {
                self.is_poisoned = !matches!(
                    error,
                    Error::DiskFull { .. } | Error::OutOfOrder { .. } | Error::TooLarge { .. }
                );
                Err(error)
            }
        }
    }

    /// Ends the journal with an empty batch. The last batch of all can only be told from a torn one by something that
    /// follows it; after this, damage to it is noticed rather than cut.
    ///
    /// # Errors
    /// As [`Writer::append`]; everything appended before stays durable.
    pub fn close(mut self) -> Result<(), Error> {
        self.append(self.next_start(), &Bytes::new()).map(drop)
    }
}

/// Saves snapshots and reads the journal back, from any thread, beside the appends.
#[derive(Debug, Clone)]
pub struct Snapshots {
    backend: Arc<dyn Backend>,
    rest: Rest,
}

impl Snapshots {
    pub(crate) fn new(backend: Arc<dyn Backend>) -> Self {
        Self { backend, rest: Rest::default() }
    }

    /// The same for a thread that rests between small pieces of its work.
    #[must_use]
    pub fn resting(&self, rest: Rest) -> Self {
        Self { backend: Arc::clone(&self.backend), rest }
    }

    /// How its thread rests.
    pub fn rest(&self) -> &Rest {
        &self.rest
    }

    /// Saves a snapshot durably, then forgets the one before and drops all segments that lie wholly below both
    /// `keep` and `position`. Their space is reused or freed.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`] if `position` is not yet durable, [`Error::DiskFull`], [`Error::Fenced`], [`Error::Io`]:
    /// the snapshot before still holds.
    pub fn save(&self, snapshot: &Snapshot) -> Result<(), Error> {
        self.backend.save(snapshot, &self.rest)
    }

    /// The newest snapshot.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`].
    pub fn load(&self) -> Result<Option<Snapshot>, Error> {
        self.backend.load()
    }

    /// The batches from `from`, the end of a batch, to what is durable now: start position and payload, in order.
    pub fn replay(&self, from: u64) -> Batches {
        let rest = self.rest.clone();
        Box::new(self.backend.replay(from).inspect(move |_| rest.take()))
    }

    /// Writes a copy of what is durable now onto an empty disk, without the cold files: the newest snapshot and all batches that
    /// are still needed. It opens as this journal would. Snapshots must not be saved meanwhile. Returns the bytes written.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::DiskFull`], [`Error::Io`].
    pub fn copy(&self, to: Arc<dyn Disk>) -> Result<u64, Error> {
        let snapshot = self.backend.load()?;
        let keep = snapshot.as_ref().map_or(0, |snapshot| snapshot.keep.min(snapshot.position));
        let base = self.backend.boundary(keep);
        let batches = self.backend.replay(base);
        file::found(to, self.backend.epoch(), base, batches, snapshot.as_ref())
    }

    /// Writes zeros through the file that becomes the next segment, unless one is there that was written before. Syncing
    /// into such a file takes about half the time for appends of 16 KiB and more. Writes up to a segment's length, so it
    /// wants a thread that has the time; nobody has to call it.
    ///
    /// # Errors
    /// [`Error::DiskFull`], [`Error::Io`]. Appends go on as before.
    pub fn prepare(&self) -> Result<(), Error> {
        self.backend.prepare()
    }

    /// How much can still be appended. Asks the file system: for once in a while.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn headroom(&self) -> Result<Headroom, Error> {
        self.backend.headroom()
    }
}
