//! Makes a failing run small: leaves out steps for as long as it still fails.

use std::collections::BTreeSet;

use crate::run::{Failure, Request, run};

/// How many runs a shrinking may take.
const ATTEMPTS: usize = 400;

/// The same failure, or another one of the same seed, in fewer steps.
pub fn shrink(failure: Failure) -> Failure {
    let mut best = failure;
    let mut attempts = 0;
    let all: BTreeSet<u64> = match &best.request.only {
        Some(only) => only.clone(),
        None => (0..=best.step.min(best.request.steps.saturating_sub(1))).collect(),
    };
    let mut kept = all;
    let mut chunk = kept.len().div_ceil(2);
    while chunk > 0 {
        let mut start = 0;
        while start < kept.len() && attempts < ATTEMPTS {
            let tried: BTreeSet<u64> = kept
                .iter()
                .enumerate()
                .filter(|(at, _)| *at < start || *at >= start + chunk)
                .map(|(_, s)| *s)
                .collect();
            attempts += 1;
            let request = Request { only: Some(tried.clone()), echo: false, ..best.request.clone() };
            match run(&request) {
                Err(smaller) => {
                    kept = tried;
                    best = *smaller;
                }
                Ok(_) => start += chunk,
            }
        }
        chunk /= 2;
    }
    best
}
