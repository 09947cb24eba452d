//! The data directory as a whole: whose it is, of which format, and which journals lie in it.
//!
//! ```text
//! kew-data/
//!   lock          held by the process that uses the directory; its content is that process's id, and where it listens
//!   format        "kew data directory, format 1"
//!   shards        how many journals there are at least, if it was noted: "2"
//!   unfinished    only while the directory is being made as a copy of another: it is nobody's to open
//!   shard-0000/   one journal each
//!   shard-0001/
//! ```

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::Real;
use super::real::{FILE_MODE, sync_parent};
use crate::error::OpenError;
use crate::inspection::Damage;

/// The format of data directories that this release writes.
const FORMAT: u64 = 1;

const FORMAT_TEXT: &str = "kew data directory, format ";
const LOCK: &str = "lock";
const FORMAT_FILE: &str = "format";
const SHARD: &str = "shard-";
const COUNT_FILE: &str = "shards";
const UNFINISHED: &str = "unfinished";

/// Journals that a directory may hold: each costs threads and memory. A note of more is none.
pub const MOST_SHARDS: u32 = 1024;

/// A data directory, locked for this process for as long as this value lives.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// The lock goes with the handle. None where nothing was there to lock.
    lock: Option<fs::File>,
    is_read_only: bool,
}

/// The process that uses a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its id, if it has written it.
    pub pid: Option<String>,
    /// Where it listens, if it has said so.
    pub address: Option<String>,
}

