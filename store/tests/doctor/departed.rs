//! Messages on their way to another shard, which are in no queue.

use std::fs;
use std::path::{Path, PathBuf};

use kew_engine::services::sqs::command::QueueAction;
use kew_store::doctor::Examination;

use crate::stand::{Stand, Temporary, key, tiny};

/// A shard with three messages on their way, `m0` to `m2`, and one that waits. Their bytes lie in the journal, which reaches back to its
/// beginning, or in a cold file that nobody else needs.
fn departed(path: &Path, is_cold: bool) {
    let mut stand = Stand::open(path, tiny());
    stand.create("away", &[]);
    let redrive =
        r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:away","maxReceiveCount":"1"}"#;
    stand.create("q", &[("RedrivePolicy", redrive)]);
    for number in 0..3 {
        stand.send("q", &format!("m{number}"), None, None);
    }
    assert_eq!(stand.receive("q", 10).len(), 3);
    stand.pass(700_000);
    stand.of("away", QueueAction::Remove);
    stand.opened.shard.tell_elsewhere(key("away"), Some(1));
    assert!(stand.receive("q", 10).is_empty());
    assert_eq!(stand.opened.shard.leaving(), 3);
    let cut = if is_cold { stand.writer.durable() } else { 0 };
    stand.retire(cut);
    stand.send("q", "waits", None, None);
}

fn only(path: &Path, prefix: &str, holding: &[u8]) -> PathBuf {
    let files =
        fs::read_dir(path.join("shard-0000")).expect("list").map(|entry| entry.expect("entry").path());
    let mut files = files.filter(|path| {
        let is_named = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
        is_named && fs::read(path).expect("read").windows(holding.len()).any(|window| window == holding)
    });
    files.next().expect("a file")
}

fn damage(path: &Path, body: &[u8]) {
    let mut bytes = fs::read(path).expect("read");
    let at = bytes.windows(body.len()).position(|window| window == body).expect("the body");
    bytes[at] ^= 4;
    fs::write(path, bytes).expect("write");
}

/// What a repair says it loses, and the bodies of what is still on its way then.
fn repaired(data: &Path) -> (u64, Vec<String>) {
    let examine = || Examination::begin(data, &tiny(), &|_, _| {}).expect("to look");
    let examined = examine();
    assert!(!examined.is_sound(), "the damage was not found");
    let said = examined.shards[0].1.loss.messages.get(&key("q")).copied().unwrap_or_default();
    let repaired = examined.repair().expect("to repair");
    assert!(repaired.left.is_empty(), "{:?}", repaired.left);
    assert!(examine().is_sound());
    let mut stand = Stand::open(data, tiny());
    let mut bodies = Vec::new();
    if let Some(mut transfer) = stand.opened.shard.poll_transfer(1) {
        let source = stand.opened.source.clone();
        let payloads = transfer.read(|payload| source.read(payload).ok()).expect("all can be read");
        let body = |payload| kew_engine::services::sqs::message::decode(payload).expect("a payload").body;
        bodies.extend(payloads.into_iter().map(|payload| body(payload).to_string()));
    }
    assert_eq!(stand.receive("q", 1)[0].0, "waits");
    (said, bodies)
}

#[test]
fn one_that_is_damaged_in_the_journal_is_lost_and_no_other() {
    let place = Temporary::new();
    let data = place.join("data");
    departed(&data, false);
    damage(&only(&data, "segment-", b"m1"), b"m1");
    assert_eq!(repaired(&data), (1, vec!["m0".into(), "m2".into()]));
}

#[test]
fn a_cold_file_that_only_they_need_is_missed() {
    let place = Temporary::new();
    let data = place.join("data");
    departed(&data, true);
    fs::remove_file(only(&data, "cold-", b"m1")).expect("remove");
    assert_eq!(repaired(&data), (3, Vec::new()));
}

#[test]
fn those_in_a_damaged_piece_of_a_cold_file_are_lost() {
    let place = Temporary::new();
    let data = place.join("data");
    departed(&data, true);
    damage(&only(&data, "cold-", b"m1"), b"m1");
    assert_eq!(repaired(&data), (3, Vec::new()));
}

#[test]
fn a_whole_shard_with_messages_on_their_way_is_sound_and_they_are_counted() {
    for is_cold in [false, true] {
        let place = Temporary::new();
        let data = place.join("data");
        departed(&data, is_cold);
        let examined = Examination::begin(&data, &tiny(), &|_, _| {}).expect("to look");
        assert!(examined.is_sound(), "{:?}", examined.damage().collect::<Vec<_>>());
        let checkup = &examined.shards[0].1;
        assert_eq!((checkup.departed.len(), checkup.lost_messages()), (3, 0));
    }
}
