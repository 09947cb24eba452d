//! What the durability levels promise, and how one follows the other.

use std::sync::Arc;

use bytes::Bytes;

use super::disk::Faulty;
use super::{append, replayed, tiny};
use crate::{Durability, Error, OpenError, Options, Snapshot, open};

fn unsynced() -> Options {
    Options { durability: Durability::Os, ..tiny() }
}

fn batch(fill: u8) -> Bytes {
    Bytes::from(vec![fill; 700])
}

#[test]
fn without_syncs_a_power_cut_takes_an_end_and_what_is_left_opens() {
    let mut ends = Vec::new();
    for seed in 0..200 {
        let disk = Faulty::new(seed);
        let mut opened = open(Arc::new(disk.clone()), &unsynced()).expect("open");
        let mut position = 0;
        for fill in 0..40 {
            append(&mut opened, &batch(fill));
            if fill == 9 {
                position = opened.writer.durable();
                let snapshot = Snapshot { position, keep: 0, bytes: batch(99) };
                opened.snapshots.save(&snapshot).expect("save");
            }
        }
        disk.reboot();
        super::inspect::agrees(&disk, &unsynced(), &format!("seed {seed}"));
        for options in [unsynced(), tiny(), unsynced()] {
            let opened =
                open(Arc::new(disk.clone()), &options).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_eq!(opened.snapshot.as_ref().map(|snapshot| snapshot.position), Some(position));
            for fill in 0..10 {
                let start = 32 + u64::from(fill) * 732;
                assert_eq!(opened.reader.read(start, 700).expect("below the snapshot"), batch(fill));
            }
            let found: Vec<_> = replayed(opened).into_iter().map(|(_, bytes)| bytes).collect();
            let expected: Vec<_> = (10..).take(found.len()).map(batch).collect();
            assert_eq!(found, expected, "seed {seed}");
            ends.push(found.len());
        }
    }
    // A segment's first batch is durable with its name.
    assert!(
        ends.iter().any(|end| *end <= 2) && ends.iter().any(|end| *end > 5),
        "cuts early and late: {ends:?}"
    );
}

#[test]
fn opening_with_syncs_makes_what_was_not_synced_durable() {
    for seed in 0..50 {
        let disk = Faulty::new(seed);
        let mut opened = open(Arc::new(disk.clone()), &unsynced()).expect("open");
        (0..30).for_each(|fill| {
            append(&mut opened, &batch(fill));
        });
        drop(opened);
        let opened = open(Arc::new(disk.clone()), &tiny()).expect("open with syncs");
        assert_eq!(replayed(opened).len(), 30);
        disk.reboot();
        assert_eq!(replayed(open(Arc::new(disk), &tiny()).expect("open")).len(), 30, "seed {seed}");
    }
}

#[test]
fn damage_is_noticed_once_what_follows_was_synced() {
    let disk = Faulty::default();
    let mut opened = open(Arc::new(disk.clone()), &unsynced()).expect("open");
    (0..30).for_each(|fill| {
        append(&mut opened, &batch(fill));
    });
    open(Arc::new(disk.clone()), &tiny()).expect("open with syncs");
    let name = "segment-0000000000000000";
    let mut content = disk.content(name);
    content[5000] ^= 1;
    disk.put(name, content);
    assert!(matches!(open(Arc::new(disk), &tiny()), Err(OpenError::Corrupt { .. })));
}

#[test]
fn a_writer_takes_nothing_more_after_a_failed_sync() {
    let disk = Faulty::default();
    let mut opened = open(Arc::new(disk.clone()), &tiny()).expect("open");
    append(&mut opened, &batch(1));
    // A write, then the sync that fails.
    disk.fail_at(disk.operations() + 1);
    let start = opened.writer.next_start();
    let failed = opened.writer.append(start, &batch(2));
    assert!(matches!(failed, Err(Error::Io { action: "syncing", .. })), "{failed:?}");
    let before = disk.operations();
    assert!(matches!(opened.writer.append(start, &batch(2)), Err(Error::Poisoned)));
    assert!(matches!(opened.writer.close(), Err(Error::Poisoned)));
    assert_eq!(disk.operations(), before, "and asks the disk for nothing");
}

#[test]
fn a_cold_file_is_never_gone_while_what_was_said_since_may_be_forgotten() {
    for seed in 0..100 {
        let disk = Faulty::new(seed);
        let mut opened = open(Arc::new(disk.clone()), &unsynced()).expect("open");
        opened.cold.write(7, &[batch(1)]).expect("write");
        // Somebody says that nothing needs the file any more, and removes it.
        (0..5).for_each(|fill| {
            append(&mut opened, &batch(fill));
        });
        opened.cold.remove(7).expect("remove");
        disk.reboot();
        let opened = open(Arc::new(disk), &unsynced()).expect("open");
        let is_gone = opened.cold.files().expect("list").is_empty();
        let found = replayed(opened).len();
        assert!(!is_gone || found == 5, "seed {seed}: the file is gone, and {found} batches are left");
    }
}

#[test]
fn room_that_was_never_written_to_is_written_ahead_once_for_many_batches() {
    let disk = Faulty::default();
    let mut opened = open(Arc::new(disk.clone()), &tiny()).expect("open");
    let batch = Bytes::from_static(b"a batch");
    let mut operations = || {
        let before = disk.operations();
        append(&mut opened, &batch);
        disk.operations() - before
    };
    assert_eq!(operations(), 3, "the batch, zeros behind it, one sync for both");
    assert_eq!([operations(), operations(), operations()], [2; 3], "the batch and its sync");
}
