//! Payloads, wherever they lie.

use bytes::Bytes;
use kew_engine::cold::Thaw;
use kew_engine::services::sqs::command::Locator;
use kew_journal::{Cold, Error, Reader};

/// Where messages' payloads are read: the journal and the cold files beside it. Cheap to clone; calls block.
#[derive(Debug, Clone)]
pub struct Source {
    /// The journal.
    pub reader: Reader,
    /// Its cold files.
    pub cold: Cold,
}

impl Source {
    /// A payload.
    ///
    /// # Errors
    /// As [`Reader::read`] and [`Cold::read`].
    pub fn read(&self, payload: Locator) -> Result<Bytes, Error> {
        let length = payload.length as usize;
        match payload.in_chunk() {
            Some((file, offset)) => self.cold.read(file, offset, length),
            None => self.reader.read(payload.position, length),
        }
    }

    /// What comes back from a cold file.
    ///
    /// # Errors
    /// As [`Cold::read_piece`].
    pub fn thaw(&self, thaw: &Thaw) -> Result<Bytes, Error> {
        self.cold.read_piece(thaw.chunk(), thaw.offset(), thaw.length() as usize)
    }
}
