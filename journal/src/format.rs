//! Format 1: every byte that the journal writes. All numbers are little-endian.
//!
//! **Header**: the first 64 bytes of every file and the two slots of the epoch file. Its first 16 bytes and its
//! checksum are the same in every format to come, so that a newer format is told from damage.
//!
//! ```text
//!  0  magic     8 bytes, one per kind of file
//!  8  format    u32, 1
//! 12  checksum  u32, CRC-32C of the 64 bytes with this field zero
//! 16  fields    six u64
//! ```
//!
//! **Segment** `segment-<base, 16 hex digits>`: header (base position, epoch, settled, unsynced, previous, length), zeros to
//! [`SEGMENT_HEADER`], then frames back to back, then 32 zero bytes where room is left, then anything: segments are
//! preallocated and recycled. The byte of position `p` lies at `SEGMENT_HEADER + p - base`. All frames that end at or
//! below `settled` were durable before the file got its name. `unsynced` is 1 if its appends were not synced.
//! `previous` is the base of the segment before, so that a missing file is noticed (of the first one: its own base). `length` is
//! the file's at its birth, so that one that was cut short is told from a torn write; 0 is not known (the first releases wrote 0,
//! and do not read it).
//!
//! **Frame**: one batch, [`OVERHEAD`] bytes and then the payload.
//!
//! ```text
//!  0  magic     "KEWB"
//!  4  checksum  u32, CRC-32C of segment base (u64), the header's bytes 8..32, and the payload
//!  8  length    u32, of the payload
//! 12  zero      u32
//! 16  epoch     u64, the segment's
//! 24  start     u64, position of the payload's first byte
//! ```
//!
//! Base, epoch and start make what an earlier life of a recycled file left behind unreadable.
//!
//! **Snapshot** `snapshot-<position, 16 hex digits>`: header (position, keep, epoch, length, CRC-32C of the payload,
//! 0), then the payload.
//!
//! **Cold file** `cold-<number, 16 hex digits>`: header (number, epoch, 0 ...), then frames back to back, each of
//! [`COLD_FRAME`] bytes and then the payload. A frame counts because a batch of the journal says so.
//!
//! ```text
//!  0  magic     "KEWC"
//!  4  checksum  u32, CRC-32C of file number (u64), offset of this frame (u64), the header's bytes 8..16, and the payload
//!  8  length    u32, of the payload
//! 12  zero      u32
//! ```
//!
//! **Epoch** `epoch`: two slots, at 0 and [`EPOCH_SLOT`]; epoch `e` is written to slot `e % 2`, header (epoch, 1 if
//! a last segment is noted, epoch of its opening, its base, 0, 0). So a torn write leaves the other slot.

use crc_fast::{CrcAlgorithm, Digest};

/// The format that this release writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 1;

/// Bytes in front of each batch's own: a batch of `n` bytes whose first lies at position `start` is followed by one
/// whose first lies at `start + n + OVERHEAD`.
pub const OVERHEAD: u64 = 32;

/// The longest batch, in bytes.
pub const MAX_BATCH_BYTES: u64 = 256 << 20;

pub(crate) const HEADER: usize = 64;
/// A page of its own, so that no append ever rewrites the page that holds the header.
pub(crate) const SEGMENT_HEADER: u64 = 4096;
pub(crate) const EPOCH_SLOT: u64 = 4096;
/// Bytes in front of each frame of a cold file.
pub(crate) const COLD_FRAME: u64 = 16;
pub(crate) const COLD_MAGIC: [u8; 4] = *b"KEWC";
pub(crate) const FRAME_MAGIC: [u8; 4] = *b"KEWB";
/// What follows the last frame: the end of the journal, and not the remains of a torn batch.
pub(crate) const END: [u8; OVERHEAD as usize] = [0; OVERHEAD as usize];

const _: () = assert!(MAX_BATCH_BYTES <= u32::MAX as u64 && HEADER as u64 <= SEGMENT_HEADER);

/// What a header belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Segment,
    Snapshot,
    Epoch,
    Cold,
}

impl Kind {
    const fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Segment => b"KEWSEGMT",
            Self::Snapshot => b"KEWSNAPS",
            Self::Epoch => b"KEWEPOCH",
            Self::Cold => b"KEWCOLDF",
        }
    }
}

/// Why 64 bytes are no header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    /// Written by a newer release.
    Newer(u32),
    /// Not what was written.
    Damaged(&'static str),
}

pub(crate) fn encode_header(kind: Kind, fields: [u64; 6]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(kind.magic());
    header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    for (slot, field) in header[16..].chunks_exact_mut(8).zip(fields) {
        slot.copy_from_slice(&field.to_le_bytes());
    }
    let checksum = crc32c(&[&header]);
    header[12..16].copy_from_slice(&checksum.to_le_bytes());
    header
}

