//! Whose journal it is: the epoch of the newest opening, kept durably.

use std::sync::Arc;

use super::place::Place;
use super::segment::check_header;
use crate::disk::File;
use crate::error::{Error, OpenError};
use crate::format::{EPOCH_SLOT, HEADER, Kind, decode_header, encode_header};

const NAME: &str = "epoch";
const NEW: &str = "epoch.new";

#[derive(Debug)]
pub(super) struct Fence {
    file: Arc<dyn File>,
    epoch: u64,
}

impl Fence {
    /// Raises the fence: from here on all earlier openings are refused.
    pub(super) fn raise(place: &Place) -> Result<Self, OpenError> {
        match place.disk.open(NAME) {
            Ok(file) => {
                let newest = newest(place, &*file)?;
                let mut fence = Self { file, epoch: 0 };
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
        let header = encode_header(Kind::Epoch, [self.epoch, 0, 0, 0, 0, 0]);
        let written = self.file.write_at(&[&header], slot_of(self.epoch));
        written.map_err(place.no_room("writing", NAME, HEADER as u64))?;
        Ok(self.file.sync_data().map_err(place.failed("syncing", NAME))?)
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
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

    fn create(place: &Place) -> Result<Self, OpenError> {
        let file = place.create_anew(NEW).map_err(place.no_room("creating", NEW, HEADER as u64))?;
        let mut fence = Self { file, epoch: 0 };
        fence.raise_above(place, 0)?;
        place.disk.rename(NEW, NAME).map_err(place.failed("renaming", NEW))?;
        place.disk.sync_dir().map_err(place.failed("syncing", "."))?;
        Ok(fence)
    }
}

fn slot_of(epoch: u64) -> u64 {
    (epoch % 2) * EPOCH_SLOT
}

/// The newest epoch in the file. A slot that does not read is a torn write: its opening never got further.
fn newest(place: &Place, file: &dyn File) -> Result<u64, OpenError> {
    let mut newest = 0;
    for slot in [0, EPOCH_SLOT] {
        let mut bytes = [0; HEADER];
        let filled = file.read_at(&mut bytes, slot).map_err(place.failed("reading", NAME))?;
        match check_header(place, NAME, Kind::Epoch, &bytes[..filled]) {
            Ok([epoch, ..]) => newest = newest.max(epoch),
            Err(OpenError::Corrupt { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(newest)
}
