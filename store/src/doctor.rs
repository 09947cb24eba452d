//! Looks at a shard on its disk and changes nothing: whether every byte is as it was written, and whether every message that the
//! state tells of is there and reads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use kew_engine::audit::{Departed, Holding, Tally, check_payload};
use kew_engine::cold::Thaw;
use kew_engine::services::sqs::QueueKey;
use kew_engine::services::sqs::command::Locator;
use kew_engine::shard::{Config, Shard};
use kew_engine::time::Moment;
use kew_journal::disk::{Disk, Real};
use kew_journal::{Cold, Cut, Damage, FileKind, FileState, Inspection, OVERHEAD, OpenError, inspect};

use crate::backup::{BackupError, Copied, backup};

mod directory;
mod repair;

pub use directory::{Examination, Repaired};
pub use repair::RepairError;

/// What is known of a shard after looking at it.
#[derive(Debug)]
pub struct Checkup {
    /// Its directory.
    pub location: String,
    /// Every file.
    pub files: Vec<FileState>,
    /// What is no longer as it was.
    pub damage: Vec<Damage>,
    /// The torn end of the journal: nobody was ever answered about it, and the next start cuts it off.
    pub cut: Option<Cut>,
    /// What an operator may want to know, and need not act on.
    pub notes: Vec<String>,
    /// Every queue, as far as the state could be rebuilt.
    pub queues: Vec<Holding>,
    /// Every message on its way to another shard.
    pub departed: Vec<Departed>,
    /// The moment of the last fact.
    pub now: Moment,
    /// What a repair would do without. Empty if nothing is lost.
    pub loss: Loss,
    /// Why no repair is possible.
    pub obstacle: Option<String>,
    config: Config,
    inspection: Inspection,
    state: Option<Shard>,
    /// Cold files of which something is needed, and whether they must be written anew.
    needed: BTreeMap<u64, bool>,
    /// Positions of payloads that are lost; numbers of files and offsets of lost pieces.
    lost: BTreeSet<u64>,
    gone: BTreeSet<(u64, u64)>,
}

/// What cannot be had back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loss {
    /// Messages whose bytes are damaged or missing, by queue.
    pub messages: BTreeMap<QueueKey, u64>,
    /// Whole batches behind damage of the journal, and what they tell of.
    pub batches: u64,
    /// What those tell of.
    pub facts: Tally,
    /// Whether some batches cannot be read, so that nobody knows what they told.
    pub is_uncertain: bool,
}

impl Checkup {
    /// Whether nothing is damaged.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
    }

    /// Messages of all queues that a repair would lose.
    pub fn lost_messages(&self) -> u64 {
        self.loss.messages.values().sum()
    }
}

/// Bytes that [`check`] will read, about.
pub fn size(disk: &dyn Disk) -> u64 {
    let lengths = disk.list().into_iter().flatten().filter(|name| !name.starts_with("spare-"));
    lengths.filter_map(|name| disk.open(&name).and_then(|file| file.length()).ok()).sum()
}

/// Looks at the shard on a disk. Tells `progress` of bytes as they are read.
///
/// # Errors
/// [`OpenError::NewerFormat`], and [`OpenError::Io`] where the directory cannot be listed. Damage is no error.
pub fn check(disk: Arc<dyn Disk>, config: Config, progress: &dyn Fn(u64)) -> Result<Checkup, OpenError> {
    let location = disk.location();
    let mut inspection = inspect(disk, progress)?;
    let mut checkup = Checkup {
        location,
        files: std::mem::take(&mut inspection.files),
        damage: std::mem::take(&mut inspection.damage),
        cut: inspection.cut.clone(),
        notes: std::mem::take(&mut inspection.notes),
        queues: Vec::new(),
        departed: Vec::new(),
        now: Moment::default(),
        loss: Loss::default(),
        obstacle: None,
        config,
        inspection,
        state: None,
        needed: BTreeMap::new(),
        lost: BTreeSet::new(),
        gone: BTreeSet::new(),
    };
    checkup.state = checkup.rebuild();
    if let Some(state) = &checkup.state {
        checkup.queues = state.holdings();
        checkup.departed = state.departed();
        checkup.now = state.now();
        checkup.needed = state.uses().into_keys().map(|file| (file, false)).collect();
    }
    checkup.count_behind();
    let found = checkup.read_cold_files(progress)?;
    checkup.judge(&found);
    Ok(checkup)
}

