//! All queues, as a doctor sees them.

use alloc::vec::Vec;

use super::super::queue::Queue;
use super::Sqs;
use crate::audit::{Departed, Holding};
use crate::cold::Thaw;
use crate::services::sqs::command::Locator;
use crate::time::Moment;

impl Sqs {
    /// Every queue, sorted by key. Looks at every message in memory.
    pub(crate) fn holdings(&self, now: Moment) -> Vec<Holding> {
        let queues = self.names.values().filter_map(|id| self.queues.get(id));
        let holding = |queue: &Queue| Holding {
            queue: queue.id,
            fifo: queue.fifo(),
            stats: queue.stats(now),
            cold: queue.frames().map(|frame| frame.count).sum(),
            pieces: queue.frames().map(|frame| Thaw { queue: queue.id, frame: *frame }).collect(),
            payloads: queue.entries().map(|entry| entry.payload).collect(),
        };
        queues.map(holding).collect()
    }

    /// Every message in the outbox.
    pub(crate) fn departed(&self) -> Vec<Departed> {
        let departed = self.outbox.origins().map(|(from, to, payload)| {
            let source = self.queues.get(&from).map_or(to, |queue| &queue.key);
            Departed { queue: source.clone(), payload }
        });
        departed.collect()
    }

    /// Messages are lost: those whose payloads, and those whose pieces of cold files, are.
    pub(crate) fn lose(&mut self, is_lost: &dyn Fn(Locator) -> bool, is_gone: &dyn Fn(&Thaw) -> bool) {
        for queue in self.queues.values_mut() {
            let id = queue.id;
            queue.lose(is_lost, &|frame| is_gone(&Thaw { queue: id, frame: *frame }));
        }
        self.outbox.lose(is_lost);
    }
}
