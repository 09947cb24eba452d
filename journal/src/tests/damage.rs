//! Torn ends are cut; all other damage is noticed.

use std::sync::Arc;

use bytes::Bytes;

use super::disk::Faulty;
use super::{append, replayed, tiny};
use crate::format::{Kind, SEGMENT_HEADER, decode_header, encode_header};
use crate::{OVERHEAD, OpenError, Opened, Snapshot, inspect, open};

const HEADER: usize = SEGMENT_HEADER as usize;

fn reopen(disk: &Faulty) -> Result<Opened, OpenError> {
    open(Arc::new(disk.clone()), &tiny())
}

fn batches() -> Vec<Bytes> {
    vec![
        Bytes::from_static(b"one"),
        Bytes::from_static(b"second batch"),
        Bytes::from(vec![0; 40]),
        Bytes::from_static(b"the last"),
    ]
}

/// A journal of one segment, and the name of its file.
fn small() -> (Faulty, String) {
    let disk = Faulty::default();
    let mut opened = reopen(&disk).expect("open");
    for batch in batches() {
        append(&mut opened, &batch);
    }
    let name = disk.names().into_iter().find(|name| name.starts_with("segment-")).expect("a segment");
    (disk, name)
}

#[test]
fn a_torn_end_is_cut_at_whatever_byte_it_tore() {
    let (disk, name) = small();
    let whole = disk.content(&name);
    let ends: Vec<usize> = batches()
        .iter()
        .scan(HEADER, |end, batch| {
            *end += OVERHEAD as usize + batch.len();
            Some(*end)
        })
        .collect();
    // The bytes of the last batch, or with it of none, arrived up to `torn`.
    for torn in ends[2]..=ends[3] {
        let disk = disk.fork();
        let mut content = whole.clone();
        content[torn..].fill(0);
        disk.put(&name, content);
        let opened = reopen(&disk).unwrap_or_else(|error| panic!("torn at {torn}: {error}"));
        let is_whole = torn == ends[3];
        let is_cut = torn > ends[2] && !is_whole;
        assert_eq!(opened.report.cut.is_some(), is_cut, "torn at {torn}");
        if let Some(cut) = &opened.report.cut {
            assert_eq!((cut.file.clone(), cut.offset), (format!("faulty/{name}"), ends[2] as u64));
        }
        let mut opened = opened;
        let found: Vec<_> = opened.replay.by_ref().map(|batch| batch.expect("replay").1).collect();
        assert_eq!(found, batches()[..if is_whole { 4 } else { 3 }], "torn at {torn}");
        append(&mut opened, &Bytes::from_static(b"after"));
        let again = reopen(&disk).expect("open again");
        assert_eq!(again.report.cut, None, "a cut is reported once");
        assert_eq!(replayed(again).len(), found.len() + 1);
    }
}

#[test]
fn a_file_cut_short_inside_a_batch_is_damaged_for_no_torn_write_makes_it_shorter() {
    let (disk, name) = small();
    let whole = disk.content(&name);
    let end: usize = HEADER + batches().iter().map(|batch| OVERHEAD as usize + batch.len()).sum::<usize>();
    for length in end - 7 - OVERHEAD as usize..end {
        let disk = disk.fork();
        disk.put(&name, whole[..length].to_vec());
        let looked = inspect(Arc::new(disk.fork()), &|_| {}).expect("to look");
        assert_eq!(looked.damage.len(), 1, "{length} bytes");
        assert!(matches!(reopen(&disk), Err(OpenError::Corrupt { .. })), "{length} bytes");
    }
}

#[test]
fn a_file_cut_short_in_a_batch_is_a_torn_end_where_its_length_was_never_noted() {
    let (disk, name) = small();
    let whole = disk.content(&name);
    let end: usize = HEADER + batches().iter().map(|batch| OVERHEAD as usize + batch.len()).sum::<usize>();
    let Ok(fields) = decode_header(Kind::Segment, &whole[..64]) else { panic!("a header") };
    let header = encode_header(Kind::Segment, [fields[0], fields[1], fields[2], fields[3], fields[4], 0]);
    for length in end - 8 - OVERHEAD as usize..end {
        let disk = disk.fork();
        disk.put(&name, [&header[..], &whole[header.len()..length]].concat());
        let found = replayed(reopen(&disk).unwrap_or_else(|error| panic!("{length} bytes: {error}")));
        assert_eq!(found.len(), 3);
    }
}

