//! The simulator run for a bounded number of seeds, and tests of the simulator itself.

use std::collections::BTreeMap;

use kew_sim::bare;
use kew_sim::plan::Canary;
use kew_sim::run::{Failure, Request, Success, run};
use kew_sim::world::Counts;

const STEPS: u64 = 200;

fn request(seed: u64, canary: Option<Canary>) -> Request {
    Request { seed, steps: STEPS, canary, ..Request::default() }
}

#[test]
fn the_engine_does_what_the_model_says() {
    let mut marks: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..120 {
        let marked = bare::run(seed, STEPS).unwrap_or_else(|why| panic!("{why}"));
        for (what, count) in marked {
            *marks.entry(what).or_default() += count;
        }
    }
    // A workload that never gets to these would prove nothing about them.
    for what in [
        "a dead letter",
        "a duplicate is recognised",
        "a message expires",
        "a message is moved by a task",
        "a noisy group waits for a quiet one",
        "a receive attempt is repeated",
        "a receive that waited is answered",
        "handles are deleted",
    ] {
        assert!(marks.get(what).is_some_and(|count| *count >= 5), "{what}: {marks:?}");
    }
}

#[test]
fn the_engine_and_the_journal_survive_crashes_and_a_failing_disk() {
    let mut total = Counts::default();
    for seed in 0..60 {
        match run(&request(seed, None)) {
            Ok(Success { counts, .. }) => total.add(&counts),
            Err(failure) => panic!("{failure}"),
        }
    }
    // An adversary asleep would prove nothing.
    assert!(total.power_cuts > 100 && total.restarts > 300, "{total:?}");
    assert!(total.retirements > 100 && total.cold_files > 200, "{total:?}");
    assert!(total.thaws > 100 && total.drops > 200, "{total:?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..8 {
        let once = run(&request(seed, None)).map_err(|failure| failure.hash);
        let twice = run(&request(seed, None)).map_err(|failure| failure.hash);
        assert_eq!(once, twice, "seed {seed}");
    }
}

#[test]
fn different_seeds_give_different_runs() {
    let hashes: Vec<u64> =
        (0..4).map(|seed| run(&request(seed, None)).map_or(0, |success| success.hash)).collect();
    for (at, hash) in hashes.iter().enumerate() {
        assert!(!hashes[..at].contains(hash), "{hashes:?}");
    }
}

/// How many seeds each canary has to be noticed in, and out of how many.
const NOTICED: (usize, u64) = (2, 12);

/// Runs worlds that are broken on purpose: enough of them must fail.
#[track_caller]
fn is_noticed(canary: Canary) -> Vec<Failure> {
    let (least, seeds) = NOTICED;
    let failures: Vec<_> = (0..seeds)
        .filter_map(|seed| run(&request(seed, Some(canary))).err())
        .map(|failure| *failure)
        .collect();
    let first = failures.first().map(|failure| (failure.request.seed, &failure.why));
    println!("{} is noticed in {} of {seeds} seeds, first {first:?}", canary.name(), failures.len());
    assert!(failures.len() >= least, "{}: {} of {seeds} seeds", canary.name(), failures.len());
    failures
}

#[test]
fn a_disk_that_ignores_syncs_is_noticed() {
    is_noticed(Canary::NoSync);
}

#[test]
fn leases_forgotten_at_a_restart_are_noticed() {
    is_noticed(Canary::ForgetsLeases);
}

#[test]
fn a_retirement_that_lets_go_of_living_messages_is_noticed() {
    is_noticed(Canary::DropsSurvivors);
}

#[test]
fn an_answer_before_its_batch_is_durable_is_noticed() {
    let failures = is_noticed(Canary::TellsEarly);
    assert!(failures.iter().any(|failure| failure.why.contains("were durable")));
}

#[test]
fn a_cold_file_that_is_not_synced_is_noticed() {
    is_noticed(Canary::ColdNoSync);
}

#[test]
fn a_cold_file_that_is_removed_too_early_is_noticed() {
    is_noticed(Canary::DropsEarly);
}

#[test]
fn messages_that_come_into_a_window_unnoted_are_noticed() {
    is_noticed(Canary::ForgetsAdmissions);
}
