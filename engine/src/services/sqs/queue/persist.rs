//! A queue in a snapshot.

use alloc::vec::Vec;

use super::super::command::Locator;
use super::super::event::{
    Windows, chunk, key, list, optional, own, put_key, put_list, put_optional, put_tags, tags,
};
use super::super::settings::Settings;
use super::cold::Frame;
use super::{Entry, Held, Original, Queue, State};
use crate::codec::{Malformed, Put, Take};
use crate::shard::Config;
use crate::time::Moment;

impl Queue {
    pub(in crate::services::sqs) fn encode(&self, out: &mut Vec<u8>) {
        out.put_varint(self.id);
        put_key(out, &self.key);
        self.settings.encode(out);
        put_tags(out, &self.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect());
        out.put_varint(self.created.0);
        out.put_varint(self.modified.0);
        put_optional(out, self.purged, |out, at| out.put_varint(at.0));
        put_list(out, &self.sources, |out, arn| out.put_bytes(arn.as_bytes()));
        // In order: hash maps of the same content may differ in theirs.
        let mut held: Vec<&Held> = self.held.values().collect();
        held.sort_unstable_by_key(|held| held.entry.seq);
        put_list(out, &held, |out, held| put_held(out, held));
        let fresh: Vec<&Entry> = self.lanes.fresh().collect();
        put_list(out, &fresh, |out, entry| put_entry(out, entry));
        out.put_varint(self.beyond.len() as u64);
        self.beyond.iter().for_each(|entry| put_entry(out, entry));
        let frames: Vec<&Frame> = self.cold.frames.iter().collect();
        put_list(out, &frames, |out, frame| {
            out.put_varint(frame.chunk);
            out.put_varint(frame.offset);
            out.put_varint(frame.length);
            out.put_varint(frame.first_seq);
            out.put_varint(frame.count);
            out.put_varint(frame.first_sent.0);
            out.put_varint(frame.last_sent.0);
        });
        out.put_varint(self.originals.len() as u64);
        for (until, key, original) in self.originals.iter() {
            out.put_varint(until.0);
            out.put_u128(key);
            out.put_varint(original.seq);
            out.put_raw(&original.id);
        }
        out.put_varint(self.attempts.len() as u64);
        for (until, key, attempt) in self.attempts.iter() {
            out.put_varint(until.0);
            out.put_u128(key);
            put_list(out, attempt, |out, (seq, lease)| {
                out.put_varint(*seq);
                out.put_varint(u64::from(*lease));
            });
        }
    }

    pub(in crate::services::sqs) fn decode(
        take: &mut Take,
        layout: u8,
        config: &Config,
        windows: Windows,
    ) -> Result<Self, Malformed> {
        let id = take.number()?;
        let key = key(take)?;
        let settings = Settings::decode(take)?;
        let tags = tags(take)?;
        let mut queue = Self::new(id, key, settings, moment(take)?, config, windows);
        queue.tags = tags.into_iter().collect();
        queue.modified = moment(take)?;
        queue.purged = optional(take, moment)?;
        queue.sources = list(take, |take| take.text().map(own))?;
        // All in the order in which they are written: what is not would be found no more, or twice.
        let all_held = list(take, held)?;
        if !all_held.is_sorted_by(|one, next| one.entry.seq < next.entry.seq) {
            return Err(Malformed);
        }
        all_held.into_iter().for_each(|held| queue.hold(held));
        for entry in list(take, entry)? {
            if !queue.lanes.accepts(&entry) {
                return Err(Malformed);
            }
            queue.lanes.push(entry);
            queue.ready += 1;
        }
        for entry in list(take, entry)? {
            if queue.beyond.back().is_some_and(|last| last.seq >= entry.seq) {
                return Err(Malformed);
            }
            queue.beyond.push_back(entry);
        }
        // The first layout knew no cold files.
        let frames = if layout == 1 { Vec::new() } else { list(take, frame)? };
        for frame in frames {
            queue.chunk_changes.push((frame.chunk, frame.count as i64));
            queue.cold.push(frame);
        }
        let in_chunks =
            queue.entries().filter_map(|entry| entry.payload.in_chunk()).map(|(chunk, _)| (chunk, 1));
        let in_chunks: Vec<_> = in_chunks.collect();
        queue.chunk_changes.extend(in_chunks);
        list(take, |take| {
            let (until, key) = (moment(take)?, take.u128()?);
            let original = Original { seq: take.varint()?, id: take.array()? };
            queue.originals.restore(until, key, original);
            Ok(())
        })?;
        list(take, |take| {
            let (until, key) = (moment(take)?, take.u128()?);
            let attempt = list(take, |take| Ok((take.varint()?, count(take)?)))?;
            queue.attempts.restore(until, key, attempt);
            Ok(())
        })?;
        Ok(queue)
    }
}

