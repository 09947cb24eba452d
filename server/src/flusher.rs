//! The thread that waits for the disk, so that no one else does: appends one batch after the other, and opens the journal
//! again when an append failed.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use kew_engine::shard::Batch;
use kew_journal::{Error, Snapshots, Writer};
use tokio::sync::mpsc;

use crate::limits;
use crate::runner::Surroundings;
use kew_store::{Home, Opened};

/// What a flusher is asked.
pub(crate) enum Job {
    /// Make this batch durable, which was decided by the state of that opening.
    Append { opening: u64, batch: Batch },
    /// The state of that opening is lost: rebuild it from the journal.
    Reopen { opening: u64 },
    /// Close the journal and end.
    End,
}

/// What it says back, in order.
pub(crate) enum Report {
    /// The batch that ends at `end`, and all before it, is durable.
    Durable { end: u64 },
    /// The append failed and the journal is being opened again. `full`: for want of space.
    Failed { full: bool },
    /// The journal is open again.
    Opened(Box<Opened>),
    /// It does not open again, because of damage that is told here. Nothing is tried any more.
    Damaged(String),
    /// Whether there is room for more messages: said when it changes, and now and then while there is none.
    Room { full: bool },
}

/// The way to the thread.
#[derive(Debug)]
pub(crate) struct Flusher {
    jobs: Sender<Job>,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    /// Starts the thread.
    pub(crate) fn start(
        home: Home,
        writer: Writer,
        snapshots: Snapshots,
        around: Surroundings,
    ) -> std::io::Result<(Self, mpsc::UnboundedReceiver<Report>)> {
        let (jobs_in, jobs) = channel();
        let (reports, reports_out) = mpsc::unbounded_channel();
        let opening = writer.epoch();
        let work = Work {
            home,
            writer: Some(writer),
            opening,
            snapshots,
            around,
            jobs,
            reports,
            full: false,
            looked: None,
            appended: 0,
        };
        let thread = thread::Builder::new().name("kew-flusher".into()).spawn(move || work.run())?;
        Ok((Self { jobs: jobs_in, thread: Some(thread) }, reports_out))
    }

    /// Asks. One append at a time; the rest is rare.
    pub(crate) fn send(&self, job: Job) {
        // Its thread ends before us only by a panic, which the runner sees by the end of the reports.
        let _ = self.jobs.send(job);
    }

    /// Closes the journal and waits for the thread.
    pub(crate) fn end(&mut self) {
        self.send(Job::End);
        if let Some(thread) = self.thread.take() {
            // A panic has been printed already, and there is nothing left to save.
            let _ = thread.join();
        }
    }
}

struct Work {
    home: Home,
    /// `None` after a failure.
    writer: Option<Writer>,
    /// The newest opening.
    opening: u64,
    snapshots: Snapshots,
    around: Surroundings,
    jobs: Receiver<Job>,
    reports: mpsc::UnboundedSender<Report>,
    full: bool,
    /// When free space was last looked at.
    looked: Option<Instant>,
    /// Bytes appended since then.
    appended: u64,
}

