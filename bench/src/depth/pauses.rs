//! The longest sends at a steady load.

use super::{QUEUE, Series, turns};
use crate::failure::Failure;
use crate::figures::Figures;
use crate::options::Options;
use crate::report::{Report, grouped, micros};
use crate::server::Server;
use crate::session::Session;
use crate::table::{Row, Table, Unit};
use crate::work;

/// Batches that go beside each single send: enough to have the journal retired again and again.
const BATCHES: f64 = 1.5;

/// Retirement ends with a snapshot.
const RETIREMENTS: &str = "kew_journal_snapshots_total";

/// How many times as long the deep backlog is measured at most, until its journal has been retired.
const LENGTHS: u32 = 4;

/// The longest sends may take so many times the median of an empty server's.
const GOAL: f64 = 5.0;

impl Series<'_> {
    /// Sends at a fixed rate, whatever the server does, to an empty server and to the deep backlog in turn. Latency counts from
    /// the moment at which a request was due.
    pub(super) async fn pauses(&self, table: &mut Table, deep: &Server) -> Result<(), Failure> {
        let rate = format!("{}/s", grouped(self.asked.rate));
        for round in 1..=self.asked.rounds {
            eprintln!("pauses, round {round} of {}", self.asked.rounds);
            // A new one each time, because its journal must stay short.
            let fresh = self.kew().await?;
            let (mut usual, mut longest) = (0.0, 0.0);
            for (name, server) in turns(round, [("an empty server", &fresh), ("the deep backlog", deep)]) {
                let wanted = if std::ptr::eq(server, deep) { 1.0 } else { 0.0 };
                let (report, retired) = self.steady(server, wanted).await?;
                let of = |share| {
                    micros(report.main().map(|row| row.latency.quantile(share)).unwrap_or_default()) / 1e3
                };
                let name = format!("SendMessage at {rate}, {name}");
                table.latency(Row::new(format!("{name}: median"), Unit::Millis), 0.5, &report);
                table.latency(Row::new(format!("{name}: p99.9"), Unit::Millis), 0.999, &report);
                let name = format!("{name}: snapshots that ended a retirement");
                if wanted > 0.0 {
                    longest = of(0.999);
                    table.add(Row::at_least(name, Unit::Count, wanted), retired);
                } else {
                    usual = of(0.5);
                    table.add(Row::at_most(name, Unit::Count, wanted), retired);
                }
            }
            self.allowed(table, &rate).await?;
            let name =
                format!("SendMessage at {rate}: p99.9 at the deep backlog / median on an empty server");
            table.add(Row::at_most(name, Unit::Ratio, GOAL), longest / usual);
        }
        Ok(())
    }

    /// Single sends, without batches, to a server that is no queue but syncs each append as well.
    async fn allowed(&self, table: &mut Table, rate: &str) -> Result<(), Failure> {
        let Some(program) = &self.asked.ladder else { return Ok(()) };
        let mut server = Server::ladder(program, &self.scratch, "append")?;
        server.first_answer().await?;
        let options =
            Options { rate: Some(self.asked.rate), duration: self.asked.duration, ..server.options(QUEUE) };
        let report = work::send(&Session::open(&options, None).await?).await?;
        for (name, share) in [("median", 0.5), ("p99.9", 0.999)] {
            let name = format!("SendMessage at {rate}, reference server 'append', no batches beside: {name}");
            table.latency(Row::new(name, Unit::Millis), share, &report);
        }
        Ok(())
    }

    /// Goes on at the fixed rate until the journal has been retired as often as `wanted`, but not for ever. Gives what became of the
    /// single sends, and the number of retirements.
    async fn steady(&self, server: &Server, wanted: f64) -> Result<(Report, f64), Failure> {
        let before = retirements(server).await?;
        let mut report = self.load(server).await?;
        let mut retired = retirements(server).await? - before;
        for _ in 1..LENGTHS {
            if retired >= wanted {
                break;
            }
            report.add(self.load(server).await?);
            retired = retirements(server).await? - before;
        }
        Ok((report, retired))
    }

    /// Single sends, with batches beside them. Gives what became of the single ones, and of everybody's errors.
    async fn load(&self, server: &Server) -> Result<Report, Failure> {
        let single = Options {
            rate: Some(self.asked.rate),
            duration: self.asked.duration,
            pid: None,
            ..server.options(QUEUE)
        };
        let tens = Options { rate: Some(self.asked.rate * BATCHES), ..single.clone() };
        let (single, tens) = (Session::open(&single, None).await?, Session::open(&tens, None).await?);
        let (single, tens) = tokio::join!(work::send(&single), work::send_batch(&tens));
        let (mut single, tens) = (single?, tens?);
        single.errors.extend(tens.errors.into_iter().map(|(what, count)| (format!("beside: {what}"), count)));
        Ok(single)
    }
}

async fn retirements(server: &Server) -> Result<f64, Failure> {
    Figures::read(&server.url()).await?.known(RETIREMENTS)
}
