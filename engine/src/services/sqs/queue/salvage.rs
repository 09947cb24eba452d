//! A queue that goes on without messages that are lost.

use alloc::vec::Vec;

use super::super::command::Locator;
use super::cold::Frame;
use super::lanes::Lanes;
use super::{Entry, Held, Queue};

impl Queue {
    /// Forgets the messages whose payloads are lost, and those whose pieces of cold files are gone. What was remembered of them
    /// otherwise stays: a FIFO message is not sent twice because it was lost.
    pub(in crate::services::sqs) fn lose(
        &mut self,
        is_lost: &dyn Fn(Locator) -> bool,
        is_gone: &dyn Fn(&Frame) -> bool,
    ) {
        let frames = core::mem::take(&mut self.cold).frames;
        frames.into_iter().filter(|frame| !is_gone(frame)).for_each(|frame| self.cold.push(frame));

        let stays = |entry: &Entry| !is_lost(entry.payload);
        let fresh: Vec<Entry> = self.lanes.fresh().filter(|entry| stays(entry)).cloned().collect();
        let mut held: Vec<Held> = self.held.drain().map(|(_, held)| held).collect();
        held.retain(|held| stays(&held.entry));
        held.sort_unstable_by_key(|held| held.entry.seq);
        let beyond = core::mem::take(&mut self.beyond);

        self.lanes = Lanes::new(self.fifo());
        self.timers.clear();
        self.expiry.clear();
        (self.ready, self.weary, self.in_flight, self.delayed) = (0, 0, 0, 0);
        held.into_iter().for_each(|held| self.hold(held));
        for entry in fresh {
            self.lanes.push(entry);
            self.ready += 1;
        }
        beyond.iter().filter(|entry| stays(entry)).cloned().for_each(|entry| self.beyond.push_back(entry));
    }
}
