//! What was written to disk, and what for.

use super::{QUEUE, Series, settle};
use crate::figures::Figures;
use crate::process::stored_bytes;
use crate::server::Server;
use crate::table::{Row, Table, Unit};
use kew_load::Failure;
use kew_load::options::Options;
use kew_load::session::Session;
use kew_load::work;

/// The bytes of all facts, as the engine gave them to the journal: what would have to be written if writing cost nothing.
const EVENTS: &str = "kew_journal_event_bytes_total";

/// What the server wrote: to the journal, to cold files, as snapshots.
const WRITTEN: [&str; 3] =
    ["kew_journal_written_bytes_total", "kew_journal_cold_bytes_total", "kew_journal_snapshot_bytes_total"];

/// The bound of the young journal, of all shards together.
const BOUND: &str = "kew_journal_bound_bytes";

/// Messages whose short life is measured, and at most how many whose long life is: several times the journal's bound.
const MESSAGES: (u64, u64) = (2_000_000, 4_000_000);

/// Bytes written for each byte of events: for messages that die young, and for those that stay.
const GOALS: (f64, f64) = (1.2, 2.5);

/// Bytes, from the start of a process to the moment of reading.
#[derive(Debug)]
struct Account {
    /// What the kernel counted: whole pages that went to storage.
    stored: f64,
    /// What the server counted: journal, cold files, snapshots.
    written: [f64; 3],
    /// What had to be written.
    events: f64,
}

impl Account {
    /// A server's account up to now.
    async fn of(server: &Server) -> Result<Self, Failure> {
        let figures = Figures::read(&server.url()).await?;
        let [journal, cold, snapshots] = WRITTEN.map(|name| figures.known(name));
        Ok(Self {
            stored: stored_bytes(server.pid())? as f64,
            written: [journal?, cold?, snapshots?],
            events: figures.known(EVENTS)?,
        })
    }

    /// Adds the rows of messages that lived `life`: bytes written for each byte of their events.
    fn rows(&self, table: &mut Table, life: &str, goal: f64) {
        let [journal, cold, snapshots] = self.written;
        for (what, bytes, goal) in [
            ("to storage (whole pages, as the kernel counts)", self.stored, Some(goal)),
            ("in all (as Kew counts)", journal + cold + snapshots, Some(goal)),
            ("to the journal", journal, None),
            ("to cold files", cold, None),
            ("as snapshots", snapshots, None),
        ] {
            let name = format!("messages that {life}: bytes written {what} / bytes of events");
            let row = match goal {
                Some(goal) => Row::at_most(name, Unit::Ratio, goal),
                None => Row::new(name, Unit::Ratio),
            };
            table.add(row, bytes / self.events.max(1.0));
        }
    }
}

/// Bytes that the server has written to its journal.
pub(super) async fn journal_bytes(server: &Server) -> Result<f64, Failure> {
    Ok(Account::of(server).await?.written[0])
}

/// The bound of the server's young journal, in bytes.
pub(super) async fn journal_bound(server: &Server) -> Result<f64, Failure> {
    Figures::read(&server.url()).await?.known(BOUND)
}

impl Series<'_> {
    /// What is written for messages that are received and deleted at once, and for those that first go to cold files. Each on a
    /// server of its own, so that nothing else is in its account.
    pub(super) async fn writes(&self, table: &mut Table) -> Result<(), Failure> {
        let count = MESSAGES.0.min(self.asked.messages);
        eprintln!("{count} messages that die young");
        let server = self.kew().await?;
        let options = Options { count: Some(count), ..server.options(QUEUE) };
        let report = work::cycle(&Session::open(&options, None).await?).await?;
        settle(&server).await?;
        table.work(
            Row::new("send, receive and delete in tens, nothing else waiting", Unit::PerSecond),
            &report,
        );
        Account::of(&server).await?.rows(table, "die young", GOALS.0);
        drop(server);

        let count = MESSAGES.1.min(self.asked.messages);
        eprintln!("{count} messages that stay");
        let server = self.kew().await?;
        self.fill(&server, None, count).await?;
        settle(&server).await?;
        work::drain(&Session::open(&server.options(QUEUE), None).await?).await?;
        settle(&server).await?;
        Account::of(&server).await?.rows(table, "stay", GOALS.1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(account: &Account) -> Vec<String> {
        let mut table = Table::default();
        account.rows(&mut table, "stay", 2.5);
        table.to_string().lines().skip(2).map(str::to_owned).collect()
    }

    #[test]
    fn everything_that_is_written_is_held_against_the_bytes_of_events() {
        let written = [110.0, 90.0, 20.0];
        let account = Account { stored: 300.0, written, events: 100.0 };
        let rows = shown(&account);
        assert!(
            rows[0].contains("bytes of events | 3.00 |") && rows[0].contains("<= 2.50: NO"),
            "{}",
            rows[0]
        );
        assert!(
            rows[1].contains("bytes of events | 2.20 |") && rows[1].contains("<= 2.50: yes"),
            "{}",
            rows[1]
        );
        for (row, figure) in rows[2..].iter().zip(["1.10", "0.90", "0.20"]) {
            assert!(row.contains(&format!("| {figure} |")) && !row.contains("<="), "{row}");
        }
    }
}
