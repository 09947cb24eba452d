//! Users, roles and access keys in the data directory: one document, sealed by the root key, written anew at each change.

use std::io::{self, Write};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::roster::Roster;
use crate::failure::Failure;
use crate::vault::{Document, SealedFile, Stamp, Vault, VaultError};

/// The document's name.
pub(crate) const NAME: &str = "identities";

/// The version of the document that this release writes. A changed one takes the next number, and the old ones are still read.
const VERSION: u16 = 1;

/// The document of a data directory.
#[derive(Debug, Clone)]
pub(crate) struct Store(SealedFile);

impl Store {
    /// That of the vault's data directory.
    pub(crate) fn new(vault: &Arc<Vault>) -> Self {
        Self(vault.file(NAME, VERSION))
    }

    /// How messages call it.
    pub(crate) fn place(&self) -> String {
        self.0.path().display().to_string()
    }

    /// What it says, if that was written since `last`.
    ///
    /// # Errors
    /// It is damaged, or sealed by another root key.
    pub(crate) fn read_if_changed(&self, last: Option<Stamp>) -> Result<Option<(Roster, Stamp)>, Failure> {
        let Some(document) = self.0.read_if_changed(last)? else { return Ok(None) };
        Ok(Some((self.roster(&document)?, document.stamp)))
    }

    /// What it says.
    ///
    /// # Errors
    /// It is damaged, or sealed by another root key.
    pub(crate) fn read(&self) -> Result<Roster, Failure> {
        self.0.read()?.map_or_else(|| Ok(Roster::default()), |document| self.roster(&document))
    }

    /// Changes what it says, durably and as a whole. If `change` refuses, nothing is written.
    ///
    /// # Errors
    /// Those of `change`; it is damaged, or cannot be written.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Roster) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.0.update(|document| {
            let mut roster =
                document.map_or_else(|| Ok(Roster::default()), |document| self.roster(&document))?;
            let outcome = change(&mut roster)?;
            Ok((Some(self.written(&roster)?), outcome))
        })
    }

    fn roster(&self, document: &Document) -> Result<Roster, Failure> {
        // What was sealed was whole: only a mistake of ours can have written this. The reason could quote a secret.
        serde_json::from_slice(&document.content).map_err(|_| {
            Failure::world(format!("{} does not hold identities: restore it from a backup", self.place()))
        })
    }

    fn written(&self, roster: &Roster) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let failed =
            |error: serde_json::Error| Failure::world(format!("{} cannot be written: {error}", self.place()));
        // Room for all of it, so that no copy of a secret is left behind when it grows.
        let mut length = Length(0);
        serde_json::to_writer(&mut length, roster).map_err(failed)?;
        let mut content = Zeroizing::new(Vec::with_capacity(length.0));
        serde_json::to_writer(&mut *content, roster).map_err(failed)?;
        Ok(content)
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        Self::world(error.to_string())
    }
}

/// Counts what is written to it.
struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
