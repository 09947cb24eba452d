//! One of the shards, its disk, and what is under way between them.

use std::sync::Arc;

use kew_engine::cold::Thaw;
use kew_engine::shard::{Batch, Config, Shard, Stamp};
use kew_engine::time::Moment;
use kew_journal::{Durability, Error, OVERHEAD, Options, Snapshots, Writer};
use kew_store::{Home, Opened, Retirement, Source};

use crate::disk::{Faults, SimDisk, Treachery};
use crate::model::{Violation, ensure};
use crate::random::Random;

/// How often a shard's journal may fail to open, all faults being ours.
const OPENINGS: usize = 5;

/// A shard among several.
#[derive(Debug)]
pub(super) struct Side {
    disk: SimDisk,
    options: Options,
    config: Config,
    pub(super) shard: Shard,
    writer: Option<Writer>,
    pub(super) source: Source,
    snapshots: Snapshots,
    /// The batch that is being written, and when it is.
    pending: Option<(Batch, Moment)>,
    /// Pieces of cold files to be read.
    thaws: Vec<(Moment, Thaw)>,
    /// A fault has struck since the shard was opened.
    failed: bool,
}

impl Side {
    /// A new shard on an empty disk.
    pub(super) fn found(
        number: usize,
        seed: u64,
        random: &mut Random,
        stamp: Stamp,
        secret: u128,
    ) -> Result<Self, Violation> {
        let disk = SimDisk::new(seed ^ (number as u64) << 32, 256 << 20, true, Treachery::default());
        let options = Options {
            durability: Durability::Fsync,
            segment_bytes: *random.pick(&[8192, 65_536, 1 << 20]),
            spares: 1,
            recent_bytes: *random.pick(&[0, 4096, 1 << 20]),
            read_ahead_bytes: 4096,
        };
        let window = *random.pick(&[1, 3, 8, 10_000]);
        let config = Config {
            shard: number as u32,
            window,
            fifo_window: window.max(2),
            frame_messages: *random.pick(&[1, 3, 20]),
            frame_bytes: 3000,
            ..Config::new(OVERHEAD)
        };
        let (writer, opened) = open(&disk, &options, &config, stamp)?;
        let Opened { mut shard, source, snapshots, .. } = opened;
        shard.found(stamp, secret);
        let (pending, thaws) = (None, Vec::new());
        Ok(Self {
            disk,
            options,
            config,
            shard,
            writer: Some(writer),
            source,
            snapshots,
            pending,
            thaws,
            failed: false,
        })
    }

    /// Drops the state and reads it back.
    pub(super) fn open(&mut self, stamp: Stamp) -> Result<(), Violation> {
        self.writer = None;
        self.pending = None;
        self.thaws.clear();
        let (writer, opened) = open(&self.disk, &self.options, &self.config, stamp)?;
        let Opened { shard, source, snapshots, .. } = opened;
        (self.shard, self.source, self.snapshots, self.writer) = (shard, source, snapshots, Some(writer));
        self.failed = false;
        Ok(())
    }

    /// Takes up what the shard wants written and read.
    pub(super) fn take_batch(&mut self, due: Moment) {
        if self.pending.is_none() {
            self.pending = self.shard.poll_append().map(|batch| (batch, due));
        }
        while let Some(thaw) = self.shard.poll_thaw() {
            self.thaws.push((due, thaw));
        }
    }

    /// Removes cold files in which nothing is left. Whatever the shard has answered must have been read before.
    pub(super) fn drop_files(&mut self) {
        while let Some(file) = self.shard.poll_drop() {
            // A file that stays is no harm here.
            let _ = self.source.cold.remove(file);
        }
    }

    /// When there is something to do.
    pub(super) fn due(&self) -> Option<Moment> {
        let pending = self.pending.as_ref().map(|(_, due)| *due);
        let thaw = self.thaws.iter().map(|(due, _)| *due).min();
        [pending, thaw, self.shard.next_deadline()].into_iter().flatten().min()
    }

    /// Does the next thing that is due.
    pub(super) fn work(&mut self, stamp: Stamp) -> Result<(), Error> {
        if let Some((batch, _)) = self.pending.take_if(|(_, due)| *due <= stamp.now) {
            let Some(writer) = &mut self.writer else { return Ok(()) };
            let end = writer.append(batch.start, &batch.bytes)?;
            self.shard.handle_durable(end);
        } else if let Some(at) = self.thaws.iter().position(|(due, _)| *due <= stamp.now) {
            let (_, thaw) = self.thaws.remove(at);
            let bytes = self.source.thaw(&thaw)?;
            self.shard.thawed(stamp, &thaw, bytes).map_err(|_| Error::Poisoned)?;
        } else {
            self.shard.tick(stamp);
        }
        Ok(())
    }

    pub(super) fn begin_retirement(&self) -> Result<Retirement, Error> {
        let cut = self.writer.as_ref().map_or(0, Writer::durable);
        let work = Retirement::begin(self.config.clone(), self.source.clone(), self.snapshots.clone(), cut)?;
        Ok(work.in_steps_of(2000))
    }

    /// Whether something is on its way to or from the disk.
    pub(super) fn is_busy(&self) -> bool {
        self.pending.is_some() || !self.thaws.is_empty() || self.shard.open_bytes() > 0
    }

    /// Whether the disk has failed since the shard was opened.
    pub(super) fn has_failed(&mut self) -> bool {
        self.failed |= !self.disk.take_log().is_empty();
        self.failed
    }

    /// The next write, or sync, fails.
    pub(super) fn fail_next(&mut self, sync: bool) {
        let faults = if sync {
            Faults { sync: Some(0), ..Faults::default() }
        } else {
            Faults { write: Some(0), ..Faults::default() }
        };
        self.disk.set_faults(faults);
    }

    /// The process is gone, and with the power what was not synced.
    pub(super) fn lose_process(&mut self, power: bool) {
        self.disk = if power { self.disk.power_cycle() } else { self.disk.restart() };
    }

    /// Nothing fails any more. Says whether something has.
    pub(super) fn end_faults(&mut self) -> bool {
        self.disk.set_faults(Faults::default());
        self.has_failed()
    }
}

fn open(
    disk: &SimDisk,
    options: &Options,
    config: &Config,
    stamp: Stamp,
) -> Result<(Writer, Opened), Violation> {
    for _ in 0..OPENINGS {
        match Home::new(Arc::new(disk.clone()), options.clone(), config.clone()).open(stamp) {
            Ok(opened) => return Ok(opened),
            Err(error) => {
                let struck = !disk.take_log().is_empty();
                ensure!(struck, "a shard does not open: {error}");
                disk.set_faults(Faults::default());
            }
        }
    }
    Err("a shard does not open, and no fault is left".to_owned())
}
