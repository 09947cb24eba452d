//! The command line: what can be typed, and how a mistake is told in one line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::EdgeFlags;
use crate::failure::Failure;
use crate::identities::command::{AccessKeyCommand, RoleCommand, UserCommand};
use crate::policy_test::PolicyCommand;
use crate::vault::{RootKeyCommand, RootKeyFlags};

const AFTER_HELP: &str = "\
Every setting can come from a flag, from the environment (KEW_LISTEN, KEW_DATA, KEW_SQS_WAITS ...) or from the file named by
--config; a flag wins over the environment, the environment over the file, the file over the default. Only the file can declare
queues, users and roles, and the origins of web pages that may call:

    listen = \"127.0.0.1:4566\"
    durability = \"fsync\"

    [[queue]]
    name = \"orders\"
    dead_letter_queue = \"orders-dead\"
    max_receive_count = 5
    attributes = { VisibilityTimeout = 60 }
    tags = { team = \"shop\" }

    [[queue]]
    name = \"orders-dead\"

Try it:

    kew serve
    aws --endpoint-url http://localhost:4566 --region us-east-1 --no-sign-request sqs create-queue --queue-name orders

Signals: SIGTERM or SIGINT answers what is held, refuses what is new, and ends with exit code 0.";

/// Kew: Amazon SQS as one durable binary.
#[derive(Debug, Parser)]
#[command(name = "kew", version, about = "Kew: Amazon SQS as one durable binary", long_about = None, max_term_width = 120)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What `kew` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve queues until told to stop.
    #[command(after_long_help = AFTER_HELP)]
    Serve(Box<Flags>),
    /// Check every byte of a data directory that no server uses, and say what it holds; changes nothing unless told to repair.
    ///
    /// Exit code 0: sound. 1: damaged. 2: it cannot be looked at.
    Doctor(Doctor),
    /// Put load on any SQS endpoint, and say what came of it: rates, latencies, errors.
    Bench(Box<kew_load::command::Bench>),
    /// Copy a data directory, whole and consistent, while its server goes on serving.
    Backup(Backup),
    /// Make a data directory from a backup, which is checked first.
    Restore(Restore),
    /// The root key: what seals all secrets in a data directory.
    #[command(subcommand)]
    RootKey(RootKeyCommand),
    /// Access keys: what signs requests. A running server takes changes over within a second.
    #[command(subcommand)]
    AccessKey(AccessKeyCommand),
    /// Users: whose access keys they are, and what those may do.
    #[command(subcommand)]
    User(UserCommand),
    /// Roles: what users become by AssumeRole, with temporary credentials.
    #[command(subcommand)]
    Role(RoleCommand),
    /// Policies: what one decides, and why.
    #[command(subcommand)]
    Policy(PolicyCommand),
}

/// What `kew doctor` is asked.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The data directory, or a backup
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// Say it as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Repair damage: says what would be lost, asks, and keeps what was there before in DIR/damaged-1 (-2 ...)
    #[arg(long)]
    pub(crate) repair: bool,
    /// Repair without asking
    #[arg(long, requires = "repair")]
    pub(crate) yes: bool,
}

/// What `kew backup` is asked.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The running server, on this machine: it writes the backup
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    pub(crate) endpoint: Option<String>,
    /// The data directory: its server is asked, or if none uses it, it is copied as it is
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// A certificate to show, where the server asks callers for one (--tls-client-ca): a PEM file
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub(crate) client_certificate: Option<PathBuf>,
    /// Its private key, a PEM file
    #[arg(long, value_name = "FILE", requires = "client_certificate")]
    pub(crate) client_key: Option<PathBuf>,
    /// The new directory that becomes the backup. On the file system of the data directory, files that never change are shared
    /// with it and take no room twice
    #[arg(value_name = "TARGET")]
    pub(crate) target: PathBuf,
}

/// What `kew restore` is asked.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// What `kew backup` wrote
    #[arg(value_name = "BACKUP")]
    pub(crate) backup: PathBuf,
    /// The new data directory: empty, or not there yet
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

