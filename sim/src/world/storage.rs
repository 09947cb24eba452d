//! Judges what lies on the disk: nothing that is needed is missing, and nothing stays that is not needed.

use std::collections::BTreeSet;

use bytes::Bytes;
use kew_engine::shard::{Shard, Stamp};
use kew_engine::time::Millis;
use kew_journal::OVERHEAD;

use super::process::replica;
use super::{Violation, World, ensure};
use crate::operation::{is_fifo, name_of, payload};
use crate::plan::Plan;

impl World {
    /// Reads every payload that the state refers to, and compares it with what was sent; sees that windows keep to their size.
    pub(super) fn audit_storage(&mut self) -> Result<(), Violation> {
        if !self.disk.is_powered() {
            return Ok(());
        }
        let faults = self.disk.take_faults();
        self.audit_payloads()?;
        self.audit_windows()?;
        self.disk.set_faults(faults);
        Ok(())
    }

    fn audit_payloads(&mut self) -> Result<(), Violation> {
        let stamp = self.stamp();
        let durable = self.boundaries[0].end;
        self.process.auditor.model.advance(stamp.now);
        let names: Vec<_> = self.process.auditor.model.queues.keys().copied().collect();
        for queue in names {
            let shown = self.process.auditor.messages(stamp, queue);
            let state = &self.process.auditor.model.queues[queue];
            for message in &state.messages {
                let Some(shown) = shown.iter().find(|shown| shown.id == message.id) else {
                    return Err(format!("#{} is missing from {queue}", message.body));
                };
                let at = shown.payload;
                if at.in_chunk().is_none() && at.position >= durable {
                    // Still on its way to the disk.
                    continue;
                }
                let read = self.process.source.read(at);
                let same = read.as_ref().is_ok_and(|bytes| *bytes == payload(message.body, message.size));
                ensure!(
                    same,
                    "the payload of #{} in {queue} at {at:?} is not what was sent: {read:?}",
                    message.body
                );
            }
        }
        self.process.auditor.share_looks(&mut self.process.shard);
        self.replies()
    }

    fn audit_windows(&mut self) -> Result<(), Violation> {
        let sizes = &self.plan.sizes;
        for standing in self.process.shard.standings() {
            let Some(name) = name_of(&standing.key) else { continue };
            let (window, taken) = if is_fifo(name) {
                (sizes.fifo_window, standing.occupied)
            } else {
                (sizes.window, standing.fresh)
            };
            ensure!(
                taken <= (window + sizes.frame_messages) as u64,
                "{taken} messages are in the window of {name}, which holds {window} and {} more",
                sizes.frame_messages
            );
        }
        Ok(())
    }

    fn cold_files(&self) -> BTreeSet<u64> {
        let number = |name: &String| u64::from_str_radix(name.strip_prefix("cold-")?, 16).ok();
        self.disk.names().iter().filter_map(number).collect()
    }

    /// Retires all there is, and compares what is left with what is needed.
    pub(super) fn retire_wholly(&mut self) -> Result<(), Violation> {
        self.come_to_rest()?;
        self.begin_retirement(self.boundaries[0].end)?;
        self.come_to_rest()?;
        // What has expired is noticed where somebody looks.
        self.inspect()?;
        self.fill()?;
        self.come_to_rest()?;
        let mut needed: BTreeSet<u64> = self.process.shard.chunks().collect();
        needed.extend(self.process.auditor.drops().chain(self.retirer.removals()));
        let files = self.cold_files();
        ensure!(files == needed, "cold files {files:?} are there, {needed:?} are needed");
        let Ok((replica, _)) = replica(&self.plan, &self.process.snapshots, Some(&self.appended))? else {
            return Err("the journal does not read".to_owned());
        };
        let stamp = self.stamp();
        compare(&self.plan, stamp, replica.snapshot().into(), self.process.shard.snapshot().into())?;
        self.audit_storage()
    }

    /// Lets the thread that retires, and the disk, finish what they do.
    fn come_to_rest(&mut self) -> Result<(), Violation> {
        let mut rounds = 0;
        while self.retirer.is_busy() || self.retirer.due().is_some() || self.process.pending.is_some() {
            self.pass(Millis(500))?;
            rounds += 1;
            ensure!(rounds < 10_000, "a retirement does not come to its end");
        }
        Ok(())
    }

    /// After everything was delivered and deleted no cold file is left.
    pub(super) fn expect_nothing_cold(&mut self) -> Result<(), Violation> {
        self.come_to_rest()?;
        let files = self.cold_files();
        ensure!(files.is_empty(), "nothing waits any more, and cold files {files:?} are still there");
        Ok(())
    }
}

/// Two accounts of one state must agree once time has passed in both.
pub(super) fn compare(plan: &Plan, stamp: Stamp, before: Bytes, after: Bytes) -> Result<(), Violation> {
    let settle = |bytes: Bytes| {
        let shard = Shard::restore(plan.config(OVERHEAD), 0, bytes);
        let mut shard =
            shard.map_err(|error| format!("the shard does not take its own snapshot: {error}"))?;
        shard.resume(stamp, 0);
        shard.catch_up();
        Ok::<_, Violation>(shard)
    };
    let (before, after) = (settle(before)?, settle(after)?);
    ensure!(
        before.snapshot() == after.snapshot(),
        "the state came back different\n  before {before:?}\n  after  {after:?}"
    );
    Ok(())
}
