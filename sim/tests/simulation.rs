//! The simulator run for a bounded number of seeds, and tests of the simulator itself.

use std::collections::BTreeMap;

use kew_sim::bare;
use kew_sim::plan::Canary;
use kew_sim::run::{Failure, Request, Success, run};

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
    let mut crashes = 0;
    for seed in 0..60 {
        match run(&request(seed, None)) {
            Ok(Success { counts, .. }) => crashes += counts.power_cuts,
            Err(failure) => panic!("{failure}"),
        }
    }
    assert!(crashes > 100, "only {crashes} power cuts: the adversary sleeps");
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

/// The first failure of a broken world.
fn first_failure(canary: Canary) -> Option<Box<Failure>> {
    (0..30).find_map(|seed| run(&request(seed, Some(canary))).err())
}

#[test]
fn a_disk_that_ignores_syncs_is_noticed() {
    assert!(first_failure(Canary::NoSync).is_some());
}

#[test]
fn leases_forgotten_at_a_restart_are_noticed() {
    assert!(first_failure(Canary::ForgetsLeases).is_some());
}

#[test]
fn a_snapshot_that_lets_go_of_living_messages_is_noticed() {
    assert!(first_failure(Canary::DropsSurvivors).is_some());
}

#[test]
fn an_answer_before_its_batch_is_durable_is_noticed() {
    let failure = first_failure(Canary::TellsEarly);
    assert!(failure.is_some_and(|failure| failure.why.contains("were durable")));
}