impl Directory {
    /// Opens a data directory and takes its lock; makes it, with its parents, if it is missing. What is made in it is its owner's alone.
    ///
    /// # Errors
    /// [`OpenError::NotWritable`], [`OpenError::InUse`], [`OpenError::NotOurs`], [`OpenError::Unfinished`],
    /// [`OpenError::NewerFormat`], [`OpenError::Corrupt`] if the format file is unreadable.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        let path = path.into();
        let not_writable = |source| not_writable(&path, source);
        create_all(&path).map_err(not_writable)?;
        Self::refuse_unfinished(&path)?;
        let is_new = !path.join(FORMAT_FILE).exists();
        if is_new && holds_something_else(&path).map_err(not_writable)? {
            return Err(OpenError::NotOurs { path: path.display().to_string() });
        }
        let lock = lock(&path)?;
        if is_new {
            write_format(&path).map_err(not_writable)?;
        }
        check_format(&path.join(FORMAT_FILE))?;
        Ok(Self { path, lock: Some(lock), is_read_only: false })
    }

    /// Opens a data directory to look at it: nothing is changed, and nothing can be by way of this value. Nobody else can use the
    /// directory meanwhile. Also gives what is wrong with the file that says whose it is.
    ///
    /// # Errors
    /// [`OpenError::NotWritable`] if it is not there, [`OpenError::InUse`], [`OpenError::NotOurs`], [`OpenError::Unfinished`],
    /// [`OpenError::NewerFormat`].
    pub fn look(path: impl Into<PathBuf>) -> Result<(Self, Option<Damage>), OpenError> {
        let path = path.into();
        let unusable = |source| not_writable(&path, source);
        Self::refuse_unfinished(&path)?;
        let names = fs::read_dir(&path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let names = names.map_err(unusable)?;
        let is_ours = |name: &str| name == FORMAT_FILE || shard_number(name).is_some();
        if !names.iter().any(|entry| entry.file_name().to_str().is_some_and(is_ours)) {
            return Err(OpenError::NotOurs { path: path.display().to_string() });
        }
        let lock = match fs::File::open(path.join(LOCK)) {
            Ok(file) => {
                take_lock(&path, &file)?;
                Some(file)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(unusable(error)),
        };
        let damage = match check_format(&path.join(FORMAT_FILE)) {
            Ok(()) => None,
            Err(OpenError::Corrupt { file, offset, reason }) => Some(Damage { file, offset, reason }),
            Err(OpenError::Io { file, source, .. }) => {
                Some(Damage { file, offset: 0, reason: source.to_string() })
            }
            Err(error) => return Err(error),
        };
        Ok((Self { path, lock, is_read_only: true }, damage))
    }

    /// Makes an empty directory one that a copy is written into, and takes its lock. Whatever becomes of this process or of the
    /// machine, nobody opens it before [`Self::complete`] has returned: the mark that says so is durable before anything else is there.
    ///
    /// # Errors
    /// [`OpenError::NotWritable`], [`OpenError::DiskFull`].
    pub fn draft(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        let path = path.into();
        write_mark(&path).map_err(|source| not_writable(&path, source))?;
        let lock = lock(&path)?;
        Ok(Self { path, lock: Some(lock), is_read_only: false })
    }

    /// The copy is whole, and each file and folder in it durable but for the names in the directory itself: from now on it is a data
    /// directory.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn complete(self) -> io::Result<()> {
        // Each makes the directory durable, with all names that are in it by then.
        Self::note_shards(&self.path)?;
        write_format(&self.path)?;
        // Whose it is says the format; who writes it no longer matters.
        fs::remove_file(self.path.join(LOCK))?;
        fs::remove_file(self.path.join(UNFINISHED))?;
        fs::File::open(&self.path)?.sync_all()
    }

    /// Whether a file is the mark of a copy that is not whole.
    pub fn is_mark(path: &Path) -> bool {
        path.file_name().is_some_and(|name| name == UNFINISHED)
    }

    /// Refuses a copy that is not whole, and names who is still making it, if anybody is.
    ///
    /// # Errors
    /// [`OpenError::Unfinished`], [`OpenError::InUse`], [`OpenError::NotWritable`] if it cannot be seen.
    pub fn refuse_unfinished(path: &Path) -> Result<(), OpenError> {
        match fs::symlink_metadata(path.join(UNFINISHED)) {
            Ok(_) => {}
            // What is no directory is told by whoever opens it.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            Err(error) => return Err(not_writable(path, error)),
        }
        match Self::holder(path)? {
            Some(holder) => Err(in_use(path, holder)),
            None => Err(OpenError::Unfinished { path: path.display().to_string() }),
        }
    }

    /// Who uses a directory now, if anybody does.
    ///
    /// # Errors
    /// [`OpenError::NotWritable`] if it cannot be seen.
    pub fn holder(path: &Path) -> Result<Option<Holder>, OpenError> {
        let unusable = |source| not_writable(path, source);
        let file = match fs::File::open(path.join(LOCK)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(error)),
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(None),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(Some(read_holder(&file))),
            Err(error) => Err(unusable(error.into())),
        }
    }

    /// Notes where this process listens, for whoever finds the directory in use.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn announce(&self, address: &str) -> io::Result<()> {
        self.lock.as_ref().map_or(Ok(()), |mut lock| writeln!(lock, "{address}"))
    }

    /// Writes the file that says whose the directory is, and of which format, in place of one that is not right.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn mark(path: &Path) -> io::Result<()> {
        write_format(path)
    }

    /// The directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether everybody on this machine can reach something in it: only a directory that was made by somebody else, or by hand, lets
    /// them.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn is_open_to_all(&self) -> io::Result<bool> {
        let mode = |metadata: fs::Metadata| metadata.permissions().mode();
        if mode(fs::metadata(&self.path)?) & 0o001 == 0 {
            return Ok(false);
        }
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let is_mount = entry.file_name() == "lost+found";
            if !is_mount && !entry.file_type()?.is_symlink() && mode(entry.metadata()?) & 0o007 != 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The numbers of the journals that exist, ascending.
    ///
    /// # Errors
    /// [`OpenError::NotWritable`] if the directory cannot be read.
    pub fn shards(&self) -> Result<Vec<u32>, OpenError> {
        Self::shards_of(&self.path)
    }

    /// The same of a directory that is not opened, and may be in use.
    ///
    /// # Errors
    /// [`OpenError::NotWritable`] if the directory cannot be read.
    pub fn shards_of(path: &Path) -> Result<Vec<u32>, OpenError> {
        let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut shards: Vec<u32> = entries
            .map_err(|source| OpenError::NotWritable { path: path.display().to_string(), source })?
            .iter()
            .filter_map(|entry| shard_number(entry.file_name().to_str()?))
            .collect();
        shards.sort_unstable();
        Ok(shards)
    }

    /// The numbers of journals that are gone: there are later ones, or they were noted. Without a note, as in a directory of an
    /// earlier release, nobody misses the last ones.
    ///
    /// # Errors
    /// [`OpenError::NotWritable`], [`OpenError::Io`], [`OpenError::Corrupt`] if the note is unreadable.
    pub fn missing_shards(path: &Path) -> Result<Vec<u32>, OpenError> {
        let numbers = Self::shards_of(path)?;
        let known = numbers.last().map_or(0, |last| last.saturating_add(1)).max(noted_shards(path)?);
        Ok((0..known.min(MOST_SHARDS)).filter(|number| numbers.binary_search(number).is_err()).collect())
    }

    /// Notes that the journals that exist now do, durably, so that each of them can be missed.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn note_shards(path: &Path) -> io::Result<()> {
        let count =
            Self::shards_of(path).map_err(io::Error::other)?.last().map_or(0, |last| last.saturating_add(1));
        match noted_shards(path) {
            Ok(noted) if noted >= count => Ok(()),
            _ => write_whole(path, COUNT_FILE, &count.to_string()),
        }
    }

    /// What the folder of one shard's journal is called.
    pub fn shard_name(number: u32) -> String {
        format!("{SHARD}{number:04}")
    }

    /// The disk of one shard's journal; made if it is missing.
    ///
    /// # Errors
    /// [`OpenError::NotWritable`].
    pub fn shard(&self, number: u32) -> Result<Real, OpenError> {
        let path = self.path.join(Self::shard_name(number));
        let opened = if self.is_read_only { Real::read_only(&path) } else { Real::open(&path) };
        opened.map_err(|source| OpenError::NotWritable { path: path.display().to_string(), source })
    }
}

