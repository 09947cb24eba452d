//! All users, roles and access keys of one place, and how commands change them. What it holds is always whole: a key's id is
//! there once, an identity's name once per account.

use kew_engine::identity::Account;
use serde::{Deserialize, Serialize};

use super::model::{AccessKey, Profile, Role, User};
use crate::limits;

/// Users, roles and access keys, as the store keeps them and the configuration declares them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Roster {
    /// Users.
    #[serde(default)]
    pub(crate) users: Vec<User>,
    /// Roles.
    #[serde(default)]
    pub(crate) roles: Vec<Role>,
    /// Access keys. Their users may be declared elsewhere.
    #[serde(default)]
    pub(crate) keys: Vec<AccessKey>,
}

/// Why a change cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// There is one of that name.
    #[error("there is a {what} {name:?} in account {account} already")]
    Exists { what: &'static str, name: String, account: Account },
    /// There is none of that name.
    #[error("there is no {what} {name:?} in account {account}")]
    Missing { what: &'static str, name: String, account: Account },
    /// There is no such access key.
    #[error("there is no access key {0:?} in the data directory")]
    MissingKey(String),
    /// There is such an access key.
    #[error("there is an access key {0:?} already")]
    KeyExists(String),
    /// Access keys of an earlier user of that name, who was declared elsewhere, would be the new one's.
    #[error(
        "there are access keys of an earlier user {0:?}, which would be the new one's: delete them first (kew access-key list)"
    )]
    HasOldKeys(String),
    /// A user with access keys cannot go.
    #[error("user {0:?} still has access keys: delete them first")]
    HasKeys(String),
    /// Enough access keys.
    #[error("no more than {} access keys for one user: delete one first", limits::USER_KEYS)]
    TooManyKeys,
    /// Enough identities.
    #[error("no more than {} users, roles and access keys each", limits::IDENTITIES)]
    TooMany,
}

impl Roster {
    /// The user of this name.
    pub(crate) fn user(&self, account: Account, name: &str) -> Option<&User> {
        self.users.iter().find(|user| is(&user.0, account, name))
    }

    /// The same, to be changed.
    ///
    /// # Errors
    /// [`Refused::Missing`].
    pub(crate) fn user_mut(&mut self, account: Account, name: &str) -> Result<&mut User, Refused> {
        let found = self.users.iter_mut().find(|user| is(&user.0, account, name));
        found.ok_or_else(|| missing("user", account, name))
    }

    /// Adds a user.
    ///
    /// # Errors
    /// [`Refused::Exists`], [`Refused::HasOldKeys`], [`Refused::TooMany`].
    pub(crate) fn add_user(&mut self, user: User) -> Result<(), Refused> {
        let Profile { account, name, .. } = &user.0;
        if self.user(*account, name).is_some() {
            return Err(exists("user", &user.0));
        }
        // A key names its user, so what is left of one would open what the next one may.
        if self.keys_of(*account, Some(name)).next().is_some() {
            return Err(Refused::HasOldKeys(name.clone()));
        }
        push(&mut self.users, user)
    }

    /// Removes a user, who has no access keys any more.
    ///
    /// # Errors
    /// [`Refused::Missing`], [`Refused::HasKeys`].
    pub(crate) fn remove_user(&mut self, account: Account, name: &str) -> Result<(), Refused> {
        self.user_mut(account, name)?;
        if self.keys_of(account, Some(name)).next().is_some() {
            return Err(Refused::HasKeys(name.to_owned()));
        }
        self.users.retain(|user| !is(&user.0, account, name));
        Ok(())
    }

