//! A disk in memory that forgets what was not synced, tears what was being written, fails when told to, and runs full.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::disk::{Disk, File};

const SECTOR: usize = 512;

/// A disk, and what happens to it.
#[derive(Debug, Clone, Default)]
pub(super) struct Faulty {
    state: Arc<Mutex<State>>,
    interruption: Interruption,
}

/// What happens just before the next read.
#[derive(Clone, Default)]
struct Interruption(Arc<Mutex<Option<Deed>>>);

type Deed = Box<dyn FnOnce() + Send>;

impl std::fmt::Debug for Interruption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interruption")
    }
}

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    /// Changes of names since the last sync: (name, what it means now).
    renamings: Vec<Vec<(String, Option<usize>)>>,
    /// Operations that change something, counted.
    operations: u64,
    crash_at: Option<u64>,
    fail_at: Option<u64>,
    is_down: bool,
    capacity: Option<u64>,
    random: Random,
}

#[derive(Debug, Default, Clone)]
struct Inode {
    current: Vec<u8>,
    synced: Vec<u8>,
    dirty: BTreeSet<usize>,
}

/// SplitMix64.
#[derive(Debug, Default, Clone)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

impl Faulty {
    pub(super) fn new(seed: u64) -> Self {
        let disk = Self::default();
        disk.seed(seed);
        disk
    }

