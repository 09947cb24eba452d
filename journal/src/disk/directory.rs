//! The data directory as a whole: whose it is, of which format, and which journals lie in it.
//!
//! ```text
//! kew-data/
//!   lock          held by the process that uses the directory; its content is that process's id
//!   format        "kew data directory, format 1"
//!   shard-0000/   one journal each
//!   shard-0001/
//! ```

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::Real;
use crate::error::OpenError;

/// The format of data directories that this release writes.
const FORMAT: u64 = 1;

const FORMAT_TEXT: &str = "kew data directory, format ";
const LOCK: &str = "lock";
const FORMAT_FILE: &str = "format";
const SHARD: &str = "shard-";

/// A data directory, locked for this process for as long as this value lives.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// The lock goes with the handle.
    _lock: fs::File,
}

impl Directory {
    /// Opens a data directory and takes its lock; makes it, with its parents, if it is missing.
    ///
    /// # Errors
    /// [`OpenError::NotWritable`], [`OpenError::InUse`], [`OpenError::NotOurs`], [`OpenError::NewerFormat`],
    /// [`OpenError::Corrupt`] if the format file is unreadable.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        let path = path.into();
        let not_writable = |source| not_writable(&path, source);
        create_all(&path).map_err(not_writable)?;
        let is_new = !path.join(FORMAT_FILE).exists();
        if is_new && holds_something_else(&path).map_err(not_writable)? {
            return Err(OpenError::NotOurs { path: path.display().to_string() });
        }
        let lock = lock(&path)?;
        if is_new {
            write_format(&path).map_err(not_writable)?;
        }
        check_format(&path.join(FORMAT_FILE))?;
        Ok(Self { path, _lock: lock })
    }

    /// The directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The numbers of the journals that exist, ascending.
    ///
    /// # Errors
    /// [`OpenError::NotWritable`] if the directory cannot be read.
    pub fn shards(&self) -> Result<Vec<u32>, OpenError> {
        let entries = fs::read_dir(&self.path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut shards: Vec<u32> = entries
            .map_err(|source| OpenError::NotWritable { path: self.path.display().to_string(), source })?
            .iter()
            .filter_map(|entry| entry.file_name().to_str()?.strip_prefix(SHARD)?.parse().ok())
            .collect();
        shards.sort_unstable();
        Ok(shards)
    }

    /// The disk of one shard's journal; made if it is missing.
    ///
    /// # Errors
    /// [`OpenError::NotWritable`].
    pub fn shard(&self, number: u32) -> Result<Real, OpenError> {
        let path = self.path.join(format!("{SHARD}{number:04}"));
        Real::open(&path)
            .map_err(|source| OpenError::NotWritable { path: path.display().to_string(), source })
    }
}

/// Makes a directory, with its parents, durably.
fn create_all(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_all(parent)?;
    }
    Real::open(path).map(drop)
}

/// Whether a directory without a format file holds anything but what an interrupted first start leaves.
fn holds_something_else(path: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        // A mount point of its own file system is empty but for this one.
        if name != LOCK && name != "format.new" && name != "lost+found" {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Why nothing can be written there.
fn not_writable(path: &Path, source: io::Error) -> OpenError {
    let path = path.display().to_string();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            OpenError::DiskFull { location: path, needed: 4096 }
        }
        _ => OpenError::NotWritable { path, source },
    }
}

fn lock(path: &Path) -> Result<fs::File, OpenError> {
    let not_writable = |source| not_writable(path, source);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(path.join(LOCK)).map_err(not_writable)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut pid = String::new();
            // Only for the message: a holder that has not written its id yet is simply not named.
            let _ = file.read_to_string(&mut pid);
            let holder = match pid.trim() {
                "" => String::from("pid unknown"),
                pid => format!("pid {pid}"),
            };
            return Err(OpenError::InUse { path: path.display().to_string(), holder });
        }
        Err(error) => return Err(not_writable(error.into())),
    }
    file.set_len(0).map_err(not_writable)?;
    writeln!(file, "{}", std::process::id()).map_err(not_writable)?;
    Ok(file)
}

fn write_format(path: &Path) -> io::Result<()> {
    let new = path.join("format.new");
    let mut file = fs::File::create(&new)?;
    writeln!(file, "{FORMAT_TEXT}{FORMAT}")?;
    file.sync_all()?;
    fs::rename(new, path.join(FORMAT_FILE))?;
    fs::File::open(path)?.sync_all()
}

fn check_format(path: &Path) -> Result<(), OpenError> {
    let file = path.display().to_string();
    let text = match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(source) => return Err(OpenError::Io { file, action: "reading", source }),
    };
    match text.trim_end().strip_prefix(FORMAT_TEXT).and_then(|number| number.parse::<u64>().ok()) {
        Some(found) if found > FORMAT => Err(OpenError::NewerFormat { file, found, supported: FORMAT }),
        Some(_) => Ok(()),
        None => Err(OpenError::Corrupt {
            file,
            offset: 0,
            reason: format!("it should say \"{FORMAT_TEXT}{FORMAT}\""),
        }),
    }
}
