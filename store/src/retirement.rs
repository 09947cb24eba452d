//! Keeps a journal short. Its oldest part is retired: messages that wait there behind their queue's window go to cold files, the
//! payloads of all others that still live are copied to cold files too, and then a snapshot lets the old part go. Messages that died
//! young are never copied, and no message twice but for those that keep a mostly empty file from being removed.
//!
//! All of it works on a *replica*, a shard rebuilt from the newest snapshot and the journal behind it. So neither looking for what
//! lives nor writing the state down ever stops the shard that serves: that one is told in small pieces what was copied
//! ([`Step::Tell`]), and what it does about each is a fact in its journal, which the replica reads in turn.
//!
//! A message whose bytes cannot be read must not keep the journal from being shortened for ever. If the next retirement cannot read
//! them either, zeros take their place: those are no message, so whoever receives it, and the doctor, finds it damaged, as before.

use std::collections::BTreeSet;

use bytes::Bytes;
use kew_engine::cold::{Bundle, Stored};
use kew_engine::services::sqs::QueueKey;
use kew_engine::shard::{Config, Shard};
use kew_journal::{Error, OVERHEAD, Snapshot, Snapshots};

use crate::source::Source;

/// The retirement of a journal's oldest part.
#[derive(Debug)]
pub struct Retirement {
    source: Source,
    snapshots: Snapshots,
    replica: Shard,
    /// The end of the last batch that the replica has seen.
    at: u64,
    /// What lies before is retired.
    cut: u64,
    /// Messages from this number on came later, and are left to the next retirement.
    end: u64,
    /// The number of the next cold file.
    next: u64,
    /// Cold files that hold little that is needed.
    sparse: Vec<u64>,
    /// Payloads that the retirement before could not read, by position.
    doubted: BTreeSet<u64>,
    /// Payloads that this one cannot read, by position.
    unread: BTreeSet<u64>,
    /// What was given up since that was last asked for.
    lost: Vec<Lost>,
    /// There is no room for cold files: only what is over goes.
    full: bool,
    step_bytes: usize,
    outcome: Outcome,
}

/// What comes next.
#[derive(Debug)]
pub enum Step {
    /// Ask the shard this ([`kew_engine::shard::Command::Stored`]), and when it has answered, take the next step. If it refuses,
    /// let the retirement go.
    Tell(Vec<Stored>),
    /// The oldest part has gone.
    Done(Outcome),
}

/// A message whose bytes could not be read twice, so that zeros stand for them now.
#[derive(Debug)]
pub struct Lost {
    /// The queue in which it is; `None` where it is on its way to another shard.
    pub queue: Option<QueueKey>,
    /// Its MessageId.
    pub message: [u8; 16],
    /// Why its bytes cannot be read.
    pub error: Error,
}

/// Bundles with the bytes to write of each, and what is lost of them.
type Read = (Vec<(Bundle, Bytes)>, Vec<Lost>);

/// What a retirement has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The lowest position that the journal still holds, about.
    pub keep: u64,
    /// Bytes written to cold files.
    pub cold_bytes: u64,
    /// Bytes of the snapshot.
    pub snapshot_bytes: u64,
}

/// Bytes that go to one cold file, and about what is copied between two looks at the journal.
const STEP_BYTES: usize = 8 << 20;

/// Bytes of payloads that are copied out of mostly empty files at a time.
const SPARSE_BYTES: u64 = 16 << 20;

/// A cold file is mostly empty if less than one part in so many is needed.
const SPARSE_SHARE: u64 = 4;

impl Retirement {
    /// Begins to retire what lies before `cut`, or as much of it as is durable. Takes as long as reading the journal behind the
    /// newest snapshot. The calls of one shard's retirements come one after the other.
    ///
    /// # Errors
    /// Whatever reading the journal says.
    pub fn begin(config: Config, source: Source, snapshots: Snapshots, cut: u64) -> Result<Self, Error> {
        let (replica, at) = match snapshots.load()? {
            Some(Snapshot { position, bytes, .. }) => {
                let restored = Shard::restore(config, position + OVERHEAD, bytes);
                (restored.map_err(|_| foreign(position))?, position)
            }
            None => (Shard::new(config, 0), 0),
        };
        let mut new = Self {
            source,
            snapshots,
            replica,
            at,
            cut,
            end: 0,
            next: 0,
            sparse: Vec::new(),
            doubted: BTreeSet::new(),
            unread: BTreeSet::new(),
            lost: Vec::new(),
            full: false,
            step_bytes: STEP_BYTES,
            outcome: Outcome::default(),
        };
        new.catch_up()?;
        new.end = new.replica.next_seq();
        new.look_at_files()?;
        Ok(new)
    }

    /// The same in steps of about so many bytes, each a cold file.
    #[must_use]
    pub fn in_steps_of(self, step_bytes: usize) -> Self {
        Self { step_bytes, ..self }
    }

    /// The same with cold files' numbers from `first` on at least. Whoever removes files on the word of the shard that serves, which
    /// may come late, gives what [`Self::next_file`] said of the retirement before: then no file is mistaken for an earlier one.
    #[must_use]
    pub fn numbered_from(self, first: u64) -> Self {
        Self { next: self.next.max(first), ..self }
    }

    /// The same after one that left payloads [`Self::unread`]: what cannot be read again is given up.
    #[must_use]
    pub fn doubting(self, doubted: BTreeSet<u64>) -> Self {
        Self { doubted, ..self }
    }

    /// The positions of payloads that could not be read so far.
    pub fn unread(&self) -> &BTreeSet<u64> {
        &self.unread
    }

