//! What must stay secret on disk: the root key and the small documents that it seals (identities, keys).
//!
//! ```text
//! kew-data/
//!   root-key      the root key, unless the operator keeps it elsewhere
//!   sealed/       one file per document, and `contents`, which names them
//! ```
//!
//! The root key never touches a message: messages are encrypted by keys that lie in those documents. So a rotation writes a few
//! small files, and nothing else.

mod cipher;
mod contents;
mod examine;
mod file;
mod root;
mod rotate;
mod source;
#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kew_journal::disk::Directory;
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};
use zeroize::Zeroizing;

pub(crate) use cipher::AesGcm;
pub(crate) use examine::examine;
pub(crate) use file::{Document, SealedFile, Stamp};
pub(crate) use root::{KeyId, RootKey, aes_256_gcm, derive};
pub(crate) use rotate::RootKeyCommand;
pub(crate) use source::{KEY_FILE, KEY_VARIABLE, RootKeyFlags, Source};

/// The folder of the sealed documents.
pub(crate) const FOLDER: &str = "sealed";

/// Why a secret cannot be read or written: one line for the operator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VaultError {
    /// The data directory is not usable.
    #[error("{0}")]
    Directory(String),
    /// The system said no.
    #[error("{action} {} failed: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `reading`, `writing` ...
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The data directory's own key is gone.
    #[error(
        "{} is not there, and without that root key what is sealed in the directory cannot be read: put it back, or name the root key by --root-key-file, KEW_ROOT_KEY or --root-key-command",
        path.display()
    )]
    KeyMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The documents are gone: new keys would read nothing of what the old ones encrypted, and nobody would be known any more.
    #[error(
        "{} is missing, and without the keys and identities in it what is encrypted in the directory cannot be read: put it back from a backup, or make it empty if there never was one, to go on without",
        path.display()
    )]
    FolderMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A document is gone, which is no reason to go on as if there had never been one: without identities everybody would be let in.
    #[error(
        "{} is missing: put it back from a backup; or remove {} to go on without what was in it",
        path.display(),
        list.display()
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// Which says that it was there.
        list: PathBuf,
    },
    /// Everybody on this machine may read the root key.
    #[error("{0}")]
    OpenToAll(String),
    /// What was given as the key is none.
    #[error("{place} holds no root key: give 64 hexadecimal digits, or 32 bytes in base64")]
    NotAKey {
        /// Where it was read.
        place: String,
    },
    /// The command that should print the key did not.
    #[error("the root key command {reason}; let it print the root key and exit with 0")]
    Command {
        /// What it did instead.
        reason: String,
    },
    /// A document was sealed by another key.
    #[error(
        "{} is sealed by the root key {sealer}, but {given} was given: give that key (--root-key-file, KEW_ROOT_KEY, --root-key-command), or end an interrupted `kew root-key rotate` by running it again",
        path.display()
    )]
    OtherKey {
        /// The document.
        path: PathBuf,
        /// Whose seal it bears.
        sealer: KeyId,
        /// The key at hand.
        given: KeyId,
    },
    /// A document makes no sense.
    #[error("{} is damaged: restore it from a backup", path.display())]
    Damaged {
        /// The document.
        path: PathBuf,
    },
    /// A document is of a later release.
    #[error("{} was written by a newer release of Kew (version {found}; this one reads up to {known}): use that release", path.display())]
    Newer {
        /// The document.
        path: PathBuf,
        /// Its version.
        found: u16,
        /// The last version that this release knows.
        known: u16,
    },
}

impl VaultError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, action, source }
    }
}

/// The sealed documents of a data directory, and the key to them.
#[derive(Debug)]
pub(crate) struct Vault {
    root: RootKey,
    folder: PathBuf,
}

impl Vault {
    /// Opens that of the data directory `data`, which may be in use; makes the directory and a root key where there are none yet.
    ///
    /// # Errors
    /// [`VaultError`]: the directory is not usable, what was sealed in it is gone, or there is no root key where `source` says.
    pub(crate) fn open(data: &Path, source: &Source) -> Result<Arc<Self>, VaultError> {
        let vault = Self::look(data, source)?;
        contents::note_all(&vault)?;
        Ok(vault)
    }

    /// The same for a command, which may run as another user than the server: it refuses what that refuses, and notes nothing.
    pub(crate) fn look(data: &Path, source: &Source) -> Result<Arc<Self>, VaultError> {
        let vault = Self::reach(data, source)?;
        contents::check(&vault)?;
        Ok(vault)
    }

    /// The same, whatever became of the documents: some may be sealed by another key.
    fn reach(data: &Path, source: &Source) -> Result<Arc<Self>, VaultError> {
        Directory::refuse_unfinished(data).map_err(|error| VaultError::Directory(error.to_string()))?;
        if !data.join("format").exists() {
            Directory::open(data).map_err(|error| VaultError::Directory(error.to_string()))?;
        }
        let folder = data.join(FOLDER);
        // It is made before a root key and before the first shard. A release that knew no encryption left shards, and no root key.
        if !folder.exists() && source.is_there(data) && holds_shards(data)? {
            return Err(VaultError::FolderMissing { path: folder });
        }
        let made = DirBuilder::new().mode(0o700).create(&folder).and_then(|()| sync_directory(&folder));
        match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(VaultError::io("making", &folder)(error));
            }
            _ => {}
        }
        let is_new = documents(&folder)?.is_empty();
        Ok(Arc::new(Self { root: source.get(data, is_new)?, folder }))
    }

    /// The document of this name, whose content this release writes in this version. The name is a file's: letters and hyphens.
    pub(crate) fn file(self: &Arc<Self>, name: &'static str, version: u16) -> SealedFile {
        SealedFile::new(Arc::clone(self), name, version)
    }

    /// The root key.
    pub(crate) fn root(&self) -> &RootKey {
        &self.root
    }

    fn folder(&self) -> &Path {
        &self.folder
    }
}

fn holds_shards(data: &Path) -> Result<bool, VaultError> {
    let shards = Directory::shards_of(data).map_err(|error| VaultError::Directory(error.to_string()))?;
    Ok(!shards.is_empty())
}

/// The documents in a folder, sorted by name.
pub(crate) fn documents(folder: &Path) -> Result<Vec<PathBuf>, VaultError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let paths = entries.map_err(VaultError::io("reading", folder))?.into_iter().map(|entry| entry.path());
    // Locks, and what an interrupted writer left, have an extension. Folders are not ours (`lost+found`).
    let is_document = |path: &PathBuf| path.extension().is_none() && !path.is_dir();
    let mut paths: Vec<PathBuf> = paths.filter(is_document).collect();
    paths.sort_unstable();
    Ok(paths)
}

/// Makes durable that `path` has its name.
fn sync_directory(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// Random bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> Zeroizing<[u8; N]> {
    let mut bytes = Zeroizing::new([0; N]);
    fill(&mut *bytes);
    bytes
}

/// Fills `bytes` likewise: from the kernel's own generator, which needs no gathering of its own first.
///
/// # Panics
/// Where the system has no randomness: nothing that follows would be secret.
fn fill(mut bytes: &mut [u8]) {
    while !bytes.is_empty() {
        match getrandom(&mut *bytes, GetRandomFlags::empty()) {
            Ok(count) => bytes = &mut bytes[count..],
            Err(Errno::INTR) => {}
            Err(error) => panic!("the system has no randomness: {error}"),
        }
    }
}
