//! A disk that lives in memory and keeps no more of its promises than the seam demands: what is not synced may be lost
//! at a power cut, sector by sector and name by name; writes and syncs fail; room runs out; power goes at any operation.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use kew_journal::disk::{Disk, File};

use crate::random::Random;

/// The unit that a power cut keeps or loses.
const SECTOR: usize = 512;

/// What a disk does wrong beyond losing what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Treachery {
    /// Nothing: the disk is as good as its word.
    #[default]
    None,
    /// `sync_data` answers without syncing: a canary, which the simulator must notice.
    IgnoresSync,
    /// The same for files whose names begin so.
    IgnoresSyncOf(&'static str),
}

/// The simulated disk. Clones share it.
#[derive(Clone)]
pub struct SimDisk {
    inner: Arc<Mutex<Inner>>,
    /// Which boot of the machine this handle belongs to; handles of earlier boots are dead.
    boot: u64,
}

/// Faults to come, each counted in operations of its kind from now on; 0 strikes the next one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// The power goes at this operation of any kind.
    pub power: Option<u64>,
    /// A write fails with EIO.
    pub write: Option<u64>,
    /// A sync of a file fails with EIO.
    pub sync: Option<u64>,
    /// A read of a file fails with EIO.
    pub read: Option<u64>,
    /// A sync of the directory, a rename, a creation or a removal fails with EIO.
    pub directory: Option<u64>,
}

#[derive(Debug, Clone, Default)]
struct Inode {
    /// What reads see.
    cached: Vec<u8>,
    /// What a power cut leaves for certain.
    durable: Vec<u8>,
    /// Sectors in which `cached` may differ from `durable` and that the next sync will write.
    dirty: BTreeSet<usize>,
    /// Bytes for which room is reserved.
    reserved: usize,
}

#[derive(Debug, Clone)]
enum Change {
    Link { name: String, inode: u64 },
    Unlink { name: String },
    Rename { from: String, to: String, inode: u64 },
}

struct Inner {
    random: Random,
    boot: u64,
    powered: bool,
    treachery: Treachery,
    can_reserve: bool,
    capacity: usize,
    faults: Faults,
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    /// Changes of names since the last sync of the directory, in order.
    pending: Vec<Change>,
    operations: u64,
    syncs: u64,
    log: Vec<String>,
}

impl SimDisk {
    /// An empty disk. `can_reserve` says whether [`File::allocate`] works, as on most file systems.
    pub fn new(seed: u64, capacity: usize, can_reserve: bool, treachery: Treachery) -> Self {
        let inner = Inner {
            random: Random::new(seed),
            boot: 0,
            powered: true,
            treachery,
            can_reserve,
            capacity,
            faults: Faults::default(),
            inodes: BTreeMap::new(),
            next_inode: 1,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending: Vec::new(),
            operations: 0,
            syncs: 0,
            log: Vec::new(),
        };
        Self { inner: Arc::new(Mutex::new(inner)), boot: 0 }
    }

    /// Draws the disk's further choices from `seed`, so that a step's choices do not depend on the steps before.
    pub fn reseed(&self, seed: u64) {
        self.lock().random = Random::new(seed);
    }

    /// Sets the faults to come.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// Puts the faults to come aside: nothing fails until they are set again.
    pub fn take_faults(&self) -> Faults {
        std::mem::take(&mut self.lock().faults)
    }

    /// The names of all files, as a process would see them.
    pub fn names(&self) -> Vec<String> {
        self.lock().names.keys().cloned().collect()
    }

    /// Sets how many bytes fit in all.
    pub fn set_capacity(&self, capacity: usize) {
        self.lock().capacity = capacity;
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.lock().used()
    }

    /// Operations and syncs so far.
    pub fn counts(&self) -> (u64, u64) {
        let inner = self.lock();
        (inner.operations, inner.syncs)
    }

    /// Whether the power is still on.
    pub fn is_powered(&self) -> bool {
        self.lock().powered
    }

    /// What the disk has to tell since it was last asked: the faults that struck.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().log)
    }

    /// Cuts the power and starts the machine again: what was not synced is kept or lost by the seed.
    pub fn power_cycle(&self) -> Self {
        self.lock().cut();
        self.restart()
    }

    /// Kills the process alone and starts it again: the page cache stays.
    pub fn restart(&self) -> Self {
        let mut inner = self.lock();
        inner.boot += 1;
        inner.powered = true;
        inner.faults = Faults::default();
        Self { inner: Arc::clone(&self.inner), boot: inner.boot }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder of the lock panics")
    }
}

impl Inner {
    fn used(&self) -> usize {
        self.names.values().filter_map(|inode| self.inodes.get(inode)).map(Inode::room).sum()
    }

    /// Counts an operation; the power may go at it.
    fn operate(&mut self, boot: u64) -> io::Result<()> {
        if boot != self.boot || !self.powered {
            return Err(no_power());
        }
        self.operations += 1;
        if strikes(&mut self.faults.power) {
            self.powered = false;
            self.log.push("the power goes".to_owned());
        }
        Ok(())
    }

