//! Keeps a shard's journal short, on a thread of its own: asks the shard like any caller, and the store does the work.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use kew_engine::shard::{self, Command};
use kew_journal::{Error, Rest, Snapshot, Snapshots};
use kew_store::{Lost, Retirement, Source, Step};

use crate::backup::Order;
use crate::limits;
use crate::mailbox::{Handle, Refusal};
use crate::meters::ShardMeters;

/// What the thread is asked.
enum Job {
    /// Retire what lies before `cut`, at leisure while the journal is not longer than `patience`.
    Retire { source: Source, snapshots: Snapshots, cut: u64, patience: u64 },
    /// Save the state of the shard that serves in place of a snapshot that does not read.
    Save { snapshots: Snapshots, snapshot: Snapshot },
    /// Remove a cold file that holds nothing any more.
    Remove { source: Source, chunk: u64 },
    /// Copy the shard.
    BackUp { order: Order, source: Source, snapshots: Snapshots },
}

/// The way to the thread. It ends when this is dropped and its present step is done; at any moment it may end with the process.
#[derive(Debug)]
pub(crate) struct Retirer {
    jobs: Sender<Job>,
    meters: Arc<ShardMeters>,
    state: Arc<State>,
    /// The journal's length from which on its oldest part is retired.
    bound: u64,
    /// Not before the journal has come this far: after a failure.
    not_before: u64,
    /// When a full disk was last looked after.
    looked: Option<Instant>,
}

/// What the thread says back.
#[derive(Debug, Default)]
struct State {
    busy: AtomicBool,
    failed: AtomicBool,
    /// The snapshot on disk does not read: what it summed up is in the memory of the shard alone.
    unsaved: AtomicBool,
    /// Somebody waits for it to be done, and it must not rest: the disk is full, or a backup is asked for.
    hurry: AtomicBool,
    /// The lowest position that the journal still holds.
    keep: AtomicU64,
    /// The length of the journal that is worth another snapshot.
    worthwhile: AtomicU64,
}

impl Retirer {
    /// Starts the thread for the shard behind `handle`, whose journal begins at `keep`.
    pub(crate) fn start(
        config: shard::Config,
        handle: Handle,
        meters: Arc<ShardMeters>,
        keep: u64,
        bound: u64,
    ) -> std::io::Result<Self> {
        let (jobs, jobs_out) = channel();
        let state = Arc::new(State { keep: AtomicU64::new(keep), ..State::default() });
        let work = Work {
            config,
            handle,
            meters: Arc::clone(&meters),
            state: Arc::clone(&state),
            next_file: Cell::new(0),
            unread: RefCell::default(),
        };
        thread::Builder::new().name("kew-retire".into()).spawn(move || work.run(&jobs_out))?;
        Ok(Self { jobs, meters, state, bound, not_before: 0, looked: None })
    }

    /// The journal now ends at `end`; begins to shorten it if it is time. A full disk is looked after sooner, for what was deleted
    /// last may be room.
    pub(crate) fn handle_growth(&mut self, end: u64, full: bool, source: &Source, snapshots: &Snapshots) {
        let length = end.saturating_sub(self.state.keep.load(Ordering::Relaxed));
        self.meters.journal_bytes.set(length);
        if full {
            self.state.hurry.store(true, Ordering::Relaxed);
        }
        let bound = self.bound.max(self.state.worthwhile.load(Ordering::Relaxed));
        if !(length > bound || full) || self.state.busy.load(Ordering::Acquire) {
            return;
        }
        if self.state.failed.swap(false, Ordering::Relaxed) {
            self.not_before = end + self.bound / 8;
        }
        let cut = if full {
            if self.looked.is_some_and(|looked| looked.elapsed() < limits::RETIRE_WHEN_FULL) {
                return;
            }
            self.looked = Some(Instant::now());
            end
        } else {
            if end < self.not_before {
                return;
            }
            // What is youngest may still die before anybody has to copy it.
            end - self.bound / 4
        };
        self.state.busy.store(true, Ordering::Release);
        // A full disk waits for the room that this makes.
        let patience = if full { 0 } else { length + self.bound / 2 };
        self.send(Job::Retire { source: source.clone(), snapshots: snapshots.clone(), cut, patience });
    }

