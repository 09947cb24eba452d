//! `kew access-key`, `kew user` and `kew role`: they change the data directory, whether a server uses it or not. A running
//! server takes the change over within a second.

mod access_key;
mod role;
mod table;
mod user;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use kew_engine::identity::Account;
use kew_engine::policy::{Policy, Use};
use kew_journal::disk::Directory;

pub(crate) use self::access_key::AccessKeyCommand;
pub(crate) use self::role::RoleCommand;
pub(crate) use self::user::UserCommand;
use super::model::{Named, Profile};
use super::registry::{Declared, Layer, Lines};
use super::store::Store;
use super::{ids, sources};
use crate::cli::Flags;
use crate::config::{self, Config};
use crate::failure::Failure;
use crate::vault::{RootKeyFlags, Vault};

/// Where the identities are.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The data directory; `create` makes it if it is not there [env: KEW_DATA] [default: ./kew-data]
    #[arg(long, value_name = "DIR")]
    data: Option<OsString>,
    /// The server's configuration file, if it says where the data or the root key is, or declares users [env: KEW_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<OsString>,
    #[command(flatten)]
    root_key: RootKeyFlags,
}

/// An opened place.
struct Opened {
    store: Store,
    /// What the configuration and the environment declare.
    declared: Vec<Layer>,
}

impl Opened {
    /// Refuses to change what the data directory says of something that is declared as well: the declaration is heard first, so that
    /// nothing would change.
    fn refuse_declared(&self, named: &Declared, remedy: &str) -> Result<(), Failure> {
        let Some(place) = self.declared.iter().find_map(|layer| layer.lines.get(named)) else {
            return Ok(());
        };
        Err(Failure::usage(format!(
            "{named} is declared in {place}, which counts more than the data directory: {remedy} there"
        )))
    }
}

impl Place {
    /// How to name it again: the flags that did, behind a blank.
    fn flags(&self) -> String {
        let named = [("data", &self.data), ("config", &self.config)];
        let named = named.iter().filter_map(|(flag, value)| Some((flag, value.as_ref()?)));
        named.map(|(flag, value)| format!(" --{flag} {}", value.display())).collect()
    }

    /// All that is written anywhere; of two that name the same, the earlier one is heard.
    pub(crate) fn layers(self) -> Result<Vec<Layer>, Failure> {
        let Opened { store, declared: mut layers } = self.open()?;
        layers.push(Layer { place: store.place(), roster: store.read()?, lines: Lines::new() });
        Ok(layers)
    }

    /// A place that is there.
    fn open(self) -> Result<Opened, Failure> {
        let config = self.configuration()?;
        Directory::refuse_unfinished(&config.data).map_err(|error| Failure::world(error.to_string()))?;
        if !config.data.join("format").exists() {
            return Err(Failure::usage(format!(
                "{} is no data directory of Kew's; give --data",
                config.data.display()
            )));
        }
        Self::at(config)
    }

    /// A place that is made if it is not there.
    fn make(self) -> Result<Opened, Failure> {
        let config = self.configuration()?;
        let made = (!config.data.join("format").exists()).then(|| config.data.clone());
        let opened = Self::at(config)?;
        if let Some(path) = made {
            eprintln!("{} was no data directory of Kew's, and is one now", path.display());
        }
        Ok(opened)
    }

    fn configuration(self) -> Result<Config, Failure> {
        let flags =
            Flags { config: self.config, data: self.data, root_key: self.root_key, ..Flags::default() };
        config::load(flags, &|name| std::env::var_os(name))
    }

    fn at(config: Config) -> Result<Opened, Failure> {
        let vault = Vault::look(&config.data, &config.root_key)?;
        Ok(Opened { store: Store::new(&vault), declared: config.identities })
    }
}

/// Whose identities are meant.
#[derive(Debug, Args)]
pub(crate) struct Whose {
    /// The account [default: 000000000000]
    #[arg(long, value_name = "DIGITS")]
    account: Option<String>,
}

impl Whose {
    fn account(&self) -> Result<Account, Failure> {
        sources::account(self.account.as_deref())
    }
}

/// What can be written about users and roles.
#[derive(Debug, Args)]
pub(crate) struct About {
    /// A policy: a file with JSON, or an ARN such as arn:aws:iam::aws:policy/AmazonSQSFullAccess; it is called as the file is,
    /// without .json. May be given several times
    #[arg(long = "policy", value_name = "FILE|ARN")]
    policies: Vec<String>,
    /// What the policies can grant at most: a policy likewise
    #[arg(long, value_name = "FILE|ARN")]
    permissions_boundary: Option<String>,
    /// A tag. May be given several times
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    tags: Vec<String>,
}

impl About {
    /// A new profile.
    fn profile(
        self,
        kind: ids::Kind,
        account: Account,
        name: String,
        path: Option<String>,
    ) -> Result<Profile, Failure> {
        let mut profile = Profile {
            account,
            name,
            path: path.unwrap_or_else(|| "/".to_owned()),
            id: kind.mint(),
            created: now(),
            tags: Named::new(),
            policies: Named::new(),
            boundary: None,
        };
        self.write(&mut profile)?;
        Ok(profile)
    }

    /// Adds to a profile, and replaces what has the same name.
    fn write(self, profile: &mut Profile) -> Result<(), Failure> {
        for source in &self.policies {
            profile.policies.insert(sources::policy_name(source), policy(source, Use::Identity)?);
        }
        if let Some(source) = &self.permissions_boundary {
            profile.boundary = Some(policy(source, Use::Identity)?);
        }
        for tag in self.tags {
            let (key, value) = tag
                .split_once('=')
                .ok_or_else(|| Failure::usage(format!("--tag: {tag:?} is not allowed; give KEY=VALUE")))?;
            profile.tags.insert(key.to_owned(), value.to_owned());
        }
        profile.check().map_err(|unfit| Failure::usage(format!("{:?} cannot be so: {unfit}", profile.name)))
    }
}

/// Reads a policy and sees that it means something.
fn policy(source: &str, used: Use) -> Result<String, Failure> {
    let document = sources::policy(source, None)?;
    Policy::compile(used, source.into(), &document)
        .map_err(|error| Failure::usage(format!("{source}: {}", error.0)))?;
    Ok(document)
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Tells what was done, beside what a script reads.
fn told(line: &str) -> ExitCode {
    eprintln!("{line}");
    ExitCode::SUCCESS
}
