//! One file of batches.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::place::{Place, is_full};
use crate::disk::File;
use crate::error::{Error, OpenError};
use crate::format::{FrameSeed, HEADER, HeaderError, Kind, SEGMENT_HEADER, decode_header, encode_header};

const PREFIX: &str = "segment-";

/// How far ahead of the batches a file is written that nobody ever wrote to.
const AHEAD: u64 = 512 << 10;

/// What is written ahead; several of it at once.
static ZEROS: [u8; 16 << 10] = [0; 16 << 10];

#[derive(Debug)]
pub(super) struct Segment {
    pub(super) name: String,
    pub(super) file: Arc<dyn File>,
    pub(super) file_length: u64,
    pub(super) base: u64,
    /// Base of the segment before; its own if it is the first of all.
    pub(super) previous: u64,
    pub(super) epoch: u64,
    /// Up to here everything was durable before the file got its name.
    pub(super) settled: u64,
    pub(super) is_unsynced: bool,
    /// Whether bytes were cut off the file, which a torn write never does: its length was durable before it got its name.
    pub(super) is_cut: bool,
    /// The end of its last batch that may be read.
    end: AtomicU64,
    /// Up to here in the file nothing need be written ahead.
    written: AtomicU64,
}

impl Segment {
    pub(super) fn new(name: String, file: Arc<dyn File>, file_length: u64, header: Header, end: u64) -> Self {
        let Header { base, epoch, settled, is_unsynced, previous, file_length: length } = header;
        let is_cut = file_length < length;
        let (end, written) = (AtomicU64::new(end), AtomicU64::new(0));
        Self { name, file, file_length, base, previous, epoch, settled, is_unsynced, is_cut, end, written }
    }

    /// Notes that the file was written to before: what lies behind its batches stays as it is.
    pub(super) fn note_written(&self) {
        self.written.store(self.file_length, Ordering::Relaxed);
    }

    /// Writes zeros behind `end`, the end of what was just written, if nothing ever was there: before the same sync. Writing where
    /// nothing was changes what the file system knows of the file, and a sync has to make that durable, too; so only one of many has to.
    ///
    /// # Errors
    /// Whatever the file system says, but for want of space: then it is each batch's own affair.
    pub(super) fn write_ahead(&self, end: u64) -> io::Result<()> {
        if end <= self.written.load(Ordering::Relaxed) || end >= self.file_length {
            return Ok(());
        }
        // Whole blocks, so that none is written in two goes.
        let until = ((end + AHEAD) & !4095).min(self.file_length);
        let (mut parts, mut left) = (Vec::new(), (until - end) as usize);
        while left > 0 {
            let part = &ZEROS[..left.min(ZEROS.len())];
            parts.push(part);
            left -= part.len();
        }
        match self.file.write_at(&parts, end) {
            Err(error) if !is_full(&error) => Err(error),
            Err(_) => {
                self.note_written();
                Ok(())
            }
            Ok(()) => {
                self.written.store(until, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Opens a named segment; its end is not known yet.
    pub(super) fn open(place: &Place, name: &str, base: u64) -> Result<Self, OpenError> {
        let failed = |source| OpenError::from(place.failed("reading", name)(source));
        let file = place.disk.open(name).map_err(failed)?;
        let file_length = file.length().map_err(failed)?;
        let mut bytes = [0; HEADER];
        let filled = file.read_at(&mut bytes, 0).map_err(failed)?;
        let fields = check_header(place, name, Kind::Segment, &bytes[..filled])?;
        let header = Header::decode(fields);
        if header.base != base {
            return Err(OpenError::Corrupt {
                file: place.path(name),
                offset: 16,
                reason: format!("its header says that it is {}", name_of(header.base)),
            });
        }
        Ok(Self::new(String::from(name), file, file_length, header, base))
    }

    /// Where the byte of a position lies in the file.
    pub(super) fn offset(&self, position: u64) -> u64 {
        SEGMENT_HEADER + (position - self.base)
    }

    /// The position of a byte of the file.
    pub(super) fn position(&self, offset: u64) -> u64 {
        self.base + (offset - SEGMENT_HEADER)
    }

    pub(super) fn seed(&self) -> FrameSeed {
        FrameSeed { base: self.base, epoch: self.epoch }
    }

    pub(super) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    pub(super) fn grow_to(&self, end: u64) {
        self.end.store(end, Ordering::Release);
    }

    /// Whether batches are missing where this segment ends, at `position`: it was sure of more at its birth, and the next one, which
    /// an opening began with the last batch, does not make up for it.
    pub(super) fn lacks(&self, position: u64, next: Option<&Arc<Self>>) -> bool {
        let went_on = |next: &Arc<Self>| next.base == position && self.settled <= next.settled;
        position < self.settled && !next.is_some_and(went_on)
    }

    /// The error for damage at a position of this segment.
    pub(super) fn damaged(&self, place: &Place, position: u64, reason: impl Into<String>) -> Error {
        Error::Corrupt { file: place.path(&self.name), offset: self.offset(position), reason: reason.into() }
    }
}

/// What a segment's header says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) base: u64,
    pub(super) epoch: u64,
    pub(super) settled: u64,
    pub(super) is_unsynced: bool,
    pub(super) previous: u64,
    /// The file's at its birth; 0 where an earlier release did not say.
    pub(super) file_length: u64,
}

impl Header {
    pub(super) fn encode(self) -> [u8; HEADER] {
        let Self { base, epoch, settled, is_unsynced, previous, file_length } = self;
        encode_header(Kind::Segment, [base, epoch, settled, u64::from(is_unsynced), previous, file_length])
    }

    fn decode([base, epoch, settled, unsynced, previous, file_length]: [u64; 6]) -> Self {
        Self { base, epoch, settled, is_unsynced: unsynced != 0, previous, file_length }
    }
}

pub(super) fn name_of(base: u64) -> String {
    format!("{PREFIX}{base:016x}")
}

/// The base in a segment's name, if it is one.
pub(super) fn base_of(name: &str) -> Option<u64> {
    position_of(name, PREFIX)
}

/// The position in a name of this kind.
pub(super) fn position_of(name: &str, prefix: &str) -> Option<u64> {
    let digits = name.strip_prefix(prefix)?;
    (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

/// Reads the header of any file, or says why not.
pub(super) fn check_header(
    place: &Place,
    name: &str,
    kind: Kind,
    bytes: &[u8],
) -> Result<[u64; 6], OpenError> {
    decode_header(kind, bytes).map_err(|error| match error {
        HeaderError::Newer(found) => OpenError::NewerFormat {
            file: place.path(name),
            found: u64::from(found),
            supported: u64::from(crate::format::FORMAT),
        },
        HeaderError::Damaged(reason) => {
            OpenError::Corrupt { file: place.path(name), offset: 0, reason: String::from(reason) }
        }
    })
}
