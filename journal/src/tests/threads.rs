//! Appends, reads and snapshots at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;

use bytes::Bytes;

use super::disk::Faulty;
use super::tiny;
use crate::{Error, OVERHEAD, Opened, Options, Snapshot, open};

const LENGTH: u64 = 500;
const BATCHES: u64 = 3000;

fn start_of(index: u64) -> u64 {
    OVERHEAD + index * (LENGTH + OVERHEAD)
}

fn batch(index: u64) -> Bytes {
    Bytes::from(vec![(index % 251) as u8; LENGTH as usize])
}

#[test]
fn a_reader_never_sees_anothers_bytes_while_segments_are_recycled() {
    let mut opened = open(Arc::new(Faulty::default()), &tiny()).expect("open");
    let (appended, kept) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..2_u64 {
            let (reader, appended, kept) = (opened.reader.clone(), &appended, &kept);
            scope.spawn(move || {
                let mut index = thread;
                while appended.load(Ordering::Acquire) < BATCHES {
                    let end = appended.load(Ordering::Acquire);
                    if end == 0 {
                        continue;
                    }
                    // Mostly near the place where segments are being dropped.
                    index = (kept.load(Ordering::Acquire) + index * 7 % 40).min(end - 1);
                    match reader.read(start_of(index) + 100, 300) {
                        Ok(bytes) => assert_eq!(bytes, batch(index).slice(100..400), "batch {index}"),
                        Err(Error::Gone { .. }) => assert!(index < kept.load(Ordering::Acquire)),
                        Err(error) => panic!("{error}"),
                    }
                    index += 1;
                }
            });
        }
        let snapshots = opened.snapshots.clone();
        let (appended, kept) = (&appended, &kept);
        scope.spawn(move || {
            while appended.load(Ordering::Acquire) < BATCHES {
                let end = appended.load(Ordering::Acquire);
                let keep = end.saturating_sub(50);
                if keep > kept.load(Ordering::Acquire) {
                    // Said before it is done: from here on nobody may count on what lies below.
                    kept.store(keep, Ordering::Release);
                    let (position, keep) = (start_of(end) - OVERHEAD, start_of(keep));
                    snapshots.save(&Snapshot { position, keep, bytes: Bytes::new() }).expect("save");
                    snapshots.prepare().expect("prepare");
                }
            }
        });
        for index in 0..BATCHES {
            opened.writer.append(start_of(index), &batch(index)).expect("append");
            appended.store(index + 1, Ordering::Release);
        }
    });
}

#[test]
fn a_segment_that_is_being_read_is_not_written_over() {
    let options = Options { read_ahead_bytes: 0, ..tiny() };
    let disk = Faulty::default();
    let Opened { mut writer, reader, snapshots, .. } = open(Arc::new(disk.clone()), &options).expect("open");
    for index in 0..40 {
        writer.append(start_of(index), &batch(index)).expect("append");
    }
    let (done, finish) = channel();
    disk.interrupt_read(move || {
        let position = writer.durable();
        snapshots.save(&Snapshot { position, keep: position, bytes: Bytes::new() }).expect("save");
        for index in 40..100 {
            writer.append(start_of(index), &batch(index)).expect("append");
        }
        done.send(()).expect("send");
    });
    // A read that found its segment before all that, and reads after it.
    assert_eq!(reader.read(start_of(3), 500).expect("read"), batch(3));
    finish.try_recv().expect("it did happen in between");
}
