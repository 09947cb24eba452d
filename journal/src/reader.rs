//! Reads payload bytes by position: recent batches from memory, older ones from the backend.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::backends::Backend;
use crate::error::Error;

/// Reads bytes of batches. Cheap to clone; all clones share their memory.
#[derive(Debug, Clone)]
pub struct Reader {
    backend: Arc<dyn Backend>,
    recent: Arc<Mutex<Recent>>,
}

impl Reader {
    pub(crate) fn new(backend: Arc<dyn Backend>, recent_bytes: usize) -> Self {
        let recent = Recent { batches: VecDeque::new(), bytes: 0, limit: recent_bytes };
        Self { backend, recent: Arc::new(Mutex::new(recent)) }
    }

    /// Takes a batch into memory, so that it can be read at once, even before it is durable. Batches come in order;
    /// the oldest leave when there are more bytes than the options allow, but none before it is durable.
    pub fn admit(&self, start: u64, batch: Bytes) {
        let durable = self.backend.durable();
        self.recent().admit(start, batch, durable);
    }

    /// The bytes at `position`, all of one batch.
    ///
    /// The answer shares the memory of the batch or disk block that it lies in: it is meant to be sent and let go. Whoever
    /// keeps a few bytes for long should copy them, or they keep up to a whole batch alive.
    ///
    /// Blocks on the disk if the bytes are not recent. They are not checked against the batch's checksum again.
    ///
    /// # Errors
    /// [`Error::Gone`] for what was dropped or never appended, [`Error::Io`].
    pub fn read(&self, position: u64, length: usize) -> Result<Bytes, Error> {
        if let Some(bytes) = self.read_recent(position, length) {
            return Ok(bytes);
        }
        self.backend.read(position, length)
    }

    /// The bytes at `position` if they are in memory: never blocks.
    pub fn read_recent(&self, position: u64, length: usize) -> Option<Bytes> {
        self.recent().read(position, length)
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        // Each change of the list is complete or not begun, so a panic elsewhere leaves it whole.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The newest batches, ascending by start.
#[derive(Debug)]
struct Recent {
    batches: VecDeque<(u64, Bytes)>,
    bytes: usize,
    limit: usize,
}

impl Recent {
    fn admit(&mut self, start: u64, batch: Bytes, durable: u64) {
        if self.batches.back().is_some_and(|(last, bytes)| last + bytes.len() as u64 > start) {
            // Somebody starts again from an earlier place: what is here may never have become durable.
            self.batches.clear();
            self.bytes = 0;
        }
        self.bytes += batch.len();
        self.batches.push_back((start, batch));
        while self.bytes > self.limit {
            let Some((start, oldest)) = self.batches.front() else { break };
            if start + oldest.len() as u64 > durable {
                break;
            }
            self.bytes -= oldest.len();
            self.batches.pop_front();
        }
    }

    fn read(&self, position: u64, length: usize) -> Option<Bytes> {
        let index = self.batches.partition_point(|(start, _)| *start <= position).checked_sub(1)?;
        let (start, batch) = &self.batches[index];
        let from = usize::try_from(position - start).ok()?;
        let to = from.checked_add(length)?;
        (to <= batch.len()).then(|| batch.slice(from..to))
    }
}
