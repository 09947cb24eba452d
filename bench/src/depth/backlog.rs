//! The deep backlog, from the first message to the last.

use super::account::journal_bound;
use super::{QUEUE, Series, settle};
use crate::disk::allocated_bytes;
use crate::options::DepthPart;
use crate::process::{Memory, Watch};
use crate::server::Server;
use crate::table::{Row, Table, Unit};
use kew_load::Failure;
use kew_load::report::{Report, grouped};
use kew_load::session::Session;
use kew_load::work;

const MEBIBYTE: f64 = 1_048_576.0;

/// The most memory that Kew may take, in 2^20 bytes.
const MEMORY: f64 = 256.0;

/// What a waiting message may take on disk, as a multiple of its body and this many bytes.
const DISK: (f64, f64) = (1.3, 100.0);

/// What an empty directory may hold, as a multiple of the young journal's bound.
const EMPTY: f64 = 1.5;

/// The server with the deep backlog, and its memory through all of its lives: it is killed and started again.
pub(super) struct Deep {
    pub(super) server: Server,
    pub(super) waiting: u64,
    watch: Watch,
    memory: Memory,
}

impl Deep {
    async fn fill(series: &Series<'_>, table: &mut Table) -> Result<Self, Failure> {
        let count = series.asked.messages;
        eprintln!("filling a queue with {count} messages");
        let server = series.kew().await?;
        let watch = Watch::start(server.pid());
        let slices = series.fill(&server, None, count).await?;
        for report in &slices {
            let name = format!("filling up to {count}: SendMessageBatch of ten, 64 connections, 100 B");
            table.work(Row::new(name, Unit::PerSecond), report);
        }
        let waiting = slices.iter().filter_map(Report::main).map(|row| row.messages).sum();
        if let [first, .., last] = &*slices {
            let row = Row::new("filling: rate of the last tenth / rate of the first", Unit::Ratio);
            table.add(row, last.rate() / first.rate());
        }
        let filled = watch.largest();
        table.add(
            Row::at_most("resident memory while filling, at most", Unit::Mebibytes, MEMORY),
            filled.peak as f64 / MEBIBYTE,
        );
        settle(&server).await?;
        let now = Memory::of(server.pid())?;
        for (what, bytes) in [("all", now.resident), ("made", now.anonymous), ("files", now.file)] {
            let row =
                Row::new(format!("resident memory at rest behind the filling: {what}"), Unit::Mebibytes);
            table.add(row, bytes as f64 / MEBIBYTE);
        }
        Ok(Self { server, waiting, watch, memory: Memory::default() })
    }

    /// The largest figures of all lives so far.
    fn memory(&self) -> Memory {
        self.memory.max(self.watch.largest())
    }

    /// Kills the server and starts it again.
    pub(super) fn crash(&mut self) -> Result<(), Failure> {
        self.memory = self.memory();
        self.server.crash_and_start()?;
        self.watch = Watch::start(self.server.pid());
        Ok(())
    }
}

impl Series<'_> {
    /// Fills a queue, asks of it what is wanted, and empties it.
    pub(super) async fn backlog(&self, table: &mut Table) -> Result<(), Failure> {
        let mut deep = Deep::fill(self, table).await?;
        if self.wants(DepthPart::Disk) {
            let body = f64::from(deep.server.options(QUEUE).body_bytes);
            let goal = DISK.0 * (body + DISK.1);
            let row = Row::at_most("bytes on disk per waiting message", Unit::Bytes, goal);
            table.add(row, allocated_bytes(&deep.server.data)? as f64 / deep.waiting.max(1) as f64);
        }
        if self.wants(DepthPart::Rates) {
            self.rates(table, &deep.server, deep.waiting, None, 0.9).await?;
        }
        if self.wants(DepthPart::Pauses) {
            self.pauses(table, &deep.server).await?;
        }
        if self.wants(DepthPart::Restart) {
            self.restart(table, &mut deep).await?;
        }
        if self.wants(DepthPart::Disk) {
            self.empty(table, &deep.server).await?;
        }
        let memory = deep.memory();
        let row = Row::at_most("resident memory all the time, at most", Unit::Mebibytes, MEMORY);
        table.add(row, memory.peak as f64 / MEBIBYTE);
        let row = Row::new("resident memory all the time, at most: made by the process", Unit::Mebibytes);
        table.add(row, memory.anonymous as f64 / MEBIBYTE);
        let row = Row::new("resident memory all the time, at most: files", Unit::Mebibytes);
        table.add(row, memory.file as f64 / MEBIBYTE);
        Ok(())
    }

    /// Receives and deletes all there is.
    async fn empty(&self, table: &mut Table, server: &Server) -> Result<(), Failure> {
        eprintln!("draining");
        let session = Session::open(&server.options(QUEUE), None).await?;
        let report = work::drain(&session).await?;
        table
            .work(Row::new("draining: receive and delete in tens, 64 connections", Unit::PerSecond), &report);
        settle(server).await?;
        let bound = journal_bound(server).await?;
        let mebibytes = grouped(bound / MEBIBYTE);
        let name = format!("bytes on disk after draining / the young journal's bound of {mebibytes} MiB");
        table.add(Row::at_most(name, Unit::Ratio, EMPTY), allocated_bytes(&server.data)? as f64 / bound);
        Ok(())
    }
}
