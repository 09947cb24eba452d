//! What the tests of this room are about.

use kew_engine::identity::Account;
use zeroize::Zeroizing;

use super::model::{AccessKey, Profile, Role, User};
use super::secret::Secret;

pub(crate) const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:*","Resource":"*"}]}"#;

pub(crate) const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"000000000000"}}]}"#;

fn profile(name: &str, id: &str) -> Profile {
    Profile {
        account: Account::DEFAULT,
        name: name.into(),
        path: "/".into(),
        id: format!("{id}{name}"),
        created: 1,
        tags: [("team".into(), "shop".into())].into(),
        policies: [("all".into(), POLICY.into())].into(),
        boundary: None,
    }
}

pub(crate) fn user(name: &str) -> User {
    User(profile(name, "AIDA"))
}

pub(crate) fn role(name: &str) -> Role {
    Role { profile: profile(name, "AROA"), trust: TRUST.into(), max_session_seconds: 3600 }
}

pub(crate) fn key(id: &str, user: Option<&str>) -> AccessKey {
    AccessKey {
        id: id.into(),
        secret: Secret::brought(&Zeroizing::new("sixteen-letters!".into())).expect("long enough"),
        account: Account::DEFAULT,
        user: user.map(Into::into),
        is_active: true,
        created: 1,
    }
}
