//! What a FIFO queue remembers for five minutes: which messages were sent, and which receive attempts were answered.

use alloc::collections::VecDeque;

use hashbrown::HashMap;

use crate::identity_hash::IdentityHash;
use crate::time::{Millis, Moment};

/// Values that are forgotten a fixed time after they were put in. Its size is bounded by the rate of requests times that time.
#[derive(Debug)]
pub(in crate::services::sqs) struct Memory<V> {
    values: HashMap<u128, (Moment, V), IdentityHash>,
    /// Keys in the order in which they will be forgotten.
    order: VecDeque<(Moment, u128)>,
}

impl<V> Default for Memory<V> {
    fn default() -> Self {
        Self { values: HashMap::default(), order: VecDeque::new() }
    }
}

impl<V> Memory<V> {
    /// What was put in under `key`, unless it is forgotten by now.
    pub(in crate::services::sqs) fn get(&self, key: u128, now: Moment) -> Option<&V> {
        self.values.get(&key).filter(|(until, _)| *until > now).map(|(_, value)| value)
    }

    /// Remembers `value` until `lifetime` after `now`, and drops what is forgotten by now.
    pub(in crate::services::sqs) fn put(&mut self, key: u128, value: V, now: Moment, lifetime: Millis) {
        self.forget(now);
        let until = now + lifetime;
        self.values.insert(key, (until, value));
        self.order.push_back((until, key));
    }

    /// Drops what is forgotten by now.
    pub(in crate::services::sqs) fn forget(&mut self, now: Moment) {
        while let Some((until, key)) = self.order.front().copied().filter(|(until, _)| *until <= now) {
            self.order.pop_front();
            // The key may have been put in again since.
            if self.values.get(&key).is_some_and(|(latest, _)| *latest == until) {
                self.values.remove(&key);
            }
        }
    }

    /// When something is next forgotten.
    pub(in crate::services::sqs) fn next_deadline(&self) -> Moment {
        self.order.front().map_or(Moment::NEVER, |(until, _)| *until)
    }

    /// How many values are remembered.
    pub(in crate::services::sqs) fn len(&self) -> usize {
        self.values.len()
    }

    /// Everything remembered, in the order in which it will be forgotten.
    pub(in crate::services::sqs) fn iter(&self) -> impl Iterator<Item = (Moment, u128, &V)> {
        self.order.iter().filter_map(|(until, key)| {
            let (latest, value) = self.values.get(key)?;
            (latest == until).then_some((*until, *key, value))
        })
    }

    /// Puts back what [`Self::iter`] gave.
    pub(in crate::services::sqs) fn restore(&mut self, until: Moment, key: u128, value: V) {
        self.values.insert(key, (until, value));
        self.order.push_back((until, key));
    }
}
