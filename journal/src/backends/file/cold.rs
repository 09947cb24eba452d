//! Cold files: what waits long leaves the journal for these. Each is written once, frame after frame, read for as long as
//! anything in it is needed, and removed whole.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::lock;
use super::place::Place;
use super::segment::{check_header, position_of};
use crate::Rest;
use crate::disk::File;
use crate::error::Error;
use crate::format::{COLD_FRAME, HEADER, Kind, cold_frame_checksum, cold_frame_header, encode_header};

pub(super) const PREFIX: &str = "cold-";
/// Bytes that are written before they are synced.
const SYNC_EVERY: u64 = 1 << 20;
/// Handles kept open for reading.
const HANDLES: usize = 128;

#[derive(Debug)]
pub(super) struct Cold {
    epoch: u64,
    reading: Mutex<HashMap<u64, Arc<dyn File>>>,
    /// Frames read last: what is in them is wanted soon, message by message.
    frames: Mutex<Frames>,
}

#[derive(Debug)]
struct Frames {
    known: VecDeque<(u64, u64, Bytes)>,
    bytes: usize,
    limit: usize,
}

pub(crate) fn name(file: u64) -> String {
    format!("{PREFIX}{file:016x}")
}

impl Cold {
    pub(super) fn new(epoch: u64, limit: usize) -> Self {
        let frames = Frames { known: VecDeque::new(), bytes: 0, limit };
        Self { epoch, reading: Mutex::default(), frames: Mutex::new(frames) }
    }

    /// All files, ascending.
    pub(super) fn numbers(place: &Place) -> Result<Vec<u64>, Error> {
        let names = place.disk.list().map_err(place.failed("listing", "."))?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| position_of(name, PREFIX)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// All files and their lengths, ascending.
    pub(super) fn files(place: &Place) -> Result<Vec<(u64, u64)>, Error> {
        let mut files = Vec::new();
        for number in Self::numbers(place)? {
            let name = &name(number);
            let length = place.disk.open(name).and_then(|file| file.length());
            match length {
                Ok(length) => files.push((number, length)),
                // Removed since it was listed.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(place.failed("opening", name)(error)),
            }
        }
        Ok(files)
    }

    /// Writes a file that is not there, in pieces, each synced, with a rest behind it, so that appends to the journal beside it hardly
    /// wait.
    pub(super) fn write(
        &self,
        place: &Place,
        file: u64,
        pieces: &[Bytes],
        rest: &Rest,
    ) -> Result<Vec<u64>, Error> {
        let name = name(file);
        let written = self.write_as(place, file, &name, pieces, rest);
        if written.is_err() {
            // What nobody was told of only takes room; if it cannot be removed now, the next opening removes it.
            let _ = place.disk.remove(&name);
        }
        written
    }

    fn write_as(
        &self,
        place: &Place,
        file: u64,
        name: &str,
        pieces: &[Bytes],
        rest: &Rest,
    ) -> Result<Vec<u64>, Error> {
        let total: usize = pieces.iter().map(|piece| COLD_FRAME as usize + piece.len()).sum();
        let no_room = |action| place.no_room(action, name, (HEADER + total) as u64);
        let handle = place.disk.create(name).map_err(no_room("creating"))?;
        let header = encode_header(Kind::Cold, [file, self.epoch, 0, 0, 0, 0]);
        handle.write_at(&[&header], 0).map_err(no_room("writing"))?;
        let (mut end, mut synced) = (HEADER as u64, 0);
        let mut offsets = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let header = cold_frame_header(file, end, piece);
            handle.write_at(&[&header, piece], end).map_err(no_room("writing"))?;
            offsets.push(end + COLD_FRAME);
            end += COLD_FRAME + piece.len() as u64;
            if end - synced >= SYNC_EVERY {
                handle.sync_data().map_err(no_room("syncing"))?;
                synced = end;
                rest.take();
            }
        }
        handle.sync_data().map_err(no_room("syncing"))?;
        place.disk.sync_dir().map_err(place.failed("syncing", "."))?;
        Ok(offsets)
    }

