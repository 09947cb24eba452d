//! Looking without touching: every byte of a journal's files is checked, nothing is written, and what reads can be read. What
//! counts and what does not is decided by the same code as when the journal opens.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use memchr::memmem;

use super::blocks::Blocks;
use super::cold::{self, Cold};
use super::fence::{self, Mark};
use super::place::Place;
use super::scan::{Replay, Scan, Step, find_batch_behind};
use super::segment::{self, Segment, check_header};
use super::{pool, recovery, snapshot};
use crate::backends::{Backend, Batches};
use crate::disk::Disk;
use crate::error::{Error, OpenError};
use crate::format::{COLD_FRAME, COLD_MAGIC, EPOCH_SLOT, HEADER, Kind, cold_frame_header, encode_header};
use crate::inspection::{Damage, FileKind, FileState, Inspection};
use crate::{Cut, Headroom, Reader, Rest, Snapshot, Snapshots};

/// Bytes read from disk that are kept.
const READ_AHEAD: usize = 8 << 20;

/// Checks all files but the cold ones, which [`Inspection::check_cold`] reads one by one.
pub(crate) fn inspect(disk: Arc<dyn Disk>, progress: &dyn Fn(u64)) -> Result<Inspection, OpenError> {
    let place = Place::new(disk);
    let mut names = place.disk.list().map_err(place.failed("listing", "."))?;
    names.sort_unstable();
    let mut survey = Survey::new(place, progress);
    survey.classify(&names)?;
    let (epoch, noted, torn) = survey.epoch(&names)?;
    let mut segments = survey.open_segments(&names)?;
    let newest = segments.iter().map(|segment| segment.epoch).max().unwrap_or(0);
    survey.judge_epoch(epoch, newest, torn);
    let is_last_there = survey.record(recovery::check_last(&survey.place, &segments, noted))?.is_some();
    for superseded in recovery::take_superseded(&mut segments) {
        survey.state(&superseded.name, "replaced by a later one; goes at the next start");
    }
    let (snapshot, damaged) = survey.snapshots(&names)?;
    let (from, keep) = snapshot
        .as_ref()
        .map_or((0, 0), |snapshot| (snapshot.position, snapshot.keep.min(snapshot.position)));
    let below = segments.windows(2).take_while(|pair| pair[1].base <= keep).count();
    for segment in segments.drain(..below) {
        survey.state(&segment.name, "not needed any more; goes at the next start");
    }
    survey.chain(&segments, keep, snapshot.is_some());
    survey.scan(&segments)?;
    let reach = survey.reach(&segments, from);
    // What a damaged snapshot summed up must have been read in the journal, or the state is one that never was.
    let begins = snapshot.is_some() || reach.is_some() || (segments.is_empty() && survey.damage.is_empty());
    let is_whole = damaged.is_none_or(|position| reach.is_some_and(|(_, end)| end >= position));
    // If the place where the snapshot ends cannot be read, it is the last state that once was: nothing behind counts any more.
    let behind = survey.spans.partition_point(|span| span.start < from);
    let (first, end) = reach.unwrap_or((behind, from));
    let goes_on = first < survey.spans.len() || survey.spans.last().is_none_or(|span| span.is_broken);
    let is_cut_short = !survey.damage.is_empty() && (goes_on || reach.is_none() || !is_last_there);
    let is_founded = begins && is_whole;
    survey.finish(Outcome { snapshot, first, end, epoch: epoch.max(newest), is_founded, is_cut_short })
}

/// The newest epoch, the segment noted with it, and the slots that do not read.
type Epoch = (u64, Option<Mark>, Vec<(u64, String)>);

/// A run of whole batches in one segment.
#[derive(Debug, Clone)]
struct Span {
    segment: Arc<Segment>,
    start: u64,
    end: u64,
    /// Damage follows.
    is_broken: bool,
}

impl Span {
    fn scan(&self, from: u64) -> Scan {
        Scan::new(Arc::clone(&self.segment), from.max(self.start), Some(self.end))
    }
}

