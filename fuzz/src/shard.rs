//! What a shard reads back: batches of facts, its own snapshot, and messages.

use bytes::Bytes;
use kew_engine::identity::{Account, Caller};
use kew_engine::services::sqs::api::{self, Call};
use kew_engine::services::sqs::message;
use kew_engine::shard::{Command, Config, Shard, Stamp, Token};
use kew_engine::time::Moment;
use kew_journal::OVERHEAD;
use kew_wire::{RequestHead, Text, sqs};

use crate::request::JSON;

/// What a short life left behind.
#[derive(Debug)]
pub struct Life {
    /// Its batches: where each begins, and its bytes.
    pub batches: Vec<(u64, Bytes)>,
    /// Its state at the end.
    pub snapshot: Vec<u8>,
}

/// Every operation in a row, on a queue and on a FIFO queue, from a journal's position on.
pub fn life(start: u64) -> Life {
    let mut shard = Shard::new(Config::new(OVERHEAD), start);
    shard.found(stamp(0), 7);
    let mut batches = Vec::new();
    let mut collect = |shard: &mut Shard| {
        while let Some(batch) = shard.poll_append() {
            shard.handle_durable(batch.start + batch.bytes.len() as u64);
            batches.push((batch.start, batch.bytes));
        }
        while shard.poll_reply().is_some() {}
    };
    collect(&mut shard);
    let extra = [
        ("CreateQueue", r#"{"QueueName":"q"}"#),
        ("CreateQueue", r#"{"QueueName":"d"}"#),
        ("CreateQueue", r#"{"QueueName":"d.fifo","Attributes":{"FifoQueue":"true"}}"#),
        ("SendMessage", r#"{"QueueUrl":"q","MessageBody":"one"}"#),
    ];
    let sends = std::iter::repeat_n(JSON[17], 6).chain(std::iter::repeat_n(JSON[18], 3));
    let fifo =
        r#"{"QueueUrl":"orders.fifo","MessageBody":"b","MessageGroupId":"g","MessageDeduplicationId":"d"}"#;
    let receives = [("SendMessage", fifo), JSON[15], ("ReceiveMessage", r#"{"QueueUrl":"orders.fifo"}"#)];
    let rest = JSON.iter().copied().filter(|(name, _)| !matches!(*name, "DeleteQueue" | "PurgeQueue"));
    let all = extra.into_iter().chain(rest.clone()).chain(sends).chain(receives).chain(rest);
    for (number, (operation, body)) in all.enumerate() {
        let now = stamp(1_000 + 700 * number as u64);
        if let Some(command) = command(operation, body) {
            shard.submit(now, Token(number as u64), Command::Sqs(command));
        }
        shard.tick(now);
        collect(&mut shard);
    }
    let snapshot = shard.snapshot();
    Life { batches, snapshot }
}

fn stamp(now: u64) -> Stamp {
    Stamp { now: Moment(now), seed: now }
}

fn command(operation: &str, body: &str) -> Option<kew_engine::services::sqs::Command> {
    let target = format!("AmazonSQS.{operation}");
    let head = RequestHead { method: "POST", path: "/", target: Some(&target), ..Default::default() };
    let route = kew_wire::recognise(&head, None).ok()?;
    let request =
        kew_wire::decode::<sqs::Sqs>(&route, &head, Bytes::copy_from_slice(body.as_bytes())).ok()?;
    let call = Call {
        caller: Caller::open(Account::DEFAULT, Text::from_static("us-east-1")),
        endpoint: Text::from_static("http://localhost:4566"),
        query: false,
        trace: None,
    };
    api::prepare(&call, request).ok().map(|(command, _)| command)
}

/// A batch, behind eight bytes that say at which moment the shard goes on.
pub fn replay(input: &[u8]) {
    let Some((moment, batch)) = input.split_first_chunk::<8>() else { return };
    let mut shard = Shard::new(Config::new(OVERHEAD), OVERHEAD);
    if shard.replay(OVERHEAD, Bytes::copy_from_slice(batch)).is_ok() {
        go_on(shard, u64::from_le_bytes(*moment));
    }
}

/// A state.
pub fn snapshot(input: &[u8]) {
    if let Ok(shard) = Shard::restore(Config::new(OVERHEAD), OVERHEAD, Bytes::copy_from_slice(input)) {
        let later = shard.now().0 + 60_000;
        go_on(shard, later);
    }
}

/// As far as clocks get: that of the server can be advanced until then, and not beyond.
const LATEST: u64 = 1 << 52;

/// A state that was taken is one to go on from, and to write down; and what was written is read again.
fn go_on(mut shard: Shard, moment: u64) {
    shard.catch_up();
    read_again(&shard);
    if shard.now().0 > LATEST {
        return;
    }
    shard.resume(stamp(moment.min(LATEST)), 1 << 20);
    let used = ["ReceiveMessage", "SendMessage", "GetQueueAttributes", "ListMessageMoveTasks"];
    for (number, (operation, body)) in JSON.iter().enumerate().filter(|(_, (name, _))| used.contains(name)) {
        let now = stamp(shard.now().0 + 1000);
        if let Some(command) = command(operation, body) {
            shard.submit(now, Token(number as u64), Command::Sqs(command));
        }
        shard.tick(now);
        while let Some(batch) = shard.poll_append() {
            shard.handle_durable(batch.start + batch.bytes.len() as u64);
        }
        while shard.poll_reply().is_some() {}
    }
    read_again(&shard);
}

fn read_again(shard: &Shard) {
    let written = Bytes::from(shard.snapshot());
    if Shard::restore(Config::new(OVERHEAD), 1 << 20, written).is_err() {
        panic!("a state that was taken cannot be read again");
    }
}

/// A message as the journal keeps it: what is read is written as it was.
pub fn payload(input: &[u8]) {
    if let Ok(payload) = message::decode(Bytes::copy_from_slice(input)) {
        let written = message::encode(&payload);
        let again = message::decode(written.clone()).expect("what was written is read");
        assert_eq!(message::encode(&again), written);
    }
}

/// A life in one batch.
pub fn replay_seeds() -> Vec<Vec<u8>> {
    let life = life(OVERHEAD);
    let all: Vec<u8> = life.batches.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
    let mut seeds: Vec<Vec<u8>> =
        life.batches.iter().map(|(_, bytes)| [&[0; 8], &bytes[..]].concat()).collect();
    seeds.push([&1_000_000_u64.to_le_bytes(), &all[..]].concat());
    seeds
}

/// A life's state.
pub fn snapshot_seeds() -> Vec<Vec<u8>> {
    vec![life(OVERHEAD).snapshot]
}

/// Messages of both kinds.
pub fn payload_seeds() -> Vec<Vec<u8>> {
    let text = |text: &'static str| Text::from_static(text);
    let mut payload = message::Payload {
        body: text("a body"),
        body_md5: message::md5(b"a body"),
        attributes: Vec::new(),
        attributes_md5: None,
        trace: Some(text("Root=1")),
        sender: text("000000000000"),
        group: Some(text("g")),
        dedup: Some(message::Dedup::Content([1; 32])),
    };
    let first = message::encode(&payload).to_vec();
    payload.attributes = vec![(
        text("n"),
        sqs::MessageAttributeValue {
            data_type: text("String"),
            string_value: Some(text("v")),
            ..Default::default()
        },
    )];
    payload.attributes_md5 = Some([2; 16]);
    payload.dedup = Some(message::Dedup::Given(text("id")));
    vec![first, message::encode(&payload).to_vec()]
}
