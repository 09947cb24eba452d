//! A server without sockets, threads and a disk: requests in, answers out, every batch durable at once.

use std::collections::VecDeque;

use bytes::Bytes;
use kew_engine::identity::{Account, Caller};
use kew_engine::services::sqs;
use kew_engine::services::sqs::api::{self, Call, Finish};
use kew_engine::services::sqs::command::{Delivery, Reply as Answer};
use kew_engine::shard::{Batch, Command, Config, Reply, Shard, Stamp, Token};
use kew_engine::time::Moment;
use kew_wire::services::sqs::{Reply as Worded, Request, Sqs};
use kew_wire::{Dialect, RequestHead, Text, decode, encode_reply, recognise};

/// Messages of a batch.
pub(crate) const BATCH: u64 = 10;

/// What the journal puts in front of each batch.
const OVERHEAD: u64 = 32;

const URL: &str = "http://localhost:4566/000000000000/queue";

/// The dialect of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// AWS JSON.
    Json,
    /// Forms, answered in XML.
    Query,
}

impl Spoken {
    /// The head of a request for an operation.
    pub(crate) fn head(self, operation: &'static str) -> RequestHead<'static> {
        let (content_type, target) = match (self, operation) {
            (Self::Json, "CreateQueue") => ("application/x-amz-json-1.0", Some("AmazonSQS.CreateQueue")),
            (Self::Json, "SendMessage") => ("application/x-amz-json-1.0", Some("AmazonSQS.SendMessage")),
            (Self::Json, "SendMessageBatch") => {
                ("application/x-amz-json-1.0", Some("AmazonSQS.SendMessageBatch"))
            }
            (Self::Json, "ReceiveMessage") => {
                ("application/x-amz-json-1.0", Some("AmazonSQS.ReceiveMessage"))
            }
            (Self::Json, "DeleteMessageBatch") => {
                ("application/x-amz-json-1.0", Some("AmazonSQS.DeleteMessageBatch"))
            }
            _ => ("application/x-www-form-urlencoded", None),
        };
        let (host, content_type) = (Some("localhost:4566"), Some(content_type));
        RequestHead { method: "POST", path: "/", query: None, host, content_type, target, accept: None }
    }
}

/// A SendMessage with a body of so many bytes.
pub(crate) fn send(spoken: Spoken, bytes: usize) -> Bytes {
    let text = "x".repeat(bytes);
    Bytes::from(match spoken {
        Spoken::Json => format!(r#"{{"QueueUrl":"{URL}","MessageBody":"{text}"}}"#),
        Spoken::Query => format!(
            "Action=SendMessage&Version=2012-11-05&QueueUrl=http%3A%2F%2Flocalhost%3A4566%2F000000000000%2Fqueue&MessageBody={text}"
        ),
    })
}

/// A batch of ten.
pub(crate) fn send_batch(bytes: usize) -> Bytes {
    let text = "x".repeat(bytes);
    let entry = |id| format!(r#"{{"Id":"{id}","MessageBody":"{text}"}}"#);
    let entries: Vec<String> = (0..BATCH).map(entry).collect();
    Bytes::from(format!(r#"{{"QueueUrl":"{URL}","Entries":[{}]}}"#, entries.join(",")))
}

/// A receive of ten.
pub(crate) fn receive() -> Bytes {
    Bytes::from(format!(r#"{{"QueueUrl":"{URL}","MaxNumberOfMessages":{BATCH}}}"#))
}

/// The deletion of what was received.
pub(crate) fn delete(received: &Answer) -> Bytes {
    let entry =
        |(id, one): (usize, &Delivery)| format!(r#"{{"Id":"{id}","ReceiptHandle":"{}"}}"#, one.handle);
    let entries: Vec<String> = deliveries(received).iter().enumerate().map(entry).collect();
    Bytes::from(format!(r#"{{"QueueUrl":"{URL}","Entries":[{}]}}"#, entries.join(",")))
}

/// Batches that payloads are still read from.
const KEPT: usize = 16;

/// A shard with one queue, and the end of its journal.
pub(crate) struct Machine {
    shard: Shard,
    caller: Caller,
    count: u64,
    journal: VecDeque<Batch>,
}

impl Machine {
    /// A machine whose queue is empty.
    pub(crate) fn new() -> Self {
        let caller = Caller::open(Account::DEFAULT, Text::from_static("us-east-1"));
        let shard = Shard::new(Config::new(OVERHEAD), OVERHEAD);
        let mut machine = Self { shard, caller, count: 0, journal: VecDeque::new() };
        machine.reply(Spoken::Json, "CreateQueue", Bytes::from_static(br#"{"QueueName":"queue"}"#));
        machine
    }

    /// Reads a request.
    pub(crate) fn read(&self, spoken: Spoken, operation: &'static str, body: Bytes) -> Request {
        let head = spoken.head(operation);
        let route = recognise(&head, Some("sqs")).expect("a route");
        decode::<Sqs>(&route, &head, body).expect("a request")
    }

    /// Checks it.
    pub(crate) fn check(&self, request: Request) -> (sqs::Command, Finish) {
        let endpoint = Text::from_static("http://localhost:4566");
        let call = Call { caller: self.caller.clone(), endpoint, query: false, trace: None };
        api::prepare(&call, request).expect("a command")
    }

    /// Lets the shard decide, and its batch be durable at once.
    pub(crate) fn decide(&mut self, command: sqs::Command) -> Answer {
        self.count += 1;
        let stamp = Stamp { now: Moment(1_800_000_000_000 + self.count / 64), seed: self.count };
        self.shard.submit(stamp, Token(self.count), Command::Sqs(command));
        if let Some(batch) = self.shard.poll_append() {
            self.shard.handle_durable(batch.start + batch.bytes.len() as u64);
            if self.journal.len() == KEPT {
                self.journal.pop_front();
            }
            self.journal.push_back(batch);
        }
        match self.shard.poll_reply() {
            Some((_, Reply::Sqs(Ok(answer)))) => answer,
            other => panic!("no answer: {other:?}"),
        }
    }

    /// A request's whole way but for the rendering.
    pub(crate) fn reply(&mut self, spoken: Spoken, operation: &'static str, body: Bytes) -> Worded {
        let request = self.read(spoken, operation, body);
        let (command, finish) = self.check(request);
        let answer = self.decide(command);
        let payloads = deliveries(&answer).iter().map(|delivery| self.payload(delivery)).collect();
        api::finish(finish, Ok(answer), payloads).expect("a reply")
    }

    /// A request's whole way.
    pub(crate) fn answer(&mut self, spoken: Spoken, operation: &'static str, body: Bytes) -> Vec<u8> {
        let reply = self.reply(spoken, operation, body);
        let dialect = if spoken == Spoken::Json { Dialect::Json } else { Dialect::Query };
        let mut out = Vec::with_capacity(512);
        encode_reply::<Sqs>(dialect, &reply, "00000000-0000-4000-8000-000000000000", &mut out);
        out
    }

    fn payload(&self, delivery: &Delivery) -> Bytes {
        let (position, length) = (delivery.payload.position, delivery.payload.length as usize);
        let holds =
            |batch: &&Batch| (batch.start..batch.start + batch.bytes.len() as u64).contains(&position);
        let batch = self.journal.iter().find(holds).expect("a recent batch");
        let at = (position - batch.start) as usize;
        batch.bytes.slice(at..at + length)
    }
}

/// The messages of an answer.
pub(crate) fn deliveries(answer: &Answer) -> &[Delivery] {
    match answer {
        Answer::Received(deliveries) => deliveries,
        _ => &[],
    }
}
