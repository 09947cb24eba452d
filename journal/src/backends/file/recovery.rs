//! Opening: what is there, what of it counts, and where to go on.
//!
//! Nothing is changed before everything has been checked, but for the fence and unfinished files. Then, in this order, so
//! that a crash at any point leaves a journal that opens the same way:
//!
//! 1. What lies below the snapshot's `keep` goes.
//! 2. The new segment is installed whole, with the last batch written anew: it supersedes the end of the one before. If there is no
//!    room, that which was preallocated behind the last batch goes first: a nearly full disk still opens.
//! 3. What it supersedes goes.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, RwLock};

use bytes::Bytes;

use super::blocks::Blocks;
use super::cold::Cold;
use super::fence::{Fence, Mark};
use super::place::Place;
use super::pool::{Birth, Pool};
use super::scan::{Scan, Step, find_batch_behind};
use super::segment::{self, Segment};
use super::{Files, snapshot};
use crate::backends::Recovered;
use crate::error::OpenError;
use crate::format::SEGMENT_HEADER;
use crate::{Cut, Durability, OVERHEAD, Options, Report, Snapshot};

/// The shortest segment file: a page of header, and room for some batches.
const MIN_SEGMENT_BYTES: u64 = 2 * SEGMENT_HEADER;

pub(super) fn open(place: Place, options: &Options) -> Result<Recovered, OpenError> {
    let mut fence = Fence::raise(&place)?;
    let names = list(&place)?;
    let mut segments = open_segments(&place, &names)?;
    if let Some(newest) = segments.iter().map(|segment| segment.epoch).max()
        && newest >= fence.epoch()
    {
        // The epoch file was lost; the segments know better.
        fence.raise_above(&place, newest)?;
    }
    check_last(&place, &segments, fence.noted())?;
    let mut doomed = take_superseded(&mut segments);
    let mut report = Report::default();
    let snapshot = choose_snapshot(&place, &names, &segments, &mut report)?;
    let (from, keep) = snapshot
        .as_ref()
        .map_or((0, 0), |snapshot| (snapshot.position, snapshot.keep.min(snapshot.position)));
    let below = segments.windows(2).take_while(|pair| pair[1].base <= keep).count();
    doomed.extend(segments.drain(..below));
    check_chain(&place, &segments, keep, snapshot.is_some())?;

    let tail = find_end(&place, &segments, from, &mut report)?;
    if tail.end < from {
        return Err(ends_early(&place, &segments, tail.end, from));
    }
    if options.durability == Durability::Fsync {
        // An earlier opening may have promised less than this one does.
        for segment in segments.iter().filter(|segment| segment.is_unsynced) {
            segment.file.sync_data().map_err(place.failed("syncing", &segment.name))?;
        }
    }

    let segment_bytes = options.segment_bytes.max(MIN_SEGMENT_BYTES);
    let pool = Pool::open(place.clone(), segment_bytes, options.spares, &names)?;
    pool.retire(doomed)?;
    let superseded = match begin(&pool, fence.epoch(), options, &mut segments, &tail) {
        Err(OpenError::DiskFull { .. }) => {
            // Room behind the last batch, which nobody needs any more. That batch may be in doubt: it has to be durable before the file
            // is shorter than it was, for whatever is missing then is damage.
            if let Some(last) = segments.get(tail.segment) {
                last.file.sync_data().map_err(place.failed("syncing", &last.name))?;
                let _ = last.file.truncate(last.offset(tail.end));
            }
            begin(&pool, fence.epoch(), options, &mut segments, &tail)?
        }
        begun => begun?,
    };
    if let Some(last) = segments.last() {
        fence.note(&place, last.base)?;
    }
    pool.retire(superseded)?;
    pool.prepare();
    let epoch = fence.epoch();
    let files = Files {
        place,
        durability: options.durability,
        fence,
        pool,
        blocks: Blocks::new(options.read_ahead_bytes),
        cold: Cold::new(epoch, options.read_ahead_bytes),
        segments: RwLock::new(segments),
        durable: AtomicU64::new(tail.end),
        appending: Mutex::new(()),
        saving: Mutex::new(()),
    };
    Ok(Recovered { backend: Arc::new(files), end: tail.end, snapshot, report })
}