    /// From here on, chance is another.
    pub(super) fn seed(&self, seed: u64) {
        self.state().random = Random(seed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the disk")
    }

    /// Changing operations so far.
    pub(super) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The power goes at this operation.
    pub(super) fn crash_at(&self, operation: u64) {
        self.state().crash_at = Some(operation);
    }

    /// This operation fails, once.
    pub(super) fn fail_at(&self, operation: u64) {
        self.state().fail_at = Some(operation);
    }

    pub(super) fn is_down(&self) -> bool {
        self.state().is_down
    }

    /// The room of the whole disk; files that are there already keep theirs.
    pub(super) fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    pub(super) fn used(&self) -> u64 {
        self.state().used()
    }

    /// The power is back: what was synced is there, and any of the rest.
    pub(super) fn reboot(&self) {
        let state = &mut *self.state();
        let mut names = state.synced_names.clone();
        for change in std::mem::take(&mut state.renamings) {
            if state.random.below(2) == 0 {
                apply(&mut names, &change);
            }
        }
        for inode in &mut state.inodes {
            let mut survived = inode.synced.clone();
            if !inode.dirty.is_empty() && state.random.below(2) == 0 {
                survived.resize(inode.current.len().max(survived.len()), 0);
            }
            let style = state.random.below(3);
            for sector in std::mem::take(&mut inode.dirty) {
                if style == 0 || (style == 1 && state.random.below(2) == 0) {
                    copy_sector(&inode.current, &mut survived, sector);
                }
            }
            inode.current = survived.clone();
            inode.synced = survived;
        }
        state.names = names.clone();
        state.synced_names = names;
        state.is_down = false;
        state.crash_at = None;
        state.fail_at = None;
    }

    /// A copy of its own.
    pub(super) fn fork(&self) -> Self {
        let state = self.state();
        Self {
            state: Arc::new(Mutex::new(State {
                inodes: state.inodes.clone(),
                names: state.names.clone(),
                synced_names: state.synced_names.clone(),
                renamings: state.renamings.clone(),
                random: state.random.clone(),
                capacity: state.capacity,
                ..State::default()
            })),
            interruption: Interruption::default(),
        }
    }

    /// Does this just before the next read of any file.
    pub(super) fn interrupt_read(&self, deed: impl FnOnce() + Send + 'static) {
        *self.interruption.0.lock().expect("no test panics while it holds this") = Some(Box::new(deed));
    }

    pub(super) fn content(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.inodes[state.names[name]].current.clone()
    }

    /// Puts a file there, synced.
    pub(super) fn put(&self, name: &str, content: Vec<u8>) {
        let mut state = self.state();
        let id = state.inodes.len();
        state.inodes.push(Inode { current: content.clone(), synced: content, dirty: BTreeSet::new() });
        state.names.insert(String::from(name), id);
        state.synced_names.insert(String::from(name), id);
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: &[(String, Option<usize>)]) {
    for (name, id) in change {
        match id {
            Some(id) => names.insert(name.clone(), *id),
            None => names.remove(name),
        };
    }
}

fn copy_sector(from: &[u8], to: &mut [u8], sector: usize) {
    let start = sector * SECTOR;
    let end = (start + SECTOR).min(from.len()).min(to.len());
    if start < end {
        to[start..end].copy_from_slice(&from[start..end]);
    }
}

impl State {
    /// Counts an operation. `Ok(true)`: it is to fail.
    fn operate(&mut self) -> io::Result<bool> {
        self.alive()?;
        let operation = self.operations;
        self.operations += 1;
        if self.crash_at == Some(operation) {
            self.is_down = true;
        }
        Ok(self.fail_at == Some(operation))
    }

    fn alive(&self) -> io::Result<()> {
        if self.is_down { Err(io::Error::other("no power")) } else { Ok(()) }
    }

    fn after(&self) -> io::Result<()> {
        self.alive()
    }

    fn change(&mut self, change: Vec<(String, Option<usize>)>) -> io::Result<()> {
        if self.operate()? {
            return Err(io::Error::other("a bad sector"));
        }
        apply(&mut self.names, &change);
        self.renamings.push(change);
        self.after()
    }

    fn id(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or(io::ErrorKind::NotFound.into())
    }

    fn used(&self) -> u64 {
        let used: BTreeSet<usize> = self.names.values().copied().collect();
        used.into_iter().map(|id| self.inodes[id].current.len() as u64).sum()
    }

    /// Makes a file longer.
    fn extend(&mut self, id: usize, length: usize) -> io::Result<()> {
        let more = length.saturating_sub(self.inodes[id].current.len());
        if more > 0 && self.capacity.is_some_and(|capacity| self.used() + more as u64 > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let inode = &mut self.inodes[id];
        if more > 0 {
            let first = inode.current.len() / SECTOR;
            inode.current.resize(length, 0);
            inode.dirty.extend(first..length.div_ceil(SECTOR));
        }
        Ok(())
    }
}

impl Disk for Faulty {
    fn location(&self) -> String {
        String::from("faulty")
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut state = self.state();
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = state.inodes.len();
        state.inodes.push(Inode::default());
        state.change(vec![(String::from(name), Some(id))])?;
        Ok(Arc::new(Handle { disk: self.clone(), id }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let state = self.state();
        state.alive()?;
        Ok(Arc::new(Handle { disk: self.clone(), id: state.id(name)? }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let id = state.id(from)?;
        state.change(vec![(String::from(from), None), (String::from(to), Some(id))])
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.id(name)?;
        state.change(vec![(String::from(name), None)])
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let state = self.state();
        state.alive()?;
        Ok(state.names.keys().cloned().collect())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.operate()? {
            return Err(io::Error::other("a bad sector"));
        }
        state.after()?;
        state.renamings.clear();
        state.synced_names = state.names.clone();
        Ok(())
    }

    fn free_space(&self) -> io::Result<u64> {
        let state = self.state();
        state.alive()?;
        Ok(state.capacity.map_or(u64::MAX / 2, |capacity| capacity.saturating_sub(state.used())))
    }
}

#[derive(Debug)]
struct Handle {
    disk: Faulty,
    id: usize,
}

impl File for Handle {
    fn length(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.alive()?;
        Ok(state.inodes[self.id].current.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let deed = self.disk.interruption.0.lock().expect("no test panics while it holds this").take();
        deed.into_iter().for_each(|deed| deed());
        let state = self.disk.state();
        state.alive()?;
        let rest = state.inodes[self.id].current.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let fails = state.operate()?;
        let bytes = parts.concat();
        let offset = offset as usize;
        state.extend(self.id, offset + bytes.len())?;
        let count = if fails { state.random.below(bytes.len() as u64 + 1) as usize } else { bytes.len() };
        let inode = &mut state.inodes[self.id];
        inode.current[offset..offset + count].copy_from_slice(&bytes[..count]);
        inode.dirty.extend(offset / SECTOR..(offset + count).div_ceil(SECTOR));
        if fails {
            return Err(io::Error::other("a bad sector"));
        }
        state.after()
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.operate()? {
            return Err(io::Error::other("a bad sector"));
        }
        state.extend(self.id, length as usize)?;
        state.after()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.operate()? {
            return Err(io::Error::other("a bad sector"));
        }
        let inode = &mut state.inodes[self.id];
        inode.current.resize(length as usize, 0);
        inode.dirty.retain(|sector| sector * SECTOR < length as usize);
        state.after()
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let fails = state.operate()?;
        state.after()?;
        let mut random = state.random.clone();
        let inode = &mut state.inodes[self.id];
        inode.synced.resize(inode.current.len(), 0);
        // After a failed sync the system believes its pages clean, whether they reached the disk or not.
        for sector in std::mem::take(&mut inode.dirty) {
            if !fails || random.below(2) == 0 {
                copy_sector(&inode.current, &mut inode.synced, sector);
            }
        }
        state.random = random;
        if fails { Err(io::Error::other("a bad sector")) } else { Ok(()) }
    }
}
