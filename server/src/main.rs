//! The binary `kew`: the only room with sockets, threads, a clock and an environment. It knows no queue: what a request
//! means is the engine's matter, how it is written is the wire's, where it lasts is the journal's.

mod audit;
mod backup;
mod banner;
mod bench;
mod cli;
mod clock;
mod config;
mod declared;
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

use std::process::ExitCode;

use crate::failure::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
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
