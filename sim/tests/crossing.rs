//! Messages that go from shard to shard are neither lost nor doubled, and a run would notice if they were.

use kew_sim::crossing::{Fraud, run};

const STEPS: u64 = 200;

#[test]
fn nothing_is_lost_between_shards_whatever_fails() {
    for seed in 1..=25 {
        if let Err(why) = run(seed, STEPS, None, false) {
            panic!("{why}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(run(7, STEPS, None, false), run(7, STEPS, None, false));
}

#[test]
fn a_shard_that_is_told_too_early_that_a_message_arrived_is_noticed() {
    assert!((1..=40).any(|seed| run(seed, STEPS, Some(Fraud::ArrivesEarly), false).is_err()));
}

#[test]
fn offers_that_are_never_made_are_noticed() {
    assert!((1..=5).any(|seed| run(seed, STEPS, Some(Fraud::LosesOffers), false).is_err()));
}
