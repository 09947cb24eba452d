//! What a repair keeps, what it says it loses, and that it does no more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use kew_store::doctor::Examination;

use crate::stand::{QUEUES, Stand, Temporary, copy, story, tiny};

fn examine(path: &Path) -> Examination {
    Examination::begin(path, &tiny(), &|_, _| {}).expect("to look")
}

/// Every message that a directory's queues hand out.
fn content(path: &Path, scratch: &Temporary) -> BTreeMap<String, Vec<String>> {
    let copied = scratch.join("drained");
    let _ = fs::remove_dir_all(&copied);
    copy(path, &copied);
    Stand::open(&copied, tiny()).drain(&QUEUES)
}

fn count(content: &BTreeMap<String, Vec<String>>) -> u64 {
    content.values().map(|bodies| bodies.len() as u64).sum()
}

/// Names and bytes of all files of a shard.
fn files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(path).expect("list").map(|entry| {
        let path = entry.expect("entry").path();
        (path.file_name().expect("a name").to_string_lossy().into_owned(), fs::read(path).expect("read"))
    });
    entries.collect()
}

fn named(shard: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = files(shard)
        .into_keys()
        .filter(|name| name.starts_with(prefix))
        .map(|name| shard.join(name))
        .collect();
    found.sort();
    found
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("read");
    bytes[at] ^= 4;
    fs::write(path, bytes).expect("write");
}

/// What came of a directory that was damaged and repaired.
struct Outcome {
    /// Messages that the plan said are lost.
    said: u64,
    /// Whether it said that it goes back in time.
    goes_back: bool,
    before: BTreeMap<String, Vec<String>>,
    /// `None`: no repair was possible.
    after: Option<BTreeMap<String, Vec<String>>>,
}

/// Damages a directory, sees that it is found and, if it can be, repaired: then it is sound, what was there is kept aside, and it
/// hands out nothing that was never sent.
fn outcome(deed: impl FnOnce(&Path)) -> Outcome {
    let temporary = Temporary::new();
    let data = temporary.join("data");
    story(&data);
    let before = content(&data, &temporary);
    let shard = data.join("shard-0000");
    deed(&data);
    let damaged = files(&shard);
    let examined = examine(&data);
    assert!(!examined.is_sound(), "the damage was not found");
    let checkup = &examined.shards[0].1;
    let said = checkup.lost_messages();
    let goes_back = checkup.loss.batches > 0 || checkup.loss.is_uncertain;
    let is_marker_alone = checkup.is_sound();
    let repaired = examined.repair().expect("to repair");
    if let Some((_, error)) = repaired.left.first() {
        assert_eq!(files(&shard), damaged, "{error}, and yet something was changed");
        return Outcome { said, goes_back, before, after: None };
    }
    if !is_marker_alone {
        assert_eq!(files(&repaired.aside.join("shard-0000")), damaged, "what was there is kept");
    }
    let again = examine(&data);
    assert!(again.is_sound(), "still damaged: {:?}", again.damage().collect::<Vec<_>>());
    drop(again);
    let after = content(&data, &temporary);
    Outcome { said, goes_back, before, after: Some(after) }
}

/// Nothing is lost beyond what was said.
fn assert_loses(deed: impl FnOnce(&Path), lost: std::ops::RangeInclusive<u64>) {
    let Outcome { said, goes_back, before, after } = outcome(deed);
    let after = after.expect("a repair");
    assert!(lost.contains(&said) && !goes_back, "{said} lost, goes back: {goes_back}");
    assert_eq!(count(&before) - said, count(&after));
    for (queue, bodies) in &after {
        let before: BTreeSet<_> = before[queue].iter().collect();
        assert!(bodies.iter().all(|body| before.contains(body)), "{queue} hands out what was not there");
    }
}

#[test]
fn a_damaged_piece_of_a_cold_file_costs_its_messages_and_no_others() {
    for number in 0..5 {
        let deed = |data: &Path| {
            let file = &named(&data.join("shard-0000"), "cold-")[number];
            flip(file, 64 + 16 + 40);
        };
        assert_loses(deed, 1..=16);
    }
}

