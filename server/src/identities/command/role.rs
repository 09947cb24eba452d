//! `kew role`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use kew_engine::policy::Use;

use super::user::{Less, about};
use super::{About, Place, Whose, policy, table, told};
use crate::failure::Failure;
use crate::identities::ids::Kind;
use crate::identities::model::Role;
use crate::identities::registry::Declared;
use crate::limits;

/// What can be done with roles.
#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// Make a role, which others can assume by AssumeRole of STS.
    Create(Create),
    /// Change a role; its sessions follow at once.
    Update(Update),
    /// List roles with their policies.
    List(List),
    /// Remove a role; its sessions end.
    Delete(Delete),
}

/// `kew role create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The role's name
    #[arg(value_name = "NAME")]
    name: String,
    /// Who may assume it: a file with a policy that names principals
    #[arg(long, value_name = "FILE")]
    trust: String,
    /// How long a session may last at most, in seconds [default: 3600]
    #[arg(long, value_name = "SECONDS")]
    max_session_seconds: Option<u32>,
    /// Where the role stands in the ARN [default: /]
    #[arg(long, value_name = "/PATH/")]
    path: Option<String>,
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    place: Place,
}

/// `kew role update`.
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The role's name
    #[arg(value_name = "NAME")]
    name: String,
    /// Who may assume it: a file with a policy that names principals
    #[arg(long, value_name = "FILE")]
    trust: Option<String>,
    /// How long a session may last at most, in seconds
    #[arg(long, value_name = "SECONDS")]
    max_session_seconds: Option<u32>,
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    less: Less,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    place: Place,
}

/// `kew role list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print it as JSON, with the policies' documents
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// `kew role delete`.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The role's name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    place: Place,
}

impl RoleCommand {
    /// Does it.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Create(asked) => {
                let account = asked.whose.account()?;
                let role = Role {
                    profile: asked.about.profile(Kind::Role, account, asked.name, asked.path)?,
                    trust: policy(&asked.trust, Use::Trust)?,
                    max_session_seconds: asked
                        .max_session_seconds
                        .unwrap_or(*limits::MAX_SESSION_SECONDS.start()),
                };
                check(&role)?;
                let arn = role.arn();
                asked.place.make()?.change(|roster| roster.add_role(role))?;
                Ok(told(&format!("{arn} is there")))
            }
            Self::Update(asked) => update(asked),
            Self::List(asked) => list(asked),
            Self::Delete(asked) => {
                let account = asked.whose.account()?;
                let opened = asked.place.open()?;
                opened.refuse_declared(&Declared::Role(account, asked.name.clone()), "remove it")?;
                opened.change(|roster| roster.remove_role(account, &asked.name))?;
                Ok(told(&format!("role {:?} is gone", asked.name)))
            }
        }
    }
}

fn update(asked: Update) -> Result<ExitCode, Failure> {
    let account = asked.whose.account()?;
    let trust = asked.trust.as_deref().map(|source| policy(source, Use::Trust)).transpose()?;
    let opened = asked.place.open()?;
    opened.refuse_declared(&Declared::Role(account, asked.name.clone()), "change it")?;
    let arn = opened.store.change(|roster| {
        let role = roster.role_mut(account, &asked.name);
        let role = role.map_err(|refused| Failure::usage(refused.to_string()))?;
        asked.less.write(&mut role.profile)?;
        asked.about.write(&mut role.profile)?;
        if let Some(trust) = trust {
            role.trust = trust;
        }
        if let Some(seconds) = asked.max_session_seconds {
            role.max_session_seconds = seconds;
        }
        check(role)?;
        Ok(role.arn())
    })?;
    Ok(told(&format!("{arn} is changed")))
}

fn check(role: &Role) -> Result<(), Failure> {
    role.check()
        .map_err(|unfit| Failure::usage(format!("role {:?} cannot be so: {unfit}", role.profile.name)))
}

fn list(asked: List) -> Result<ExitCode, Failure> {
    let opened = asked.place.open()?;
    let stored = opened.store.read()?;
    let declared = opened
        .declared
        .iter()
        .flat_map(|layer| layer.roster.roles.iter().map(move |role| (role, layer.place.as_str())));
    let rows: Vec<_> = declared
        .chain(stored.roles.iter().map(|role| (role, "data directory")))
        .map(|(role, place)| {
            let mut row = about(&role.profile, asked.json);
            row["arn"] = role.arn().into();
            row["seconds"] = role.max_session_seconds.into();
            row["from"] = place.into();
            if asked.json {
                row["trust"] = role.trust.as_str().into();
            }
            row
        })
        .collect();
    table::print(&["arn", "id", "policies", "boundary", "seconds", "created", "from"], &rows, asked.json)
}
