//! The longest sends at a steady load.

use std::time::Duration;

use super::{QUEUE, Series};
use crate::figures::Figures;
use crate::interruptions::{Interruptions, Watch};
use crate::server::Server;
use crate::table::{Row, Table, Unit};
use crate::turns;
use kew_load::Failure;
use kew_load::histogram::Histogram;
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

/// What became of the sends to one server.
struct Sends {
    report: Report,
    /// While they were watched; none if this process may not have threads of real-time priority.
    interruptions: Option<Interruptions>,
}

impl Series<'_> {
    /// Sends to an empty server and to the deep backlog in turn, under either load.
    pub(super) async fn pauses(&self, table: &mut Table, deep: &Server) -> Result<(), Failure> {
        if let Err(failure) = Watch::start() {
            eprintln!("{failure}: what the machine's interruptions add is not told");
        }
        for round in 1..=self.asked.rounds {
            eprintln!("pauses, round {round} of {}", self.asked.rounds);
            for load in [Load::Full, Load::Steady(self.asked.rate)] {
                self.compare(table, deep, round, load).await?;
            }
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
        let (mut usual, mut longest, mut spared) = (0.0, 0.0, None);
        for (name, server) in turns(round, [("an empty server", &fresh), ("the deep backlog", deep)]) {
            let wanted = if std::ptr::eq(server, deep) { 1.0 } else { 0.0 };
            let (sends, retired) = self.retiring(server, load, wanted).await?;
            let name = format!("{work}, {name}");
            let (median, of_all, of_spared) = sends.show(table, &name);
            let name = format!("{name}: snapshots that ended a retirement");
            if wanted > 0.0 {
                (longest, spared) = (of_all, of_spared);
                table.add(Row::at_least(name, Unit::Count, wanted), retired);
            } else {
                usual = median;
                table.add(Row::new(name, Unit::Count), retired);
            }
        }
        let name = format!("{work}: p99.9 at the deep backlog / median on an empty server");
        if let Some(spared) = spared {
            let name = format!("{name}, of sends that the machine did not interrupt");
            table.add(Row::at_most(name, Unit::Ratio, GOAL), spared / usual);
        }
        table.add(Row::at_most(name, Unit::Ratio, GOAL), longest / usual);
        self.allowed(table, load, &work).await
    }

    /// Single sends, without batches, to a server that is no queue but syncs each append as well.
    async fn allowed(&self, table: &mut Table, load: Load, work: &str) -> Result<(), Failure> {
        let mut server = Server::ladder(&self.asked.ladder, &self.scratch, "append")?;
        server.first_answer().await?;
        self.rest().await;
        let sends =
            Sends::watch(work::send(&Session::open(&self.single(&server, load), None).await?)).await?;
        sends.show(table, &format!("{work}, reference server 'append', no batches beside"));
        Ok(())
    }

    async fn rest(&self) {
        tokio::time::sleep(Duration::from_secs_f64(self.asked.rest.max(0.0))).await;
    }

    fn single(&self, server: &Server, load: Load) -> Options {
        let rate = match load {
            Load::Full => None,
            Load::Steady(rate) => Some(rate),
        };
        Options { duration: self.asked.duration, rate, keeps_spans: true, ..server.options(QUEUE) }
    }

    /// Goes on until the journal has been retired as often as `wanted`, but not for ever. Gives what became of the single sends, and
    /// the number of retirements.
    async fn retiring(&self, server: &Server, load: Load, wanted: f64) -> Result<(Sends, f64), Failure> {
        self.rest().await;
        let before = retirements(server).await?;
        let mut retired = 0.0;
        let loads = async {
            let mut report = self.load(server, load).await?;
            retired = retirements(server).await? - before;
            for _ in 1..LENGTHS {
                if retired >= wanted {
                    break;
                }
                report.add(self.load(server, load).await?);
                retired = retirements(server).await? - before;
            }
            Ok(report)
        };
        let sends = Sends::watch(loads).await?;
        Ok((sends, retired))
    }

    /// Gives what became of the single sends, and of everybody's errors.
    async fn load(&self, server: &Server, load: Load) -> Result<Report, Failure> {
        let single = Options { pid: None, ..self.single(server, load) };
        let Load::Steady(rate) = load else {
            return work::send(&Session::open(&single, None).await?).await;
        };
        let tens = Options { rate: Some(rate * BATCHES), keeps_spans: false, ..single.clone() };
        let (single, tens) = (Session::open(&single, None).await?, Session::open(&tens, None).await?);
        let (single, tens) = tokio::join!(work::send(&single), work::send_batch(&tens));
        let (mut single, tens) = (single?, tens?);
        single.errors.extend(tens.errors.into_iter().map(|(what, count)| (format!("beside: {what}"), count)));
        Ok(single)
    }
}

impl Sends {
    async fn watch(load: impl Future<Output = Result<Report, Failure>>) -> Result<Self, Failure> {
        let watch = Watch::start().ok();
        let report = load.await?;
        Ok(Self { report, interruptions: watch.map(Watch::end) })
    }

    /// Adds the median and the longest of all, and the longest of those that the machine spared. Gives these three, in milliseconds.
    fn show(&self, table: &mut Table, name: &str) -> (f64, f64, Option<f64>) {
        table.latency(Row::new(format!("{name}: median"), Unit::Millis), 0.5, &self.report);
        table.latency(Row::new(format!("{name}: p99.9"), Unit::Millis), 0.999, &self.report);
        let of = |latency: &Histogram, share| micros(latency.quantile(share)) / 1e3;
        let Some(main) = self.report.main() else { return (0.0, 0.0, None) };
        let spared = self.interruptions.as_ref().map(|gone| {
            let spared = of(&gone.spared(&main.spans), 0.999);
            table.add(
                Row::new(format!("{name}: p99.9 of sends that the machine did not interrupt"), Unit::Millis),
                spared,
            );
            let share = gone.share(&main.spans) * 100.0;
            table.add(
                Row::new(format!("{name}: time in which the machine lacked a processor"), Unit::Percent),
                share,
            );
            spared
        });
        (of(&main.latency, 0.5), of(&main.latency, 0.999), spared)
    }
}

/// How often its journals have been retired.
pub(super) async fn retirements(server: &Server) -> Result<f64, Failure> {
    Figures::read(&server.url()).await?.known(RETIREMENTS)
}
