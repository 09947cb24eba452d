//! Settings: flag over environment over file over default. All three refuse the same mistakes in the same words, and the
//! words name where the mistake stands.

mod edge;
pub(crate) mod environment;
mod file;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::num::{NonZeroU8, NonZeroUsize};
use std::path::PathBuf;

use kew_engine::identity::Account;

pub(crate) use edge::{Edge, EdgeFlags};
pub(crate) use file::DeclaredQueue;
use file::FileLayer;

use crate::cli::Flags;
use crate::failure::Failure;
use crate::identities::registry::Layer;
use crate::{identities, limits, vault};

/// What an answer promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It survives a loss of power.
    Fsync,
    /// It survives a killed process, not a loss of power.
    Os,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// A line for people.
    Human,
    /// A JSON object per line.
    Json,
}

/// Everything that an operator can set.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) data: PathBuf,
    pub(crate) durability: Durability,
    /// Whether PurgeQueue and CreateQueue refuse for 60 s after a purge or a deletion.
    pub(crate) sqs_waits: bool,
    /// A filter as `tracing_subscriber` reads it.
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    /// The region of callers who name none.
    pub(crate) region: String,
    /// What queue URLs begin with, without a slash at the end; `None`: the address that the caller used.
    pub(crate) public_url: Option<String>,
    pub(crate) workers: NonZeroUsize,
    /// Over how many shards new queues are spread.
    pub(crate) shards: NonZeroU8,
    /// The journal's length beyond which its oldest part is retired.
    pub(crate) journal_bytes: u64,
    pub(crate) test_endpoints: bool,
    /// Where the root key is.
    pub(crate) root_key: vault::Source,
    /// The account of an access key.
    pub(crate) access_keys: HashMap<String, Account>,
    /// Web pages' origins that may call, beyond those of this machine.
    pub(crate) origins: Vec<String>,
    pub(crate) queues: Vec<DeclaredQueue>,
    /// Who may call, from the environment and the file.
    pub(crate) identities: Vec<Layer>,
    /// Whether other machines may call though nobody is asked who they are.
    pub(crate) insecure_open: bool,
    pub(crate) edge: Edge,
}

/// Where a value was written.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Flag(&'static str),
    Variable(&'static str),
    File { path: PathBuf, line: usize, key: String },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(name) => f.write_str(name),
            Self::File { path, line, key } => write!(f, "{}, line {line}: {key}", path.display()),
        }
    }
}

impl Source {
    /// A refusal of the value that stands here.
    pub(crate) fn refuse(&self, value: &str, allowed: &str) -> Failure {
        Failure::usage(format!("{self}: {value:?} is not allowed; give {allowed}"))
    }
}

/// A value as it was written, and where.
type Written = Option<(String, Source)>;

/// The environment: a variable's value by its name. Tests bring their own.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The layers above the defaults, from the highest to the lowest.
struct Layers<'a> {
    environment: Environment<'a>,
    file: FileLayer,
}

impl Layers<'_> {
    /// The highest layer that says something.
    fn text(
        &mut self,
        flag: (&'static str, Option<String>),
        variable: &'static str,
        key: &str,
    ) -> Result<Written, Failure> {
        if let Some(value) = flag.1 {
            return Ok(Some((value, Source::Flag(flag.0))));
        }
        // An empty variable is how many launchers spell "not set".
        if let Some(value) = (self.environment)(variable).filter(|value| !value.is_empty()) {
            let value = value
                .into_string()
                .map_err(|raw| Source::Variable(variable).refuse(&raw.to_string_lossy(), "UTF-8 text"))?;
            return Ok(Some((value, Source::Variable(variable))));
        }
        Ok(self.file.take(key))
    }
}

