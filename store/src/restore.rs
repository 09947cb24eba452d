//! A data directory made from a backup.

use std::path::Path;
use std::{fs, io};

use kew_engine::shard::Config;
use kew_journal::disk::{Directory, Disk, Real, create_all, sync_parent};
use kew_journal::{FileKind, OpenError};

use crate::backup::{BackupError, Copied, failed};
use crate::doctor::Examination;
use crate::sealed;

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup cannot be looked at.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The backup is not whole.
    #[error("{0} is damaged; nothing was restored: see `kew doctor`, or take another backup")]
    Damaged(String),
    /// Something is there already.
    #[error("{0} is not empty; name an empty or a new directory")]
    NotEmpty(String),
    /// The backup would not stay as it is.
    #[error("{0} lies within the backup, which is never changed; name a directory elsewhere")]
    Within(String),
    /// The directory could not be written.
    #[error(transparent)]
    Copy(#[from] BackupError),
}

/// Makes the data directory `to`, which is empty or not there, from `backup`, which is checked first and never changed. Files that
/// never change become second names of the backup's. Tells `progress` as [`Examination::begin`] does.
///
/// # Errors
/// [`RestoreError`].
pub fn restore(
    backup: &Path,
    to: &Path,
    config: &Config,
    progress: &dyn Fn(u64, u64),
) -> Result<Copied, RestoreError> {
    Directory::refuse_unfinished(to)?;
    // The root of a file system of its own is empty but for this.
    let is_content =
        |entry: io::Result<fs::DirEntry>| !entry.is_ok_and(|entry| entry.file_name() == "lost+found");
    if to.is_file() || fs::read_dir(to).is_ok_and(|mut entries| entries.any(is_content)) {
        return Err(RestoreError::NotEmpty(to.display().to_string()));
    }
    if lies_within(to, backup) {
        return Err(RestoreError::Within(to.display().to_string()));
    }
    let examined = Examination::begin(backup, config, progress)?;
    if let Some(damage) = examined.damage().next() {
        return Err(RestoreError::Damaged(damage.to_string()));
    }
    create_all(to).map_err(failed("making", to))?;
    // Half a directory is nobody's.
    let directory = Directory::draft(to)?;
    let mut copied = Copied::default();
    for (number, checkup) in &examined.shards {
        let name = Directory::shard_name(*number);
        let (from, path) = (backup.join(&name), to.join(&name));
        let disk = Real::open(&path).map_err(failed("making", &path))?;
        for file in &checkup.files {
            let may_link = match file.kind {
                FileKind::Snapshot | FileKind::Cold => true,
                FileKind::Segment | FileKind::Epoch => false,
                FileKind::Spare | FileKind::Unfinished | FileKind::Foreign => continue,
            };
            let adopted = disk.adopt(&from, &file.name, may_link);
            copied.count(adopted.map_err(failed("copying", &from.join(&file.name)))?, file.bytes);
        }
        disk.sync_dir().map_err(failed("syncing", &path))?;
    }
    copied.add(sealed::copy(backup, to)?);
    sync_parent(to).map_err(failed("syncing", to))?;
    directory.complete().map_err(failed("completing", to))?;
    Ok(copied)
}

/// Whether a directory, which need not be there, would lie within another, whatever names lead there.
fn lies_within(path: &Path, other: &Path) -> bool {
    let Ok(other) = other.canonicalize() else { return false };
    let Ok(path) = std::path::absolute(path) else { return false };
    path.ancestors().find_map(|there| there.canonicalize().ok()).is_some_and(|there| there.starts_with(other))
}