/// The files of the directory. What was never finished is removed.
fn list(place: &Place) -> Result<Vec<String>, OpenError> {
    let names = place.disk.list().map_err(place.failed("listing", "."))?;
    let (unfinished, names): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| name.ends_with(".new"));
    for name in &unfinished {
        place.disk.remove(name).map_err(place.failed("removing", name))?;
    }
    // An earlier opening may have failed between naming a file and making the name durable. Nothing may be dropped on
    // the word of a file that could be gone after a power cut.
    place.disk.sync_dir().map_err(place.failed("syncing", "."))?;
    Ok(names)
}

fn open_segments(place: &Place, names: &[String]) -> Result<Vec<Arc<Segment>>, OpenError> {
    let mut segments = Vec::new();
    for name in names {
        if let Some(base) = segment::base_of(name) {
            segments.push(Arc::new(Segment::open(place, name, base)?));
        }
    }
    segments.sort_unstable_by_key(|segment| segment.base);
    Ok(segments)
}

/// Takes out segments that a later opening went back behind: it cut the end of the journal there.
pub(super) fn take_superseded(segments: &mut Vec<Arc<Segment>>) -> Vec<Arc<Segment>> {
    let mut newest = 0;
    let (kept, superseded) = segments.drain(..).partition(|segment| {
        newest = newest.max(segment.epoch);
        segment.epoch == newest
    });
    *segments = kept;
    superseded
}

/// Sees that the segment noted as the last one is there, or one of a later opening.
pub(super) fn check_last(
    place: &Place,
    segments: &[Arc<Segment>],
    noted: Option<Mark>,
) -> Result<(), OpenError> {
    let Some(noted) = noted else { return Ok(()) };
    let is_it = |segment: &Arc<Segment>| {
        segment.epoch > noted.epoch || (segment.epoch == noted.epoch && segment.base >= noted.base)
    };
    if segments.iter().any(is_it) {
        return Ok(());
    }
    let reason = String::from("it was noted as the newest");
    Err(OpenError::Missing { file: place.path(&segment::name_of(noted.base)), reason })
}

/// The newest snapshot that reads. A damaged one only passes if the segments make up for it.
pub(super) fn choose_snapshot(
    place: &Place,
    names: &[String],
    segments: &[Arc<Segment>],
    report: &mut Report,
) -> Result<Option<Snapshot>, OpenError> {
    let (snapshot, damage) = snapshot::newest(place, names)?;
    if let Some(damage) = damage {
        let keep = snapshot.as_ref().map_or(0, |snapshot| snapshot.keep.min(snapshot.position));
        if segments.first().is_none_or(|first| first.base > keep) {
            return Err(damage);
        }
        report
            .notes
            .push(format!("{damage}; the journal still holds what it summed up, and was read instead"));
    }
    Ok(snapshot)
}

/// Sees that no file is missing.
fn check_chain(
    place: &Place,
    segments: &[Arc<Segment>],
    keep: u64,
    has_snapshot: bool,
) -> Result<(), OpenError> {
    let missing =
        |base, reason: String| Err(OpenError::Missing { file: place.path(&segment::name_of(base)), reason });
    let Some(first) = segments.first() else {
        return if has_snapshot {
            missing(keep, String::from("a snapshot is there, but no segment at all"))
        } else {
            Ok(())
        };
    };
    if first.base > keep {
        return missing(first.previous, format!("{} follows it", first.name));
    }
    for pair in segments.windows(2) {
        if pair[1].previous != pair[0].base {
            return missing(pair[1].previous, format!("{} follows it", pair[1].name));
        }
    }
    Ok(())
}

/// The end of the journal.
#[derive(Debug, Default)]
struct Tail {
    /// The end of the last batch.
    end: u64,
    /// Index of the segment in which that lies.
    segment: usize,
    /// The last batch, if it is in the last segment, and thus in doubt.
    last: Option<(u64, Bytes)>,
}

