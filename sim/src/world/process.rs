//! The running process: gone at every crash.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use kew_engine::cold::Thaw;
use kew_engine::shard::{Shard, Stamp, Token};
use kew_engine::time::Moment;
use kew_journal::{OVERHEAD, Snapshots, Writer};
use kew_store::{Home, Opened, Source};

use super::{Pending, checksum};
use crate::auditor::Auditor;
use crate::disk::SimDisk;
use crate::model::{Model, Violation, ensure};
use crate::plan::Plan;
use crate::shelf::Shelf;

/// A shard at home, and its judge.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) shard: Shard,
    /// Gone once it is closed.
    pub(super) writer: Option<Writer>,
    pub(super) source: Source,
    pub(super) snapshots: Snapshots,
    /// The lowest position that the journal held when it was opened.
    pub(super) keep: u64,
    pub(super) auditor: Auditor,
    pub(super) pending: Option<Pending>,
    /// Pieces of cold files to be read, and when the disk has them.
    pub(super) thaws: VecDeque<(Moment, Thaw)>,
    /// Batches that are durable, of those made by this process.
    pub(super) durable: u64,
    /// Requests whose callers have gone.
    pub(super) gone: BTreeSet<Token>,
}

/// The checksums of what was appended, by start.
pub(super) type Appended = BTreeMap<u64, u64>;

impl Process {
    /// Rebuilds the state, twice: as the server does for the shard under test, and as retirements do for its twin. `find` says
    /// what must be true at the end that the journal came back with. The inner error is the disk's.
    pub(super) fn start(
        disk: &SimDisk,
        plan: &Plan,
        find: &mut dyn FnMut(u64) -> Result<Model, Violation>,
        shelf: Shelf,
        appended: Option<&Appended>,
        stamp: Stamp,
    ) -> Result<Result<Self, String>, Violation> {
        let home = Home::new(Arc::new(disk.clone()), plan.options.clone(), plan.config(OVERHEAD));
        let (writer, opened) = match home.open(stamp) {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let Opened { shard, source, snapshots, keep, .. } = opened;
        let (mut twin, end) = match replica(plan, &snapshots, appended)? {
            Ok(replica) => replica,
            Err(error) => return Ok(Err(error)),
        };
        // A batch of nothing, the mark of a graceful stop, is left out.
        let ends = end == writer.durable()
            || (writer.durable() > end && (writer.durable() - end).is_multiple_of(OVERHEAD));
        ensure!(ends, "the replay ends at {end}, the journal at {}", writer.durable());
        twin.catch_up();
        twin.resume(stamp, writer.next_start());
        let model = find(writer.durable())?;
        Ok(Ok(Self {
            auditor: Auditor::new(model, twin, shelf, plan.compares_counts),
            shard,
            writer: Some(writer),
            source,
            snapshots,
            keep,
            pending: None,
            thaws: VecDeque::new(),
            durable: 0,
            gone: BTreeSet::new(),
        }))
    }
}

/// The state that the newest snapshot and the journal behind it tell, and the end of the last batch. The inner error is the disk's.
pub(super) fn replica(
    plan: &Plan,
    snapshots: &Snapshots,
    appended: Option<&Appended>,
) -> Result<Result<(Shard, u64), String>, Violation> {
    let config = plan.config(OVERHEAD);
    let snapshot = match snapshots.load() {
        Ok(snapshot) => snapshot,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let (mut shard, mut end) = match snapshot {
        None => (Shard::new(config, 0), 0),
        Some(snapshot) => {
            let shard = Shard::restore(config, snapshot.position + OVERHEAD, snapshot.bytes);
            let shard =
                shard.map_err(|error| format!("the shard does not take its own snapshot: {error}"))?;
            (shard, snapshot.position)
        }
    };
    for batch in snapshots.replay(end) {
        let (start, bytes) = match batch {
            Ok(batch) => batch,
            Err(error) => return Ok(Err(error.to_string())),
        };
        // Batches of nothing, the marks of graceful stops, are left out.
        let is_next = start > end && (start - end).is_multiple_of(OVERHEAD);
        ensure!(is_next, "a batch at {start} is replayed after the end {end}");
        end = start + bytes.len() as u64;
        let written = appended.is_none_or(|appended| appended.get(&start) == Some(&checksum(&bytes)));
        ensure!(written, "the batch at {start} is not what was appended there");
        let replayed = shard.replay(start, bytes);
        replayed.map_err(|error| format!("the shard does not take its own batch at {start}: {error}"))?;
    }
    Ok(Ok((shard, end)))
}
