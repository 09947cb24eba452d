//! A journal made anew: batches and a snapshot that were read elsewhere, at the positions that they had there.

use std::sync::Arc;

use super::fence::Fence;
use super::place::Place;
use super::segment::{self, Header};
use super::{Batches, snapshot};
use crate::disk::{Disk, File};
use crate::error::Error;
use crate::format::{FrameSeed, SEGMENT_HEADER};
use crate::{OVERHEAD, Rest, Snapshot};

/// Writes a journal onto an empty disk, all of it durable: one segment that begins at `base`, the end of a batch, with these
/// batches, which follow each other from there. Returns the bytes written.
pub(crate) fn found(
    disk: Arc<dyn Disk>,
    epoch: u64,
    base: u64,
    batches: Batches,
    snapshot: Option<&Snapshot>,
) -> Result<u64, Error> {
    let place = Place::new(disk);
    let name = segment::name_of(base);
    let no_room = |action| place.no_room(action, &name, SEGMENT_HEADER);
    let file = place.disk.create(&name).map_err(no_room("creating"))?;
    let copy = Copy { place: &place, name: &name, file, seed: FrameSeed { base, epoch } };
    let end = copy.frames(batches)?;
    let header = Header { base, epoch, settled: end, is_unsynced: false, previous: base, file_length: 0 };
    let mut page = header.encode().to_vec();
    page.resize(SEGMENT_HEADER as usize, 0);
    copy.file.write_at(&[&page], 0).map_err(no_room("writing"))?;
    copy.file.sync_data().map_err(no_room("syncing"))?;
    let mut written = SEGMENT_HEADER + (end - base);
    if let Some(kept) = snapshot {
        snapshot::write(&place, epoch, kept, &Rest::default())?;
        written += kept.bytes.len() as u64;
    }
    Fence::found(&place, epoch, base)?;
    place.disk.sync_dir().map_err(place.failed("syncing", "."))?;
    Ok(written)
}

struct Copy<'a> {
    place: &'a Place,
    name: &'a str,
    file: Arc<dyn File>,
    seed: FrameSeed,
}

impl Copy<'_> {
    /// Writes the batches and returns the end of the last one.
    fn frames(&self, batches: Batches) -> Result<u64, Error> {
        let mut end = self.seed.base;
        for batch in batches {
            let (start, payload) = batch?;
            // A replay does not show empty batches; they have their places all the same.
            while end + OVERHEAD < start {
                end = self.frame(end + OVERHEAD, &[])?;
            }
            if end + OVERHEAD != start {
                return Err(Error::OutOfOrder { given: start, expected: end + OVERHEAD });
            }
            end = self.frame(start, &payload)?;
        }
        Ok(end)
    }

    fn frame(&self, start: u64, payload: &[u8]) -> Result<u64, Error> {
        let header = self.seed.encode(start, payload);
        let offset = SEGMENT_HEADER + (start - self.seed.base) - OVERHEAD;
        let needed = payload.len() as u64;
        let written = self.file.write_at(&[&header, payload], offset);
        written.map_err(self.place.no_room("writing", self.name, needed))?;
        Ok(start + needed)
    }
}
