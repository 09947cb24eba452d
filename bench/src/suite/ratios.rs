//! Two ways of the same work, one after the other on one machine in the same minute.

use kew_load::Failure;
use kew_load::options::Options;
use kew_load::protocol::Protocol;
use kew_load::session::Session;
use kew_load::work;

use super::{Series, cpu_ratio};
use crate::server::Server;
use crate::table::{Row, Table, Unit};
use crate::turns;

/// Message groups of the FIFO queue.
const GROUPS: u32 = 1000;

impl Series<'_> {
    /// Send, receive and delete in tens: a FIFO queue with many groups, and a standard queue.
    pub(super) async fn fifo(&self, round: u32, table: &mut Table) -> Result<(), Failure> {
        let kew = self.kew().await?;
        let mut rates = [0.0; 2];
        for side in turns(round, [0, 1]) {
            let (kind, groups) = [("FIFO queue, 1000 groups", Some(GROUPS)), ("standard queue", None)][side];
            let report = work::cycle(&Session::open(&self.options(&kew, "cycle"), groups).await?).await?;
            table.work(Row::new(format!("send, receive, delete in tens: {kind}"), Unit::PerSecond), &report);
            rates[side] = report.rate();
        }
        let row = Row::at_least("send, receive, delete in tens: FIFO / standard", Unit::Ratio, 0.7);
        table.add(row, rates[0] / rates[1]);
        let report = work::send(&Session::open(&self.options(&kew, "single"), Some(GROUPS)).await?).await?;
        table.work(Row::new("SendMessage, 64 connections, 100 B, FIFO queue", Unit::PerSecond), &report);
        Ok(())
    }

    /// Single sends in both dialects.
    pub(super) async fn query(&self, round: u32, table: &mut Table) -> Result<(), Failure> {
        let kew = self.kew().await?;
        let mut reports = [None, None];
        for side in turns(round, [0, 1]) {
            let protocol = [Protocol::Query, Protocol::Json][side];
            let options = Options { protocol, ..self.options(&kew, protocol.name()) };
            reports[side] = Some(work::send(&Session::open(&options, None).await?).await?);
        }
        let [Some(query), Some(json)] = reports else { return Ok(()) };
        table.work(Row::new("SendMessage in Query, 64 connections, 100 B", Unit::PerSecond), &query);
        let row = Row::at_most("SendMessage: server CPU in Query / in JSON", Unit::Ratio, 1.5);
        cpu_ratio(&query, &json).into_iter().for_each(|ratio| table.add(row.clone(), ratio));
        Ok(())
    }

    /// Single sends to a server that verifies signatures, and to one that does not; to the latter nobody signs.
    pub(super) async fn signed(&self, round: u32, table: &mut Table) -> Result<(), Failure> {
        let mut verifying = Server::verifying(&self.asked.kew, &self.scratch)?;
        verifying.first_answer().await?;
        let open = self.kew().await?;
        let mut reports = [None, None];
        for side in turns(round, [0, 1]) {
            let server = [&verifying, &open][side];
            reports[side] =
                Some(work::send(&Session::open(&self.options(server, "signed"), None).await?).await?);
        }
        let [Some(signed), Some(open)] = reports else { return Ok(()) };
        table.work(Row::new("SendMessage, verified, 64 connections, 100 B", Unit::PerSecond), &signed);
        if let Some((signed, open)) = signed.server_micros().zip(open.server_micros()) {
            let row = Row::at_most("SendMessage: what verifying adds to the server's CPU", Unit::Micros, 4.0);
            table.add(row, signed - open);
        }
        Ok(())
    }
}
