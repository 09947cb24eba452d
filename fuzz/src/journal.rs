//! The files of a shard: segments, snapshot, epoch, cold files.

use std::sync::Arc;

use bytes::Bytes;
use kew_engine::shard::{Config, Stamp};
use kew_engine::time::Moment;
use kew_journal::{OVERHEAD, Options, Snapshot, disk::Disk, inspect};
use kew_store::Home;

use crate::disk::Memory;
use crate::shard;

fn options() -> Options {
    Options {
        segment_bytes: 8 * 1024,
        spares: 1,
        recent_bytes: 4096,
        read_ahead_bytes: 4096,
        ..Options::default()
    }
}

/// A directory: looked at as the doctor does, opened, and what opened opens again.
pub fn run(input: &[u8]) {
    let disk: Arc<dyn Disk> = Arc::new(Memory::from_image(input));
    let _ = inspect(Arc::clone(&disk), &|_| {});
    for round in 0..2 {
        let home = Home::new(Arc::clone(&disk), options(), Config::new(OVERHEAD));
        match home.open(Stamp { now: Moment(1_000_000), seed: 1 }) {
            Ok((writer, opened)) => {
                for name in disk.list().unwrap_or_default() {
                    if let Some(number) = name.strip_prefix("cold-").and_then(|digits| digits.parse().ok()) {
                        let _ = opened.source.cold.read(number, 0, 64);
                    }
                }
                drop(opened);
                let _ = writer.close();
            }
            // What did not open must have said so the first time.
            Err(error) => {
                assert_eq!(round, 0, "{error}");
                return;
            }
        }
    }
}

/// A shard that lived a little, with a snapshot and without.
pub fn seeds() -> Vec<Vec<u8>> {
    [false, true].map(lived).to_vec()
}

fn lived(has_snapshot: bool) -> Vec<u8> {
    let disk = Arc::new(Memory::default());
    let open =
        || kew_journal::open(Arc::clone(&disk) as Arc<dyn Disk>, &options()).expect("a sound directory");
    let mut opened = open();
    let life = shard::life(opened.writer.next_start());
    for (start, batch) in &life.batches {
        opened.writer.append(*start, batch).expect("room");
    }
    if has_snapshot {
        let position = opened.writer.durable();
        let snapshot = Snapshot { position, keep: position, bytes: Bytes::from(life.snapshot) };
        opened.snapshots.save(&snapshot).expect("room");
    }
    opened.writer.close().expect("the end");
    disk.image()
}
