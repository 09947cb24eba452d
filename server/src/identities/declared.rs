//! Users and roles as the configuration file declares them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use kew_engine::identity::Account;
use serde::{Deserialize, Deserializer, de};
use toml::Spanned;
use zeroize::Zeroizing;

use super::ids::Kind;
use super::model::{self, AccessKey, Named, Profile, Role, Unfit, User};
use super::registry::{Declared, Lines};
use super::roster::{Refused, Roster};
use super::secret::Secret;
use super::sources;
use crate::failure::Failure;
use crate::limits;

/// `[[user]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserTable {
    name: Spanned<String>,
    account: Option<String>,
    path: Option<String>,
    #[serde(default)]
    tags: Named,
    #[serde(default)]
    policies: BTreeMap<String, Document>,
    permissions_boundary: Option<Document>,
    #[serde(default)]
    access_key: Vec<KeyTable>,
}

/// `[[role]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleTable {
    name: Spanned<String>,
    account: Option<String>,
    path: Option<String>,
    #[serde(default)]
    tags: Named,
    #[serde(default)]
    policies: BTreeMap<String, Document>,
    permissions_boundary: Option<Document>,
    trust: Document,
    max_session_seconds: Option<u32>,
}

/// `[[user.access_key]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTable {
    id: Spanned<String>,
    #[serde(default, deserialize_with = "secret")]
    secret: Option<Zeroizing<String>>,
    secret_file: Option<String>,
    secret_variable: Option<String>,
    active: Option<bool>,
}

/// A text. What else stands there is not told: it may be the secret without its quotes.
fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    match toml::Value::deserialize(from)? {
        toml::Value::String(text) => Ok(Some(Zeroizing::new(text))),
        _ => Err(de::Error::custom("a secret is a text in quotes")),
    }
}

/// A policy: JSON in a text, a file's path, the ARN of one of AWS's own, or a table of TOML that says the same as JSON would.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a policy: a table, JSON in a string, a file's path, or an ARN of AWS's own policies"
)]
enum Document {
    Text(String),
    Table(toml::Table),
}

/// What a file's tables may need to be understood.
pub(crate) struct Reading<'a> {
    /// The file, for messages, and because paths in it are beside it.
    pub(crate) path: &'a Path,
    /// `kew.toml, line 7`, from where something begins in the text.
    pub(crate) place: &'a dyn Fn(usize) -> String,
    /// The refusal if secrets may not stand in this file.
    pub(crate) refuse_secrets: &'a dyn Fn() -> Result<(), Failure>,
    /// The environment.
    pub(crate) environment: &'a dyn Fn(&str) -> Option<OsString>,
}