pub(crate) fn decode_header(kind: Kind, bytes: &[u8]) -> Result<[u64; 6], HeaderError> {
    let Some(header) = bytes.first_chunk::<HEADER>() else {
        return Err(HeaderError::Damaged("the file is too short for its header"));
    };
    let mut blank = *header;
    blank[12..16].fill(0);
    if header[..8] != *kind.magic() || crc32c(&[&blank]) != u32_at(header, 12) {
        return Err(HeaderError::Damaged("the header's checksum does not match"));
    }
    match u32_at(header, 8) {
        FORMAT => {}
        newer if newer > FORMAT => return Err(HeaderError::Newer(newer)),
        _ => return Err(HeaderError::Damaged("the header names no known format")),
    }
    let mut fields = [0; 6];
    for (index, field) in fields.iter_mut().enumerate() {
        *field = u64_at(header, 16 + index * 8);
    }
    Ok(fields)
}

/// What is the same for all frames of a segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameSeed {
    pub(crate) base: u64,
    pub(crate) epoch: u64,
}

impl FrameSeed {
    /// The header of a frame. The payload is no longer than [`MAX_BATCH_BYTES`].
    pub(crate) fn encode(self, start: u64, payload: &[u8]) -> [u8; OVERHEAD as usize] {
        let mut header = [0; OVERHEAD as usize];
        header[..4].copy_from_slice(&FRAME_MAGIC);
        header[8..12].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        header[16..24].copy_from_slice(&self.epoch.to_le_bytes());
        header[24..32].copy_from_slice(&start.to_le_bytes());
        let checksum = self.checksum(&header, payload);
        header[4..8].copy_from_slice(&checksum.to_le_bytes());
        header
    }

    /// The payload's length, if these bytes can be the header of a frame whose payload starts at `start`.
    pub(crate) fn length(self, header: &[u8; OVERHEAD as usize], start: u64) -> Option<usize> {
        let is_ours = header[..4] == FRAME_MAGIC
            && u32_at(header, 12) == 0
            && u64_at(header, 16) == self.epoch
            && u64_at(header, 24) == start;
        let length = u64::from(u32_at(header, 8));
        (is_ours && length <= MAX_BATCH_BYTES).then_some(length as usize)
    }

    pub(crate) fn matches(self, header: &[u8; OVERHEAD as usize], payload: &[u8]) -> bool {
        self.checksum(header, payload) == u32_at(header, 4)
    }

    fn checksum(self, header: &[u8; OVERHEAD as usize], payload: &[u8]) -> u32 {
        crc32c(&[&self.base.to_le_bytes(), &header[8..], payload])
    }
}

/// The header of a frame at `begin` in cold file number `file`.
pub(crate) fn cold_frame_header(file: u64, begin: u64, payload: &[u8]) -> [u8; COLD_FRAME as usize] {
    let mut header = [0; COLD_FRAME as usize];
    header[..4].copy_from_slice(&COLD_MAGIC);
    header[8..12].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    let checksum = crc32c(&[&file.to_le_bytes(), &begin.to_le_bytes(), &header[8..], payload]);
    header[4..8].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// The checksum in a cold frame's header, if it is one.
pub(crate) fn cold_frame_checksum(header: &[u8]) -> Option<u32> {
    header.starts_with(&COLD_MAGIC).then(|| u32_at(header, 4))
}

pub(crate) fn crc32c(parts: &[&[u8]]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    for part in parts {
        digest.update(part);
    }
    // A 32-bit checksum in 64 bits.
    digest.finalize() as u32
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_no_flipped_bit_passes() {
        let header = encode_header(Kind::Segment, [1, 2, 3, 4, 5, u64::MAX]);
        assert_eq!(decode_header(Kind::Segment, &header), Ok([1, 2, 3, 4, 5, u64::MAX]));
        assert!(decode_header(Kind::Snapshot, &header).is_err());
        for bit in 0..HEADER * 8 {
            let mut flipped = header;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(
                matches!(decode_header(Kind::Segment, &flipped), Err(HeaderError::Damaged(_))),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        let mut header = encode_header(Kind::Segment, [0; 6]);
        header[8..16].fill(0);
        header[8] = 2;
        let checksum = crc32c(&[&header]);
        header[12..16].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(decode_header(Kind::Segment, &header), Err(HeaderError::Newer(2)));
    }

    #[test]
    fn the_bytes_of_a_frame_are_what_format_1_says() {
        let seed = FrameSeed { base: 0x1000, epoch: 3 };
        let header = seed.encode(0x1020, b"payload");
        assert_eq!(header[..4], *b"KEWB");
        assert_eq!(header[8..16], [7, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(header[16..], [3, 0, 0, 0, 0, 0, 0, 0, 0x20, 0x10, 0, 0, 0, 0, 0, 0]);
        assert_eq!(seed.length(&header, 0x1020), Some(7));
        assert!(seed.matches(&header, b"payload"));
        assert!(!FrameSeed { base: 0, ..seed }.matches(&header, b"payload"), "another segment's frame");
        assert_eq!(FrameSeed { epoch: 4, ..seed }.length(&header, 0x1020), None, "another epoch's frame");
    }
}
