//! All keys as one document, for the disk. It is sealed there: it holds the material itself.

use alloc::vec::Vec;

use bytes::Bytes;
use zeroize::Zeroizing;

use super::cipher::Secret;
use super::kept::Kept;
use super::key::{Alias, Key, KeyState, Rotation, compile};
use super::state::State;
use crate::codec::{Malformed, Put, Take};
use crate::identity::Account;
use crate::time::Moment;

/// The version of [`State::encode`]; a changed layout takes the next number, and this one stays readable.
pub const VERSION: u16 = 1;

/// Key states. A tag is never reused.
mod tag {
    pub(super) const ENABLED: u8 = 1;
    pub(super) const DISABLED: u8 = 2;
    pub(super) const PENDING_DELETION: u8 = 3;
}

impl State {
    /// Writes all keys.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        // Room for all, so that no copy of the material is left behind as it grows.
        let texts = |key: &Key| {
            let tags: usize = key.tags.iter().map(|(key, value)| key.len() + value.len() + 8).sum();
            key.policy.len() + key.description.len() + key.region.len() + tags
        };
        let keys: usize = self.keys.values().map(|key| 256 + texts(key) + 32 * key.material.len()).sum();
        let aliases: usize =
            self.aliases.keys().map(|(_, region, name)| 96 + region.len() + name.len()).sum();
        let mut out = Zeroizing::new(Vec::with_capacity(64 + keys + aliases));
        out.put_varint(self.keys.len() as u64);
        for key in self.keys.values() {
            put_key(&mut out, key);
        }
        out.put_varint(self.aliases.len() as u64);
        for ((account, region, name), alias) in &self.aliases {
            out.put_varint(account.number());
            out.put_bytes(region.as_bytes());
            out.put_bytes(name.as_bytes());
            out.put_raw(&alias.key);
            out.put_u64(alias.created.0);
            out.put_u64(alias.updated.0);
        }
        out
    }

    /// Reads what [`State::encode`] wrote under this [`VERSION`].
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(version: u16, content: Zeroizing<Vec<u8>>) -> Result<Self, Malformed> {
        if version != VERSION {
            return Err(Malformed);
        }
        // Wiped when it goes; nothing below shares it.
        let mut take = Take::new(Bytes::from_owner(content));
        let mut state = Self::default();
        for _ in 0..take.varint()? {
            let key = take_key(&mut take)?;
            state.keys.insert(key.id, key);
        }
        for _ in 0..take.varint()? {
            let account = Account::from_number(take.varint()?).ok_or(Malformed)?;
            let (region, name) = (take_text(&mut take)?, take_text(&mut take)?);
            let alias =
                Alias { key: take.array()?, created: Moment(take.u64()?), updated: Moment(take.u64()?) };
            state.aliases.insert((account, region, name), alias);
        }
        if take.is_empty() { Ok(state) } else { Err(Malformed) }
    }
}

fn take_text(take: &mut Take) -> Result<Kept, Malformed> {
    take.text().map(|text| Kept::from(&*text))
}

fn put_key(out: &mut Vec<u8>, key: &Key) {
    out.put_raw(&key.id);
    out.put_varint(key.account.number());
    out.put_bytes(key.region.as_bytes());
    out.put_option(key.service.as_deref());
    out.put_bytes(key.description.as_bytes());
    match key.state {
        KeyState::Enabled => out.put_u8(tag::ENABLED),
        KeyState::Disabled => out.put_u8(tag::DISABLED),
        KeyState::PendingDeletion { at } => {
            out.put_u8(tag::PENDING_DELETION);
            out.put_u64(at.0);
        }
    }
    out.put_u64(key.created.0);
    out.put_bytes(key.policy.as_bytes());
    out.put_varint(key.tags.len() as u64);
    for (name, value) in &key.tags {
        out.put_bytes(name.as_bytes());
        out.put_bytes(value.as_bytes());
    }
    out.put_varint(key.rotation.map_or(0, |rotation| u64::from(rotation.days)));
    out.put_u64(key.rotation.map_or(0, |rotation| rotation.next.0));
    out.put_varint(key.on_demand.into());
    out.put_varint(key.material.len() as u64);
    for material in &key.material {
        out.put_raw(&*material.0);
    }
}

fn take_key(take: &mut Take) -> Result<Key, Malformed> {
    let number = |value: u64| u32::try_from(value).map_err(|_| Malformed);
    let id = take.array()?;
    let account = Account::from_number(take.varint()?).ok_or(Malformed)?;
    let region = take_text(take)?;
    let service = take.option()?.map(|service| Kept::from(&*service));
    let description = take_text(take)?;
    let state = match take.u8()? {
        tag::ENABLED => KeyState::Enabled,
        tag::DISABLED => KeyState::Disabled,
        tag::PENDING_DELETION => KeyState::PendingDeletion { at: Moment(take.u64()?) },
        _ => return Err(Malformed),
    };
    let created = Moment(take.u64()?);
    let policy = take_text(take)?;
    let mut tags = Vec::new();
    for _ in 0..take.varint()? {
        tags.push((take_text(take)?, take_text(take)?));
    }
    let (days, next) = (number(take.varint()?)?, Moment(take.u64()?));
    let rotation = (days > 0).then_some(Rotation { days, next });
    let on_demand = number(take.varint()?)?;
    let mut material = Vec::new();
    for _ in 0..take.varint()? {
        material.push(Secret(Zeroizing::new(take.array()?)));
    }
    if material.is_empty() {
        return Err(Malformed);
    }
    Ok(Key {
        id,
        account,
        region,
        service,
        description,
        state,
        created,
        compiled: compile(&policy),
        policy,
        tags,
        rotation,
        on_demand,
        material,
    })
}
