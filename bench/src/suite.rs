//! Everything that `bench/RESULTS.md` records, measured against servers that are started for it.
//!
//! Every measurement is repeated in rounds, and whatever is compared is measured in turn within one round, because absolute
//! times mean little on a machine that others use too.

use std::path::PathBuf;

use crate::options::{Part, Suite};
use crate::process::Memory;
use crate::server::Server;
use crate::table::{Row, Table, Unit};
use kew_load::Failure;
use kew_load::options::Options;
use kew_load::report::micros;
use kew_load::session::Session;
use kew_load::work;

/// The small backlog that the large one is held against.
const SMALL_BACKLOG: u64 = 1000;

/// Message groups of the FIFO queue.
const GROUPS: u32 = 1000;

/// Messages that a drain of the standard queue begins with, per second of measuring.
const DRAIN_PER_SECOND: f64 = 75_000.0;

/// Runs the series and prints its table.
pub async fn run(asked: &Suite) -> Result<(), Failure> {
    let mut table = Table::default();
    let series = Series { asked, scratch: asked.scratch.clone().unwrap_or_else(std::env::temp_dir) };
    let wanted = |part| asked.only.is_empty() || asked.only.contains(&part);
    for round in 1..=asked.rounds {
        eprintln!("round {round} of {}", asked.rounds);
        if wanted(Part::Start) {
            series.start(&mut table).await?;
        }
        if wanted(Part::Standard) {
            series.standard(&mut table).await?;
        }
        if wanted(Part::Fifo) {
            series.fifo(&mut table).await?;
        }
        if wanted(Part::Latency) {
            series.latency(&mut table).await?;
        }
        if wanted(Part::Ladder) {
            series.ladder(&mut table).await?;
        }
    }
    if wanted(Part::Backlog) {
        series.backlog(&mut table).await?;
    }
    println!("{table}");
    if asked.json {
        println!("{}", table.json());
    }
    Ok(())
}

struct Series<'a> {
    asked: &'a Suite,
    scratch: PathBuf,
}