    /// The role of this name.
    pub(crate) fn role(&self, account: Account, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| is(&role.profile, account, name))
    }

    /// The same, to be changed.
    ///
    /// # Errors
    /// [`Refused::Missing`].
    pub(crate) fn role_mut(&mut self, account: Account, name: &str) -> Result<&mut Role, Refused> {
        let found = self.roles.iter_mut().find(|role| is(&role.profile, account, name));
        found.ok_or_else(|| missing("role", account, name))
    }

    /// Adds a role.
    ///
    /// # Errors
    /// [`Refused::Exists`], [`Refused::TooMany`].
    pub(crate) fn add_role(&mut self, role: Role) -> Result<(), Refused> {
        if self.role(role.profile.account, &role.profile.name).is_some() {
            return Err(exists("role", &role.profile));
        }
        push(&mut self.roles, role)
    }

    /// Removes a role; its sessions end with it.
    ///
    /// # Errors
    /// [`Refused::Missing`].
    pub(crate) fn remove_role(&mut self, account: Account, name: &str) -> Result<(), Refused> {
        self.role_mut(account, name)?;
        self.roles.retain(|role| !is(&role.profile, account, name));
        Ok(())
    }

    /// The access keys of a user, or of an account's root.
    pub(crate) fn keys_of(&self, account: Account, user: Option<&str>) -> impl Iterator<Item = &AccessKey> {
        self.keys.iter().filter(move |key| key.account == account && key.user.as_deref() == user)
    }

    /// The access key with this id.
    ///
    /// # Errors
    /// [`Refused::MissingKey`].
    pub(crate) fn key_mut(&mut self, id: &str) -> Result<&mut AccessKey, Refused> {
        let found = self.keys.iter_mut().find(|key| key.id == id);
        found.ok_or_else(|| Refused::MissingKey(id.to_owned()))
    }

    /// Adds an access key.
    ///
    /// # Errors
    /// [`Refused::KeyExists`], [`Refused::TooManyKeys`], [`Refused::TooMany`].
    pub(crate) fn add_key(&mut self, key: AccessKey) -> Result<(), Refused> {
        if self.keys.iter().any(|other| other.id == key.id) {
            return Err(Refused::KeyExists(key.id));
        }
        if self.keys_of(key.account, key.user.as_deref()).count() >= limits::USER_KEYS {
            return Err(Refused::TooManyKeys);
        }
        push(&mut self.keys, key)
    }

    /// Removes an access key.
    ///
    /// # Errors
    /// [`Refused::MissingKey`].
    pub(crate) fn remove_key(&mut self, id: &str) -> Result<(), Refused> {
        self.key_mut(id)?;
        self.keys.retain(|key| key.id != id);
        Ok(())
    }
}

fn is(profile: &Profile, account: Account, name: &str) -> bool {
    profile.account == account && profile.name == name
}

fn exists(what: &'static str, profile: &Profile) -> Refused {
    Refused::Exists { what, name: profile.name.clone(), account: profile.account }
}

fn missing(what: &'static str, account: Account, name: &str) -> Refused {
    Refused::Missing { what, name: name.to_owned(), account }
}

fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), Refused> {
    if list.len() >= limits::IDENTITIES {
        return Err(Refused::TooMany);
    }
    list.push(item);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identities::samples::{key, role, user};

    #[test]
    fn names_and_keys_are_there_once() {
        let mut roster = Roster::default();
        assert_eq!(roster.add_user(user("ann")), Ok(()));
        assert!(matches!(roster.add_user(user("ann")), Err(Refused::Exists { what: "user", .. })));
        assert_eq!(roster.add_key(key("AKIA1", Some("ann"))), Ok(()));
        assert_eq!(roster.add_key(key("AKIA1", None)), Err(Refused::KeyExists("AKIA1".into())));
    }

    #[test]
    fn keys_left_of_one_user_never_become_those_of_the_next() {
        // Made by a command for somebody whom the configuration declared, and declares no more.
        let mut roster = Roster { keys: vec![key("AKIA1", Some("ann"))], ..Roster::default() };
        assert_eq!(roster.add_user(user("ann")), Err(Refused::HasOldKeys("ann".into())));
        assert_eq!(roster.add_user(user("bob")), Ok(()));
        roster.remove_key("AKIA1").expect("there");
        assert_eq!(roster.add_user(user("ann")), Ok(()));
    }

    #[test]
    fn a_user_goes_only_after_the_keys() {
        let mut roster = Roster::default();
        roster.add_user(user("ann")).expect("new");
        roster.add_key(key("AKIA1", Some("ann"))).expect("new");
        assert_eq!(roster.remove_user(Account::DEFAULT, "ann"), Err(Refused::HasKeys("ann".into())));
        roster.remove_key("AKIA1").expect("there");
        assert_eq!(roster.remove_user(Account::DEFAULT, "ann"), Ok(()));
        assert!(matches!(roster.remove_user(Account::DEFAULT, "ann"), Err(Refused::Missing { .. })));
    }

    #[test]
    fn a_user_has_a_bounded_number_of_keys() {
        let mut roster = Roster::default();
        for index in 0..limits::USER_KEYS {
            roster.add_key(key(&format!("AKIA{index}"), None)).expect("room");
        }
        assert_eq!(roster.add_key(key("AKIAX", None)), Err(Refused::TooManyKeys));
        assert_eq!(roster.add_key(key("AKIAX", Some("ann"))), Ok(()));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut roster = Roster::default();
        roster.add_user(user("ann")).expect("new");
        roster.add_key(key("AKIA1", Some("ann"))).expect("new");
        roster.add_role(role("r")).expect("new");
        let text = serde_json::to_string(&roster).expect("text");
        assert_eq!(serde_json::from_str::<Roster>(&text).expect("the same"), roster);
        assert!(serde_json::from_str::<Roster>("{\"users\":[],\"nonsense\":1}").is_err());
    }
}
