//! From a start after SIGKILL to the first message.
//!
//! What a start takes follows how much of the journal lies behind the newest snapshot, which is up to the moment of the crash. So both
//! servers are brought to the same one: their journals have just been retired, and the same number of messages came since.

use std::time::Duration;

use super::backlog::Deep;
use super::pauses::retirements;
use super::{QUEUE, Series};
use crate::server::Server;
use crate::table::{Row, Table, Unit};
use kew_load::Failure;
use kew_load::options::Options;
use kew_load::report::{grouped, micros};
use kew_load::session::Session;
use kew_load::work;

/// The longest restart, in milliseconds.
const LONGEST: f64 = 2000.0;

/// Ten times the backlog must not take longer.
const GROWTH: f64 = 1.5;

/// Messages that came since the journal was last retired: a fair part of what its bound allows.
const SINCE: u64 = 50_000;

/// So many messages are sent, and so many again, until the journal is retired; and how often at most.
const UNTIL: (u64, u32) = (10_000, 100);

impl Series<'_> {
    /// Restarts the server with the deep backlog, and one with a tenth of it, in turn.
    pub(super) async fn restart(&self, table: &mut Table, deep: &mut Deep) -> Result<(), Failure> {
        let part = (self.asked.messages / 10).max(1);
        eprintln!("filling a queue with {part} messages");
        let mut tenth = self.kew().await?;
        self.fill(&tenth, None, part).await?;
        super::settle(&tenth).await?;
        for round in 1..=self.asked.rounds {
            eprintln!("restarts, round {round} of {}", self.asked.rounds);
            for server in [&tenth, &deep.server] {
                just_retired(server).await?;
            }
            let queue = Session::open(&tenth.options(QUEUE), None).await?;
            tenth.crash_and_start()?;
            let short = first_message(&mut tenth, queue.queue_url()).await?;
            let queue = Session::open(&deep.server.options(QUEUE), None).await?;
            deep.crash()?;
            let long = first_message(&mut deep.server, queue.queue_url()).await?;
            for (backlog, time) in [(part, short), (deep.waiting, long)] {
                let backlog = grouped(backlog as f64);
                let name = format!("from a start after SIGKILL to the first message, backlog of {backlog}");
                table.add(Row::at_most(name, Unit::Millis, LONGEST), micros(time) / 1e3);
            }
            let row = Row::at_most("restart at the deep backlog / at a tenth of it", Unit::Ratio, GROWTH);
            table.add(row, long.as_secs_f64() / short.as_secs_f64());
        }
        Ok(())
    }
}

/// Sends until the journal has been retired, and then [`SINCE`] more.
async fn just_retired(server: &Server) -> Result<(), Failure> {
    let before = retirements(server).await?;
    for _ in 0..UNTIL.1 {
        send(server, UNTIL.0).await?;
        super::settle(server).await?;
        if retirements(server).await? > before {
            return send(server, SINCE).await;
        }
    }
    Err(Failure::Process("a retirement".to_owned(), "never came".to_owned()))
}

async fn send(server: &Server, count: u64) -> Result<(), Failure> {
    let options = Options { count: Some(count), ..server.options(QUEUE) };
    work::send_batch(&Session::open(&options, None).await?).await.map(drop)
}

/// Asks a server that is starting for a message until it gives one. The message can be received again at once.
async fn first_message(server: &mut Server, queue_url: &str) -> Result<Duration, Failure> {
    let body = format!(r#"{{"QueueUrl":"{queue_url}","MaxNumberOfMessages":1,"VisibilityTimeout":0}}"#);
    server
        .first("ReceiveMessage", body.as_bytes(), |answer| {
            memchr::memmem::find(answer, b"\"ReceiptHandle\"").is_some()
        })
        .await
}
