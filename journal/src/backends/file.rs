//! The journal in files, as `format.rs` lays them out.
//!
//! - One batch is written, synced and only then followed by the next. So of all batches found later only the last can
//!   be in doubt, and opening writes that one anew, into the new segment that each opening begins: whatever a failed
//!   sync left behind is never relied upon.
//! - A segment gets its name only when its header, and what it begins with, are durable. It ends where the next one
//!   begins, whatever lies behind that in the file.
//! - A file that falls below the prefix becomes a spare, and a spare becomes the next segment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;

use super::{Backend, Batches, Recovered};
use crate::disk::Disk;
use crate::error::{Error, OpenError};
use crate::format::{END, MAX_BATCH_BYTES};
use crate::{Durability, Headroom, OVERHEAD, Options, Report, Rest, Snapshot};

mod blocks;
mod cold;
mod copy;
mod fence;
mod inspect;
mod place;
mod pool;
mod recovery;
mod scan;
mod segment;
mod snapshot;

use blocks::Blocks;
use cold::Cold;
pub(crate) use cold::name as cold_name;
pub(crate) use copy::found;
use fence::Fence;
pub(crate) use inspect::{Looked, inspect};
use place::Place;
use pool::{Birth, Pool};
use scan::Replay;
use segment::Segment;

/// Opens the journal on a disk.
pub(crate) fn open(disk: Arc<dyn Disk>, options: &Options) -> Result<Recovered, OpenError> {
    recovery::open(Place::new(disk), options)
}

#[derive(Debug)]
struct Files {
    place: Place,
    durability: Durability,
    fence: Fence,
    pool: Pool,
    blocks: Blocks,
    cold: Cold,
    /// Ascending by base. The last one takes the appends.
    segments: RwLock<Vec<Arc<Segment>>>,
    /// The end of the last durable batch.
    durable: AtomicU64,
    appending: Mutex<()>,
    saving: Mutex<()>,
}

impl Files {
    fn segments(&self) -> Vec<Arc<Segment>> {
        // Each change of the list is complete or not begun, so a panic elsewhere leaves it whole.
        self.segments.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn last(&self) -> Result<Arc<Segment>, Error> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        // Opening puts one in and nothing takes the last one out.
        segments.last().cloned().ok_or(Error::Poisoned)
    }

