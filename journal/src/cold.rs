//! Cold files: numbered, written once, read at any place, removed whole. For what leaves the journal because it waits long.

use std::sync::Arc;

use bytes::Bytes;

use crate::Rest;
use crate::backends::Backend;
use crate::error::Error;

/// The cold files beside a journal. Cheap to clone; calls block.
#[derive(Debug, Clone)]
pub struct Cold {
    backend: Arc<dyn Backend>,
    rest: Rest,
}

impl Cold {
    pub(crate) fn new(backend: Arc<dyn Backend>) -> Self {
        Self { backend, rest: Rest::default() }
    }

    /// The same for a thread that rests between small pieces of its work.
    #[must_use]
    pub fn resting(&self, rest: Rest) -> Self {
        Self { backend: Arc::clone(&self.backend), rest }
    }

    /// Writes file number `file`, which is not there yet, and returns the offset of each piece's first byte once all of it is
    /// durable.
    ///
    /// # Errors
    /// [`Error::DiskFull`], [`Error::Io`], [`Error::Fenced`]: nothing of it counts.
    pub fn write(&self, file: u64, pieces: &[Bytes]) -> Result<Vec<u64>, Error> {
        self.backend.write_cold(file, pieces, &self.rest)
    }

    /// A whole piece, checked; parts of it can then be read from memory for a while.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`].
    pub fn read_piece(&self, file: u64, offset: u64, length: usize) -> Result<Bytes, Error> {
        self.backend.read_cold_piece(file, offset, length)
    }

    /// A part of a piece. From disk it is not checked again.
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

    /// What a file is called, for people.
    pub fn name(file: u64) -> String {
        crate::backends::file::cold_name(file)
    }

    /// The numbers of all files, ascending.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn numbers(&self) -> Result<Vec<u64>, Error> {
        self.backend.cold_numbers()
    }

    /// The numbers of all files, ascending, and their lengths in bytes. Looks at each file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn files(&self) -> Result<Vec<(u64, u64)>, Error> {
        self.backend.cold_files()
    }
}
