//! Reads from disk in blocks, a few of which stay in memory: a backlog is read in the order in which it was written.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::segment::Segment;

const BLOCK: u64 = 64 << 10;
/// Blocks read at once when the one before is known, that is, when somebody reads on.
const AHEAD: u64 = 4;

#[derive(Debug)]
pub(super) struct Blocks {
    limit: usize,
    /// Oldest first. So few that looking through them costs less than keeping an order.
    known: Mutex<VecDeque<Block>>,
}

#[derive(Debug)]
struct Block {
    base: u64,
    index: u64,
    bytes: Bytes,
}

impl Blocks {
    pub(super) fn new(bytes: usize) -> Self {
        Self { limit: bytes / BLOCK as usize, known: Mutex::new(VecDeque::new()) }
    }

    /// Bytes of a segment, all of them below its end.
    pub(super) fn read(&self, segment: &Segment, position: u64, length: usize) -> io::Result<Bytes> {
        let offset = segment.offset(position);
        let (index, from) = (offset / BLOCK, (offset % BLOCK) as usize);
        let to = from + length;
        if to > BLOCK as usize || self.limit == 0 {
            return read_exactly(segment, offset, length);
        }
        // The block in which the journal ended when it was read has grown since, perhaps.
        if let Some(block) = self.find(segment.base, index).filter(|block| block.len() >= to) {
            return Ok(block.slice(from..to));
        }
        let is_reading_on = index > 0 && self.find(segment.base, index - 1).is_some();
        let count = if is_reading_on { AHEAD } else { 1 };
        let end = segment.offset(segment.end()).min((index + count) * BLOCK);
        let Ok(bytes) = read_exactly(segment, index * BLOCK, (end - index * BLOCK) as usize) else {
            // What cannot be read in the block may be something else.
            return read_exactly(segment, offset, length);
        };
        self.learn(segment.base, index, &bytes);
        Ok(bytes.slice(from..to))
    }

    fn find(&self, base: u64, index: u64) -> Option<Bytes> {
        let known = self.known();
        // The newest are the likeliest.
        let block = known.iter().rev().find(|block| block.base == base && block.index == index)?;
        Some(block.bytes.clone())
    }

    fn learn(&self, base: u64, first: u64, bytes: &Bytes) {
        let mut known = self.known();
        let mut rest = bytes.clone();
        let mut index = first;
        while !rest.is_empty() {
            let bytes = rest.split_to(rest.len().min(BLOCK as usize));
            known.retain(|block| (block.base, block.index) != (base, index));
            known.push_back(Block { base, index, bytes });
            index += 1;
        }
        let surplus = known.len().saturating_sub(self.limit);
        known.drain(..surplus);
    }

    fn known(&self) -> MutexGuard<'_, VecDeque<Block>> {
        // A list half changed by a panic holds fewer blocks, but no wrong ones.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_exactly(segment: &Segment, offset: u64, length: usize) -> io::Result<Bytes> {
    let mut bytes = vec![0; length];
    if segment.file.read_at(&mut bytes, offset)? < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Bytes::from(bytes))
}
