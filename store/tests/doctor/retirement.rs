use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::path::Path;

use kew_engine::shard::Command;
use kew_store::doctor::Examination;
use kew_store::{Lost, Retirement, Step};

use super::stand::*;

#[test]
fn a_retirement_comes_to_its_end_though_others_send_faster_than_it_copies() {
    let home = Temporary::new();
    let mut stand = Stand::open(&home.join("data"), tiny());
    stand.create("q", &[]);
    let mut sent = 0;
    let mut send = |stand: &mut Stand, count| {
        for number in sent..sent + count {
            stand.send("q", &number.to_string(), None, None);
        }
        sent += count;
    };
    // More than fills a piece of a cold file, at every step.
    let many = stand.config().frame_messages + 10;
    send(&mut stand, many);
    let cut = stand.writer.durable();
    let (source, snapshots) = (stand.opened.source.clone(), stand.opened.snapshots.clone());
    let mut retirement = Retirement::begin(tiny(), source, snapshots, cut).expect("to begin");
    for _ in 0..6 {
        match retirement.step().expect("a step") {
            Step::Tell(stored) => stand.submit(Command::Stored(stored)),
            Step::Done(outcome) => return assert!(outcome.keep >= cut),
        };
        send(&mut stand, many);
    }
    panic!("six steps, and no end");
}

/// Cuts the segment short that holds this text, where the text begins: from there on it cannot be read.
fn tear(shard: &Path, text: &str) {
    for entry in fs::read_dir(shard).expect("list") {
        let path = entry.expect("entry").path();
        let bytes = fs::read(&path).expect("read");
        if let Some(at) = bytes.windows(text.len()).position(|window| window == text.as_bytes()) {
            let file = OpenOptions::new().write(true).open(&path).expect("open");
            return file.set_len(at as u64).expect("to cut");
        }
    }
    panic!("{text} is nowhere");
}

/// Retires all that there is, after a retirement that left this unread. Gives what this one leaves, and what was lost; `Err` if it did
/// not come to its end.
fn retire(stand: &mut Stand, doubted: BTreeSet<u64>) -> (Result<u64, BTreeSet<u64>>, Vec<Lost>) {
    let (source, snapshots) = (stand.opened.source.clone(), stand.opened.snapshots.clone());
    let cut = stand.writer.durable();
    let retirement = Retirement::begin(tiny(), source, snapshots, cut).expect("to begin");
    let (mut retirement, mut lost) = (retirement.doubting(doubted), Vec::new());
    loop {
        let step = retirement.step();
        lost.extend(retirement.take_lost());
        match step {
            Ok(Step::Tell(stored)) => _ = stand.submit(Command::Stored(stored)),
            Ok(Step::Done(outcome)) => return (Ok(outcome.keep), lost),
            Err(_) => return (Err(retirement.unread().clone()), lost),
        }
    }
}

#[test]
fn messages_that_cannot_be_read_twice_do_not_keep_the_journal_long_and_cost_no_other() {
    // In the window, and behind it.
    for (torn, gone) in [("q 02", 2..3), ("q 09", 9..10)] {
        let home = Temporary::new();
        let data = home.join("data");
        let mut stand = Stand::open(&data, tiny());
        stand.create("q", &[]);
        stand.create("other", &[]);
        for number in 0..12 {
            // Each segment holds one of these and what came before it.
            stand.send("q", &format!("q {number:02} {}", "x".repeat(5000)), None, None);
        }
        stand.retire(0);
        stand.send("other", "later", None, None);
        tear(&data.join("shard-0000"), torn);
        let before = stand.writer.durable();
        let (outcome, lost) = retire(&mut stand, BTreeSet::new());
        let unread = outcome.expect_err("the first time may be an accident");
        assert!(lost.is_empty() && unread.len() == 1);
        let (outcome, lost) = retire(&mut stand, unread);
        assert!(outcome.expect("it comes to its end") >= before, "the journal stays long");
        assert_eq!(lost.len(), 1);
        assert_eq!(lost[0].queue.as_ref(), Some(&key("q")));
        assert!(lost[0].error.to_string().contains("segment-"), "{}", lost[0].error);
        let (outcome, lost) = retire(&mut stand, BTreeSet::new());
        assert!(outcome.is_ok() && lost.is_empty(), "once is enough");
        drop(stand);

        let examined = Examination::begin(&data, &tiny(), &|_, _| {}).expect("to look");
        assert_eq!(examined.shards[0].1.lost_messages(), 1, "the doctor finds it");
        assert!(examined.repair().expect("to repair").left.is_empty());
        assert!(Examination::begin(&data, &tiny(), &|_, _| {}).expect("to look").is_sound());
        let bodies = Stand::open(&data, tiny()).drain(&["q"]).remove("q").expect("the queue");
        let left: Vec<String> = bodies.iter().map(|body| body[..4].to_owned()).collect();
        let whole = (0..12).filter(|number| !gone.contains(number));
        assert_eq!(left, whole.map(|number| format!("q {number:02}")).collect::<Vec<_>>());
    }
}