struct Outcome {
    snapshot: Option<Snapshot>,
    /// Index of the span that follows what leads to `end`.
    first: usize,
    end: u64,
    epoch: u64,
    is_founded: bool,
    is_cut_short: bool,
}

struct Survey<'a> {
    place: Place,
    progress: &'a dyn Fn(u64),
    files: BTreeMap<String, FileState>,
    damage: Vec<Damage>,
    notes: Vec<String>,
    cut: Option<Cut>,
    /// Ascending.
    spans: Vec<Span>,
}

impl<'a> Survey<'a> {
    fn new(place: Place, progress: &'a dyn Fn(u64)) -> Self {
        Self {
            place,
            progress,
            files: BTreeMap::new(),
            damage: Vec::new(),
            notes: Vec::new(),
            cut: None,
            spans: Vec::new(),
        }
    }

    fn complain(&mut self, name: &str, offset: u64, reason: impl Into<String>) {
        self.damage.push(Damage { file: self.place.path(name), offset, reason: reason.into() });
        self.state(name, "damaged");
    }

    fn state(&mut self, name: &str, state: &str) {
        if let Some(file) = self.files.get_mut(name) {
            file.state = state.into();
        }
    }

    /// Takes an error as damage, unless a newer release wrote the file.
    fn record<T>(&mut self, outcome: Result<T, OpenError>) -> Result<Option<T>, OpenError> {
        let (file, offset, reason) = match outcome {
            Ok(value) => return Ok(Some(value)),
            Err(OpenError::Corrupt { file, offset, reason }) => (file, offset, reason),
            Err(OpenError::Missing { file, reason }) => (file, 0, format!("it is missing: {reason}")),
            Err(OpenError::Io { file, action, source }) => (file, 0, format!("{action} it failed: {source}")),
            Err(error) => return Err(error),
        };
        let name = file.rsplit('/').next().unwrap_or_default().to_owned();
        self.state(&name, "damaged");
        self.damage.push(Damage { file, offset, reason });
        Ok(None)
    }

    fn failed(&self, name: &str, source: io::Error) -> OpenError {
        self.place.failed("reading", name)(source).into()
    }

    fn classify(&mut self, names: &[String]) -> Result<(), OpenError> {
        for name in names {
            let (kind, state) = if segment::base_of(name).is_some() {
                (FileKind::Segment, "whole")
            } else if segment::position_of(name, snapshot::PREFIX).is_some() {
                (FileKind::Snapshot, "whole")
            } else if segment::position_of(name, cold::PREFIX).is_some() {
                (FileKind::Cold, "not read yet")
            } else if segment::position_of(name, pool::PREFIX).is_some() {
                (FileKind::Spare, "room for later; its content means nothing")
            } else if name == fence::NAME {
                (FileKind::Epoch, "whole")
            } else if name.ends_with(".new") {
                (FileKind::Unfinished, "goes at the next start")
            } else {
                (FileKind::Foreign, "not a file of Kew's; left alone")
            };
            let length = self.place.disk.open(name).and_then(|file| file.length());
            let bytes = self.record(length.map_err(|source| self.failed(name, source)))?.unwrap_or(0);
            let file = FileState { name: name.clone(), kind, bytes, state: state.into() };
            self.files.insert(name.clone(), file);
        }
        Ok(())
    }

