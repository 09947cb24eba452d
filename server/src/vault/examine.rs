//! Looks at the sealed documents of a data directory that no server uses, and changes nothing.

use std::fs;
use std::path::{Path, PathBuf};

use kew_journal::Damage;
use kew_store::sealed::CONTENTS;

use super::file::{open, sealer};
use super::rotate::NEXT_KEY_FILE;
use super::{FOLDER, KEY_FILE, RootKey, Source, VaultError, contents, documents, holds_shards};
use crate::sse::OWN_KEYS;
use crate::{identities, kms};

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Examined {
    /// What is missing, or no longer as it was.
    pub(crate) damage: Vec<Damage>,
    /// What could not be seen, and why.
    pub(crate) note: Option<String>,
}

/// Whether the documents are there and whole. With the directory's own root key each is opened; without it, which may be kept
/// elsewhere, only their form can be seen.
pub(crate) fn examine(data: &Path) -> Examined {
    let mut examined = Examined::default();
    if let Err((path, reason)) = look(data, &mut examined) {
        examined.tell(&path, reason);
    }
    examined
}

/// The file that could not be looked at, and why.
type Obstacle = (PathBuf, String);

fn look(data: &Path, examined: &mut Examined) -> Result<(), Obstacle> {
    let obstacle = |path: &Path| {
        let path = path.to_owned();
        move |error: VaultError| (path, reason(error))
    };
    let (folder, key) = (data.join(FOLDER), data.join(KEY_FILE));
    // Made before the first shard by every release that encrypts.
    let is_needed = key.exists() && holds_shards(data).map_err(obstacle(data))?;
    if !folder.exists() {
        if is_needed {
            let lost = "it is missing, and what is encrypted in the directory cannot be read without it";
            return Err((folder, lost.into()));
        }
        examined.note = Some(format!(
            "there is no {}: right only where a release before encryption made the directory",
            folder.display()
        ));
        return Ok(());
    }
    let own = folder.join(OWN_KEYS);
    if is_needed && !own.exists() {
        examined.tell(&own, "it is missing, and what it encrypted cannot be read without it".into());
    }
    let mut keys = Vec::new();
    // An interrupted rotation leaves some documents to the next key.
    for path in [&key, &data.join(NEXT_KEY_FILE)].into_iter().filter(|path| path.exists()) {
        keys.push(Source::File(path.clone()).get(data, false).map_err(obstacle(path))?);
    }
    if keys.is_empty() {
        examined.note = Some(format!(
            "not checked: whether the documents in {} open, for the root key is not here; only that they look like such",
            folder.display()
        ));
    }
    for path in contents::missing(&folder, &keys).into_iter().filter(|path| !is_needed || *path != own) {
        examined.tell(&path, "it is missing: restore it from a backup".into());
    }
    let known = [CONTENTS, OWN_KEYS, identities::store::NAME, kms::NAME];
    for path in known.map(|name| folder.join(name)).into_iter().filter(|path| path.is_dir()) {
        examined.tell(&path, "it is a directory, where a document belongs: restore it from a backup".into());
    }
    for path in documents(&folder).map_err(obstacle(&folder))? {
        if let Err(error) = check(&path, &keys) {
            examined.tell(&path, reason(error));
        }
    }
    Ok(())
}

/// Whether one of the keys opens the document; without keys whether it has the form of one.
fn check(path: &Path, keys: &[RootKey]) -> Result<(), VaultError> {
    let bytes = fs::read(path).map_err(VaultError::io("reading", path))?;
    let sealer = sealer(path, &bytes)?;
    let Some(key) = keys.iter().find(|key| key.id() == sealer).or(keys.first()) else { return Ok(()) };
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    open(key, name, path, &bytes).map(drop)
}

/// Without the path, which stands before it.
fn reason(error: VaultError) -> String {
    match error {
        VaultError::Damaged { .. } => "it is damaged: restore it from a backup".into(),
        VaultError::OtherKey { sealer, given, .. } => {
            format!("it is sealed by the root key {sealer}, but that of the directory is {given}")
        }
        VaultError::Io { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

impl Examined {
    fn tell(&mut self, path: &Path, reason: String) {
        self.damage.push(Damage { file: path.display().to_string(), offset: 0, reason });
    }
}
