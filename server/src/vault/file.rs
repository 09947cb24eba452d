//! Small documents, sealed by the root key, each in a file of its own that is replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FlockOperation;
use zeroize::Zeroizing;

use super::{KeyId, RootKey, Vault, VaultError, contents, sync_directory};

/// What a sealed file begins with; then come its document's version (2 bytes, little-endian) and [`RootKey::seal`]'s bytes.
const MAGIC: &[u8] = b"kew sealed file 1\n";

/// A document as it was read.
#[derive(Debug)]
pub(crate) struct Document {
    /// The version of the release that wrote it: this release's or an older one.
    pub(crate) version: u16,
    /// Wiped when it is dropped.
    pub(crate) content: Zeroizing<Vec<u8>>,
    /// Which writing of the file it was.
    pub(crate) stamp: Stamp,
}

/// Tells one writing of a file from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: u64,
    modified: (i64, i64),
    length: u64,
}

impl Stamp {
    fn of(file: &fs::Metadata) -> Self {
        Self { inode: file.ino(), modified: (file.mtime(), file.mtime_nsec()), length: file.len() }
    }
}

/// One document. Reading takes no lock, for the file is replaced as a whole; writers wait for one another.
#[derive(Debug, Clone)]
pub(crate) struct SealedFile {
    vault: Arc<Vault>,
    name: &'static str,
    version: u16,
}

impl SealedFile {
    pub(super) fn new(vault: Arc<Vault>, name: &'static str, version: u16) -> Self {
        Self { vault, name, version }
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> PathBuf {
        self.vault.folder().join(self.name)
    }

    /// What it says; `None` if it was never written.
    ///
    /// # Errors
    /// [`VaultError`]: it is damaged, sealed by another root key, or written by a newer release; each in one line.
    pub(crate) fn read(&self) -> Result<Option<Document>, VaultError> {
        let path = self.path();
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(VaultError::io("reading", &path)(error)),
        };
        let failed = VaultError::io("reading", &path);
        let read = file.metadata().and_then(|facts| {
            let mut bytes = Vec::with_capacity(facts.len() as usize);
            file.read_to_end(&mut bytes).map(|_| (Stamp::of(&facts), bytes))
        });
        let (stamp, bytes) = read.map_err(failed)?;
        let (version, content) = open(self.vault.root(), self.name, &path, &bytes)?;
        if version > self.version {
            return Err(VaultError::Newer { path, found: version, known: self.version });
        }
        Ok(Some(Document { version, content, stamp }))
    }

    /// What it says, if that was written since `last`; `None` if not, or if it was never written.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn read_if_changed(&self, last: Option<Stamp>) -> Result<Option<Document>, VaultError> {
        let path = self.path();
        let now = match fs::metadata(&path) {
            Ok(facts) => Some(Stamp::of(&facts)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(VaultError::io("reading", &path)(error)),
        };
        if now == last { Ok(None) } else { self.read() }
    }

    /// Lets `change` make its next content of what it says now, and writes that: durable when this returns. Nobody else writes it
    /// meanwhile. Without a next content nothing is written.
    ///
    /// # Errors
    /// Those of `change`, and [`VaultError`]; then it says what it said before.
    pub(crate) fn update<T, E: From<VaultError>>(
        &self,
        change: impl FnOnce(Option<Document>) -> Result<(Option<Zeroizing<Vec<u8>>>, T), E>,
    ) -> Result<T, E> {
        let path = self.path();
        let _lock = lock(&path)?;
        let before = self.read()?;
        let is_first = before.is_none();
        let (next, outcome) = change(before)?;
        if let Some(content) = next {
            let bytes = seal(self.vault.root(), self.name, self.version, &content);
            replace(&path, &bytes)?;
            if is_first {
                contents::note(&self.vault, self.name)?;
            }
        }
        Ok(outcome)
    }
}

/// What a document is sealed for: one of another name or version does not open in its place.
fn purpose(name: &str, version: u16) -> String {
    format!("sealed file {name}, version {version}")
}

/// A file's bytes.
pub(super) fn seal(root: &RootKey, name: &str, version: u16, content: &[u8]) -> Vec<u8> {
    [MAGIC, &version.to_le_bytes(), &root.seal(&purpose(name, version), content)].concat()
}

/// The version and content that a file's bytes hold.
pub(super) fn open(
    root: &RootKey,
    name: &str,
    path: &Path,
    bytes: &[u8],
) -> Result<(u16, Zeroizing<Vec<u8>>), VaultError> {
    let damaged = || VaultError::Damaged { path: path.to_owned() };
    let (version, sealed, sealer) = parts(bytes).ok_or_else(damaged)?;
    if sealer != root.id() {
        return Err(VaultError::OtherKey { path: path.to_owned(), sealer, given: root.id() });
    }
    let content = root.open(&purpose(name, version), sealed).ok_or_else(damaged)?;
    Ok((version, content))
}

/// Whose seal a file's bytes bear.
pub(super) fn sealer(path: &Path, bytes: &[u8]) -> Result<KeyId, VaultError> {
    let (_, _, sealer) = parts(bytes).ok_or_else(|| VaultError::Damaged { path: path.to_owned() })?;
    Ok(sealer)
}

/// The version that a file's bytes hold, what is sealed, and by which key; `None` if they have not the form.
fn parts(bytes: &[u8]) -> Option<(u16, &[u8], KeyId)> {
    let (version, sealed) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<2>()?;
    Some((u16::from_le_bytes(*version), sealed, RootKey::sealer(sealed)?))
}

/// Puts `bytes` in place of what the file holds, durably: after a crash it is the old content or the new one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    let new = path.with_extension("new");
    let written = (|| {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        sync_directory(path)
    })();
    written.map_err(VaultError::io("writing", path))
}

/// Waits until no other writer is at it. The lock goes with the handle.
pub(super) fn lock(path: &Path) -> Result<File, VaultError> {
    let lock = path.with_extension("lock");
    let locked = (|| {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock)?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    })();
    locked.map_err(VaultError::io("locking", &lock))
}
