//! What every backend must do: one suite, called by the tests of each.
//!
//! A test panics with the rule that was broken.

use bytes::Bytes;

use crate::{Error, OVERHEAD, Opened, Snapshot};

/// Runs the whole suite. `fresh` makes an empty journal and gives a function that opens it, again and again.
///
/// # Panics
/// When a rule is broken.
pub fn run<Open: FnMut() -> Opened>(mut fresh: impl FnMut() -> Open) {
    starts_empty(fresh());
    places_batches_one_after_the_other(fresh());
    gives_back_what_was_appended(fresh());
    refuses_a_batch_for_another_place(fresh());
    admits_batches_before_they_are_durable(fresh());
    fences_older_openings(fresh());
    replays_what_follows_the_snapshot(fresh());
    refuses_a_snapshot_of_what_is_not_durable(fresh());
    keeps_the_newest_snapshot(fresh());
    keeps_what_is_still_to_be_read(fresh());
    closes_without_a_trace(fresh());
    goes_on_through_many_batches(fresh());
    keeps_cold_files(fresh());
}

fn batch(seed: usize, length: usize) -> Bytes {
    (0..length).map(|index| (index * 31 + seed * 7) as u8).collect()
}

fn append(opened: &mut Opened, bytes: Bytes) -> u64 {
    let start = opened.writer.next_start();
    let end = start + bytes.len() as u64;
    opened.reader.admit(start, bytes.clone());
    assert_eq!(
        opened.writer.append(start, &bytes).expect("append"),
        end,
        "an append returns the batch's end"
    );
    start
}

fn replayed(opened: Opened) -> Vec<(u64, Bytes)> {
    opened.replay.map(|batch| batch.expect("replay")).collect()
}

fn starts_empty(mut open: impl FnMut() -> Opened) {
    let opened = open();
    assert_eq!(opened.writer.durable(), 0);
    assert_eq!(opened.writer.next_start(), OVERHEAD);
    assert_eq!(opened.snapshot, None);
    assert_eq!(opened.report, crate::Report::default());
    assert_eq!(replayed(opened), []);
    assert_eq!(replayed(open()), [], "and stays empty");
}

fn places_batches_one_after_the_other(mut open: impl FnMut() -> Opened) {
    let mut opened = open();
    let first = append(&mut opened, batch(1, 10));
    let second = append(&mut opened, batch(2, 20));
    assert_eq!((first, second), (OVERHEAD, OVERHEAD + 10 + OVERHEAD));
    assert_eq!(opened.writer.durable(), second + 20);
    drop(opened);
    let mut opened = open();
    assert_eq!(append(&mut opened, batch(3, 30)), second + 20 + OVERHEAD, "as if it had never been closed");
}

fn gives_back_what_was_appended(mut open: impl FnMut() -> Opened) {
    let mut opened = open();
    let batches: Vec<_> = (0..20).map(|seed| batch(seed, 1 + seed * 13)).collect();
    let appended: Vec<_> =
        batches.iter().map(|bytes| (append(&mut opened, bytes.clone()), bytes.clone())).collect();
    let check = |opened: &Opened| {
        for (start, bytes) in &appended {
            for (from, to) in [(0, bytes.len()), (bytes.len() / 2, bytes.len()), (0, bytes.len() / 3)] {
                let read = opened.reader.read(start + from as u64, to - from).expect("read");
                assert_eq!(read, bytes.slice(from..to), "start {start}, {from}..{to}");
            }
        }
        let end = opened.writer.durable();
        assert!(matches!(opened.reader.read(end + 1_000_000, 1), Err(Error::Gone { .. })));
        assert!(matches!(opened.reader.read(end, 1), Err(Error::Gone { .. })));
    };
    check(&opened);
    drop(opened);
    // Before the replay has warmed anything.
    check(&open());
    assert_eq!(replayed(open()), appended);
    assert_eq!(replayed(open()), appended, "and once more");
}

