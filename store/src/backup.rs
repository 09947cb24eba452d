//! Copies of a shard and of a data directory, whole and consistent, while it serves or while it rests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kew_journal::disk::{Adoption, Directory, Disk, Real, make, sync_parent};
use kew_journal::{Cold, Error, OpenError, Snapshots};

use crate::sealed;

/// Why there is no copy. What was begun was removed again.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The name is taken.
    #[error("{0} exists already; name a directory that is not there yet")]
    Exists(String),
    /// An earlier attempt was interrupted, or is under way.
    #[error(
        "{0} exists: a backup is under way there, or was interrupted; remove it, or name another directory"
    )]
    Unfinished(String),
    /// A copy would hold itself.
    #[error("{0} lies in the data directory; name a directory outside")]
    Inside(String),
    /// The directory could not be made.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The journal could not be read, or its copy not be written.
    #[error(transparent)]
    Journal(#[from] Error),
    /// A file could not be copied.
    #[error("{action} {path} failed: {source}; check the disk and its free space, then try again")]
    Io {
        /// The file or directory.
        path: String,
        /// `making`, `copying` ...
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What was copied, in files and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files that are copies of their own.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that never change, and so are the same files under second names.
    pub linked: u64,
    /// Their bytes.
    pub linked_bytes: u64,
}

impl Copied {
    /// Counts a file.
    pub(crate) fn count(&mut self, adoption: Adoption, bytes: u64) {
        match adoption {
            Adoption::Linked => {
                self.linked += 1;
                self.linked_bytes += bytes;
            }
            Adoption::Copied => {
                self.files += 1;
                self.bytes += bytes;
            }
        }
    }

    /// Adds what another shard's copy is.
    pub fn add(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.linked += other.linked;
        self.linked_bytes += other.linked_bytes;
    }
}

/// Copies a shard into an empty directory: everything that is durable when this begins, and nothing that comes later. Until it
/// returns nobody may save snapshots or remove cold files; appends go on.
///
/// # Errors
/// [`BackupError`]; what is in `to` then means nothing.
pub fn backup(snapshots: &Snapshots, cold: &Cold, from: &Path, to: Real) -> Result<Copied, BackupError> {
    let to = Arc::new(to);
    let disk: Arc<dyn Disk> = Arc::<Real>::clone(&to);
    let bytes = snapshots.copy(disk)?;
    let mut copied = Copied { files: 1, bytes, ..Copied::default() };
    for (file, length) in cold.files()? {
        let name = Cold::name(file);
        let adopted = to.adopt(from, &name, true).map_err(failed("copying", &from.join(&name)))?;
        copied.count(adopted, length);
    }
    to.sync_dir().map_err(failed("syncing", to.path()))?;
    Ok(copied)
}

/// A backup of a data directory that is being written: it has its name when it is whole.
#[derive(Debug)]
pub struct Draft {
    directory: Option<Directory>,
    new: PathBuf,
    target: PathBuf,
}

impl Draft {
    /// Begins one of the data directory `data`.
    ///
    /// # Errors
    /// [`BackupError`]: the target exists, lies in the data directory, or cannot be made.
    pub fn begin(target: &Path, data: &Path) -> Result<Self, BackupError> {
        let mut new = target.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        if fs::symlink_metadata(target).is_ok() {
            return Err(BackupError::Exists(target.display().to_string()));
        }
        // What is not there is told when it is made.
        let parent = target.parent().map(|parent| fs::canonicalize(Path::new(".").join(parent)));
        if let (Some(Ok(parent)), Ok(data)) = (parent, fs::canonicalize(data))
            && parent.starts_with(data)
        {
            return Err(BackupError::Inside(target.display().to_string()));
        }
        match make(&new) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(BackupError::Unfinished(new.display().to_string()));
            }
            Err(error) => return Err(failed("making", &new)(error)),
        }
        let mut draft = Self { directory: None, new, target: target.to_owned() };
        draft.directory = Some(Directory::draft(&draft.new)?);
        Ok(draft)
    }

    /// An empty directory for a shard.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn shard(&self, number: u32) -> Result<Real, BackupError> {
        let path = self.new.join(Directory::shard_name(number));
        Real::open(&path).map_err(failed("making", &path))
    }

    /// It is whole but for what lies beside the shards of the data directory `data`: that is copied now, so that it holds all that
    /// the shards' copies need.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn finish(mut self, data: &Path) -> Result<Copied, BackupError> {
        let copied = sealed::copy(data, &self.new)?;
        if let Some(directory) = self.directory.take() {
            directory.complete().map_err(failed("completing", &self.new))?;
        }
        fs::rename(&self.new, &self.target).map_err(failed("naming", &self.target))?;
        sync_parent(&self.target).map_err(failed("syncing", &self.target))?;
        Ok(copied)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.new.exists() {
            // What cannot be removed now is told of at the next attempt.
            let _ = discard(&self.new);
        }
    }
}

/// Removes a copy that is not whole, and last of all the mark that says so.
fn discard(new: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(new)? {
        let path = entry?.path();
        if path.is_dir() {
            fs::remove_dir_all(path)?;
        } else if !Directory::is_mark(&path) {
            fs::remove_file(path)?;
        }
    }
    fs::remove_dir_all(new)
}

pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.display().to_string();
    move |source| BackupError::Io { path, action, source }
}
