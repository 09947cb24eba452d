//! All keys, and what is done with them.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use bytes::Bytes;
use kew_wire::Text;
use kew_wire::fault::Fault;
use zeroize::Zeroizing;

use super::cipher::Cipher;
use super::kept::Kept;
use super::key::{Alias, Id, Key, KeyState, days, service_policy};
use super::{faults, limits};
use crate::codec::{Put, Take};
use crate::identity::Account;
use crate::time::Moment;

/// All keys of all accounts and regions.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub(super) keys: BTreeMap<Id, Key>,
    /// By owner, region, and name with its prefix (`alias/...`).
    pub(super) aliases: BTreeMap<(Account, Kept, Kept), Alias>,
}

/// How a ciphertext begins; then come the key's id (16 bytes), the number of its material (4, little-endian), and what
/// [`Cipher::seal`] gave. A changed layout takes the next number.
const LAYOUT: u8 = 1;

impl State {
    /// The key with this id.
    pub fn key(&self, id: &Id) -> Option<&Key> {
        self.keys.get(id)
    }

    /// When time alone changes something next: a key is deleted, or rotated.
    pub fn next_deadline(&self) -> Moment {
        self.keys.values().map(Key::deadline).min().unwrap_or(Moment::NEVER)
    }

    /// Lets time pass: deletes and rotates what is due.
    pub fn pass(&mut self, now: Moment, cipher: &dyn Cipher) {
        let is_gone = |key: &Key| matches!(key.state, KeyState::PendingDeletion { at } if at <= now);
        self.keys.retain(|_, key| !is_gone(key));
        let keys = &self.keys;
        self.aliases.retain(|_, alias| keys.contains_key(&alias.key));
        for key in self.keys.values_mut().filter(|key| key.deadline() <= now) {
            key.rotate(cipher);
            if let Some(rotation) = &mut key.rotation {
                while rotation.next <= now {
                    rotation.next = rotation.next + days(rotation.days.max(1));
                }
            }
        }
    }

    /// The key that Kew keeps for a service of an account (`alias/aws/sqs`), made if it is not there.
    pub fn managed(
        &mut self,
        account: Account,
        region: &str,
        service: &'static str,
        now: Moment,
        cipher: &dyn Cipher,
    ) -> Result<(), Fault> {
        let name = (account, Kept::from(region), Kept::from(format!("alias/aws/{service}")));
        if self.aliases.contains_key(&name) {
            return Ok(());
        }
        let kept = self.keys.values().filter(|key| key.account == account && key.service.is_some());
        if kept.count() >= limits::REGIONS {
            let message = format!("Keys are kept for services in {} regions already.", limits::REGIONS);
            return Err(faults::limit_exceeded(message));
        }
        let mut key = Key::new(account, region.into(), now, cipher);
        key.service = Some(service.into());
        key.set_policy(service_policy(account, region, service));
        key.description = format!(
            "Default key that protects my {} messages when no other key is defined",
            service.to_uppercase()
        )
        .into();
        // AWS rotates its own keys every year (developer guide, *Rotating AWS KMS keys*).
        let yearly = limits::ROTATION_DAYS.2 as u32;
        key.rotation = Some(super::key::Rotation { days: yearly, next: now + days(yearly) });
        self.aliases.insert(name, Alias { key: key.id, created: now, updated: now });
        self.keys.insert(key.id, key);
        Ok(())
    }
}

impl Key {
    /// Refuses what may not be done with it now.
    pub fn check_usable(&self) -> Result<(), Fault> {
        match self.state {
            KeyState::Enabled => Ok(()),
            KeyState::Disabled => Err(faults::disabled(&self.arn())),
            KeyState::PendingDeletion { .. } => Err(faults::pending_deletion(&self.arn())),
        }
    }

    /// Refuses what may not be done with it while it waits to be deleted.
    pub(super) fn check_kept(&self) -> Result<(), Fault> {
        match self.state {
            KeyState::PendingDeletion { .. } => Err(faults::pending_deletion(&self.arn())),
            _ => Ok(()),
        }
    }

    /// Encrypts, bound to an encryption context. Whether that is allowed was asked before.
    pub fn encrypt(&self, cipher: &dyn Cipher, context: &[(Text, Text)], plain: &[u8]) -> Bytes {
        let mut blob = Vec::with_capacity(64 + plain.len());
        blob.put_u8(LAYOUT);
        blob.put_raw(&self.id);
        let number = self.material.len().saturating_sub(1);
        blob.put_raw(&(number as u32).to_le_bytes());
        let bound = bound(&blob, context);
        // A key has material from its making on.
        if let Some(material) = self.material.get(number) {
            blob.put_raw(&cipher.seal(material, &bound, plain));
        }
        blob.into()
    }

    /// Decrypts what [`Self::encrypt`] gave in the same context. Whether that is allowed was asked before.
    pub fn decrypt(
        &self,
        cipher: &dyn Cipher,
        context: &[(Text, Text)],
        blob: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let (head, sealed) = blob.split_at_checked(HEAD).ok_or_else(faults::invalid_ciphertext)?;
        let (_, number) = head_of(blob).ok_or_else(faults::invalid_ciphertext)?;
        let material = self.material.get(number as usize).ok_or_else(faults::invalid_ciphertext)?;
        cipher.open(material, &bound(head, context), sealed).ok_or_else(faults::invalid_ciphertext)
    }
}

const HEAD: usize = 1 + 16 + 4;

impl State {
    /// The key that made a ciphertext.
    pub fn encryptor(&self, blob: &[u8]) -> Option<&Key> {
        self.keys.get(&head_of(blob)?.0)
    }
}

fn head_of(blob: &[u8]) -> Option<(Id, u32)> {
    let mut take = Take::new(Bytes::copy_from_slice(blob.get(..HEAD)?));
    if take.u8().ok()? != LAYOUT {
        return None;
    }
    let id = take.array().ok()?;
    take.array().ok().map(|number| (id, u32::from_le_bytes(number)))
}

/// What is authenticated beside the plaintext: how it was encrypted, and the context, whatever the order of its pairs.
fn bound(head: &[u8], context: &[(Text, Text)]) -> Vec<u8> {
    let mut pairs: Vec<&(Text, Text)> = context.iter().collect();
    pairs.sort_unstable();
    let mut bound = Vec::from(head);
    bound.put_varint(pairs.len() as u64);
    for (key, value) in pairs {
        bound.put_bytes(key.as_bytes());
        bound.put_bytes(value.as_bytes());
    }
    bound
}
