//! The binary `kew-bench`.

use std::process::ExitCode;

use clap::Parser as _;
use kew_bench::Failure;
use kew_bench::options::{Cli, Command};
use kew_bench::{depth, suite, work};

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
        if let Command::Suite(asked) = command {
            return suite::run(asked).await;
        }
        if let Command::Depth(asked) = command {
            return depth::run(asked).await;
        }
        let report = work::perform(command).await?;
        println!("{report}");
        if command.wants_json() {
            println!("{}", report.json());
        }
        Ok(())
    })
}
