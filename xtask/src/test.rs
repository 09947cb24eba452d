//! `cargo xtask test`: everything that must pass, in the order in which it fails cheapest.

use std::path::PathBuf;
use std::time::Instant;

use crate::chore::{Failure, Step, on_path, target};
use crate::{provide, tidy};

/// A part of the run: its name, what it shows, and how it is done.
struct Part {
    name: &'static str,
    shows: &'static str,
    run: fn() -> Result<(), Failure>,
}

const PARTS: &[Part] = &[
    Part { name: "fmt", shows: "the code is formatted", run: fmt },
    Part { name: "tidy", shows: "the house rules hold", run: tidy::run },
    Part { name: "clippy", shows: "the linter has nothing to say", run: clippy },
    Part {
        name: "deny",
        shows: "dependencies' licences and sources are allowed, and no weakness of theirs is known",
        run: deny,
    },
    Part { name: "rust", shows: "the crates' own tests pass", run: rust },
    Part { name: "build", shows: "the server builds", run: build },
    Part { name: "simulate", shows: "the simulator's model agrees, faults and all", run: simulate },
    Part { name: "fuzz", shows: "no parser falls over what nobody meant, for a minute in all", run: fuzz },
    Part { name: "storm", shows: "nor does the server, asked through its socket", run: storm },
    Part { name: "bench", shows: "Kew's own measurements run, whatever they say", run: bench },
    Part { name: "python", shows: "boto3 in AWS JSON, raw sockets, configuration, restarts", run: python },
    Part { name: "query", shows: "an old boto3 in the Query dialect", run: query },
    Part { name: "crash", shows: "histories of clients under kill -9 are those of right queues", run: crash },
    Part { name: "power", shows: "the same when the disk's power is cut; a full disk", run: power },
    Part { name: "cli", shows: "the AWS CLI works, and is refused as AWS does", run: cli },
    Part { name: "celery", shows: "a Celery worker works", run: celery },
    Part { name: "js", shows: "the JavaScript SDK and sqs-consumer work, and are refused", run: js },
    Part { name: "sdk", shows: "the Rust SDK works, and is refused", run: sdk },
];

const CHECKS: &[&str] = &["fmt", "tidy", "clippy", "deny"];
const CLIENTS: &[&str] = &["python", "query", "cli", "celery", "js", "sdk"];

/// How many seeds the simulator runs here; `cargo xtask simulate` runs as many as it is told.
const SEEDS: &str = "200";

/// How long all parsers together are tried here; `cargo xtask fuzz` goes on for as long as it is told.
const FUZZ_SECONDS: &str = "60";

/// How many requests the server is sent here; `cargo xtask storm` sends as many as it is told.
const STORM_REQUESTS: &str = "20000";

/// Runs all parts, or those that `--only` names.
pub(crate) fn run(flags: &[String]) -> Result<(), Failure> {
    let chosen = chosen(flags)?;
    let mut times = Vec::new();
    for part in PARTS.iter().filter(|part| chosen.is_empty() || chosen.contains(&part.name)) {
        println!("\n== {}: {}", part.name, part.shows);
        let start = Instant::now();
        (part.run)().map_err(|failure| {
            let name = part.name;
            Failure(format!(
                "{failure}\nxtask: stopped at '{name}'; again with `cargo xtask test --only {name}`"
            ))
        })?;
        times.push((part.name, start.elapsed().as_secs()));
    }
    println!("\n== all parts passed");
    for (name, seconds) in times {
        println!("{name:>9} {seconds:>5} s");
    }
    Ok(())
}

/// The parts that the flags name; none means all.
fn chosen(flags: &[String]) -> Result<Vec<&'static str>, Failure> {
    let mut chosen = Vec::new();
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        let names = match flag.strip_prefix("--only") {
            Some("") => flags.next().map(String::as_str),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        let names =
            names.ok_or_else(|| Failure(format!("'{flag}' is not understood; see `cargo xtask help`")))?;
        for name in names.split(',') {
            match name {
                "checks" => chosen.extend(CHECKS),
                "clients" => chosen.extend(CLIENTS),
                _ => {
                    chosen.push(PARTS.iter().map(|part| part.name).find(|known| *known == name).ok_or_else(
                        || Failure(format!("there is no part '{name}'; see `cargo xtask help`")),
                    )?)
                }
            }
        }
    }
    Ok(chosen)
}

fn fmt() -> Result<(), Failure> {
    Step::new("cargo", ["fmt", "--all", "--check"]).run()?;
    Step::new("cargo", ["fmt", "--all", "--check"]).within("conformance/rust").run()
}

fn clippy() -> Result<(), Failure> {
    Step::new("cargo", ["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"])
        .run()
}