    /// Whether the shard must write its state down itself. Says so once.
    pub(crate) fn takes_unsaved(&self) -> bool {
        self.state.unsaved.load(Ordering::Relaxed) && self.state.unsaved.swap(false, Ordering::Relaxed)
    }

    /// Saves the state of the shard that serves. It is durable up to there.
    pub(crate) fn save(&self, snapshot: Snapshot, snapshots: &Snapshots) {
        self.send(Job::Save { snapshots: snapshots.clone(), snapshot });
    }

    /// Nothing is left in a cold file.
    pub(crate) fn remove(&self, chunk: u64, source: &Source) {
        self.send(Job::Remove { source: source.clone(), chunk });
    }

    /// Copies the shard for a backup. Nothing is retired or removed meanwhile.
    pub(crate) fn back_up(&self, order: Order, source: &Source, snapshots: &Snapshots) {
        self.state.hurry.store(true, Ordering::Relaxed);
        self.send(Job::BackUp { order, source: source.clone(), snapshots: snapshots.clone() });
    }

    fn send(&self, job: Job) {
        // Its thread ends before us only by a panic; then the journal grows, and says so in the metrics.
        let _ = self.jobs.send(job);
    }
}

struct Work {
    config: shard::Config,
    handle: Handle,
    meters: Arc<ShardMeters>,
    state: Arc<State>,
    /// No number of a cold file is given twice: an order to remove an earlier file may still be on its way.
    next_file: Cell<u64>,
    /// Payloads that the last retirement could not read.
    unread: RefCell<BTreeSet<u64>>,
}

