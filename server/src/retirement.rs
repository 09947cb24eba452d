//! Keeps the journal short. When it passes its bound, its oldest part is retired: messages that wait there behind their
//! queue's window go to cold files, others that are still alive are written again at the end, and a snapshot lets the old part
//! go. All of it in small slices beside the traffic; reading and writing happens on a thread of its own.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use kew_engine::services::sqs::command::Locator;
use kew_engine::shard::{Cooling, Shard, Stamp, Straggler};
use kew_journal::{Cold, Error, Reader};
use tokio::sync::mpsc;

use crate::limits;

/// What the thread is asked.
enum Job {
    /// Write these messages to a cold file.
    Cool { round: u64, cooling: Cooling, file: u64, source: Source },
    /// Read these messages, to be written again.
    Fetch { round: u64, stragglers: Vec<Straggler>, source: Source },
    /// Remove a cold file.
    Remove { file: u64, source: Source },
    /// End.
    End,
}

/// What it says back.
pub(crate) struct Report {
    round: u64,
    outcome: Result<Done, Error>,
}

enum Done {
    Cooled { cooling: Cooling, file: u64, offset: u64, length: u64 },
    Fetched(Vec<(Straggler, Bytes)>),
}

/// Where payloads are read.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) reader: Reader,
    pub(crate) cold: Cold,
}

impl Source {
    /// A payload, wherever it lies.
    pub(crate) fn read(&self, payload: Locator) -> Result<Bytes, Error> {
        let length = payload.length as usize;
        match payload.in_chunk() {
            Some((file, offset)) => self.cold.read(file, offset, length),
            None => self.reader.read(payload.position, length),
        }
    }
}

/// How far the retirement of the journal's oldest part has come.
enum Stage {
    /// The journal is short enough.
    Rest,
    /// Messages go to cold files.
    Cooling,
    /// The rest is written again, last first.
    Carrying(Vec<Straggler>),
    /// Nothing before the cut is needed any more, once a snapshot says so.
    Ripe,
}

/// The retirement of one shard's journal.
pub(crate) struct Retirement {
    jobs: Sender<Job>,
    reports: mpsc::UnboundedReceiver<Report>,
    thread: Option<JoinHandle<()>>,
    bound: u64,
    stage: Stage,
    /// What lies before is being retired.
    cut: u64,
    /// Where the journal begins.
    keep: u64,
    /// Not before the journal has come this far: after a failure.
    not_before: u64,
    /// Counts journals opened, so that reports about an earlier one are told apart.
    round: u64,
    /// A job is under way, and for a cold file its number.
    busy: Option<Option<u64>>,
    /// The cold files that are being written, by queue, and their length.
    files: HashMap<u64, (u64, u64)>,
    next_file: u64,
}

impl Retirement {
    /// Starts the thread. `keep` is where the journal begins, `next_file` the first unused number of a cold file.
    pub(crate) fn start(bound: u64, keep: u64, next_file: u64) -> std::io::Result<Self> {
        let (jobs, jobs_out) = channel();
        let (reports_in, reports) = mpsc::unbounded_channel();
        let thread =
            thread::Builder::new().name("kew-retire".into()).spawn(move || work(&jobs_out, &reports_in))?;
        Ok(Self {
            jobs,
            reports,
            thread: Some(thread),
            bound,
            stage: Stage::Rest,
            cut: 0,
            keep,
            not_before: 0,
            round: 0,
            busy: None,
            files: HashMap::new(),
            next_file,
        })
    }

    /// The journal was opened anew: what was under way is void.
    pub(crate) fn restart(&mut self, keep: u64) {
        self.round += 1;
        self.stage = Stage::Rest;
        self.keep = keep;
        self.not_before = 0;
        self.busy = None;
        self.files.clear();
    }

