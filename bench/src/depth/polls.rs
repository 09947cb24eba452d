//! Many queues, each with one long poll, and nothing to receive.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Series;
use crate::figures::Figures;
use crate::process::Memory;
use crate::server::Server;
use crate::table::{Row, Table, Unit};
use kew_load::Failure;
use kew_load::client::Client;
use kew_load::options::Options;
use kew_load::process::{cpu_time, raise_open_files};
use kew_load::run::{NO_ROW, Run, Worker};
use kew_load::session::Session;
use kew_load::work::BATCH;

/// How long each poll asks to wait, in seconds: the longest that SQS knows.
const WAIT: u8 = 20;

/// The most that a server may need while everybody waits, in hundredths of a core.
const CPU: f64 = 2.0;

/// The most memory that a queue and a waiting poll may take, in 2^10 bytes.
const MEMORY: (f64, f64) = (64.0, 16.0);

/// How long everybody is given to begin to wait, and to connect before that; and how often, if the server was slower.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSES: u32 = 10;

/// Receives that wait in the server.
const WAITING: &str = "kew_receives_waiting";

impl Series<'_> {
    /// What idle queues and idle polls cost.
    pub(super) async fn polls(&self, table: &mut Table) -> Result<(), Failure> {
        let count = self.asked.queues;
        eprintln!("{count} queues, each polled");
        raise_open_files();
        let server = self.kew().await?;
        let empty = Memory::of(server.pid())?;
        let mut sessions = Vec::new();
        for number in 0..count {
            sessions.push(Session::open(&server.options(&format!("idle-{number}")), None).await?);
        }
        let created = Memory::of(server.pid())?;
        let each = |more: Memory, less: Memory| {
            more.resident.saturating_sub(less.resident) as f64 / 1024.0 / f64::from(count)
        };
        table.add(
            Row::at_most("memory per queue that holds nothing", Unit::Kibibytes, MEMORY.0),
            each(created, empty),
        );

        // Far longer than all of this takes: the polls are dropped when enough was seen.
        let long = 10.0 * (f64::from(WAIT) + (PAUSE * PAUSES).as_secs_f64() + self.asked.idle);
        let options = Options { duration: long, warmup: 0.0, ..server.options("idle") };
        let run = Run::new(&options, &["receive"]);
        let mut polls = Vec::new();
        for session in &sessions {
            let mut client = Client::new(session, &run);
            client.open().await?;
            polls.push(Box::pin(poll(client, Rc::clone(&run))) as Worker);
        }
        tokio::time::sleep(PAUSE).await;
        let connected = Memory::of(server.pid())?;
        let polls = Rc::clone(&run).drive("polls", None, polls);
        let (waiting, core_share) = tokio::select! {
            // It ends before the watch does only if something fails.
            ended = polls => return Err(ended.err().unwrap_or_else(|| {
                Failure::Process("the polls".to_owned(), "ended before they were measured".to_owned())
            })),
            watched = self.watch(&server) => watched?,
        };
        table.add(Row::new("memory per open connection", Unit::Kibibytes), each(connected, created));
        let row = Row::at_most("memory per waiting poll, its connection included", Unit::Kibibytes, MEMORY.1);
        table.add(row, each(waiting, created));
        let name = format!("server CPU while {count} queues are each polled for {WAIT} s and nothing comes");
        table.add(Row::at_most(name, Unit::Percent, CPU), core_share * 100.0);
        table.note(None, None, run.error_count());
        Ok(())
    }

    /// Waits until all polls wait. Gives the memory then, and the share of a core that the server needs from then on.
    async fn watch(&self, server: &Server) -> Result<(Memory, f64), Failure> {
        let memory = self.all_wait(server).await?;
        let (start, before) = (Instant::now(), cpu_time(server.pid())?);
        tokio::time::sleep(Duration::from_secs_f64(self.asked.idle.max(0.1))).await;
        let used = cpu_time(server.pid())?.saturating_sub(before);
        Ok((memory, used.as_secs_f64() / start.elapsed().as_secs_f64()))
    }

    /// Waits until the server says that all polls wait, and gives its memory from just before it was asked: the figures of so many
    /// queues are a long text, and the room for it is no part of a poll's.
    async fn all_wait(&self, server: &Server) -> Result<Memory, Failure> {
        let mut count = 0.0;
        for _ in 0..PAUSES {
            tokio::time::sleep(PAUSE).await;
            let memory = Memory::of(server.pid())?;
            count = Figures::read(&server.url()).await?.known(WAITING)?;
            if count >= f64::from(self.asked.queues) {
                return Ok(memory);
            }
        }
        Err(Failure::Process(WAITING.to_owned(), format!("is {count} and not {}", self.asked.queues)))
    }
}

/// Polls again and again.
async fn poll(mut client: Client, run: Rc<Run>) -> Result<(), Failure> {
    while !run.is_over() {
        client.receive(NO_ROW, BATCH, WAIT, |_| ()).await?;
    }
    Ok(())
}