fn refuses_a_batch_for_another_place(mut open: impl FnMut() -> Opened) {
    let mut opened = open();
    let start = append(&mut opened, batch(1, 10));
    for wrong in [0, start, start + 10, start + 10 + OVERHEAD - 1, start + 10 + OVERHEAD + 1, u64::MAX] {
        let refused = opened.writer.append(wrong, &batch(2, 5));
        assert!(matches!(refused, Err(Error::OutOfOrder { given, expected })
            if given == wrong && expected == start + 10 + OVERHEAD));
    }
    append(&mut opened, batch(2, 5));
    assert_eq!(replayed(open()).len(), 2, "nothing of what was refused");
}

fn admits_batches_before_they_are_durable(mut open: impl FnMut() -> Opened) {
    let opened = open();
    let start = opened.writer.next_start();
    opened.reader.admit(start, batch(1, 10));
    assert_eq!(opened.reader.read(start + 2, 3).expect("read"), batch(1, 10).slice(2..5));
    assert_eq!(replayed(open()), [], "memory only");
}

fn fences_older_openings(mut open: impl FnMut() -> Opened) {
    let mut first = open();
    append(&mut first, batch(1, 10));
    let mut second = open();
    assert!(second.writer.epoch() > first.writer.epoch());
    let (start, durable) = (first.writer.next_start(), first.writer.durable());
    let refused = first.writer.append(start, &batch(66, 10));
    assert!(matches!(refused, Err(Error::Fenced { .. })), "{refused:?}");
    assert!(matches!(first.writer.append(start, &batch(66, 10)), Err(Error::Poisoned)));
    let snapshot = Snapshot { position: durable, keep: durable, bytes: batch(66, 3) };
    assert!(matches!(first.snapshots.save(&snapshot), Err(Error::Fenced { .. })));
    append(&mut second, batch(2, 20));
    let third = open();
    assert_eq!(third.snapshot, None);
    let bytes: Vec<_> = replayed(third).into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(bytes, [batch(1, 10), batch(2, 20)], "only what the newest opening appended");
    let _fourth = open();
    let start = second.writer.next_start();
    let refused = second.writer.append(start, &batch(66, 10));
    assert!(matches!(refused, Err(Error::Fenced { .. })), "two openings later as well");
}

fn replays_what_follows_the_snapshot(mut open: impl FnMut() -> Opened) {
    let mut opened = open();
    append(&mut opened, batch(1, 10));
    let position = opened.writer.durable();
    append(&mut opened, batch(2, 20));
    let snapshot = Snapshot { position, keep: position, bytes: batch(9, 5000) };
    opened.snapshots.save(&snapshot).expect("save");
    let start = append(&mut opened, batch(3, 30));
    drop(opened);
    for _ in 0..3 {
        let opened = open();
        assert_eq!(opened.snapshot, Some(snapshot.clone()));
        assert_eq!(replayed(opened), [(position + OVERHEAD, batch(2, 20)), (start, batch(3, 30))]);
    }
    let opened = open();
    let position = opened.writer.durable();
    opened.snapshots.save(&Snapshot { position, keep: 0, bytes: Bytes::new() }).expect("an empty snapshot");
    let mut opened = open();
    assert_eq!(append(&mut opened, batch(4, 1)), position + OVERHEAD);
    assert_eq!(replayed(opened), [], "a replay ends where the journal did when it was opened");
    assert_eq!(replayed(open()), [(position + OVERHEAD, batch(4, 1))]);
}

fn refuses_a_snapshot_of_what_is_not_durable(mut open: impl FnMut() -> Opened) {
    let mut opened = open();
    append(&mut opened, batch(1, 10));
    let position = opened.writer.durable() + 1;
    let refused = opened.snapshots.save(&Snapshot { position, keep: 0, bytes: batch(1, 1) });
    assert!(matches!(refused, Err(Error::OutOfOrder { .. })));
    assert_eq!(open().snapshot, None);
}

