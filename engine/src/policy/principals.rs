//! Whom a policy of a resource names (user guide, *Principal*, *NotPrincipal*).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use kew_wire::arn::Arn;

use super::Malformed;
use super::json::Json;
use crate::identity::{Account, Kind, Principal};

/// A Principal element.
#[derive(Debug)]
pub(super) struct Principals {
    names: Vec<Name>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    /// `*`: everyone, without credentials too.
    Everyone,
    /// An account, by number or by the ARN of its root: all of it.
    Account(Account),
    /// A user, a role or a session, by its ARN or unique id.
    One(String),
    /// A service.
    Service(String),
    /// What nobody here is: identity providers, canonical users.
    Nobody,
}

/// How directly an Allow names the caller, which decides what else must allow it (user guide, *Policy evaluation for requests within
/// a single account*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grant {
    /// By its account, which in turn must let its user or role do it.
    Account,
    /// By its role: the role's boundary and the session's policies limit it.
    Role,
    /// Itself, or as one of everybody: only a Deny limits it. That a wildcard reaches past boundaries and session policies says the page
    /// *How AWS enforcement code logic evaluates requests*, under *IAM role*.
    Direct,
}

impl Principals {
    pub(super) fn read(element: &Json) -> Result<Self, Malformed> {
        let invalid = |kind: &str, name: &str| {
            Malformed(format!("Invalid principal in policy: \"{kind}\":\"{name}\"").into())
        };
        if let Some(name) = element.text() {
            return match name {
                "*" => Ok(Self { names: [Name::Everyone].into() }),
                _ => Err(super::syntax_error()),
            };
        }
        let mut names = Vec::new();
        for (kind, values) in element.members().ok_or_else(super::syntax_error)? {
            for name in values.texts().ok_or_else(super::syntax_error)? {
                let plain = !name.is_empty() && !name.contains(['*', '?']);
                let read = match kind.as_str() {
                    "AWS" => account_or_one(name),
                    "Service" => plain.then(|| Name::Service(name.to_ascii_lowercase())),
                    "Federated" | "CanonicalUser" => plain.then_some(Name::Nobody),
                    _ => return Err(super::syntax_error()),
                };
                names.push(read.ok_or_else(|| invalid(kind, name))?);
            }
        }
        if names.is_empty() { Err(super::syntax_error()) } else { Ok(Self { names }) }
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// How these names reach the principal, if they do.
    pub(super) fn grant(&self, principal: &Principal) -> Option<Grant> {
        self.names.iter().filter_map(|name| name.grant(principal)).max()
    }

    /// Whether NotPrincipal leaves the principal out of a Deny. It must name all that the request acts as: a user and its account; a
    /// session, its role and the account.
    pub(super) fn spare(&self, principal: &Principal) -> bool {
        let names =
            |one: &str| self.names.iter().any(|name| matches!(name, Name::One(named) if named == one));
        let itself = || names(&principal.arn) || names(&principal.id);
        let account = || self.names.contains(&Name::Account(principal.account));
        self.names.contains(&Name::Everyone)
            || match &principal.kind {
                Kind::Root => account(),
                Kind::User { .. } => account() && itself(),
                Kind::Role { role } => account() && names(role) && itself(),
                Kind::Service => self.grant(principal).is_some(),
                Kind::Anonymous => false,
            }
    }
}

impl Name {
    fn grant(&self, principal: &Principal) -> Option<Grant> {
        let is_in_account = !matches!(principal.kind, Kind::Service | Kind::Anonymous);
        match self {
            Self::Everyone => Some(Grant::Direct),
            Self::Account(account) if is_in_account && *account == principal.account => {
                Some(if principal.kind == Kind::Root { Grant::Direct } else { Grant::Account })
            }
            Self::One(name) if is_in_account => {
                if *name == *principal.arn || *name == *principal.id {
                    return Some(Grant::Direct);
                }
                match &principal.kind {
                    // A role's unique id is the first part of its sessions'.
                    Kind::Role { role }
                        if **name == **role || principal.id.split(':').next() == Some(name) =>
                    {
                        Some(Grant::Role)
                    }
                    _ => None,
                }
            }
            Self::Service(name) if principal.kind == Kind::Service && **name == *principal.arn => {
                Some(Grant::Direct)
            }
            _ => None,
        }
    }
}

/// What can stand under `AWS`. Wildcards for parts of a name are refused, as by AWS.
fn account_or_one(name: &str) -> Option<Name> {
    if name == "*" {
        return Some(Name::Everyone);
    }
    if let Ok(account) = name.parse() {
        return Some(Name::Account(account));
    }
    if let Some(arn) = Arn::parse(name) {
        let account = arn.account.parse().ok()?;
        if !arn.partition.starts_with("aws") || !arn.region.is_empty() || name.contains(['*', '?']) {
            return None;
        }
        let (kind, rest) = arn.resource.split_once('/').unwrap_or((arn.resource, ""));
        return match (arn.service, kind) {
            ("iam", "root") if arn.resource == "root" => Some(Name::Account(account)),
            ("iam", "user" | "role") if !rest.is_empty() => Some(Name::One(name.into())),
            ("sts", "federated-user") if !rest.is_empty() => Some(Name::One(name.into())),
            ("sts", "assumed-role") if rest.contains('/') => Some(Name::One(name.into())),
            _ => None,
        };
    }
    let is_id = name.len() >= 16 && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    is_id.then(|| Name::One(name.into()))
}
