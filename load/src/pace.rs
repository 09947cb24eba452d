//! An open loop: requests fall due at a steady rate, whatever became of the ones before.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// When requests are due.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    interval: Duration,
    taken: Cell<u32>,
    permits: Arc<Semaphore>,
}

impl Pace {
    /// So many per second from now on.
    pub(crate) fn start(rate: f64) -> Self {
        let interval = Duration::from_secs_f64(1.0 / rate);
        let (start, permits) = (Instant::now(), Arc::new(Semaphore::new(0)));
        let given = Arc::downgrade(&permits);
        // A thread of its own, because the runtime's timer knows whole milliseconds only. It ends with the run.
        std::thread::spawn(move || {
            let mut next = start;
            loop {
                let now = Instant::now();
                let mut count = 0;
                while next <= now {
                    next += interval;
                    count += 1;
                }
                let Some(permits) = given.upgrade() else { return };
                permits.add_permits(count);
                drop(permits);
                std::thread::sleep(
                    next.saturating_duration_since(Instant::now()).min(Duration::from_millis(100)),
                );
            }
        });
        Self { start, interval, taken: Cell::new(0), permits }
    }

    /// Waits until the next request is due, and gives the moment at which it was.
    pub(crate) async fn next(&self) -> Instant {
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
        let number = self.taken.get();
        self.taken.set(number + 1);
        self.start + self.interval * number
    }

    /// How many requests were due until `end` and were not even begun.
    pub(crate) fn late(&self, end: Instant) -> u64 {
        let due = end.saturating_duration_since(self.start).as_nanos() / self.interval.as_nanos().max(1);
        u64::try_from(due).unwrap_or(u64::MAX).saturating_sub(self.taken.get().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_fall_due_one_interval_after_the_other_and_those_that_nobody_took_are_late() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let pace = Pace::start(1e6);
            let first = pace.next().await;
            for _ in 0..99 {
                pace.next().await;
            }
            let last = pace.next().await;
            assert_eq!(last - first, Duration::from_micros(100));
            assert_eq!(pace.late(last), 0);
            assert_eq!(pace.late(last + Duration::from_micros(50)), 49);
        });
    }
}
