//! Sessions: temporary credentials that the server does not keep. All that is to be known about one stands in its token, sealed
//! by the root key; what its user or role may do is looked up whenever it is used.

use std::sync::Arc;

use base64_simd::STANDARD;
use kew_engine::identity::{Account, Chain, Identity, Kind, Permissions, Principal};
use kew_engine::policy::{Policy, Use};
use kew_engine::time::Moment;
use kew_wire::Text;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::model::account_text;
use super::registry::{self, KnownRole, Registry};
use super::secret::Secret;
use super::{ids, managed};
use crate::identity::{Credential, NoCredential};
use crate::limits;
use crate::vault::RootKey;

/// What tokens are sealed for.
const PURPOSE: &str = "session token, version 1";

/// A session, as its token tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Its access key's id (`ASIA...`).
    pub(crate) key: String,
    /// Its secret.
    pub(crate) secret: Secret,
    /// When it began, in milliseconds since 1970.
    pub(crate) issued: u64,
    /// When it ends, likewise.
    pub(crate) expires: u64,
    /// Whose it is.
    pub(crate) of: Of,
}

/// Whose a session is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Of {
    /// That of a user, or an account's root, who asked with this access key. It ends with the key.
    Key {
        /// The key's id.
        id: String,
        /// The user's unique id, or the account.
        owner: String,
    },
    /// That of a role. It ends with the role.
    Role(Box<Assumed>),
    /// That of an account on a server that asks nobody who they are.
    Open(#[serde(with = "account_text")] Account),
}

/// A role as it was assumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Assumed {
    /// The role's account.
    #[serde(with = "account_text")]
    pub(crate) account: Account,
    /// The role's name.
    pub(crate) name: String,
    /// The role's unique id.
    pub(crate) id: String,
    /// The session's name.
    pub(crate) session: String,
    /// The session policy, as JSON within JSON: its quotes take no room of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<Value>,
    /// ARNs of further session policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) policy_arns: Vec<String>,
    /// The session's own tags, and those that it was handed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<(String, String)>,
    /// The keys of those that it hands on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) transitive: Vec<String>,
    /// Who stands behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source_identity: Option<String>,
}

impl Session {
    /// A new session from `now` on.
    pub(crate) fn begin(of: Of, now: Moment, seconds: u32) -> Self {
        let expires = now.0.saturating_add(u64::from(seconds) * 1000);
        Self { key: ids::Kind::SessionKey.mint(), secret: Secret::mint(), issued: now.0, expires, of }
    }

    /// The token that says all this.
    pub(crate) fn token(&self, root: &RootKey) -> String {
        // Numbers, texts and lists of them can always be written.
        let plain = Zeroizing::new(serde_json::to_vec(self).unwrap_or_default());
        STANDARD.encode_to_string(root.seal(PURPOSE, &plain))
    }

    /// The session that a token tells of; `None` if this server has not given it.
    pub(crate) fn read(token: &str, root: &RootKey) -> Option<Self> {
        if token.len() > limits::TOKEN_BYTES {
            return None;
        }
        let sealed = STANDARD.decode_to_vec(token).ok()?;
        serde_json::from_slice(&root.open(PURPOSE, &sealed)?).ok()
    }

    /// What its access key opens, if those whose it is are still there.
    pub(crate) fn credential(&self, registry: &Registry, is_open: bool) -> Result<Credential, NoCredential> {
        let identity = match &self.of {
            Of::Key { id, owner } => {
                let key = registry.key(id).ok_or(NoCredential::Unknown)?;
                if !key.credential.is_active || *key.owner != **owner {
                    return Err(NoCredential::Unknown);
                }
                let of = &key.credential.identity;
                Identity {
                    principal: Principal { issued: Some(Moment(self.issued)), ..of.principal.clone() },
                    permissions: of.permissions.clone(),
                    access_key: Some(self.key.as_str().into()),
                    counts_as: of.counts_as.clone(),
                    chain: None,
                }
            }
            Of::Role(assumed) => {
                let role = registry.role(assumed.account, &assumed.name);
                let role = role.filter(|role| role.role.profile.id == assumed.id);
                self.assumed(assumed, role.ok_or(NoCredential::Unknown)?)?
            }
            Of::Open(account) if is_open => registry::root(*account, &self.key),
            Of::Open(_) => return Err(NoCredential::Unknown),
        };
        Ok(Credential {
            secret: self.secret.inner().clone(),
            identity: Arc::new(identity),
            is_active: true,
            expires: Some(Moment(self.expires)),
        })
    }

