//! The binary `kew-bench`.

use std::process::ExitCode;

use clap::Parser as _;
use kew_bench::options::{Cli, Command};
use kew_bench::{depth, peers, suite};
use kew_load::Failure;

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("kew-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Process("the runtime".to_owned(), error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        match command {
            Command::Suite(asked) => suite::run(asked).await,
            Command::Depth(asked) => depth::run(asked).await,
            Command::Other(asked) => peers::run(asked).await,
        }
    })
}
