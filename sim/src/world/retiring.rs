//! The thread that keeps the journal short, and what queues read back from cold files.

use std::collections::VecDeque;

use kew_engine::cold::{Stored, Thaw};
use kew_engine::shard::Token;
use kew_engine::time::{Millis, Moment};
use kew_journal::{Error, OVERHEAD, Snapshot};
use kew_store::{Retirement, Source, Step};

use super::process::replica;
use super::{Violation, World, ensure};
use crate::auditor::Call;
use crate::model::Id;
use crate::plan::Canary;

/// The thread: it outlives a shard that is rebuilt, but not the process.
#[derive(Debug, Default)]
pub(super) struct Retirer {
    work: Option<Retirement>,
    /// The shard has been told what was stored, and has not answered.
    telling: Option<Token>,
    /// The work began under an earlier opening of the journal.
    is_ghost: bool,
    /// Cold files to remove, after the work that is under way.
    removals: VecDeque<(Source, u64)>,
    /// When it does its next piece of work.
    next: Moment,
    /// The lowest number that a cold file may have.
    next_file: u64,
    /// The lowest position that the journal still holds, about.
    pub(super) keep: u64,
}

impl Retirer {
    /// When it does something.
    pub(super) fn due(&self) -> Option<Moment> {
        let has_work = self.work.is_some() || !self.removals.is_empty();
        (has_work && self.telling.is_none()).then_some(self.next)
    }

    /// The shard is rebuilt: who waits for its answer is refused, and lets the retirement go.
    pub(super) fn outlive(&mut self) {
        if self.telling.take().is_some() {
            self.work = None;
        }
        self.is_ghost = self.work.is_some();
    }

    /// Files that it will remove.
    pub(super) fn removals(&self) -> impl Iterator<Item = u64> {
        self.removals.iter().map(|(_, chunk)| *chunk)
    }

    pub(super) fn is_busy(&self) -> bool {
        self.work.is_some()
    }
}

impl World {
    /// Begins to retire the journal's oldest part, if the plan says so.
    pub(super) fn consider_retiring(&mut self) -> Result<(), Violation> {
        let end = self.boundaries[0].end;
        let length = end.saturating_sub(self.retirer.keep);
        let is_due = self.random.once_in(self.plan.rates.retire) || length > self.plan.sizes.journal_bytes;
        if !is_due || self.retirer.is_busy() {
            return Ok(());
        }
        let cut = match self.random.below(3) {
            0 => end,
            1 => end - length / 4,
            _ => end - self.random.below(length + 1),
        };
        self.begin_retirement(cut)
    }

    pub(super) fn begin_retirement(&mut self, cut: u64) -> Result<(), Violation> {
        self.trace.line(format_args!("{} what lies before {cut} is to be retired", self.now.0));
        let (source, snapshots) = (self.process.source.clone(), self.process.snapshots.clone());
        // After a failure the next try waits until the journal has grown.
        self.retirer.keep =
            self.retirer.keep.max(self.boundaries[0].end.saturating_sub(self.plan.sizes.journal_bytes / 2));
        match Retirement::begin(self.plan.config(OVERHEAD), source, snapshots, cut) {
            Ok(work) => {
                let work = work.in_steps_of(self.plan.sizes.step_bytes);
                self.retirer.work = Some(work.numbered_from(self.retirer.next_file));
                self.retirer.is_ghost = false;
                self.put_off_retiring();
                Ok(())
            }
            Err(error) => self.stop_retiring(&error),
        }
    }

    fn put_off_retiring(&mut self) {
        let long = self.random.percent(20);
        let pause =
            if long { Millis(self.random.below(2000)) } else { self.plan.delays.draw(&mut self.random) };
        self.retirer.next = self.now + pause;
    }

    /// The thread's next piece of work.
    pub(super) fn retire(&mut self) -> Result<(), Violation> {
        self.put_off_retiring();
        let Some(mut work) = self.retirer.work.take() else { return self.remove_file() };
        let step = work.step();
        self.retirer.next_file = work.next_file();
        match step {
            Ok(Step::Tell(stored)) => {
                self.counts.cold_files += 1;
                self.put_on_shelf(&stored)?;
                let chunk = stored.first().map_or(0, |stored| stored.chunk);
                self.trace.line(format_args!("{} cold file {chunk}: {} pieces", self.now.0, stored.len()));
                if self.plan.canary == Some(Canary::DropsSurvivors) {
                    return self.cut_at_once(chunk);
                }
                if self.random.once_in(self.plan.rates.refuse) {
                    self.trace.line(format_args!("{} the retirement is let go", self.now.0));
                    return Ok(());
                }
                self.next_token += 1;
                let token = Token(self.next_token);
                self.retirer.work = Some(work);
                self.retirer.telling = Some(token);
                self.call(Call::Store(token, stored))
            }
            Ok(Step::Done(outcome)) => {
                self.trace.line(format_args!("{} retired: {outcome:?}", self.now.0));
                self.counts.retirements += 1;
                self.retirer.keep = outcome.keep;
                self.prepare()
            }
            Err(error) => self.stop_retiring(&error),
        }
    }