impl Series<'_> {
    /// From the start of the process on an empty directory to its first answer.
    async fn start(&self, table: &mut Table) -> Result<(), Failure> {
        let mut server = Server::kew(&self.asked.kew, &self.scratch)?;
        let first_answer = server.first_answer().await?;
        let row = Row::at_most("start to first answer, empty directory", Unit::Millis, 100.0);
        table.add(row, micros(first_answer) / 1e3);
        let row = Row::new("resident memory after the start", Unit::Mebibytes);
        table.add(row, Memory::of(server.pid())?.mebibytes());
        Ok(())
    }

    /// Sends one by one and in tens, receives and deletes in tens.
    async fn standard(&self, table: &mut Table) -> Result<(), Failure> {
        let server = self.kew().await?;
        let options = self.options(&server, "standard");
        let report = work::send(&Session::open(&options, None).await?).await?;
        table.work(Row::at_least("SendMessage, 64 connections, 100 B", Unit::PerSecond, 20_000.0), &report);
        let large = Options { queue: "large".to_owned(), body_bytes: 1024, ..options.clone() };
        let report = work::send(&Session::open(&large, None).await?).await?;
        table.work(Row::new("SendMessage, 64 connections, 1 KiB", Unit::PerSecond), &report);
        let tens = Options { queue: "tens".to_owned(), ..options.clone() };
        let report = work::send_batch(&Session::open(&tens, None).await?).await?;
        table.work(Row::new("SendMessageBatch of ten, 64 connections, 100 B", Unit::PerSecond), &report);

        let count = Some((self.asked.duration * DRAIN_PER_SECOND) as u64);
        let drain = Options { queue: "drain".to_owned(), count, ..options };
        let session = Session::open(&drain, None).await?;
        work::send_batch(&session).await?;
        let report = work::receive_delete(&session).await?;
        let row =
            Row::at_least("receive and delete in tens, 64 connections, 100 B", Unit::PerSecond, 60_000.0);
        table.work(row, &report);
        Ok(())
    }

    /// One FIFO queue.
    async fn fifo(&self, table: &mut Table) -> Result<(), Failure> {
        let server = self.kew().await?;
        let options = self.options(&server, "ordered");
        let report = work::send(&Session::open(&options, Some(GROUPS)).await?).await?;
        let row =
            Row::at_least("one FIFO queue: SendMessage, 64 connections, 100 B", Unit::PerSecond, 10_000.0);
        table.work(row, &report);
        let cycle = Options { queue: "cycle".to_owned(), ..options };
        let report = work::cycle(&Session::open(&cycle, Some(GROUPS)).await?).await?;
        let row = Row::at_least("one FIFO queue: send, receive, delete in tens", Unit::PerSecond, 10_000.0);
        table.work(row, &report);
        Ok(())
    }

    /// One connection, end to end, long polls.
    async fn latency(&self, table: &mut Table) -> Result<(), Failure> {
        let server = self.kew().await?;
        let options = self.options(&server, "alone");
        let alone = Options { connections: 1, ..options.clone() };
        let report = work::send(&Session::open(&alone, None).await?).await?;
        table.latency(Row::new("SendMessage, one connection, 100 B", Unit::Millis), 0.5, &report);
        let ends = Options { queue: "ends".to_owned(), ..options.clone() };
        let report = work::end_to_end(&Session::open(&ends, None).await?, 16, 16).await?;
        table.work(Row::new("16 producers and 16 consumers, as fast as they can", Unit::PerSecond), &report);
        let half = Options { queue: "half".to_owned(), rate: Some(report.rate() / 2.0), ..options.clone() };
        let report = work::end_to_end(&Session::open(&half, None).await?, 16, 16).await?;
        table.latency(
            Row::new("16 producers and 16 consumers at half of that rate, end to end", Unit::Millis),
            0.5,
            &report,
        );
        let polls = Options { queue: "polls".to_owned(), ..options };
        let report = work::long_poll(&Session::open(&polls, None).await?).await?;
        table.latency(Row::new("long poll, 64 waiting: from send to receive", Unit::Millis), 0.5, &report);
        Ok(())
    }

    /// The same work on two servers in turn, one with a small backlog and one with a large one.
    async fn backlog(&self, table: &mut Table) -> Result<(), Failure> {
        let (small, large) = (self.kew().await?, self.kew().await?);
        let sides = [("small", SMALL_BACKLOG, &small), ("large", self.asked.backlog, &large)];
        for (_, count, server) in sides {
            eprintln!("filling a queue with {count} messages");
            let options = Options { count: Some(count), ..self.options(server, "backlog") };
            work::send_batch(&Session::open(&options, None).await?).await?;
        }
        for round in 1..=self.asked.rounds {
            eprintln!("backlog, round {round} of {}", self.asked.rounds);
            let mut rates = [[0.0; 2]; 2];
            // Whoever is measured first has the colder machine, so the order changes with each round.
            let order = if round.is_multiple_of(2) { [1, 0] } else { [0, 1] };
            for side in order {
                let (name, count, server) = sides[side];
                let session = Session::open(&self.options(server, "backlog"), None).await?;
                let cycle = work::cycle(&session).await?;
                let named = format!("send, receive, delete in tens at a backlog of {count}");
                table.work(Row::new(named, Unit::PerSecond), &cycle);
                // Sends would soon make a small backlog large, so they go to a second queue, which is then deleted. Its
                // name may not come again for a minute.
                let queue = if name == "small" { format!("sends-{round}") } else { "backlog".to_owned() };
                let session = Session::open(&self.options(server, &queue), None).await?;
                let send = work::send(&session).await?;
                table.work(Row::new(format!("SendMessage at a backlog of {count}"), Unit::PerSecond), &send);
                if name == "small" {
                    session.delete_queue().await?;
                }
                rates[side] = [cycle.rate(), send.rate()];
            }
            for (index, what) in ["send, receive, delete", "SendMessage"].into_iter().enumerate() {
                let named = format!("{what}: rate at {} / rate at {SMALL_BACKLOG}", self.asked.backlog);
                table.add(Row::at_least(named, Unit::Ratio, 0.9), rates[1][index] / rates[0][index]);
            }
        }
        let row = Row::new("resident memory with the large backlog", Unit::Mebibytes);
        table.add(row, Memory::of(large.pid())?.mebibytes());
        Ok(())
    }

    /// Kew and the reference servers in turn.
    async fn ladder(&self, table: &mut Table) -> Result<(), Failure> {
        let program = &self.asked.ladder;
        let kew = self.kew().await?;
        let ours = work::send(&Session::open(&self.options(&kew, "ladder"), None).await?).await?;
        drop(kew);
        for rung in ["fixed", "parse", "append"] {
            let mut server = Server::ladder(program, &self.scratch, rung)?;
            server.first_answer().await?;
            let theirs = work::send(&Session::open(&self.options(&server, "ladder"), None).await?).await?;
            table.work(
                Row::new(format!("reference server '{rung}', 64 connections, 100 B"), Unit::PerSecond),
                &theirs,
            );
            if rung == "append" {
                table.add(
                    Row::at_least("SendMessage: rate / that of 'append'", Unit::Ratio, 1.0),
                    ours.rate() / theirs.rate(),
                );
                if let Some((ours, theirs)) = ours.server_micros().zip(theirs.server_micros()) {
                    table.add(
                        Row::at_most("SendMessage: server CPU / that of 'append'", Unit::Ratio, 1.0),
                        ours / theirs,
                    );
                }
            }
        }
        Ok(())
    }

    async fn kew(&self) -> Result<Server, Failure> {
        let mut server = Server::kew(&self.asked.kew, &self.scratch)?;
        server.first_answer().await?;
        Ok(server)
    }

    fn options(&self, server: &Server, queue: &str) -> Options {
        Options { duration: self.asked.duration, ..server.options(queue) }
    }
}