    fn assumed(&self, assumed: &Assumed, known: &KnownRole) -> Result<Identity, NoCredential> {
        let Assumed { account, name, id, session, .. } = assumed;
        let inline =
            assumed.policy.as_ref().map(|document| Ok((Text::from("session policy"), document.to_string())));
        // What limited the session when it began must not be left out because it cannot be read, or is not known, any more.
        let named = assumed.policy_arns.iter().map(|arn| {
            let document = managed::document(arn).ok_or(NoCredential::Unknown)?;
            Ok((Text::from(arn.as_str()), document.to_owned()))
        });
        let policies = inline.into_iter().chain(named).map(|policy| {
            let (name, document) = policy?;
            Policy::compile(Use::Identity, name, &document).map(Arc::new).map_err(|_| NoCredential::Unknown)
        });
        let permissions = Permissions {
            identity: known.permissions.identity.clone(),
            boundary: known.permissions.boundary.clone(),
            session: policies.collect::<Result<_, _>>()?,
        };
        // A session's tag counts more than the role's of the same key, whatever its case.
        let is_own = |key: &str| assumed.tags.iter().any(|(own, _)| own.eq_ignore_ascii_case(key));
        let of_role = known.role.profile.tags.iter().filter(|(key, _)| !is_own(key));
        let own = assumed.tags.iter().map(|(key, value)| (key, value));
        let text = |(key, value): (&String, &String)| (key.as_str().into(), value.as_str().into());
        let handed =
            assumed.tags.iter().filter(|(key, _)| assumed.transitive.contains(key)).map(|(k, v)| (k, v));
        Ok(Identity {
            principal: Principal {
                account: *account,
                arn: format!("arn:aws:sts::{account}:assumed-role/{name}/{session}").into(),
                id: format!("{id}:{session}").into(),
                kind: Kind::Role { role: known.role.arn().into() },
                tags: of_role.chain(own).map(text).collect(),
                issued: Some(Moment(self.issued)),
            },
            permissions: Some(permissions),
            access_key: Some(self.key.as_str().into()),
            counts_as: Some(id.as_str().into()),
            chain: Some(Chain {
                tags: handed.map(text).collect(),
                source_identity: assumed.source_identity.as_deref().map(Text::from),
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use kew_engine::services::sts;

    use super::*;
    use crate::identities::registry::{Layer, Lines};
    use crate::identities::roster::Roster;
    use crate::identities::samples::{POLICY, key, role, user};

    fn registry(roster: Roster) -> Registry {
        Registry::build(&[Layer { place: "here".into(), roster, lines: Lines::new() }]).expect("sound").0
    }

    fn assumed() -> Assumed {
        Assumed {
            account: Account::DEFAULT,
            name: "r".into(),
            id: "AROAr".into(),
            session: "s1".into(),
            policy: serde_json::from_str(POLICY).ok(),
            policy_arns: vec!["arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess".into()],
            tags: vec![("Team".into(), "kitchen".into()), ("night".into(), "yes".into())],
            transitive: vec!["night".into()],
            source_identity: Some("ann".into()),
        }
    }

    #[test]
    fn a_token_tells_its_session_to_this_server_alone() {
        let (root, other) = (RootKey::generate(), RootKey::generate());
        let session = Session::begin(Of::Role(Box::new(assumed())), Moment(1000), 900);
        let token = session.token(&root);
        assert_eq!(Session::read(&token, &root), Some(session));
        assert_eq!(Session::read(&token, &other), None);
        assert_eq!(Session::read(&token[4..], &root), None);
        assert_eq!(Session::read(&"A".repeat(limits::TOKEN_BYTES + 4), &root), None);
        let mut bent = token.into_bytes();
        bent[60] = if bent[60] == b'A' { b'B' } else { b'A' };
        assert_eq!(Session::read(&String::from_utf8(bent).expect("text"), &root), None);
    }

    #[test]
    fn the_largest_session_fits_into_a_token() {
        let full = sts::limits::PACKED_BYTES;
        let long = |chars: usize| "n".repeat(chars);
        let session = Session::begin(
            Of::Role(Box::new(Assumed {
                name: long(64),
                session: long(64),
                source_identity: Some(long(64)),
                policy: Some(Value::String(long(full / 2))),
                policy_arns: Vec::new(),
                // Sixteen tags of as many bytes as the engine counts for them, all handed on.
                tags: (0..16).map(|_| (long(16), long(full / 32 - 43))).collect(),
                transitive: (0..16).map(|_| long(16)).collect(),
                ..assumed()
            })),
            Moment(1_795_268_225_123),
            900,
        );
        let token = session.token(&RootKey::generate());
        assert!(token.len() <= limits::TOKEN_BYTES, "{}", token.len());
        assert!(token.len() > limits::TOKEN_BYTES - 400, "{}", token.len());
    }

    #[test]
    fn a_roles_session_is_the_role_narrowed_and_tagged() {
        let known = registry(Roster { roles: vec![role("r")], ..Roster::default() });
        let session = Session::begin(Of::Role(Box::new(assumed())), Moment(1000), 900);
        let credential = session.credential(&known, false).expect("known");
        assert_eq!(credential.expires, Some(Moment(901_000)));
        let identity = &credential.identity;
        assert_eq!(&*identity.principal.arn, "arn:aws:sts::000000000000:assumed-role/r/s1");
        assert_eq!(&*identity.principal.id, "AROAr:s1");
        assert_eq!(identity.principal.issued, Some(Moment(1000)));
        let tags: Vec<_> = identity.principal.tags.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(tags, [("Team", "kitchen"), ("night", "yes")]);
        let permissions = identity.permissions.as_ref().expect("some");
        assert_eq!((permissions.identity.len(), permissions.session.len()), (1, 2));
        let chain = identity.chain.as_ref().expect("a chain");
        assert_eq!(chain.tags, [("night".into(), "yes".into())]);
        assert_eq!(chain.source_identity.as_deref(), Some("ann"));
    }

    #[test]
    fn a_session_ends_when_a_policy_that_limits_it_is_known_no_more() {
        let known = registry(Roster { roles: vec![role("r")], ..Roster::default() });
        let limited = |policy_arns: Vec<String>| {
            let of = Of::Role(Box::new(Assumed { policy: None, policy_arns, ..assumed() }));
            Session::begin(of, Moment(1000), 900).credential(&known, false)
        };
        let forgotten = "arn:aws:iam::aws:policy/Forgotten".to_owned();
        assert_eq!(limited(vec![forgotten.clone()]).err(), Some(NoCredential::Unknown));
        let mut both = assumed().policy_arns;
        assert!(limited(both.clone()).is_ok());
        both.push(forgotten);
        assert!(limited(both).is_err());
    }

    #[test]
    fn a_session_ends_with_its_role() {
        let session = Session::begin(Of::Role(Box::new(assumed())), Moment(1000), 900);
        assert!(session.credential(&registry(Roster::default()), false).is_err());
        let mut again = role("r");
        again.profile.id = "AROAother".into();
        let known = registry(Roster { roles: vec![again], ..Roster::default() });
        assert!(session.credential(&known, false).is_err());
    }

    #[test]
    fn sessions_count_as_the_key_or_role_whose_they_are() {
        let roster = Roster {
            users: vec![user("ann")],
            keys: vec![key("AKIA1", Some("ann"))],
            roles: vec![role("r")],
        };
        let known = registry(roster);
        let of_key = Of::Key { id: "AKIA1".into(), owner: "AIDAann".into() };
        for (of, expected) in [(of_key, "AKIA1"), (Of::Role(Box::new(assumed())), "AROAr")] {
            for _ in 0..2 {
                let session = Session::begin(of.clone(), Moment(1000), 900);
                let credential = session.credential(&known, false).expect("known");
                assert_eq!(credential.identity.counts_as.as_deref(), Some(expected));
            }
        }
        assert_eq!(
            known.key("AKIA1").expect("known").credential.identity.counts_as.as_deref(),
            Some("AKIA1")
        );
    }

    #[test]
    fn a_session_ends_with_the_key_that_asked_for_it() {
        let of = Of::Key { id: "AKIA1".into(), owner: "AIDAann".into() };
        let session = Session::begin(of, Moment(1000), 900);
        let mut roster =
            Roster { users: vec![user("ann")], keys: vec![key("AKIA1", Some("ann"))], ..Roster::default() };
        let credential = session.credential(&registry(roster.clone()), false).expect("known");
        assert_eq!(&*credential.identity.principal.arn, "arn:aws:iam::000000000000:user/ann");
        assert_eq!(credential.identity.access_key.as_deref(), Some(&*session.key));
        roster.keys[0].is_active = false;
        assert!(session.credential(&registry(roster.clone()), false).is_err());
        roster.keys[0].is_active = true;
        roster.users[0].0.id = "AIDAother".into();
        assert!(session.credential(&registry(roster), false).is_err());
    }

    #[test]
    fn a_session_of_an_open_server_is_nothing_once_it_is_closed() {
        let session = Session::begin(Of::Open(Account::DEFAULT), Moment(1000), 900);
        assert!(session.credential(&registry(Roster::default()), true).is_ok());
        assert!(session.credential(&registry(Roster::default()), false).is_err());
    }
}
