//! A journal in memory: for tests, and for servers whose data may go with the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{Backend, Batches, Recovered};
use crate::error::Error;
use crate::{Headroom, MAX_BATCH_BYTES, OVERHEAD, Report, Rest, Snapshot};

/// A journal's memory. Clones are the same journal, which outlives each of its openings.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    store: Arc<Mutex<Store>>,
}

#[derive(Debug, Default)]
struct Store {
    epoch: u64,
    end: u64,
    batches: Vec<(u64, Bytes)>,
    snapshot: Option<Snapshot>,
    cold: BTreeMap<u64, Vec<u8>>,
}

impl Memory {
    pub(crate) fn open(&self) -> Recovered {
        let mut store = lock(&self.store);
        store.epoch += 1;
        Recovered {
            backend: Arc::new(Opening { epoch: store.epoch, store: Arc::clone(&self.store) }),
            end: store.end,
            snapshot: store.snapshot.clone(),
            report: Report::default(),
        }
    }
}

fn lock(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    // Each change of the store is complete or not begun, so a panic elsewhere leaves it whole.
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Opening {
    epoch: u64,
    store: Arc<Mutex<Store>>,
}

impl Opening {
    fn fenced(&self) -> Result<MutexGuard<'_, Store>, Error> {
        let store = lock(&self.store);
        if store.epoch != self.epoch {
            return Err(Error::Fenced { ours: self.epoch, newer: store.epoch });
        }
        Ok(store)
    }
}

impl Backend for Opening {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn durable(&self) -> u64 {
        lock(&self.store).end
    }

    fn append(&self, start: u64, payload: &Bytes) -> Result<(), Error> {
        let mut store = self.fenced()?;
        let expected = store.end + OVERHEAD;
        if start != expected {
            return Err(Error::OutOfOrder { given: start, expected });
        }
        let bytes = payload.len() as u64;
        if bytes > MAX_BATCH_BYTES {
            return Err(Error::TooLarge { bytes, limit: MAX_BATCH_BYTES });
        }
        store.end = start + bytes;
        store.batches.push((start, payload.clone()));
        Ok(())
    }

    fn read(&self, position: u64, length: usize) -> Result<Bytes, Error> {
        let store = lock(&self.store);
        let index = store.batches.partition_point(|(start, _)| *start <= position).checked_sub(1);
        index
            .and_then(|index| {
                let (start, batch) = &store.batches[index];
                let from = usize::try_from(position - start).ok()?;
                let to = from.checked_add(length)?;
                (to <= batch.len()).then(|| batch.slice(from..to))
            })
            .ok_or(Error::Gone { position, length })
    }

    fn replay(&self, from: u64) -> Batches {
        let store = lock(&self.store);
        let first = store.batches.partition_point(|(start, _)| *start <= from);
        let batches: Vec<_> =
            store.batches[first..].iter().filter(|(_, batch)| !batch.is_empty()).cloned().map(Ok).collect();
        Box::new(batches.into_iter())
    }

    fn boundary(&self, position: u64) -> u64 {
        let store = lock(&self.store);
        let index = store.batches.partition_point(|(start, _)| *start <= position).saturating_sub(1);
        store.batches.get(index).map_or(0, |(start, _)| start - OVERHEAD)
    }

    fn save(&self, snapshot: &Snapshot, _: &Rest) -> Result<(), Error> {
        let mut store = self.fenced()?;
        if snapshot.position > store.end {
            return Err(Error::OutOfOrder { given: snapshot.position, expected: store.end });
        }
        let keep = snapshot.keep.min(snapshot.position);
        store.snapshot = Some(snapshot.clone());
        let first = store.batches.partition_point(|(start, batch)| start + batch.len() as u64 <= keep);
        store.batches.drain(..first);
        Ok(())
    }

    fn prepare(&self) -> Result<(), Error> {
        Ok(())
    }

    fn load(&self) -> Result<Option<Snapshot>, Error> {
        Ok(lock(&self.store).snapshot.clone())
    }

    fn write_cold(&self, file: u64, pieces: &[Bytes], _: &Rest) -> Result<Vec<u64>, Error> {
        let mut bytes = Vec::new();
        let mut offsets = Vec::with_capacity(pieces.len());
        for piece in pieces {
            offsets.push(bytes.len() as u64);
            bytes.extend_from_slice(piece);
        }
        self.fenced()?.cold.insert(file, bytes);
        Ok(offsets)
    }

    fn read_cold_piece(&self, file: u64, offset: u64, length: usize) -> Result<Bytes, Error> {
        self.read_cold(file, offset, length)
    }

    fn read_cold(&self, file: u64, offset: u64, length: usize) -> Result<Bytes, Error> {
        let store = lock(&self.store);
        let found = store.cold.get(&file).and_then(|bytes| {
            let from = usize::try_from(offset).ok()?;
            bytes.get(from..from.checked_add(length)?)
        });
        found.map(Bytes::copy_from_slice).ok_or(Error::Gone { position: offset, length })
    }

    fn remove_cold(&self, file: u64) -> Result<(), Error> {
        self.fenced()?.cold.remove(&file);
        Ok(())
    }

    fn cold_numbers(&self) -> Result<Vec<u64>, Error> {
        Ok(lock(&self.store).cold.keys().copied().collect())
    }

    fn cold_files(&self) -> Result<Vec<(u64, u64)>, Error> {
        Ok(lock(&self.store).cold.iter().map(|(file, bytes)| (*file, bytes.len() as u64)).collect())
    }

    fn headroom(&self) -> Result<Headroom, Error> {
        Ok(Headroom { reserved: 0, free: u64::MAX })
    }
}