    /// The newest epoch, and the segment noted with it.
    fn epoch(&mut self, names: &[String]) -> Result<Epoch, OpenError> {
        let mut newest = (0, None, Vec::new());
        if !self.files.contains_key(fence::NAME) {
            if names.iter().any(|name| segment::base_of(name).is_some()) {
                self.complain(fence::NAME, 0, "it is missing");
            }
            return Ok(newest);
        }
        for slot in [0, EPOCH_SLOT] {
            let mut bytes = [0; HEADER];
            let read = self.place.disk.open(fence::NAME).and_then(|file| file.read_at(&mut bytes, slot));
            let read = read.map_err(|source| self.failed(fence::NAME, source));
            let Some(filled) = self.record(read)? else { continue };
            if bytes[..filled].iter().all(|byte| *byte == 0) {
                continue;
            }
            match check_header(&self.place, fence::NAME, Kind::Epoch, &bytes[..filled]) {
                Ok([epoch, is_noted, by, base, ..]) if epoch > newest.0 => {
                    newest.0 = epoch;
                    newest.1 = (is_noted == 1).then_some(Mark { epoch: by, base });
                }
                Ok(_) => {}
                Err(OpenError::Corrupt { reason, .. }) => newest.2.push((slot, reason)),
                Err(error) => return Err(error),
            }
        }
        let length = self.files.get(fence::NAME).map_or(0, |file| file.bytes);
        if length < EPOCH_SLOT + HEADER as u64 && self.damage.is_empty() {
            self.complain(fence::NAME, length, "it is shorter than it was");
        } else if newest.0 == 0 && newest.2.is_empty() && self.damage.is_empty() {
            self.complain(fence::NAME, 0, "it is empty");
        }
        Ok(newest)
    }

    /// A slot that does not read is damage if it held the newest epoch. Otherwise a write to it was torn, or nobody needs it.
    fn judge_epoch(&mut self, epoch: u64, newest: u64, torn: Vec<(u64, String)>) {
        let is_lost = epoch == 0 || newest > epoch;
        if is_lost && torn.is_empty() && newest > epoch && self.damage.is_empty() {
            self.complain(fence::NAME, 0, "it is older than the segments: what it held is lost");
        }
        for (slot, reason) in torn {
            if is_lost {
                let reason = format!(
                    "{reason}: it was damaged, or a write there failed; a start or a repair writes it anew"
                );
                self.complain(fence::NAME, slot, reason);
            } else {
                let file = self.place.path(fence::NAME);
                self.notes.push(format!("{file} at offset {slot}: {reason}; the other half holds, and the next start writes this one anew"));
            }
        }
    }

    fn open_segments(&mut self, names: &[String]) -> Result<Vec<Arc<Segment>>, OpenError> {
        let mut segments = Vec::new();
        for name in names {
            let Some(base) = segment::base_of(name) else { continue };
            let opened = Segment::open(&self.place, name, base);
            segments.extend(self.record(opened)?.map(Arc::new));
        }
        segments.sort_unstable_by_key(|segment| segment.base);
        Ok(segments)
    }

    /// The newest snapshot that reads, and the position of a newer one that does not.
    fn snapshots(&mut self, names: &[String]) -> Result<(Option<Snapshot>, Option<u64>), OpenError> {
        let (mut newest, mut damaged) = (None, None);
        for name in names.iter().rev() {
            let Some(position) = segment::position_of(name, snapshot::PREFIX) else { continue };
            if newest.is_some() {
                self.state(name, "replaced by a newer one; goes at the next start");
                continue;
            }
            (self.progress)(self.files.get(name).map_or(0, |file| file.bytes));
            match self.record(snapshot::read(&self.place, name, position))? {
                Some(read) => newest = Some(read),
                None => damaged = damaged.or(Some(position)),
            }
        }
        Ok((newest, damaged))
    }

    /// Sees which segments are missing.
    fn chain(&mut self, segments: &[Arc<Segment>], keep: u64, has_snapshot: bool) {
        let mut missing = |base, reason: String| self.complain(&segment::name_of(base), 0, reason);
        match segments.first() {
            None if has_snapshot => {
                missing(keep, "it is missing: a snapshot is there, but no segment at all".into());
            }
            Some(first) if first.base > keep => {
                missing(first.previous, format!("it is missing: {} follows it", first.name));
            }
            _ => {}
        }
        for pair in segments.windows(2).filter(|pair| pair[1].previous != pair[0].base) {
            missing(pair[1].previous, format!("it is missing: {} follows it", pair[1].name));
        }
    }

