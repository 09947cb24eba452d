//! Speed: every figure that `bench/RESULTS.md` records but those of deep backlogs, measured against servers that are started for it.
//!
//! Every measurement is repeated in rounds, and whatever is compared is measured in turn within one round, because absolute
//! times mean little on a machine that others use too.

mod backlog;
mod crowd;
mod latency;
mod ratios;
mod standard;

use std::path::PathBuf;

use kew_load::Failure;
use kew_load::options::Options;
use kew_load::report::{Report, micros};

use crate::options::{Part, Suite};
use crate::process::Memory;
use crate::server::Server;
use crate::table::{Row, Table, Unit};

/// Runs the series and prints its table.
pub async fn run(asked: &Suite) -> Result<(), Failure> {
    let mut table = Table::default();
    let scratch = asked.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let series = Series { asked, scratch };
    for round in 1..=asked.rounds {
        eprintln!("round {round} of {}", asked.rounds);
        series.round(round, &mut table).await?;
    }
    if asked.only.contains(&Part::Backlog) {
        series.backlog(&mut table).await?;
    }
    println!(
        "queues {}",
        if asked.plain { "that do not encrypt" } else { "as they are by default: they encrypt" }
    );
    println!("{table}");
    if asked.json {
        println!("{}", table.json());
    }
    table.faultless()
}

struct Series<'a> {
    asked: &'a Suite,
    scratch: PathBuf,
}

impl Series<'_> {
    async fn round(&self, round: u32, table: &mut Table) -> Result<(), Failure> {
        let wanted = |part| self.asked.only.is_empty() || self.asked.only.contains(&part);
        if wanted(Part::Start) {
            self.start(table).await?;
        }
        if wanted(Part::Standard) {
            self.standard(round, table).await?;
        }
        if wanted(Part::Alone) {
            self.alone(round, table).await?;
        }
        if wanted(Part::Ends) {
            self.ends(table).await?;
        }
        if wanted(Part::Fifo) {
            self.fifo(round, table).await?;
        }
        if wanted(Part::Query) {
            self.query(round, table).await?;
        }
        if wanted(Part::Signed) {
            self.signed(round, table).await?;
        }
        if wanted(Part::Crowd) {
            self.crowd(table).await?;
        }
        if self.asked.only.contains(&Part::Ladder) {
            self.ladder(table).await?;
        }
        Ok(())
    }

    /// From the start of the process on an empty directory to its first answer, and what it takes then.
    async fn start(&self, table: &mut Table) -> Result<(), Failure> {
        let mut server = Server::kew(&self.asked.kew, &self.scratch)?;
        let first_answer = server.first_answer().await?;
        let row = Row::at_most("start to first answer, empty directory", Unit::Millis, 50.0);
        table.add(row, micros(first_answer) / 1e3);
        let row = Row::at_most("resident memory after the start", Unit::Mebibytes, 15.0);
        table.add(row, Memory::of(server.pid())?.mebibytes());
        let failed =
            |error: std::io::Error| Failure::Process(self.asked.kew.display().to_string(), error.to_string());
        let bytes = std::fs::metadata(&self.asked.kew).map_err(failed)?.len();
        table.add(Row::at_most("the binary", Unit::Mebibytes, 20.0), bytes as f64 / 1_048_576.0);
        Ok(())
    }

    /// A server that has answered.
    async fn kew(&self) -> Result<Server, Failure> {
        let mut server = Server::kew(&self.asked.kew, &self.scratch)?;
        server.first_answer().await?;
        Ok(server)
    }

    /// A reference server that has answered.
    async fn reference(&self, rung: &str) -> Result<Server, Failure> {
        let mut server = Server::ladder(&self.asked.ladder, &self.scratch, rung)?;
        server.first_answer().await?;
        Ok(server)
    }

    fn options(&self, server: &Server, queue: &str) -> Options {
        let plain = || vec![("SqsManagedSseEnabled".to_owned(), "false".to_owned())];
        let attributes = if self.asked.plain { plain() } else { Vec::new() };
        Options { duration: self.asked.duration, attributes, ..server.options(queue) }
    }
}

/// Server CPU per message of one run divided by that of another.
fn cpu_ratio(one: &Report, other: &Report) -> Option<f64> {
    let (one, other) = one.server_micros().zip(other.server_micros())?;
    (other > 0.0).then(|| one / other)
}
