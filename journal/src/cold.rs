//! Cold files: numbered, written once, read at any place, removed whole. For what leaves the journal because it waits long.

use std::sync::Arc;

use bytes::Bytes;

use crate::backends::Backend;
use crate::error::Error;

/// The cold files beside a journal. Cheap to clone; calls block.
#[derive(Debug, Clone)]
pub struct Cold {
    backend: Arc<dyn Backend>,
}

impl Cold {
    pub(crate) fn new(backend: Arc<dyn Backend>) -> Self {
        Self { backend }
    }

    /// Appends a frame to file number `file`, which is made if this opening has not yet written to it, and returns the offset
    /// of the frame's first byte once all of it is durable. One call at a time.
    ///
    /// # Errors
    /// [`Error::DiskFull`], [`Error::Io`], [`Error::Fenced`]: nothing of it counts.
    pub fn append(&self, file: u64, frame: &Bytes) -> Result<u64, Error> {
        self.backend.append_cold(file, frame)
    }

    /// A whole frame, checked; parts of it can then be read from memory for a while.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`].
    pub fn read_frame(&self, file: u64, offset: u64, length: usize) -> Result<Bytes, Error> {
        self.backend.read_cold_frame(file, offset, length)
    }

    /// A part of a frame. From disk it is not checked again.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the file is too short, [`Error::Io`].
    pub fn read(&self, file: u64, offset: u64, length: usize) -> Result<Bytes, Error> {
        self.backend.read_cold(file, offset, length)
    }

    /// Removes a file. One that is not there is no error.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove(&self, file: u64) -> Result<(), Error> {
        self.backend.remove_cold(file)
    }

    /// The numbers of all files.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn files(&self) -> Result<Vec<u64>, Error> {
        self.backend.cold_files()
    }
}
