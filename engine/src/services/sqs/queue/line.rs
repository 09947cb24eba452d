//! What came one after the other, kept in pieces, so that a long line grows and shrinks without ever being copied as a whole.

use alloc::collections::VecDeque;

use super::entry::Entry;

/// Items of a full piece.
const PIECE: usize = 512;

/// A line: what comes last goes to the back.
#[derive(Debug)]
pub(super) struct Line<T> {
    /// All of a short line.
    first: VecDeque<T>,
    /// Pieces behind the first, none of them empty; only the last may be less than full.
    rest: VecDeque<VecDeque<T>>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { first: VecDeque::new(), rest: VecDeque::new() }
    }
}

impl<T> Line<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        let last = self.rest.back().map_or(0, VecDeque::len);
        self.first.len() + self.rest.len().saturating_sub(1) * PIECE + last
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.first.front()
    }

    pub(super) fn back(&self) -> Option<&T> {
        self.rest.back().unwrap_or(&self.first).back()
    }

    pub(super) fn push_back(&mut self, item: T) {
        let last = self.rest.back_mut().unwrap_or(&mut self.first);
        if last.len() < PIECE {
            last.push_back(item);
            return;
        }
        let mut piece = VecDeque::with_capacity(PIECE);
        piece.push_back(item);
        self.rest.push_back(piece);
    }

    pub(super) fn pop_front(&mut self) -> Option<T> {
        let item = self.first.pop_front();
        if self.first.is_empty()
            && let Some(next) = self.rest.pop_front()
        {
            self.first = next;
        }
        item
    }

    /// Takes the first item if it is meant.
    pub(super) fn pop_front_if(&mut self, is_meant: impl FnOnce(&T) -> bool) -> Option<T> {
        self.front().is_some_and(is_meant).then(|| self.pop_front()).flatten()
    }

    /// The item at `index`, counted from the front.
    pub(super) fn get(&self, index: usize) -> Option<&T> {
        match index.checked_sub(self.first.len()) {
            None => self.first.get(index),
            Some(behind) => self.rest.get(behind / PIECE)?.get(behind % PIECE),
        }
    }

    /// As [`Self::get`], to change it.
    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        match index.checked_sub(self.first.len()) {
            None => self.first.get_mut(index),
            Some(behind) => self.rest.get_mut(behind / PIECE)?.get_mut(behind % PIECE),
        }
    }

    /// How many items in front are meant, if all that are stand in front.
    pub(super) fn partition_point(&self, mut is_meant: impl FnMut(&T) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle).is_some_and(&mut is_meant) { low = middle + 1 } else { high = middle }
        }
        low
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(self.rest.iter().flatten())
    }
}

/// Messages, whose numbers rise from front to back.
impl Line<Entry> {
    /// The message of that number, wherever it stands.
    pub(super) fn find_mut(&mut self, seq: u64) -> Option<&mut Entry> {
        let behind = self.rest.partition_point(|piece| piece.front().is_some_and(|entry| entry.seq <= seq));
        let piece = match behind.checked_sub(1) {
            Some(index) => self.rest.get_mut(index)?,
            None => &mut self.first,
        };
        let index = piece.binary_search_by_key(&seq, |entry| entry.seq).ok()?;
        piece.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::sqs::command::Locator;
    use crate::time::Moment;

    fn entry(seq: u64) -> Entry {
        let payload = Locator { position: seq, length: 1 };
        Entry { seq, id: [0; 16], sent: Moment(seq), payload, group: 0, source: 0, receives: 0 }
    }

    #[test]
    fn a_line_of_many_pieces_is_one_line() {
        let (mut line, mut model) = (Line::default(), VecDeque::new());
        // Three in, one out, then all out: through every boundary of a piece, at both ends.
        for seq in 0..4 * PIECE as u64 {
            line.push_back(entry(2 * seq));
            model.push_back(2 * seq);
            if seq % 3 == 2 {
                assert_eq!(line.pop_front().map(|entry| entry.seq), model.pop_front());
            }
            assert_eq!(line.len(), model.len());
            assert_eq!(line.front().map(|entry| entry.seq), model.front().copied());
            assert_eq!(line.back().map(|entry| entry.seq), model.back().copied());
        }
        assert!(line.iter().map(|entry| entry.seq).eq(model.iter().copied()));
        for index in 0..=model.len() {
            assert_eq!(line.get(index).map(|entry| entry.seq), model.get(index).copied());
        }
        let half = model[model.len() / 2];
        assert_eq!(line.partition_point(|entry| entry.seq < half), model.len() / 2);
        assert!(line.pop_front_if(|_| false).is_none());
        for seq in 0..8 * PIECE as u64 {
            let found = line.find_mut(seq).map(|entry| entry.seq);
            assert_eq!(found, model.binary_search(&seq).ok().map(|_| seq));
        }
        while let Some(seq) = model.pop_front() {
            assert_eq!(line.pop_front().map(|entry| entry.seq), Some(seq));
        }
        assert!(line.is_empty() && line.pop_front().is_none() && line.back().is_none());
        line.push_back(entry(7));
        assert_eq!((line.len(), line.front().map(|entry| entry.seq)), (1, Some(7)));
    }
}