#[test]
fn a_flipped_bit_is_noticed_or_was_in_the_last_batch_and_is_reported_as_a_cut() {
    let (disk, name) = small();
    let whole = disk.content(&name);
    let end: usize = HEADER + batches().iter().map(|batch| OVERHEAD as usize + batch.len()).sum::<usize>();
    let last = end - 8 - OVERHEAD as usize;
    for byte in (0..64).chain(HEADER..end) {
        for bit in 0..8 {
            let disk = disk.fork();
            let mut content = whole.clone();
            content[byte] ^= 1 << bit;
            disk.put(&name, content.clone());
            match reopen(&disk) {
                Ok(opened) => {
                    assert!(byte >= last, "a flip at {byte} passed");
                    assert!(opened.report.cut.is_some(), "a flip at {byte} was cut without a word");
                    assert_eq!(replayed(opened).len(), 3);
                }
                Err(OpenError::Corrupt { file, .. }) => {
                    assert!(byte < last);
                    assert_eq!(file, format!("faulty/{name}"));
                    assert_eq!(disk.content(&name), content, "nothing was changed");
                }
                Err(other) => panic!("a flip at {byte}: {other}"),
            }
        }
    }
}

/// Flips a bit of the last batch that reads "the last", wherever that is now.
fn flip_the_last(disk: &Faulty) {
    for name in disk.names().into_iter().filter(|name| name.starts_with("segment-")) {
        let mut content = disk.content(&name);
        if let Some(at) = content.windows(8).position(|window| window == b"the last") {
            content[at] ^= 1;
            disk.put(&name, content);
        }
    }
}

#[test]
fn a_flipped_bit_in_the_last_batch_is_noticed_after_a_close() {
    let (disk, name) = small();
    drop(reopen(&disk).expect("open"));
    assert!(!disk.content(&name).windows(8).any(|window| window == b"the last"), "it has moved on");
    reopen(&disk).expect("open").writer.close().expect("close");
    flip_the_last(&disk);
    assert!(matches!(reopen(&disk), Err(OpenError::Corrupt { .. })));
}

#[test]
fn a_flipped_bit_in_the_last_batch_is_noticed_after_an_opening() {
    let (disk, _) = small();
    drop(reopen(&disk).expect("open"));
    flip_the_last(&disk);
    assert!(matches!(reopen(&disk), Err(OpenError::Corrupt { .. })));
}

/// A journal over several segments, with a snapshot in the middle.
fn large() -> Faulty {
    let disk = Faulty::default();
    let mut opened = reopen(&disk).expect("open");
    let mut starts = Vec::new();
    for fill in 0..30 {
        starts.push(append(&mut opened, &Bytes::from(vec![fill; 900])));
        if fill == 15 {
            let position = opened.writer.durable();
            let snapshot = Snapshot { position, keep: starts[8], bytes: Bytes::from(vec![7; 700]) };
            opened.snapshots.save(&snapshot).expect("save");
        }
    }
    disk
}

#[test]
fn a_missing_file_is_named() {
    let disk = large();
    let names = disk.names();
    let segments: Vec<_> = names.iter().filter(|name| name.starts_with("segment-")).collect();
    assert!(segments.len() >= 4, "{segments:?}");
    for missing in segments {
        let disk = disk.fork();
        crate::disk::Disk::remove(&disk, missing).expect("remove");
        // However often one tries.
        for _ in 0..3 {
            match reopen(&disk) {
                Err(OpenError::Missing { file, .. }) => assert_eq!(file, format!("faulty/{missing}")),
                other => panic!("without {missing}: {other:?}"),
            }
        }
    }
}