/// What was found in cold files of what messages need.
#[derive(Debug, Default)]
struct Found {
    pieces: BTreeSet<(u64, u64)>,
    payloads: BTreeSet<u64>,
    /// Messages in whole pieces that do not read, by file.
    unread: BTreeMap<u64, u64>,
}

impl Checkup {
    /// The state as of the last batch that follows without a break.
    fn rebuild(&mut self) -> Option<Shard> {
        if !self.inspection.is_founded {
            self.obstacle = Some(
                "the state cannot be rebuilt: its snapshot is damaged or missing, and the journal does not reach back to the beginning"
                    .into(),
            );
            return None;
        }
        let (mut state, from) = match &self.inspection.snapshot {
            Some(snapshot) => {
                let start = snapshot.position + OVERHEAD;
                match Shard::restore(self.config.clone(), start, snapshot.bytes.clone()) {
                    Ok(state) => (state, snapshot.position),
                    Err(_) => return self.foreign(snapshot.position),
                }
            }
            None => (Shard::new(self.config.clone(), OVERHEAD), 0),
        };
        for batch in self.inspection.snapshots.replay(from) {
            match batch {
                Ok((start, bytes)) => {
                    if state.replay(start, bytes).is_err() {
                        return self.foreign(start);
                    }
                }
                Err(error) => {
                    let file = self.location.clone();
                    self.damage.push(Damage { file, offset: 0, reason: error.to_string() });
                    self.obstacle = Some(error.to_string());
                    return None;
                }
            }
        }
        // What had expired by the last fact needs no file any more.
        state.catch_up();
        Some(state)
    }

    /// The bytes are whole, but not what this release writes.
    fn foreign(&mut self, position: u64) -> Option<Shard> {
        let reason = format!("a record at journal position {position} is not understood by this release");
        self.damage.push(Damage { file: self.location.clone(), offset: 0, reason });
        self.obstacle = Some(
            "this release does not understand what is written there: use the release that wrote it".into(),
        );
        None
    }

    /// Counts what whole batches behind damage tell of.
    fn count_behind(&mut self) {
        for batch in self.inspection.behind() {
            let Ok((start, bytes)) = batch else { break };
            self.loss.batches += 1;
            self.loss.is_uncertain |= self.loss.facts.add(start, bytes).is_err();
        }
        self.loss.is_uncertain |= self.inspection.is_cut_short;
    }

    /// Reads every cold file and looks for what messages need of it.
    fn read_cold_files(&mut self, progress: &dyn Fn(u64)) -> Result<Found, OpenError> {
        let mut found = Found::default();
        let pieces: BTreeMap<(u64, u64), Thaw> = self
            .queues
            .iter()
            .flat_map(|queue| &queue.pieces)
            .map(|piece| ((piece.chunk(), piece.offset()), *piece))
            .collect();
        let held = self.queues.iter().flat_map(|queue| &queue.payloads);
        let payloads: BTreeMap<(u64, u64), Locator> = held
            .chain(self.departed.iter().map(|departed| &departed.payload))
            .filter_map(|payload| Some((payload.in_chunk()?, *payload)))
            .collect();
        for file in self.inspection.cold.numbers()? {
            let mut visit = |offset: u64, bytes: Bytes| {
                let piece = pieces.get(&(file, offset)).filter(|piece| piece.length() == bytes.len() as u64);
                match piece.map(|piece| (piece.count(), piece.check(&bytes))) {
                    Some((_, Ok(0))) => _ = found.pieces.insert((file, offset)),
                    // The others in it are as good as ever, and stay.
                    Some((count, Ok(unread))) if unread < count => {
                        found.pieces.insert((file, offset));
                        *found.unread.entry(file).or_default() += unread;
                    }
                    _ => {}
                }
                let end = offset + bytes.len() as u64;
                for ((_, at), payload) in payloads.range((file, offset)..(file, end)) {
                    let (from, length) = ((at - offset) as usize, payload.length as usize);
                    if from + length <= bytes.len()
                        && check_payload(&bytes.slice(from..from + length)).is_ok()
                    {
                        found.payloads.insert(payload.position);
                    }
                }
            };
            let damage = self.inspection.check_cold(file, progress, &mut visit)?;
            self.tell_cold(file, damage);
        }
        Ok(found)
    }