    fn still_powered(&self) -> io::Result<()> {
        if self.powered { Ok(()) } else { Err(no_power()) }
    }

    fn change_name(&mut self, boot: u64, what: &str) -> io::Result<()> {
        self.operate(boot)?;
        if strikes(&mut self.faults.directory) {
            self.log.push(format!("{what} fails"));
            return Err(broken());
        }
        Ok(())
    }

    fn cut(&mut self) {
        let keeps_order = self.random.percent(50);
        let kept = self.random.below(self.pending.len() as u64 + 1) as usize;
        for (at, change) in std::mem::take(&mut self.pending).into_iter().enumerate() {
            let keep = if keeps_order { at < kept } else { self.random.percent(50) };
            if keep {
                change.apply(&mut self.durable_names);
            }
        }
        self.names = self.durable_names.clone();
        let alive: BTreeSet<u64> = self.names.values().copied().collect();
        self.inodes.retain(|number, _| alive.contains(number));
        // The share of unsynced sectors that survive differs from cut to cut, none and all included.
        let share = *self.random.pick(&[0, 10, 50, 90, 100]);
        for inode in self.inodes.values_mut() {
            inode.cut(&mut self.random, share);
        }
    }

    fn ignores_sync(&self, number: u64) -> bool {
        match self.treachery {
            Treachery::None => false,
            Treachery::IgnoresSync => true,
            Treachery::IgnoresSyncOf(prefix) => {
                self.names.iter().any(|(name, inode)| *inode == number && name.starts_with(prefix))
            }
        }
    }