pub(in crate::services::sqs) fn put_entry(out: &mut Vec<u8>, entry: &Entry) {
    out.put_varint(entry.seq);
    out.put_raw(&entry.id);
    out.put_varint(entry.sent.0);
    out.put_varint(entry.payload.position);
    out.put_varint(u64::from(entry.payload.length));
    out.put_varint(entry.group);
    out.put_varint(u64::from(entry.source));
    out.put_varint(u64::from(entry.receives));
}

pub(in crate::services::sqs) fn entry(take: &mut Take) -> Result<Entry, Malformed> {
    Ok(Entry {
        seq: take.number()?,
        id: take.array()?,
        sent: moment(take)?,
        payload: Locator { position: take.varint()?, length: count(take)? },
        group: take.varint()?,
        source: count(take)?,
        receives: count(take)?,
    })
}

pub(in crate::services::sqs) fn put_held(out: &mut Vec<u8>, held: &Held) {
    put_entry(out, &held.entry);
    out.put_varint(u64::from(held.brought));
    put_optional(out, held.first_received, |out, at| out.put_varint(at.0));
    out.put_varint(held.leased.0);
    out.put_u8(u8::from(held.changed) | u8::from(held.repeated) << 1);
    let (tag, at) = match held.state {
        State::Delayed { due } => (1, due),
        State::InFlight { deadline } => (2, deadline),
        State::Ready { since } => (3, since),
    };
    out.put_u8(tag);
    out.put_varint(at.0);
}

pub(in crate::services::sqs) fn held(take: &mut Take) -> Result<Held, Malformed> {
    let entry = entry(take)?;
    let brought = count(take)?;
    if brought > entry.receives {
        return Err(Malformed);
    }
    let first_received = optional(take, moment)?;
    let leased = moment(take)?;
    let flags = take.u8()?;
    let state = match (take.u8()?, moment(take)?) {
        (1, due) => State::Delayed { due },
        (2, deadline) => State::InFlight { deadline },
        (3, since) => State::Ready { since },
        _ => return Err(Malformed),
    };
    Ok(Held {
        entry,
        brought,
        first_received,
        leased,
        changed: flags & 1 != 0,
        repeated: flags & 2 != 0,
        state,
    })
}

fn frame(take: &mut Take) -> Result<Frame, Malformed> {
    let frame = Frame {
        chunk: chunk(take)?,
        offset: u64::from(count(take)?),
        length: u64::from(count(take)?),
        first_seq: take.varint()?,
        count: take.varint()?,
        first_sent: moment(take)?,
        last_sent: moment(take)?,
    };
    // Every message takes some of its bytes.
    let is_possible = (1..=frame.length).contains(&frame.count) && frame.first_sent <= frame.last_sent;
    if is_possible { Ok(frame) } else { Err(Malformed) }
}

fn moment(take: &mut Take) -> Result<Moment, Malformed> {
    take.moment()
}

pub(in crate::services::sqs) fn count(take: &mut Take) -> Result<u32, Malformed> {
    u32::try_from(take.varint()?).map_err(|_| Malformed)
}
