//! Files that wait to become segments: preallocated, or left over from dropped ones.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::place::Place;
use super::segment::{self, Header, Segment};
use crate::disk::File;
use crate::error::Error;
use crate::format::{END, SEGMENT_HEADER};
use crate::{Durability, OVERHEAD};

pub(super) const PREFIX: &str = "spare-";
const PIECE: u64 = 1 << 20;

/// What a new segment begins with.
#[derive(Debug)]
pub(super) struct Birth<'a> {
    pub(super) base: u64,
    pub(super) previous: u64,
    pub(super) epoch: u64,
    pub(super) durability: Durability,
    /// A batch that is durable before the segment has its name: its start is `base + OVERHEAD`.
    pub(super) first: Option<&'a Bytes>,
    /// How far the header says that it was settled, which is then no torn end: an opening's first batch, nothing of an append's.
    pub(super) settled: u64,
    /// Bytes of frames that must fit.
    pub(super) room: u64,
}

#[derive(Debug)]
struct Spare {
    name: String,
    /// Every byte of it has been written once, so that writing there again changes no metadata of the file system.
    is_written: bool,
    /// Nothing was ever written to it, as far as is known: what opening finds may be either.
    is_fresh: bool,
}

#[derive(Debug)]
pub(super) struct Pool {
    place: Place,
    segment_bytes: u64,
    limit: usize,
    /// The one to take next comes last: those written to before are faster.
    spares: Mutex<Vec<Spare>>,
    next_name: AtomicU64,
}

impl Pool {
    /// Takes over the spares among the files of a directory and removes those that are of another length.
    pub(super) fn open(
        place: Place,
        segment_bytes: u64,
        limit: usize,
        names: &[String],
    ) -> Result<Self, Error> {
        let mut spares = Vec::new();
        let mut next_name = 0;
        for name in names {
            let Some(number) = segment::position_of(name, PREFIX) else { continue };
            next_name = next_name.max(number.saturating_add(1));
            let file = place.disk.open(name).map_err(place.failed("opening", name))?;
            let is_fit = file.length().map_err(place.failed("reading", name))? == segment_bytes;
            if is_fit && spares.len() < limit {
                spares.push(Spare { name: name.clone(), is_written: false, is_fresh: false });
            } else {
                place.disk.remove(name).map_err(place.failed("removing", name))?;
            }
        }
        Ok(Self {
            place,
            segment_bytes,
            limit,
            spares: Mutex::new(spares),
            next_name: AtomicU64::new(next_name),
        })
    }

    /// Room in the spares, in bytes.
    pub(super) fn reserved(&self) -> u64 {
        self.spares().len() as u64 * (self.segment_bytes - SEGMENT_HEADER)
    }

    /// Sees that one spare is there, so that the next segment costs no allocation and is sure of its room. Without room
    /// there is none, and the headroom says so.
    pub(super) fn prepare(&self) {
        if self.limit == 0 || !self.spares().is_empty() {
            return;
        }
        if let Ok((name, _)) = self.create(self.segment_bytes) {
            self.put(Spare { name, is_written: false, is_fresh: true });
        }
    }

    /// Sees that one spare is there that has been written once. In small pieces, each synced, so that appends beside
    /// it hardly wait.
    pub(super) fn prepare_written(&self) -> Result<(), Error> {
        self.prepare();
        let spare = {
            let mut spares = self.spares();
            if spares.iter().any(|spare| spare.is_written) { None } else { spares.pop() }
        };
        let Some(Spare { name, .. }) = spare else { return Ok(()) };
        let file = self.place.disk.open(&name).map_err(self.place.failed("opening", &name))?;
        let zeros = vec![0; PIECE.min(self.segment_bytes) as usize];
        let mut offset = 0;
        while offset < self.segment_bytes {
            let piece = &zeros[..(self.segment_bytes - offset).min(PIECE) as usize];
            let written = file.write_at(&[piece], offset).and_then(|()| file.sync_data());
            written.map_err(self.place.no_room("writing", &name, PIECE))?;
            offset += PIECE;
        }
        self.put(Spare { name, is_written: true, is_fresh: false });
        Ok(())
    }

    /// Makes a segment: its header and first batch are durable, and then it has its name, durably.
    pub(super) fn install(&self, birth: &Birth<'_>) -> Result<Segment, Error> {
        let (Spare { name: spare, is_fresh, .. }, file, file_length) =
            self.take(SEGMENT_HEADER + birth.room)?;
        match self.fill(birth, &spare, file, file_length) {
            Ok(segment) => {
                if !is_fresh {
                    segment.note_written();
                }
                Ok(segment)
            }
            Err(error) => {
                // What is in it may look like the segment that it did not become. Under either name it is nothing yet,
                // and a file that cannot be removed now is dealt with when the journal opens.
                let _ = self.place.disk.remove(&spare);
                Err(error)
            }
        }
    }

