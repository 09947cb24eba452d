//! What a FIFO queue remembers for five minutes: which messages were sent, and which receive attempts were answered.
//!
//! There may be millions, so each costs little: a record in a line, in the order in which they will be forgotten, and five bytes,
//! with the room that a table needs about eight, for finding it. Whoever never asks, as a replica does not, never makes tables.

use alloc::vec::Vec;
use core::hash::BuildHasher;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::line::Line;
use crate::identity_hash::IdentityHash;
use crate::time::{Millis, Moment};

/// Tables of one memory. One that is full is made anew to grow, so there are many, and each is small.
const TABLES: usize = 512;

/// Values that are forgotten a fixed time after they were put in.
#[derive(Debug)]
pub(in crate::services::sqs) struct Memory<V> {
    /// In the order in which they will be forgotten. Of those under one key only the last counts.
    records: Line<Record<V>>,
    /// The number of the first record; those behind it are counted on.
    first: u64,
    /// Records up to this number can be found.
    found: u64,
    /// The low bits of the number of each key's last record, in the table that the key's topmost bits name. None before the first
    /// question.
    tables: Vec<HashTable<u32>>,
}

#[derive(Debug)]
struct Record<V> {
    until: Moment,
    key: u128,
    value: V,
}

impl<V> Default for Memory<V> {
    fn default() -> Self {
        Self { records: Line::default(), first: 0, found: 0, tables: Vec::new() }
    }
}

impl<V> Memory<V> {
    /// What was put in last under `key`, unless it is forgotten by now.
    pub(in crate::services::sqs) fn get(&mut self, key: u128, now: Moment) -> Option<&V> {
        self.find_all();
        let (records, first) = (&self.records, self.first);
        let is_it = |low: &u32| at(records, first, *low).is_some_and(|record| record.key == key);
        let low = self.tables.get(table(key))?.find(hash(key), is_it)?;
        at(records, first, *low).filter(|record| record.until > now).map(|record| &record.value)
    }

    /// Remembers `value` until `lifetime` after `now`, and drops what is forgotten by now.
    pub(in crate::services::sqs) fn put(&mut self, key: u128, value: V, now: Moment, lifetime: Millis) {
        self.forget(now);
        self.restore(now + lifetime, key, value);
    }

    /// Changes the values that were put in at that moment, with that lifetime.
    pub(in crate::services::sqs) fn change(
        &mut self,
        put: Moment,
        lifetime: Millis,
        mut change: impl FnMut(&mut V),
    ) {
        let until = put + lifetime;
        let mut index = self.records.partition_point(|record| record.until < until);
        while let Some(record) = self.records.get_mut(index).filter(|record| record.until == until) {
            change(&mut record.value);
            index += 1;
        }
    }

    /// Drops what is forgotten by now.
    pub(in crate::services::sqs) fn forget(&mut self, now: Moment) {
        while let Some(record) = self.records.pop_front_if(|record| record.until <= now) {
            let number = self.first;
            self.first += 1;
            if number < self.found {
                // Unless the key was put in again since.
                let is_it = |low: &u32| *low == number as u32;
                if let Ok(entry) = self.tables[table(record.key)].find_entry(hash(record.key), is_it) {
                    entry.remove();
                }
            }
        }
        self.found = self.found.max(self.first);
        if self.records.is_empty() {
            // The tables of many queues that seldom remember anything would add up.
            self.tables = Vec::new();
        }
    }

    /// When something is next forgotten.
    pub(in crate::services::sqs) fn next_deadline(&self) -> Moment {
        self.records.front().map_or(Moment::NEVER, |record| record.until)
    }

    /// How many values are remembered, those included in whose place others came.
    pub(in crate::services::sqs) fn len(&self) -> usize {
        self.records.len()
    }

    /// Everything remembered, in the order in which it will be forgotten.
    pub(in crate::services::sqs) fn iter(&self) -> impl Iterator<Item = (Moment, u128, &V)> {
        self.records.iter().map(|record| (record.until, record.key, &record.value))
    }

    /// Puts back what [`Self::iter`] gave.
    pub(in crate::services::sqs) fn restore(&mut self, until: Moment, key: u128, value: V) {
        self.records.push_back(Record { until, key, value });
    }

