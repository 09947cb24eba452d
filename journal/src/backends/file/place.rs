//! A disk, and how its failures are told.

use std::io;
use std::sync::Arc;

use crate::disk::{Disk, File};
use crate::error::Error;

#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) disk: Arc<dyn Disk>,
}

impl Place {
    pub(super) fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk }
    }

    /// A file's name with its directory, for people.
    pub(super) fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.disk.location())
    }

    /// Makes an empty file of this name, in place of one that an interrupted attempt left.
    pub(super) fn create_anew(&self, file: &str) -> io::Result<Arc<dyn File>> {
        match self.disk.create(file) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.disk.remove(file)?;
                self.disk.create(file)
            }
            other => other,
        }
    }

    /// Turns an error of the disk into ours.
    pub(super) fn failed(&self, action: &'static str, file: &str) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { file: self.path(file), action, source }
    }

    /// The same where a full disk is an error of its own: nothing that counts has been written yet.
    pub(super) fn no_room(
        &self,
        action: &'static str,
        file: &str,
        needed: u64,
    ) -> impl FnOnce(io::Error) -> Error {
        move |source| match is_full(&source) {
            true => Error::DiskFull { location: self.disk.location(), needed },
            false => Error::Io { file: self.path(file), action, source },
        }
    }
}

/// Whether a disk says that it has no room.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