impl Reading<'_> {
    /// Where the tables declare what.
    ///
    /// # Errors
    /// An account that is none.
    pub(crate) fn lines(&self, users: &[UserTable], roles: &[RoleTable]) -> Result<Lines, Failure> {
        let mut lines = Lines::new();
        for UserTable { name, account, access_key, .. } in users {
            let place = (self.place)(name.span().start);
            let account = self::account(&place, account.as_deref())?;
            lines.insert(Declared::User(account, name.get_ref().clone()), place);
            let keys = access_key.iter().map(|KeyTable { id, .. }| id);
            lines.extend(keys.map(|id| (Declared::Key(id.get_ref().clone()), (self.place)(id.span().start))));
        }
        for RoleTable { name, account, .. } in roles {
            let place = (self.place)(name.span().start);
            let account = self::account(&place, account.as_deref())?;
            lines.insert(Declared::Role(account, name.get_ref().clone()), place);
        }
        Ok(lines)
    }

    /// What the tables declare.
    pub(crate) fn roster(&self, users: Vec<UserTable>, roles: Vec<RoleTable>) -> Result<Roster, Failure> {
        let mut roster = Roster::default();
        users.into_iter().try_for_each(|table| self.user(table, &mut roster))?;
        roles.into_iter().try_for_each(|table| self.role(table, &mut roster))?;
        Ok(roster)
    }

    fn user(&self, table: UserTable, roster: &mut Roster) -> Result<(), Failure> {
        let place = (self.place)(table.name.span().start);
        let name = table.name.into_inner();
        let account = account(&place, table.account.as_deref())?;
        let refuse = |refused: Refused| Failure::usage(format!("{place}: {refused}"));
        let keys = table.access_key.into_iter().map(|key| self.key(&place, &name, account, key));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let user = User(Profile {
            id: Kind::User.declared(&account.to_string(), &name),
            account,
            path: table.path.unwrap_or_else(|| "/".into()),
            created: 0,
            tags: table.tags,
            policies: self.documents(&place, table.policies)?,
            boundary: table.permissions_boundary.map(|one| self.document(&place, one)).transpose()?,
            name,
        });
        user.0.check().map_err(|unfit| self::unfit(&place, "user", unfit))?;
        roster.add_user(user).map_err(refuse)?;
        keys.into_iter().try_for_each(|key| roster.add_key(key).map_err(refuse))
    }

    fn role(&self, table: RoleTable, roster: &mut Roster) -> Result<(), Failure> {
        let place = (self.place)(table.name.span().start);
        let name = table.name.into_inner();
        let account = account(&place, table.account.as_deref())?;
        let role = Role {
            profile: Profile {
                id: Kind::Role.declared(&account.to_string(), &name),
                account,
                path: table.path.unwrap_or_else(|| "/".into()),
                created: 0,
                tags: table.tags,
                policies: self.documents(&place, table.policies)?,
                boundary: table.permissions_boundary.map(|one| self.document(&place, one)).transpose()?,
                name,
            },
            trust: self.document(&place, table.trust)?,
            max_session_seconds: table.max_session_seconds.unwrap_or(*limits::MAX_SESSION_SECONDS.start()),
        };
        role.check().map_err(|unfit| self::unfit(&place, "role", unfit))?;
        roster.add_role(role).map_err(|refused| Failure::usage(format!("{place}: {refused}")))
    }

    fn key(&self, place: &str, user: &str, account: Account, table: KeyTable) -> Result<AccessKey, Failure> {
        let id = table.id.into_inner();
        model::check_key_id(&id).map_err(|unfit| self::unfit(place, "access key", unfit))?;
        let secret = match (table.secret, table.secret_file, table.secret_variable) {
            (Some(secret), None, None) => {
                (self.refuse_secrets)()?;
                secret
            }
            (None, Some(file), None) => {
                let file = sources::beside(self.path, &file);
                if !file.try_exists().unwrap_or(false) {
                    return Err(Failure::usage(format!(
                        "{place}: access key {id}: the file of secret_file cannot be found"
                    )));
                }
                sources::secret(&file)?
            }
            (None, None, Some(variable)) => match (self.environment)(&variable).map(OsString::into_string) {
                Some(Ok(secret)) => Zeroizing::new(secret),
                _ => {
                    return Err(Failure::usage(format!(
                        "{place}: access key {id}: the environment does not have the variable of secret_variable"
                    )));
                }
            },
            _ => {
                return Err(Failure::usage(format!(
                    "{place}: access key {id} needs one of secret_file, secret_variable and secret"
                )));
            }
        };
        let secret = brought(secret, &format!("{place}: the secret of access key {id}"))?;
        let user = Some(user.to_owned());
        Ok(AccessKey { id, secret, account, user, is_active: table.active.unwrap_or(true), created: 0 })
    }

    fn documents(&self, place: &str, tables: BTreeMap<String, Document>) -> Result<Named, Failure> {
        tables.into_iter().map(|(name, table)| Ok((name, self.document(place, table)?))).collect()
    }

    fn document(&self, place: &str, document: Document) -> Result<String, Failure> {
        match document {
            Document::Text(text) if text.trim_start().starts_with('{') => Ok(text),
            Document::Text(source) => sources::policy(&source, Some(self.path)),
            Document::Table(table) => serde_json::to_string(&table)
                .map_err(|error| Failure::usage(format!("{place}: a policy cannot be read: {error}"))),
        }
    }
}

/// A secret that an operator brings, `whose` being the words for it.
pub(crate) fn brought(secret: Zeroizing<String>, whose: &str) -> Result<Secret, Failure> {
    Secret::brought(&secret).ok_or_else(|| {
        let (least, most) = limits::SECRET_CHARS.into_inner();
        Failure::usage(format!("{whose} needs {least} to {most} characters, without blanks"))
    })
}

fn account(place: &str, text: Option<&str>) -> Result<Account, Failure> {
    text.map_or(Ok(Account::DEFAULT), |text| {
        text.parse().map_err(|_| Failure::usage(format!("{place}: account: give an account's twelve digits")))
    })
}

/// Without its name, which may be a secret in the wrong place.
fn unfit(place: &str, what: &str, unfit: Unfit) -> Failure {
    Failure::usage(format!("{place}: this {what} cannot be so: {unfit}"))
}