    /// Checks every batch.
    fn scan(&mut self, segments: &[Arc<Segment>]) -> Result<(), OpenError> {
        for (index, segment) in segments.iter().enumerate() {
            let next = segments.get(index + 1);
            // Where the next one is missing, nobody knows where this one ends.
            let limit = next.filter(|next| next.previous == segment.base).map(|next| next.base);
            let mut from = segment.base;
            while let Some((end, torn)) = self.stretch(&segments[index..], from, limit)? {
                if let Some(bytes) = torn {
                    let (file, offset) = (self.place.path(&segment.name), segment.offset(end));
                    self.cut = Some(Cut { file, offset, bytes });
                    self.state(&segment.name, "whole, but for a torn end");
                    for behind in &segments[index + 1..] {
                        self.state(&behind.name, "behind a torn end");
                    }
                    return Ok(());
                }
                // Damage: whatever is whole behind it is lost for the state, but can be told of.
                let behind =
                    find_batch_behind(segment, end).map_err(|source| self.failed(&segment.name, source));
                let Some(Some(offset)) = self.record(behind)? else { break };
                from = segment.position(offset);
            }
        }
        Ok(())
    }

    /// One run of batches of the first of these segments. Says where it broke and, if that is the torn end of the journal, how long
    /// that is; or nothing if the segment ends well.
    fn stretch(
        &mut self,
        segments: &[Arc<Segment>],
        from: u64,
        limit: Option<u64>,
    ) -> Result<Option<(u64, Option<u64>)>, OpenError> {
        let segment = &segments[0];
        let is_last = segments.len() == 1;
        let mut scan = Scan::new(Arc::clone(segment), from, limit);
        let (ending, end) = loop {
            let step = scan.step();
            let end = scan.position();
            match step {
                Ok(Step::Batch { payload, .. }) => (self.progress)(payload.len() as u64 + crate::OVERHEAD),
                other => break (other, end),
            }
        };
        segment.grow_to(segment.end().max(end));
        self.spans.push(Span { segment: Arc::clone(segment), start: from, end, is_broken: false });
        let outcome = match ending {
            Ok(Step::End) if segment.lacks(end, segments.get(1)) => {
                Err(segment.damaged(&self.place, end, "batches that were durable are missing here").into())
            }
            Ok(Step::End) if is_last => {
                recovery::check_nothing_behind(&self.place, segment, end, "batches are missing here")
            }
            Ok(Step::Broken { reason, bytes }) => {
                match recovery::check_torn(&self.place, segments, end, reason) {
                    Ok(()) => return Ok(Some((end, Some(bytes)))),
                    Err(error) => Err(error),
                }
            }
            Ok(_) => Ok(()),
            Err(source) => Err(self.failed(&segment.name, source)),
        };
        let is_broken = self.record(outcome)?.is_none();
        if let Some(span) = self.spans.last_mut() {
            span.is_broken = is_broken;
        }
        Ok(is_broken.then_some((end, None)))
    }

    /// How far the batches lead from `from` without a break, and the first span behind that.
    fn reach(&mut self, segments: &[Arc<Segment>], from: u64) -> Option<(usize, u64)> {
        let first = self.spans.iter().position(|span| span.start <= from && from <= span.end);
        let Some(mut index) = first else {
            let end = self.spans.last().map_or(0, |span| span.end);
            if self.damage.is_empty() && end < from {
                let error = recovery::ends_early(&self.place, segments, end, from);
                // It is of the kind that is taken as damage.
                let _ = self.record::<()>(Err(error));
            }
            return None;
        };
        while let Some(next) = self.spans.get(index + 1) {
            let here = &self.spans[index];
            if next.start != here.end || next.segment.previous != here.segment.base {
                break;
            }
            index += 1;
        }
        Some((index + 1, self.spans[index].end))
    }

    fn finish(self, outcome: Outcome) -> Result<Inspection, OpenError> {
        let Outcome { snapshot, first, end, epoch, is_founded, is_cut_short } = outcome;
        let past = self.spans.iter().map(|span| span.end).max().unwrap_or(end).max(end);
        let looked = Arc::new(Looked {
            epoch,
            end,
            first,
            spans: self.spans,
            blocks: Blocks::new(READ_AHEAD),
            cold: Cold::new(epoch, READ_AHEAD),
            snapshot: snapshot.clone(),
            place: self.place,
        });
        let backend: Arc<dyn Backend> = Arc::<Looked>::clone(&looked);
        let reader = Reader::new(Arc::clone(&backend), 0);
        Ok(Inspection {
            files: self.files.into_values().collect(),
            damage: self.damage,
            notes: self.notes,
            cut: self.cut,
            snapshot,
            end,
            past,
            epoch,
            is_founded,
            is_cut_short,
            reader,
            cold: crate::Cold::new(Arc::clone(&backend)),
            snapshots: Snapshots::new(backend),
            looked,
        })
    }
}

