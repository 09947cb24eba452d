//! The pieces of a request's way, each by itself: what CPU goes where, without sockets, threads and the disk.
//!
//! `cargo bench -p kew-bench` measures; `cargo test` runs each once, so that they keep working.

mod machine;

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use kew_engine::services::sqs::message::md5;
use kew_journal::disk::Real;
use kew_journal::{Durability, Options};
use kew_wire::auth::{Claim, Expected, Secret, SignedRequest, SigningKey, sign};
use kew_wire::services::sqs::Sqs;
use kew_wire::{Dialect, decode, encode_reply, recognise};

use machine::{BATCH, Machine, Spoken, delete, receive, send, send_batch};

/// Bytes of message bodies.
const BODIES: [usize; 2] = [100, 1024];

/// From a request's bytes to what is asked, in both dialects.
fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for bytes in BODIES {
        for (name, spoken) in [("json", Spoken::Json), ("query", Spoken::Query)] {
            let body = send(spoken, bytes);
            let head = spoken.head("SendMessage");
            group.bench_function(format!("SendMessage {bytes} B {name}"), |bencher| {
                bencher.iter(|| {
                    let route = recognise(&head, Some("sqs")).expect("a route");
                    black_box(decode::<Sqs>(&route, &head, body.clone()).expect("a request"))
                });
            });
        }
    }
    group.finish();
}

/// The hash that each sender gets back.
fn hash(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("md5");
    for bytes in BODIES {
        let body = vec![b'x'; bytes];
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(format!("{bytes} B"), |bencher| bencher.iter(|| md5(black_box(&body))));
    }
    group.finish();
}

/// From a request to the command that the shard takes: limits, hashes, the payload as it will be kept.
fn check(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("check");
    let machine = Machine::new();
    for bytes in BODIES {
        let request = machine.read(Spoken::Json, "SendMessage", send(Spoken::Json, bytes));
        group.bench_function(format!("SendMessage {bytes} B"), |bencher| {
            bencher.iter_batched(|| request.clone(), |request| machine.check(request), BatchSize::SmallInput);
        });
    }
    group.finish();
}

/// What the shard does: decide, note the facts, apply them, give the batch away, let the answers go.
fn decide(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide and apply");
    let mut machine = Machine::new();
    let (command, _) = machine.check(machine.read(Spoken::Json, "SendMessage", send(Spoken::Json, 100)));
    group.bench_function("SendMessage", |bencher| bencher.iter(|| machine.decide(command.clone())));
    let mut machine = Machine::new();
    let batch = machine.check(machine.read(Spoken::Json, "SendMessageBatch", send_batch(100))).0;
    let asked = machine.check(machine.read(Spoken::Json, "ReceiveMessage", receive())).0;
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("SendMessageBatch, ReceiveMessage, DeleteMessageBatch of ten", |bencher| {
        bencher.iter(|| {
            machine.decide(batch.clone());
            let received = machine.decide(asked.clone());
            let deleted = machine.read(Spoken::Json, "DeleteMessageBatch", delete(&received));
            let (command, _) = machine.check(deleted);
            machine.decide(command)
        });
    });
    group.finish();
}

/// The whole way of a message within the process, both ends of the socket and the disk left out.
fn whole(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("request to reply");
    for (name, spoken) in [("json", Spoken::Json), ("query", Spoken::Query)] {
        let mut machine = Machine::new();
        let body = send(spoken, 100);
        group.bench_function(format!("SendMessage 100 B {name}"), |bencher| {
            bencher.iter(|| machine.answer(spoken, "SendMessage", body.clone()));
        });
    }
    group.finish();
}

/// From a reply to the answer's bytes.
fn render(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("render");
    let mut machine = Machine::new();
    let sent = machine.reply(Spoken::Json, "SendMessage", send(Spoken::Json, 100));
    machine.reply(Spoken::Json, "SendMessageBatch", send_batch(100));
    let received = machine.reply(Spoken::Json, "ReceiveMessage", receive());
    for (name, dialect) in [("json", Dialect::Json), ("query", Dialect::Query)] {
        for (what, reply) in [("SendMessage", &sent), ("ReceiveMessage of ten", &received)] {
            let mut out = Vec::with_capacity(8192);
            group.bench_function(format!("{what} {name}"), |bencher| {
                bencher.iter(|| {
                    out.clear();
                    black_box(encode_reply::<Sqs>(
                        dialect,
                        reply,
                        "00000000-0000-4000-8000-000000000000",
                        &mut out,
                    ));
                });
            });
        }
    }
    group.finish();
}

/// A batch framed, checked and handed to the operating system; nothing waits for the disk.
fn frame(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame and write");
    let folder = std::env::temp_dir().join(format!("kew-bench-frame-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    for messages in [1_usize, 64] {
        let disk = Arc::new(Real::open(folder.join(messages.to_string())).expect("a disk"));
        let options = Options { durability: Durability::Os, ..Options::default() };
        let mut journal = kew_journal::open(disk, &options).expect("a journal");
        let batch = Bytes::from(vec![b'x'; 250 * messages]);
        group.throughput(Throughput::Bytes(batch.len() as u64));
        group.bench_function(format!("{messages} messages"), |bencher| {
            bencher.iter(|| {
                let start = journal.writer.next_start();
                journal.writer.append(start, &batch).expect("an append")
            });
        });
    }
    group.finish();
    std::fs::remove_dir_all(&folder).expect("removed");
}

/// A signature computed anew, the key remembered.
fn verify(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verify");
    let secret = Secret::new(*b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    let claimed = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20150830/us-east-1/sqs/aws4_request, \
        SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=";
    for bytes in BODIES {
        let body = send(Spoken::Json, bytes);
        let mut headers = vec![
            ("host", "localhost:4566".to_owned()),
            ("content-type", "application/x-amz-json-1.0".to_owned()),
            ("x-amz-date", "20150830T123600Z".to_owned()),
            ("x-amz-target", "AmazonSQS.SendMessage".to_owned()),
            ("authorization", claimed.to_owned()),
        ];
        let signature = {
            let view = &*headers;
            let claim = Claim::read(&view, "").expect("well-formed").expect("a claim");
            sign(&claim, &request(view, &body), &secret)
        };
        headers[4].1 += &signature;
        let view = &*headers;
        let key =
            SigningKey::derive(&Claim::read(&view, "").expect("well-formed").expect("a claim"), &secret);
        let expected = Expected { now_ms: 1_440_938_160_000, service: Some("sqs"), region: None };
        group.bench_function(format!("SendMessage {bytes} B"), |bencher| {
            bencher.iter(|| {
                let claim = Claim::read(&view, "").expect("well-formed").expect("a claim");
                claim.check(&expected).expect("in time");
                key.verify(&claim, &request(view, &body)).expect("a true signature");
            });
        });
    }
    group.finish();
}

fn request<'a>(headers: Headers<'a>, body: &'a [u8]) -> SignedRequest<'a, Headers<'a>> {
    SignedRequest { method: "POST", path: "/", query: "", headers, body }
}

type Headers<'a> = &'a [(&'static str, String)];

criterion_group!(hot, parse, hash, check, decide, whole, render, frame, verify);
criterion_main!(hot);
