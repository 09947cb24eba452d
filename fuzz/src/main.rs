//! Tries every target: first what its corpus keeps, then known inputs changed at random, for so many seconds each.
//!
//! `kew-fuzz [--seconds N] [--seed S] [--only NAME,...]`. Exit code 1 names the input that broke something, which then lies in the
//! target's corpus.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use kew_fuzz::mutation::{Dice, mutate};
use kew_fuzz::{TARGETS, Target};

/// An input that takes longer, in seconds of the processor, has found something, too.
const SLOW: f64 = 5.0;

/// What is being tried now, for whoever must say what it was that did not come to an end.
static CURRENT: Mutex<Option<Current>> = Mutex::new(None);

struct Current {
    target: &'static Target,
    input: Vec<u8>,
    /// The processor's seconds when it was first seen.
    since: Option<f64>,
}

struct Asked {
    seconds: f64,
    seed: u64,
    only: Vec<String>,
}

fn main() -> ExitCode {
    let asked = match asked() {
        Ok(asked) => asked,
        Err(mistake) => {
            eprintln!("kew-fuzz: {mistake}; usage: kew-fuzz [--seconds N] [--seed S] [--only NAME,...]");
            return ExitCode::from(2);
        }
    };
    thread::spawn(watch);
    let chosen: Vec<&'static Target> = TARGETS
        .iter()
        .filter(|target| asked.only.is_empty() || asked.only.iter().any(|name| name == target.name))
        .collect();
    let each = Duration::from_secs_f64(asked.seconds / chosen.len().max(1) as f64);
    let mut is_sound = true;
    for target in chosen {
        is_sound &= run(target, each, asked.seed);
    }
    if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn asked() -> Result<Asked, String> {
    let mut asked = Asked { seconds: 60.0, seed: 1, only: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(format!("{word} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{value} is no number"));
        match word.as_str() {
            "--seconds" => asked.seconds = number()? as f64,
            "--seed" => asked.seed = number()?,
            "--only" => asked.only = value.split(',').map(str::to_owned).collect(),
            _ => return Err(format!("{word} is not understood")),
        }
    }
    match asked.only.iter().find(|name| kew_fuzz::target(name).is_none()) {
        Some(name) => Err(format!("there is no target {name}")),
        None => Ok(asked),
    }
}

/// Whether nothing was found.
fn run(target: &'static Target, time: Duration, seed: u64) -> bool {
    let mut dice = Dice::new(seed);
    let mut inputs = kept(&folder(target));
    let regressions = inputs.len();
    inputs.extend((target.seeds)());
    let start = Instant::now();
    let mut executions = 0_u64;
    for input in &inputs {
        executions += 1;
        if !try_one(target, input) {
            return false;
        }
    }
    while start.elapsed() < time {
        let other = dice.below(inputs.len());
        let mut input = inputs[dice.below(inputs.len())].clone();
        mutate(&mut input, &inputs[other], target.words, &mut dice);
        executions += 1;
        if !try_one(target, &input) {
            return false;
        }
    }
    let took = start.elapsed().as_secs_f64();
    println!(
        "{:>13}: {executions} executions in {took:.1} s, {:.0}/s, {regressions} regressions and {} seeds, seed {seed}",
        target.name,
        executions as f64 / took.max(0.001),
        inputs.len() - regressions
    );
    true
}

fn kept(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().filter_map(|path| fs::read(path).ok()).collect()
}

/// Ends the process with what it tries when that takes too long.
fn watch() {
    loop {
        // Nobody wakes it before its time.
        thread::park_timeout(Duration::from_millis(200));
        let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(current) = &mut *current else { continue };
        let now = processor_seconds();
        let since = *current.since.get_or_insert(now);
        if now - since > SLOW {
            keep(current.target, &current.input, "took too long");
            std::process::exit(1);
        }
    }
}

/// How long this process has had the processor: on a machine that does much else, no input is slow for that.
fn processor_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may hold blanks: user and system time, in hundredths of a second.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields).split(' ');
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn try_one(target: &'static Target, input: &[u8]) -> bool {
    let set = |current| *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = current;
    set(Some(Current { target, input: input.to_vec(), since: None }));
    let result = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    set(None);
    if result.is_err() {
        keep(target, input, "panicked");
    }
    result.is_ok()
}

/// Where a target's inputs are kept.
fn folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

fn keep(target: &Target, input: &[u8], what: &str) {
    let folder = folder(target);
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let path = folder.join(format!("{:016x}", hasher.finish()));
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, input));
    eprintln!(
        "kew-fuzz: {} {what}; the input lies in {} {}",
        target.name,
        path.display(),
        written.map_or_else(|error| format!("(not written: {error})"), |()| String::new())
    );
}