/// The flags of `kew serve`, still as they were typed: [`crate::config`] gives them their meaning, together with the
/// environment and the file, so that all three refuse the same mistakes in the same words.
#[derive(Debug, Default, Args)]
pub(crate) struct Flags {
    /// Read settings from this TOML file [env: KEW_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<OsString>,
    /// Where to listen; port 0 takes a free one and prints it [env: KEW_LISTEN] [default: 127.0.0.1:4566]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<String>,
    /// The directory that holds everything; created if it is not there [env: KEW_DATA] [default: ./kew-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<OsString>,
    /// What an answer promises: `fsync` survives a power loss, `os` a killed process [env: KEW_DURABILITY] [default: fsync]
    #[arg(long, value_name = "fsync|os")]
    pub(crate) durability: Option<String>,
    /// Whether PurgeQueue and CreateQueue make callers wait 60 s after a purge or a deletion, as AWS does [env:
    /// KEW_SQS_WAITS] [default: on]
    #[arg(long, value_name = "on|off")]
    pub(crate) sqs_waits: Option<String>,
    /// How much to log: error, warn, info, debug or trace, or a filter such as `info,kew::runner=debug` [env: KEW_LOG]
    /// [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log: Option<String>,
    /// How to log: for people or for machines [env: KEW_LOG_FORMAT] [default: human]
    #[arg(long, value_name = "human|json")]
    pub(crate) log_format: Option<String>,
    /// The region of callers who name none [env: KEW_REGION] [default: us-east-1]
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// The address that queue URLs begin with, instead of the one that each caller used [env: KEW_PUBLIC_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Threads that serve connections [env: KEW_WORKERS] [default: half of the cores, at least 1]
    #[arg(long, value_name = "COUNT")]
    pub(crate) workers: Option<String>,
    /// Parts that queues are spread over, each with a journal of its own. It may change at a restart: queues stay where they are,
    /// new ones are spread anew [env: KEW_SHARDS] [default: as many as cores, at most 8]
    #[arg(long, value_name = "COUNT")]
    pub(crate) shards: Option<String>,
    /// How long the journal of what happened lately may grow, in bytes; what lives longer is copied out of it
    /// [env: KEW_JOURNAL_BYTES] [default: 67108864]
    #[arg(long, value_name = "BYTES")]
    pub(crate) journal_bytes: Option<String>,
    /// Serve the endpoints for users' own tests: /_kew/reset, /_kew/peek, /_kew/clock, /_aws/sqs/messages. Whoever can
    /// reach the server can then erase it [env: KEW_TEST_ENDPOINTS=on]
    #[arg(long)]
    pub(crate) test_endpoints: bool,
    /// Let other machines call while there are no access keys, and so nobody is asked who they are: whoever can connect can then
    /// read and erase everything [env: KEW_INSECURE_OPEN=on]
    #[arg(long)]
    pub(crate) insecure_open: bool,
    #[command(flatten)]
    pub(crate) root_key: RootKeyFlags,
    #[command(flatten)]
    pub(crate) edge: EdgeFlags,
}

/// Reads the command line. `--help` and `--version` print and end the process.
pub(crate) fn parse() -> Result<Cli, Failure> {
    Cli::try_parse().map_err(|error| {
        let is_help = error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        if is_help || !error.use_stderr() {
            error.exit();
        }
        Failure::usage(one_line(&error.render().to_string()))
    })
}

/// clap explains itself over several lines; an operator's log wants one.
fn one_line(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("Usage:"));
    lines.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_can_be_parsed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_mistyped_flag_is_told_in_one_line_that_names_it() {
        let error = Cli::try_parse_from(["kew", "serve", "--durabilty", "os"]).expect_err("no such flag");
        let line = one_line(&error.render().to_string());
        assert!(line.contains("'--durabilty'"), "{line}");
        assert!(!line.contains('\n'), "{line}");
    }

    #[test]
    fn help_names_every_flag_with_its_variable() {
        let help = Cli::try_parse_from(["kew", "serve", "--help"]).expect_err("help").render().to_string();
        for name in
            ["--config", "--listen", "--data", "--durability", "--sqs-waits", "--log", "--test-endpoints"]
        {
            assert!(help.contains(name), "{name} is not in\n{help}");
            let variable = format!("KEW_{}", name[2..].replace('-', "_").to_uppercase());
            assert!(help.contains(&variable), "{variable} is not in\n{help}");
        }
    }
}
