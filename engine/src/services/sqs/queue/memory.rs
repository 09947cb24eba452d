//! What a FIFO queue remembers for five minutes: which messages were sent, and which receive attempts were answered.

use alloc::vec::Vec;

use hashbrown::HashMap;

use super::line::Line;
use crate::identity_hash::IdentityHash;
use crate::time::{Millis, Moment};

/// Tables of one memory. One that is full is copied to grow, so there are many, and each is small.
const TABLES: usize = 256;

/// Values that are forgotten a fixed time after they were put in.
#[derive(Debug)]
pub(in crate::services::sqs) struct Memory<V> {
    /// Each key lies in the table that its topmost byte names. None before the first value.
    tables: Vec<Table<V>>,
    count: usize,
    /// Keys in the order in which they will be forgotten.
    order: Line<(Moment, u128)>,
}

type Table<V> = HashMap<u128, (Moment, V), IdentityHash>;

impl<V> Default for Memory<V> {
    fn default() -> Self {
        Self { tables: Vec::new(), count: 0, order: Line::default() }
    }
}

impl<V> Memory<V> {
    /// What was put in under `key`, unless it is forgotten by now.
    pub(in crate::services::sqs) fn get(&self, key: u128, now: Moment) -> Option<&V> {
        self.find(key).filter(|(until, _)| *until > now).map(|(_, value)| value)
    }

    /// Remembers `value` until `lifetime` after `now`, and drops what is forgotten by now.
    pub(in crate::services::sqs) fn put(&mut self, key: u128, value: V, now: Moment, lifetime: Millis) {
        self.forget(now);
        self.restore(now + lifetime, key, value);
    }

    /// Drops what is forgotten by now.
    pub(in crate::services::sqs) fn forget(&mut self, now: Moment) {
        while let Some((until, key)) = self.order.pop_front_if(|(until, _)| *until <= now) {
            // The key may have been put in again since.
            if self.find(key).is_some_and(|(latest, _)| *latest == until) {
                self.tables[table(key)].remove(&key);
                self.count -= 1;
            }
        }
    }

    /// When something is next forgotten.
    pub(in crate::services::sqs) fn next_deadline(&self) -> Moment {
        self.order.front().map_or(Moment::NEVER, |(until, _)| *until)
    }

    /// How many values are remembered.
    pub(in crate::services::sqs) fn len(&self) -> usize {
        self.count
    }

    /// Everything remembered, in the order in which it will be forgotten.
    pub(in crate::services::sqs) fn iter(&self) -> impl Iterator<Item = (Moment, u128, &V)> {
        self.order.iter().filter_map(|(until, key)| {
            let (latest, value) = self.find(*key)?;
            (latest == until).then_some((*until, *key, value))
        })
    }

    /// Puts back what [`Self::iter`] gave.
    pub(in crate::services::sqs) fn restore(&mut self, until: Moment, key: u128, value: V) {
        if self.tables.is_empty() {
            self.tables.resize_with(TABLES, Table::default);
        }
        if self.tables[table(key)].insert(key, (until, value)).is_none() {
            self.count += 1;
        }
        self.order.push_back((until, key));
    }

    fn find(&self, key: u128) -> Option<&(Moment, V)> {
        self.tables.get(table(key))?.get(&key)
    }
}

/// The table of a key. The hash takes the low bits.
fn table(key: u128) -> usize {
    (key >> 120) as usize
}

const _: () = assert!(TABLES == 1 << 8);
