//! A whole data directory, shard by shard.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kew_engine::shard::Config;
use kew_journal::disk::{Directory, Disk, Real, exchange};
use kew_journal::{Damage, OpenError};

use super::{Checkup, RepairError, check, size};

/// A data directory that was looked at. Nobody else can use it while this lives.
#[derive(Debug)]
pub struct Examination {
    /// The directory.
    pub path: PathBuf,
    /// What is wrong with the file that says whose it is.
    pub marker: Option<Damage>,
    /// What is missing or damaged beside the shards that are there; no repair brings it back.
    pub beside: Vec<Damage>,
    /// What an operator may want to know of the directory, and need not act on.
    pub notes: Vec<String>,
    /// Its shards, by number.
    pub shards: Vec<(u32, Checkup)>,
    _locked: Directory,
}

/// What a repair did.
#[derive(Debug)]
pub struct Repaired {
    /// Where what was there before is now.
    pub aside: PathBuf,
    /// Shards that could not be repaired, and why. They are as they were.
    pub left: Vec<(u32, RepairError)>,
}

impl Examination {
    /// Looks at a data directory. Tells `progress` how many bytes have been read of how many, as it goes.
    ///
    /// # Errors
    /// [`OpenError`]: it is in use, not there, not a data directory, or of a newer format. Damage is no error.
    pub fn begin(path: &Path, config: &Config, progress: &dyn Fn(u64, u64)) -> Result<Self, OpenError> {
        let (directory, marker) = Directory::look(path)?;
        let numbers = directory.shards()?;
        let beside = missing(path)?;
        let disks = numbers.iter().map(|number| directory.shard(*number).map(Arc::new));
        let disks = disks.collect::<Result<Vec<_>, _>>()?;
        let total = disks.iter().map(|disk| size(&**disk)).sum();
        let done = Cell::new(0);
        let advance = |bytes| {
            done.set(done.get() + bytes);
            progress(done.get(), total);
        };
        let mut shards = Vec::with_capacity(disks.len());
        for (number, disk) in numbers.into_iter().zip(disks) {
            shards.push((number, check(disk as Arc<dyn Disk>, config.clone(), &advance)?));
        }
        Ok(Self { path: path.to_owned(), marker, beside, notes: Vec::new(), shards, _locked: directory })
    }

    /// Whether nothing is damaged.
    pub fn is_sound(&self) -> bool {
        self.damage().next().is_none()
    }

    /// All that is damaged.
    pub fn damage(&self) -> impl Iterator<Item = &Damage> {
        self.marker
            .iter()
            .chain(&self.beside)
            .chain(self.shards.iter().flat_map(|(_, checkup)| &checkup.damage))
    }

    /// Where [`Self::repair`] will put what is there now.
    pub fn aside(&self) -> PathBuf {
        let free =
            (1..).map(|number| self.path.join(format!("damaged-{number}"))).find(|path| !path.exists());
        // There are more numbers than directories.
        free.unwrap_or_else(|| self.path.join("damaged"))
    }

    /// Repairs what can be repaired. Each shard changes in one step, or stays as it is.
    ///
    /// # Errors
    /// [`RepairError`] where nothing was changed.
    pub fn repair(self) -> Result<Repaired, RepairError> {
        let aside = self.aside();
        Real::open(&aside).map_err(failed("making", &aside))?;
        let mut left = Vec::new();
        for (number, checkup) in self.shards {
            if checkup.is_sound() {
                continue;
            }
            if let Err(error) = repair_shard(&self.path, &aside, number, checkup) {
                left.push((number, error));
            }
        }
        if self.marker.is_some() {
            let (old, kept) = (self.path.join("format"), aside.join("format"));
            if old.exists() {
                fs::copy(&old, &kept).map_err(failed("copying", &old))?;
            }
            Directory::mark(&self.path).map_err(failed("writing", &old))?;
        }
        Ok(Repaired { aside, left })
    }
}

/// Shards that a server misses, too.
fn missing(path: &Path) -> Result<Vec<Damage>, OpenError> {
    let damage = |number| Damage {
        file: path.join(Directory::shard_name(number)).display().to_string(),
        offset: 0,
        reason: format!(
            "the folder of shard {number} is missing; put it back from a backup, or make it empty to go on without what it held"
        ),
    };
    Ok(Directory::missing_shards(path)?.into_iter().map(damage).collect())
}

fn repair_shard(path: &Path, aside: &Path, number: u32, checkup: Checkup) -> Result<(), RepairError> {
    let name = Directory::shard_name(number);
    let (old, new) = (path.join(&name), aside.join(&name));
    let repaired = Real::open(&new).map_err(failed("making", &new)).and_then(|to| checkup.repair(&old, to));
    let swapped = repaired.and_then(|()| exchange(&old, &new).map_err(failed("exchanging", &old)));
    if swapped.is_err() {
        // It means nothing; if it cannot be removed, it is in nobody's way.
        let _ = fs::remove_dir_all(&new);
    }
    swapped
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> RepairError {
    let path = path.display().to_string();
    move |source| RepairError::Io { path, action, source }
}