    fn find(&self, position: u64) -> Option<Arc<Segment>> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let index = segments.partition_point(|segment| segment.base <= position).checked_sub(1)?;
        Some(Arc::clone(&segments[index]))
    }

    /// Writes a batch into the last segment, which has room for it.
    fn write(&self, segment: &Segment, start: u64, payload: &Bytes) -> Result<(), Error> {
        let bytes = payload.len() as u64;
        let header = segment.seed().encode(start, payload);
        let offset = segment.offset(start);
        let behind = segment.file_length - offset - bytes;
        let end = &END[..behind.min(OVERHEAD) as usize];
        segment.file.write_at(&[&header, payload, end], offset - OVERHEAD).map_err(self.place.no_room(
            "writing",
            &segment.name,
            bytes,
        ))?;
        if self.durability == Durability::Fsync {
            let end = offset + bytes + end.len() as u64;
            segment.write_ahead(end).map_err(self.place.failed("writing", &segment.name))?;
            segment.file.sync_data().map_err(self.place.failed("syncing", &segment.name))?;
        }
        Ok(())
    }

    /// Begins a new segment with a batch. One sync makes both durable.
    fn begin_segment(&self, last: &Segment, start: u64, payload: &Bytes) -> Result<Arc<Segment>, Error> {
        let base = start - OVERHEAD;
        // A last segment that is empty and yet too short is replaced under its name.
        let is_replaced = last.base == base;
        // Spares and names belong to the newest opening; a file installed by an older one could take the place of its own.
        self.fence.check(&self.place)?;
        let next = Arc::new(self.pool.install(&Birth {
            base,
            previous: if is_replaced { last.previous } else { last.base },
            epoch: self.fence.epoch(),
            durability: self.durability,
            first: Some(payload),
            settled: base,
            room: OVERHEAD + payload.len() as u64,
        })?);
        self.fence.note(&self.place, base).map_err(|error| match error {
            // The batch counts already: nobody may hear that it was not written for want of room.
            Error::DiskFull { .. } => {
                let full = std::io::ErrorKind::StorageFull.into();
                self.place.failed("writing", fence::NAME)(full)
            }
            other => other,
        })?;
        {
            let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
            if is_replaced {
                segments.pop();
            }
            segments.push(Arc::clone(&next));
        }
        self.pool.prepare();
        Ok(next)
    }

    /// Makes durable what appends have left to the operating system.
    fn settle(&self) -> Result<(), Error> {
        if self.durability == Durability::Os {
            for segment in self.segments() {
                segment.file.sync_data().map_err(self.place.failed("syncing", &segment.name))?;
            }
        }
        Ok(())
    }

    /// Takes segments wholly below `keep` out of use.
    fn drop_below(&self, keep: u64) -> Result<(), Error> {
        let dropped: Vec<Arc<Segment>> = {
            let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
            let count = segments.windows(2).take_while(|pair| pair[1].base <= keep).count();
            segments.drain(..count).collect()
        };
        self.fence.check(&self.place)?;
        self.pool.retire(dropped)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Backend for Files {
    fn epoch(&self) -> u64 {
        self.fence.epoch()
    }

    fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    fn append(&self, start: u64, payload: &Bytes) -> Result<(), Error> {
        let _one_at_a_time = lock(&self.appending);
        let expected = self.durable() + OVERHEAD;
        if start != expected {
            return Err(Error::OutOfOrder { given: start, expected });
        }
        let bytes = payload.len() as u64;
        if bytes > MAX_BATCH_BYTES {
            return Err(Error::TooLarge { bytes, limit: MAX_BATCH_BYTES });
        }
        let last = self.last()?;
        let segment = if last.offset(start) + bytes <= last.file_length {
            self.write(&last, start, payload)?;
            last
        } else {
            self.begin_segment(&last, start, payload)?
        };
        // Whoever opens the journal raises the fence first and reads the batches then. So if the fence is still ours
        // now, the next opening will find this batch.
        self.fence.check(&self.place)?;
        segment.grow_to(start + bytes);
        self.durable.store(start + bytes, Ordering::Release);
        Ok(())
    }

    fn read(&self, position: u64, length: usize) -> Result<Bytes, Error> {
        let gone = Error::Gone { position, length };
        let Some(segment) = self.find(position) else { return Err(gone) };
        if position.saturating_add(length as u64) > segment.end() {
            return Err(gone);
        }
        self.blocks.read(&segment, position, length).map_err(self.place.failed("reading", &segment.name))
    }

    fn replay(&self, from: u64) -> Batches {
        let end = self.durable();
        Box::new(Replay::new(self.place.clone(), &self.segments(), from, end))
    }

    fn boundary(&self, position: u64) -> u64 {
        let segments = self.segments();
        let index = segments.partition_point(|segment| segment.base <= position).saturating_sub(1);
        segments.get(index).map_or(0, |segment| segment.base)
    }

    fn save(&self, snapshot: &Snapshot, rest: &Rest) -> Result<(), Error> {
        let _one_at_a_time = lock(&self.saving);
        let durable = self.durable();
        if snapshot.position > durable {
            return Err(Error::OutOfOrder { given: snapshot.position, expected: durable });
        }
        // A snapshot must never outlive what it points to.
        self.settle()?;
        self.fence.check(&self.place)?;
        snapshot::write(&self.place, self.fence.epoch(), snapshot, rest)?;
        self.drop_below(snapshot.keep.min(snapshot.position))
    }

    fn prepare(&self) -> Result<(), Error> {
        self.pool.prepare_written()
    }

    fn load(&self) -> Result<Option<Snapshot>, Error> {
        let names = self.place.disk.list().map_err(self.place.failed("listing", "."))?;
        // By the rule of opening: an older one will do if the journal reaches back to it.
        Ok(recovery::choose_snapshot(&self.place, &names, &self.segments(), &mut Report::default())?)
    }

    fn write_cold(&self, file: u64, pieces: &[Bytes], rest: &Rest) -> Result<Vec<u64>, Error> {
        self.fence.check(&self.place)?;
        self.cold.write(&self.place, file, pieces, rest)
    }

    fn read_cold_piece(&self, file: u64, offset: u64, length: usize) -> Result<Bytes, Error> {
        self.cold.read_piece(&self.place, file, offset, length)
    }

    fn read_cold(&self, file: u64, offset: u64, length: usize) -> Result<Bytes, Error> {
        self.cold.read(&self.place, file, offset, length)
    }

    fn remove_cold(&self, file: u64) -> Result<(), Error> {
        // A power cut must not bring back the time when it was needed.
        self.settle()?;
        self.cold.remove(&self.place, file)
    }

    fn cold_numbers(&self) -> Result<Vec<u64>, Error> {
        Cold::numbers(&self.place)
    }

    fn cold_files(&self) -> Result<Vec<(u64, u64)>, Error> {
        Cold::files(&self.place)
    }

    fn headroom(&self) -> Result<Headroom, Error> {
        let last = self.last()?;
        let free = self.place.disk.free_space().map_err(self.place.failed("measuring", "."))?;
        let unused = last.file_length.saturating_sub(last.offset(last.end()));
        Ok(Headroom { reserved: unused + self.pool.reserved(), free })
    }
}
