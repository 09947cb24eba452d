//! `kew access-key`.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use kew_engine::identity::Account;
use serde_json::json;
use zeroize::Zeroizing;

use super::{Opened, Place, Whose, now, table, told};
use crate::failure::Failure;
use crate::identities::ids::Kind;
use crate::identities::model::AccessKey;
use crate::identities::registry::Declared;
use crate::identities::roster::{Refused, Roster};
use crate::identities::secret::Secret;

/// What can be done with access keys.
#[derive(Debug, Subcommand)]
pub(crate) enum AccessKeyCommand {
    /// Make an access key, and print its secret: this once.
    Create(Create),
    /// List access keys; their secrets are not shown.
    List(List),
    /// Make a second access key for the same user, and leave the old one as it is until all clients have the new one.
    Rotate(Rotate),
    /// No longer let an access key sign. It can be enabled again.
    Disable(Named),
    /// Let a disabled access key sign again.
    Enable(Named),
    /// Remove an access key for good.
    Delete(Named),
}

/// `kew access-key create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Whose key it is; without, the account's root's, who may do everything in the account
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    place: Place,
}

/// `kew access-key list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// `kew access-key rotate`.
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// The old access key's id
    #[arg(value_name = "ID")]
    id: String,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// The other ones.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The access key's id
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    place: Place,
}

impl AccessKeyCommand {
    /// Does it.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Create(asked) => create(asked),
            Self::List(asked) => list(asked),
            Self::Rotate(asked) => rotate(asked),
            Self::Disable(Named { id, place }) => {
                let opened = place.open()?;
                opened.refuse_declared(&Declared::Key(id.clone()), "set `active = false`, or remove it")?;
                opened.change(|roster| roster.key_mut(&id).map(|key| key.is_active = false))?;
                Ok(told(&format!("{id} may not sign any more")))
            }
            Self::Enable(Named { id, place }) => {
                let opened = place.open()?;
                opened.refuse_declared(&Declared::Key(id.clone()), "set `active = true`")?;
                opened.change(|roster| roster.key_mut(&id).map(|key| key.is_active = true))?;
                Ok(told(&format!("{id} may sign again")))
            }
            Self::Delete(Named { id, place }) => {
                let opened = place.open()?;
                opened.refuse_declared(&Declared::Key(id.clone()), "remove it")?;
                opened.change(|roster| roster.remove_key(&id))?;
                Ok(told(&format!("{id} is gone")))
            }
        }
    }
}

impl Opened {
    /// Changes the store; a refusal is the operator's mistake.
    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&mut Roster) -> Result<T, Refused>,
    ) -> Result<T, Failure> {
        self.store.change(|roster| change(roster).map_err(|refused| Failure::usage(refused.to_string())))
    }
}

fn create(asked: Create) -> Result<ExitCode, Failure> {
    let account = asked.whose.account()?;
    let opened = asked.place.make()?;
    let key = opened.change(|roster| {
        if let Some(name) = &asked.user {
            let declared = opened.declared.iter().any(|layer| layer.roster.user(account, name).is_some());
            if !declared {
                roster.user_mut(account, name)?;
            }
        }
        add(roster, account, asked.user)
    })?;
    show(&key, asked.json)?;
    let who = match &key.user {
        Some(name) => format!("It acts as user {name:?} of account {account}"),
        None => format!("It may do everything in account {account}"),
    };
    Ok(told(&format!("{who}. The secret is shown this once: keep it now.")))
}

fn rotate(asked: Rotate) -> Result<ExitCode, Failure> {
    let id = asked.id;
    let key = asked.place.open()?.change(|roster| {
        let (account, user) = {
            let old = roster.key_mut(&id)?;
            (old.account, old.user.clone())
        };
        add(roster, account, user)
    })?;
    show(&key, asked.json)?;
    Ok(told(&format!(
        "The secret is shown this once: keep it now. {id} stays as it is: when all clients sign with {}, say: kew access-key disable {id}",
        key.id
    )))
}

fn add(roster: &mut Roster, account: Account, user: Option<String>) -> Result<AccessKey, Refused> {
    let key = AccessKey {
        id: Kind::AccessKey.mint(),
        secret: Secret::mint(),
        account,
        user,
        is_active: true,
        created: now(),
    };
    roster.add_key(key.clone())?;
    Ok(key)
}

/// Prints a new key, as a shell or a program takes it.
fn show(key: &AccessKey, as_json: bool) -> Result<(), Failure> {
    let (id, secret) = (&key.id, key.secret.text());
    // Room for all of it, so that no copy of the secret is left behind when it grows.
    let mut text = Zeroizing::new(String::with_capacity(512));
    if as_json {
        // AWS's letters need no escaping.
        for part in ["{\"AccessKeyId\":\"", id, "\",\"SecretAccessKey\":\"", secret, "\"}\n"] {
            text.push_str(part);
        }
    } else {
        for part in ["AWS_ACCESS_KEY_ID=", id, "\nAWS_SECRET_ACCESS_KEY=", secret, "\n"] {
            text.push_str(part);
        }
    }
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| {
        Failure::world(format!(
            "the access key {id} was made, but its secret cannot be printed: {error}; delete it and make another"
        ))
    })
}

fn list(asked: List) -> Result<ExitCode, Failure> {
    let opened = asked.place.open()?;
    let stored = opened.store.read()?;
    let declared = opened
        .declared
        .iter()
        .flat_map(|layer| layer.roster.keys.iter().map(move |key| (key, layer.place.as_str())));
    let rows: Vec<_> = declared
        .chain(stored.keys.iter().map(|key| (key, "data directory")))
        .map(|(key, place)| {
            json!({
                "id": key.id,
                "account": key.account.to_string(),
                "user": key.user,
                "status": if key.is_active { "active" } else { "inactive" },
                "created": table::moment(key.created),
                "from": place,
            })
        })
        .collect();
    table::print(&["id", "account", "user", "status", "created", "from"], &rows, asked.json)
}
