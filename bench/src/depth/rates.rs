//! The same work at a deep and at a shallow backlog.

use std::rc::Rc;

use super::{QUEUE, Series};
use crate::process::Memory;
use crate::server::Server;
use crate::table::{Row, Table, Unit};
use crate::turns;
use kew_load::Failure;
use kew_load::report::{Report, grouped};
use kew_load::session::Session;
use kew_load::work::Crew;

/// A round goes to and fro between the two backlogs so many times.
const PIECES: u32 = 20;

/// What is measured.
const WORKS: [&str; 2] = ["receive and delete in tens", "SendMessage"];

impl Series<'_> {
    /// Rates at a FIFO queue's deep backlog.
    pub(super) async fn fifo(&self, table: &mut Table) -> Result<(), Failure> {
        let count = self.asked.messages;
        let groups = Some(self.asked.groups);
        eprintln!("filling a FIFO queue with {count} messages");
        let deep = self.kew().await?;
        let mut filled = 0;
        for report in self.fill(&deep, groups, count).await? {
            let name = format!("filling a FIFO queue up to {count}: SendMessageBatch of ten, 64 connections");
            table.work(Row::new(name, Unit::PerSecond), &report);
            filled += report.main().map_or(0, |row| row.messages);
        }
        super::settle(&deep).await?;
        let row = Row::new("FIFO queue: resident memory behind the filling", Unit::Mebibytes);
        table.add(row, Memory::of(deep.pid())?.mebibytes());
        self.rates(table, &deep, filled, groups, 0.8).await
    }

    /// Takes messages from the queue and sends as many again, in pieces, in turn with a queue that has few. A piece is half of the
    /// shallow backlog, so that neither queue ever runs dry.
    pub(super) async fn rates(
        &self,
        table: &mut Table,
        deep: &Server,
        count: u64,
        groups: Option<u32>,
        goal: f64,
    ) -> Result<(), Failure> {
        let asked = self.asked;
        let kind = if groups.is_some() { "FIFO queue, " } else { "" };
        let shallow = self.kew().await?;
        self.fill(&shallow, groups, asked.shallow).await?;
        let mut sides = Vec::new();
        for (server, count) in [(&shallow, asked.shallow), (deep, count)] {
            let session: Rc<Session> = Session::open(&server.options(QUEUE), groups).await?;
            sides.push((Crew::open(&session).await?, count));
        }
        for round in 1..=asked.rounds {
            eprintln!("rates, round {round} of {}", asked.rounds);
            let mut found: [[Option<Report>; 2]; 2] = Default::default();
            for piece in 1..=PIECES {
                for side in turns(piece, [0, 1]) {
                    let crew = &sides[side].0;
                    add(&mut found[side][0], crew.receive_delete(asked.shallow / 2).await?);
                    add(&mut found[side][1], crew.send(asked.shallow / 2).await?);
                }
            }
            let mut rates = [[0.0; 2]; 2];
            for (side, reports) in found.iter().enumerate() {
                for (work, report) in reports.iter().enumerate() {
                    let Some(report) = report else { continue };
                    let backlog = grouped(sides[side].1 as f64);
                    let name = format!("{kind}{} at a backlog of {backlog}", WORKS[work]);
                    table.work(Row::new(name, Unit::PerSecond), report);
                    rates[side][work] = report.rate();
                }
            }
            for (work, name) in WORKS.into_iter().enumerate() {
                let name = format!("{kind}{name}: rate at the deep backlog / rate at the shallow one");
                table.add(Row::at_least(name, Unit::Ratio, goal), rates[1][work] / rates[0][work]);
            }
        }
        Ok(())
    }
}

/// Adds a piece's report to those before.
fn add(whole: &mut Option<Report>, piece: Report) {
    match whole {
        Some(whole) => whole.add(piece),
        None => *whole = Some(piece),
    }
}
