//! The same work at a small and at a large backlog.

use kew_load::Failure;
use kew_load::options::Options;
use kew_load::session::Session;
use kew_load::work;

use super::Series;
use crate::process::Memory;
use crate::table::{Row, Table, Unit};
use crate::turns;

/// The small backlog that the large one is held against.
const SMALL_BACKLOG: u64 = 1000;

impl Series<'_> {
    /// The same work on two servers in turn, one with a small backlog and one with a large one.
    pub(super) async fn backlog(&self, table: &mut Table) -> Result<(), Failure> {
        let (small, large) = (self.kew().await?, self.kew().await?);
        let sides = [("small", SMALL_BACKLOG, &small), ("large", self.asked.backlog, &large)];
        for (_, count, server) in sides {
            eprintln!("filling a queue with {count} messages");
            let options = Options { count: Some(count), ..self.options(server, "backlog") };
            work::send_batch(&Session::open(&options, None).await?).await?;
        }
        for round in 1..=self.asked.rounds {
            eprintln!("backlog, round {round} of {}", self.asked.rounds);
            let mut rates = [[0.0; 2]; 2];
            for side in turns(round, [0, 1]) {
                let (name, count, server) = sides[side];
                let session = Session::open(&self.options(server, "backlog"), None).await?;
                let cycle = work::cycle(&session).await?;
                let named = format!("send, receive, delete in tens at a backlog of {count}");
                table.work(Row::new(named, Unit::PerSecond), &cycle);
                // Sends would soon make a small backlog large, so they go to a second queue, which is then deleted. Its
                // name may not come again for a minute.
                let queue = if name == "small" { format!("sends-{round}") } else { "backlog".to_owned() };
                let session = Session::open(&self.options(server, &queue), None).await?;
                let send = work::send(&session).await?;
                table.work(Row::new(format!("SendMessage at a backlog of {count}"), Unit::PerSecond), &send);
                if name == "small" {
                    session.delete_queue().await?;
                }
                rates[side] = [cycle.rate(), send.rate()];
            }
            for (index, what) in ["send, receive, delete", "SendMessage"].into_iter().enumerate() {
                let named = format!("{what}: rate at {} / rate at {SMALL_BACKLOG}", self.asked.backlog);
                table.add(Row::at_least(named, Unit::Ratio, 0.9), rates[1][index] / rates[0][index]);
            }
        }
        let row = Row::new("resident memory with the large backlog", Unit::Mebibytes);
        table.add(row, Memory::of(large.pid())?.mebibytes());
        Ok(())
    }
}