#[test]
fn a_missing_cold_file_costs_its_messages_and_no_others() {
    for number in 0..5 {
        let deed =
            |data: &Path| fs::remove_file(&named(&data.join("shard-0000"), "cold-")[number]).expect("remove");
        assert_loses(deed, 1..=25);
    }
}

#[test]
fn a_cold_file_cut_short_keeps_the_pieces_before_the_cut() {
    let deed = |data: &Path| {
        let file = &named(&data.join("shard-0000"), "cold-")[0];
        let bytes = fs::read(file).expect("read");
        fs::write(file, &bytes[..bytes.len() - 5]).expect("write");
    };
    assert_loses(deed, 1..=16);
}

#[test]
fn a_damaged_head_of_a_cold_file_costs_nothing() {
    assert_loses(|data| flip(&named(&data.join("shard-0000"), "cold-")[0], 20), 0..=0);
}

#[test]
fn the_epoch_and_the_marker_can_be_written_anew() {
    assert_loses(|data| fs::remove_file(data.join("shard-0000/epoch")).expect("remove"), 0..=0);
    assert_loses(|data| flip(&data.join("shard-0000/epoch"), 20), 0..=0);
    assert_loses(|data| flip(&data.join("format"), 3), 0..=0);
    assert_loses(|data| fs::remove_file(data.join("format")).expect("remove"), 0..=0);
}

#[test]
fn a_lost_snapshot_leaves_nothing_to_go_on_from_and_nothing_is_changed() {
    let deeds: [fn(&Path); 2] = [|path| flip(path, 100), |path| fs::remove_file(path).expect("remove")];
    for deed in deeds {
        let outcome = outcome(|data| deed(&named(&data.join("shard-0000"), "snapshot-")[0]));
        assert!(outcome.after.is_none());
    }
}

#[test]
fn damage_in_the_journal_takes_the_state_back_to_before_it() {
    // The first of the three long messages: two more, a receive, a delete and a send come behind it.
    let deed = |data: &Path| {
        for file in named(&data.join("shard-0000"), "segment-") {
            let bytes = fs::read(&file).expect("read");
            if let Some(at) = bytes.windows(6).position(|window| window == b"q 41 x") {
                flip(&file, at);
            }
        }
    };
    let Outcome { said, goes_back, before, after } = outcome(deed);
    let after = after.expect("a repair");
    assert!(goes_back && said == 0);
    let lost: Vec<&String> = before["q"].iter().filter(|body| !after["q"].contains(body)).collect();
    let short: Vec<&str> = lost.iter().map(|body| body.get(..4).unwrap_or(body)).collect();
    assert_eq!(short, ["q 41", "q 42", "q 43", "q th"]);
    // Two deletes are undone.
    assert_eq!(after["q"].len(), before["q"].len() - 4 + 2);
    assert_eq!((&after["f.fifo"], &after["dead"]), (&before["f.fifo"], &before["dead"]));
}

/// A short directory whose journal still reaches back to its beginning, with a snapshot in the middle.
fn short_story(path: &Path) {
    let mut stand = Stand::open(path, tiny());
    stand.create("q", &[]);
    for number in 0..12 {
        stand.send("q", &format!("q {number:02}"), None, None);
    }
    stand.retire(0);
    for number in 12..15 {
        stand.send("q", &format!("q {number:02}"), None, None);
    }
}

#[test]
fn a_lost_snapshot_costs_nothing_where_the_journal_reaches_back_to_its_beginning() {
    for deed in [|path: &Path| flip(path, 100), |path: &Path| flip(path, 5)] {
        let temporary = Temporary::new();
        let data = temporary.join("data");
        short_story(&data);
        deed(&named(&data.join("shard-0000"), "snapshot-")[0]);
        let examined = examine(&data);
        assert!(!examined.is_sound() && examined.shards[0].1.loss == Default::default());
        assert!(examined.repair().expect("to repair").left.is_empty());
        assert!(examine(&data).is_sound());
        let drained = Stand::open(&data, tiny()).drain(&["q"]);
        assert_eq!(drained["q"], (0..15).map(|number| format!("q {number:02}")).collect::<Vec<_>>());
    }
}

