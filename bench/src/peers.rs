//! Load for queues that speak other protocols than SQS, to see what a user would get who took one of them instead.
//!
//! The same generator: one thread, one request at a time on each connection, latencies counted in the same way. What a send waits for is what
//! that server offers to make sure of a message: a confirmation behind a sync. A receive takes up to ten and then acknowledges them.

mod amqp;
mod nats;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use kew_load::Failure;
use kew_load::options::{LEAST_BODY, Options};
use kew_load::report::Report;
use kew_load::run::{Run, Worker};

use crate::options::{Other, OtherWork, Peer as Protocol};

/// Messages that a receive takes at most.
const BATCH: usize = 10;

/// How long a receive waits at least before it gives up; then it asks again.
const WAIT: Duration = Duration::from_secs(1);

/// A connection to one queue of a server.
trait Peer: Sized + 'static {
    /// Connects, and makes the queue if it is not there.
    async fn open(address: SocketAddr, queue: &str) -> io::Result<Self>;

    /// Sends a message, and returns once the server has made sure of it.
    async fn send(&mut self, body: &[u8]) -> io::Result<()>;

    /// Waits for messages, and puts the numbers that they begin with into `numbers`: none if none came within a while.
    async fn receive(&mut self, numbers: &mut Vec<u64>) -> io::Result<()>;

    /// Acknowledges what was received last.
    async fn acknowledge(&mut self) -> io::Result<()>;
}

/// Does the work that is asked for and prints what came of it, as a line of JSON.
pub async fn run(asked: &Other) -> Result<(), Failure> {
    let report = match asked.peer {
        Protocol::Amqp => work::<amqp::Amqp>(asked).await?,
        Protocol::Nats => work::<nats::Nats>(asked).await?,
    };
    eprintln!("{report}");
    println!("{}", report.json());
    Ok(())
}

async fn work<P: Peer>(asked: &Other) -> Result<Report, Failure> {
    let options = Options {
        connections: asked.connections,
        body_bytes: asked.body_bytes,
        duration: asked.duration,
        warmup: 0.5,
        rate: asked.rate,
        pid: asked.pid,
        ..Options::default()
    };
    match asked.work {
        OtherWork::Send => drive::<P>("send", asked, &options, options.connections, 0).await,
        OtherWork::ReceiveDelete => {
            let filling = Options { warmup: 0.0, ..options.clone() };
            let filled = drive::<P>("send", asked, &filling, options.connections, 0).await?;
            let count = filled.main().map(|row| row.messages);
            let options = Options { count, ..options };
            drive::<P>("receive-delete", asked, &options, 0, options.connections).await
        }
        OtherWork::EndToEnd => {
            let half = (options.connections / 2).max(1);
            drive::<P>("end-to-end", asked, &options, half, half).await
        }
    }
}

async fn drive<P: Peer>(
    name: &'static str,
    asked: &Other,
    options: &Options,
    senders: u32,
    receivers: u32,
) -> Result<Report, Failure> {
    let rows: &[&str] = match (senders, receivers) {
        (_, 0) => &["send"],
        (0, _) => &["receive", "acknowledge"],
        _ => &["send", "receive", "acknowledge", "end to end"],
    };
    let address = asked.address;
    let unreachable = |error| Failure::Unreachable(address.to_string(), error);
    // All are connected before anything is counted: making a queue is slow in some.
    let mut peers = Vec::new();
    for _ in 0..senders + receivers {
        peers.push(P::open(address, &asked.queue).await.map_err(unreachable)?);
    }
    let run = Run::new(options, rows);
    let epoch = Instant::now();
    let filler = vec![b'a'; options.body_bytes.saturating_sub(LEAST_BODY) as usize];
    let mut workers: Vec<Worker> = Vec::new();
    for (index, peer) in (0..).zip(peers) {
        let run = Rc::clone(&run);
        if index < senders {
            workers.push(Box::pin(send(peer, run, epoch, filler.clone())));
        } else {
            workers.push(Box::pin(receive(peer, run, epoch, if senders > 0 { 1 } else { 0 })));
        }
    }
    run.drive(name, options.pid, workers).await
}

async fn send(mut peer: impl Peer, run: Rc<Run>, epoch: Instant, filler: Vec<u8>) -> Result<(), Failure> {
    let mut body = Vec::new();
    while run.take(1) > 0 {
        let due = run.due().await;
        body.clear();
        body.extend_from_slice(format!("{:020}", due.saturating_duration_since(epoch).as_nanos()).as_bytes());
        body.extend_from_slice(&filler);
        match peer.send(&body).await {
            Ok(()) => run.record(0, due, 1),
            Err(error) => return Err(Failure::Process("send".to_owned(), error.to_string())),
        }
    }
    Ok(())
}

async fn receive(mut peer: impl Peer, run: Rc<Run>, epoch: Instant, row: usize) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::Process("receive".to_owned(), error.to_string());
    let mut numbers = Vec::with_capacity(BATCH);
    while !run.is_over() {
        numbers.clear();
        let started = Instant::now();
        peer.receive(&mut numbers).await.map_err(failed)?;
        if numbers.is_empty() {
            continue;
        }
        run.record(row, started, numbers.len() as u64);
        if row > 0 {
            numbers.iter().for_each(|nanos| run.record(row + 2, epoch + Duration::from_nanos(*nanos), 1));
        }
        let started = Instant::now();
        peer.acknowledge().await.map_err(failed)?;
        run.record(row + 1, started, numbers.len() as u64);
    }
    Ok(())
}

/// The number that a body begins with.
fn number(body: &[u8]) -> u64 {
    let digits = body.get(..LEAST_BODY as usize).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

fn wrong(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
