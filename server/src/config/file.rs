//! The TOML layer of the settings.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use kew_engine::identity::Account;
use serde::Deserialize;
use toml::Spanned;
use zeroize::Zeroizing;

use super::{Environment, Source};
use crate::failure::Failure;
use crate::identities::declared::{Reading, RoleTable, UserTable};
use crate::identities::registry::Lines;
use crate::identities::roster::Roster;
use crate::identities::sources;
use crate::identity::is_region;

/// A queue that the operator wants to exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeclaredQueue {
    pub(crate) name: String,
    pub(crate) account: Option<Account>,
    pub(crate) region: Option<String>,
    /// Name of its dead-letter queue, in the same account and region, and after how many receives messages go there.
    pub(crate) dead_letter: Option<(String, u32)>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
    /// Where it is declared, for messages: `kew.toml, line 7`.
    pub(crate) place: String,
}

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct FileLayer {
    values: HashMap<&'static str, (String, Source)>,
    pub(super) access_keys: HashMap<String, Account>,
    pub(super) origins: Vec<String>,
    pub(super) queues: Vec<DeclaredQueue>,
    /// Users and roles, and the file in which they stand.
    pub(super) roster: Roster,
    pub(super) lines: Lines,
    pub(super) path: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    listen: Option<Spanned<String>>,
    data: Option<Spanned<String>>,
    durability: Option<Spanned<String>>,
    sqs_waits: Option<Spanned<Scalar>>,
    log: Option<Spanned<String>>,
    log_format: Option<Spanned<String>>,
    region: Option<Spanned<String>>,
    public_url: Option<Spanned<String>>,
    workers: Option<Spanned<Scalar>>,
    shards: Option<Spanned<Scalar>>,
    journal_bytes: Option<Spanned<Scalar>>,
    test_endpoints: Option<Spanned<Scalar>>,
    insecure_open: Option<Spanned<Scalar>>,
    root_key_file: Option<Spanned<String>>,
    root_key_command: Option<Spanned<String>>,
    tls_certificate: Option<Spanned<String>>,
    tls_key: Option<Spanned<String>>,
    tls_client_ca: Option<Spanned<String>>,
    connections_per_address: Option<Spanned<Scalar>>,
    requests_per_second_per_key: Option<Spanned<Scalar>>,
    requests_per_second_per_address: Option<Spanned<Scalar>>,
    audit_log: Option<Spanned<String>>,
    audit_data_calls: Option<Spanned<Scalar>>,
    #[serde(default)]
    access_keys: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    origins: Vec<String>,
    #[serde(default)]
    queue: Vec<QueueTable>,
    #[serde(default)]
    user: Vec<UserTable>,
    #[serde(default)]
    role: Vec<RoleTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueTable {
    name: Spanned<String>,
    account: Option<Spanned<String>>,
    region: Option<Spanned<String>>,
    dead_letter_queue: Option<Spanned<String>>,
    max_receive_count: Option<Spanned<u32>>,
    #[serde(default)]
    attributes: BTreeMap<String, Scalar>,
    #[serde(default)]
    tags: BTreeMap<String, Scalar>,
}

/// A text, a number or a truth: AWS's attributes are all texts, and people write the natural thing.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a string, a whole number, true or false")]
enum Scalar {
    Text(String),
    Number(i64),
    Truth(bool),
}

impl From<Scalar> for String {
    fn from(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Text(text) => text,
            Scalar::Number(number) => number.to_string(),
            Scalar::Truth(truth) => truth.to_string(),
        }
    }
}

/// Keys whose values are paths.
const PATHS: [&str; 6] =
    ["data", "root_key_file", "tls_certificate", "tls_key", "tls_client_ca", "audit_log"];

impl FileLayer {
    /// Reads the file at `path`.
    pub(super) fn read(path: PathBuf, environment: Environment<'_>) -> Result<Self, Failure> {
        // It may hold secrets: it is looked at as it was opened, and overwritten in memory.
        let mut text = Zeroizing::new(String::new());
        let read = File::open(&path).and_then(|mut file| file.read_to_string(&mut text).map(|_| file));
        match read {
            Ok(file) => Self::parse(path, &text, &file, environment),
            Err(error) => {
                Err(Failure::usage(format!("cannot read the configuration file {}: {error}", path.display())))
            }
        }
    }

    fn parse(path: PathBuf, text: &str, file: &File, environment: Environment<'_>) -> Result<Self, Failure> {
        let document: Document = toml::from_str(text).map_err(|error| {
            let place = error.span().map(|span| place(&path, text, span.start));
            let place = place.unwrap_or_else(|| path.display().to_string());
            Failure::usage(format!("{place}: {}", without_value(error.message())))
        })?;
        let reader = Reader { path: &path, text };
        let mut layer = Self::default();
        let mut put = |key: &'static str, value: Option<(String, usize)>| {
            if let Some((value, offset)) = value {
                layer.values.insert(key, (value, reader.source(offset, key)));
            }
        };
        put("listen", plain(document.listen));
        put("data", plain(document.data));
        put("durability", plain(document.durability));
        put("sqs_waits", plain(document.sqs_waits));
        put("log", plain(document.log));
        put("log_format", plain(document.log_format));
        put("region", plain(document.region));
        put("public_url", plain(document.public_url));
        put("workers", plain(document.workers));
        put("shards", plain(document.shards));
        put("journal_bytes", plain(document.journal_bytes));
        put("test_endpoints", plain(document.test_endpoints));
        put("insecure_open", plain(document.insecure_open));
        put("root_key_file", plain(document.root_key_file));
        put("root_key_command", plain(document.root_key_command));
        put("tls_certificate", plain(document.tls_certificate));
        put("tls_key", plain(document.tls_key));
        put("tls_client_ca", plain(document.tls_client_ca));
        put("connections_per_address", plain(document.connections_per_address));
        put("requests_per_second_per_key", plain(document.requests_per_second_per_key));
        put("requests_per_second_per_address", plain(document.requests_per_second_per_address));
        put("audit_log", plain(document.audit_log));
        put("audit_data_calls", plain(document.audit_data_calls));
        for key in PATHS {
            if let Some((value, source)) = layer.values.get_mut(key) {
                let joined = sources::beside(&path, value).into_os_string().into_string();
                *value = joined.map_err(|_| {
                    source.refuse(value, "a whole path, for this file's folder has a name that is not UTF-8")
                })?;
            }
        }