/// Why a retirement ended early.
enum Stop {
    Failed(Error),
    Refused(Refusal),
    NoRoom,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Work {
    fn run(self, jobs: &Receiver<Job>) {
        for job in jobs {
            let is_waited_for = !matches!(job, Job::Remove { .. });
            match job {
                Job::Retire { source, snapshots, cut, patience } => {
                    // An error of ours must not be the last of all retirements; it has been printed.
                    let work = AssertUnwindSafe(|| self.retire(source, snapshots.clone(), cut, patience));
                    match catch_unwind(work) {
                        Ok(Ok(())) => {}
                        Ok(Err(stop)) => {
                            self.state.failed.store(true, Ordering::Relaxed);
                            stop.tell();
                            self.look_after(&snapshots);
                        }
                        Err(_) => self.state.failed.store(true, Ordering::Relaxed),
                    }
                    self.state.busy.store(false, Ordering::Release);
                }
                Job::BackUp { order, source, snapshots } => {
                    if !order.fill(&snapshots, &source.cold) {
                        self.look_after(&snapshots);
                    }
                }
                Job::Save { snapshots, snapshot } => self.save(&snapshots, &snapshot),
                Job::Remove { source, chunk } => {
                    if let Err(error) = source.cold.remove(chunk) {
                        tracing::warn!(target: "kew::journal", %error,
                            "a file that is not needed any more stays for a while");
                    }
                }
            }
            if is_waited_for {
                self.state.hurry.store(false, Ordering::Relaxed);
            }
        }
    }

    /// A retirement or a backup failed. If it did because the snapshot does not read, no other will succeed, and no start either.
    fn look_after(&self, snapshots: &Snapshots) {
        if let Err(error) = snapshots.load()
            && error.is_damage()
        {
            self.meters.failures.add(1);
            self.state.unsaved.store(true, Ordering::Relaxed);
            tracing::error!(target: "kew::journal", %error,
                "the snapshot on disk is damaged, and what it summed up is in memory alone: it is written anew from there with the next change; do not stop Kew before it says that it has been");
        }
    }

    fn save(&self, snapshots: &Snapshots, snapshot: &Snapshot) {
        // A disk that only stumbled: what it holds may have been saved since, and the journal is no longer than that needs. If that cannot
        // be told now, the next retirement finds out.
        if !snapshots.load().is_err_and(|error| error.is_damage()) {
            return;
        }
        match snapshots.save(snapshot) {
            Ok(()) => {
                self.state.keep.store(snapshot.keep, Ordering::Relaxed);
                self.meters.snapshots.add(1);
                self.meters.snapshot_bytes.add(snapshot.bytes.len() as u64);
                tracing::warn!(target: "kew::journal",
                    "the damaged snapshot has been written anew from memory; nothing is lost, but check the disk");
            }
            Err(error) => {
                // The next retirement finds it again.
                tracing::error!(target: "kew::journal", %error,
                    "the damaged snapshot could not be written anew; it is tried again, and until then do not stop Kew");
            }
        }
    }

    fn retire(&self, source: Source, snapshots: Snapshots, cut: u64, patience: u64) -> Result<(), Stop> {
        let begin = Instant::now();
        let rest = self.rest(patience);
        let source = Source { cold: source.cold.resting(rest.clone()), ..source };
        let snapshots = snapshots.resting(rest);
        let mut retirement = Retirement::begin(self.config.clone(), source, snapshots, cut)?
            .numbered_from(self.next_file.get())
            .doubting(self.unread.take());
        loop {
            let step = retirement.step();
            self.next_file.set(retirement.next_file());
            self.unread.replace(retirement.unread().clone());
            retirement.take_lost().iter().for_each(tell_lost);
            match step? {
                Step::Tell(stored) => {
                    self.handle.ask_blocking(Command::Stored(stored)).map_err(Stop::Refused)?;
                }
                Step::Done(outcome) => {
                    let before = self.state.keep.swap(outcome.keep, Ordering::Relaxed);
                    let waits = 2 * outcome.cold_bytes > outcome.keep.saturating_sub(before);
                    let share = if waits { limits::SNAPSHOT_SHARE_WAITING } else { limits::SNAPSHOT_SHARE };
                    self.state.worthwhile.store(share * outcome.snapshot_bytes, Ordering::Relaxed);
                    self.meters.snapshots.add(1);
                    self.meters.snapshot_bytes.add(outcome.snapshot_bytes);
                    self.meters.cold_bytes.add(outcome.cold_bytes);
                    tracing::debug!(target: "kew::journal", took = ?begin.elapsed(), ?outcome,
                        "the journal's oldest part was retired");
                    // Without room for copies the journal is as long as before.
                    return if outcome.keep < cut { Err(Stop::NoRoom) } else { Ok(()) };
                }
            }
        }
    }

    /// After a little work rests for longer than that took, so that requests hardly ever find both the processors and the disk taken;
    /// but not while somebody waits for it to be done, or the journal is longer than `patience`: then it grows faster than it is
    /// retired.
    fn rest(&self, patience: u64) -> Rest {
        let (meters, state) = (Arc::clone(&self.meters), Arc::clone(&self.state));
        let since = Mutex::new(Instant::now());
        Rest::new(move || {
            let mut since = since.lock().unwrap_or_else(PoisonError::into_inner);
            let worked = since.elapsed();
            if worked < limits::RETIRE_WORK {
                return;
            }
            let is_urgent = state.hurry.load(Ordering::Relaxed) || meters.journal_bytes.get() > patience;
            if !is_urgent {
                // No event is awaited: time itself is what is given to the others.
                thread::park_timeout((worked * limits::RETIRE_REST).min(limits::RETIRE_REST_LONGEST));
            }
            *since = Instant::now();
        })
    }
}

fn tell_lost(lost: &Lost) {
    let queue = lost.queue.as_ref().map_or("none, it is on its way to another".into(), |queue| queue.arn());
    tracing::error!(target: "kew::journal", %queue, id = %kew_engine::identity::uuid_text(&lost.message),
        error = %lost.error,
        "a message cannot be read any more; the journal goes on without its content, and whoever receives it is told that it is damaged: restore the directory from a backup if it is needed");
}

impl Stop {
    fn tell(&self) {
        match self {
            Self::Failed(error) => {
                tracing::warn!(target: "kew::journal", %error, "the journal was not shortened; it grows until the next try");
            }
            Self::NoRoom => {
                tracing::warn!(target: "kew::journal",
                    "the journal was not shortened for want of disk space; free some, and it goes on by itself");
            }
            // The shard was opened anew or is stopping; it says so itself.
            Self::Refused(refusal) => {
                tracing::debug!(target: "kew::journal", ?refusal, "the journal was not shortened");
            }
        }
    }
}