    /// What the thread has done.
    pub(crate) fn poll_report(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Report>> {
        self.reports.poll_recv(context)
    }

    /// Folds in what the thread has done.
    pub(crate) fn handle(&mut self, stamp: Stamp, shard: &mut Shard, report: Report) {
        if report.round != self.round {
            return;
        }
        self.busy = None;
        match report.outcome {
            Ok(Done::Cooled { cooling, file, offset, length }) => {
                shard.cooled(stamp, &cooling, file, offset, length);
                self.files.insert(cooling.queue(), (file, offset + length));
            }
            Ok(Done::Fetched(fetched)) => shard.carry(stamp, &fetched),
            Err(error) => {
                tracing::warn!(target: "kew::journal", %error, "the journal could not be shortened; trying again later");
                self.stage = Stage::Rest;
                self.files.clear();
                self.not_before = shard.position() + self.bound / 8;
            }
        }
    }

    /// Does the next small step, if it is time for one.
    pub(crate) fn step(&mut self, stamp: Stamp, shard: &mut Shard, source: &Source, hurry: bool) {
        if self.busy.is_some() {
            return;
        }
        if matches!(self.stage, Stage::Rest) && self.is_due(shard, hurry) {
            self.cut = self.keep + (shard.position() - self.keep) / 4;
            self.stage = Stage::Cooling;
        }
        if matches!(self.stage, Stage::Cooling) {
            match shard.coolable(stamp, self.cut, limits::RETIRE_BYTES) {
                Some(cooling) => return self.cool(cooling, source),
                None => {
                    self.files.clear();
                    let mut stragglers = shard.stragglers(self.cut);
                    stragglers.reverse();
                    self.stage = Stage::Carrying(stragglers);
                }
            }
        }
        if let Stage::Carrying(stragglers) = &mut self.stage {
            let (mut slice, mut bytes) = (Vec::new(), 0);
            while bytes < limits::RETIRE_BYTES
                && let Some(straggler) = stragglers.pop()
            {
                bytes += straggler.payload.length as usize;
                slice.push(straggler);
            }
            if slice.is_empty() {
                self.stage = Stage::Ripe;
            } else {
                self.busy = Some(None);
                self.send(Job::Fetch { round: self.round, stragglers: slice, source: source.clone() });
            }
        }
    }

    fn is_due(&self, shard: &Shard, hurry: bool) -> bool {
        let length = shard.position().saturating_sub(self.keep);
        // A full disk may find room in what a snapshot lets go.
        let bound = if hurry { self.bound / 8 } else { self.bound };
        // A journal that holds mostly what is alive would only be written again.
        length > bound && shard.position() >= self.not_before && length / 2 > shard.payload_bytes()
    }

    fn cool(&mut self, cooling: Cooling, source: &Source) {
        let file = match self.files.get(&cooling.queue()) {
            Some((file, length)) if *length < limits::COLD_FILE_BYTES => *file,
            _ => {
                self.next_file += 1;
                self.next_file - 1
            }
        };
        self.busy = Some(Some(file));
        self.send(Job::Cool { round: self.round, cooling, file, source: source.clone() });
    }

    /// Whether a snapshot now lets part of the journal go.
    pub(crate) fn is_ripe(&self) -> bool {
        matches!(self.stage, Stage::Ripe)
    }

    /// A snapshot was taken that needs the journal from `keep` on.
    pub(crate) fn snapshot_taken(&mut self, keep: u64) {
        self.keep = keep;
        self.stage = Stage::Rest;
    }

    /// Nothing is left in a cold file.
    pub(crate) fn remove(&mut self, file: u64, source: &Source) {
        self.files.retain(|_, (writing, _)| *writing != file);
        if self.busy == Some(Some(file)) {
            // What is being written there will not count.
            self.busy = None;
            self.round += 1;
        }
        self.send(Job::Remove { file, source: source.clone() });
    }

    /// Ends the thread.
    pub(crate) fn end(&mut self) {
        self.send(Job::End);
        if let Some(thread) = self.thread.take() {
            // A panic has been printed already, and there is nothing left to save.
            let _ = thread.join();
        }
    }

    fn send(&self, job: Job) {
        // Its thread ends before us only by a panic; then the journal grows, and says so in the metrics.
        let _ = self.jobs.send(job);
    }
}

fn work(jobs: &Receiver<Job>, reports: &mpsc::UnboundedSender<Report>) {
    while let Ok(job) = jobs.recv() {
        let (round, outcome) = match job {
            Job::Cool { round, cooling, file, source } => (round, cool(cooling, file, &source)),
            Job::Fetch { round, stragglers, source } => (round, fetch(stragglers, &source)),
            Job::Remove { file, source } => {
                if let Err(error) = source.cold.remove(file) {
                    tracing::warn!(target: "kew::journal", %error, "a file that is not needed any more stays until the next start");
                }
                continue;
            }
            Job::End => break,
        };
        // The runner ends after us, but for a panic of its own.
        let _ = reports.send(Report { round, outcome });
    }
}

fn cool(cooling: Cooling, file: u64, source: &Source) -> Result<Done, Error> {
    let payloads = cooling.payloads().map(|payload| source.read(payload)).collect::<Result<Vec<_>, _>>()?;
    let bytes = cooling.encode(&payloads);
    let offset = source.cold.append(file, &bytes)?;
    Ok(Done::Cooled { cooling, file, offset, length: bytes.len() as u64 })
}

fn fetch(stragglers: Vec<Straggler>, source: &Source) -> Result<Done, Error> {
    let fetched = stragglers.into_iter().map(|straggler| Ok((straggler, source.read(straggler.payload)?)));
    fetched.collect::<Result<Vec<_>, Error>>().map(Done::Fetched)
}
