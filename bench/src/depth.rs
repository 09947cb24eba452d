//! What a deep backlog costs: memory, speed, disk, restarts, pauses; and what many idle queues do.
//!
//! One server is filled once, which takes the longest, and whatever is asked about a deep backlog is asked of it. What is compared
//! is measured in turn, on servers that run side by side, because absolute times mean little on a machine that others use too.

mod account;
mod backlog;
mod pauses;
mod polls;
mod rates;
mod replay;
mod restart;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::disk::allocated_bytes;
use crate::options::{Depth, DepthPart};
use crate::process::stored_bytes;
use crate::server::Server;
use crate::table::Table;
use kew_load::Failure;
use kew_load::options::Options;
use kew_load::report::Report;
use kew_load::session::Session;
use kew_load::work;

/// The queue that is filled.
const QUEUE: &str = "deep";

/// Fills are divided into so many equal parts, so that their first can be told from their last.
const SLICES: u64 = 10;

/// How long a server's disk must be left alone to count as quiet, and how long to wait for that.
const QUIET: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How often a server is looked at while something is awaited.
const LOOK: Duration = Duration::from_millis(100);

/// Runs the series and prints its table.
pub async fn run(asked: &Depth) -> Result<(), Failure> {
    let scratch = asked.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let series = Series { asked, scratch };
    let mut table = Table::default();
    let deep = [DepthPart::Memory, DepthPart::Disk, DepthPart::Rates, DepthPart::Pauses, DepthPart::Restart];
    if deep.into_iter().any(|part| series.wants(part)) {
        series.backlog(&mut table).await?;
    }
    if series.wants(DepthPart::Writes) {
        series.writes(&mut table).await?;
    }
    if series.wants(DepthPart::Fifo) {
        series.fifo(&mut table).await?;
    }
    if series.wants(DepthPart::Polls) {
        series.polls(&mut table).await?;
    }
    if series.wants(DepthPart::Replay) {
        series.replay(&mut table).await?;
    }
    println!("{table}");
    if asked.json {
        println!("{}", table.json());
    }
    table.faultless()
}

struct Series<'a> {
    asked: &'a Depth,
    scratch: PathBuf,
}

impl Series<'_> {
    fn wants(&self, part: DepthPart) -> bool {
        self.asked.only.is_empty() || self.asked.only.contains(&part)
    }

    /// A server that has answered.
    async fn kew(&self) -> Result<Server, Failure> {
        let mut server = Server::kew(&self.asked.kew, &self.scratch)?;
        server.first_answer().await?;
        Ok(server)
    }

    /// Sends `count` messages to the server's queue in tens. Gives one report for each of some equal parts.
    async fn fill(&self, server: &Server, groups: Option<u32>, count: u64) -> Result<Vec<Report>, Failure> {
        let mut reports = Vec::new();
        for slice in 0..SLICES {
            let part = count * (slice + 1) / SLICES - count * slice / SLICES;
            let options = Options { count: Some(part), ..server.options(QUEUE) };
            reports.push(work::send_batch(&Session::open(&options, groups).await?).await?);
        }
        Ok(reports)
    }
}

/// Waits until a server's disk is quiet, which it is once nothing is left to be retired.
async fn settle(server: &Server) -> Result<(), Failure> {
    let begun = Instant::now();
    let (mut last, mut since) = (None, begun);
    while since.elapsed() < QUIET.0 && begun.elapsed() < QUIET.1 {
        let now = Some((stored_bytes(server.pid())?, allocated_bytes(&server.data)?));
        if now != last {
            (last, since) = (now, Instant::now());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
