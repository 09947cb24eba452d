//! What the binary `kew` does: the only room with sockets, threads, a clock and an environment. It knows no queue: what a request
//! means is the engine's matter, how it is written is the wire's, where it lasts is the journal's.

mod audit;
mod backup;
mod banner;
mod bench;
mod cli;
mod clock;
mod config;
mod declared;
mod descriptors;
mod doctor;
mod failure;
mod flusher;
mod health;
mod http;
mod identities;
mod identity;
mod kms;
mod limits;
mod logging;
mod mailbox;
mod meters;
mod metrics;
mod peers;
mod policy_test;
mod progress;
mod random;
mod restore;
mod retirement;
mod router;
mod runner;
mod serve;
mod shards;
mod sse;
mod test_endpoints;
mod tls;
mod vault;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use crate::failure::Failure;

/// Does what the command line says.
pub fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("kew: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

fn run() -> Result<ExitCode, Failure> {
    match cli::parse()?.command {
        cli::Command::Serve(flags) => {
            let config = config::load(*flags, &|name| std::env::var_os(name))?;
            logging::start(&config);
            serve::serve(config).map(|()| ExitCode::SUCCESS)
        }
        cli::Command::Bench(asked) => bench::bench(&asked),
        cli::Command::Backup(asked) => backup::backup(&asked),
        cli::Command::Doctor(asked) => doctor::doctor(&asked),
        cli::Command::Restore(asked) => restore::restore(&asked),
        cli::Command::RootKey(asked) => asked.run(),
        cli::Command::AccessKey(asked) => asked.run(),
        cli::Command::User(asked) => asked.run(),
        cli::Command::Role(asked) => asked.run(),
        cli::Command::Policy(asked) => asked.run(),
    }
}

/// Reads a configuration file and an environment as `kew serve` does, and says what is wrong with them. For whoever tries them with what
/// nobody meant; so the address to listen on is not read, lest a made-up name be looked up somewhere.
///
/// # Errors
/// The line that an operator would see.
pub fn check_settings(file: &Path, environment: &dyn Fn(&str) -> Option<OsString>) -> Result<(), String> {
    let (config, listen) = (Some(file.into()), Some("127.0.0.1:4566".to_owned()));
    let flags = cli::Flags { config, listen, ..cli::Flags::default() };
    config::load(flags, environment).map(drop).map_err(|failure| failure.to_string())
}