/// A journal that is only looked at.
#[derive(Debug)]
pub(crate) struct Looked {
    place: Place,
    epoch: u64,
    end: u64,
    /// Index of the first span behind `end`.
    first: usize,
    spans: Vec<Span>,
    blocks: Blocks,
    cold: Cold,
    snapshot: Option<Snapshot>,
}

impl Looked {
    /// Whole batches behind a break.
    pub(crate) fn behind(&self) -> Batches {
        let scans = self.spans[self.first..].iter().map(|span| span.scan(span.start)).collect();
        Box::new(Replay::over(self.place.clone(), scans))
    }

    /// Reads a cold file from its beginning to its end.
    pub(crate) fn walk_cold(&self, file: u64, progress: &dyn Fn(u64)) -> Result<Walk, OpenError> {
        let name = cold::name(file);
        let mut walk = Walk { path: self.place.path(&name), file, ..Walk::default() };
        let read = || {
            let handle = self.place.disk.open(&name)?;
            let mut bytes = vec![0; handle.length()? as usize];
            let filled = handle.read_at(&mut bytes, 0)?;
            bytes.truncate(filled);
            Ok::<_, io::Error>(Bytes::from(bytes))
        };
        match read() {
            Ok(bytes) => walk.bytes = bytes,
            Err(error) => {
                walk.complain(0, &format!("reading it failed: {error}"));
                return Ok(walk);
            }
        }
        progress(walk.bytes.len() as u64);
        match check_header(&self.place, &name, Kind::Cold, walk.bytes.get(..HEADER).unwrap_or_default()) {
            Ok([said, ..]) if said == file => {}
            Ok(_) => walk.complain(16, "its header names another file"),
            Err(OpenError::Corrupt { offset, reason, .. }) => walk.complain(offset, &reason),
            Err(error) => return Err(error),
        }
        walk.find_pieces();
        Ok(walk)
    }

    /// Writes a cold file anew, durably but for its name: its whole pieces where they are, and nothing where they are not.
    pub(crate) fn mend_cold(&self, file: u64, to: Arc<dyn Disk>) -> Result<(), OpenError> {
        let walk = self.walk_cold(file, &|_| {})?;
        let (place, name) = (Place::new(to), cold::name(file));
        let no_room = |action| place.no_room(action, &name, walk.bytes.len() as u64);
        let handle = place.disk.create(&name).map_err(no_room("creating"))?;
        let header = encode_header(Kind::Cold, [file, self.epoch, 0, 0, 0, 0]);
        handle.write_at(&[&header], 0).map_err(no_room("writing"))?;
        let mut end = HEADER as u64;
        for &(offset, length) in &walk.pieces {
            let begin = offset - COLD_FRAME;
            if begin > end {
                // What is lost makes room for a piece of nothing, so that the file reads from its beginning to its end.
                let nothing = vec![0; (begin - end - COLD_FRAME) as usize];
                let header = cold_frame_header(file, end, &nothing);
                handle.write_at(&[&header, &nothing], end).map_err(no_room("writing"))?;
            }
            end = offset + length;
            let piece = &walk.bytes[begin as usize..end as usize];
            handle.write_at(&[piece], begin).map_err(no_room("writing"))?;
        }
        Ok(handle.sync_data().map_err(no_room("syncing"))?)
    }
}

/// A cold file, read through.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    path: String,
    file: u64,
    bytes: Bytes,
    /// Offset and length of each whole piece.
    pieces: Vec<(u64, u64)>,
    pub(crate) damage: Vec<Damage>,
}