    fn tell_cold(&mut self, file: u64, damage: Vec<Damage>) {
        let is_needed = self.state.is_none() || self.needed.contains_key(&file);
        let state = match (is_needed, damage.is_empty()) {
            (true, true) => "whole",
            (true, false) => "damaged",
            (false, _) => "nothing in it is needed; goes by itself",
        };
        let name = Cold::name(file);
        if let Some(known) = self.files.iter_mut().find(|known| known.name == name) {
            known.state = state.into();
        }
        if is_needed && !damage.is_empty() {
            self.needed.insert(file, true);
            self.damage.extend(damage);
        }
    }

    /// Sees which messages are not there.
    fn judge(&mut self, found: &Found) {
        let files: BTreeSet<String> = self.files.iter().map(|file| file.name.clone()).collect();
        let mut missing: BTreeMap<String, String> = BTreeMap::new();
        let queues = self.queues.iter().map(|queue| (&queue.stats.key, &*queue.pieces, &*queue.payloads));
        let departed = self.departed.iter().map(|departed| {
            let pieces: &[Thaw] = &[];
            (&departed.queue, pieces, std::slice::from_ref(&departed.payload))
        });
        for (queue, pieces, payloads) in queues.chain(departed) {
            let name = &queue.name;
            let mut lost = 0;
            let mut lose = |messages: u64, file: Option<u64>, what: String| {
                lost += messages;
                let file = file.map(Cold::name);
                let is_known =
                    |damage: &Damage| file.as_ref().is_some_and(|file| damage.file.ends_with(file));
                if self.damage.iter().any(is_known) || (file.is_none() && !self.damage.is_empty()) {
                    return;
                }
                let path =
                    file.as_ref().map_or(self.location.clone(), |file| format!("{}/{file}", self.location));
                let absent = file.as_ref().is_some_and(|file| !files.contains(file));
                let reason = if absent { format!("it is missing, and {what} lie in it") } else { what };
                missing.entry(path).or_insert(reason);
            };
            for piece in pieces {
                if !found.pieces.contains(&(piece.chunk(), piece.offset())) {
                    self.gone.insert((piece.chunk(), piece.offset()));
                    lose(piece.count(), Some(piece.chunk()), format!("messages of the queue {name}"));
                }
            }
            for payload in payloads {
                // Why it cannot be had, where its file does not say so itself.
                let reason = match payload.in_chunk() {
                    Some(_) if found.payloads.contains(&payload.position) => continue,
                    Some(_) => String::new(),
                    None => match self.inspection.reader.read(payload.position, payload.length as usize) {
                        Ok(bytes) if check_payload(&bytes).is_ok() => continue,
                        Ok(_) => " are not at their places in the journal".into(),
                        Err(error) => format!(" cannot be read: {error}"),
                    },
                };
                self.lost.insert(payload.position);
                let file = payload.in_chunk().map(|(file, _)| file);
                lose(1, file, format!("messages of the queue {name}{reason}"));
            }
            if lost > 0 {
                *self.loss.messages.entry(queue.clone()).or_default() += lost;
            }
        }
        for (file, count) in &found.unread {
            let reason = format!(
                "{count} of the messages in it cannot be read: whoever receives them is told so, until they expire; a repair leaves them there, for the sake of the others"
            );
            missing.entry(format!("{}/{}", self.location, Cold::name(*file))).or_insert(reason);
        }
        self.damage.extend(missing.into_iter().map(|(file, reason)| Damage { file, offset: 0, reason }));
    }

    /// Copies the shard, which nobody uses, into an empty directory.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn back_up(&self, from: &Path, to: Real) -> Result<Copied, BackupError> {
        backup(&self.inspection.snapshots, &self.inspection.cold, from, to)
    }

    /// Files of this kind.
    pub fn files_of(&self, kind: FileKind) -> impl Iterator<Item = &FileState> {
        self.files.iter().filter(move |file| file.kind == kind)
    }
}
