//! Where the root key comes from: a file, the environment, a command that prints it, or else a file in the data directory.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use zeroize::Zeroizing;

use super::{RootKey, VaultError, sync_directory};
use crate::config::Environment;
use crate::failure::Failure;
use crate::identities::sources::refuse_if_open_to_all;

/// The file that a data directory's own root key is in.
pub(crate) const KEY_FILE: &str = "root-key";

/// The variable that holds the root key itself; unlike its siblings it has no flag, for those show in the list of processes.
pub(crate) const KEY_VARIABLE: &str = "KEW_ROOT_KEY";

/// The flags that name a root key, for every command that needs it.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct RootKeyFlags {
    /// A file that holds the root key: 64 hexadecimal digits, or 32 bytes in base64 [env: KEW_ROOT_KEY_FILE; KEW_ROOT_KEY is the
    /// key itself] [default: a file `root-key` in the data directory, made at the first start]
    #[arg(long, value_name = "FILE")]
    pub(crate) root_key_file: Option<OsString>,
    /// A command of the shell that prints the root key, so that any vault can keep it [env: KEW_ROOT_KEY_COMMAND]
    #[arg(long, value_name = "COMMAND", conflicts_with = "root_key_file")]
    pub(crate) root_key_command: Option<String>,
}

/// Where a root key comes from.
#[derive(Clone, Default)]
pub(crate) enum Source {
    /// A file in the data directory, made if nothing is sealed there yet.
    #[default]
    Generated,
    /// A file of the operator's.
    File(PathBuf),
    /// The text itself, from this variable.
    Variable(&'static str, Zeroizing<String>),
    /// What a command of the shell prints.
    Command(String),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generated => f.write_str("the data directory's file root-key"),
            Self::File(path) => write!(f, "the root key file {}", path.display()),
            Self::Variable(name, _) => f.write_str(name),
            // It may hold a token.
            Self::Command(_) => f.write_str("the root key command"),
        }
    }
}

impl Source {
    /// The place that flags, or else the environment, or else the configuration file (`file`, `command`) name.
    pub(crate) fn choose(
        flags: RootKeyFlags,
        environment: Environment<'_>,
        file: (Option<String>, Option<String>),
    ) -> Result<Self, Failure> {
        let variable = |name| environment(name).filter(|value| !value.is_empty());
        let text = |name, value: OsString| {
            value.into_string().map_err(|_| Failure::usage(format!("{name} is not UTF-8 text")))
        };
        if let Some(path) = flags.root_key_file {
            return Ok(Self::File(path.into()));
        }
        if let Some(command) = flags.root_key_command {
            return Ok(Self::Command(command));
        }
        let names = ["KEW_ROOT_KEY_FILE", KEY_VARIABLE, "KEW_ROOT_KEY_COMMAND"];
        let named: Vec<(&'static str, OsString)> =
            names.into_iter().filter_map(|name| Some((name, variable(name)?))).collect();
        if let [(first, _), (second, _), ..] = &named[..] {
            return Err(Failure::usage(format!(
                "{first} and {second} are both set: give the root key in one way"
            )));
        }
        match named.into_iter().next() {
            Some(("KEW_ROOT_KEY_FILE", path)) => return Ok(Self::File(path.into())),
            Some((name @ KEY_VARIABLE, value)) => {
                return Ok(Self::Variable(name, Zeroizing::new(text(name, value)?)));
            }
            Some((name, value)) => return Ok(Self::Command(text(name, value)?)),
            None => {}
        }
        match file {
            (Some(_), Some(_)) => Err(Failure::usage(
                "root_key_file and root_key_command both stand in the configuration file: give the root key in one way",
            )),
            (Some(path), None) => Ok(Self::File(path.into())),
            (None, Some(command)) => Ok(Self::Command(command)),
            (None, None) => Ok(Self::Generated),
        }
    }

    /// Whether there is a key for the directory `data`, or an operator says so.
    pub(super) fn is_there(&self, data: &Path) -> bool {
        !matches!(self, Self::Generated) || data.join(KEY_FILE).exists()
    }

    /// Gets the key. `is_new`: nothing is sealed in the directory `data` yet, so a key may be made for it.
    pub(crate) fn get(&self, data: &Path, is_new: bool) -> Result<RootKey, VaultError> {
        let text = match self {
            Self::Generated => {
                let path = data.join(KEY_FILE);
                match read(&path) {
                    Err(VaultError::Io { source, .. })
                        if source.kind() == io::ErrorKind::NotFound && is_new =>
                    {
                        make(&path)?;
                        read(&path)?
                    }
                    Err(VaultError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                        return Err(VaultError::KeyMissing { path });
                    }
                    read => read?,
                }
            }
            Self::File(path) => read(path)?,
            Self::Variable(_, text) => text.clone(),
            Self::Command(command) => print(command)?,
        };
        RootKey::parse(&text).ok_or_else(|| VaultError::NotAKey { place: self.to_string() })
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, VaultError> {
    let failed = VaultError::io("reading", path);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return Err(failed(error)),
    };
    // Before its mode is judged, which is a folder's.
    if file.metadata().is_ok_and(|facts| facts.is_dir()) {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    refuse_if_open_to_all(path, &file).map_err(|refusal| VaultError::OpenToAll(refusal.to_string()))?;
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// Makes the data directory's own key: durable, and nobody else's to read. If somebody else made it meanwhile, that one stays.
fn make(path: &Path) -> Result<(), VaultError> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let written = write_key(&new, &RootKey::generate()).and_then(|()| match fs::hard_link(&new, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    });
    // Once it has its name, or will never get it, the other name means nothing.
    let _ = fs::remove_file(&new);
    written.and_then(|()| sync_directory(path)).map_err(VaultError::io("writing", path))
}

/// Writes a key into a new file, durably, for its owner alone.
pub(crate) fn write_key(path: &Path, key: &RootKey) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut text = key.text();
    text.push('\n');
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// What the command prints.
fn print(command: &str) -> Result<Zeroizing<String>, VaultError> {
    let failed = |reason: String| VaultError::Command { reason };
    let run =
        Command::new("sh").arg("-c").arg(command).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = run.map_err(|error| failed(format!("did not start: {error}")))?;
    let printed = Zeroizing::new(output.stdout);
    if !output.status.success() {
        return Err(failed(format!("ended with {}", output.status)));
    }
    let text =
        std::str::from_utf8(&printed).map_err(|_| failed("printed something else than text".into()))?;
    Ok(Zeroizing::new(text.to_owned()))
}