/// Checks all batches from the segment of `from` on.
fn find_end(
    place: &Place,
    segments: &[Arc<Segment>],
    from: u64,
    report: &mut Report,
) -> Result<Tail, OpenError> {
    let mut tail = Tail::default();
    let first = segments.partition_point(|segment| segment.base <= from).saturating_sub(1);
    for (index, segment) in segments.iter().enumerate() {
        let limit = segments.get(index + 1).map(|next| next.base);
        if index < first {
            segment.grow_to(limit.unwrap_or(segment.base));
            continue;
        }
        let mut scan = Scan::new(Arc::clone(segment), segment.base, limit);
        tail = Tail { end: segment.base, segment: index, last: None };
        loop {
            let step = scan.step().map_err(place.failed("reading", &segment.name))?;
            tail.end = scan.position();
            segment.grow_to(tail.end);
            match step {
                Step::Batch { start, payload } => tail.last = Some((start, payload)),
                Step::End if !segment.lacks(tail.end, segments.get(index + 1)) => break,
                Step::End => {
                    let reason = "batches that were durable are missing here";
                    return Err(segment.damaged(place, tail.end, reason).into());
                }
                Step::Broken { reason, bytes } => {
                    check_torn(place, &segments[index..], tail.end, reason)?;
                    let offset = segment.offset(tail.end);
                    report.cut = Some(Cut { file: place.path(&segment.name), offset, bytes });
                    return Ok(tail);
                }
            }
        }
        if limit.is_none() {
            check_nothing_behind(place, segment, tail.end, "batches are missing here")?;
        }
    }
    Ok(tail)
}

/// Sees that a break is the torn end of the journal: the first of these segments is broken at `position`.
pub(super) fn check_torn(
    place: &Place,
    segments: &[Arc<Segment>],
    position: u64,
    reason: &'static str,
) -> Result<(), OpenError> {
    if segments.iter().all(|segment| segment.is_unsynced) {
        // Nobody waited for these bytes, and a power cut takes them in any order.
        return Ok(());
    }
    let segment = &segments[0];
    if segments.len() > 1 || position < segment.settled {
        return Err(segment.damaged(place, position, reason).into());
    }
    if segment.is_cut {
        return Err(segment.damaged(place, position, "the file is shorter than it was").into());
    }
    check_nothing_behind(place, segment, position, reason)
}

pub(super) fn check_nothing_behind(
    place: &Place,
    segment: &Arc<Segment>,
    position: u64,
    reason: &'static str,
) -> Result<(), OpenError> {
    if segment.is_unsynced {
        return Ok(());
    }
    match find_batch_behind(segment, position).map_err(place.failed("reading", &segment.name))? {
        Some(offset) => {
            let reason = format!("{reason}, and whole batches follow at offset {offset}");
            Err(segment.damaged(place, position, reason).into())
        }
        None => Ok(()),
    }
}

pub(super) fn ends_early(place: &Place, segments: &[Arc<Segment>], end: u64, from: u64) -> OpenError {
    let reason = format!("the journal ends at position {end}, and a snapshot was taken at {from}");
    match segments.last() {
        Some(last) => last.damaged(place, end.max(last.base), reason).into(),
        None => OpenError::Missing { file: place.path(&segment::name_of(end)), reason },
    }
}

/// Installs the segment in which this opening appends, and takes out what it supersedes.
fn begin(
    pool: &Pool,
    epoch: u64,
    options: &Options,
    segments: &mut Vec<Arc<Segment>>,
    tail: &Tail,
) -> Result<Vec<Arc<Segment>>, OpenError> {
    let base = tail.last.as_ref().map_or(tail.end, |(start, _)| start - OVERHEAD);
    let at = segments.partition_point(|segment| segment.base < base);
    let previous = match segments.get(at) {
        // A segment without a batch of its own, replaced under its name.
        Some(replaced) if replaced.base == base && replaced.previous < base => replaced.previous,
        _ => at.checked_sub(1).map_or(base, |before| segments[before].base),
    };
    let next = pool.install(&Birth {
        base,
        previous,
        epoch,
        durability: options.durability,
        first: tail.last.as_ref().map(|(_, payload)| payload),
        settled: tail.end,
        room: tail.end - base,
    })?;
    let mut superseded = segments.split_off(at);
    superseded.retain(|segment| segment.base != base);
    if let Some(before) = segments.last() {
        before.grow_to(base);
        // Only tidy: nobody reads there any more.
        let _ = before.file.truncate(before.offset(base));
    }
    segments.push(Arc::new(next));
    Ok(superseded)
}
