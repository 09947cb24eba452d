//! How fast a shard is rebuilt from its journal: what a restart costs for each byte and each fact.

use super::account::journal_bytes;
use super::{QUEUE, Series};
use crate::server::Server;
use crate::table::{Row, Table, Unit};
use kew_load::Failure;
use kew_load::options::Options;
use kew_load::session::Session;
use kew_load::work;

/// Messages of each kind: so few that the journal stays below its bound, and no snapshot takes its place.
const MESSAGES: u64 = 200_000;

/// Restarts on an empty directory.
const EMPTY: u32 = 10;

impl Series<'_> {
    /// Writes journals of three kinds and restarts on each. What a restart on an empty directory takes is subtracted.
    pub(super) async fn replay(&self, table: &mut Table) -> Result<(), Failure> {
        let groups = Some(self.asked.groups);
        let count = MESSAGES.min(self.asked.messages);
        let mut empty = self.kew().await?;
        let mut least = f64::MAX;
        for _ in 0..EMPTY {
            // The quickest one: whatever else the machine did is not a part of it.
            least = least.min(rebuilt(&mut empty).await?);
        }
        drop(empty);
        // A message that lives its whole life has three facts: sent, leased, deleted.
        for (name, groups, facts) in
            [("sends", None, 1), ("sends to FIFO", groups, 1), ("short lives", None, 3)]
        {
            eprintln!("a journal of {name}");
            let mut full = self.kew().await?;
            let options = Options { count: Some(count), ..full.options(QUEUE) };
            let session = Session::open(&options, groups).await?;
            match facts {
                1 => work::send_batch(&session).await?,
                _ => work::cycle(&session).await?,
            };
            let bytes = journal_bytes(&full).await?;
            super::settle(&full).await?;
            for _ in 0..self.asked.rounds {
                let seconds = (rebuilt(&mut full).await? - least).max(1e-6);
                let row = Row::new(format!("rebuilding from a journal of {name}: MiB"), Unit::PerSecond);
                table.add(row, bytes / 1_048_576.0 / seconds);
                let row = Row::new(format!("rebuilding from a journal of {name}: facts"), Unit::PerSecond);
                table.add(row, (count * facts) as f64 / seconds);
            }
        }
        Ok(())
    }
}

/// Seconds from a start after SIGKILL to the first answer, which waits until everything is rebuilt.
async fn rebuilt(server: &mut Server) -> Result<f64, Failure> {
    server.crash_and_start()?;
    Ok(server.first_answer().await?.as_secs_f64())
}