    pub(super) fn read_piece(
        &self,
        place: &Place,
        file: u64,
        offset: u64,
        length: usize,
    ) -> Result<Bytes, Error> {
        let name = name(file);
        let corrupt =
            |reason: &str| Error::Corrupt { file: place.path(&name), offset, reason: reason.into() };
        let Some(begin) = offset.checked_sub(COLD_FRAME) else { return Err(corrupt("no frame lies there")) };
        let bytes = self.fetch(place, file, &name, begin, COLD_FRAME as usize + length)?;
        let (header, payload) = bytes.split_at(COLD_FRAME as usize);
        if header != cold_frame_header(file, begin, payload) {
            return Err(corrupt(match cold_frame_checksum(header) {
                Some(_) => "its checksum does not match",
                None => "no frame begins there",
            }));
        }
        let payload = bytes.slice(COLD_FRAME as usize..);
        lock(&self.frames).keep(file, offset, payload.clone());
        Ok(payload)
    }

    pub(super) fn read(&self, place: &Place, file: u64, offset: u64, length: usize) -> Result<Bytes, Error> {
        if let Some(bytes) = lock(&self.frames).find(file, offset, length) {
            return Ok(bytes);
        }
        self.fetch(place, file, &name(file), offset, length)
    }

    pub(super) fn remove(&self, place: &Place, file: u64) -> Result<(), Error> {
        let name = name(file);
        lock(&self.reading).remove(&file);
        lock(&self.frames).forget(file);
        match place.disk.remove(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(place.failed("removing", &name)(error))
            }
            _ => Ok(()),
        }
    }

    fn fetch(
        &self,
        place: &Place,
        file: u64,
        name: &str,
        offset: u64,
        length: usize,
    ) -> Result<Bytes, Error> {
        let handle = self.readable(place, file, name)?;
        let mut buffer = vec![0; length];
        let filled = handle.read_at(&mut buffer, offset).map_err(place.failed("reading", name))?;
        if filled < length {
            let reason = String::from("it is shorter than it was");
            return Err(Error::Corrupt { file: place.path(name), offset, reason });
        }
        Ok(buffer.into())
    }

    fn readable(&self, place: &Place, file: u64, name: &str) -> Result<Arc<dyn File>, Error> {
        let mut reading = lock(&self.reading);
        if let Some(handle) = reading.get(&file) {
            return Ok(Arc::clone(handle));
        }
        let handle = place.disk.open(name).map_err(place.failed("opening", name))?;
        let mut header = [0; HEADER];
        let filled = handle.read_at(&mut header, 0).map_err(place.failed("reading", name))?;
        match check_header(place, name, Kind::Cold, &header[..filled]) {
            Ok([said, ..]) if said == file => {}
            Ok(_) => {
                let reason = String::from("its header names another file");
                return Err(Error::Corrupt { file: place.path(name), offset: 16, reason });
            }
            Err(error) => return Err(error.into()),
        }
        if reading.len() >= HANDLES {
            reading.clear();
        }
        reading.insert(file, Arc::clone(&handle));
        Ok(handle)
    }
}

impl Frames {
    fn keep(&mut self, file: u64, offset: u64, bytes: Bytes) {
        self.bytes += bytes.len();
        self.known.push_back((file, offset, bytes));
        while self.bytes > self.limit {
            let Some((_, _, oldest)) = self.known.pop_front() else { break };
            self.bytes -= oldest.len();
        }
    }

    fn find(&self, file: u64, offset: u64, length: usize) -> Option<Bytes> {
        self.known.iter().rev().find_map(|(known, start, bytes)| {
            let from = usize::try_from(offset.checked_sub(*start)?).ok()?;
            let to = from.checked_add(length)?;
            (*known == file && to <= bytes.len()).then(|| bytes.slice(from..to))
        })
    }

    fn forget(&mut self, file: u64) {
        self.known.retain(|(known, _, _)| *known != file);
        self.bytes = self.known.iter().map(|(_, _, bytes)| bytes.len()).sum();
    }
}
