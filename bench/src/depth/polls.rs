//! Many queues, each with one long poll, and nothing to receive.

use std::time::Duration;

use kew_load::Failure;
use kew_load::options::Options;
use kew_load::process::raise_open_files;
use kew_load::session::Session;

use super::Series;
use crate::crowd::{Crowd, WAIT};
use crate::process::Memory;
use crate::table::{Row, Table, Unit};

/// The most that a server may need while everybody waits, in hundredths of a core.
const CPU: f64 = 2.0;

/// The most memory that a queue and a waiting poll may take, in 2^10 bytes.
const MEMORY: (f64, f64) = (64.0, 16.0);

impl Series<'_> {
    /// What idle queues and idle polls cost.
    pub(super) async fn polls(&self, table: &mut Table) -> Result<(), Failure> {
        let count = self.asked.queues;
        eprintln!("{count} queues, each polled");
        raise_open_files();
        let server = self.kew().await?;
        let empty = Memory::of(server.pid())?;
        // Far longer than all of this takes: the polls are dropped when enough was seen.
        let duration = 10.0 * (f64::from(WAIT) + self.asked.idle) + 100.0;
        let mut sessions = Vec::new();
        for number in 0..count {
            let options = server.options(&format!("idle-{number}"));
            sessions.push(Session::open(&Options { duration, warmup: 0.0, ..options }, None).await?);
        }
        let created = Memory::of(server.pid())?;
        let each = |more: Memory, less: Memory| more.kibibytes_each(less, count);
        let row = Row::at_most("memory per queue that holds nothing", Unit::Kibibytes, MEMORY.0);
        table.add(row, each(created, empty));
        let crowd = Crowd::gather(&server, &sessions).await?;
        table.add(Row::new("memory per open connection", Unit::Kibibytes), each(crowd.connected, created));
        let waiting = crowd.poll(&server, Duration::from_secs_f64(self.asked.idle.max(0.1))).await?;
        let row = Row::at_most("memory per waiting poll, its connection included", Unit::Kibibytes, MEMORY.1);
        table.add(row, each(waiting.memory, created));
        let name = format!("server CPU while {count} queues are each polled for {WAIT} s and nothing comes");
        table.add(Row::at_most(name, Unit::Percent, CPU), waiting.core_share * 100.0);
        table.note(None, None, waiting.errors);
        Ok(())
    }
}