    /// The shard has answered that it knows what was stored.
    pub(super) fn handle_told(&mut self, token: Token) {
        if self.retirer.telling == Some(token) {
            self.retirer.telling = None;
            self.put_off_retiring();
        }
    }

    fn stop_retiring(&mut self, error: &Error) -> Result<(), Violation> {
        let struck = self.report_faults();
        self.trace.line(format_args!("{} the retirement ends early: {error}", self.now.0));
        let excused = struck || self.retirer.is_ghost || !self.disk.is_powered();
        ensure!(excused, "a retirement fails without a fault of the disk: {error}");
        if self.disk.is_powered() { Ok(()) } else { self.power_cut() }
    }

    /// The canary: nothing of what lives is copied, and the journal is cut.
    fn cut_at_once(&mut self, chunk: u64) -> Result<(), Violation> {
        let Ok((shard, position)) = replica(&self.plan, &self.process.snapshots, None)? else {
            return Ok(());
        };
        let snapshot = Snapshot { position, keep: position, bytes: shard.snapshot().into() };
        // They may fail as any others.
        let _ = self.process.source.cold.remove(chunk);
        let _ = self.process.snapshots.save(&snapshot);
        self.report_faults();
        if self.disk.is_powered() { Ok(()) } else { self.power_cut() }
    }

    fn remove_file(&mut self) -> Result<(), Violation> {
        let Some((source, chunk)) = self.retirer.removals.pop_front() else { return Ok(()) };
        self.trace.line(format_args!("{} cold file {chunk} is removed", self.now.0));
        self.counts.drops += 1;
        match source.cold.remove(chunk) {
            Ok(()) => Ok(()),
            Err(error) => self.stop_retiring(&error),
        }
    }

    /// Cold files in which nothing is left are removed.
    pub(super) fn drop_files(&mut self) -> Result<(), Violation> {
        if self.plan.canary == Some(Canary::DropsEarly) {
            for chunk in self.process.auditor.drops() {
                // It may fail as any other.
                let _ = self.process.source.cold.remove(chunk);
            }
        }
        while let Some(chunk) = self.process.shard.poll_drop() {
            self.process.auditor.drop_file(chunk, self.process.durable)?;
            if self.retirer.due().is_none() {
                self.put_off_retiring();
            }
            self.retirer.removals.push_back((self.process.source.clone(), chunk));
        }
        Ok(())
    }

    fn put_on_shelf(&mut self, stored: &[Stored]) -> Result<(), Violation> {
        let faults = self.disk.take_faults();
        for Stored { chunk, offset, length, .. } in stored {
            let piece = self.process.source.cold.read_piece(*chunk, *offset, *length as usize);
            match piece {
                Ok(bytes) => self.process.auditor.shelf.put(*chunk, *offset, bytes),
                Err(error) => return Err(format!("cold file {chunk} does not read: {error}")),
            }
        }
        self.disk.set_faults(faults);
        Ok(())
    }

    /// Takes up what queues want to read.
    pub(super) fn plan_thaws(&mut self) -> Result<(), Violation> {
        while let Some(thaw) = self.process.shard.poll_thaw() {
            self.process.auditor.poll_thaw(Some(thaw))?;
            let due = self.now + self.plan.delays.draw(&mut self.random);
            self.process.thaws.push_back((due, thaw));
        }
        self.process.auditor.poll_thaw(None)
    }

    /// A piece of a cold file has been read.
    pub(super) fn thaw(&mut self) -> Result<(), Violation> {
        let due = self.process.thaws.iter().map(|(due, _)| *due).min();
        let at = self.process.thaws.iter().position(|(at, _)| Some(*at) == due);
        let Some((_, thaw)) = at.and_then(|at| self.process.thaws.remove(at)) else { return Ok(()) };
        match self.process.source.thaw(&thaw) {
            Ok(bytes) => {
                self.counts.thaws += 1;
                self.trace.line(format_args!(
                    "{} {} bytes of cold file {} come back",
                    self.now.0,
                    bytes.len(),
                    thaw.chunk()
                ));
                ensure!(
                    self.process.auditor.shelf.get(&thaw) == Some(&bytes),
                    "{thaw:?} is not what was written"
                );
                self.call(Call::Thaw(thaw, bytes))
            }
            // A retirement may have noticed before the shard that all of it has expired. Then as after any error.
            Err(error) if self.has_expired(&thaw) => {
                self.trace.line(format_args!("{} the shard is rebuilt: {error}", self.now.0));
                self.recover()
            }
            Err(error) => self.fail(&error),
        }
    }

    fn has_expired(&mut self, thaw: &Thaw) -> bool {
        let auditor = &mut self.process.auditor;
        auditor.model.advance(self.now);
        let is_there = |id: &Id| auditor.model.queues.values().any(|queue| queue.position(id).is_some());
        auditor.shelf.messages(thaw).iter().all(|message| !is_there(&message.id))
    }
}
