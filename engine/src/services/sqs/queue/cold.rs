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
use super::Queue;
use super::entry::Entry;
use super::persist;
use crate::codec::{Malformed, Put, Take};
use crate::cold::{Standing, Thaw};
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
    /// SentTimestamp of the oldest and the youngest.
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

/// About what a frame holds of a message beside its payload.
const ENTRY_BYTES: usize = 40;

/// The content of a frame.
pub(crate) fn encode(entries: &[Entry], payloads: &[Bytes]) -> Bytes {
    let mut out = Vec::new();
    for (entry, payload) in entries.iter().zip(payloads) {
        put_head(&mut out, entry);
        out.put_raw(payload);
    }
    out.into()
}

/// Where the payloads of a frame lie in its file, the frame beginning at `offset`.
pub(crate) fn payload_offsets(entries: &[Entry], offset: u64) -> impl Iterator<Item = u64> {
    let mut head = Vec::new();
    entries.iter().scan(offset, move |at, entry| {
        head.clear();
        put_head(&mut head, entry);
        let payload = *at + head.len() as u64;
        *at = payload + u64::from(entry.payload.length);
        Some(payload)
    })
}

/// What stands in front of a message's payload.
fn put_head(out: &mut Vec<u8>, entry: &Entry) {
    out.put_varint(entry.seq);
    out.put_raw(&entry.id);
    out.put_varint(entry.sent.0);
    out.put_varint(entry.group);
    out.put_varint(u64::from(entry.source));
    out.put_varint(u64::from(entry.receives));
    out.put_varint(u64::from(entry.payload.length));
}

/// The messages of a frame.
pub(crate) fn decode(frame: &Frame, bytes: Bytes) -> Result<Vec<Entry>, Malformed> {
    let mut take = Take::new(bytes);
    let mut entries = Vec::new();
    while !take.is_empty() {
        let seq = take.varint()?;
        let id = take.array()?;
        let sent = take.moment()?;
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
    /// The messages of the next frames to write: the beginning of what is beyond the window, as long as it fills frames or as its
    /// payloads keep the journal from being cut at `position`; but nothing that is delayed. To fill frames only numbers below `end`
    /// count, so that whoever stores one part after the other comes to an end. About `max` payload bytes in all.
    pub(in crate::services::sqs) fn coolable(
        &self,
        position: u64,
        end: u64,
        max: usize,
        now: Moment,
    ) -> Vec<Vec<Entry>> {
        let mut frames: Vec<Vec<Entry>> = Vec::new();
        let (mut total, mut bytes) = (0, 0);
        let due = self.due(now);
        let keeps =
            self.beyond.iter().take(due).enumerate().filter(|(_, entry)| entry.payload.position < position);
        let keeps = keeps.last();
        let early = due.min(self.beyond.partition_point(|entry| entry.seq < end));
        let full = early - early % self.frame_messages;
        for entry in self.beyond.iter().take(full.max(keeps.map_or(0, |(index, _)| index + 1))) {
            if total >= max {
                break;
            }
            let length = entry.payload.length as usize + ENTRY_BYTES;
            match frames.last_mut() {
                Some(frame) if frame.len() < self.frame_messages && bytes < self.frame_bytes => {
                    frame.push(entry.clone());
                    bytes += length;
                }
                _ => {
                    frames.push(alloc::vec![entry.clone()]);
                    bytes = length;
                }
            }
            total += length;
        }
        frames
    }

    /// Whether messages up to `last_seq` may go to a cold file now: not if they have been delayed since they were written there.
    pub(in crate::services::sqs) fn may_cool(&self, last_seq: u64, now: Moment) -> bool {
        self.beyond.get(self.due(now)).is_none_or(|delayed| delayed.seq > last_seq)
    }

    /// Messages up to `last_seq` that still are beyond the window now lie in a frame.
    pub(in crate::services::sqs) fn cool(&mut self, chunk: u64, offset: u64, length: u64, last_seq: u64) {
        let Some(first_seq) = self.beyond.front().map(|entry| entry.seq) else { return };
        let mut frame = Frame {
            chunk,
            offset,
            length,
            first_seq,
            count: 0,
            first_sent: Moment::NEVER,
            last_sent: Moment(0),
        };
        while let Some(entry) = self.beyond.pop_front_if(|entry| entry.seq <= last_seq) {
            self.leave_chunk(&entry);
            frame.first_sent = frame.first_sent.min(entry.sent);
            frame.last_sent = frame.last_sent.max(entry.sent);
            frame.count += 1;
        }
        if frame.count > 0 {
            self.cold.push(frame);
            self.chunk_changes.push((chunk, frame.count as i64));
        }
    }

    /// When something expires in a cold file.
    pub(super) fn cold_deadline(&self) -> Moment {
        let retention = self.settings.retention;
        if self.has_room_to_expire() {
            self.cold.next_deadline(retention)
        } else {
            self.cold.frames.front().map_or(Moment::NEVER, |frame| frame.last_sent + retention)
        }
    }

    /// Whether a piece that holds expired messages may come into the window though that does not run low. Not one after the other:
    /// dead letters are of all ages, and each piece of a long backlog may hold an expired one. They are forgotten in their turn.
    fn has_room_to_expire(&self) -> bool {
        self.occupied() <= self.window
    }

    /// The frame to thaw next, if it is time; asks once for each.
    pub(in crate::services::sqs) fn plan_thaw(&mut self, now: Moment) -> Option<Frame> {
        let frame = self.cold.frames.front().filter(|_| !self.cold.thawing)?;
        let expires = frame.first_sent + self.settings.retention <= now;
        let may_come = self.runs_low() || (expires && self.has_room_to_expire());
        if !may_come {
            return None;
        }
        self.cold.thawing = true;
        Some(*frame)
    }

    /// Whether messages are on their way into the window.
    pub(in crate::services::sqs) fn thaws(&self) -> bool {
        self.cold.thawing
    }

    /// Where its messages stand.
    pub(in crate::services::sqs) fn standing(&self) -> Standing {
        Standing {
            key: self.key.clone(),
            occupied: self.occupied(),
            fresh: self.lanes.fresh().count() as u64,
            beyond: self.beyond.iter().map(|entry| entry.id).collect(),
            pieces: self.frames().map(|frame| Thaw { queue: self.id, frame: *frame }).collect(),
            thaws: self.thaws(),
        }
    }

    /// Whether `frame` is still the one that thaws.
    pub(in crate::services::sqs) fn awaits(&self, frame: &Frame) -> bool {
        self.cold.thawing && self.cold.frames.front() == Some(frame)
    }

    /// The first frame's messages join the window. `None`: these are not they.
    pub(in crate::services::sqs) fn thaw(&mut self, entries: Vec<Entry>, now: Moment) -> Option<()> {
        let frame = self.cold.frames.front()?;
        let is_whole =
            entries.len() as u64 == frame.count && entries.is_sorted_by(|one, next| one.seq < next.seq);
        if !is_whole || entries.iter().any(|entry| self.held.contains_key(&entry.seq)) {
            return None;
        }
        self.cold.pop()?;
        for entry in entries {
            self.enter(entry, now);
        }
        Some(())
    }
}
