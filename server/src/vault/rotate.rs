//! `kew root-key rotate`: everything that the root key seals is sealed anew by another one.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use kew_journal::disk::Directory;
use zeroize::Zeroizing;

use super::file::{lock, open, replace, seal};
use super::source::{KEY_FILE, RootKeyFlags, Source, write_key};
use super::{FOLDER, RootKey, Vault, VaultError, documents, sync_directory};
use crate::cli::Flags;
use crate::config::{self, Config};
use crate::failure::Failure;

/// The next key of a data directory that keeps its own, while a rotation is under way.
pub(super) const NEXT_KEY_FILE: &str = "root-key.next";

/// What can be done with a root key.
#[derive(Debug, Subcommand)]
pub(crate) enum RootKeyCommand {
    /// Seal all secrets of a data directory that no server uses by a new root key. Messages stay as they are: they are encrypted by keys
    /// among those secrets. If it is interrupted, the same command ends it.
    Rotate(Rotate),
}

/// What `kew root-key rotate` is asked.
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// The data directory [env: KEW_DATA] [default: ./kew-data]
    #[arg(long, value_name = "DIR")]
    data: Option<OsString>,
    /// The server's configuration file, if it says where the data or the root key is [env: KEW_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<OsString>,
    /// The root key until now
    #[command(flatten)]
    root_key: RootKeyFlags,
    /// A file that holds the next root key. Needed unless the data directory keeps its own, which then is made anew
    #[arg(long, value_name = "FILE")]
    new_root_key_file: Option<PathBuf>,
    /// A command of the shell that prints the next root key
    #[arg(long, value_name = "COMMAND", conflicts_with = "new_root_key_file")]
    new_root_key_command: Option<String>,
}

impl RootKeyCommand {
    /// Does it.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let Self::Rotate(asked) = self;
        let place =
            Flags { config: asked.config, data: asked.data, root_key: asked.root_key, ..Flags::default() };
        let Config { data, root_key: old, .. } = config::load(place, &|name| std::env::var_os(name))?;
        let new = match (asked.new_root_key_file, asked.new_root_key_command) {
            (Some(path), _) => Some(Source::File(path)),
            (None, Some(command)) => Some(Source::Command(command)),
            (None, None) => None,
        };
        if new.is_none() && !matches!(old, Source::Generated) {
            return Err(Failure::usage(
                "name the next root key: --new-root-key-file FILE or --new-root-key-command COMMAND",
            ));
        }
        Directory::refuse_unfinished(&data).map_err(|error| Failure::world(error.to_string()))?;
        if !data.join("format").exists() {
            return Err(Failure::usage(format!(
                "{} is no data directory of Kew's; give --data",
                data.display()
            )));
        }
        // A running server holds the old key in memory, and would go on sealing by it.
        let directory = Directory::open(&data);
        let _locked = directory.map_err(|error| {
            Failure::world(format!("{error}; a root key is rotated while no server runs"))
        })?;
        let count = rotate(&data, &old, new.as_ref()).map_err(|error| Failure::world(error.to_string()))?;
        println!("{count} documents in {} are sealed by the new root key", data.join(FOLDER).display());
        match new {
            None => println!("the old one is gone from {}; backups made until now hold it", data.display()),
            Some(source) => println!("start Kew with {source} from now on"),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Seals all documents by the key of `new`, or by a new key of the directory's own. Nobody else may use the directory. Says how many
/// there are.
pub(super) fn rotate(data: &Path, old: &Source, new: Option<&Source>) -> Result<usize, VaultError> {
    let vault = Vault::reach(data, old)?;
    let next = match new {
        Some(source) => source.get(data, false)?,
        None => next_key(data)?,
    };
    let paths = documents(vault.folder())?;
    // Looked at first, so that nothing is changed if one of them cannot be read.
    for path in &paths {
        read(path, vault.root(), &next)?;
    }
    for path in &paths {
        let _lock = lock(path)?;
        if let (Some((version, content)), name) = (read(path, vault.root(), &next)?, name(path)) {
            replace(path, &seal(&next, name, version, &content))?;
        }
    }
    let key = data.join(KEY_FILE);
    match new {
        None => {
            let renamed = fs::rename(data.join(NEXT_KEY_FILE), &key).and_then(|()| sync_directory(&key));
            renamed.map_err(VaultError::io("renaming", &key))?;
        }
        // It opens nothing any more.
        Some(_) if matches!(old, Source::Generated) => {
            let removed = fs::remove_file(&key).and_then(|()| sync_directory(&key));
            removed.map_err(VaultError::io("removing", &key))?;
        }
        Some(_) => {}
    }
    Ok(paths.len())
}

/// The directory's own next key: that of an interrupted rotation, or a new one; durable before it seals anything.
fn next_key(data: &Path) -> Result<RootKey, VaultError> {
    let path = data.join(NEXT_KEY_FILE);
    if !path.exists() {
        let draft = path.with_extension("draft");
        // What an interrupted attempt left was never used.
        let _ = fs::remove_file(&draft);
        let written = write_key(&draft, &RootKey::generate())
            .and_then(|()| fs::rename(&draft, &path))
            .and_then(|()| sync_directory(&path));
        written.map_err(VaultError::io("writing", &path))?;
    }
    Source::File(path).get(data, false)
}

/// The name that a document is sealed under: its file's.
fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// The version of a document's content, and the content.
type Content = (u16, Zeroizing<Vec<u8>>);

/// What a document says, if it is still sealed by `old`; `None` if it is by `next` already.
fn read(path: &Path, old: &RootKey, next: &RootKey) -> Result<Option<Content>, VaultError> {
    let bytes = fs::read(path).map_err(VaultError::io("reading", path))?;
    match open(next, name(path), path, &bytes) {
        Ok(_) => Ok(None),
        Err(_) => open(old, name(path), path, &bytes).map(Some),
    }
}