impl Work {
    fn run(mut self) {
        self.look_at_room();
        loop {
            // While the disk is full, somebody else may free it.
            let job = if self.full {
                self.jobs.recv_timeout(limits::DISK_LOOK)
            } else {
                self.jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            let flow = match job {
                // What is said of an earlier opening is void: its state was dropped, and the runner hears of the next one.
                Ok(Job::Append { opening, .. } | Job::Reopen { opening }) if opening != self.opening => {
                    ControlFlow::Continue(())
                }
                Ok(Job::Append { batch, .. }) => self.append(&batch),
                Ok(Job::Reopen { .. }) => self.reopen(),
                Ok(Job::End) | Err(RecvTimeoutError::Disconnected) => ControlFlow::Break(()),
                Err(RecvTimeoutError::Timeout) => ControlFlow::Continue(()),
            };
            if flow.is_break() {
                break;
            }
            self.look_at_room();
        }
        if let Some(Err(error)) = self.writer.take().map(Writer::close) {
            tracing::warn!(target: "kew::journal", %error, "the journal was not closed cleanly; nothing is lost");
        }
    }

    fn append(&mut self, batch: &Batch) -> ControlFlow<()> {
        // After a failure the runner has nothing to append until it hears that the journal is open again.
        let Some(writer) = &mut self.writer else { return ControlFlow::Continue(()) };
        let begin = Instant::now();
        match writer.append(batch.start, &batch.bytes) {
            Ok(end) => {
                self.around.meters.see_append(batch.bytes.len(), begin.elapsed());
                self.appended += batch.bytes.len() as u64;
                self.report(Report::Durable { end });
                ControlFlow::Continue(())
            }
            Err(error) => {
                self.around.meters.failures.add(1);
                let full = matches!(error, Error::DiskFull { .. });
                tracing::error!(target: "kew::journal", %error,
                    "a write failed; its callers are told to try again, and the state is rebuilt from the journal");
                self.report(Report::Failed { full });
                if full {
                    self.set_full(true);
                }
                self.reopen()
            }
        }
    }

    /// Tries until it works, until it is clear that it never will, or until told to end.
    fn reopen(&mut self) -> ControlFlow<()> {
        self.writer = None;
        let (mut wait, longest) = limits::REOPEN;
        let mut damage = None;
        loop {
            match self.home.open(self.around.stamp()) {
                Ok((writer, opened)) => {
                    tell(&opened.report);
                    self.around.clock.catch_up(opened.shard.now());
                    self.opening = writer.epoch();
                    self.writer = Some(writer);
                    self.snapshots = opened.snapshots.clone();
                    tracing::info!(target: "kew::journal", "the journal is open again");
                    self.report(Report::Opened(Box::new(opened)));
                    return ControlFlow::Continue(());
                }
                Err(error) => {
                    // Once it may be what a retirement under way has just removed; the same again is damage.
                    let found = error.is_damage().then(|| error.to_string());
                    if let Some(again) = found.clone().filter(|_| found == damage) {
                        self.report(Report::Damaged(again));
                        return ControlFlow::Continue(());
                    }
                    damage = found;
                    tracing::error!(target: "kew::journal", %error, "the journal does not open; trying again")
                }
            }
            match self.jobs.recv_timeout(wait) {
                Ok(Job::End) | Err(RecvTimeoutError::Disconnected) => return ControlFlow::Break(()),
                Ok(Job::Append { .. } | Job::Reopen { .. }) | Err(RecvTimeoutError::Timeout) => {}
            }
            wait = (wait * 2).min(longest);
        }
    }

    /// Looks at the free space now and then, and says when it runs out or comes back. A fast writer is looked after more often: the
    /// reserve must not be gone between two looks.
    fn look_at_room(&mut self) {
        let is_recent = self.looked.is_some_and(|looked| looked.elapsed() < limits::DISK_LOOK);
        if is_recent && self.appended < limits::DISK_LOOK_BYTES {
            return;
        }
        (self.looked, self.appended) = (Some(Instant::now()), 0);
        match self.snapshots.headroom() {
            Ok(room) => self.set_full(room.total() < limits::DISK_RESERVE),
            Err(error) => {
                tracing::warn!(target: "kew::journal", %error, "cannot see how much disk space is free")
            }
        }
    }

    fn set_full(&mut self, full: bool) {
        if full == self.full {
            if full {
                self.report(Report::Room { full });
            }
            return;
        }
        self.full = full;
        self.around.meters.full.set(u64::from(full));
        if full {
            tracing::error!(target: "kew::journal",
                "the disk is nearly full: new messages are refused until space is freed; receives and deletes go on");
        } else {
            tracing::info!(target: "kew::journal", "there is disk space again: new messages are taken");
        }
        self.report(Report::Room { full });
    }

    fn report(&self, report: Report) {
        // The runner ends after us, but for a panic of its own.
        let _ = self.reports.send(report);
    }
}

/// What opening found.
pub(crate) fn tell(report: &kew_journal::Report) {
    for note in &report.notes {
        tracing::warn!(target: "kew::journal", "{note}");
    }
    if let Some(cut) = &report.cut {
        tracing::warn!(target: "kew::journal", file = cut.file, offset = cut.offset, bytes = cut.bytes,
            "cut off the torn end of the journal: its last write was under way when the process ended, or was damaged since");
    }
}
