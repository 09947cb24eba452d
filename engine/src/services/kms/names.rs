//! How a request names a key: by its id, its ARN, an alias, or an alias's ARN.

use kew_wire::Text;
use kew_wire::arn::Arn;
use kew_wire::fault::Fault;

use super::kept::Kept;
use super::key::{Id, Key, arn};
use super::state::State;
use super::{faults, limits};
use crate::identity::{Account, Caller};

/// What a key was called.
pub(super) enum Name {
    /// By its id, in this account and region.
    Key(Account, Text, Option<Id>, Text),
    /// By an alias (`alias/...`), in this account and region.
    Alias(Account, Text, Text),
}

impl Name {
    /// Reads `given` as `caller` means it.
    pub(super) fn parse(caller: &Caller, given: &Text) -> Result<Self, Fault> {
        check_length(given)?;
        let (account, region, resource) = if given.starts_with("arn:") {
            let parts = Arn::parse(given).filter(|arn| arn.service == "kms");
            let parts = parts.ok_or_else(|| faults::invalid_arn(given))?;
            if parts.region != &*caller.region {
                // A key serves its own region alone.
                return Err(faults::invalid_arn(parts.region));
            }
            let account = parts.account.parse().map_err(|_| faults::invalid_arn(given))?;
            let resource = Text::from(parts.resource);
            match resource.strip_prefix("key/") {
                Some(id) => (account, Text::from(parts.region), Text::from(id)),
                None if resource.starts_with("alias/") => (account, Text::from(parts.region), resource),
                None => return Err(faults::invalid_arn(given)),
            }
        } else {
            (caller.account, caller.region.clone(), given.clone())
        };
        if resource.starts_with("alias/") {
            return Ok(Self::Alias(account, region, resource));
        }
        let id = parse_id(&resource);
        if id.is_none() && !given.starts_with("arn:") {
            return Err(faults::invalid_key_id(given));
        }
        Ok(Self::Key(account, region, id, resource))
    }

    /// Whose account it is in, and which region.
    pub(super) fn owner(&self) -> (Account, &str) {
        let (Self::Key(account, region, ..) | Self::Alias(account, region, _)) = self;
        (*account, region)
    }

    /// What it calls so: a key, or an alias.
    pub(super) fn arn(&self) -> Text {
        match self {
            Self::Key(account, region, _, text) => arn(*account, region, &alloc::format!("key/{text}")),
            Self::Alias(account, region, alias) => arn(*account, region, alias),
        }
    }
}

impl State {
    /// The key that `given` names in any of the four ways.
    pub fn find(&self, caller: &Caller, given: &Text) -> Result<&Key, Fault> {
        match Name::parse(caller, given)? {
            Name::Key(account, region, id, text) => self.by_id(account, &region, id, &text),
            Name::Alias(account, region, alias) => {
                let held = self.aliases.get(&(account, Kept::from(&*region), Kept::from(&*alias)));
                let key = held.and_then(|held| self.keys.get(&held.key));
                key.ok_or_else(|| faults::no_alias(&arn(account, &region, &alias)))
            }
        }
    }

    /// The key that `given` names by its id or ARN: what changes a key takes no alias.
    pub(super) fn find_itself(&self, caller: &Caller, given: &Text) -> Result<&Key, Fault> {
        match Name::parse(caller, given)? {
            Name::Key(account, region, id, text) => self.by_id(account, &region, id, &text),
            Name::Alias(..) => Err(faults::invalid_key_id(given)),
        }
    }

    fn by_id(&self, account: Account, region: &str, id: Option<Id>, text: &str) -> Result<&Key, Fault> {
        let key = id.and_then(|id| self.keys.get(&id));
        let key = key.filter(|key| key.account == account && &*key.region == region);
        key.ok_or_else(|| faults::no_key(&arn(account, region, &alloc::format!("key/{text}"))))
    }
}

fn check_length(given: &str) -> Result<(), Fault> {
    if given.is_empty() {
        return Err(faults::missing("keyId"));
    }
    if given.len() > limits::KEY_ID_CHARS {
        return Err(faults::constraint(given, "keyId", "Member must have length less than or equal to 2048"));
    }
    Ok(())
}

/// A UUID's bytes, if it is spelt as AWS spells it.
fn parse_id(text: &str) -> Option<Id> {
    if text.len() != 36 {
        return None;
    }
    let mut id = [0; 16];
    let mut digits = 0;
    for (place, letter) in text.bytes().enumerate() {
        if matches!(place, 8 | 13 | 18 | 23) {
            if letter != b'-' {
                return None;
            }
            continue;
        }
        let digit = char::from(letter).to_digit(16).filter(|_| !letter.is_ascii_uppercase())? as u8;
        id[digits / 2] |= if digits % 2 == 0 { digit << 4 } else { digit };
        digits += 1;
    }
    Some(id)
}

/// Checks the name of an alias that a caller makes or changes.
pub(super) fn check_alias(name: &str) -> Result<(), Fault> {
    if name.is_empty() {
        return Err(faults::missing("aliasName"));
    }
    let Some(rest) = name.strip_prefix("alias/") else {
        return Err(faults::validation(
            "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
        ));
    };
    if name.len() > limits::ALIAS_CHARS {
        return Err(faults::constraint(
            name,
            "aliasName",
            "Member must have length less than or equal to 256",
        ));
    }
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b':');
    if rest.is_empty() || !name.bytes().all(fits) {
        return Err(faults::constraint(
            name,
            "aliasName",
            "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
        ));
    }
    if rest.starts_with("aws/") {
        return Err(Fault::new(&faults::NOT_AUTHORIZED, ""));
    }
    Ok(())
}
