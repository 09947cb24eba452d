//! What all places together say: every policy compiled, and found by access key, user and role. It is never changed: another
//! one takes its place.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use kew_engine::identity::{Account, Identity, Kind, Permissions, Principal};
use kew_engine::policy::{Policy, Use};
use kew_wire::Text;

use super::model::{AccessKey, Profile, Role, User};
use super::roster::Roster;
use crate::failure::Failure;
use crate::identity::Credential;

/// One place where identities come from.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    /// How messages call it (`kew.toml`).
    pub(crate) place: String,
    /// What it says.
    pub(crate) roster: Roster,
    /// Where in it something stands that commands must not seem to change, by what it is; of the store nothing.
    pub(crate) lines: Lines,
}

/// Where something is declared: `kew.toml, line 7`.
pub(crate) type Lines = HashMap<Declared, String>;

/// What has a name of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Declared {
    /// An access key, by its id.
    Key(String),
    /// A user.
    User(Account, String),
    /// A role.
    Role(Account, String),
}

impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "access key {id}"),
            Self::User(account, name) => write!(f, "user {name:?} of account {account}"),
            Self::Role(account, name) => write!(f, "role {name:?} of account {account}"),
        }
    }
}

/// An access key that lasts.
#[derive(Debug)]
pub(crate) struct Key {
    /// Its secret, and who signs with it.
    pub(crate) credential: Arc<Credential>,
    /// The user's unique id; the account for its root. A session of the key is good for the same user alone.
    pub(crate) owner: Text,
}

/// A role that can be assumed.
#[derive(Debug)]
pub(crate) struct KnownRole {
    /// What was written about it.
    pub(crate) role: Role,
    /// Who may assume it.
    pub(crate) trust: Arc<Policy>,
    /// What its sessions may do.
    pub(crate) permissions: Permissions,
    /// Its tags.
    pub(crate) tags: BTreeMap<Text, Text>,
}

/// Everybody who is known.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    keys: HashMap<String, Key>,
    roles: HashMap<(Account, String), Arc<KnownRole>>,
    has_keys: bool,
}

impl Registry {
    /// What the layers say; of two that name the same, the earlier one is heard. Also gives a line for each thing that is left
    /// out.
    ///
    /// # Errors
    /// The place and the words for a policy that cannot be read: nobody may be let in, or out, by half of what was written.
    pub(crate) fn build(layers: &[Layer]) -> Result<(Self, Vec<String>), String> {
        // Those that are left out count: a server must not be open because a user of its keys is declared no more.
        let has_keys = layers.iter().any(|layer| !layer.roster.keys.is_empty());
        let mut registry = Self { has_keys, ..Self::default() };
        let mut notes = Vec::new();
        let mut users: HashMap<(Account, &str), (&User, Permissions)> = HashMap::new();
        for Layer { place, roster, .. } in layers {
            for user in &roster.users {
                let name = (user.0.account, user.0.name.as_str());
                let permissions = permissions(&user.0).map_err(|error| format!("{place}: user {error}"))?;
                match users.entry(name) {
                    Entry::Occupied(_) => notes.push(format!(
                        "{place}: user {:?} is left out: it is declared elsewhere",
                        user.0.name
                    )),
                    Entry::Vacant(room) => {
                        room.insert((user, permissions));
                    }
                }
            }
            for role in &roster.roles {
                let name = (role.profile.account, role.profile.name.clone());
                let known = known_role(role).map_err(|error| format!("{place}: role {error}"))?;
                match registry.roles.entry(name) {
                    Entry::Occupied(_) => notes.push(format!(
                        "{place}: role {:?} is left out: it is declared elsewhere",
                        role.profile.name
                    )),
                    Entry::Vacant(room) => {
                        room.insert(Arc::new(known));
                    }
                }
            }
        }
        for (place, key) in
            layers.iter().flat_map(|layer| layer.roster.keys.iter().map(move |key| (&layer.place, key)))
        {
            let (identity, owner) = match &key.user {
                None => (root(key.account, &key.id), key.account.to_string().into()),
                Some(name) => match users.get(&(key.account, name.as_str())) {
                    Some((user, permissions)) => {
                        (of_user(key, user, permissions.clone()), user.0.id.as_str().into())
                    }
                    None => {
                        let id = &key.id;
                        notes.push(format!(
                            "{place}: access key {id} is left out: there is no user {name:?} any more"
                        ));
                        continue;
                    }
                },
            };
            if registry.keys.contains_key(&key.id) {
                notes.push(format!("{place}: access key {} is left out: it is declared elsewhere", key.id));
                continue;
            }
            let credential = Credential {
                secret: key.secret.inner().clone(),
                identity: Arc::new(identity),
                is_active: key.is_active,
                expires: None,
            };
            registry.keys.insert(key.id.clone(), Key { credential: Arc::new(credential), owner });
        }
        Ok((registry, notes))
    }

