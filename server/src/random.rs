//! Numbers that nobody can foresee: seeds for commands, request ids.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use kew_engine::seed::Seed;
use kew_wire::request_id::RequestId;

/// A stream of numbers, begun from the system's randomness.
#[derive(Debug)]
pub(crate) struct Random {
    // The state of the stream is where it began plus how many were drawn: one addition per number, from any thread.
    begin: u64,
    drawn: AtomicU64,
}

impl Random {
    /// A stream of its own.
    pub(crate) fn new() -> Self {
        Self { begin: RandomState::new().hash_one("kew"), drawn: AtomicU64::new(0) }
    }

    /// The next number.
    pub(crate) fn next(&self) -> u64 {
        let place = self.drawn.fetch_add(1, Ordering::Relaxed);
        Seed::new(self.begin ^ place.rotate_left(32)).next_u64()
    }

    /// A request id.
    pub(crate) fn request_id(&self) -> RequestId {
        RequestId::new(Seed::new(self.next()).next_u128())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_do_not_repeat() {
        let random = Random::new();
        let drawn: std::collections::HashSet<u64> = (0..10_000).map(|_| random.next()).collect();
        assert_eq!(drawn.len(), 10_000);
    }
}
