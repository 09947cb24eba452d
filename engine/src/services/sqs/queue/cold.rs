//! The part of a backlog that nobody will look at soon: it lies in files, in order of arrival, and costs memory per
//! frame of a thousand messages or so, not per message.
//!
//! A queue's messages stand in three places, oldest first: the *window* (the lanes, and whatever is held), the *cold* frames,
//! and what is *beyond*: messages so young that their payloads lie in the journal. When the journal is cut, the beginning of
//! what is beyond *cools* into frames; when the window has room, the first frame *thaws* into it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use super::super::command::Locator;
use super::super::limits;
use super::entry::Entry;
use super::persist;
use super::{Queue, State};
use crate::codec::{Malformed, Put, Take};
use crate::time::{Millis, Moment};

/// Messages in one piece of a cold file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The file.
    pub(crate) chunk: u64,
    /// Where in the file the frame's bytes begin, and how many they are.
    pub(crate) offset: u64,
    pub(crate) length: u64,
    /// Messages from this number on count; those before were received while the frame was written.
    pub(crate) first_seq: u64,
    pub(crate) count: u64,
    pub(crate) first_sent: Moment,
    pub(crate) last_sent: Moment,
}

/// A queue's cold frames, oldest first.
#[derive(Debug, Default)]
pub(in crate::services::sqs) struct Cold {
    pub(super) frames: VecDeque<Frame>,
    /// Messages in all frames.
    pub(super) count: u64,
    /// The first frame has been asked for.
    pub(super) thawing: bool,
}

impl Cold {
    pub(super) fn push(&mut self, frame: Frame) {
        self.count += frame.count;
        self.frames.push_back(frame);
    }

    pub(super) fn pop(&mut self) -> Option<Frame> {
        let frame = self.frames.pop_front()?;
        self.count -= frame.count;
        self.thawing = false;
        Some(frame)
    }

    /// Takes the first frame if even its youngest message has expired by now.
    pub(super) fn pop_expired(&mut self, now: Moment, retention: Millis) -> Option<Frame> {
        self.frames.front().filter(|frame| frame.last_sent + retention <= now)?;
        self.pop()
    }

    /// When the first message expires.
    pub(super) fn next_deadline(&self, retention: Millis) -> Moment {
        // A frame that thaws says itself, from the window, when its messages expire.
        self.frames
            .front()
            .filter(|_| !self.thawing)
            .map_or(Moment::NEVER, |frame| frame.first_sent + retention)
    }
}

/// The content of a frame.
pub(crate) fn encode(entries: &[Entry], payloads: &[Bytes]) -> Bytes {
    let mut out = Vec::new();
    for (entry, payload) in entries.iter().zip(payloads) {
        out.put_varint(entry.seq);
        out.put_raw(&entry.id);
        out.put_varint(entry.sent.0);
        out.put_varint(entry.group);
        out.put_varint(u64::from(entry.source));
        out.put_varint(u64::from(entry.receives));
        out.put_bytes(payload);
    }
    out.into()
}

/// The messages of a frame.
pub(crate) fn decode(frame: &Frame, bytes: Bytes) -> Result<Vec<Entry>, Malformed> {
    let mut take = Take::new(bytes);
    let mut entries = Vec::new();
    while !take.is_empty() {
        let seq = take.varint()?;
        let id = take.array()?;
        let sent = Moment(take.varint()?);
        let group = take.varint()?;
        let source = persist::count(&mut take)?;
        let receives = persist::count(&mut take)?;
        let length = persist::count(&mut take)?;
        let offset = frame.offset + frame.length - take.remaining() as u64;
        take.raw(length as usize)?;
        if seq >= frame.first_seq {
            let payload = Locator::cold(frame.chunk, offset, length);
            entries.push(Entry { seq, id, sent, payload, group, source, receives });
        }
    }
    if entries.len() as u64 != frame.count { Err(Malformed) } else { Ok(entries) }
}

impl Queue {
    /// The first messages beyond the window whose payloads lie in the journal before `position` (or in another queue's cold
    /// file, as a dead letter's may), up to `max` payload bytes.
    pub(in crate::services::sqs) fn coolable(&self, position: u64, max: usize, now: Moment) -> Vec<Entry> {
        let mut left = max;
        let old = |entry: &&Entry| entry.payload.in_chunk().is_some() || entry.payload.position < position;
        let due = self.due(now);
        let first = self.beyond.iter().take(due.min(limits::FRAME_MESSAGES)).take_while(old);
        let fitting = first.take_while(|entry| {
            let fits = left > 0;
            left = left.saturating_sub(entry.payload.length as usize);
            fits
        });
        fitting.cloned().collect()
    }

    /// Messages up to `last_seq` that still are beyond the window now lie in a frame.
    pub(in crate::services::sqs) fn cool(&mut self, chunk: u64, offset: u64, length: u64, last_seq: u64) {
        let Some(first) = self.beyond.front() else { return };
        let (first_seq, first_sent) = (first.seq, first.sent);
        let (mut count, mut last_sent) = (0, first_sent);
        while let Some(entry) = self.beyond.pop_front_if(|entry| entry.seq <= last_seq) {
            self.leave_chunk(&entry);
            last_sent = entry.sent;
            count += 1;
        }
        if count > 0 {
            self.cold.push(Frame { chunk, offset, length, first_seq, count, first_sent, last_sent });
            self.chunk_changes.push((chunk, count as i64));
        }
    }

    /// The frame to thaw next, if it is time; asks once for each.
    pub(in crate::services::sqs) fn plan_thaw(&mut self, now: Moment) -> Option<Frame> {
        // A FIFO queue's window is AWS's, and kept full; a standard queue's is ours, and need only not run out.
        let low = if self.fifo() { self.window } else { self.window.div_ceil(2) };
        let frame = self.cold.frames.front().filter(|_| !self.cold.thawing)?;
        if self.occupied() >= low && frame.first_sent + self.settings.retention > now {
            return None;
        }
        self.cold.thawing = true;
        Some(*frame)
    }

    /// Whether messages are on their way into the window.
    pub(in crate::services::sqs) fn thaws(&self) -> bool {
        self.cold.thawing
    }

    /// Whether `frame` is still the one that thaws.
    pub(in crate::services::sqs) fn awaits(&self, frame: &Frame) -> bool {
        self.cold.thawing && self.cold.frames.front() == Some(frame)
    }

    /// The first frame's messages join the window.
    pub(in crate::services::sqs) fn thaw(&mut self, entries: Vec<Entry>, now: Moment) -> Option<()> {
        self.cold.pop()?;
        for entry in entries {
            self.enter(entry, State::Ready { since: now }, now);
        }
        self.admit(now);
        Some(())
    }
}
