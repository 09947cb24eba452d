//! A full disk.

use std::sync::Arc;

use bytes::Bytes;

use super::disk::Faulty;
use super::{append, replayed, tiny};
use crate::{Error, OpenError, Snapshot, open};

#[test]
fn a_full_disk_refuses_a_batch_whole_and_resumes_when_there_is_room() {
    let disk = Faulty::default();
    let mut opened = open(Arc::new(disk.clone()), &tiny()).expect("open");
    disk.set_capacity(Some(disk.used()));
    let batch = Bytes::from(vec![5; 1000]);
    let mut count = 0;
    let refused = loop {
        let headroom = opened.snapshots.headroom().expect("headroom");
        let start = opened.writer.next_start();
        match opened.writer.append(start, &batch) {
            Ok(_) => count += 1,
            Err(error) => {
                assert!(headroom.total() < 8192, "{headroom:?} warned");
                break error;
            }
        }
        assert!(count < 100);
    };
    assert!(matches!(refused, Error::DiskFull { .. }), "{refused}");
    assert!(count >= 6, "the segment and the spare took {count}");
    let start = opened.writer.next_start();
    assert!(matches!(opened.writer.append(start, &batch), Err(Error::DiskFull { .. })), "still full");
    let nearly_full = disk.fork();
    nearly_full.set_capacity(Some(disk.used() + 6000));
    assert_eq!(
        replayed(open(Arc::new(nearly_full), &tiny()).expect("a nearly full disk opens")).len(),
        count
    );

    disk.set_capacity(None);
    append(&mut opened, &batch);
    assert_eq!(replayed(open(Arc::new(disk), &tiny()).expect("open")).len(), count + 1);
}

#[test]
fn a_snapshot_that_finds_no_room_leaves_the_one_before() {
    let disk = Faulty::default();
    let mut opened = open(Arc::new(disk.clone()), &tiny()).expect("open");
    append(&mut opened, &Bytes::from_static(b"one"));
    let position = opened.writer.durable();
    let first = Snapshot { position, keep: position, bytes: Bytes::from_static(b"first") };
    opened.snapshots.save(&first).expect("save");
    append(&mut opened, &Bytes::from_static(b"two"));
    disk.set_capacity(Some(disk.used() + 100));
    let position = opened.writer.durable();
    let second = Snapshot { position, keep: position, bytes: Bytes::from(vec![2; 5000]) };
    assert!(matches!(opened.snapshots.save(&second), Err(Error::DiskFull { .. })));
    let found =
        open(Arc::new(disk.fork()), &tiny()).map(|opened| (opened.snapshot.clone(), replayed(opened).len()));
    assert_eq!(found.expect("open"), (Some(first), 1));
    disk.set_capacity(None);
    opened.snapshots.save(&second).expect("save");
}

#[test]
fn a_disk_without_room_for_the_first_segment_is_told() {
    let disk = Faulty::default();
    disk.set_capacity(Some(6000));
    let refused = open(Arc::new(disk.clone()), &tiny());
    assert!(matches!(refused, Err(OpenError::DiskFull { .. })), "{refused:?}");
    disk.set_capacity(None);
    assert_eq!(replayed(open(Arc::new(disk), &tiny()).expect("open")), []);
}
