//! A journal looked at without being opened: for a doctor, and for copies.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::backends::Batches;
use crate::backends::file::{self, Looked};
use crate::{Cold, Cut, OpenError, Reader, Snapshot, Snapshots, disk};

/// What looking at a journal found. Nothing was changed, and nothing can be changed by it.
#[derive(Debug)]
pub struct Inspection {
    /// Every file, by name. Those of the kind [`FileKind::Cold`] have not been read yet: see [`Inspection::check_cold`].
    pub files: Vec<FileState>,
    /// What is no longer as it was written, or is missing.
    pub damage: Vec<Damage>,
    /// The torn end of the journal, which the next opening cuts off: no answer ever rested on it.
    pub cut: Option<Cut>,
    /// The newest snapshot that reads.
    pub snapshot: Option<Snapshot>,
    /// The end of the last batch that follows the snapshot without a break.
    pub end: u64,
    /// No batch that is there ends behind this.
    pub past: u64,
    /// The epoch of the last opening, as far as known.
    pub epoch: u64,
    /// Whether the snapshot and the batches up to `end` give a state that once was. Otherwise nothing can be rebuilt.
    pub is_founded: bool,
    /// Whether batches once came behind `end` that are damaged or missing, or that no state contains because of those.
    pub is_cut_short: bool,
    /// Reads every whole batch, on both sides of a break.
    pub reader: Reader,
    /// Reads cold files.
    pub cold: Cold,
    /// Reads the snapshot, and the batches up to `end`; it saves nothing.
    pub snapshots: Snapshots,
    pub(crate) looked: Arc<Looked>,
}

/// A file of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// Its name in its directory.
    pub name: String,
    /// What it is for.
    pub kind: FileKind,
    /// Its length.
    pub bytes: u64,
    /// What was found, for people.
    pub state: String,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A part of the journal.
    Segment,
    /// A state as of a position.
    Snapshot,
    /// What waits long.
    Cold,
    /// Whose journal it is.
    Epoch,
    /// Room for the next segment.
    Spare,
    /// Never finished.
    Unfinished,
    /// Somebody else's.
    Foreign,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Segment => "journal",
            Self::Snapshot => "snapshot",
            Self::Cold => "cold",
            Self::Epoch => "epoch",
            Self::Spare => "spare",
            Self::Unfinished => "unfinished",
            Self::Foreign => "foreign",
        })
    }
}

/// Bytes that are no longer what they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, with its directory.
    pub file: String,
    /// Where in the file.
    pub offset: u64,
    /// What is wrong there.
    pub reason: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}: {}", self.file, self.offset, self.reason)
    }
}

/// Looks at the journal on a disk: reads and checks every byte of it that means something but for the cold files, and tells
/// `progress` of bytes as they are read.
///
/// # Errors
/// [`OpenError::NewerFormat`], and [`OpenError::Io`] where the directory cannot be read. Damage is no error.
pub fn inspect(disk: Arc<dyn disk::Disk>, progress: &dyn Fn(u64)) -> Result<Inspection, OpenError> {
    file::inspect(disk, progress)
}

impl Inspection {
    /// The whole batches that lie behind a break, and so behind [`Inspection::end`]: no state contains them.
    pub fn behind(&self) -> Batches {
        self.looked.behind()
    }

    /// Reads a cold file from its beginning to its end and shows each whole piece: the offset that [`Cold::write`] gave it, and its
    /// bytes. Returns what is damaged. Tells `progress` of bytes as they are read.
    ///
    /// # Errors
    /// [`OpenError::NewerFormat`].
    pub fn check_cold(
        &self,
        file: u64,
        progress: &dyn Fn(u64),
        visit: &mut dyn FnMut(u64, Bytes),
    ) -> Result<Vec<Damage>, OpenError> {
        let walk = self.looked.walk_cold(file, progress)?;
        walk.pieces().for_each(|(offset, bytes)| visit(offset, bytes));
        Ok(walk.damage)
    }

    /// Writes a damaged cold file anew onto another disk: its whole pieces where they are, and nothing where they are not.
    ///
    /// # Errors
    /// [`OpenError::DiskFull`], [`OpenError::Io`].
    pub fn mend_cold(&self, file: u64, to: Arc<dyn disk::Disk>) -> Result<(), OpenError> {
        self.looked.mend_cold(file, to)
    }
}
