//! What can go wrong, each error saying what to do next.

use std::io;

use rustix::io::Errno;

/// Why a journal or a data directory did not open. Nothing in it was changed, unless the text says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory cannot be made, read or written.
    #[error(
        "cannot use {path}: {source}; make it a directory that this user may read and write, or name another one"
    )]
    NotWritable {
        /// The directory.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the directory.
    #[error(
        "{path} is in use by another process ({holder}); stop that process first, or give this one another directory"
    )]
    InUse {
        /// The directory.
        path: String,
        /// `pid 123`, as far as known.
        holder: String,
    },
    /// The directory holds other things.
    #[error("{path} is not empty and is not a kew data directory; name an empty or a new directory")]
    NotOurs {
        /// The directory.
        path: String,
    },
    /// The directory is a copy that is not whole.
    #[error(
        "{path} is unfinished: the backup or the restore that made it was interrupted; remove it, or what is in it, and make another one"
    )]
    Unfinished {
        /// The directory.
        path: String,
    },
    /// A newer release wrote this.
    #[error(
        "{file} has format {found}, and this release knows formats up to {supported}; start the release that wrote it, or a newer one"
    )]
    NewerFormat {
        /// The file that says so.
        file: String,
        /// Its format.
        found: u64,
        /// The newest format known here.
        supported: u64,
    },
    /// Bytes that were once durable are no longer what they were. Cutting them off would lose answers already given.
    #[error(
        "{file} is damaged at offset {offset}: {reason}; nothing was changed: restore the directory from a backup, or see what `kew doctor` says"
    )]
    Corrupt {
        /// The file.
        file: String,
        /// Where in the file, in bytes.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A file that must be there is not.
    #[error(
        "{file} is missing ({reason}); nothing was changed: put it back, restore the directory from a backup, or see what `kew doctor` says"
    )]
    Missing {
        /// The file, or the first one of those missing.
        file: String,
        /// How that is known.
        reason: String,
    },
    /// No room for the first segment.
    #[error(
        "no room in {location} to open the journal ({needed} bytes needed); free some space and start again"
    )]
    DiskFull {
        /// The directory.
        location: String,
        /// Bytes that could not be had.
        needed: u64,
    },
    /// The disk failed.
    #[error("{action} {file} failed: {source}; check the disk and the system's log, then start again")]
    Io {
        /// The file.
        file: String,
        /// `reading`, `writing`, ...
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Why an append, a read or a snapshot failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No room for this batch or snapshot. Nothing of it counts, and the same call may be made again later.
    #[error(
        "no room in {location} for {needed} more bytes; free some space there, writing resumes by itself"
    )]
    DiskFull {
        /// The directory.
        location: String,
        /// Bytes that could not be had.
        needed: u64,
    },
    /// The disk failed. The writer is of no more use: open the journal anew.
    #[error("{action} {file} failed: {source}; check the disk and the system's log")]
    Io {
        /// The file.
        file: String,
        /// `reading`, `writing`, ...
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody opened the journal after us, so it is theirs. Whether the batch counts is for them to see.
    #[error(
        "the journal was opened anew (epoch {newer} follows our {ours}); this opening may no longer write"
    )]
    Fenced {
        /// The epoch of this opening.
        ours: u64,
        /// The epoch that took over.
        newer: u64,
    },
    /// An earlier append failed, so this writer takes no more.
    #[error("an earlier append failed; open the journal anew and rebuild the state from it")]
    Poisoned,
    /// The batch was built for another place.
    #[error("a batch for position {given} was given where {expected} comes next")]
    OutOfOrder {
        /// The start given.
        given: u64,
        /// The start of the next batch.
        expected: u64,
    },
    /// The batch is longer than [`crate::MAX_BATCH_BYTES`].
    #[error("a batch of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Its length.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The bytes asked for were dropped, or never written.
    #[error("the journal holds no {length} bytes at position {position}")]
    Gone {
        /// The position asked for.
        position: u64,
        /// The length asked for.
        length: usize,
    },
    /// Bytes that were once durable are no longer what they were.
    #[error("{file} is damaged at offset {offset}: {reason}; restore the directory from a backup")]
    Corrupt {
        /// The file.
        file: String,
        /// Where in the file, in bytes.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
}

impl Error {
    /// Whether what was to be read is not there any more, as far as the disk can tell: asked again, it says the same. That there are
    /// too many open files, say, is no damage.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Corrupt { .. } => true,
            Self::Io { source, .. } => {
                let is_short =
                    matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof);
                let said = source.raw_os_error().map(Errno::from_raw_os_error);
                is_short || matches!(said, Some(Errno::IO | Errno::BADMSG))
            }
            _ => false,
        }
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::DiskFull { location, needed } => Self::DiskFull { location, needed },
            OpenError::Io { file, action, source } => Self::Io { file, action, source },
            OpenError::Corrupt { file, offset, reason } => Self::Corrupt { file, offset, reason },
            OpenError::NewerFormat { ref file, .. } | OpenError::Missing { ref file, .. } => {
                Self::Corrupt { file: file.clone(), offset: 0, reason: error.to_string() }
            }
            OpenError::NotWritable { .. }
            | OpenError::InUse { .. }
            | OpenError::NotOurs { .. }
            | OpenError::Unfinished { .. } => Self::Io {
                file: String::from("the journal"),
                action: "opening",
                source: io::Error::other(error.to_string()),
            },
        }
    }
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        match error {
            Error::DiskFull { location, needed } => Self::DiskFull { location, needed },
            Error::Io { file, action, source } => Self::Io { file, action, source },
            Error::Corrupt { file, offset, reason } => Self::Corrupt { file, offset, reason },
            other => Self::Io {
                file: String::from("the journal"),
                action: "opening",
                source: io::Error::other(other.to_string()),
            },
        }
    }
}
