//! `kew user`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use kew_engine::identity::Account;
use serde_json::json;

use super::{About, Place, Whose, table, told};
use crate::failure::Failure;
use crate::identities::ids::Kind;
use crate::identities::model::{Profile, User};
use crate::identities::registry::Declared;

/// What can be done with users.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Make a user. Without policies it may do nothing.
    Create(Create),
    /// Add policies, a boundary or tags to a user, replace and remove them.
    Update(Update),
    /// List users with their policies.
    List(List),
    /// Remove a user who has no access keys any more.
    Delete(Delete),
}

/// `kew user create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The user's name
    #[arg(value_name = "NAME")]
    name: String,
    /// Where the user stands in the ARN [default: /]
    #[arg(long, value_name = "/PATH/")]
    path: Option<String>,
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    place: Place,
}

/// `kew user update`.
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The user's name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    less: Less,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    place: Place,
}

/// What can be taken away from users and roles.
#[derive(Debug, Args)]
pub(super) struct Less {
    /// Remove a policy. May be given several times
    #[arg(long = "remove-policy", value_name = "NAME")]
    removed_policies: Vec<String>,
    /// Remove the permissions boundary
    #[arg(long, conflicts_with = "permissions_boundary")]
    remove_permissions_boundary: bool,
    /// Remove a tag. May be given several times
    #[arg(long = "remove-tag", value_name = "KEY")]
    removed_tags: Vec<String>,
}

impl Less {
    /// Takes it away.
    pub(super) fn write(&self, profile: &mut Profile) -> Result<(), Failure> {
        for name in &self.removed_policies {
            if profile.policies.remove(name).is_none() {
                return Err(Failure::usage(format!("{:?} has no policy {name:?}", profile.name)));
            }
        }
        if self.remove_permissions_boundary {
            profile.boundary = None;
        }
        for key in &self.removed_tags {
            if profile.tags.remove(key).is_none() {
                return Err(Failure::usage(format!("{:?} has no tag {key:?}", profile.name)));
            }
        }
        Ok(())
    }
}

/// `kew user list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print it as JSON, with the policies' documents
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// `kew user delete`.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The user's name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    place: Place,
}

impl UserCommand {
    /// Does it.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Create(asked) => {
                let account = asked.whose.account()?;
                let user = User(asked.about.profile(Kind::User, account, asked.name, asked.path)?);
                let elsewhere =
                    if account == Account::DEFAULT { String::new() } else { format!(" --account {account}") };
                let line = format!(
                    "{} is there; give it an access key: kew access-key create --user {}{elsewhere}{}",
                    user.arn(),
                    user.0.name,
                    asked.place.flags(),
                );
                asked.place.make()?.change(|roster| roster.add_user(user))?;
                Ok(told(&line))
            }
            Self::Update(asked) => {
                let account = asked.whose.account()?;
                let opened = asked.place.open()?;
                opened.refuse_declared(&Declared::User(account, asked.name.clone()), "change it")?;
                let arn = opened.store.change(|roster| {
                    let user = roster.user_mut(account, &asked.name);
                    let user = user.map_err(|refused| Failure::usage(refused.to_string()))?;
                    asked.less.write(&mut user.0)?;
                    asked.about.write(&mut user.0)?;
                    Ok(user.arn())
                })?;
                Ok(told(&format!("{arn} is changed")))
            }
            Self::List(asked) => list(asked),
            Self::Delete(asked) => {
                let account = asked.whose.account()?;
                let opened = asked.place.open()?;
                opened.refuse_declared(&Declared::User(account, asked.name.clone()), "remove it")?;
                opened.change(|roster| roster.remove_user(account, &asked.name))?;
                Ok(told(&format!("user {:?} is gone", asked.name)))
            }
        }
    }
}

fn list(asked: List) -> Result<ExitCode, Failure> {
    let opened = asked.place.open()?;
    let stored = opened.store.read()?;
    let declared = opened
        .declared
        .iter()
        .flat_map(|layer| layer.roster.users.iter().map(move |user| (user, layer.place.as_str())));
    let rows: Vec<_> = declared
        .chain(stored.users.iter().map(|user| (user, "data directory")))
        .map(|(user, place)| {
            let mut row = about(&user.0, asked.json);
            row["arn"] = user.arn().into();
            row["from"] = place.into();
            row
        })
        .collect();
    table::print(&["arn", "id", "policies", "boundary", "created", "from"], &rows, asked.json)
}

/// What lists say of users and roles; `whole`: with the policies' documents.
pub(super) fn about(profile: &Profile, whole: bool) -> serde_json::Value {
    let names = || profile.policies.keys().cloned().collect::<Vec<_>>().join(",");
    json!({
        "id": profile.id,
        "created": table::moment(profile.created),
        "tags": profile.tags,
        "policies": if whole { json!(profile.policies) } else { names().into() },
        "boundary": match &profile.boundary {
            Some(document) if whole => json!(document),
            Some(_) => json!("yes"),
            None => json!(null),
        },
    })
}
