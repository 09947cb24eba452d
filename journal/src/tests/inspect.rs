//! Looking at a journal tells what opening it would, calls nothing damaged that a power cut alone can leave, and writes nothing.

use std::sync::Arc;

use bytes::Bytes;

use super::disk::Faulty;
use super::tiny;
use crate::disk::Disk;
use crate::{FileKind, Options, Snapshot, found, inspect, open};

fn contents(disk: &Faulty) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> =
        disk.names().into_iter().map(|name| (name.clone(), disk.content(&name))).collect();
    files.sort();
    files
}

/// Sees that looking agrees with opening, both on copies of the disk.
pub(super) fn agrees(disk: &Faulty, options: &Options, context: &str) {
    let (looked_at, opened) = (disk.fork(), disk.fork());
    let before = contents(&looked_at);
    let looked = inspect(Arc::new(looked_at.clone()), &|_| {}).expect("to look");
    assert_eq!(looked.damage, [], "{context}");
    assert!(looked.is_founded && !looked.is_cut_short, "{context}");
    let opened = open(Arc::new(opened), options).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(looked.snapshot, opened.snapshot, "{context}");
    assert_eq!(looked.end, opened.writer.durable(), "{context}");
    assert_eq!(looked.cut, opened.report.cut, "{context}");
    assert!(looked.epoch < opened.writer.epoch(), "{context}");
    let from = looked.snapshot.as_ref().map_or(0, |snapshot| snapshot.position);
    let seen: Vec<_> = looked.snapshots.replay(from).map(|batch| batch.expect("replay")).collect();
    let found: Vec<_> = opened.replay.map(|batch| batch.expect("replay")).collect();
    assert_eq!(seen, found, "{context}");
    assert_eq!(looked.behind().count(), 0, "{context}");
    assert!(contents(&looked_at) == before, "{context}: something was written");
}

#[test]
fn an_empty_disk_is_a_sound_journal() {
    agrees(&Faulty::default(), &tiny(), "empty");
}

/// A journal of some segments, some of it empty batches, with a snapshot in the middle and a cold file.
fn written() -> (Faulty, Vec<(u64, Bytes)>, Snapshot) {
    let disk = Faulty::default();
    let mut batches = Vec::new();
    let mut snapshot = None;
    let mut opened = open(Arc::new(disk.clone()), &tiny()).expect("open");
    for fill in 0..40 {
        let bytes = if fill % 7 == 3 { Bytes::new() } else { Bytes::from(vec![fill; 500]) };
        let start = super::append(&mut opened, &bytes);
        if !bytes.is_empty() {
            batches.push((start, bytes));
        }
        if fill == 25 {
            let position = opened.writer.durable();
            let kept = Snapshot { position, keep: position - 6000, bytes: Bytes::from_static(b"the state") };
            opened.snapshots.save(&kept).expect("save");
            snapshot = Some(kept);
        }
    }
    opened.cold.write(7, &[Bytes::from_static(b"one"), Bytes::from_static(b"two")]).expect("cold");
    (disk, batches, snapshot.expect("saved"))
}

#[test]
fn a_copy_opens_as_the_journal_does_at_the_same_positions() {
    let (disk, batches, snapshot) = written();
    let opened = open(Arc::new(disk.clone()), &tiny()).expect("open");
    let copy = Faulty::default();
    let bytes = opened.snapshots.copy(Arc::new(copy.clone())).expect("copy");
    assert!(bytes > 10_000, "{bytes}");
    agrees(&copy, &tiny(), "a copy");
    let copied = open(Arc::new(copy), &tiny()).expect("open the copy");
    assert_eq!(copied.snapshot, Some(snapshot.clone()));
    assert_eq!(copied.writer.durable(), opened.writer.durable());
    for (start, bytes) in batches.iter().filter(|(start, _)| *start >= snapshot.keep) {
        assert_eq!(copied.reader.read(*start, bytes.len()).expect("read"), *bytes);
    }
    let found: Vec<_> = copied.replay.map(|batch| batch.expect("replay")).collect();
    let behind: Vec<_> = batches.into_iter().filter(|(start, _)| *start > snapshot.position).collect();
    assert_eq!(found, behind);
}

#[test]
fn a_copy_is_opened_again_and_again_and_what_it_lost_since_is_noticed() {
    let (disk, _, _) = written();
    let opened = open(Arc::new(disk), &tiny()).expect("open");
    let copy = Faulty::default();
    opened.snapshots.copy(Arc::new(copy.clone())).expect("copy");
    // Each opening begins a segment with the last batch, which the copy's own segment holds as well and was sure of.
    let expected = super::replayed(open(Arc::new(copy.clone()), &tiny()).expect("open"));
    for round in 0..3 {
        agrees(&copy, &tiny(), "opened before");
        let mut again =
            open(Arc::new(copy.clone()), &tiny()).unwrap_or_else(|error| panic!("{round}: {error}"));
        super::append(&mut again, &Bytes::from_static(b"since"));
        assert_eq!(super::replayed(again)[..expected.len()], expected);
    }
    // Without the last ones, it is as if nobody had made up for what the first one lacks.
    for name in copy.names().into_iter().filter(|name| name.starts_with("segment-")).skip(1) {
        let disk = copy.fork();
        disk.remove(&name).expect("to remove");
        assert!(open(Arc::new(disk), &tiny()).is_err(), "without {name}");
    }
}

