//! Power cuts and disk errors at every operation.

use std::sync::Arc;

use bytes::Bytes;

use super::disk::{Faulty, Random};
use super::tiny;
use crate::{Error, Opened, Options, Snapshot, open};

/// What must be found: an obviously right journal.
#[derive(Debug, Default)]
struct Model {
    durable: Vec<(u64, Bytes)>,
    /// Appended, but the answer never came.
    doubtful: Option<(u64, Bytes)>,
    snapshots: Vec<Snapshot>,
    doubtful_snapshot: Option<Snapshot>,
    epoch: u64,
}

impl Model {
    fn end(&self) -> u64 {
        self.durable.last().map_or(0, |(start, bytes)| start + bytes.len() as u64)
    }

    /// Compares with what was found, and goes on from there.
    fn check(&mut self, opened: &mut Opened, context: &str) {
        assert!(opened.writer.epoch() > self.epoch, "{context}: epochs only grow");
        self.epoch = opened.writer.epoch();
        if opened.snapshot.is_some() && opened.snapshot == self.doubtful_snapshot {
            self.snapshots.extend(self.doubtful_snapshot.take());
        }
        assert_eq!(opened.snapshot, self.snapshots.last().cloned(), "{context}: the newest snapshot");
        self.doubtful_snapshot = None;
        if opened.writer.durable() > self.end() {
            self.durable.extend(self.doubtful.take());
        }
        self.doubtful = None;
        assert_eq!(opened.writer.durable(), self.end(), "{context}: the end");
        let from = opened.snapshot.as_ref().map_or(0, |snapshot| snapshot.position);
        let found: Vec<_> = opened.replay.by_ref().map(|batch| batch.expect("replay")).collect();
        let expected: Vec<_> = self.durable.iter().filter(|(start, _)| *start > from).cloned().collect();
        assert_eq!(found, expected, "{context}: the batches");
        let keep = opened.snapshot.as_ref().map_or(0, |snapshot| snapshot.keep);
        for (start, bytes) in self.durable.iter().filter(|(start, _)| *start >= keep) {
            let read = opened.reader.read(*start, bytes.len()).expect("what lies above keep");
            assert_eq!(read, *bytes, "{context}: the batch at {start}");
        }
    }

    /// Appends, snapshots and openings, until the disk is down or the steps are done.
    fn work(&mut self, disk: &Faulty, options: &Options, random: &mut Random, steps: u64, context: &str) {
        let mut opened: Option<Opened> = None;
        for _ in 0..steps {
            let Some(journal) = &mut opened else {
                match open(Arc::new(disk.clone()), options) {
                    Ok(_) if disk.is_down() => return,
                    Ok(mut journal) => {
                        self.check(&mut journal, context);
                        opened = Some(journal);
                    }
                    Err(error) => assert!(is_of_disk(&error.to_string()), "{context}: {error}"),
                }
                if disk.is_down() {
                    return;
                }
                continue;
            };
            let failure = match random.below(10) {
                0 => {
                    opened = None;
                    None
                }
                1 | 2 => self.save(journal, random).err(),
                3 => journal.snapshots.prepare().err(),
                _ => self.append(journal, random).err(),
            };
            if let Some(error) = failure {
                assert!(matches!(error, Error::Io { .. }), "{context}: {error}");
                opened = None;
            }
            if disk.is_down() {
                return;
            }
        }
    }

    fn append(&mut self, journal: &mut Opened, random: &mut Random) -> Result<(), Error> {
        let longest = if random.below(10) == 0 { 12_000 } else { 1500 };
        let length = 1 + random.below(longest);
        let fill = random.next() as u8;
        let bytes: Bytes = (0..length).map(|index| fill.wrapping_add(index as u8)).collect();
        let start = journal.writer.next_start();
        self.doubtful = Some((start, bytes.clone()));
        journal.writer.append(start, &bytes)?;
        self.durable.extend(self.doubtful.take());
        Ok(())
    }

