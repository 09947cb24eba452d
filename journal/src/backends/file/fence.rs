//! Whose journal it is: the epoch of the newest opening, kept durably. Beside it, which segment was the last: nothing
//! else could tell that its file is missing.

use std::sync::Arc;

use super::place::Place;
use super::segment::check_header;
use crate::disk::File;
use crate::error::{Error, OpenError};
use crate::format::{EPOCH_SLOT, HEADER, Kind, decode_header, encode_header};

pub(super) const NAME: &str = "epoch";
const NEW: &str = "epoch.new";

#[derive(Debug)]
pub(super) struct Fence {
    file: Arc<dyn File>,
    epoch: u64,
    /// The last segment, as earlier openings noted it.
    noted: Option<Mark>,
}

/// A segment, by the opening that made it and its base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) epoch: u64,
    pub(super) base: u64,
}

impl Fence {
    /// Raises the fence: from here on all earlier openings are refused.
    pub(super) fn raise(place: &Place) -> Result<Self, OpenError> {
        match place.disk.open(NAME) {
            Ok(file) => {
                let (newest, noted) = newest(place, &*file)?;
                let mut fence = Self { file, epoch: newest, noted };
                fence.raise_above(place, newest)?;
                Ok(fence)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::create(place),
            Err(error) => Err(place.failed("opening", NAME)(error).into()),
        }
    }

    /// Raises the fence above an epoch that was seen elsewhere.
    pub(super) fn raise_above(&mut self, place: &Place, epoch: u64) -> Result<(), OpenError> {
        self.epoch = epoch + 1;
        self.write(place, self.noted)?;
        Ok(self.file.sync_data().map_err(place.failed("syncing", NAME))?)
    }

    /// Notes that a segment of ours, durable by now, is the last one. The note itself is not synced: if it is lost, the
    /// one before stands, and is true.
    pub(super) fn note(&self, place: &Place, base: u64) -> Result<(), Error> {
        // Our slot is that of the opening after the next, too.
        self.check(place)?;
        self.write(place, Some(Mark { epoch: self.epoch, base }))
    }

    /// The segment that was the last one before this opening, as far as noted.
    pub(super) fn noted(&self) -> Option<Mark> {
        self.noted
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Writes the fence of a journal that was made elsewhere.
    pub(super) fn found(place: &Place, epoch: u64, base: u64) -> Result<(), Error> {
        let file = place.create_anew(NAME).map_err(place.no_room("creating", NAME, HEADER as u64))?;
        let fence = Self { file, epoch, noted: None };
        // Both slots are there from the beginning.
        let length = EPOCH_SLOT + HEADER as u64;
        fence.file.truncate(length).map_err(place.no_room("making", NAME, length))?;
        fence.write(place, Some(Mark { epoch, base }))?;
        fence.file.sync_data().map_err(place.failed("syncing", NAME))
    }

    /// Whether this opening is still the newest one.
    pub(super) fn check(&self, place: &Place) -> Result<(), Error> {
        // The next opening writes there, whichever comes after it.
        let mut bytes = [0; HEADER];
        let filled = self.file.read_at(&mut bytes, slot_of(self.epoch + 1));
        let filled = filled.map_err(place.failed("reading", NAME))?;
        match decode_header(Kind::Epoch, &bytes[..filled]) {
            Ok([newer, ..]) if newer > self.epoch => Err(Error::Fenced { ours: self.epoch, newer }),
            _ => Ok(()),
        }
    }

    fn write(&self, place: &Place, mark: Option<Mark>) -> Result<(), Error> {
        let (is_noted, mark) = (u64::from(mark.is_some()), mark.unwrap_or(Mark { epoch: 0, base: 0 }));
        let header = encode_header(Kind::Epoch, [self.epoch, is_noted, mark.epoch, mark.base, 0, 0]);
        let written = self.file.write_at(&[&header], slot_of(self.epoch));
        written.map_err(place.no_room("writing", NAME, HEADER as u64))
    }

    fn create(place: &Place) -> Result<Self, OpenError> {
        let file = place.create_anew(NEW).map_err(place.no_room("creating", NEW, HEADER as u64))?;
        let mut fence = Self { file, epoch: 0, noted: None };
        fence.raise_above(place, 0)?;
        place.disk.rename(NEW, NAME).map_err(place.failed("renaming", NEW))?;
        place.disk.sync_dir().map_err(place.failed("syncing", "."))?;
        Ok(fence)
    }
}

pub(super) fn slot_of(epoch: u64) -> u64 {
    (epoch % 2) * EPOCH_SLOT
}

/// The newest epoch in the file, and the segment noted with it. A slot that does not read is a torn write: its opening
/// never got further.
fn newest(place: &Place, file: &dyn File) -> Result<(u64, Option<Mark>), OpenError> {
    let mut newest = (0, None);
    for slot in [0, EPOCH_SLOT] {
        let mut bytes = [0; HEADER];
        let filled = file.read_at(&mut bytes, slot).map_err(place.failed("reading", NAME))?;
        match check_header(place, NAME, Kind::Epoch, &bytes[..filled]) {
            Ok([epoch, is_noted, by, base, ..]) if epoch > newest.0 => {
                newest = (epoch, (is_noted == 1).then_some(Mark { epoch: by, base }));
            }
            Ok(_) | Err(OpenError::Corrupt { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(newest)
}