    /// Messages that were given up since this was last asked.
    pub fn take_lost(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.lost)
    }

    /// The number of the next cold file.
    pub fn next_file(&self) -> u64 {
        self.next
    }

    /// Does the next piece of work.
    ///
    /// # Errors
    /// Whatever the disk says. Nothing is lost: let the retirement go, and begin another one later.
    pub fn step(&mut self) -> Result<Step, Error> {
        self.catch_up()?;
        if !self.full {
            let mut bundles = self.replica.backlog(self.cut, self.end, self.step_bytes);
            if bundles.is_empty() {
                bundles = self.replica.survivors(self.cut, &self.sparse);
                bundles.truncate(fitting(&bundles, self.step_bytes));
            }
            if !bundles.is_empty() {
                match self.write(bundles) {
                    Ok(stored) => return Ok(Step::Tell(stored)),
                    // What is over may still go, and that makes room.
                    Err(Error::DiskFull { .. }) => self.full = true,
                    Err(error) => return Err(error),
                }
            }
        }
        self.save()
    }

    /// Reads on in the journal.
    fn catch_up(&mut self) -> Result<(), Error> {
        for batch in self.snapshots.replay(self.at) {
            let (start, bytes) = batch?;
            let end = start + bytes.len() as u64;
            self.replica.replay(start, bytes).map_err(|_| foreign(start))?;
            self.at = end;
        }
        self.replica.catch_up();
        Ok(())
    }

    /// Finds the cold files that are hardly needed, and removes those that are not needed at all: a process ended while it wrote
    /// or removed them.
    fn look_at_files(&mut self) -> Result<(), Error> {
        let files = self.source.cold.files()?;
        let uses = self.replica.uses();
        let mut budget = SPARSE_BYTES;
        self.next = self.replica.next_chunk();
        for (file, length) in files {
            self.next = self.next.max(file + 1);
            let Some(usage) = uses.get(&file) else {
                self.source.cold.remove(file)?;
                continue;
            };
            if usage.pieces == 0 && usage.payloads < length / SPARSE_SHARE && usage.payloads <= budget {
                budget -= usage.payloads;
                self.sparse.push(file);
            }
        }
        Ok(())
    }

    fn write(&mut self, bundles: Vec<Bundle>) -> Result<Vec<Stored>, Error> {
        let (bundles, lost) = self.read(bundles)?;
        let (bundles, pieces): (Vec<_>, Vec<_>) = bundles.into_iter().unzip();
        let chunk = self.next;
        self.next += 1;
        let offsets = self.source.cold.write(chunk, &pieces)?;
        self.lost.extend(lost);
        let lengths = pieces.iter().map(|piece| piece.len() as u64);
        self.outcome.cold_bytes += lengths.clone().sum::<u64>();
        let placed = bundles.into_iter().zip(offsets).zip(lengths);
        Ok(placed.map(|((bundle, offset), length)| Stored { bundle, chunk, offset, length }).collect())
    }

    /// Reads what bundles need, and gives the bytes to write of each. If something cannot be read for the first time, all of that is
    /// noted, and the retirement ends.
    fn read(&mut self, bundles: Vec<Bundle>) -> Result<Read, Error> {
        let (mut read, mut lost, mut failed) = (Vec::new(), Vec::new(), None);
        for bundle in bundles {
            self.snapshots.rest().take();
            let mut payloads = Vec::new();
            for (message, payload) in bundle.messages() {
                match self.source.read(payload) {
                    Ok(bytes) => payloads.push(bytes),
                    Err(error) if error.is_damage() => {
                        self.unread.insert(payload.position);
                        if self.doubted.contains(&payload.position) {
                            payloads.push(vec![0; payload.length as usize].into());
                            lost.push((bundle.queue(), message, error));
                        } else {
                            failed.get_or_insert(error);
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
            if failed.is_some() {
                continue;
            }
            let mut from = 0;
            for part in bundle.split(&|payload| self.unread.contains(&payload.position)) {
                let to = from + part.payloads().count();
                let bytes = part.encode(&payloads[from..to]);
                read.push((part, bytes));
                from = to;
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        Ok((read, self.name(lost)))
    }

    /// Says in which queues messages are lost.
    fn name(&self, lost: Vec<(u64, [u8; 16], Error)>) -> Vec<Lost> {
        let holdings = if lost.is_empty() { Vec::new() } else { self.replica.holdings() };
        let key = |number| {
            holdings.iter().find(|holding| holding.queue == number).map(|holding| holding.stats.key.clone())
        };
        let name = |(queue, message, error)| Lost { queue: key(queue), message, error };
        lost.into_iter().map(name).collect()
    }

    fn save(&mut self) -> Result<Step, Error> {
        let bytes: Bytes = self.replica.snapshot().into();
        self.outcome.snapshot_bytes = bytes.len() as u64;
        self.outcome.keep = self.replica.oldest_needed();
        self.snapshots.save(&Snapshot { position: self.at, keep: self.outcome.keep, bytes })?;
        Ok(Step::Done(self.outcome))
    }
}

/// How many of the bundles fit into one file.
fn fitting(bundles: &[Bundle], step_bytes: usize) -> usize {
    let mut left = step_bytes;
    let fits = |bundle: &&Bundle| {
        let before = left;
        let bytes: usize = bundle.payloads().map(|payload| payload.length as usize).sum();
        left = left.saturating_sub(bytes);
        before > 0
    };
    bundles.iter().take_while(fits).count()
}

/// The journal holds what this release did not write, though it could be opened.
fn foreign(position: u64) -> Error {
    Error::Corrupt {
        file: "the journal".into(),
        offset: position,
        reason: "a record cannot be read again that was read before".into(),
    }
}
