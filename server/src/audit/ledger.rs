//! The audit log's file, and the thread that writes it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::record;
use crate::clock::Clock;
use crate::limits;
use crate::meters::Meter;
use crate::random::Random;

/// What is counted about the file.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Records written.
    pub(crate) written: Meter,
    /// Records that found no room while the file could not be written.
    pub(crate) lost: Meter,
    /// Attempts to write that failed.
    pub(crate) failures: Meter,
}

/// Takes records, and never lets anybody wait.
#[derive(Debug)]
pub(crate) struct Ledger {
    lines: SyncSender<Said>,
    pub(crate) counts: Arc<Counts>,
    /// Bytes of the lines that wait.
    waiting: Arc<AtomicUsize>,
    /// Nothing more comes: what cannot be written now never will be.
    is_ending: Arc<AtomicBool>,
}

/// The thread behind a ledger.
#[derive(Debug)]
pub(crate) struct Scribe(JoinHandle<()>);

enum Said {
    Line(String),
    /// Look whether the file was moved, or nothing more comes.
    Look,
}

impl Ledger {
    /// Opens the file, or makes it, readable by its owner alone.
    pub(crate) fn open(path: &Path, clock: Arc<Clock>, random: Arc<Random>) -> io::Result<(Self, Scribe)> {
        let file = open(path)?;
        let (lines, said) = sync_channel(limits::AUDIT_RECORDS);
        let counts = Arc::<Counts>::default();
        let is_ending = Arc::<AtomicBool>::default();
        let waiting = Arc::<AtomicUsize>::default();
        let page = Page {
            path: path.to_owned(),
            file,
            counts: Arc::clone(&counts),
            waiting: Arc::clone(&waiting),
            told_lost: 0,
            is_failing: false,
            is_ending: Arc::clone(&is_ending),
        };
        let thread = thread::Builder::new()
            .name("kew-audit".to_owned())
            .spawn(move || page.keep(&said, &clock, &random))?;
        Ok((Self { lines, counts, waiting, is_ending }, Scribe(thread)))
    }

    /// A line more; counted as lost if too many wait already.
    pub(super) fn write(&self, line: String) {
        let bytes = line.len();
        let waiting = self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let is_lost = waiting > limits::AUDIT_WAITING_BYTES
            || matches!(self.lines.try_send(Said::Line(line)), Err(TrySendError::Full(_)));
        if is_lost {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.counts.lost.add(1);
        }
    }

    /// The file may have been moved.
    pub(crate) fn look(&self) {
        // Whoever is that busy looks soon by itself.
        let _ = self.lines.try_send(Said::Look);
    }

    /// Nothing more will come.
    pub(crate) fn end(&self) {
        self.is_ending.store(true, Ordering::Release);
        self.look();
    }
}

impl Scribe {
    /// Waits until all is written that could be.
    pub(crate) fn end(self) {
        // A panic has been printed already.
        let _ = self.0.join();
    }
}

/// The file as it is being written.
struct Page {
    path: PathBuf,
    file: File,
    counts: Arc<Counts>,
    waiting: Arc<AtomicUsize>,
    /// How many lost records the file tells of.
    told_lost: u64,
    is_failing: bool,
    is_ending: Arc<AtomicBool>,
}

impl Page {
    fn keep(mut self, said: &Receiver<Said>, clock: &Clock, random: &Random) {
        loop {
            // Asked before the rest is taken: whatever was sent before it is there.
            let is_last = self.is_ending.load(Ordering::Acquire);
            let mut batch = Vec::new();
            let mut count = 0;
            let first = match said.recv_timeout(if is_last { Duration::ZERO } else { limits::AUDIT_LOOK }) {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => Said::Look,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut is_all = true;
            for said in std::iter::once(first).chain(said.try_iter()) {
                match said {
                    Said::Line(line) => {
                        self.waiting.fetch_sub(line.len(), Ordering::Relaxed);
                        batch.extend_from_slice(line.as_bytes());
                        count += 1;
                    }
                    Said::Look => {}
                }
                if batch.len() >= limits::AUDIT_BATCH_BYTES {
                    is_all = false;
                    break;
                }
            }
            let lost = self.counts.lost.get();
            if lost > self.told_lost {
                batch.extend_from_slice(
                    record::gap(lost - self.told_lost, clock.now().0, &random.request_id()).as_bytes(),
                );
                self.told_lost = lost;
            }
            self.turn();
            if self.write(&batch) {
                self.counts.written.add(count);
            } else {
                self.counts.lost.add(count);
                tracing::error!("{count} records and those behind them were not written to the audit log");
                return;
            }
            if is_last && is_all {
                return;
            }
        }
    }

    /// Goes on in a new file if this one was moved or removed.
    fn turn(&mut self) {
        let same = std::fs::metadata(&self.path).and_then(|there| {
            self.file.metadata().map(|here| (there.dev(), there.ino()) == (here.dev(), here.ino()))
        });
        if !matches!(same, Ok(true)) {
            match open(&self.path) {
                Ok(file) => self.file = file,
                // What is open still takes records.
                Err(error) => self.fail(&error),
            }
        }
    }

    /// Writes all of it, however long that takes, unless the server ends meanwhile.
    fn write(&mut self, mut batch: &[u8]) -> bool {
        while !batch.is_empty() {
            match self.file.write(batch) {
                Ok(count) => {
                    batch = &batch[count..];
                    if std::mem::take(&mut self.is_failing) {
                        tracing::info!("the audit log {} is written again", self.path.display());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.fail(&error);
                    if self.is_ending.load(Ordering::Acquire) {
                        return false;
                    }
                    thread::park_timeout(limits::AUDIT_RETRY);
                    self.turn();
                }
            }
        }
        true
    }

    fn fail(&mut self, error: &io::Error) {
        self.counts.failures.add(1);
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::error!(
                "the audit log {} cannot be written: {error}; up to {} records ({} MiB) wait, further ones are lost and counted",
                self.path.display(),
                limits::AUDIT_RECORDS,
                limits::AUDIT_WAITING_BYTES >> 20
            );
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}
