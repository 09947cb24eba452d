use kew_engine::shard::Command;
use kew_store::{Retirement, Step};

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