#[test]
fn damage_before_the_snapshot_costs_the_messages_whose_bodies_lay_there() {
    let temporary = Temporary::new();
    let data = temporary.join("data");
    short_story(&data);
    let segment = &named(&data.join("shard-0000"), "segment-")[0];
    let bytes = fs::read(segment).expect("read");
    flip(segment, bytes.windows(4).position(|window| window == b"q 07").expect("the body"));
    let examined = examine(&data);
    let checkup = &examined.shards[0].1;
    assert_eq!((checkup.lost_messages(), checkup.loss.batches, checkup.loss.is_uncertain), (1, 0, false));
    assert!(examined.repair().expect("to repair").left.is_empty());
    let drained = Stand::open(&data, tiny()).drain(&["q"]);
    let left = (0..15).filter(|number| *number != 7);
    assert_eq!(drained["q"], left.map(|number| format!("q {number:02}")).collect::<Vec<_>>());
}

#[test]
fn a_missing_segment_takes_the_state_back_or_costs_what_lay_in_it() {
    for number in 0..2 {
        let deed = |data: &Path| {
            fs::remove_file(&named(&data.join("shard-0000"), "segment-")[number]).expect("remove");
        };
        let Outcome { before, after, .. } = outcome(deed);
        let after = after.expect("a repair");
        assert!(count(&after) > 20, "{} of {}", count(&after), count(&before));
    }
}

#[test]
fn a_cold_file_that_went_when_its_messages_expired_is_not_missed() {
    let temporary = Temporary::new();
    let data = temporary.join("data");
    let mut stand = Stand::open(&data, tiny());
    stand.create("q", &[("MessageRetentionPeriod", "60")]);
    stand.create("other", &[]);
    for number in 0..12 {
        stand.send("q", &format!("q {number:02}"), None, None);
    }
    let cut = stand.writer.durable();
    stand.retire(cut);
    assert!(!named(&data.join("shard-0000"), "cold-").is_empty());
    stand.pass(120_000);
    stand.send("other", "later", None, None);
    assert!(named(&data.join("shard-0000"), "cold-").is_empty());
    drop(stand);
    let examined = examine(&data);
    assert!(examined.is_sound(), "{:?}", examined.damage().collect::<Vec<_>>());
    drop(examined);
    assert_eq!(Stand::open(&data, tiny()).drain(&["other"])["other"], ["later"]);
}

#[test]
fn a_repaired_directory_goes_on() {
    let temporary = Temporary::new();
    let data = temporary.join("data");
    story(&data);
    flip(&named(&data.join("shard-0000"), "cold-")[0], 64 + 16 + 40);
    examine(&data).repair().expect("to repair");
    let mut stand = Stand::open(&data, tiny());
    stand.send("q", "q after", None, None);
    let cut = stand.writer.durable();
    stand.retire(cut);
    drop(stand);
    assert!(examine(&data).is_sound());
    assert!(content(&data, &temporary)["q"].contains(&"q after".to_owned()));
    // A second repair has a place of its own.
    fs::remove_file(data.join("shard-0000/epoch")).expect("remove");
    let repaired = examine(&data).repair().expect("to repair");
    assert_eq!(repaired.aside, data.join("damaged-2"));
}

#[test]
fn a_message_that_is_not_what_was_sent_is_found_wherever_it_lies_and_costs_no_other() {
    // Four are in the window, the others in a piece of a cold file.
    for (number, lost) in [(1, 1), (7, 0)] {
        let temporary = Temporary::new();
        let data = temporary.join("data");
        let mut stand = Stand::open(&data, tiny());
        stand.create("q", &[]);
        for other in 0..12 {
            match other == number {
                true => stand.send_changed("q", &format!("q {other:02}")),
                false => stand.send("q", &format!("q {other:02}"), None, None),
            }
        }
        stand.retire(stand.writer.durable());
        drop(stand);
        let examined = examine(&data);
        assert!(!examined.is_sound(), "{number} was not found");
        assert_eq!(examined.shards[0].1.lost_messages(), lost);
        assert!(examined.repair().expect("to repair").left.is_empty());
        let drained = Stand::open(&data, tiny()).drain(&["q"]);
        let left = (0..12).filter(|other| lost == 0 || *other != number);
        assert_eq!(drained["q"], left.map(|number| format!("q {number:02}")).collect::<Vec<_>>());
    }
}