fn keeps_the_newest_snapshot(mut open: impl FnMut() -> Opened) {
    let mut opened = open();
    for seed in 0..5 {
        append(&mut opened, batch(seed, 100));
        let position = opened.writer.durable();
        for version in 0..2 {
            let bytes = batch(seed + version, 10);
            opened.snapshots.save(&Snapshot { position, keep: position, bytes }).expect("save");
        }
        let found = open().snapshot.expect("a snapshot");
        assert_eq!((found.position, found.bytes), (position, batch(seed + 1, 10)));
        opened = open();
    }
}

fn keeps_what_is_still_to_be_read(mut open: impl FnMut() -> Opened) {
    let mut opened = open();
    let starts: Vec<_> = (0..60).map(|seed| append(&mut opened, batch(seed, 900))).collect();
    let position = opened.writer.durable();
    let keep = starts[40];
    opened.snapshots.save(&Snapshot { position, keep, bytes: batch(9, 9) }).expect("save");
    for round in 0..2 {
        for (seed, start) in starts.iter().enumerate().skip(40) {
            let read = opened.reader.read(*start, 900).expect("what lies above keep");
            assert_eq!(read, batch(seed, 900), "round {round}, batch {seed}");
        }
        drop(opened);
        opened = open();
    }
    append(&mut opened, batch(60, 900));
    assert_eq!(replayed(open()).len(), 1);
}

fn closes_without_a_trace(mut open: impl FnMut() -> Opened) {
    for seed in 0..4 {
        let mut opened = open();
        append(&mut opened, batch(seed, 10));
        let start = opened.writer.next_start();
        opened.writer.close().expect("close");
        let opened = open();
        assert!(opened.writer.next_start() >= start, "positions only grow");
        let bytes: Vec<_> = replayed(opened).into_iter().map(|(_, bytes)| bytes).collect();
        assert_eq!(bytes, (0..=seed).map(|seed| batch(seed, 10)).collect::<Vec<_>>());
    }
}

fn goes_on_through_many_batches(mut open: impl FnMut() -> Opened) {
    let mut opened = open();
    let mut kept = Vec::new();
    for round in 0..300 {
        let bytes = batch(round, (round * 97) % 3000);
        let start = append(&mut opened, bytes.clone());
        if !bytes.is_empty() {
            kept.push((start, bytes));
        }
        if round % 50 == 49 {
            let position = opened.writer.durable();
            opened
                .snapshots
                .save(&Snapshot { position, keep: position, bytes: batch(round, 100) })
                .expect("save");
            kept.clear();
        }
        if round % 70 == 69 {
            assert_eq!(replayed(open()), kept, "round {round}");
            opened = open();
        }
    }
}

fn keeps_cold_files(mut open: impl FnMut() -> Opened) {
    let opened = open();
    let (one, two, three) = (batch(1, 100), batch(2, 70_000), batch(3, 5));
    let offsets = opened.cold.write(7, &[one.clone(), two.clone()]).expect("write");
    let [first, second] = offsets[..] else { panic!("an offset for each piece") };
    let other = opened.cold.write(9, std::slice::from_ref(&three)).expect("write")[0];
    assert_eq!(opened.cold.read(7, first + 10, 20).expect("read"), one.slice(10..30));
    drop(opened);
    let opened = open();
    assert_eq!(
        opened.cold.read(7, second + 1, 9).expect("read"),
        two.slice(1..10),
        "before the frame was read"
    );
    assert_eq!(opened.cold.read_piece(7, second, two.len()).expect("read"), two);
    assert_eq!(opened.cold.read(7, second + 69_990, 10).expect("read"), two.slice(69_990..));
    assert_eq!(opened.cold.read_piece(9, other, three.len()).expect("read"), three);
    let files = opened.cold.files().expect("list");
    assert_eq!(files.iter().map(|(file, _)| *file).collect::<Vec<_>>(), [7, 9]);
    assert!(files[0].1 >= (one.len() + two.len()) as u64, "a length is the file's");
    assert_eq!(opened.cold.numbers().expect("list"), [7, 9]);
    opened.cold.remove(7).expect("remove");
    opened.cold.remove(7).expect("what is not there is no error");
    assert!(opened.cold.read_piece(7, first, one.len()).is_err());
    assert_eq!(opened.cold.numbers().expect("list"), [9]);
}
