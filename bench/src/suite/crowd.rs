//! Connections that say nothing, and long polls to which nothing comes.

use std::time::Duration;

use kew_load::Failure;
use kew_load::options::Options;
use kew_load::process::raise_open_files;
use kew_load::session::Session;

use super::Series;
use crate::crowd::{Crowd, WAIT};
use crate::process::Memory;
use crate::table::{Row, Table, Unit};

/// The most memory that a connection, with or without a waiting poll, may take, in 2^10 bytes.
const MEMORY: f64 = 20.0;

/// Less than this, in hundredths of a core, cannot be told from nothing in a second: CPU time is counted in hundredths of one.
const CPU: f64 = 1.0;

/// How long the server is watched while nobody speaks, and while polls wait: less than these do by themselves.
const TIME: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(4));

impl Series<'_> {
    /// Many connections to one server, first silent, then polling one queue.
    pub(super) async fn crowd(&self, table: &mut Table) -> Result<(), Failure> {
        let count = self.asked.crowd;
        raise_open_files();
        let kew = self.kew().await?;
        // Far longer than all of this takes: the polls are dropped when enough was seen.
        let options = Options { duration: 3600.0, warmup: 0.0, ..self.options(&kew, "crowd") };
        let session = Session::open(&options, None).await?;
        let alone = Memory::of(kew.pid())?;
        let crowd = Crowd::gather(&kew, &vec![session; count as usize]).await?;
        let row = Row::at_most(format!("memory per idle connection, of {count}"), Unit::Kibibytes, MEMORY);
        table.add(row, crowd.connected.kibibytes_each(alone, count));
        let row =
            Row::at_most(format!("server CPU while {count} connections say nothing"), Unit::Percent, CPU);
        table.add(row, crowd.silence(&kew, TIME.0).await? * 100.0);
        let waiting = crowd.poll(&kew, TIME.1).await?;
        let row = Row::at_most(format!("memory per waiting long poll, of {count}"), Unit::Kibibytes, MEMORY);
        table.add(row, waiting.memory.kibibytes_each(alone, count));
        let name = format!("server CPU while {count} long polls of {WAIT} s wait");
        table.add(Row::at_most(name, Unit::Percent, CPU), waiting.core_share * 100.0);
        table.note(None, None, waiting.errors);
        Ok(())
    }
}