    /// The access key with this id, active or not.
    pub(crate) fn key(&self, id: &str) -> Option<&Key> {
        self.keys.get(id)
    }

    /// The role of this name.
    pub(crate) fn role(&self, account: Account, name: &str) -> Option<&Arc<KnownRole>> {
        self.roles.get(&(account, name.to_owned()))
    }

    /// Whether there are access keys, of use or not: then everybody must sign.
    pub(crate) fn has_keys(&self) -> bool {
        self.has_keys
    }
}

/// The account itself.
pub(crate) fn root(account: Account, access_key: &str) -> Identity {
    Identity {
        principal: Principal {
            account,
            arn: format!("arn:aws:iam::{account}:root").into(),
            id: account.to_string().into(),
            kind: Kind::Root,
            tags: Vec::new(),
            issued: None,
        },
        permissions: None,
        access_key: Some(access_key.into()),
        counts_as: Some(access_key.into()),
        chain: None,
    }
}

fn of_user(key: &AccessKey, user: &User, permissions: Permissions) -> Identity {
    Identity {
        principal: Principal {
            account: user.0.account,
            arn: user.arn().into(),
            id: user.0.id.as_str().into(),
            kind: Kind::User { name: user.0.name.as_str().into() },
            tags: texts(&user.0.tags),
            issued: None,
        },
        permissions: Some(permissions),
        access_key: Some(key.id.as_str().into()),
        counts_as: Some(key.id.as_str().into()),
        chain: None,
    }
}

fn known_role(role: &Role) -> Result<KnownRole, String> {
    let permissions = permissions(&role.profile)?;
    let trust = Policy::compile(Use::Trust, "trust".into(), &role.trust);
    let trust = trust.map_err(|error| format!("{:?}: its trust policy: {}", role.profile.name, error.0))?;
    let tags = texts(&role.profile.tags).into_iter().collect();
    Ok(KnownRole { role: role.clone(), trust: Arc::new(trust), permissions, tags })
}

/// The user or role with this ARN, and what it may do. A role is found by account and name alone, for its sessions' ARNs do not tell its
/// path.
///
/// # Errors
/// One of its policies cannot be read.
pub(crate) fn find<'a>(
    layers: &'a [Layer],
    arn: &str,
) -> Result<Option<(&'a Profile, Permissions)>, Failure> {
    let is_role = |role: &Role| {
        let start = format!("arn:aws:iam::{}:role/", role.profile.account);
        arn.strip_prefix(&start).and_then(|rest| rest.rsplit('/').next()) == Some(&*role.profile.name)
    };
    let found = layers.iter().find_map(|Layer { place, roster, .. }| {
        let user = roster.users.iter().find(|user| user.arn() == arn).map(|user| &user.0);
        let role = || roster.roles.iter().find(|role| is_role(role)).map(|role| &role.profile);
        user.or_else(role).map(|profile| (place, profile))
    });
    let Some((place, profile)) = found else { return Ok(None) };
    let permissions = permissions(profile).map_err(|error| Failure::usage(format!("{place}: {error}")))?;
    Ok(Some((profile, permissions)))
}