/// `tidy` checks the licences in any case; cargo-deny looks closer, and for known weaknesses, where somebody has installed it.
fn deny() -> Result<(), Failure> {
    if on_path("cargo-deny") {
        Step::new("cargo", ["deny", "check", "bans", "licenses", "sources"]).run()?;
        // Where the network does not let one have them, the rest still counts.
        if Step::new("cargo", ["deny", "fetch", "db"]).run().is_err() {
            println!("RustSec's advisories cannot be had here: nothing was compared with them");
            return Ok(());
        }
        Step::new("cargo", ["deny", "--offline", "check", "advisories"]).run()
    } else {
        println!(
            "cargo-deny is not installed (cargo install --locked cargo-deny): tidy alone has looked at licences"
        );
        Ok(())
    }
}

fn rust() -> Result<(), Failure> {
    // The runners count them as skipped or ignored, and not all say why.
    println!(
        "left out: `write_the_fixture_…` in journal and store check nothing; they make a fixture, once for each format, and write it into the source tree"
    );
    if on_path("cargo-nextest") {
        Step::new("cargo", ["nextest", "run", "--workspace", "--no-tests=pass", "--status-level=fail"])
            .run()?;
        // nextest leaves out the examples in doc comments.
        return Step::new("cargo", ["test", "--quiet", "--workspace", "--doc"]).run();
    }
    println!("cargo-nextest is not installed (cargo install --locked cargo-nextest): cargo test instead");
    Step::new("cargo", ["test", "--quiet", "--workspace"]).run()
}

fn build() -> Result<(), Failure> {
    Step::new("cargo", ["build", "--quiet", "--release", "--package", "kew-server", "--bin", "kew"]).run()
}

fn simulate() -> Result<(), Failure> {
    let seeds = || {
        Step::new("cargo", ["run", "--quiet", "--release", "--package", "kew-sim", "--"])
            .args(["--seeds", SEEDS, "--start", "1"])
    };
    seeds().run()?;
    seeds().args(["--crossing"]).run()
}

fn fuzz() -> Result<(), Failure> {
    crate::fuzz::run(&["--seconds".to_owned(), FUZZ_SECONDS.to_owned()])
}

fn storm() -> Result<(), Failure> {
    crate::fuzz::storm(&["--requests".to_owned(), STORM_REQUESTS.to_owned()])
}

/// So short that the figures mean nothing; that they come, and no request goes wrong, is what counts.
fn bench() -> Result<(), Failure> {
    Step::new("cargo", ["build", "--quiet", "--release", "--package=kew-server", "--package=kew-bench"])
        .run()?;
    let short = ["suite", "--rounds=1", "--duration=0.2", "--crowd=200", "--backlog=2000"];
    let parts = "--only=start,standard,alone,ends,fifo,query,signed,crowd,backlog,ladder";
    Step::new(target().join("release/kew-bench"), short).args([parts]).run()
}

fn python() -> Result<(), Failure> {
    pytest("venv", "conformance/requirements.txt", "not crash and not power and not cli and not celery")
}

fn query() -> Result<(), Failure> {
    pytest(
        "venv-query",
        "conformance/requirements-query.txt",
        "not once and not crash and not power and not cli and not celery",
    )
}

fn crash() -> Result<(), Failure> {
    pytest("venv", "conformance/requirements.txt", "crash")
}

fn power() -> Result<(), Failure> {
    provide::disks()?;
    pytest("venv", "conformance/requirements.txt", "power")
}

fn cli() -> Result<(), Failure> {
    pytest("venv", "conformance/requirements.txt", "cli")
}

fn celery() -> Result<(), Failure> {
    pytest("venv", "conformance/requirements.txt", "celery")
}

/// Runs the marked part of the Python tests in an environment of its own.
fn pytest(environment: &str, requirements: &str, marked: &str) -> Result<(), Failure> {
    let python = provide::python(environment, requirements)?;
    Step::new(python, ["-m", "pytest", "--quiet", "-m"])
        .args([marked])
        .within("conformance/python")
        .env("KEW_BIN", kew()?)
        .run()
}

fn js() -> Result<(), Failure> {
    provide::npm("conformance/js")?;
    Step::new("node", ["--test", "--test-reporter=spec"])
        .within("conformance/js")
        .env("KEW_BIN", kew()?)
        .run()
}

fn sdk() -> Result<(), Failure> {
    Step::new("cargo", ["test", "--quiet"])
        .within("conformance/rust")
        .env("KEW_BIN", kew()?)
        .env("CARGO_TARGET_DIR", target().join("conformance"))
        .run()
}

/// The server under test, as the code stands.
pub(crate) fn kew() -> Result<PathBuf, Failure> {
    build()?;
    let kew = target().join("release/kew");
    // Clients run from other folders.
    std::path::absolute(&kew).map_err(|error| Failure(format!("{}: {error}", kew.display())))
}
