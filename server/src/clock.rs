//! What time it is. The engine never asks; the runner tells it, from here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kew_engine::time::{Millis, Moment};

/// A clock that never goes back: the wall's time, carried by the monotonic clock while the wall's is set back.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    /// What to add to the milliseconds since `start`: the largest difference to the wall's time ever seen.
    base: AtomicU64,
    /// By how much users' tests have moved the time forward, in milliseconds.
    advance: AtomicU64,
}

impl Clock {
    /// A clock that shows the wall's time.
    pub(crate) fn new() -> Self {
        let base = AtomicU64::new(wall());
        Self { start: Instant::now(), base, advance: AtomicU64::new(0) }
    }

    /// Now.
    pub(crate) fn now(&self) -> Moment {
        // In this order: if the thread sleeps between the two, the wall's clock seems to be behind, which counts for nothing. The other way
        // round it would seem to be ahead, and all time to come with it.
        let wall = wall();
        let elapsed = self.start.elapsed();
        Moment(self.see(wall, elapsed) + millis(elapsed) + self.advance.load(Ordering::Relaxed))
    }

    /// From now on it is at least `moment`, also while the wall's clock is behind: the data knows that it was so late.
    pub(crate) fn catch_up(&self, moment: Moment) {
        let elapsed = self.start.elapsed();
        self.see(moment.0.saturating_sub(self.advance.load(Ordering::Relaxed)), elapsed);
    }

    /// Moves the time forward for good.
    pub(crate) fn advance(&self, by: Millis) {
        // Within what JSON and AWS's timestamps can show; a test that needs more has lost its way.
        let bound = |old: u64| Some(old.saturating_add(by.0).min(1 << 52));
        let _ = self.advance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, bound);
    }

    /// By how much the time was moved forward.
    pub(crate) fn advanced(&self) -> Millis {
        Millis(self.advance.load(Ordering::Relaxed))
    }

    /// Follows a time that is ahead, `elapsed` after the start (the wall's clock was set, the machine slept, or the data is from later), and
    /// returns the base.
    fn see(&self, wall: u64, elapsed: Duration) -> u64 {
        let base = wall.saturating_sub(millis(elapsed));
        self.base.fetch_max(base, Ordering::Relaxed).max(base)
    }
}

fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_set_back_does_not_turn_time_back() {
        let clock = Clock::new();
        let before = clock.now();
        clock.see(wall() - 3_600_000, Duration::ZERO);
        assert!(clock.now() >= before);
    }

    #[test]
    fn a_wall_clock_set_forward_is_followed() {
        let clock = Clock::new();
        clock.see(wall() + 3_600_000, Duration::ZERO);
        assert!(clock.now().0 >= wall() + 3_590_000);
    }

    #[test]
    fn data_from_a_later_time_carries_the_clock_with_it() {
        let clock = Clock::new();
        let late = Moment(wall() + 3_600_000);
        clock.catch_up(late);
        assert!(clock.now() >= late);
        assert!(clock.now().0 < late.0 + 60_000);
    }

    /// One that has run for an hour.
    fn old() -> Clock {
        let hour = Duration::from_secs(3600);
        let start = Instant::now().checked_sub(hour).expect("a moment, before the boot if need be");
        let clock = Clock { start, ..Clock::new() };
        clock.base.store(wall() - millis(hour), Ordering::Relaxed);
        clock
    }

    #[test]
    fn data_of_now_does_not_move_the_clock_however_long_it_has_run() {
        let clock = old();
        clock.advance(Millis(5000));
        clock.catch_up(clock.now());
        assert!(clock.now().0 < wall() + 65_000);
    }

    #[test]
    fn data_from_a_later_time_carries_an_old_clock_with_it_and_no_further() {
        let clock = old();
        let late = Moment(wall() + 7_200_000);
        clock.catch_up(late);
        assert!(clock.now() >= late);
        assert!(clock.now().0 < late.0 + 60_000);
    }

    #[test]
    fn advancing_adds_up() {
        let clock = Clock::new();
        let before = clock.now();
        clock.advance(Millis(1000));
        clock.advance(Millis(500));
        assert_eq!(clock.advanced(), Millis(1500));
        assert!(clock.now().0 >= before.0 + 1500);
    }
}
