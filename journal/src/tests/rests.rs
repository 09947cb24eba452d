//! Long work beside the appends rests between its pieces.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::disk::Faulty;
use super::{append, tiny};
use crate::{Rest, Snapshot, open};

#[test]
fn replays_cold_files_and_long_snapshots_rest_between_their_pieces_and_are_whole() {
    let disk = Faulty::default();
    let mut opened = open(Arc::new(disk.clone()), &tiny()).expect("open");
    let rests = Arc::new(AtomicUsize::new(0));
    let counted = {
        let rests = Arc::clone(&rests);
        Rest::new(move || _ = rests.fetch_add(1, Ordering::Relaxed))
    };
    let taken = || rests.swap(0, Ordering::Relaxed);
    let (snapshots, cold) = (opened.snapshots.resting(counted.clone()), opened.cold.resting(counted));

    for byte in 0..3 {
        append(&mut opened, &Bytes::from(vec![byte; 100]));
    }
    assert_eq!(snapshots.replay(0).count(), 3);
    assert_eq!(taken(), 3);

    let pieces = [1, 2, 3].map(|byte| Bytes::from(vec![byte; 1 << 20]));
    let offsets = cold.write(7, &pieces).expect("write");
    assert_eq!(taken(), 3);
    for (offset, piece) in offsets.into_iter().zip(&pieces) {
        assert_eq!(cold.read_piece(7, offset, piece.len()).expect("read"), piece);
    }

    let position = opened.writer.durable();
    for (length, expected) in [(0, 0), (1 << 20, 0), ((1 << 20) + 1, 1), (5 << 19, 2)] {
        let bytes: Bytes = (0..length).map(|index: u32| (index % 251) as u8).collect();
        let snapshot = Snapshot { position, keep: 0, bytes };
        snapshots.save(&snapshot).expect("save");
        assert_eq!(taken(), expected, "{length} bytes");
        assert_eq!(snapshots.load().expect("load"), Some(snapshot.clone()));
        let found = open(Arc::new(disk.fork()), &tiny()).expect("open").snapshot;
        assert_eq!(found, Some(snapshot), "{length} bytes");
    }
}