    fn save(&mut self, journal: &Opened, random: &mut Random) -> Result<(), Error> {
        let position = journal.writer.durable();
        let oldest = self.snapshots.last().map_or(0, |snapshot| snapshot.keep);
        let mut keeps = self.durable.iter().map(|(start, _)| *start).filter(|start| *start >= oldest);
        let keep = keeps.nth(random.below(8) as usize).unwrap_or(position).max(oldest);
        let bytes = Bytes::from(vec![random.next() as u8; random.below(2000) as usize]);
        let snapshot = Snapshot { position, keep, bytes };
        self.doubtful_snapshot = Some(snapshot.clone());
        journal.snapshots.save(&snapshot)?;
        self.snapshots.extend(self.doubtful_snapshot.take());
        Ok(())
    }
}

fn is_of_disk(message: &str) -> bool {
    message.contains("a bad sector") || message.contains("no power")
}

/// Operations of a run in which nothing goes wrong.
fn operations(seed: u64, steps: u64) -> u64 {
    let disk = Faulty::new(seed);
    Model::default().work(&disk, &tiny(), &mut Random(seed), steps, "undisturbed");
    disk.operations()
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_durable() {
    for seed in 0..3 {
        for cut in 0..operations(seed, 60) {
            let disk = Faulty::new(seed * 1000 + cut);
            let mut random = Random(seed);
            let mut model = Model::default();
            disk.crash_at(cut);
            // And a second cut, soon after: most often while it recovers from the first.
            for second in [Some(1 + cut % 17), Some(cut % 5), None] {
                model.work(&disk, &tiny(), &mut random, 60, &format!("seed {seed}, cut at {cut}"));
                assert!(disk.is_down() || second.is_none() || disk.operations() < cut, "the cut came");
                disk.reboot();
                super::inspect::agrees(&disk, &tiny(), &format!("seed {seed}, cut at {cut}"));
                if let Some(second) = second {
                    disk.crash_at(disk.operations() + second);
                }
            }
            let context = format!("seed {seed}, cut at {cut}, in the end");
            model.work(&disk, &tiny(), &mut random, 10, &context);
        }
    }
}

#[test]
fn a_failed_operation_and_a_later_power_cut_lose_nothing_durable() {
    for seed in 0..3 {
        for failed in 0..operations(seed, 60) {
            let disk = Faulty::new(seed * 1000 + failed);
            let mut random = Random(seed);
            let mut model = Model::default();
            disk.fail_at(failed);
            disk.crash_at(failed + 1 + failed * 7 % 23);
            model.work(&disk, &tiny(), &mut random, 80, &format!("seed {seed}, failure at {failed}"));
            disk.reboot();
            let context = format!("seed {seed}, failure at {failed}, in the end");
            super::inspect::agrees(&disk, &tiny(), &context);
            model.work(&disk, &tiny(), &mut random, 10, &context);
        }
    }
}

#[test]
fn nothing_is_dropped_on_the_word_of_a_snapshot_whose_name_is_not_durable() {
    let prepared = || {
        let disk = Faulty::default();
        let mut opened = open(Arc::new(disk.clone()), &tiny()).expect("open");
        for fill in 0..30 {
            super::append(&mut opened, &Bytes::from(vec![fill; 900]));
        }
        (disk, opened)
    };
    for failed in 0..8 {
        for cut in 0..12 {
            for seed in 0..6 {
                let (disk, opened) = prepared();
                disk.seed(seed);
                disk.fail_at(disk.operations() + failed);
                let position = opened.writer.durable();
                let snapshot = Snapshot { position, keep: position, bytes: Bytes::from_static(b"state") };
                // Whether this failure shows does not matter here.
                let _ = opened.snapshots.save(&snapshot);
                disk.crash_at(disk.operations() + cut);
                let _ = open(Arc::new(disk.clone()), &tiny());
                disk.reboot();
                super::inspect::agrees(&disk, &tiny(), &format!("failure {failed}, cut {cut}, {seed}"));
                let opened = open(Arc::new(disk), &tiny());
                let opened =
                    opened.unwrap_or_else(|error| panic!("failure {failed}, cut {cut}, {seed}: {error}"));
                let batches = if opened.snapshot.is_some() { 0 } else { 30 };
                assert_eq!(opened.replay.count(), batches, "failure {failed}, cut {cut}, {seed}");
            }
        }
    }
}