    fn inode(&mut self, number: u64) -> io::Result<&mut Inode> {
        self.inodes.get_mut(&number).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

impl Inode {
    fn room(&self) -> usize {
        self.reserved.max(self.cached.len())
    }

    fn touch(&mut self, start: usize, end: usize) {
        self.dirty.extend(start / SECTOR..end.div_ceil(SECTOR));
    }

    /// Makes the length what it is to become, zeros behind the old end.
    fn resize(&mut self, length: usize) {
        let old = self.cached.len();
        self.cached.resize(length, 0);
        self.touch(old.min(length), old.max(length));
    }

    /// Leaves what a power cut leaves: each unsynced sector, and the unsynced length, as it was or as it is.
    fn cut(&mut self, random: &mut Random, share: u64) {
        let longer = self.cached.len().max(self.durable.len());
        let mut kept = std::mem::take(&mut self.durable);
        let length = if random.percent(50) { kept.len() } else { self.cached.len() };
        kept.resize(longer, 0);
        self.cached.resize(longer, 0);
        for sector in std::mem::take(&mut self.dirty) {
            let (start, end) = ((sector * SECTOR).min(longer), ((sector + 1) * SECTOR).min(longer));
            if random.percent(share) {
                kept[start..end].copy_from_slice(&self.cached[start..end]);
            }
        }
        kept.truncate(length);
        self.reserved = self.reserved.min(length);
        self.cached = kept.clone();
        self.durable = kept;
    }

    fn sync(&mut self) {
        self.durable.resize(self.cached.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            let end = ((sector + 1) * SECTOR).min(self.cached.len());
            let start = (sector * SECTOR).min(end);
            self.durable[start..end].copy_from_slice(&self.cached[start..end]);
        }
    }

    /// A failed sync: some sectors reached the disk, some did not; all count as clean from now on, and of those lost some
    /// still read as if they were there.
    fn fail_sync(&mut self, random: &mut Random) {
        self.durable.resize(self.cached.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            let end = ((sector + 1) * SECTOR).min(self.cached.len());
            let start = (sector * SECTOR).min(end);
            match random.below(3) {
                0 => self.durable[start..end].copy_from_slice(&self.cached[start..end]),
                1 => self.cached[start..end].copy_from_slice(&self.durable[start..end]),
                _ => {}
            }
        }
    }
}

impl Disk for SimDisk {
    fn location(&self) -> String {
        "the simulated disk".to_owned()
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut inner = self.lock();
        inner.change_name(self.boot, "a creation")?;
        if inner.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = inner.next_inode;
        inner.next_inode += 1;
        inner.inodes.insert(inode, Inode::default());
        inner.change(Change::Link { name: name.to_owned(), inode });
        inner.still_powered()?;
        Ok(self.file(inode))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut inner = self.lock();
        inner.operate(self.boot)?;
        inner.still_powered()?;
        let inode = *inner.names.get(name).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(self.file(inode))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.change_name(self.boot, "a rename")?;
        let inode = *inner.names.get(from).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        inner.change(Change::Rename { from: from.to_owned(), to: to.to_owned(), inode });
        inner.still_powered()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.change_name(self.boot, "a removal")?;
        if !inner.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        inner.change(Change::Unlink { name: name.to_owned() });
        inner.still_powered()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut inner = self.lock();
        inner.operate(self.boot)?;
        inner.still_powered()?;
        Ok(inner.names.keys().cloned().collect())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut inner = self.lock();
        inner.change_name(self.boot, "a sync of the directory")?;
        inner.still_powered()?;
        inner.syncs += 1;
        for change in std::mem::take(&mut inner.pending) {
            change.apply(&mut inner.durable_names);
        }
        Ok(())
    }

    fn free_space(&self) -> io::Result<u64> {
        let mut inner = self.lock();
        inner.operate(self.boot)?;
        inner.still_powered()?;
        Ok(inner.capacity.saturating_sub(inner.used()) as u64)
    }
}

/// An open file of the simulated disk.
struct SimFile {
    disk: SimDisk,
    inode: u64,
}

impl SimFile {
    /// Begins an operation; without power there is none.
    fn operate(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let mut inner = self.disk.lock();
        inner.operate(self.disk.boot)?;
        Ok(inner)
    }
}

impl File for SimFile {
    fn length(&self) -> io::Result<u64> {
        let mut inner = self.operate()?;
        inner.still_powered()?;
        Ok(inner.inode(self.inode)?.cached.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut inner = self.operate()?;
        inner.still_powered()?;
        if strikes(&mut inner.faults.read) {
            inner.log.push("a read fails".to_owned());
            return Err(broken());
        }
        let cached = &inner.inode(self.inode)?.cached;
        let start = (offset as usize).min(cached.len());
        let count = buffer.len().min(cached.len() - start);
        buffer[..count].copy_from_slice(&cached[start..start + count]);
        Ok(count)
    }

    fn write_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()> {
        let mut inner = self.operate()?;
        let mut bytes = parts.concat();
        let offset = offset as usize;
        let fails = strikes(&mut inner.faults.write);
        if fails || !inner.powered {
            // Some of it may have been written all the same.
            let count = inner.random.below(bytes.len() as u64 + 1) as usize;
            bytes.truncate(count);
        }
        let room = inner.inode(self.inode)?.room();
        let growth = (offset + bytes.len()).saturating_sub(room);
        let full = inner.used() + growth > inner.capacity;
        if full {
            bytes.truncate(room.saturating_sub(offset));
        }
        let inode = inner.inode(self.inode)?;
        if !bytes.is_empty() {
            let end = offset + bytes.len();
            if end > inode.cached.len() {
                inode.resize(end);
            }
            inode.cached[offset..end].copy_from_slice(&bytes);
            inode.touch(offset, end);
        }
        inner.still_powered()?;
        if fails {
            inner.log.push("a write fails".to_owned());
            return Err(broken());
        }
        if full {
            inner.log.push("a write finds the disk full".to_owned());
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let mut inner = self.operate()?;
        inner.still_powered()?;
        if !inner.can_reserve {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let length = length as usize;
        let growth = length.saturating_sub(inner.inode(self.inode)?.room());
        if growth > 0 && inner.used() + growth > inner.capacity {
            inner.log.push("an allocation finds the disk full".to_owned());
            return Err(io::ErrorKind::StorageFull.into());
        }
        let inode = inner.inode(self.inode)?;
        inode.reserved = inode.reserved.max(length);
        if length > inode.cached.len() {
            inode.resize(length);
        }
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut inner = self.operate()?;
        let inode = inner.inode(self.inode)?;
        inode.resize(length as usize);
        inode.reserved = inode.reserved.min(length as usize);
        inner.still_powered()
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut guard = self.operate()?;
        let inner = &mut *guard;
        inner.still_powered()?;
        let ignored = inner.ignores_sync(self.inode);
        let inode =
            inner.inodes.get_mut(&self.inode).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        inner.syncs += 1;
        if strikes(&mut inner.faults.sync) {
            inode.fail_sync(&mut inner.random);
            inner.log.push("a sync fails".to_owned());
            return Err(broken());
        }
        if !ignored {
            inode.sync();
        }
        Ok(())
    }
}

impl SimDisk {
    fn file(&self, inode: u64) -> Arc<dyn File> {
        Arc::new(SimFile { disk: self.clone(), inode })
    }
}

impl Inner {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Link { name, inode } => {
                names.insert(name.clone(), *inode);
            }
            Self::Unlink { name } => {
                names.remove(name);
            }
            Self::Rename { from, to, inode } => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
        }
    }
}

fn no_power() -> io::Error {
    io::Error::other("no power")
}

fn broken() -> io::Error {
    io::Error::other("input/output error")
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimDisk")
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimFile({})", self.inode)
    }
}

fn strikes(fuse: &mut Option<u64>) -> bool {
    match fuse {
        Some(0) => {
            *fuse = None;
            true
        }
        Some(rest) => {
            *rest -= 1;
            false
        }
        None => false,
    }
}
