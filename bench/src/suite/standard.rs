//! A standard queue: single sends against the reference servers, and tens against single sends.

use kew_load::Failure;
use kew_load::options::Options;
use kew_load::report::{Report, micros};
use kew_load::session::Session;
use kew_load::work;

use super::{Series, cpu_ratio};
use crate::server::Server;
use crate::table::{Row, Table, Unit};
use crate::turns;

/// Messages that a drain begins with, per second of measuring.
const DRAIN_PER_SECOND: f64 = 75_000.0;

impl Series<'_> {
    /// Sends one by one and in tens, receives and deletes in tens.
    pub(super) async fn standard(&self, round: u32, table: &mut Table) -> Result<(), Failure> {
        let (kew, append) = (self.kew().await?, self.reference("append").await?);
        let mut single = None;
        for (bytes, size) in [(100, "100 B"), (1024, "1 KiB")] {
            let mut reports = [None, None];
            for side in turns(round, [0, 1]) {
                let server = if side == 0 { &kew } else { &append };
                reports[side] = Some(self.send(server, bytes).await?);
            }
            let [Some(ours), Some(theirs)] = reports else { continue };
            let name = format!("SendMessage, 64 connections, {size}");
            table.work(Row::new(name.clone(), Unit::PerSecond), &ours);
            table.work(Row::new(format!("reference server 'append', {size}"), Unit::PerSecond), &theirs);
            let row = Row::at_least(format!("{name}: rate / that of 'append'"), Unit::Ratio, 1.0);
            table.add(row, ours.rate() / theirs.rate());
            let row = Row::at_most(format!("{name}: server CPU / that of 'append'"), Unit::Ratio, 1.0);
            cpu_ratio(&ours, &theirs).into_iter().for_each(|ratio| table.add(row.clone(), ratio));
            single = single.or(Some(ours));
        }
        drop(append);
        let Some(single) = single else { return Ok(()) };

        let tens = self.options(&kew, "tens");
        let report = work::send_batch(&Session::open(&tens, None).await?).await?;
        table.work(Row::new("SendMessageBatch of ten, 64 connections, 100 B", Unit::PerSecond), &report);
        let row = Row::at_most("SendMessageBatch of ten: CPU per message / single sends", Unit::Ratio, 0.25);
        cpu_ratio(&report, &single).into_iter().for_each(|ratio| table.add(row.clone(), ratio));

        let count = Some((self.asked.duration * DRAIN_PER_SECOND) as u64);
        let session = Session::open(&Options { count, ..self.options(&kew, "drain") }, None).await?;
        work::send_batch(&session).await?;
        let report = work::receive_delete(&session).await?;
        table.work(Row::new("receive and delete in tens, 64 connections, 100 B", Unit::PerSecond), &report);
        let row =
            Row::at_most("receive and delete in tens: CPU per message / single sends", Unit::Ratio, 0.35);
        cpu_ratio(&report, &single).into_iter().for_each(|ratio| table.add(row.clone(), ratio));
        Ok(())
    }

    /// All reference servers: what HTTP, parsing and a synced append cost by themselves, and what the generator does.
    pub(super) async fn ladder(&self, table: &mut Table) -> Result<(), Failure> {
        for rung in ["fixed", "parse", "append"] {
            let report = self.send(&self.reference(rung).await?, 100).await?;
            let name = format!("reference server '{rung}', 64 connections, 100 B");
            table.work(Row::new(name, Unit::PerSecond), &report);
            if rung == "fixed" {
                let row = Row::new("the generator's own CPU per request", Unit::Micros);
                table.add(row, report.own_micros());
            }
        }
        Ok(())
    }

    async fn send(&self, server: &Server, bytes: u32) -> Result<Report, Failure> {
        let options = Options { body_bytes: bytes, ..self.options(server, &format!("single-{bytes}")) };
        work::send(&Session::open(&options, None).await?).await
    }
}

/// The median of a run's last row, in milliseconds.
pub(super) fn median(report: &Report) -> f64 {
    report.main().map_or(0.0, |row| micros(row.latency.quantile(0.5)) / 1e3)
}