/// Compiles what a user or role may do.
fn permissions(profile: &Profile) -> Result<Permissions, String> {
    let compile = |name: &str, text: &str| {
        let policy = Policy::compile(Use::Identity, name.into(), text);
        policy.map(Arc::new).map_err(|error| format!("{:?}: its policy {name:?}: {}", profile.name, error.0))
    };
    let identity = profile.policies.iter().map(|(name, text)| compile(name, text));
    Ok(Permissions {
        identity: identity.collect::<Result<_, _>>()?,
        boundary: profile
            .boundary
            .as_deref()
            .map(|text| compile("permissions boundary", text))
            .transpose()?,
        session: Vec::new(),
    })
}

/// Tags as policies see them.
fn texts(tags: &super::model::Named) -> Vec<(Text, Text)> {
    tags.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identities::samples::{POLICY, key, role, user};

    fn layer(place: &str, roster: Roster) -> Layer {
        Layer { place: place.into(), roster, lines: Lines::new() }
    }

    #[test]
    fn a_key_finds_its_user_also_in_another_place() {
        let declared = Roster { users: vec![user("ann")], ..Roster::default() };
        let stored =
            Roster { keys: vec![key("AKIA1", Some("ann")), key("AKIA2", None)], ..Roster::default() };
        let (registry, notes) =
            Registry::build(&[layer("file", declared), layer("store", stored)]).expect("sound");
        assert!(notes.is_empty(), "{notes:?}");
        let ann = &registry.key("AKIA1").expect("known").credential.identity;
        assert_eq!(&*ann.principal.arn, "arn:aws:iam::000000000000:user/ann");
        assert!(ann.permissions.as_ref().is_some_and(|permissions| permissions.identity.len() == 1));
        let root = &registry.key("AKIA2").expect("known").credential.identity;
        assert_eq!(root.principal.kind, Kind::Root);
        assert!(root.permissions.is_none());
    }

    #[test]
    fn the_earlier_place_is_heard_and_the_rest_told() {
        let mut other = key("AKIA1", None);
        other.is_active = false;
        let first =
            Roster { users: vec![user("ann")], keys: vec![key("AKIA1", None)], roles: vec![role("r")] };
        let second = Roster { users: vec![user("ann")], keys: vec![other], roles: vec![role("r")] };
        let (registry, notes) =
            Registry::build(&[layer("first", first), layer("second", second)]).expect("sound");
        assert!(registry.key("AKIA1").expect("known").credential.is_active);
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert!(notes.iter().all(|note| note.starts_with("second: ")), "{notes:?}");
    }

    #[test]
    fn a_key_without_its_user_opens_nothing() {
        let roster = Roster { keys: vec![key("AKIA1", Some("gone"))], ..Roster::default() };
        let (registry, notes) = Registry::build(&[layer("store", roster)]).expect("sound");
        assert!(registry.key("AKIA1").is_none());
        assert!(registry.has_keys());
        assert!(notes[0].contains("AKIA1") && notes[0].contains("gone"), "{notes:?}");
    }

    #[test]
    fn a_policy_that_cannot_be_read_lets_nobody_in() {
        let mut ann = user("ann");
        ann.0.policies.insert("broken".into(), "{".into());
        let roster = Roster { users: vec![ann], ..Roster::default() };
        let line = Registry::build(&[layer("store", roster)]).expect_err("refused");
        assert!(line.starts_with("store: user \"ann\": its policy \"broken\": "), "{line}");
        let mut open = role("r");
        open.trust = POLICY.replace("Allow", "Perhaps").replace('}', "");
        let roster = Roster { roles: vec![open], ..Roster::default() };
        assert!(Registry::build(&[layer("store", roster)]).expect_err("refused").contains("trust policy"));
    }
}
