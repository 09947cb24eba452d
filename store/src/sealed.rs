//! What lies beside the shards and goes with them: the sealed documents (identities, keys), without which a copy would let
//! everybody in or could not read its messages, and the root key, where that is kept in the directory.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::backup::{BackupError, Copied, failed};

/// The folder of the sealed documents.
pub const FOLDER: &str = "sealed";

/// The document that names the others, each of which is there before it is named.
pub const CONTENTS: &str = "contents";

/// The file of a data directory's own root key.
pub const ROOT_KEY: &str = "root-key";

/// Copies them from one data directory to another, durably. A server may use the first: each document is replaced as a whole, and
/// if the root key is another one afterwards, all are copied again.
///
/// # Errors
/// [`BackupError::Io`].
pub fn copy(from: &Path, to: &Path) -> Result<Copied, BackupError> {
    loop {
        let before = key(from)?;
        let copied = copy_once(from, to)?;
        if key(from)? == before {
            return Ok(copied);
        }
    }
}

fn copy_once(from: &Path, to: &Path) -> Result<Copied, BackupError> {
    let mut copied = Copied::default();
    let (source, folder) = (from.join(FOLDER), to.join(FOLDER));
    let list = source.join(CONTENTS);
    // Before the others are looked for: the copy must not name one that came later. It has none if there was none until then.
    if list.is_file() {
        make(&folder)?;
        copy_file(&list, &folder.join(CONTENTS), &mut copied)?;
    }
    for document in documents(&source)?.into_iter().filter(|document| *document != list) {
        make(&folder)?;
        let name = document.file_name().unwrap_or_default();
        copy_file(&document, &folder.join(name), &mut copied)?;
    }
    if folder.is_dir() {
        sync(&folder)?;
    }
    let key = from.join(ROOT_KEY);
    if key.is_file() {
        copy_file(&key, &to.join(ROOT_KEY), &mut copied)?;
    }
    sync(to)?;
    Ok(copied)
}

fn make(folder: &Path) -> Result<(), BackupError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed("making", folder)(error)),
        _ => Ok(()),
    }
}

/// The root key's text, to be compared alone; `None` if it is kept elsewhere.
fn key(data: &Path) -> Result<Option<Vec<u8>>, BackupError> {
    let path = data.join(ROOT_KEY);
    match fs::read(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("reading", &path)(error)),
    }
}

/// The documents; locks, and what an interrupted writer left, have an extension.
fn documents(folder: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.and_then(Iterator::collect::<io::Result<Vec<_>>>),
    };
    let paths = entries.map_err(failed("reading", folder))?.into_iter().map(|entry| entry.path());
    Ok(paths.filter(|path| path.extension().is_none() && path.is_file()).collect())
}

/// With its permissions, and never under a second name: the original's bytes must not outlive it there.
fn copy_file(from: &Path, to: &Path, copied: &mut Copied) -> Result<(), BackupError> {
    let bytes = fs::copy(from, to).map_err(failed("copying", from))?;
    sync(to)?;
    copied.files += 1;
    copied.bytes += bytes;
    Ok(())
}

fn sync(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(failed("syncing", path))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn documents_and_the_root_key_are_copied_for_their_owner_alone_and_locks_are_not() {
        let base = std::env::temp_dir().join(format!("kew-sealed-{}", std::process::id()));
        let (from, to) = (base.join("from"), base.join("to"));
        fs::create_dir_all(from.join(FOLDER)).expect("a directory");
        fs::create_dir_all(&to).expect("a directory");
        for name in
            ["sealed/contents", "sealed/identities", "sealed/identities.lock", "sealed/keys.new", ROOT_KEY]
        {
            fs::write(from.join(name), name).expect("a file");
            fs::set_permissions(from.join(name), Permissions::from_mode(0o600)).expect("its mode");
        }
        let copied = copy(&from, &to).expect("a copy");
        assert_eq!((copied.files, copied.linked), (3, 0));
        assert_eq!(fs::read(to.join("sealed/identities")).expect("a file"), b"sealed/identities");
        assert_eq!(fs::read(to.join("sealed/contents")).expect("a file"), b"sealed/contents");
        assert!(!to.join("sealed/identities.lock").exists() && !to.join("sealed/keys.new").exists());
        let mode = |name: &str| fs::metadata(to.join(name)).expect("it").permissions().mode() & 0o777;
        assert_eq!((mode(ROOT_KEY), mode("sealed/identities"), mode(FOLDER)), (0o600, 0o600, 0o700));
        fs::remove_dir_all(base).expect("to remove it");
    }

    #[test]
    fn a_directory_without_secrets_has_none_to_copy() {
        let base = std::env::temp_dir().join(format!("kew-sealed-none-{}", std::process::id()));
        let (from, to) = (base.join("from"), base.join("to"));
        fs::create_dir_all(&from).expect("a directory");
        fs::create_dir_all(&to).expect("a directory");
        assert_eq!(copy(&from, &to).expect("nothing"), Copied::default());
        assert!(!to.join(FOLDER).exists());
        fs::remove_dir_all(base).expect("to remove it");
    }
}