#[test]
fn damage_before_the_end_names_file_and_offset() {
    let disk = large();
    let names = disk.names();
    let segments: Vec<_> = names.iter().filter(|name| name.starts_with("segment-")).collect();
    let (damaged, at) = (segments[segments.len() - 2], HEADER + 932 + 100);
    let mut content = disk.content(damaged);
    content[at] ^= 1;
    disk.put(damaged, content);
    match reopen(&disk) {
        Err(OpenError::Corrupt { file, offset, .. }) => {
            assert_eq!((file, offset), (format!("faulty/{damaged}"), HEADER as u64 + 932));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_damaged_snapshot_is_an_error_once_its_batches_are_gone() {
    let disk = large();
    let names = disk.names();
    let name = names.iter().find(|name| name.starts_with("snapshot-")).expect("a snapshot");
    let whole = disk.content(name);
    for byte in 0..whole.len() {
        let disk = disk.fork();
        let mut content = whole.clone();
        content[byte] ^= 4;
        disk.put(name, content);
        match reopen(&disk) {
            Err(OpenError::Corrupt { file, .. }) => assert_eq!(file, format!("faulty/{name}")),
            other => panic!("byte {byte}: {other:?}"),
        }
    }
}

#[test]
fn a_damaged_snapshot_is_made_up_for_by_its_batches() {
    let (disk, _) = small();
    let opened = reopen(&disk).expect("open");
    let position = opened.writer.durable();
    opened
        .snapshots
        .save(&Snapshot { position, keep: 0, bytes: Bytes::from_static(b"state") })
        .expect("save");
    let name = disk.names().into_iter().find(|name| name.starts_with("snapshot-")).expect("a snapshot");
    let mut content = disk.content(&name);
    *content.last_mut().expect("bytes") ^= 1;
    disk.put(&name, content);
    let opened = reopen(&disk).expect("open");
    assert_eq!(opened.report.notes.len(), 1, "{:?}", opened.report);
    assert_eq!(replayed(opened).len(), 4);
}

#[test]
fn what_an_earlier_life_left_in_a_recycled_segment_never_comes_back() {
    let disk = Faulty::default();
    let mut opened = reopen(&disk).expect("open");
    let secret = Bytes::from_static(b"from an earlier life");
    for round in 0..200_u64 {
        append(&mut opened, &secret);
        if round % 60 == 59 {
            let position = opened.writer.durable();
            opened.snapshots.save(&Snapshot { position, keep: position, bytes: Bytes::new() }).expect("save");
        }
        if round >= 100 {
            let disk = disk.fork();
            let opened = reopen(&disk).expect("open");
            let from = opened.snapshot.as_ref().map_or(0, |snapshot| snapshot.position);
            let (end, found) = (opened.writer.durable(), replayed(opened).len() as u64);
            assert_eq!(found * (OVERHEAD + secret.len() as u64), end - from, "round {round}");
        }
    }
    let recycled = disk.names().into_iter().filter(|name| name.starts_with("s")).any(|name| {
        let content = disk.content(&name);
        !content.is_empty() && content.windows(4).filter(|window| window == b"KEWB").count() > 60
    });
    assert!(recycled, "some file has had an earlier life");
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let (disk, name) = small();
    let mut content = disk.content(&name);
    content[8] = 9;
    content[12..16].fill(0);
    let checksum = crate::format::crc32c(&[&content[..64]]);
    content[12..16].copy_from_slice(&checksum.to_le_bytes());
    disk.put(&name, content);
    match reopen(&disk) {
        Err(OpenError::NewerFormat { file, found: 9, supported: 1 }) => {
            assert_eq!(file, format!("faulty/{name}"))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lost_epoch_file_is_made_up_for_by_the_segments() {
    let (disk, _) = small();
    let before = reopen(&disk).expect("open").writer.epoch();
    crate::disk::Disk::remove(&disk, "epoch").expect("remove");
    let opened = reopen(&disk).expect("open");
    assert!(opened.writer.epoch() > before);
    assert_eq!(replayed(opened).len(), 4);
}

#[test]
fn a_torn_batch_that_carries_a_copy_of_an_earlier_one_is_still_a_torn_end() {
    let (disk, name) = small();
    let mut opened = reopen(&disk).expect("open");
    append(&mut opened, &Bytes::from_static(b"earlier"));
    // Somebody sends a piece of the journal's own file as a message.
    let active =
        disk.names().into_iter().filter(|found| found.starts_with("segment-")).max().expect("a segment");
    assert_ne!(active, name);
    let piece = Bytes::from(disk.content(&active)[HEADER..HEADER + 200].to_vec());
    assert!(piece.windows(4).any(|window| window == b"KEWB"));
    append(&mut opened, &piece);
    let mut content = disk.content(&active);
    let copy = content.windows(200).rposition(|window| *window == piece[..]).expect("the copy");
    content[copy - 1] ^= 1;
    disk.put(&active, content);
    let opened = reopen(&disk).expect("a torn end");
    assert!(opened.report.cut.is_some());
    assert_eq!(replayed(opened).len(), 5);
}