        for (key, account) in document.access_keys {
            // Neither is told: one of them may be a secret that stands in the wrong place.
            let start = account.span().start;
            let account = account.into_inner().parse().map_err(|_| {
                let place = place(&path, text, start);
                Failure::usage(format!(
                    "{place}: access_keys: beside an access key's id stands its account's twelve digits"
                ))
            })?;
            layer.access_keys.insert(key, account);
        }
        layer.origins = document.origins;
        for table in document.queue {
            let queue = reader.queue(table)?;
            let same = |other: &DeclaredQueue| {
                (&other.name, other.account, &other.region) == (&queue.name, queue.account, &queue.region)
            };
            if let Some(other) = layer.queues.iter().find(|other| same(other)) {
                let (place, name, first) = (&queue.place, &queue.name, &other.place);
                return Err(Failure::usage(format!(
                    "{place}: queue \"{name}\" was declared before ({first})"
                )));
            }
            layer.queues.push(queue);
        }
        let reading = Reading {
            path: &path,
            place: &|offset| place(&path, text, offset),
            refuse_secrets: &|| sources::refuse_if_open_to_all(&path, file),
            environment,
        };
        layer.lines = reading.lines(&document.user, &document.role)?;
        layer.roster = reading.roster(document.user, document.role)?;
        layer.path = path;
        Ok(layer)
    }

    /// What the file says under `key`.
    pub(super) fn take(&mut self, key: &str) -> Option<(String, Source)> {
        self.values.remove(key)
    }
}

/// A value and where it begins.
fn plain<T: Into<String>>(value: Option<Spanned<T>>) -> Option<(String, usize)> {
    let value = value?;
    let start = value.span().start;
    Some((value.into_inner().into(), start))
}

/// The text being read, and its name.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    fn source(&self, offset: usize, key: &str) -> Source {
        Source::File { path: self.path.to_owned(), line: line(self.text, offset), key: key.to_owned() }
    }

    fn account(&self, value: Spanned<String>, key: &str) -> Result<Account, Failure> {
        let source = self.source(value.span().start, key);
        let value = value.into_inner();
        value.parse().map_err(|_| source.refuse(&value, "an account's twelve digits"))
    }

    fn queue(&self, table: QueueTable) -> Result<DeclaredQueue, Failure> {
        let place = place(self.path, self.text, table.name.span().start);
        let account = table.account.map(|value| self.account(value, "queue.account")).transpose()?;
        let region = match table.region {
            None => None,
            Some(value) if is_region(value.get_ref()) => Some(value.into_inner()),
            Some(value) => {
                let source = self.source(value.span().start, "queue.region");
                return Err(source.refuse(value.get_ref(), "a region's name, such as us-east-1"));
            }
        };
        let dead_letter = match (table.dead_letter_queue, table.max_receive_count) {
            (None, None) => None,
            (Some(name), Some(count)) => Some((name.into_inner(), count.into_inner())),
            (Some(_), None) => {
                return Err(Failure::usage(format!(
                    "{place}: queue.dead_letter_queue needs max_receive_count beside it"
                )));
            }
            (None, Some(_)) => {
                return Err(Failure::usage(format!(
                    "{place}: queue.max_receive_count needs dead_letter_queue beside it"
                )));
            }
        };
        let texts =
            |map: BTreeMap<String, Scalar>| map.into_iter().map(|(key, value)| (key, value.into())).collect();
        Ok(DeclaredQueue {
            name: table.name.into_inner(),
            account,
            region,
            dead_letter,
            attributes: texts(table.attributes),
            tags: texts(table.tags),
            place,
        })
    }
}

/// A refusal of a type, without the value, or of a name that looks like no setting's: either may be a secret in the wrong place.
fn without_value(message: &str) -> Cow<'_, str> {
    // unknown field `x`, expected one of `listen`, `data`
    if let Some((name, expected)) =
        message.strip_prefix("unknown field `").and_then(|rest| rest.rsplit_once("`, expected "))
    {
        let is_name = name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        return if is_name { message.into() } else { format!("unknown field, expected {expected}").into() };
    }
    // invalid type: string "x", expected a sequence
    let parts = message.strip_prefix("invalid ").and_then(|rest| rest.rsplit_once(", expected "));
    let Some((found, expected)) = parts else { return message.into() };
    let kind = found.split(['"', '`']).next().unwrap_or_default().trim_end();
    format!("invalid {kind}, expected {expected}").into()
}

/// `kew.toml, line 3`.
fn place(path: &Path, text: &str, offset: usize) -> String {
    format!("{}, line {}", path.display(), line(text, offset))
}

fn line(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
}
