//! What identities are: users, roles and access keys, and what may be written about them (IAM user guide, *IAM and AWS STS
//! quotas*, and the patterns of IAM's API).

use std::collections::{BTreeMap, BTreeSet};

use kew_engine::identity::Account;
use serde::{Deserialize, Serialize};

use super::secret::Secret;
use crate::limits;

/// Texts by their names: tags, and policies' documents.
pub(crate) type Named = BTreeMap<String, String>;

/// What users and roles have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// Whose it is.
    #[serde(with = "account_text")]
    pub(crate) account: Account,
    /// Its name, which is unique among the account's users, or roles.
    pub(crate) name: String,
    /// Its path, with a slash at both ends.
    pub(crate) path: String,
    /// Its unique id, which a later identity of the same name does not have.
    pub(crate) id: String,
    /// When it was made, in seconds since 1970.
    pub(crate) created: u64,
    /// Its tags.
    #[serde(default)]
    pub(crate) tags: Named,
    /// What it may do: policies' documents by their names.
    #[serde(default)]
    pub(crate) policies: Named,
    /// What its policies can grant at most: a policy's document.
    #[serde(default)]
    pub(crate) boundary: Option<String>,
}

/// Somebody with access keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User(pub(crate) Profile);

/// What others become by AssumeRole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Role {
    /// What it has in common with users.
    pub(crate) profile: Profile,
    /// Who may assume it: a policy's document.
    pub(crate) trust: String,
    /// How long a session may last at most, in seconds.
    pub(crate) max_session_seconds: u32,
}

/// What signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessKey {
    /// Its id.
    pub(crate) id: String,
    /// Its secret.
    pub(crate) secret: Secret,
    /// The account that it acts in.
    #[serde(with = "account_text")]
    pub(crate) account: Account,
    /// The user whose it is; `None`: the account's root, who may do everything in the account.
    pub(crate) user: Option<String>,
    /// Whether it may sign.
    pub(crate) is_active: bool,
    /// When it was made, in seconds since 1970.
    pub(crate) created: u64,
}

impl Profile {
    /// Checks what an operator has written.
    pub(crate) fn check(&self) -> Result<(), Unfit> {
        check_name(&self.name)?;
        check_path(&self.path)?;
        check_tags(&self.tags)?;
        if self.policies.len() > limits::IDENTITY_POLICIES {
            return Err(Unfit::Policies);
        }
        self.policies.keys().try_for_each(|name| check_policy_name(name))
    }
}

impl User {
    /// `arn:aws:iam::ACCOUNT:user/PATH/NAME`.
    pub(crate) fn arn(&self) -> String {
        let Profile { account, path, name, .. } = &self.0;
        format!("arn:aws:iam::{account}:user{path}{name}")
    }
}

impl Role {
    /// `arn:aws:iam::ACCOUNT:role/PATH/NAME`.
    pub(crate) fn arn(&self) -> String {
        let Profile { account, path, name, .. } = &self.profile;
        format!("arn:aws:iam::{account}:role{path}{name}")
    }

    /// Checks what an operator has written.
    pub(crate) fn check(&self) -> Result<(), Unfit> {
        self.profile.check()?;
        if !limits::MAX_SESSION_SECONDS.contains(&self.max_session_seconds) {
            return Err(Unfit::MaxSession);
        }
        Ok(())
    }
}

/// Why something cannot be written about an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// A name.
    #[error("a name has 1 to 64 letters, digits and + = , . @ _ -")]
    Name,
    /// A path.
    #[error("a path begins and ends with a slash, and has at most 512 printable characters")]
    Path,
    /// Tags.
    #[error("at most 50 tags, with keys of 1 to 128 and values of up to 256 characters")]
    Tags,
    /// Tags that conditions cannot tell apart.
    #[error("of tags whose keys differ by capitals alone, only one")]
    SameTags,
    /// How many policies.
    #[error("at most 20 policies")]
    Policies,
    /// A policy's name.
    #[error("a policy's name has 1 to 128 letters, digits and + = , . @ _ -")]
    PolicyName,
    /// A role's longest session.
    #[error("a role's longest session has 3600 to 43200 seconds")]
    MaxSession,
    /// An access key's id.
    #[error(
        "an access key's id has 3 to 128 letters, digits, _ and -, and does not begin with ASIA, as those of sessions do"
    )]
    KeyId,
}

fn is_named(name: &str, chars: usize) -> bool {
    (1..=chars).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b))
}

/// Checks the name of a user or a role.
pub(crate) fn check_name(name: &str) -> Result<(), Unfit> {
    is_named(name, 64).then_some(()).ok_or(Unfit::Name)
}

/// Checks the name of a policy.
pub(crate) fn check_policy_name(name: &str) -> Result<(), Unfit> {
    is_named(name, 128).then_some(()).ok_or(Unfit::PolicyName)
}

fn check_path(path: &str) -> Result<(), Unfit> {
    let fits = path.starts_with('/')
        && path.ends_with('/')
        && path.len() <= 512
        && path.bytes().all(|b| (0x21..0x7f).contains(&b));
    fits.then_some(()).ok_or(Unfit::Path)
}

fn check_tags(tags: &Named) -> Result<(), Unfit> {
    let fits = |(key, value): (&String, &String)| {
        (1..=limits::TAG_KEY_CHARS).contains(&key.chars().count())
            && value.chars().count() <= limits::TAG_VALUE_CHARS
    };
    if tags.len() > limits::TAGS || !tags.iter().all(fits) {
        return Err(Unfit::Tags);
    }
    // To conditions they would be one (user guide, *Tags for IAM resources*).
    let keys: BTreeSet<String> = tags.keys().map(|key| key.to_lowercase()).collect();
    if keys.len() < tags.len() { Err(Unfit::SameTags) } else { Ok(()) }
}

/// Checks the id of an access key that the operator brings.
pub(crate) fn check_key_id(id: &str) -> Result<(), Unfit> {
    let fits = (3..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        && !id.starts_with("ASIA");
    fits.then_some(()).ok_or(Unfit::KeyId)
}

/// An account is written as its twelve digits.
pub(crate) mod account_text {
    use kew_engine::identity::Account;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(account: &Account, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(account)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Account, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(|_| de::Error::custom("an account has twelve digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_paths_and_keys_are_as_iam_has_them() {
        for (name, fits) in
            [("worker", true), ("a@b.c", true), ("", false), ("a b", false), ("a/b", false), ("ä", false)]
        {
            assert_eq!(check_name(name).is_ok(), fits, "{name}");
        }
        assert!(check_name(&"n".repeat(64)).is_ok() && check_name(&"n".repeat(65)).is_err());
        for (path, fits) in [("/", true), ("/a/b/", true), ("a/", false), ("/a", false), ("/a b/", false)] {
            assert_eq!(check_path(path).is_ok(), fits, "{path}");
        }
        let tags = |keys: &[&str]| check_tags(&keys.iter().map(|key| ((*key).into(), "x".into())).collect());
        assert_eq!(tags(&["team", "stage"]), Ok(()));
        assert_eq!(tags(&["team", "Team"]), Err(Unfit::SameTags));
        for (id, fits) in
            [("AKIAIOSFODNN7EXAMPLE", true), ("admin", true), ("ASIAX", false), ("a/b", false), ("ab", false)]
        {
            assert_eq!(check_key_id(id).is_ok(), fits, "{id}");
        }
    }
}
