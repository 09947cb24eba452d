//! Walks the frames of segments.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use memchr::memmem;

use super::place::Place;
use super::segment::Segment;
use crate::OVERHEAD;
use crate::error::Error;
use crate::format::{END, FRAME_MAGIC, SEGMENT_HEADER};

const CHUNK: u64 = 1 << 20;

/// What lies at a position.
#[derive(Debug)]
pub(super) enum Step {
    /// A batch, whole.
    Batch { start: u64, payload: Bytes },
    /// Nothing: the segment ends here.
    End,
    /// Neither. `bytes` long, as far as can be told.
    Broken { reason: &'static str, bytes: u64 },
}

/// Walks one segment, frame by frame.
#[derive(Debug)]
pub(super) struct Scan {
    segment: Arc<Segment>,
    position: u64,
    /// Where the segment must end, if that is known.
    limit: Option<u64>,
    chunk: Bytes,
    chunk_offset: u64,
}

impl Scan {
    /// Begins at the end of a batch, or at the segment's base.
    pub(super) fn new(segment: Arc<Segment>, from: u64, limit: Option<u64>) -> Self {
        Self { segment, position: from, limit, chunk: Bytes::new(), chunk_offset: 0 }
    }

    /// The end of the last batch seen.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn step(&mut self) -> io::Result<Step> {
        if self.limit == Some(self.position) {
            return Ok(Step::End);
        }
        let broken = |reason, bytes| Ok(Step::Broken { reason, bytes });
        let offset = self.segment.offset(self.position);
        let header = self.window(offset, OVERHEAD)?;
        let Some(header) = header.first_chunk::<{ OVERHEAD as usize }>() else {
            return match self.limit {
                None if header.iter().all(|byte| *byte == 0) => Ok(Step::End),
                _ => broken("the file ends before its batches do", header.len() as u64),
            };
        };
        if *header == END {
            return match self.limit {
                None => Ok(Step::End),
                Some(_) => broken("batches are missing here", OVERHEAD),
            };
        }
        let start = self.position + OVERHEAD;
        let Some(length) = self.segment.seed().length(header, start) else {
            return broken("no batch begins here", OVERHEAD);
        };
        let end = start + length as u64;
        if self.limit.is_some_and(|limit| end > limit) {
            return broken("the batch is longer than its segment", OVERHEAD + length as u64);
        }
        let payload = self.window(offset + OVERHEAD, length as u64)?;
        if payload.len() < length {
            return broken("the file ends inside the batch", OVERHEAD + payload.len() as u64);
        }
        if !self.segment.seed().matches(header, &payload) {
            return broken("the batch's checksum does not match", OVERHEAD + length as u64);
        }
        self.position = end;
        Ok(Step::Batch { start, payload })
    }

    /// Bytes of the file, fewer only where it ends.
    fn window(&mut self, offset: u64, length: u64) -> io::Result<Bytes> {
        let known = self.chunk_offset..self.chunk_offset + self.chunk.len() as u64;
        if !(known.start <= offset && offset + length <= known.end) {
            let rest = self.segment.file_length.saturating_sub(offset);
            let mut chunk = vec![0; length.max(CHUNK).min(rest) as usize];
            let filled = self.segment.file.read_at(&mut chunk, offset)?;
            chunk.truncate(filled);
            self.chunk = Bytes::from(chunk);
            self.chunk_offset = offset;
        }
        let from = (offset - self.chunk_offset) as usize;
        let to = (from + length as usize).min(self.chunk.len());
        Ok(self.chunk.slice(from.min(to)..to))
    }
}

/// Where in the file a whole batch begins behind `position`. After a break this tells damage from a torn end: a batch
/// is only ever written when the one before is durable.
pub(super) fn find_batch_behind(segment: &Arc<Segment>, position: u64) -> io::Result<Option<u64>> {
    let mut offset = segment.offset(position) + 1;
    let mut chunk = vec![0; CHUNK as usize];
    while offset + OVERHEAD <= segment.file_length {
        let filled = segment.file.read_at(&mut chunk, offset)?;
        for found in memmem::find_iter(&chunk[..filled], &FRAME_MAGIC) {
            let candidate = offset + found as u64;
            if !may_be_batch(segment, candidate)? {
                continue;
            }
            let mut scan = Scan::new(Arc::clone(segment), segment.position(candidate), None);
            if matches!(scan.step()?, Step::Batch { .. }) {
                return Ok(Some(candidate));
            }
        }
        // The next chunk overlaps this one, so that no magic is cut in two.
        let step = filled.saturating_sub(FRAME_MAGIC.len() - 1);
        if step == 0 {
            break;
        }
        offset += step as u64;
    }
    Ok(None)
}

fn may_be_batch(segment: &Segment, offset: u64) -> io::Result<bool> {
    let mut header = [0; OVERHEAD as usize];
    let filled = segment.file.read_at(&mut header, offset)?;
    let start = segment.position(offset) + OVERHEAD;
    Ok(filled == header.len() && segment.seed().length(&header, start).is_some())
}

/// Walks all segments from a position to the end.
#[derive(Debug)]
pub(super) struct Replay {
    place: Place,
    /// What is left, the next one last.
    scans: Vec<Scan>,
}

impl Replay {
    /// Walks these, one after the other.
    pub(super) fn over(place: Place, mut scans: Vec<Scan>) -> Self {
        scans.reverse();
        Self { place, scans }
    }

    pub(super) fn new(place: Place, segments: &[Arc<Segment>], from: u64, end: u64) -> Self {
        let limits = segments.iter().skip(1).map(|next| next.base).chain([end]);
        let scans = segments
            .iter()
            .zip(limits)
            .filter(|(_, limit)| *limit > from)
            .map(|(segment, limit)| Scan::new(Arc::clone(segment), from.max(segment.base), Some(limit)))
            .collect();
        Self::over(place, scans)
    }
}

impl Iterator for Replay {
    type Item = Result<(u64, Bytes), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(scan) = self.scans.last_mut() {
            let step = scan.step();
            let error = match step {
                Ok(Step::Batch { payload, .. }) if payload.is_empty() => continue,
                Ok(Step::Batch { start, payload }) => return Some(Ok((start, payload))),
                Ok(Step::End) => {
                    self.scans.pop();
                    continue;
                }
                Ok(Step::Broken { reason, .. }) => scan.segment.damaged(&self.place, scan.position, reason),
                Err(source) => self.place.failed("reading", &scan.segment.name)(source),
            };
            self.scans.clear();
            return Some(Err(error));
        }
        None
    }
}

const _: () = assert!(CHUNK > SEGMENT_HEADER);
