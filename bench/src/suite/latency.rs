//! How long things take when the server is not busy, or half busy.

use std::time::Duration;

use kew_load::Failure;
use kew_load::options::Options;
use kew_load::report::micros;
use kew_load::session::Session;
use kew_load::work;

use super::Series;
use super::standard::median;
use crate::disk::sync_latency;
use crate::table::{Row, Table, Unit};
use crate::turns;

/// Producers, and as many consumers.
const ENDS: u32 = 16;

impl Series<'_> {
    /// One connection: Kew in turn with what it is made of, the reference server that parses, and a sync of the disk.
    pub(super) async fn alone(&self, round: u32, table: &mut Table) -> Result<(), Failure> {
        let (kew, parse) = (self.kew().await?, self.reference("parse").await?);
        let mut reports = [None, None];
        for side in turns(round, [0, 1]) {
            let server = if side == 0 { &kew } else { &parse };
            let options = Options { connections: 1, ..self.options(server, "alone") };
            reports[side] = Some(work::send(&Session::open(&options, None).await?).await?);
        }
        let sync = sync_latency(&self.scratch, Duration::from_secs_f64(self.asked.duration))?;
        let [Some(ours), Some(theirs)] = reports else { return Ok(()) };
        table.latency(Row::new("SendMessage, one connection, 100 B", Unit::Millis), 0.5, &ours);
        table.latency(Row::new("reference server 'parse', one connection", Unit::Millis), 0.5, &theirs);
        let sync_median = micros(sync.quantile(0.5)) / 1e3;
        table.add(Row::new("a synced write of 256 B to preallocated room", Unit::Millis), sync_median);
        table.note(Some(sync), None, 0);
        let row = Row::at_most("one connection: median / (a sync + 'parse')", Unit::Ratio, 1.3);
        table.add(row, median(&ours) / (sync_median + median(&theirs)));

        let report = work::long_poll(&Session::open(&self.options(&kew, "polls"), None).await?).await?;
        table.latency(Row::new("long poll, 64 waiting: from send to receive", Unit::Millis), 0.5, &report);
        Ok(())
    }

    /// Producers and consumers: as fast as they can, then at half of that.
    pub(super) async fn ends(&self, table: &mut Table) -> Result<(), Failure> {
        let kew = self.kew().await?;
        let session = Session::open(&self.options(&kew, "ends"), None).await?;
        let most = work::end_to_end(&session, ENDS, ENDS).await?;
        let name = format!("{ENDS} producers and {ENDS} consumers, as fast as they can");
        table.work(Row::new(name, Unit::PerSecond), &most);
        let half = Options { rate: Some(most.rate() / 2.0), ..self.options(&kew, "half") };
        let report = work::end_to_end(&Session::open(&half, None).await?, ENDS, ENDS).await?;
        for (share, what, most) in [(0.5, "median", 2.5), (0.99, "p99", 10.0)] {
            let name = format!("{ENDS} + {ENDS} at half of that rate, end to end: {what}");
            table.latency(Row::at_most(name, Unit::Millis, most), share, &report);
        }
        Ok(())
    }
}
