use bytes::Bytes;
use kew_engine::identity::{Account, Caller};
use kew_engine::services::sqs::QueueKey;
use kew_engine::services::sqs::command::{Action, Page};
use kew_engine::services::sqs::{self, settings::Changes};
use kew_engine::shard::{Command, Config, Shard, Stamp, Token};
use kew_engine::time::Moment;
use kew_wire::Text;

use super::script::{check, key};

const STAMP: Stamp = Stamp { now: Moment(1_700_000_000_000), seed: 1 };

fn command(action: Action) -> Command {
    let region = Text::from_static("us-east-1");
    Command::Sqs(sqs::Command { caller: Caller::open(Account::DEFAULT, region), action })
}

fn create(name: &str) -> Command {
    command(Action::Create { key: key(name), changes: Changes::default(), tags: Vec::new() })
}

fn list() -> Command {
    command(Action::List { prefix: Text::default(), page: Page { after: None, max: 10 } })
}

fn answered(shard: &mut Shard) -> Vec<u64> {
    std::iter::from_fn(|| shard.poll_reply()).map(|(token, _)| token.0).collect()
}

#[test]
fn a_queue_keeps_nothing_of_its_request_in_memory() {
    let request = concat!(
        "a.fifo us-east-1 alias/key ",
        r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}}"#
    );
    let request = Bytes::from(request.as_bytes().to_vec());
    let text = |range| Text::try_from(request.slice(range)).unwrap();
    let key = || QueueKey { account: Account::DEFAULT, region: text(7..16), name: text(0..6) };
    let given = [("Policy".into(), text(27..request.len())), ("KmsMasterKeyId".into(), text(17..26))];
    let changes = Changes::parse(&given, "a.fifo", true).unwrap();
    let mut shard = Shard::new(Config::new(0), 0);
    let create = Action::Create { key: key(), changes, tags: vec![(text(0..1), text(20..25))] };
    shard.submit(STAMP, Token(1), command(create));
    let batch = shard.poll_append().unwrap();
    shard.handle_durable(batch.start + batch.bytes.len() as u64);
    let (told, _) = shard.poll_news().unwrap();
    assert_eq!(told, key());
    assert!(shard.poll_reply().is_some());
    drop(given);
    assert!(request.is_unique());
}

#[test]
fn where_the_end_of_the_journal_is_lost_old_handles_mean_no_new_message() {
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         send f.fifo old group=g
         recv f.fifo => old:1
         rewind 2
         +0.001
         send f.fifo new group=g
         send f.fifo next group=g
         recv f.fifo => new:1
         vis f.fifo old 0 => InvalidParameterValueException
         delete f.fifo old
         recv f.fifo => -
         count f.fifo => 1/1/0
         delete f.fifo new
         recv f.fifo => next:1",
    );
}

#[test]
fn numbers_that_follow_a_clock_of_far_later_can_be_read_again() {
    // About the last moment that a journal can name.
    check(
        "create f.fifo FifoQueue=true ContentBasedDeduplication=true
         late 8700000000000
         sends f.fifo a 2 group=g
         crash
         recv f.fifo => a0:1
         delete f.fifo a0
         compact
         crash
         send f.fifo b group=g
         recv f.fifo max=2 => a1:1 b:1",
    );
}

#[test]
fn an_answer_waits_until_everything_that_it_reflects_is_durable() {
    let mut shard = Shard::new(Config::new(8), 0);
    shard.submit(STAMP, Token(1), create("a"));
    let first = shard.poll_append().unwrap();
    shard.submit(STAMP, Token(2), create("b"));
    // Changes nothing itself, but has seen what is not yet on disk.
    shard.submit(STAMP, Token(3), list());
    let second = shard.poll_append().unwrap();
    assert_eq!(second.start, first.start + first.bytes.len() as u64 + 8);
    shard.submit(STAMP, Token(4), list());
    assert!(answered(&mut shard).is_empty());
    shard.handle_durable(first.start + first.bytes.len() as u64);
    assert_eq!(answered(&mut shard), [1]);
    shard.handle_durable(second.start + second.bytes.len() as u64);
    assert_eq!(answered(&mut shard), [2, 3, 4]);
    shard.submit(STAMP, Token(5), list());
    assert_eq!(answered(&mut shard), [5]);
}

#[test]
fn a_batch_that_says_nonsense_is_refused_and_not_guessed_at() {
    let mut shard = Shard::new(Config::new(8), 0);
    shard.submit(STAMP, Token(1), create("a"));
    let batch = shard.poll_append().unwrap();
    for at in 0..batch.bytes.len() {
        let cut = batch.bytes.slice(..at);
        // A cut between two facts is a shorter batch; anywhere else it must be refused. Neither may panic.
        _ = Shard::new(Config::new(8), 0).replay(0, cut);
    }
    let unknown = Bytes::from_static(&[250]);
    assert!(Shard::new(Config::new(8), 0).replay(0, unknown).is_err());
    let orphan = Bytes::from_static(&[13, 77]);
    assert!(Shard::new(Config::new(8), 0).replay(0, orphan).is_err());
}

#[test]
fn leases_receive_counts_and_order_survive_a_crash() {
    check(
        "create q
         sends q m 3
         recv q vis=60 => m0:1
         recv q vis=0 => m1:1
         crash
         count q => 2/1/0
         recv q max=10 vis=0 => m1:2 m2:1
         delete q m0
         crash
         count q => 2/0/0
         +60
         recv q max=10 => m1:3 m2:2
         crash
         delete q m1 m2 => ok ok
         crash
         count q => 0/0/0",
    );
}

#[test]
fn a_cut_journal_and_a_snapshot_give_back_everything() {
    check(
        "create q
         create f.fifo FifoQueue=true ContentBasedDeduplication=true
         sends q m 4
         sends f.fifo a 2 group=g
         send f.fifo b group=h
         recv q vis=60 => m0:1
         recv q vis=0 => m1:1
         send q late delay=100
         recv f.fifo => a0:1
         compact
         crash
         count q => 3/1/1
         recv q max=10 vis=0 => m1:2 m2:1 m3:1
         delete q m0
         compact
         send q more
         compact
         crash
         recv f.fifo max=10 => b:1
         delete f.fifo a0
         recv f.fifo => a1:1
         send f.fifo a0 group=g dedup=a0 => dup
         +100
         recv q max=10 => m1:3 m2:2 m3:2 more:1 late:1",
    );
}
