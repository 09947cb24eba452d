//! The longest sends at a steady load.

use super::{QUEUE, Series};
use crate::figures::Figures;
use crate::server::Server;
use crate::table::{Row, Table, Unit};
use crate::turns;
use kew_load::Failure;
use kew_load::options::Options;
use kew_load::report::{Report, grouped, micros};
use kew_load::session::Session;
use kew_load::work;

/// Batches that go beside each single send: enough to have the journal retired again and again.
const BATCHES: f64 = 1.5;

/// Retirement ends with a snapshot.
const RETIREMENTS: &str = "kew_journal_snapshots_total";

/// How many times as long the deep backlog is measured at most, until its journal has been retired.
const LENGTHS: u32 = 4;

/// The longest sends may take so many times the median of an empty server's.
const GOAL: f64 = 5.0;

/// What the sends are part of.
#[derive(Debug, Clone, Copy)]
enum Load {
    /// All connections send as fast as they are answered.
    Full,
    /// So many a second, whatever the server does, and batches beside them. Latency counts from the moment at which a request was due.
    Steady(f64),
}

impl Series<'_> {
    /// Sends to an empty server and to the deep backlog in turn, under either load.
    pub(super) async fn pauses(&self, table: &mut Table, deep: &Server) -> Result<(), Failure> {
        for round in 1..=self.asked.rounds {
            eprintln!("pauses, round {round} of {}", self.asked.rounds);
            self.compare(table, deep, round, Load::Full).await?;
            self.compare(table, deep, round, Load::Steady(self.asked.rate)).await?;
            self.allowed(table, &format!("{}/s", grouped(self.asked.rate))).await?;
        }
        Ok(())
    }

    async fn compare(&self, table: &mut Table, deep: &Server, round: u32, load: Load) -> Result<(), Failure> {
        // A new one each time, because its journal must stay short.
        let fresh = self.kew().await?;
        let work = match load {
            Load::Full => "SendMessage from all connections".to_owned(),
            Load::Steady(rate) => format!("SendMessage at {}/s", grouped(rate)),
        };
        let (mut usual, mut longest) = (0.0, 0.0);
        for (name, server) in turns(round, [("an empty server", &fresh), ("the deep backlog", deep)]) {
            let wanted = if std::ptr::eq(server, deep) { 1.0 } else { 0.0 };
            let (report, retired) = self.retiring(server, load, wanted).await?;
            let of = |share| {
                micros(report.main().map(|row| row.latency.quantile(share)).unwrap_or_default()) / 1e3
            };
            let name = format!("{work}, {name}");
            table.latency(Row::new(format!("{name}: median"), Unit::Millis), 0.5, &report);
            table.latency(Row::new(format!("{name}: p99.9"), Unit::Millis), 0.999, &report);
            let name = format!("{name}: snapshots that ended a retirement");
            if wanted > 0.0 {
                longest = of(0.999);
                table.add(Row::at_least(name, Unit::Count, wanted), retired);
            } else {
                usual = of(0.5);
                table.add(Row::new(name, Unit::Count), retired);
            }
        }
        let name = format!("{work}: p99.9 at the deep backlog / median on an empty server");
        table.add(Row::at_most(name, Unit::Ratio, GOAL), longest / usual);
        Ok(())
    }

    /// Single sends, without batches, to a server that is no queue but syncs each append as well.
    async fn allowed(&self, table: &mut Table, rate: &str) -> Result<(), Failure> {
        let program = &self.asked.ladder;
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

    /// Goes on until the journal has been retired as often as `wanted`, but not for ever. Gives what became of the single sends, and
    /// the number of retirements.
    async fn retiring(&self, server: &Server, load: Load, wanted: f64) -> Result<(Report, f64), Failure> {
        let before = retirements(server).await?;
        let mut report = self.load(server, load).await?;
        let mut retired = retirements(server).await? - before;
        for _ in 1..LENGTHS {
            if retired >= wanted {
                break;
            }
            report.add(self.load(server, load).await?);
            retired = retirements(server).await? - before;
        }
        Ok((report, retired))
    }

    /// Gives what became of the single sends, and of everybody's errors.
    async fn load(&self, server: &Server, load: Load) -> Result<Report, Failure> {
        let single = Options { duration: self.asked.duration, pid: None, ..server.options(QUEUE) };
        let Load::Steady(rate) = load else {
            return work::send(&Session::open(&single, None).await?).await;
        };
        let tens = Options { rate: Some(rate * BATCHES), ..single.clone() };
        let single = Options { rate: Some(rate), ..single };
        let (single, tens) = (Session::open(&single, None).await?, Session::open(&tens, None).await?);
        let (single, tens) = tokio::join!(work::send(&single), work::send_batch(&tens));
        let (mut single, tens) = (single?, tens?);
        single.errors.extend(tens.errors.into_iter().map(|(what, count)| (format!("beside: {what}"), count)));
        Ok(single)
    }
}

/// How often its journals have been retired.
pub(super) async fn retirements(server: &Server) -> Result<f64, Failure> {
    Figures::read(&server.url()).await?.known(RETIREMENTS)
}