    /// Sees that all records can be found. The first question would do so; that takes a while where there are many.
    pub(in crate::services::sqs) fn find_all(&mut self) {
        let end = self.first + self.records.len() as u64;
        if self.found == end {
            return;
        }
        if self.tables.is_empty() {
            self.tables.resize_with(TABLES, HashTable::new);
        }
        let (records, first) = (&self.records, self.first);
        for number in self.found..end {
            let Some(Record { key, .. }) = at(records, first, number as u32) else { break };
            let is_it = |low: &u32| at(records, first, *low).is_some_and(|record| record.key == *key);
            let hash_again = |low: &u32| at(records, first, *low).map_or(0, |record| hash(record.key));
            match self.tables[table(*key)].entry(hash(*key), is_it, hash_again) {
                Entry::Occupied(mut before) => *before.get_mut() = number as u32,
                Entry::Vacant(free) => _ = free.insert(number as u32),
            }
        }
        self.found = end;
    }
}

/// The record whose number has these low bits, the first one's number being `first`.
fn at<V>(records: &Line<Record<V>>, first: u64, low: u32) -> Option<&Record<V>> {
    records.get(low.wrapping_sub(first as u32) as usize)
}

fn hash(key: u128) -> u64 {
    IdentityHash.hash_one(key)
}

/// The table of a key. The hash takes the low bits.
fn table(key: u128) -> usize {
    (key >> 119) as usize
}

const _: () = {
    assert!(TABLES == 1 << 9);
    // So that the low bits tell apart all that are remembered at once.
    assert!(super::limits::REMEMBERED < u32::MAX as usize);
};

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::super::Original;
    use super::*;

    const LIFETIME: Millis = Millis(300);

    /// Keys that share tables, and keys that do not.
    fn key(number: u64) -> u128 {
        u128::from(number) << 112 | u128::from(number % 3) << 64 | u128::from(number)
    }

    #[test]
    fn what_was_put_in_last_is_found_until_its_time_is_over_whoever_asks_and_when() {
        let mut random = 7u64;
        let mut below = |limit: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % limit
        };
        for keys in [3, 40, 2_000] {
            let mut memory = Memory::default();
            // One that is never asked anything, as a replica's.
            let mut silent = Memory::default();
            let mut model: BTreeMap<u64, (Moment, u64)> = BTreeMap::new();
            let mut now = Moment(1);
            for step in 0..20_000 {
                now = now + Millis(below(3));
                match below(10) {
                    0..5 => {
                        let number = below(keys);
                        memory.put(key(number), step, now, LIFETIME);
                        silent.put(key(number), step, now, LIFETIME);
                        model.insert(number, (now + LIFETIME, step));
                    }
                    5..9 => {
                        let number = below(keys);
                        let known = model.get(&number).filter(|(until, _)| *until > now);
                        assert_eq!(memory.get(key(number), now), known.map(|(_, value)| value));
                    }
                    _ => {
                        memory.forget(now);
                        silent.forget(now);
                        assert!(memory.next_deadline() > now);
                    }
                }
                if below(2_000) == 0 {
                    // What a snapshot says is the same, and whoever starts from it knows the same.
                    let all = |memory: &Memory<u64>| -> Vec<_> {
                        memory.iter().map(|(until, key, value)| (until, key, *value)).collect()
                    };
                    assert_eq!(all(&memory), all(&silent));
                    assert_eq!(memory.len(), all(&memory).len());
                    memory = Memory::default();
                    all(&silent)
                        .into_iter()
                        .for_each(|(until, key, value)| memory.restore(until, key, value));
                }
            }
            assert!(silent.tables.is_empty(), "tables cost, and nobody asked");
            memory.forget(now + LIFETIME);
            assert_eq!((memory.len(), memory.next_deadline()), (0, Moment::NEVER));
            assert!(memory.tables.iter().all(HashTable::is_empty), "nothing stays behind");
        }
    }

    #[test]
    fn a_remembered_message_costs_few_bytes() {
        assert_eq!(size_of::<Record<Original>>(), 48);
        let mut memory = Memory::default();
        for number in 0..100_000u64 {
            let spread = u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64;
            memory.put(spread, Original { seq: number, id: [0; 16] }, Moment(1), LIFETIME);
        }
        memory.find_all();
        let tables: usize = memory.tables.iter().map(HashTable::allocation_size).sum();
        assert!(tables <= 12 * memory.len(), "{} bytes each to be found", tables / memory.len());
    }
}