fn shard_number(name: &str) -> Option<u32> {
    name.strip_prefix(SHARD)?.parse().ok()
}

/// Makes a directory unless it is there, durably: itself for its owner alone, its parents as the umask says.
///
/// # Errors
/// Whatever the file system says.
pub fn create_all(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    create_parents(path)?;
    Real::open(path).map(drop)
}

fn create_parents(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.is_dir());
    let Some(parent) = parent else { return Ok(()) };
    create_parents(parent)?;
    match fs::create_dir(parent) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_parent(parent),
    }
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
    options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
    let mut file = options.open(path.join(LOCK)).map_err(not_writable)?;
    take_lock(path, &file)?;
    file.set_len(0).map_err(not_writable)?;
    writeln!(file, "{}", std::process::id()).map_err(not_writable)?;
    Ok(file)
}

fn take_lock(path: &Path, file: &fs::File) -> Result<(), OpenError> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(in_use(path, read_holder(file))),
        Err(error) => Err(not_writable(path, error.into())),
    }
}

fn in_use(path: &Path, holder: Holder) -> OpenError {
    // A holder that has not written its id yet is simply not named.
    let pid = holder.pid.unwrap_or_else(|| String::from("unknown"));
    OpenError::InUse { path: path.display().to_string(), holder: format!("pid {pid}") }
}

fn read_holder(mut file: &fs::File) -> Holder {
    let mut text = String::new();
    // Only for messages.
    let _ = file.read_to_string(&mut text);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from);
    Holder { pid: lines.next(), address: lines.next() }
}

fn write_format(path: &Path) -> io::Result<()> {
    write_whole(path, FORMAT_FILE, &format!("{FORMAT_TEXT}{FORMAT}"))
}

/// Says durably that the directory is unfinished. That the file is there says it; what is in it is for people.
fn write_mark(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(FILE_MODE).open(path.join(UNFINISHED))?;
    writeln!(file, "A copy is being made here. If nobody makes it any more, remove the directory.")?;
    file.sync_all()?;
    fs::File::open(path)?.sync_all()
}

/// Writes a line into a file of the directory, all of it or nothing.
fn write_whole(path: &Path, name: &str, line: &str) -> io::Result<()> {
    let new = path.join(format!("{name}.new"));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(FILE_MODE).open(&new)?;
    writeln!(file, "{line}")?;
    file.sync_all()?;
    fs::rename(new, path.join(name))?;
    fs::File::open(path)?.sync_all()
}

/// How many journals there are at least; none if nobody noted it.
fn noted_shards(path: &Path) -> Result<u32, OpenError> {
    let path = path.join(COUNT_FILE);
    let file = path.display().to_string();
    match fs::read_to_string(&path) {
        Ok(text) => match text.trim_end().parse() {
            Ok(count @ ..=MOST_SHARDS) => Ok(count),
            _ => Err(OpenError::Corrupt {
                file,
                offset: 0,
                reason: "it should say how many shards there are; remove it if none is missing".into(),
            }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(source) => Err(OpenError::Io { file, action: "reading", source }),
    }
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
