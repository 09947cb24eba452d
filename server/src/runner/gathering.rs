//! When what gathered goes to disk.
//!
//! Callers whose answers have just been let go ask again at once, one after the other. Were the first one's request to go to disk by
//! itself, the others would wait for two syncs, and the disk and the processor would work for hardly anything. So the batch behind a
//! slow sync waits, while they keep coming, for as many as were answered. It does not where all callers together need longer to come
//! back than the disk needs for another sync: then disk and processors had better work at the same time.

use std::time::Duration;

use tokio::time::Instant;

/// What it takes until one of many callers is back, about: what a send costs server and caller, on two processors.
const RETURN: Duration = Duration::from_micros(20);
/// No batch waits behind a sync that was faster.
const SLOW: Duration = Duration::from_micros(500);

#[derive(Debug, Default)]
pub(super) struct Gathering {
    /// When the batch that is on its way to disk was sent there.
    sent: Option<Instant>,
    /// When the last one was durable, and how long that took.
    synced: Option<(Instant, Duration)>,
    /// Callers that were answered since.
    answered: usize,
    /// Calls that came since.
    came: usize,
    /// How many of them had when it was last asked.
    seen: Option<usize>,
}

impl Gathering {
    /// A batch goes to disk.
    pub(super) fn sent(&mut self, now: Instant) {
        *self = Self { sent: Some(now), ..Self::default() };
    }

    /// It is there.
    pub(super) fn durable(&mut self, now: Instant) {
        let synced = self.sent.map(|sent| (now, now - sent));
        *self = Self { synced, ..Self::default() };
    }

    /// So many calls came.
    pub(super) fn came(&mut self, calls: usize) {
        self.came += calls;
    }

    /// So many callers were answered.
    pub(super) fn answered(&mut self, callers: usize) {
        self.answered += callers;
    }

    /// Whether a batch may have to wait once those are answered who can be, of so many callers in all.
    pub(super) fn may_wait(&self, callers: usize) -> bool {
        let all_are_back = RETURN.saturating_mul(u32::try_from(callers).unwrap_or(u32::MAX));
        self.synced.is_some_and(|(_, took)| took >= SLOW && took > all_are_back)
    }

    /// Whether it pays to let others run before the next batch goes to disk; for half of a sync at most. To be asked where it
    /// [may](Self::may_wait), once each time they did.
    pub(super) fn waits(&mut self, now: Instant) -> bool {
        let keeps_coming = self.seen.is_none_or(|seen| self.came > seen);
        self.seen = Some(self.came);
        let is_soon = self.synced.is_some_and(|(end, took)| now < end + took / 2);
        is_soon && keeps_coming && self.came < self.answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch that took so many milliseconds, and then these answers.
    fn synced(millis: u64, answered: usize) -> (Gathering, Instant) {
        let begin = Instant::now();
        let end = begin + Duration::from_millis(millis);
        let mut gathering = Gathering::default();
        gathering.came(7);
        gathering.sent(begin);
        gathering.came(3);
        gathering.durable(end);
        gathering.answered(answered);
        (gathering, end)
    }

    #[test]
    fn a_batch_waits_for_as_many_as_were_answered() {
        let (mut gathering, now) = synced(10, 5);
        assert!(gathering.waits(now), "they have not had time to ask");
        gathering.came(1);
        assert!(gathering.waits(now));
        gathering.came(2);
        assert!(gathering.waits(now));
        gathering.came(2);
        assert!(!gathering.waits(now));
    }

    #[test]
    fn a_batch_does_not_wait_for_those_who_do_not_come() {
        let (mut gathering, now) = synced(10, 5);
        gathering.came(1);
        assert!(gathering.waits(now));
        assert!(!gathering.waits(now), "nobody came meanwhile");
        let (mut gathering, now) = synced(10, 0);
        assert!(!gathering.waits(now), "nobody was answered");
    }

    #[test]
    fn a_batch_waits_for_half_of_a_sync_at_most() {
        let (mut gathering, now) = synced(10, 100);
        gathering.came(1);
        assert!(gathering.waits(now + Duration::from_millis(4)));
        gathering.came(1);
        assert!(!gathering.waits(now + Duration::from_millis(5)));
    }

    #[test]
    fn a_batch_does_not_wait_where_another_sync_is_sooner_done() {
        let (gathering, _) = synced(10, 250);
        assert!(gathering.may_wait(499));
        assert!(!gathering.may_wait(500), "they need 10 ms, too");
        let (gathering, _) = synced(0, 1);
        assert!(!gathering.may_wait(1), "a fast disk");
    }

    #[test]
    fn a_batch_without_one_before_it_does_not_wait() {
        let mut gathering = Gathering::default();
        gathering.came(1);
        assert!(!gathering.may_wait(1) && !gathering.waits(Instant::now()));
        let (mut gathering, now) = synced(10, 9);
        gathering.sent(now);
        gathering.came(1);
        assert!(!gathering.may_wait(10) && !gathering.waits(now), "the one before is still on its way");
    }
}