/// Reads all layers.
pub(crate) fn load(flags: Flags, environment: Environment<'_>) -> Result<Config, Failure> {
    let path = flags.config.or_else(|| environment("KEW_CONFIG").filter(|value| !value.is_empty()));
    let file = match path {
        Some(path) => FileLayer::read(PathBuf::from(path), environment)?,
        None => FileLayer::default(),
    };
    let mut layers = Layers { environment, file };

    let listen = layers.text(("--listen", flags.listen), "KEW_LISTEN", "listen")?;
    let durability = layers.text(("--durability", flags.durability), "KEW_DURABILITY", "durability")?;
    let waits = layers.text(("--sqs-waits", flags.sqs_waits), "KEW_SQS_WAITS", "sqs_waits")?;
    let log = layers.text(("--log", flags.log), "KEW_LOG", "log")?;
    let log_format = layers.text(("--log-format", flags.log_format), "KEW_LOG_FORMAT", "log_format")?;
    let region = layers.text(("--region", flags.region), "KEW_REGION", "region")?;
    let public_url = layers.text(("--public-url", flags.public_url), "KEW_PUBLIC_URL", "public_url")?;
    let workers = layers.text(("--workers", flags.workers), "KEW_WORKERS", "workers")?;
    let shards = layers.text(("--shards", flags.shards), "KEW_SHARDS", "shards")?;
    let journal =
        layers.text(("--journal-bytes", flags.journal_bytes), "KEW_JOURNAL_BYTES", "journal_bytes")?;
    let test_flag = flags.test_endpoints.then(|| "on".to_owned());
    let test = layers.text(("--test-endpoints", test_flag), "KEW_TEST_ENDPOINTS", "test_endpoints")?;
    let insecure_flag = flags.insecure_open.then(|| "on".to_owned());
    let insecure = layers.text(("--insecure-open", insecure_flag), "KEW_INSECURE_OPEN", "insecure_open")?;
    let in_file = Layer {
        place: layers.file.path.display().to_string(),
        roster: std::mem::take(&mut layers.file.roster),
        lines: std::mem::take(&mut layers.file.lines),
    };
    let identities = vec![identities::environment::layer(environment)?, in_file];
    let mut in_file = |key| layers.file.take(key).map(|(value, _)| value);
    let root_key = (in_file("root_key_file"), in_file("root_key_command"));
    let root_key = vault::Source::choose(flags.root_key, environment, root_key)?;
    let edge = Edge::read(flags.edge, &mut layers)?;
    let data = match flags.data.or_else(|| environment("KEW_DATA").filter(|value| !value.is_empty())) {
        Some(path) => Some(PathBuf::from(path)),
        None => layers.file.take("data").map(|(path, _)| PathBuf::from(path)),
    };

    Ok(Config {
        listen: read(listen, "an address and a port, such as 127.0.0.1:4566", address)?
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 4566))),
        data: data.unwrap_or_else(|| PathBuf::from("./kew-data")),
        durability: read(durability, "fsync or os", |value| match value {
            "fsync" => Some(Durability::Fsync),
            "os" => Some(Durability::Os),
            _ => None,
        })?
        .unwrap_or(Durability::Fsync),
        sqs_waits: read(waits, "on or off", switch)?.unwrap_or(true),
        log: read(
            log,
            "error, warn, info, debug, trace, or a filter such as info,kew::runner=debug",
            |value| is_log_filter(value).then(|| value.to_owned()),
        )?
        .unwrap_or_else(|| "info".to_owned()),
        log_format: read(log_format, "human or json", |value| match value {
            "human" => Some(LogFormat::Human),
            "json" => Some(LogFormat::Json),
            _ => None,
        })?
        .unwrap_or(LogFormat::Human),
        region: read(region, "a region's name, such as us-east-1", |value| {
            crate::identity::is_region(value).then(|| value.to_owned())
        })?
        .unwrap_or_else(|| "us-east-1".to_owned()),
        public_url: read(public_url, "an address such as http://queues.example:4566", base_url)?,
        workers: read(workers, "a whole number from 1 to 256", |value| {
            value.parse().ok().filter(|count: &NonZeroUsize| count.get() <= 256)
        })?
        .unwrap_or_else(default_workers),
        shards: read(shards, "a whole number from 1 to 64", |value| {
            value.parse().ok().filter(|count: &NonZeroU8| count.get() <= 64)
        })?
        .unwrap_or_else(default_shards),
        journal_bytes: read(
            journal,
            "a whole number from 1048576 (1 MiB) to 68719476736 (64 GiB)",
            |value| value.parse().ok().filter(|bytes| limits::JOURNAL_BYTES_ALLOWED.contains(bytes)),
        )?
        .unwrap_or(limits::JOURNAL_BYTES),
        test_endpoints: read(test, "on or off", switch)?.unwrap_or(false),
        root_key,
        access_keys: layers.file.access_keys,
        origins: layers.file.origins,
        queues: layers.file.queues,
        identities,
        insecure_open: read(insecure, "on or off", switch)?.unwrap_or(false),
        edge,
    })
}

/// Gives a written value its meaning, or refuses it.
fn read<T>(
    written: Written,
    allowed: &str,
    meaning: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Failure> {
    let Some((value, source)) = written else { return Ok(None) };
    meaning(&value).map(Some).ok_or_else(|| source.refuse(&value, allowed))
}

fn switch(value: &str) -> Option<bool> {
    match value {
        "on" | "true" | "1" => Some(true),
        "off" | "false" | "0" => Some(false),
        _ => None,
    }
}

fn address(value: &str) -> Option<SocketAddr> {
    value.parse().ok().or_else(|| value.to_socket_addrs().ok()?.next())
}

fn base_url(value: &str) -> Option<String> {
    let value = value.trim_end_matches('/');
    let rest = value.strip_prefix("http://").or_else(|| value.strip_prefix("https://"))?;
    let clean = !rest.is_empty() && !rest.contains(['?', '#', ' ', '"', '<']);
    clean.then(|| value.to_owned())
}

/// The shards and their disk need cores of their own: half of them serve connections.
fn default_workers() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroUsize::new(cores / 2).unwrap_or(NonZeroUsize::MIN)
}

/// A shard decides on one core. Beyond a few, the disk is what they wait for.
fn default_shards() -> NonZeroU8 {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroU8::new(cores.min(8) as u8).unwrap_or(NonZeroU8::MIN)
}

/// A filter, in which a word alone is a level: a mistyped one would be taken for the name of a part of the program.
fn is_log_filter(value: &str) -> bool {
    let words = value.split(',').map(str::trim).filter(|part| !part.contains('='));
    let levels = words.into_iter().all(|word| word.parse::<tracing::level_filters::LevelFilter>().is_ok());
    levels && tracing_subscriber::EnvFilter::try_new(value).is_ok()
}

#[cfg(test)]
mod tests;
