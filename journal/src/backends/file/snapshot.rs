//! Snapshot files.

use bytes::Bytes;

use super::place::Place;
use super::segment::{check_header, position_of};
use crate::error::{Error, OpenError};
use crate::format::{HEADER, Kind, crc32c, encode_header};
use crate::{Rest, Snapshot};

pub(super) const PREFIX: &str = "snapshot-";
const NEW: &str = "snapshot.new";
/// Bytes that are written before they are synced.
const SYNC_EVERY: usize = 1 << 20;

/// Writes a snapshot durably, a long one in pieces, with a rest behind each, then removes the others.
pub(super) fn write(place: &Place, epoch: u64, snapshot: &Snapshot, rest: &Rest) -> Result<(), Error> {
    let name = format!("{PREFIX}{:016x}", snapshot.position);
    if let Err(error) = write_as(place, epoch, snapshot, &name, rest) {
        // Half a snapshot only takes room; if it cannot be removed now, the next one or opening removes it.
        let _ = place.disk.remove(NEW);
        return Err(error);
    }
    let others = place.disk.list().map_err(place.failed("listing", "."))?;
    for other in others.iter().filter(|other| position_of(other, PREFIX).is_some() && **other != name) {
        place.disk.remove(other).map_err(place.failed("removing", other))?;
    }
    Ok(())
}

fn write_as(place: &Place, epoch: u64, snapshot: &Snapshot, name: &str, rest: &Rest) -> Result<(), Error> {
    let length = snapshot.bytes.len() as u64;
    let checksum = u64::from(crc32c(&[&snapshot.bytes]));
    let header =
        encode_header(Kind::Snapshot, [snapshot.position, snapshot.keep, epoch, length, checksum, 0]);
    let no_room = |action| place.no_room(action, NEW, length);
    let file = place.create_anew(NEW).map_err(no_room("creating"))?;
    let (first, others) = snapshot.bytes.split_at(snapshot.bytes.len().min(SYNC_EVERY));
    file.write_at(&[&header, first], 0).map_err(no_room("writing"))?;
    let mut end = HEADER + first.len();
    for piece in others.chunks(SYNC_EVERY) {
        // What is dirty all at once would stop the appends beside it for as long as it takes to the disk.
        file.sync_data().map_err(no_room("syncing"))?;
        rest.take();
        file.write_at(&[piece], end as u64).map_err(no_room("writing"))?;
        end += piece.len();
    }
    // Where the disk fills up only here, the file has no name that counts yet.
    file.sync_data().map_err(no_room("syncing"))?;
    place.disk.rename(NEW, name).map_err(no_room("renaming"))?;
    place.disk.sync_dir().map_err(place.failed("syncing", "."))
}

/// The newest snapshot that reads, and the damage of newer ones.
pub(super) fn newest(
    place: &Place,
    names: &[String],
) -> Result<(Option<Snapshot>, Option<OpenError>), OpenError> {
    let mut found: Vec<(u64, &String)> =
        names.iter().filter_map(|name| Some((position_of(name, PREFIX)?, name))).collect();
    found.sort_unstable();
    let mut damage = None;
    for (position, name) in found.into_iter().rev() {
        match read(place, name, position) {
            Ok(snapshot) => return Ok((Some(snapshot), damage)),
            Err(error @ OpenError::Corrupt { .. }) => damage = damage.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    Ok((None, damage))
}

pub(super) fn read(place: &Place, name: &str, position: u64) -> Result<Snapshot, OpenError> {
    let failed = |source| OpenError::from(place.failed("reading", name)(source));
    let corrupt = |offset, reason: &str| OpenError::Corrupt {
        file: place.path(name),
        offset,
        reason: String::from(reason),
    };
    let file = place.disk.open(name).map_err(failed)?;
    let mut header = [0; HEADER];
    let filled = file.read_at(&mut header, 0).map_err(failed)?;
    let [said, keep, _, length, checksum, _] = check_header(place, name, Kind::Snapshot, &header[..filled])?;
    if said != position {
        return Err(corrupt(16, "its header names another position"));
    }
    if file.length().map_err(failed)? != HEADER as u64 + length {
        return Err(corrupt(HEADER as u64, "its length is not what its header says"));
    }
    let mut bytes = vec![0; length as usize];
    file.read_at(&mut bytes, HEADER as u64).map_err(failed)?;
    if u64::from(crc32c(&[&bytes])) != checksum {
        return Err(corrupt(HEADER as u64, "its checksum does not match"));
    }
    Ok(Snapshot { position, keep, bytes: Bytes::from(bytes) })
}
