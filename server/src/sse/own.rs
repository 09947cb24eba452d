//! Kew's own keys, from which the data keys of queues with SqsManagedSseEnabled are derived.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::vault::{Vault, VaultError, derive, random};

/// The document's name and the version of its content: a number (4 bytes, little-endian) and a key (32 bytes), again and again.
pub(crate) const NAME: &str = "queue-keys";
const VERSION: u16 = 1;

const NUMBER: usize = 4;
const KEY: usize = 32;

/// The keys by number. The last encrypts; the others are there for what they encrypted.
pub(super) struct OwnKeys(Vec<(u32, Zeroizing<[u8; KEY]>)>);

impl std::fmt::Debug for OwnKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(number, _)| number)).finish()
    }
}

impl OwnKeys {
    /// Those of a data directory; the first is made where there is none.
    pub(super) fn open(vault: &Arc<Vault>) -> Result<Self, Failure> {
        let file = vault.file(NAME, VERSION);
        let path = file.path();
        let read = file.update(|document| match document {
            Some(document) => {
                let keys = Self::parse(&document.content).ok_or(VaultError::Damaged { path })?;
                Ok((None, keys))
            }
            None => {
                let first = Self(vec![(1, random())]);
                Ok((Some(first.content()), first))
            }
        });
        read.map_err(|error: VaultError| Failure::world(error.to_string()))
    }

    /// A new data key: the number and salt that give it back, and the key.
    pub(super) fn draw(&self) -> (u32, [u8; 16], Zeroizing<[u8; 32]>) {
        let salt = *random();
        // There is one at least.
        let (number, key) = self.0.last().map(|(number, key)| (*number, key)).expect("a key");
        (number, salt, data_key(key, &salt))
    }

    /// The data key of that number and salt.
    pub(super) fn get(&self, number: u32, salt: &[u8; 16]) -> Option<Zeroizing<[u8; 32]>> {
        let (_, key) = self.0.iter().find(|(known, _)| *known == number)?;
        Some(data_key(key, salt))
    }

    fn parse(content: &[u8]) -> Option<Self> {
        let keys = content.chunks(NUMBER + KEY).map(|chunk| {
            let (number, key) = chunk.split_first_chunk::<NUMBER>()?;
            let key: &[u8; KEY] = key.try_into().ok()?;
            Some((u32::from_le_bytes(*number), Zeroizing::new(*key)))
        });
        let keys: Vec<_> = keys.collect::<Option<_>>()?;
        (!keys.is_empty()).then_some(Self(keys))
    }

    fn content(&self) -> Zeroizing<Vec<u8>> {
        let mut content = Zeroizing::new(Vec::with_capacity(self.0.len() * (NUMBER + KEY)));
        for (number, key) in &self.0 {
            content.extend_from_slice(&number.to_le_bytes());
            content.extend_from_slice(&**key);
        }
        content
    }
}

fn data_key(key: &Zeroizing<[u8; KEY]>, salt: &[u8; 16]) -> Zeroizing<[u8; 32]> {
    derive(&**key, salt, b"kew queue data key")
}