    fn fill(
        &self,
        birth: &Birth<'_>,
        spare: &str,
        file: Arc<dyn File>,
        file_length: u64,
    ) -> Result<Segment, Error> {
        let start = birth.base + OVERHEAD;
        let end = birth.first.map_or(birth.base, |first| start + first.len() as u64);
        let header = Header {
            base: birth.base,
            epoch: birth.epoch,
            settled: birth.settled,
            is_unsynced: birth.durability == Durability::Os,
            previous: birth.previous,
            file_length,
        };
        let name = segment::name_of(birth.base);
        let segment = Segment::new(name, file, file_length, header, end);
        let no_room = |action| self.place.no_room(action, spare, birth.room);
        segment.file.write_at(&[&header.encode()], 0).map_err(no_room("writing"))?;
        let behind = &END[..(file_length - segment.offset(end)).min(OVERHEAD) as usize];
        match birth.first {
            Some(first) => {
                let frame = segment.seed().encode(start, first);
                segment.file.write_at(&[&frame, first, behind], SEGMENT_HEADER)
            }
            None => segment.file.write_at(&[behind], SEGMENT_HEADER),
        }
        .map_err(no_room("writing"))?;
        // Even where appends are not synced, a name stands for a segment.
        segment.file.sync_data().map_err(no_room("syncing"))?;
        self.place.disk.rename(spare, &segment.name).map_err(no_room("renaming"))?;
        self.place.disk.sync_dir().map_err(self.place.failed("syncing", "."))?;
        Ok(segment)
    }

    /// Makes spares of dropped segments, or removes what is too much, of another length, or still being read.
    pub(super) fn retire(&self, dropped: Vec<Arc<Segment>>) -> Result<(), Error> {
        if dropped.is_empty() {
            return Ok(());
        }
        let mut fit = Vec::new();
        for segment in dropped {
            let is_read = Arc::strong_count(&segment) > 1;
            let is_wanted = self.spares().len() + fit.len() < self.limit;
            // Opening may have cut the file since it became a segment.
            let length = segment.file.length().map_err(self.place.failed("reading", &segment.name))?;
            if is_wanted && !is_read && length == self.segment_bytes {
                let spare = self.fresh_name();
                let renamed = self.place.disk.rename(&segment.name, &spare);
                renamed.map_err(self.place.failed("renaming", &segment.name))?;
                fit.push(Spare { name: spare, is_written: true, is_fresh: false });
            } else {
                let removed = self.place.disk.remove(&segment.name);
                removed.map_err(self.place.failed("removing", &segment.name))?;
            }
        }
        // Before anyone writes into a spare, its old name must be gone for good.
        self.place.disk.sync_dir().map_err(self.place.failed("syncing", "."))?;
        fit.into_iter().for_each(|spare| self.put(spare));
        Ok(())
    }

    /// A file with room for this many bytes, under a spare's name.
    fn take(&self, needed: u64) -> Result<(Spare, Arc<dyn File>, u64), Error> {
        let spare = if needed <= self.segment_bytes { self.spares().pop() } else { None };
        match spare {
            Some(spare) => {
                let name = &spare.name;
                let file = self.place.disk.open(name).map_err(self.place.failed("opening", name))?;
                Ok((spare, file, self.segment_bytes))
            }
            None => {
                let length = needed.max(self.segment_bytes);
                let created = match self.create(length) {
                    // Enough for what comes now: a nearly full disk still opens.
                    Err(Error::DiskFull { .. }) if needed < length => (self.create(needed)?, needed),
                    created => (created?, length),
                };
                let ((name, file), length) = created;
                Ok((Spare { name, is_written: false, is_fresh: true }, file, length))
            }
        }
    }

    fn create(&self, length: u64) -> Result<(String, Arc<dyn File>), Error> {
        let name = self.fresh_name();
        let no_room = |action| self.place.no_room(action, &name, length);
        let file = self.place.disk.create(&name).map_err(no_room("creating"))?;
        let allocated = match file.allocate(length) {
            // Such a file system reserves nothing; the file grows as it is written.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => file.truncate(length),
            other => other,
        };
        if let Err(error) = allocated {
            // It holds nothing; if it cannot be removed now, opening removes it.
            let _ = self.place.disk.remove(&name);
            return Err(no_room("allocating")(error));
        }
        Ok((name, file))
    }

    fn put(&self, spare: Spare) {
        let mut spares = self.spares();
        let at = if spare.is_written { spares.len() } else { 0 };
        spares.insert(at, spare);
    }

    fn fresh_name(&self) -> String {
        format!("{PREFIX}{:016x}", self.next_name.fetch_add(1, Ordering::Relaxed))
    }

    fn spares(&self) -> MutexGuard<'_, Vec<Spare>> {
        // Each change of the list is complete or not begun, so a panic elsewhere leaves it whole.
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
