//! The list of the documents, itself one: of a directory that lost a document nobody would know otherwise that it ever had it.
//!
//! A document is noted when it was written for the first time, before anybody is told; one that is there and was not noted, because power
//! went in between or an older release wrote it, when a server opens the directory next. So what is noted was there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kew_store::sealed::CONTENTS;
use zeroize::Zeroizing;

use super::file::open;
use super::{RootKey, SealedFile, Vault, VaultError, documents};

/// The version of its content: names, each with a newline.
const VERSION: u16 = 1;

/// Refuses a directory that lost a document.
pub(super) fn check(vault: &Arc<Vault>) -> Result<(), VaultError> {
    let list = list(vault);
    match lost(&noted(&list)?, vault.folder()).into_iter().next() {
        Some(path) => Err(VaultError::Missing { path, list: list.path() }),
        None => Ok(()),
    }
}

/// Notes what is there and not noted yet. The server does that alone: the list is then its own user's.
pub(super) fn note_all(vault: &Arc<Vault>) -> Result<(), VaultError> {
    let list = list(vault);
    let noted = noted(&list)?;
    let mut names = Vec::new();
    for path in documents(vault.folder())? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name == CONTENTS || noted.contains(name) {
            continue;
        }
        // What does not open is none, or tells so itself when it is read.
        let bytes = fs::read(&path).map_err(VaultError::io("reading", &path))?;
        if open(vault.root(), name, &path, &bytes).is_ok() {
            names.push(name.to_owned());
        }
    }
    if names.is_empty() { Ok(()) } else { add(&list, names) }
}

/// Notes, durably, that there is a document of this name.
pub(super) fn note(vault: &Arc<Vault>, name: &str) -> Result<(), VaultError> {
    if name == CONTENTS { Ok(()) } else { add(&list(vault), [name.to_owned()]) }
}

/// The documents that the list of a folder names and that are not there; none if it has no list.
pub(super) fn missing(folder: &Path, keys: &[RootKey]) -> Vec<PathBuf> {
    let path = folder.join(CONTENTS);
    let Ok(bytes) = fs::read(&path) else { return Vec::new() };
    let opened = keys.iter().find_map(|key| open(key, CONTENTS, &path, &bytes).ok());
    let noted = opened.and_then(|(_, content)| parse(&content));
    noted.map(|noted| lost(&noted, folder)).unwrap_or_default()
}

fn noted(list: &SealedFile) -> Result<BTreeSet<String>, VaultError> {
    match list.read()? {
        Some(document) => parse(&document.content).ok_or_else(|| VaultError::Damaged { path: list.path() }),
        None => Ok(BTreeSet::new()),
    }
}

fn list(vault: &Arc<Vault>) -> SealedFile {
    vault.file(CONTENTS, VERSION)
}

fn add(list: &SealedFile, names: impl IntoIterator<Item = String>) -> Result<(), VaultError> {
    let path = list.path();
    list.update(|document| {
        let noted = document.map_or_else(|| Some(BTreeSet::new()), |document| parse(&document.content));
        let mut noted = noted.ok_or(VaultError::Damaged { path })?;
        let before = noted.len();
        noted.extend(names);
        let content =
            || Zeroizing::new(noted.iter().flat_map(|name| [name.as_str(), "\n"]).collect::<String>().into());
        Ok(((noted.len() > before).then(content), ()))
    })
}

fn parse(content: &[u8]) -> Option<BTreeSet<String>> {
    Some(std::str::from_utf8(content).ok()?.lines().map(str::to_owned).collect())
}

fn lost(noted: &BTreeSet<String>, folder: &Path) -> Vec<PathBuf> {
    noted.iter().map(|name| folder.join(name)).filter(|path| !path.exists()).collect()
}
