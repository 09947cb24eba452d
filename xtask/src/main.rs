//! The repository's own chores: `cargo xtask CHORE`.
//!
//! Nothing here ships. Each chore is a module with one `run`; the standard library is enough for all but
//! `models`, which reads JSON.

mod chore;
mod fuzz;
mod models;
mod provide;
mod scripts;
mod test;
mod tidy;

use std::process::ExitCode;

use chore::{Failure, Step, target};

const HELP: &str = "\
cargo xtask CHORE

  test [--only PART]...   install what is missing and run everything that must pass, in order
                          parts: fmt tidy clippy deny rust build simulate fuzz storm bench python query crash power cli celery js sdk
                          groups: checks (fmt tidy clippy deny), clients (python query cli celery js sdk)
  tidy                    the house rules that a machine can check
  simulate [--seeds N] [--start S] ...
                          run the simulator; its flags are passed on
  fuzz [--seconds N] [--seed S] [--only NAME,...] [--coverage NAME]
                          try every parser with inputs changed at random; --coverage: one target under cargo-fuzz
  storm [--requests N] [--seed S]
                          send the release binary requests changed at random, through its socket
  bench suite|depth ...   measure the release binary, held against the reference servers; flags are passed on
  bench compare ...       measure it beside other queues, which are fetched
  models [--fetch] [--check]
                          write (or check) the code generated from AWS's service models
";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let chore = words.next().unwrap_or_default();
    let rest: Vec<String> = words.collect();
    match run(&chore, &rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(message)) => {
            eprintln!("\nxtask: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: &str, rest: &[String]) -> Result<(), Failure> {
    match chore {
        "test" => test::run(rest),
        "tidy" => tidy::run(),
        "simulate" => release_run("kew-sim", rest),
        "models" => models::run(rest).map_err(Failure),
        "fuzz" => fuzz::run(rest),
        "storm" => fuzz::storm(rest),
        "bench" => bench(rest),
        "" | "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(Failure(format!("there is no chore '{other}'\n\n{HELP}"))),
    }
}

/// Runs Kew's own measurements, of the server as the code stands.
fn bench(flags: &[String]) -> Result<(), Failure> {
    Step::new("cargo", ["build", "--quiet", "--release", "--package=kew-server", "--package=kew-bench"])
        .run()?;
    match flags.split_first() {
        Some((series, rest)) if series == "compare" => {
            Step::new("python3", ["bench/compare/compare.py"]).args(rest).run()
        }
        _ => Step::new(target().join("release/kew-bench"), []).args(flags).run(),
    }
}

/// Runs one of the workspace's binaries, optimised.
fn release_run(package: &'static str, flags: &[String]) -> Result<(), Failure> {
    Step::new("cargo", ["run", "--quiet", "--release", "--package", package, "--"]).args(flags).run()
}