#[test]
fn a_copy_taken_while_batches_are_appended_ends_at_one_of_them() {
    let disk = Faulty::default();
    let mut opened = open(Arc::new(disk), &tiny()).expect("open");
    let snapshots = opened.snapshots.clone();
    let copies: Vec<Faulty> = std::thread::scope(|scope| {
        let copier = scope.spawn(move || {
            let copy = |_| {
                let copy = Faulty::default();
                snapshots.copy(Arc::new(copy.clone())).expect("copy");
                copy
            };
            (0..10).map(copy).collect()
        });
        for fill in 0..200 {
            super::append(&mut opened, &Bytes::from(vec![fill; 300]));
        }
        copier.join().expect("no panic")
    });
    for copy in copies {
        agrees(&copy, &tiny(), "a copy under load");
        let found = super::replayed(open(Arc::new(copy), &tiny()).expect("open"));
        assert!((0u8..).zip(found).all(|(fill, (_, bytes))| bytes[..] == [fill; 300]));
    }
}

#[test]
fn a_journal_founded_on_a_snapshot_goes_on_behind_it() {
    let disk = Faulty::default();
    let snapshot = Snapshot { position: 12_345, keep: 12_345, bytes: Bytes::from_static(b"the state") };
    found(Arc::new(disk.clone()), 9, &snapshot).expect("to found");
    agrees(&disk, &tiny(), "founded");
    let mut opened = open(Arc::new(disk.clone()), &tiny()).expect("open");
    assert_eq!((opened.snapshot.clone(), opened.writer.epoch()), (Some(snapshot), 10));
    super::append(&mut opened, &Bytes::from_static(b"on"));
    drop(opened);
    assert_eq!(super::replayed(open(Arc::new(disk), &tiny()).expect("open")).len(), 1);
}

#[test]
fn whole_batches_on_both_sides_of_damage_are_read() {
    let (disk, batches, snapshot) = written();
    let last = disk.names().into_iter().filter(|name| name.starts_with("segment-")).max().expect("a segment");
    let mut content = disk.content(&last);
    // In the second frame of the last segment.
    content[4096 + 532 + 100] ^= 1;
    disk.put(&last, content);
    let looked = inspect(Arc::new(disk.clone()), &|_| {}).expect("to look");
    assert_eq!(looked.damage.len(), 1);
    assert_eq!(looked.damage[0].offset, 4096 + 532);
    assert!(looked.is_founded && looked.is_cut_short && looked.cut.is_none());
    let before = looked.snapshots.replay(snapshot.position).count();
    let behind: Vec<_> = looked.behind().map(|batch| batch.expect("replay")).collect();
    let total = batches.iter().filter(|(start, _)| *start > snapshot.position).count();
    assert_eq!(before + 1 + behind.len(), total);
    assert!(!behind.is_empty() && batches.ends_with(&behind));
    for (start, bytes) in &behind {
        assert_eq!(looked.reader.read(*start, bytes.len()).expect("read"), *bytes);
    }
    assert_eq!(looked.past, batches.last().map_or(0, |(start, bytes)| start + bytes.len() as u64));
}

#[test]
fn where_the_end_of_a_snapshot_cannot_be_read_nothing_behind_it_counts() {
    let (disk, batches, snapshot) = written();
    let base = |name: &String| u64::from_str_radix(name.strip_prefix("segment-")?, 16).ok();
    let below = |name: &String| base(name).is_some_and(|base| base <= snapshot.position);
    let holding = disk.names().into_iter().filter(below).max().expect("a segment");
    let mut content = disk.content(&holding);
    content[40] ^= 1;
    disk.put(&holding, content);
    let looked = inspect(Arc::new(disk), &|_| {}).expect("to look");
    assert!(looked.is_founded && looked.is_cut_short && !looked.damage.is_empty());
    assert_eq!((looked.snapshot.as_ref(), looked.end), (Some(&snapshot), snapshot.position));
    assert_eq!(looked.snapshots.replay(snapshot.position).count(), 0, "a state that never was");
    let behind: Vec<_> = looked.behind().map(|batch| batch.expect("replay")).collect();
    assert!(!behind.is_empty() && batches.ends_with(&behind));
}

#[test]
fn the_whole_pieces_of_a_damaged_cold_file_are_mended_into_a_whole_file() {
    let (disk, ..) = written();
    let name = disk.names().into_iter().find(|name| name.starts_with("cold-")).expect("a cold file");
    let whole = disk.content(&name);
    for at in 0..whole.len() {
        let disk = disk.fork();
        let mut content = whole.clone();
        content[at] ^= 2;
        disk.put(&name, content);
        let looked = inspect(Arc::new(disk.clone()), &|_| {}).expect("to look");
        assert_eq!(looked.damage, [], "cold files are read one by one");
        assert_eq!(looked.files.iter().filter(|file| file.kind == FileKind::Cold).count(), 1);
        let mut before = Vec::new();
        let damage = looked.check_cold(7, &|_| {}, &mut |offset, bytes| before.push((offset, bytes)));
        assert!(!damage.expect("to look").is_empty(), "a flip at {at} passed");
        assert_eq!(before.len(), if at < 64 { 2 } else { 1 });
        let mended = Faulty::default();
        looked.mend_cold(7, Arc::new(mended.clone())).expect("to mend");
        let looked = inspect(Arc::new(mended), &|_| {}).expect("to look");
        let mut after = Vec::new();
        let damage = looked.check_cold(7, &|_| {}, &mut |offset, bytes| after.push((offset, bytes)));
        assert_eq!(damage.expect("to look"), []);
        assert!(before.iter().all(|piece| after.contains(piece)), "a flip at {at}");
    }
}