impl Walk {
    /// Each whole piece: its offset, and its bytes.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (u64, Bytes)> {
        let slice = |(offset, length)| self.bytes.slice(offset as usize..(offset + length) as usize);
        self.pieces.iter().map(move |&piece| (piece.0, slice(piece)))
    }

    fn complain(&mut self, offset: u64, reason: &str) {
        self.damage.push(Damage { file: self.path.clone(), offset, reason: reason.into() });
    }

    fn find_pieces(&mut self) {
        let mut at = HEADER;
        while at < self.bytes.len() {
            if let Some(length) = self.piece_at(at) {
                at += COLD_FRAME as usize;
                self.pieces.push((at as u64, length as u64));
                at += length;
                continue;
            }
            self.complain(at as u64, "no whole piece begins here");
            let rest = &self.bytes[at + 1..];
            let found = memmem::find_iter(rest, &COLD_MAGIC).map(|found| at + 1 + found);
            // A piece of nothing has to fit in between.
            let next = found.filter(|next| *next >= at + COLD_FRAME as usize);
            let Some(next) = next.into_iter().find(|next| self.piece_at(*next).is_some()) else { break };
            at = next;
        }
    }

    /// The length of the piece whose header lies there, if it is whole.
    fn piece_at(&self, at: usize) -> Option<usize> {
        let header = self.bytes.get(at..at + COLD_FRAME as usize)?;
        let length = u32::from_le_bytes(*header[8..].first_chunk()?) as usize;
        let from = at + COLD_FRAME as usize;
        let payload = self.bytes.get(from..from.checked_add(length)?)?;
        (header == cold_frame_header(self.file, at as u64, payload)).then_some(length)
    }
}

impl Backend for Looked {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn durable(&self) -> u64 {
        self.end
    }

    fn append(&self, _: u64, _: &Bytes) -> Result<(), Error> {
        Err(Error::Poisoned)
    }

    fn read(&self, position: u64, length: usize) -> Result<Bytes, Error> {
        let end = position.saturating_add(length as u64);
        let index = self.spans.partition_point(|span| span.start <= position);
        let span = index.checked_sub(1).map(|index| &self.spans[index]).filter(|span| end <= span.end);
        let Some(Span { segment, .. }) = span else { return Err(Error::Gone { position, length }) };
        self.blocks.read(segment, position, length).map_err(self.place.failed("reading", &segment.name))
    }

    fn replay(&self, from: u64) -> Batches {
        let spans = self.spans[..self.first].iter().filter(|span| span.end > from);
        Box::new(Replay::over(self.place.clone(), spans.map(|span| span.scan(from)).collect()))
    }

    fn boundary(&self, position: u64) -> u64 {
        let index = self.spans.partition_point(|span| span.start <= position).saturating_sub(1);
        self.spans.get(index).map_or(0, |span| span.start)
    }

    fn save(&self, _: &Snapshot, _: &Rest) -> Result<(), Error> {
        Err(Error::Poisoned)
    }

    fn prepare(&self) -> Result<(), Error> {
        Ok(())
    }

    fn load(&self) -> Result<Option<Snapshot>, Error> {
        Ok(self.snapshot.clone())
    }

    fn write_cold(&self, _: u64, _: &[Bytes], _: &Rest) -> Result<Vec<u64>, Error> {
        Err(Error::Poisoned)
    }

    fn read_cold_piece(&self, file: u64, offset: u64, length: usize) -> Result<Bytes, Error> {
        self.cold.read_piece(&self.place, file, offset, length)
    }

    fn read_cold(&self, file: u64, offset: u64, length: usize) -> Result<Bytes, Error> {
        self.cold.read(&self.place, file, offset, length)
    }

    fn remove_cold(&self, _: u64) -> Result<(), Error> {
        Err(Error::Poisoned)
    }

    fn cold_numbers(&self) -> Result<Vec<u64>, Error> {
        Cold::numbers(&self.place)
    }

    fn cold_files(&self) -> Result<Vec<(u64, u64)>, Error> {
        Cold::files(&self.place)
    }

    fn headroom(&self) -> Result<Headroom, Error> {
        Ok(Headroom { reserved: 0, free: 0 })
    }
}
