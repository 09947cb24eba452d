//! `kew-sim`: runs seeds until one fails or all went well.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use kew_sim::crossing;
use kew_sim::plan::Canary;
use kew_sim::run::{Request, Success, run};
use kew_sim::shrink::shrink;
use kew_sim::world::Counts;

/// Runs the real engine and the real journal on a simulated machine that fails in every way.
#[derive(Debug, Parser)]
#[command(name = "kew-sim")]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    start: u64,
    /// Runs this seed alone and prints its trace.
    #[arg(long)]
    seed: Option<u64>,
    /// Steps of each run before its faults end.
    #[arg(long, default_value_t = 400)]
    steps: u64,
    /// Steps to take, the others being left out (for replaying a shrunk failure).
    #[arg(long, value_delimiter = ',')]
    only: Option<Vec<u64>>,
    /// Stops after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// Goes on after a failure.
    #[arg(long)]
    keep_going: bool,
    /// Breaks something on purpose: the simulation must fail.
    #[arg(long, value_parser = parse_canary)]
    canary: Option<Canary>,
    /// Several shards, and messages that go from one to another, instead of one shard and everything that it does.
    #[arg(long, conflicts_with_all = ["canary", "only"])]
    crossing: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.seed {
        _ if arguments.crossing => cross(&arguments),
        Some(seed) => one(&arguments, seed),
        None => many(&arguments),
    }
}

fn request(arguments: &Arguments, seed: u64, echo: bool) -> Request {
    let only = arguments.only.as_ref().map(|steps| steps.iter().copied().collect::<BTreeSet<u64>>());
    Request { seed, steps: arguments.steps, only, canary: arguments.canary, echo }
}

fn one(arguments: &Arguments, seed: u64) -> ExitCode {
    match run(&request(arguments, seed, true)) {
        Ok(Success { counts, marks, hash }) => {
            println!("seed {seed} went well: {counts:?}, {marks:?}, trace {hash:016x}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn many(arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let limit = arguments.seconds.map(Duration::from_secs);
    let mut total = Counts::default();
    let mut marks: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut done, mut failed) = (0, 0);
    let mut told = Instant::now();
    for seed in arguments.start..arguments.start + arguments.seeds {
        match run(&request(arguments, seed, false)) {
            Ok(success) => {
                total.add(&success.counts);
                for (what, count) in success.marks {
                    *marks.entry(what).or_default() += count;
                }
            }
            Err(failure) => {
                failed += 1;
                println!("{}\n", if failed <= 3 { shrink(*failure) } else { *failure });
                if !arguments.keep_going {
                    return ExitCode::FAILURE;
                }
            }
        }
        done += 1;
        if told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            println!("{}", line(done, failed, &total, began.elapsed()));
        }
        if limit.is_some_and(|limit| began.elapsed() > limit) {
            break;
        }
    }
    println!("{}", line(done, failed, &total, began.elapsed()));
    println!(
        "{}",
        marks.iter().map(|(what, count)| format!("{what}: {count}")).collect::<Vec<_>>().join(", ")
    );
    if failed == 0 {
        println!("no violation found");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn cross(arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let limit = arguments.seconds.map(Duration::from_secs);
    let mut total = crossing::Counts::default();
    let (mut done, mut failed) = (0, 0);
    let seeds = match arguments.seed {
        Some(seed) => seed..seed + 1,
        None => arguments.start..arguments.start + arguments.seeds,
    };
    for seed in seeds {
        match crossing::run(seed, arguments.steps, None, arguments.seed.is_some()) {
            Ok(counts) => total.add(&counts),
            Err(why) => {
                failed += 1;
                println!("{why}\nreplay: kew-sim --crossing --seed {seed} --steps {}", arguments.steps);
                if !arguments.keep_going {
                    break;
                }
            }
        }
        done += 1;
        if limit.is_some_and(|limit| began.elapsed() > limit) {
            break;
        }
    }
    let rate = f64::from(done) / began.elapsed().as_secs_f64();
    println!("{done} crossing seeds ({rate:.1} per second), {failed} failed: {total}");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn line(done: u64, failed: u64, total: &Counts, took: Duration) -> String {
    format!(
        "{done} seeds ({:.1} per second), {failed} failed, {:.0} simulated hours, {} operations, {} answers judged, \
         {} batches, {} power cuts, {} restarts, {} retirements, {} cold files, {} thaws",
        done as f64 / took.as_secs_f64(),
        total.simulated as f64 / 3_600_000.0,
        total.operations,
        total.answers,
        total.batches,
        total.power_cuts,
        total.restarts,
        total.retirements,
        total.cold_files,
        total.thaws
    )
}

fn parse_canary(text: &str) -> Result<Canary, String> {
    let known = Canary::ALL.iter().find(|(name, _)| *name == text);
    known.map(|(_, canary)| *canary).ok_or_else(|| {
        let names: Vec<&str> = Canary::ALL.iter().map(|(name, _)| *name).collect();
        format!("{text} is none of {}", names.join(", "))
    })
}
